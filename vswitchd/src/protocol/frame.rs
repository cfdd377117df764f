//! Ethernet frames of control protocols: building them, and reading bytes that may end anywhere.

/// Shortest Ethernet frame without its checksum.
const FRAME_LEN_MIN: usize = 60;

/// A frame with an Ethernet type, padded to the shortest length.
pub fn ethernet(dst: [u8; 6], src: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(FRAME_LEN_MIN.max(14 + payload.len()));
    out.extend_from_slice(&dst);
    out.extend_from_slice(&src);
    out.extend_from_slice(&ethertype.to_be_bytes());
    out.extend_from_slice(payload);
    if out.len() < FRAME_LEN_MIN {
        out.resize(FRAME_LEN_MIN, 0);
    }
    out
}

/// What follows the Ethernet header, VLAN tags skipped; with the Ethernet type (or 802.3 length).
pub fn payload(frame: &[u8]) -> Option<(u16, &[u8])> {
    let mut at = 12;
    loop {
        let ethertype = u16::from_be_bytes(*frame.get(at..)?.first_chunk()?);
        if !flow::proto::eth::is_vlan(ethertype) {
            return Some((ethertype, frame.get(at + 2..)?));
        }
        at += 4;
    }
}

/// The source address of a frame.
pub fn source(frame: &[u8]) -> Option<[u8; 6]> {
    frame.get(6..)?.first_chunk().copied()
}

/// Reads big-endian fields one after the other; `None` at the end of the bytes.
#[derive(Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.first_chunk().copied()
    }
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_padded_and_read_behind_tags() {
        let frame = ethernet([1; 6], [2; 6], 0x8809, &[1, 2, 3]);
        assert_eq!(frame.len(), 60);
        let (ethertype, rest) = payload(&frame).unwrap();
        assert_eq!((ethertype, &rest[..3]), (0x8809, &[1, 2, 3][..]));
        let mut tagged = frame[..12].to_vec();
        tagged.extend([0x81, 0, 0, 7]);
        tagged.extend(&frame[12..]);
        assert_eq!(payload(&tagged).unwrap().0, 0x8809);
        assert_eq!(source(&tagged), Some([2; 6]));
        for n in 0..16 {
            let _ = payload(&tagged[..n]);
        }
    }
}
