//! IPv4 (RFC 791 section 3.1).

use super::cursor::{Cursor, be16};
use super::{Malformed, Parsed, l4};
use crate::key::{Be32, Flow, NW_FRAG_ANY, NW_FRAG_LATER};

const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

#[inline(always)]
pub(super) fn ipv4(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) -> Result<(), Malformed> {
    let ip: &[u8; 20] = c.peek().ok_or(Malformed::Ipv4)?;
    let header_len = usize::from(ip[0] & 0x0f) * 4;
    let total_len = usize::from(be16(ip, 2));
    if header_len < 20 || header_len > total_len || total_len > c.size() {
        return Err(Malformed::Ipv4);
    }
    parsed.l2_pad = (c.size() - total_len) as u16;
    c.limit(total_len);

    key.nw_src = Be32(u32::from_ne_bytes([ip[12], ip[13], ip[14], ip[15]]));
    key.nw_dst = Be32(u32::from_ne_bytes([ip[16], ip[17], ip[18], ip[19]]));
    key.nw_tos = ip[1];
    key.nw_ttl = ip[8];
    key.nw_proto = ip[9];
    key.nw_frag = frag(be16(ip, 6));

    let _ = c.skip(header_len);
    l4::l4(c, key, parsed)
}

/// `NW_FRAG_*` of the fragment word.
fn frag(word: u16) -> u8 {
    if word & (MORE_FRAGMENTS | FRAGMENT_OFFSET) == 0 {
        0
    } else if word & FRAGMENT_OFFSET == 0 {
        NW_FRAG_ANY
    } else {
        NW_FRAG_ANY | NW_FRAG_LATER
    }
}
