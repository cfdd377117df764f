//! A bounded reader over the linear head of a packet: `size` is how much of the packet is left by its own
//! length fields, which may be more than the head holds or less than what follows.

/// Reads forward; every access is checked against both the head and the logical size.
pub(super) struct Cursor<'a> {
    head: &'a [u8],
    pos: usize,
    size: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(head: &'a [u8], len: usize) -> Self {
        Self { head, pos: 0, size: len }
    }
    /// Bytes from the start of the packet.
    pub fn pos(&self) -> u16 {
        self.pos as u16
    }
    /// Bytes that remain.
    pub fn size(&self) -> usize {
        self.size
    }
    /// Cuts the packet (padding, datagram length); never grows it.
    pub fn limit(&mut self, size: usize) {
        self.size = self.size.min(size);
    }
    /// The next `N` bytes, not consumed.
    #[inline(always)]
    pub fn peek<const N: usize>(&self) -> Option<&'a [u8; N]> {
        if self.size < N {
            return None;
        }
        self.head.get(self.pos..)?.first_chunk()
    }
    /// Consumes the next `N` bytes.
    #[inline(always)]
    pub fn pull<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let bytes = self.peek()?;
        self.pos += N;
        self.size -= N;
        Some(bytes)
    }
    /// Consumes `n` bytes without looking at them.
    #[inline(always)]
    pub fn skip(&mut self, n: usize) -> Option<()> {
        self.size = self.size.checked_sub(n)?;
        self.pos += n;
        Some(())
    }
}

pub(super) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
