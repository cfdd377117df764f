//! Ethernet addresses, VLAN tags, MPLS labels. Pushing expects that the caller has made room in front of the packet.

use super::{Offsets, field};
use crate::key::Vlan;
use crate::proto::eth;

pub const VLAN_TAG_LEN: usize = 4;
pub const MPLS_LSE_LEN: usize = 4;
pub const ETH_HEADER_LEN: usize = 14;

/// Replaces the masked bits of both addresses.
#[inline(always)]
pub fn set_eth(packet: &mut [u8], dst_src: &[u8; 12], mask: &[u8; 12]) -> Option<()> {
    let old: &mut [u8; 12] = field(packet, 0)?;
    // As one number: twelve single bytes would be twelve loads and stores.
    let number = |bytes: &[u8; 12]| {
        let (low, high) = bytes.split_at(8);
        let low = low.first_chunk().map_or(0, |b| u64::from_ne_bytes(*b));
        (low, high.first_chunk().map_or(0, |b| u32::from_ne_bytes(*b)))
    };
    let (a, b, m) = (number(old), number(dst_src), number(mask));
    old[..8].copy_from_slice(&((a.0 & !m.0) | (b.0 & m.0)).to_ne_bytes());
    old[8..].copy_from_slice(&((a.1 & !m.1) | (b.1 & m.1)).to_ne_bytes());
    Some(())
}

/// Writes a tag behind the addresses; the packet has grown by four bytes in front.
pub fn push_vlan(packet: &mut [u8], offsets: &mut Offsets, tag: Vlan) -> Option<()> {
    let head: &mut [u8; 16] = field(packet, 0)?;
    head.copy_within(4.., 0);
    head[12..14].copy_from_slice(&tag.tpid.0.to_ne_bytes());
    let tci = crate::Be16::new(tag.tci.get() & !crate::key::VLAN_CFI);
    head[14..].copy_from_slice(&tci.0.to_ne_bytes());
    offsets.shift(VLAN_TAG_LEN as i16);
    Some(())
}

/// Moves the addresses over the outer tag; the caller then cuts four bytes off the front. `None` without a tag.
pub fn pop_vlan(packet: &mut [u8], offsets: &mut Offsets) -> Option<()> {
    let head: &mut [u8; 18] = field(packet, 0)?;
    if !eth::is_vlan(u16::from_be_bytes([head[12], head[13]])) {
        return None;
    }
    head.copy_within(..12, VLAN_TAG_LEN);
    offsets.shift(-(VLAN_TAG_LEN as i16));
    Some(())
}

/// Bytes of L2 headers: up to the label stack or the L3 header.
fn l2_len(offsets: &Offsets) -> usize {
    usize::from(offsets.l2_5.min(offsets.l3))
}

/// Writes a label in front of the L3 header (or the outermost label) and the Ethernet type; the packet has grown by
/// four bytes in front.
pub fn push_mpls(packet: &mut [u8], offsets: &mut Offsets, ethertype: u16, lse: u32) -> Option<()> {
    let l2_len = l2_len(offsets);
    if l2_len < 2 || packet.len() < l2_len + MPLS_LSE_LEN {
        return None;
    }
    packet.copy_within(MPLS_LSE_LEN..MPLS_LSE_LEN + l2_len, 0);
    *field(packet, l2_len - 2)? = ethertype.to_be_bytes();
    *field(packet, l2_len)? = lse.to_be_bytes();
    offsets.shift(MPLS_LSE_LEN as i16);
    offsets.l2_5 = l2_len as u16;
    Some(())
}

/// Moves the L2 headers over the outermost label and writes the Ethernet type; the caller then cuts four bytes off the
/// front. `None` without a label.
pub fn pop_mpls(packet: &mut [u8], offsets: &mut Offsets, ethertype: u16) -> Option<()> {
    let at = usize::from(offsets.l2_5);
    if offsets.l2_5 == crate::parse::NO_OFFSET || at < 2 || packet.len() < at + MPLS_LSE_LEN {
        return None;
    }
    *field(packet, at - 2)? = ethertype.to_be_bytes();
    packet.copy_within(..at, MPLS_LSE_LEN);
    offsets.shift(-(MPLS_LSE_LEN as i16));
    if eth::is_mpls(ethertype) {
        offsets.l2_5 = at as u16;
    } else {
        // What follows the last label is the L3 header.
        offsets.l2_5 = crate::parse::NO_OFFSET;
        offsets.l3 = at as u16;
    }
    Some(())
}

/// Replaces the masked bits of the outermost label stack entry.
pub fn set_mpls(packet: &mut [u8], offsets: &Offsets, lse: u32, mask: u32) -> Option<()> {
    if offsets.l2_5 == crate::parse::NO_OFFSET {
        return None;
    }
    let entry: &mut [u8; 4] = field(packet, offsets.l2_5.into())?;
    let old = u32::from_be_bytes(*entry);
    *entry = ((old & !mask) | (lse & mask)).to_be_bytes();
    Some(())
}
