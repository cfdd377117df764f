//! Big-endian bytes: a reader that fails with the error of its owner when bytes are missing, and writing into a
//! `Vec`. No message knowledge.

use crate::error::OfpError;

/// Result of decoding.
pub type Decode<T> = Result<T, OfpError>;

/// Reads from the front of a slice; every read that does not fit fails with `short`.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    data: &'a [u8],
    short: OfpError,
}

impl<'a> Reader<'a> {
    /// Fails with `OFPBRC_BAD_LEN` when too short.
    pub fn new(data: &'a [u8]) -> Self {
        Self::with(data, OfpError::OFPBRC_BAD_LEN)
    }

    /// Fails with `short` when too short.
    pub fn with(data: &'a [u8], short: OfpError) -> Self {
        Reader { data, short }
    }

    pub fn len(&self) -> usize {
        self.data.len()
    }
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
    /// What is left, without taking it.
    pub fn peek(&self) -> &'a [u8] {
        self.data
    }
    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.data)
    }

    pub fn bytes(&mut self, n: usize) -> Decode<&'a [u8]> {
        let (head, tail) = self.data.split_at_checked(n).ok_or(self.short)?;
        self.data = tail;
        Ok(head)
    }
    pub fn array<const N: usize>(&mut self) -> Decode<[u8; N]> {
        let (head, tail) = self.data.split_first_chunk().ok_or(self.short)?;
        self.data = tail;
        Ok(*head)
    }
    /// A reader over the next `n` bytes, which are taken.
    pub fn sub(&mut self, n: usize) -> Decode<Reader<'a>> {
        Ok(Reader { data: self.bytes(n)?, short: self.short })
    }
    pub fn skip(&mut self, n: usize) -> Decode<()> {
        self.bytes(n).map(|_| ())
    }
    /// Takes at most `n` bytes of padding.
    pub fn skip_up_to(&mut self, n: usize) {
        self.data = &self.data[n.min(self.data.len())..];
    }
    /// Takes `n` bytes that must be zero, else `err`.
    pub fn zeros(&mut self, n: usize, err: OfpError) -> Decode<()> {
        if self.bytes(n)?.iter().all(|&b| b == 0) { Ok(()) } else { Err(err) }
    }
    pub fn u8(&mut self) -> Decode<u8> {
        self.array::<1>().map(|b| b[0])
    }
    pub fn u16(&mut self) -> Decode<u16> {
        self.array().map(u16::from_be_bytes)
    }
    pub fn u32(&mut self) -> Decode<u32> {
        self.array().map(u32::from_be_bytes)
    }
    pub fn u64(&mut self) -> Decode<u64> {
        self.array().map(u64::from_be_bytes)
    }
    /// `n` bytes of text up to the first NUL.
    pub fn text(&mut self, n: usize) -> Decode<String> {
        let bytes = self.bytes(n)?;
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
    /// Nothing may be left.
    pub fn finish(&self) -> Decode<()> {
        if self.data.is_empty() { Ok(()) } else { Err(self.short) }
    }
}

/// Writing big-endian values at the end of a buffer.
pub trait Put {
    fn u8(&mut self, v: u8);
    fn u16(&mut self, v: u16);
    fn u32(&mut self, v: u32);
    fn u64(&mut self, v: u64);
    fn zeros(&mut self, n: usize);
    fn bytes(&mut self, v: &[u8]);
    /// `v` cut to `n - 1` bytes and filled with NUL to `n`.
    fn text(&mut self, v: &str, n: usize);
    /// Zeroes until the length since `start` is a multiple of `align`.
    fn pad(&mut self, start: usize, align: usize);
    /// Overwrites the `u16` at `at`.
    fn patch_u16(&mut self, at: usize, v: u16);
}

impl Put for Vec<u8> {
    fn u8(&mut self, v: u8) {
        self.push(v);
    }
    fn u16(&mut self, v: u16) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn u32(&mut self, v: u32) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn u64(&mut self, v: u64) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn zeros(&mut self, n: usize) {
        self.resize(self.len() + n, 0);
    }
    fn bytes(&mut self, v: &[u8]) {
        self.extend_from_slice(v);
    }
    fn text(&mut self, v: &str, n: usize) {
        let cut = v.as_bytes().get(..v.len().min(n - 1)).unwrap_or_default();
        self.bytes(cut);
        self.zeros(n - cut.len());
    }
    fn pad(&mut self, start: usize, align: usize) {
        self.zeros((self.len() - start).next_multiple_of(align) - (self.len() - start));
    }
    fn patch_u16(&mut self, at: usize, v: u16) {
        self[at..at + 2].copy_from_slice(&v.to_be_bytes());
    }
}

/// One type-length-value property of OpenFlow 1.4+: its type and a reader over what follows the 4-byte header.
/// Experimenter properties (0xffff) keep the experimenter id and type in the body.
pub fn property<'a>(r: &mut Reader<'a>, align: usize) -> Decode<(u16, Reader<'a>)> {
    let bad = OfpError::OFPBPC_BAD_LEN;
    let mut head = Reader::with(r.peek(), bad);
    let kind = head.u16()?;
    let len = usize::from(head.u16()?);
    if len < 4 || len > r.len() {
        return Err(bad);
    }
    let body = r.bytes(len)?;
    r.skip_up_to(len.next_multiple_of(align) - len);
    Ok((kind, Reader::with(&body[4..], bad)))
}

/// Writes a property around what `body` writes; its length excludes the padding to `align`.
pub fn put_property(w: &mut Vec<u8>, kind: u16, align: usize, body: impl FnOnce(&mut Vec<u8>)) {
    let start = w.len();
    w.u16(kind);
    w.u16(0);
    body(w);
    let len = w.len() - start;
    w.patch_u16(start + 2, len as u16);
    w.pad(start, align);
}
