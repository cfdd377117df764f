//! TCP, UDP, SCTP ports; ICMP type and code; neighbour discovery.

use super::{Offsets, field, merge};
use crate::checksum::{Delta, crc32c};
use crate::parse::NO_OFFSET;
use crate::proto::{ip, nd};

const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;
const ICMP_CHECKSUM: usize = 2;

/// Applies `delta` to the checksum `at` bytes into the L4 header.
#[inline(always)]
fn update(packet: &mut [u8], offsets: &Offsets, at: usize, delta: Delta, is_udp: bool) -> Option<()> {
    let checksum: &mut [u8; 2] = field(packet, l4(offsets)? + at)?;
    if is_udp && *checksum == [0, 0] {
        return Some(());
    }
    *checksum = delta.apply(*checksum);
    if is_udp && *checksum == [0, 0] {
        // Zero means "no checksum" in UDP (RFC 768).
        *checksum = [0xff, 0xff];
    }
    Some(())
}

#[inline(always)]
fn l4(offsets: &Offsets) -> Option<usize> {
    (offsets.l4 != NO_OFFSET).then_some(offsets.l4.into())
}

/// The addresses have changed by `delta`.
#[inline(always)]
pub(super) fn pseudo_header_changed(packet: &mut [u8], offsets: &Offsets, proto: u8, delta: Delta) {
    let _ = match proto {
        ip::TCP => update(packet, offsets, TCP_CHECKSUM, delta, false),
        ip::UDP => update(packet, offsets, UDP_CHECKSUM, delta, true),
        ip::ICMPV6 => update(packet, offsets, ICMP_CHECKSUM, delta, false),
        _ => None,
    };
}

/// Replaces the masked bits of source and destination port (as they lie in the header) of TCP, UDP or SCTP.
#[inline]
pub fn set_ports(
    packet: &mut [u8],
    offsets: &Offsets,
    proto: u8,
    ports: &[u8; 4],
    mask: &[u8; 4],
) -> Option<()> {
    let old: &mut [u8; 4] = field(packet, l4(offsets)?)?;
    let new = merge(old, ports, mask);
    let mut delta = Delta::default();
    delta.change(old, &new);
    *old = new;
    match proto {
        ip::TCP => update(packet, offsets, TCP_CHECKSUM, delta, false),
        ip::UDP => update(packet, offsets, UDP_CHECKSUM, delta, true),
        ip::SCTP => sctp_checksum(packet, offsets),
        _ => None,
    }
}

/// Computes the checksum of an SCTP packet anew.
pub fn sctp_checksum(packet: &mut [u8], offsets: &Offsets) -> Option<()> {
    let end = packet.len().checked_sub(offsets.l2_pad.into())?;
    let sctp = packet.get_mut(l4(offsets)?..end)?;
    *field(sctp, 8)? = [0; 4];
    let crc = crc32c(sctp);
    *field(sctp, 8)? = crc;
    Some(())
}

/// Replaces the masked bits of ICMP or ICMPv6 type and code.
pub fn set_icmp(packet: &mut [u8], offsets: &Offsets, value: [u8; 2], mask: [u8; 2]) -> Option<()> {
    let old: &mut [u8; 2] = field(packet, l4(offsets)?)?;
    let new = merge(old, &value, &mask);
    let mut delta = Delta::default();
    delta.change(old, &new);
    *old = new;
    update(packet, offsets, ICMP_CHECKSUM, delta, false)
}

/// A masked rewrite of a neighbour solicitation or advertisement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetNd {
    pub target: [u8; 16],
    pub target_mask: [u8; 16],
    pub sll: [u8; 6],
    pub sll_mask: [u8; 6],
    pub tll: [u8; 6],
    pub tll_mask: [u8; 6],
}

/// Bytes of the ICMPv6 header and reserved word before the target, and up to the options.
const ND_TARGET: usize = 8;
const ND_OPTIONS: usize = 24;

/// Rewrites target and link-layer options; an option that is cut or has no length ends the walk.
pub fn set_nd(packet: &mut [u8], offsets: &Offsets, set: &SetNd) -> Option<()> {
    let start = l4(offsets)?;
    let target: &mut [u8; 16] = field(packet, start + ND_TARGET)?;
    let mut delta = Delta::default();
    let new = merge(target, &set.target, &set.target_mask);
    delta.change(target, &new);
    *target = new;
    let end = packet.len().saturating_sub(offsets.l2_pad.into());
    let mut at = start + ND_OPTIONS;
    while at + 8 <= end {
        let option: &mut [u8; 8] = field(packet, at)?;
        let len = usize::from(option[1]) * 8;
        if len == 0 || at + len > end {
            break;
        }
        let change = match option[0] {
            nd::OPT_SOURCE => Some((&set.sll, &set.sll_mask)),
            nd::OPT_TARGET => Some((&set.tll, &set.tll_mask)),
            _ => None,
        };
        if let Some((value, mask)) = change.filter(|_| len == 8) {
            let mac: &mut [u8; 6] = option[2..].first_chunk_mut()?;
            let new = merge(mac, value, mask);
            delta.change(mac, &new);
            *mac = new;
        }
        at += len;
    }
    update(packet, offsets, ICMP_CHECKSUM, delta, false)
}

/// Replaces the masked bits of the reserved word of a neighbour message.
pub fn set_nd_reserved(packet: &mut [u8], offsets: &Offsets, value: [u8; 4], mask: [u8; 4]) -> Option<()> {
    let old: &mut [u8; 4] = field(packet, l4(offsets)? + 4)?;
    let new = merge(old, &value, &mask);
    let mut delta = Delta::default();
    delta.change(old, &new);
    *old = new;
    update(packet, offsets, ICMP_CHECKSUM, delta, false)
}
