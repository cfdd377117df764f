//! Header rewriting on raw bytes with checksums kept right: what datapath actions do to a packet, and building a packet
//! from a flow (`compose`). Hot plane, except `compose`; no allocation in the former, and no panic for any bytes:
//! a rewrite that does not fit the packet does nothing and returns `None`.

pub mod compose;
pub mod l2;
pub mod l3;
pub mod l4;
#[cfg(test)]
mod tests;

pub use compose::compose;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::parse::{NO_OFFSET, Parsed};

/// Where the headers of a packet are; pushing and popping moves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Offsets {
    /// First MPLS label, L3 header, L4 header; `NO_OFFSET` = none.
    pub l2_5: u16,
    pub l3: u16,
    pub l4: u16,
    /// Bytes behind the IP datagram.
    pub l2_pad: u16,
}

impl From<&Parsed> for Offsets {
    fn from(p: &Parsed) -> Self {
        Self { l2_5: p.l2_5_ofs, l3: p.l3_ofs, l4: p.l4_ofs, l2_pad: p.l2_pad }
    }
}

impl Offsets {
    /// The usual place of the headers of an IP packet; written as one word.
    #[inline(always)]
    pub const fn ip(l3: u16, l4: u16, l2_pad: u16) -> Self {
        let word = NO_OFFSET as u64 | (l3 as u64) << 16 | (l4 as u64) << 32 | (l2_pad as u64) << 48;
        zerocopy::transmute!(word.to_le())
    }

    /// The front of the packet grew (or shrank) by `n` bytes.
    pub fn shift(&mut self, n: i16) {
        for ofs in [&mut self.l2_5, &mut self.l3, &mut self.l4] {
            if *ofs != NO_OFFSET {
                *ofs = ofs.wrapping_add_signed(n);
            }
        }
    }
}

/// `N` bytes at `at` for reading and writing.
#[inline(always)]
pub(crate) fn field<const N: usize>(packet: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    packet.get_mut(at..)?.first_chunk_mut()
}

/// `(old & !mask) | (new & mask)`.
#[inline(always)]
pub fn merge<const N: usize>(old: &[u8; N], new: &[u8; N], mask: &[u8; N]) -> [u8; N] {
    std::array::from_fn(|n| (old[n] & !mask[n]) | (new[n] & mask[n]))
}
