//! TCP, UDP, SCTP, ICMP, IGMP, ICMPv6 with neighbour discovery (RFC 4861 section 4).

use super::cursor::{Cursor, be16};
use super::{L2, L3, Malformed, Parsed};
use crate::key::{Be16, Be32, Flow, NW_FRAG_LATER};
use crate::proto::{TCP_FLAGS_MASK, eth, ip, nd};

#[inline(always)]
pub(super) fn l4(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) -> Result<(), Malformed> {
    parsed.l4_ofs = c.pos();
    if key.nw_frag & NW_FRAG_LATER != 0 {
        return Ok(());
    }
    let is_v6 = key.dl_type == const { Be16::new(eth::IPV6) };
    match key.nw_proto {
        ip::TCP => tcp(c, key),
        ip::UDP => ports::<8>(c, key),
        ip::SCTP => ports::<12>(c, key),
        // The protocol number alone decides, as in OVS; only neighbour discovery needs IPv6 around it.
        ip::ICMP => type_code::<8>(c, key).map(|_| ()),
        ip::IGMP => igmp(c, key, parsed),
        ip::ICMPV6 if is_v6 => icmpv6(c, key, parsed),
        ip::ICMPV6 => type_code::<8>(c, key).map(|_| ()),
        _ => Some(()),
    }
    .ok_or(Malformed::L4)
}

fn raw16(bytes: &[u8], at: usize) -> Be16 {
    Be16(u16::from_ne_bytes([bytes[at], bytes[at + 1]]))
}

#[inline(always)]
fn tcp(c: &mut Cursor, key: &mut Flow) -> Option<()> {
    let header: &[u8; 20] = c.peek()?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < 20 || header_len > c.size() {
        return None;
    }
    key.tp_src = raw16(header, 0);
    key.tp_dst = raw16(header, 2);
    key.tcp_flags = Be16::new(be16(header, 12) & TCP_FLAGS_MASK);
    Some(())
}

#[inline(always)]
fn ports<const HEADER_LEN: usize>(c: &mut Cursor, key: &mut Flow) -> Option<()> {
    let header: &[u8; HEADER_LEN] = c.peek()?;
    key.tp_src = raw16(header, 0);
    key.tp_dst = raw16(header, 2);
    Some(())
}

fn type_code<'a, const HEADER_LEN: usize>(c: &Cursor<'a>, key: &mut Flow) -> Option<&'a [u8; HEADER_LEN]> {
    let header: &[u8; HEADER_LEN] = c.peek()?;
    key.tp_src = Be16::new(header[0].into());
    key.tp_dst = Be16::new(header[1].into());
    Some(header)
}

fn igmp(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) -> Option<()> {
    let header = type_code::<8>(c, key)?;
    parsed.open(key, L2);
    key.nd_reserved = Be32(u32::from_ne_bytes([header[4], header[5], header[6], header[7]]));
    Some(())
}

fn icmpv6(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) -> Option<()> {
    let header = type_code::<8>(c, key)?;
    let _ = c.skip(8);
    if header[1] != 0 || !matches!(header[0], nd::SOLICIT | nd::ADVERT) {
        return Some(());
    }
    parsed.open(key, L2);
    key.nd_reserved = Be32(u32::from_ne_bytes([header[4], header[5], header[6], header[7]]));
    let Some(target) = c.pull::<16>() else { return Some(()) };
    let options = nd_options(c)?;
    parsed.open(key, L3);
    key.nd_target = *target;
    key.arp_sha = options.source;
    key.arp_tha = options.target;
    key.nd_options_type = options.first;
    Some(())
}

#[derive(Default)]
struct NdOptions {
    source: [u8; 6],
    target: [u8; 6],
    first: u8,
}

/// The link-layer options; `None` when one is given twice. An option that does not fit ends the walk.
fn nd_options(c: &mut Cursor) -> Option<NdOptions> {
    let mut found = NdOptions::default();
    while let Some(option) = c.peek::<8>() {
        let len = usize::from(option[1]) * 8;
        if len == 0 || len > c.size() {
            break;
        }
        let slot = match option[0] {
            nd::OPT_SOURCE => Some(&mut found.source),
            nd::OPT_TARGET => Some(&mut found.target),
            _ => None,
        };
        if let Some(mac) = slot.filter(|_| len == 8) {
            if *mac != [0; 6] {
                return None;
            }
            mac.copy_from_slice(&option[2..8]);
            if found.first == 0 {
                found.first = option[0];
            }
        }
        let _ = c.skip(len);
    }
    Some(found)
}
