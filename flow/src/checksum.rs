//! The Internet checksum (RFC 1071) whole and incremental (RFC 1624 equation 3), and CRC32c for SCTP. Hot plane.
//!
//! Sums are taken over 16-bit words as they lie in memory: one's-complement addition does not mind the byte order.

/// Folds a sum to 16 bits.
#[inline(always)]
pub const fn fold(mut sum: u64) -> u16 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// Sum of `bytes` (an odd last byte is followed by a zero), to be added to others and folded.
pub fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut total: u64 = words.iter().map(|w| u64::from(u32::from_ne_bytes(*w))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    total += u64::from(u32::from_ne_bytes(last));
    total
}

/// Checksum of `bytes`, as two bytes to store.
pub fn checksum(bytes: &[u8]) -> [u8; 2] {
    (!fold(sum(bytes))).to_ne_bytes()
}

/// A change of some header bytes, to be applied to one or several checksums that cover them.
#[derive(Clone, Copy, Default)]
pub struct Delta(u64);

impl Delta {
    /// `old` (of even length, at an even offset) becomes `new`.
    #[inline(always)]
    pub fn change<const N: usize>(&mut self, old: &[u8; N], new: &[u8; N]) {
        const { assert!(N.is_multiple_of(2)) };
        for (old, new) in old.as_chunks::<2>().0.iter().zip(new.as_chunks::<2>().0) {
            self.0 += u64::from(!u16::from_ne_bytes(*old)) + u64::from(u16::from_ne_bytes(*new));
        }
    }
    /// The checksum field after the change.
    #[inline(always)]
    pub fn apply(self, field: [u8; 2]) -> [u8; 2] {
        (!fold(u64::from(!u16::from_ne_bytes(field)) + self.0)).to_ne_bytes()
    }
}

/// Sum of the IPv4 or IPv6 pseudo header (RFC 793, RFC 8200 section 8.1): addresses, protocol and L4 length.
pub fn pseudo_header(addresses: &[u8], protocol: u8, l4_len: usize) -> u64 {
    sum(addresses) + sum(&[0, protocol]) + sum(&(l4_len as u32).to_be_bytes())
}

/// CRC32c (RFC 9260 appendix A) as the four bytes to store.
pub fn crc32c(bytes: &[u8]) -> [u8; 4] {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut n = 0;
        while n < 256 {
            let mut crc = n as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = crc >> 1 ^ if crc & 1 != 0 { 0x82f6_3b78 } else { 0 };
                bit += 1;
            }
            table[n] = crc;
            n += 1;
        }
        table
    };
    let crc = bytes.iter().fold(u32::MAX, |crc, &b| TABLE[((crc ^ u32::from(b)) & 0xff) as usize] ^ crc >> 8);
    (!crc).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // RFC 1071 section 3.
        assert_eq!(fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])).to_ne_bytes(), [0xdd, 0xf2]);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283_u32.to_le_bytes());
        assert_eq!(checksum(&[1]), checksum(&[1, 0]));
    }

    #[test]
    fn incremental_equals_whole() {
        let mut bytes: Vec<u8> = (0..64u32).map(|n| (n * 37 + 11) as u8).collect();
        for at in (0..60).step_by(2) {
            let before = checksum(&bytes);
            let old: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
            let new = [old[3] ^ 0x5a, old[0], 0xff, old[1].wrapping_add(9)];
            let mut delta = Delta::default();
            delta.change(&old, &new);
            bytes[at..at + 4].copy_from_slice(&new);
            assert_eq!(delta.apply(before), checksum(&bytes));
        }
    }
}
