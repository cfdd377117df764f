//! IPv6 and its extension headers (RFC 8200 sections 3 and 4).

use super::cursor::{Cursor, be16};
use super::{L3, Malformed, Parsed, l4};
use crate::key::{Be32, Flow, NW_FRAG_ANY, NW_FRAG_LATER};
use crate::proto::ip;

const HEADER_LEN: usize = 40;
const LABEL_MASK: u32 = 0x000f_ffff;
const FRAGMENT_OFFSET: u16 = 0xfff8;

#[inline(always)]
pub(super) fn ipv6(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) -> Result<(), Malformed> {
    let header: &[u8; HEADER_LEN] = c.peek().ok_or(Malformed::Ipv6)?;
    let payload_len = usize::from(be16(header, 4));
    let after = c.size() - HEADER_LEN;
    if payload_len > after {
        return Err(Malformed::Ipv6);
    }
    let _ = c.skip(HEADER_LEN);
    parsed.l2_pad = (after - payload_len) as u16;
    c.limit(payload_len);

    parsed.open(key, L3);
    key.ipv6_src.copy_from_slice(&header[8..24]);
    key.ipv6_dst.copy_from_slice(&header[24..40]);
    let word = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);

    // A packet whose extension headers are cut is known by its addresses only.
    let (nw_proto, nw_frag) = extensions(c, header[6]).ok_or(Malformed::Ipv6Ext)?;
    key.ipv6_label = Be32::new(word & LABEL_MASK);
    key.nw_tos = (word >> 20) as u8;
    key.nw_ttl = header[7];
    key.nw_proto = nw_proto;
    key.nw_frag = nw_frag;
    l4::l4(c, key, parsed)
}

/// Walks to the first header that is not an extension, or to a later fragment. Each step consumes at least eight
/// bytes, so the packet's length bounds the walk.
fn extensions(c: &mut Cursor, mut next: u8) -> Option<(u8, u8)> {
    let mut nw_frag = 0;
    loop {
        match next {
            ip::HOPOPTS | ip::ROUTING | ip::DSTOPTS => {
                let header: &[u8; 8] = c.peek()?;
                c.skip((usize::from(header[1]) + 1) * 8)?;
                next = header[0];
            }
            ip::AH => {
                let header: &[u8; 8] = c.peek()?;
                c.skip((usize::from(header[1]) + 2) * 4)?;
                next = header[0];
            }
            ip::FRAGMENT => {
                let header: &[u8; 8] = c.pull()?;
                let word = be16(header, 2);
                next = header[0];
                if word != 0 {
                    nw_frag = NW_FRAG_ANY;
                    if word & FRAGMENT_OFFSET != 0 {
                        return Some((ip::FRAGMENT, NW_FRAG_ANY | NW_FRAG_LATER));
                    }
                }
            }
            _ => return Some((next, nw_frag)),
        }
    }
}
