//! The common profiles without a cursor: ethernet[/vlan]/ipv4/(udp|tcp) without options and fragments, and
//! ethernet/ipv6/(udp|tcp) without extension headers. Loads whole words from fixed places, checks them together, and writes
//! the base line as eight words, so that nothing later waits for small stores. Anything unusual returns `None` and goes to
//! the scalar parser; a test holds both against each other on random and hostile packets.

use std::mem::offset_of;

use super::{Found, L3, Meta};
use crate::key::{Flow, LineMap, VLAN_CFI};
use crate::packet::Offsets;
use crate::proto::ip;

// The words below are laid out by hand.
const _: () = assert!(cfg!(target_endian = "little"));
const _: () = assert!(offset_of!(Flow, dl_dst) == 8 && offset_of!(Flow, vlan) == 20);
const _: () = assert!(offset_of!(Flow, dl_type) == 24 && offset_of!(Flow, nw_frag) == 26);
const _: () = assert!(offset_of!(Flow, nw_proto) == 27 && offset_of!(Flow, nw_src) == 28);
const _: () = assert!(offset_of!(Flow, nw_dst) == 32 && offset_of!(Flow, tp_src) == 36);
const _: () = assert!(offset_of!(Flow, tcp_flags) == 40 && offset_of!(Flow, nw_tos) == 42);
const _: () = assert!(offset_of!(Flow, nw_ttl) == 43 && offset_of!(Flow, packet_type) == 44);
const _: () = assert!(offset_of!(Flow, ct_state) == 48 && offset_of!(Flow, ct_zone) == 52);
const _: () = assert!(offset_of!(Flow, ct_mark) == 56 && offset_of!(Flow, pkt_mark) == 60);
const _: () = assert!(offset_of!(Flow, ipv6_dst) == 80 && offset_of!(Flow, ipv6_label) == 124);

#[inline(always)]
fn load64(h: &[u8], at: usize) -> u64 {
    let bytes: &[u8; 8] = h[at..].first_chunk().expect("callers have checked the length");
    u64::from_le_bytes(*bytes)
}
#[inline(always)]
fn load32(h: &[u8], at: usize) -> u64 {
    let bytes: &[u8; 4] = h[at..].first_chunk().expect("callers have checked the length");
    u64::from(u32::from_le_bytes(*bytes))
}

/// Dispatches on the Ethernet type. Writes key and offsets and returns what `parse_into` does; `None` = not a profile, and
/// nothing written.
#[inline(always)]
pub(super) fn parse(
    head: &[u8],
    len: usize,
    meta: &Meta,
    key: &mut Flow,
    offsets: &mut Offsets,
) -> Option<Found> {
    if meta.packet_type != 0 || meta.dp_hash | meta.skb_priority != 0 || meta.carry.is_some() {
        return None;
    }
    let h: &[u8; 54] = head.first_chunk()?;
    // Types as they lie in memory, read as a little-endian number.
    match u16::from_le_bytes([h[12], h[13]]) {
        0x0008 => ipv4::<0>(h, len, 0, meta, key, offsets),
        0xdd86 => ipv6(head, len, meta, key, offsets),
        0x0081 | 0xa888 if meta.vlan_limit != 0 => {
            let h: &[u8; 58] = head.first_chunk()?;
            const CFI: u64 = (VLAN_CFI.swap_bytes() as u64) << 16;
            ipv4::<4>(h, len, load32(h, 12) | CFI, meta, key, offsets)
        }
        _ => None,
    }
}

/// Header bytes of an IPv4 packet whose L3 header is `TAG` bytes further than without tags.
#[inline(always)]
fn ipv4<const TAG: usize>(
    h: &[u8],
    len: usize,
    vlan: u64,
    meta: &Meta,
    key: &mut Flow,
    offsets: &mut Offsets,
) -> Option<Found> {
    let (places, proto, flags) = ipv4_checked::<TAG>(h, len)?;
    *offsets = places;
    let start = load64(h, 12 + TAG);
    let middle = load32(h, 20 + TAG);
    *base(key) = [
        word(meta.in_port, meta.recirc_id),
        load64(h, 0),
        load32(h, 8) | vlan << 32,
        (start & 0xffff) | u64::from(proto) << 24 | load32(h, 26 + TAG) << 32,
        load64(h, 30 + TAG),
        flags | (start >> 24 & 0xff) << 16 | (middle >> 16 & 0xff) << 24,
        word(meta.ct_state, meta.ct_zone.into()),
        word(meta.ct_mark, meta.pkt_mark),
    ];
    Some(Found::of(LineMap::BASE, flags))
}

/// The offsets of an IPv4 packet of the profile, its protocol and its TCP flags; `None` when it is not one.
#[inline(always)]
pub(super) fn ipv4_checked<const TAG: usize>(h: &[u8], len: usize) -> Option<(Offsets, u8, u64)> {
    // Type, version and header length, TOS, total length.
    let start = load64(h, 12 + TAG);
    // Fragment word, TTL, protocol.
    let middle = load32(h, 20 + TAG);
    const IPV4_NO_OPTIONS: u64 = 0x45_0008;
    const FRAGMENT: u64 = 0xff3f;
    if start & 0xff_ffff != IPV4_NO_OPTIONS || middle & FRAGMENT != 0 {
        return None;
    }
    let total_len = usize::from(((start >> 32) as u16).swap_bytes());
    let l3_len = len.min(usize::from(u16::MAX)).checked_sub(14 + TAG)?;
    if total_len > l3_len {
        return None;
    }
    let proto = (middle >> 24) as u8;
    let flags = l4_flags(proto, total_len.checked_sub(20)?, load32(h, 46 + TAG))?;
    Some((Offsets::ip((14 + TAG) as u16, (34 + TAG) as u16, (l3_len - total_len) as u16), proto, flags))
}

#[inline(always)]
pub(super) fn ipv6(
    head: &[u8],
    len: usize,
    meta: &Meta,
    key: &mut Flow,
    offsets: &mut Offsets,
) -> Option<Found> {
    const L4: usize = 54;
    let h: &[u8; L4 + 8] = head.first_chunk()?;
    let payload_len = usize::from(u16::from_be_bytes([h[18], h[19]]));
    let after = len.min(usize::from(u16::MAX)).checked_sub(L4)?;
    if payload_len > after {
        return None;
    }
    let proto = h[20];
    let control = if proto == ip::TCP { load32(head.first_chunk::<{ L4 + 20 }>()?, L4 + 12) } else { 0 };
    let flags = l4_flags(proto, payload_len, control)?;
    let first = u32::from_be_bytes([h[14], h[15], h[16], h[17]]);
    *base(key) = [
        word(meta.in_port, meta.recirc_id),
        load64(h, 0),
        load32(h, 8),
        0xdd86 | u64::from(proto) << 24,
        load32(h, L4) << 32,
        flags | u64::from(first >> 20 & 0xff) << 16 | u64::from(h[21]) << 24,
        word(meta.ct_state, meta.ct_zone.into()),
        word(meta.ct_mark, meta.pkt_mark),
    ];
    let label = u64::from((first & 0xf_ffff).to_be());
    key.lines_mut()[L3] = [load64(h, 22), load64(h, 30), load64(h, 38), load64(h, 46), 0, 0, 0, label << 32];
    *offsets = Offsets::ip(14, L4 as u16, (after - payload_len) as u16);
    Some(Found::of(LineMap(1 | 1 << L3), flags))
}

/// The flags in the word that starts with TCP's data offset.
const TCP_FLAGS: u64 = 0xff0f;

/// TCP flags in the place they have in the key (0 for UDP); `None` for another protocol, a cut header or a bad TCP header
/// length. `control` starts with TCP's offset and flags.
#[inline(always)]
fn l4_flags(proto: u8, l4_len: usize, control: u64) -> Option<u64> {
    match proto {
        ip::UDP if l4_len >= 8 => Some(0),
        ip::TCP => {
            let header_len = (control as usize >> 4 & 0xf) * 4;
            (header_len >= 20 && header_len <= l4_len).then_some(control & TCP_FLAGS)
        }
        _ => None,
    }
}

#[inline(always)]
fn word(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[inline(always)]
fn base(key: &mut Flow) -> &mut crate::key::Line {
    &mut key.lines_mut()[0]
}
