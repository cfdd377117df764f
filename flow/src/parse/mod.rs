//! Packet bytes to flow key. Hot plane; any thread.
//!
//! `parse` writes into the caller's key only the lines it reports as valid (line 0 always), allocates nothing and
//! accepts any bytes: what cannot be parsed leaves the fields after it zero and a reason in `Parsed::malformed`.
//! It checks what OVS checks and nothing more (the IP version nibble, for one, is not looked at), since a packet
//! that one switch takes for TCP and the other for bare IP would match other rules.
//!
//! Common packets go through `fast`; the scalar code here is the reference that it must equal on every packet.

mod arp;
mod cursor;
mod fast;
mod ipv4;
mod ipv6;
mod l2;
mod l4;
mod nsh;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
pub mod vector;

use crate::key::{Be16, Be32, Flow, LineMap};
use crate::packet::Offsets;
use crate::proto::{eth, packet_type};
use cursor::Cursor;

/// What is known of a packet besides its bytes.
#[derive(Clone, Copy)]
pub struct Meta<'a> {
    /// Total bytes of the packet; the slice given to `parse` is its linear head, at least min(len, 128) bytes.
    pub len: usize,
    pub in_port: u32,
    pub recirc_id: u32,
    /// Namespace and type; 0 = the packet starts with an Ethernet header.
    pub packet_type: u32,
    pub pkt_mark: u32,
    pub skb_priority: u32,
    pub dp_hash: u32,
    pub ct_state: u32,
    pub ct_zone: u16,
    pub ct_mark: u32,
    /// VLAN tags to parse (0..=2); a deeper tag stays in `dl_type`.
    pub vlan_limit: u8,
    /// Lines 3 (ct) and 4-9 (tunnel) to take over from another key: of a recirculated or decapsulated packet.
    pub carry: Option<(&'a Flow, LineMap)>,
}

/// `other_config:vlan-limit` when nothing is configured.
pub const VLAN_LIMIT_DEFAULT: u8 = 1;

impl Meta<'_> {
    /// A packet that has just come in by `in_port`.
    pub fn received(len: usize, in_port: u32) -> Self {
        Self { len, in_port, ..Self::default() }
    }
}

impl Default for Meta<'_> {
    fn default() -> Self {
        Self {
            len: 0,
            in_port: 0,
            recirc_id: 0,
            packet_type: packet_type::ETHERNET,
            pkt_mark: 0,
            skb_priority: 0,
            dp_hash: 0,
            ct_state: 0,
            ct_zone: 0,
            ct_mark: 0,
            vlan_limit: VLAN_LIMIT_DEFAULT,
            carry: None,
        }
    }
}

/// Why parsing stopped before the packet's own headers ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Malformed {
    #[default]
    No,
    /// Shorter than an Ethernet header: nothing of it is in the key.
    Ethernet,
    /// MPLS type without one complete label.
    Mpls,
    /// Header length, total length or packet too short.
    Ipv4,
    /// Header cut, or payload length beyond the packet.
    Ipv6,
    /// Extension header beyond the packet.
    Ipv6Ext,
    /// Not an Ethernet/IPv4 ARP, or cut.
    Arp,
    Nsh,
    /// Transport header cut, or TCP header length impossible.
    L4,
}

/// An offset that is not there.
pub const NO_OFFSET: u16 = u16::MAX;

/// What `parse` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Lines of the key that were written.
    pub lines: LineMap,
    /// Bytes from the packet's start to the first MPLS label, the L3 and the L4 header; `NO_OFFSET` = none.
    pub l2_5_ofs: u16,
    pub l3_ofs: u16,
    pub l4_ofs: u16,
    /// Bytes after the end of the IP datagram.
    pub l2_pad: u16,
    pub malformed: Malformed,
}

impl Parsed {
    fn new() -> Self {
        Self {
            lines: LineMap::BASE,
            l2_5_ofs: NO_OFFSET,
            l3_ofs: NO_OFFSET,
            l4_ofs: NO_OFFSET,
            l2_pad: 0,
            malformed: Malformed::No,
        }
    }

    /// Makes `line` valid: zeroes it the first time.
    fn open(&mut self, key: &mut Flow, line: usize) {
        if !self.lines.contains(line) {
            key.lines_mut()[line] = [0; 8];
            self.lines.insert(line);
        }
    }
}

const L3: usize = 1;
const L2: usize = 2;
const CT: usize = 3;

/// Parses `head` into `key`; see the module text.
#[inline]
pub fn parse(head: &[u8], meta: &Meta, key: &mut Flow) -> Parsed {
    parse_len(head, meta.len, meta, key)
}

/// `parse` of a packet of `len` bytes, whatever `meta.len` says: for a burst of packets that share all else.
#[inline]
pub fn parse_len(head: &[u8], len: usize, meta: &Meta, key: &mut Flow) -> Parsed {
    let mut offsets = Offsets::ip(NO_OFFSET, NO_OFFSET, 0);
    let found = parse_into(head, len, meta, key, &mut offsets);
    Parsed {
        lines: found.lines,
        l2_5_ofs: offsets.l2_5,
        l3_ofs: offsets.l3,
        l4_ofs: offsets.l4,
        l2_pad: offsets.l2_pad,
        malformed: found.malformed,
    }
}

/// What parsing returns besides what it writes; small enough for a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Lines of the key that were written.
    pub lines: LineMap,
    /// As in the key, where reading them back so soon would wait for the store.
    pub tcp_flags: Be16,
    pub malformed: Malformed,
}

impl Found {
    #[inline(always)]
    fn of(lines: LineMap, tcp_flags: u64) -> Self {
        Self { lines, tcp_flags: Be16(tcp_flags as u16), malformed: Malformed::No }
    }
}

/// `parse_len` with the offsets written where the caller keeps them: a `Parsed` that went through memory in pieces cost more
/// than the parsing.
#[inline(always)]
pub fn parse_into(head: &[u8], len: usize, meta: &Meta, key: &mut Flow, offsets: &mut Offsets) -> Found {
    match fast::parse(head, len, meta, key, offsets) {
        Some(found) => found,
        None => scalar_into(head, len, meta, key, offsets),
    }
}

#[inline(never)]
fn scalar_into(head: &[u8], len: usize, meta: &Meta, key: &mut Flow, offsets: &mut Offsets) -> Found {
    let parsed = parse_scalar(head, len, meta, key);
    *offsets = Offsets::from(&parsed);
    Found { lines: parsed.lines, tcp_flags: key.tcp_flags, malformed: parsed.malformed }
}

/// The reference: any packet, header by header.
#[inline(never)]
pub fn parse_scalar(head: &[u8], len: usize, meta: &Meta, key: &mut Flow) -> Parsed {
    let mut parsed = Parsed::new();
    write_meta(meta, key, &mut parsed);
    let mut cursor = Cursor::new(head, len.min(usize::from(u16::MAX)));
    if let Err(reason) = headers(&mut cursor, meta, key, &mut parsed) {
        parsed.malformed = reason;
    }
    if meta.carry.is_some() {
        carry_over(meta, key, &mut parsed);
    }
    parsed
}

/// Parses a whole packet into a zeroed key: for the slow path and tests.
pub fn parse_whole(packet: &[u8], meta: &Meta) -> (Flow, Parsed) {
    let mut key = Flow::ZERO;
    let parsed = parse(packet, &Meta { len: packet.len(), ..*meta }, &mut key);
    (key, parsed)
}

fn write_meta(meta: &Meta, key: &mut Flow, parsed: &mut Parsed) {
    key.lines_mut()[0] = [0; 8];
    key.in_port = meta.in_port;
    key.recirc_id = meta.recirc_id;
    key.packet_type = Be32::new(meta.packet_type);
    key.ct_state = meta.ct_state;
    key.ct_zone = meta.ct_zone;
    key.ct_mark = meta.ct_mark;
    key.pkt_mark = meta.pkt_mark;
    if meta.dp_hash | meta.skb_priority != 0 {
        parsed.open(key, L2);
        key.dp_hash = meta.dp_hash;
        key.skb_priority = meta.skb_priority;
    }
}

/// Takes over the ct and tunnel lines. The original tuple is kept only on a packet of its own address family, so
/// that `ct_nw_src` cannot match on an IPv6 packet.
fn carry_over(meta: &Meta, key: &mut Flow, parsed: &mut Parsed) {
    let Some((from, lines)) = meta.carry else { return };
    for line in (CT..crate::key::N_DP_LINES).filter(|&n| lines.contains(n)) {
        key.lines_mut()[line] = from.lines()[line];
        parsed.lines.insert(line);
    }
    if lines.contains(CT) {
        let is_v6 = key.ct_ipv6_src != [0; 16] || key.ct_ipv6_dst != [0; 16];
        let family = if is_v6 { eth::IPV6 } else { eth::IP };
        if key.dl_type != Be16::new(family) {
            let label = key.ct_label;
            key.lines_mut()[CT] = [0; 8];
            key.ct_label = label;
        }
    }
}

fn headers(c: &mut Cursor, meta: &Meta, key: &mut Flow, parsed: &mut Parsed) -> Result<(), Malformed> {
    if meta.packet_type == packet_type::ETHERNET {
        l2::ethernet(c, meta.vlan_limit, key, parsed)?;
    } else {
        key.dl_type = Be16::new(meta.packet_type as u16);
    }
    if eth::is_mpls(key.dl_type.get()) {
        parsed.l2_5_ofs = c.pos();
        l2::mpls(c, key, parsed);
    }
    parsed.l3_ofs = c.pos();
    match key.dl_type.get() {
        eth::IP => ipv4::ipv4(c, key, parsed),
        eth::IPV6 => ipv6::ipv6(c, key, parsed),
        eth::ARP | eth::RARP => arp::arp(c, key, parsed).ok_or(Malformed::Arp),
        eth::NSH => nsh::nsh(c, key, parsed).ok_or(Malformed::Nsh),
        eth::MPLS | eth::MPLS_MCAST if c.pos() == parsed.l2_5_ofs => Err(Malformed::Mpls),
        _ => Ok(()),
    }
}
