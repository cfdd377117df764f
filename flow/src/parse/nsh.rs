//! Network service header (RFC 8300 section 2); variable metadata (MD type 2) is not kept.

use super::cursor::{Cursor, be16};
use super::{L2, Parsed};
use crate::key::{Be32, Flow};

const BASE_LEN: usize = 8;
const MD1: u8 = 1;
const MD2: u8 = 2;
const MD1_LEN: usize = 24;

pub(super) fn nsh(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) -> Option<()> {
    let base: &[u8; BASE_LEN] = c.peek()?;
    let word = be16(base, 0);
    let len = usize::from(word & 0x3f) * 4;
    let version = word >> 14;
    if len > c.size() || version != 0 || (base[2] == MD2 && len < BASE_LEN) {
        return None;
    }
    let context: Option<&[u8; MD1_LEN]> = if base[2] == MD1 {
        if len != MD1_LEN {
            return None;
        }
        Some(c.peek()?)
    } else {
        None
    };
    parsed.open(key, L2);
    key.nsh_flags = (word >> 12 & 3) as u8;
    key.nsh_ttl = (word >> 6 & 0x3f) as u8;
    key.nsh_mdtype = base[2];
    key.nsh_np = base[3];
    key.nsh_path_hdr = Be32(u32::from_ne_bytes([base[4], base[5], base[6], base[7]]));
    if let Some(bytes) = context {
        for (word, raw) in key.nsh_context.iter_mut().zip(bytes[BASE_LEN..].as_chunks::<4>().0) {
            *word = Be32(u32::from_ne_bytes(*raw));
        }
    }
    Some(())
}
