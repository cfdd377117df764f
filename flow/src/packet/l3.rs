//! IPv4, IPv6 and ARP headers; transport checksums follow the addresses.

use super::{Offsets, field, l4, merge};
use crate::checksum::Delta;
use crate::proto::ip;

/// A masked rewrite of an IPv4 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetIpv4 {
    /// Source and destination, as they lie in the header.
    pub addresses: [u8; 8],
    pub addresses_mask: [u8; 8],
    pub tos: u8,
    pub tos_mask: u8,
    pub ttl: u8,
    pub ttl_mask: u8,
}

/// Rewrites an IPv4 header, its checksum, and the TCP or UDP checksum.
#[inline]
pub fn set_ipv4(packet: &mut [u8], offsets: &Offsets, set: &SetIpv4) -> Option<()> {
    let header: &mut [u8; 20] = field(packet, offsets.l3.into())?;
    let mut delta = Delta::default();
    let old = [header[0], header[1]];
    let tos = [old[0], (old[1] & !set.tos_mask) | (set.tos & set.tos_mask)];
    delta.change(&old, &tos);
    header[1] = tos[1];
    let old = [header[8], header[9]];
    let ttl = [(old[0] & !set.ttl_mask) | (set.ttl & set.ttl_mask), old[1]];
    delta.change(&old, &ttl);
    header[8] = ttl[0];

    let mut addresses = Delta::default();
    if set.addresses_mask != [0; 8] {
        let old: &mut [u8; 8] = header[12..].first_chunk_mut()?;
        let new = merge(old, &set.addresses, &set.addresses_mask);
        delta.change(old, &new);
        addresses.change(old, &new);
        *old = new;
    }
    let checksum = delta.apply([header[10], header[11]]);
    header[10..12].copy_from_slice(&checksum);
    let is_later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    let proto = header[9];
    if set.addresses_mask != [0; 8] && !is_later_fragment {
        // ICMP for IPv4 has no pseudo header.
        if matches!(proto, ip::TCP | ip::UDP) {
            l4::pseudo_header_changed(packet, offsets, proto, addresses);
        }
    }
    Some(())
}

/// Sets the TTL of an IPv4 header and mends its checksum: `set_ipv4` for the commonest change.
#[inline(always)]
pub fn set_ttl(packet: &mut [u8], offsets: &Offsets, ttl: u8) -> Option<()> {
    let header: &mut [u8; 20] = field(packet, offsets.l3.into())?;
    let old = u16::from_ne_bytes([header[8], header[9]]);
    let new = u16::from_ne_bytes([ttl, header[9]]);
    let checksum = u16::from_ne_bytes([header[10], header[11]]);
    // RFC 1624, equation 3.
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    header[8] = ttl;
    header[10..12].copy_from_slice(&(!(sum as u16)).to_ne_bytes());
    Some(())
}

/// A masked rewrite of an IPv6 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetIpv6 {
    pub src: [u8; 16],
    pub src_mask: [u8; 16],
    pub dst: [u8; 16],
    pub dst_mask: [u8; 16],
    /// Traffic class and flow label in the place they have in the first word, host order.
    pub word: u32,
    pub word_mask: u32,
    pub hlimit: u8,
    pub hlimit_mask: u8,
}

/// Rewrites an IPv6 header and the TCP, UDP or ICMPv6 checksum; `proto` is what the extension headers end in.
pub fn set_ipv6(packet: &mut [u8], offsets: &Offsets, proto: u8, set: &SetIpv6) -> Option<()> {
    let has_routing_header = has_routing_header(packet, offsets);
    let header: &mut [u8; 40] = field(packet, offsets.l3.into())?;
    let word = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    header[..4].copy_from_slice(&((word & !set.word_mask) | (set.word & set.word_mask)).to_be_bytes());
    header[7] = (header[7] & !set.hlimit_mask) | (set.hlimit & set.hlimit_mask);

    let mut addresses = Delta::default();
    let (_, rest) = header.split_at_mut(8);
    let (src, dst) = rest.split_at_mut(16);
    let (src, dst): (&mut [u8; 16], &mut [u8; 16]) = (src.first_chunk_mut()?, dst.first_chunk_mut()?);
    let new = merge(src, &set.src, &set.src_mask);
    addresses.change(src, &new);
    *src = new;
    let new = merge(dst, &set.dst, &set.dst_mask);
    if !has_routing_header {
        // With a routing header the checksum covers the final destination, which stays.
        addresses.change(dst, &new);
    }
    *dst = new;
    let changes = set.src_mask != [0; 16] || set.dst_mask != [0; 16];
    if changes && matches!(proto, ip::TCP | ip::UDP | ip::ICMPV6) {
        l4::pseudo_header_changed(packet, offsets, proto, addresses);
    }
    Some(())
}

/// A routing header with segments left between the IPv6 header and the L4 header.
fn has_routing_header(packet: &[u8], offsets: &Offsets) -> bool {
    let l3 = usize::from(offsets.l3);
    let (mut at, end) = (l3 + 40, usize::from(offsets.l4).min(packet.len()));
    let Some(&first) = packet.get(l3 + 6) else { return false };
    let mut next = first;
    while at + 8 <= end {
        match next {
            ip::ROUTING => return packet[at + 3] != 0,
            ip::HOPOPTS | ip::DSTOPTS => {
                next = packet[at];
                at += (usize::from(packet[at + 1]) + 1) * 8;
            }
            ip::AH => {
                next = packet[at];
                at += (usize::from(packet[at + 1]) + 2) * 4;
            }
            ip::FRAGMENT => {
                next = packet[at];
                at += 8;
            }
            _ => return false,
        }
    }
    false
}

/// A masked rewrite of an Ethernet/IPv4 ARP packet, in the layout of its bytes 6..28 (opcode to target address).
pub fn set_arp(packet: &mut [u8], offsets: &Offsets, value: &[u8; 22], mask: &[u8; 22]) -> Option<()> {
    let body: &mut [u8; 22] = field(packet, usize::from(offsets.l3) + 6)?;
    *body = merge(body, value, mask);
    Some(())
}
