//! Ethernet II, 802.3/SNAP, VLAN tags, MPLS label stack.

use super::cursor::{Cursor, be16};
use super::{L2, Malformed, Parsed};
use crate::key::{Be16, Be32, Flow, MPLS_LABELS_MAX, VLAN_CFI, VLAN_TAGS_MAX, Vlan};
use crate::proto::{eth, mpls as lse};

const SNAP_ETHERNET: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];

#[inline(always)]
pub(super) fn ethernet(
    c: &mut Cursor,
    vlan_limit: u8,
    key: &mut Flow,
    parsed: &mut Parsed,
) -> Result<(), Malformed> {
    let header: &[u8; 14] = c.peek().ok_or(Malformed::Ethernet)?;
    key.dl_dst.copy_from_slice(&header[..6]);
    key.dl_src.copy_from_slice(&header[6..12]);
    let _ = c.skip(12);
    let mut dl_type = be16(header, 12);
    if eth::is_vlan(dl_type) {
        dl_type = vlans(c, dl_type, vlan_limit, key, parsed);
    }
    let _ = c.skip(2);
    key.dl_type = Be16::new(if dl_type >= eth::TYPE_MIN { dl_type } else { snap(c) });
    Ok(())
}

/// Reads tags while the next type is a tag and its four bytes and the type after it are there; the cursor ends
/// at that type.
fn vlans(c: &mut Cursor, mut dl_type: u16, limit: u8, key: &mut Flow, parsed: &mut Parsed) -> u16 {
    for n in 0..usize::from(limit).min(VLAN_TAGS_MAX) {
        let Some(tag) = c.peek::<6>().filter(|_| eth::is_vlan(dl_type)) else { break };
        let vlan = Vlan { tpid: Be16::new(be16(tag, 0)), tci: Be16::new(be16(tag, 2) | VLAN_CFI) };
        if n == 0 {
            key.vlan = vlan;
        } else {
            parsed.open(key, L2);
            key.vlan_inner = vlan;
        }
        dl_type = be16(tag, 4);
        let _ = c.skip(4);
    }
    dl_type
}

/// 802.3: the type behind a SNAP header with the Ethernet organisation code, else `TYPE_NONE`.
fn snap(c: &mut Cursor) -> u16 {
    match c.peek::<8>() {
        Some(llc) if llc[..6] == SNAP_ETHERNET => {
            let _ = c.skip(8);
            let dl_type = be16(llc, 6);
            if dl_type >= eth::TYPE_MIN { dl_type } else { eth::TYPE_NONE }
        }
        _ => eth::TYPE_NONE,
    }
}

/// Walks to the bottom of the stack (or the packet's end), keeping the first labels.
pub(super) fn mpls(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) {
    let mut n = 0;
    while let Some(bytes) = c.pull::<4>() {
        let label = u32::from_be_bytes(*bytes);
        if n < MPLS_LABELS_MAX {
            parsed.open(key, L2);
            key.mpls[n] = Be32::new(label);
            n += 1;
        }
        if label & lse::BOS != 0 {
            break;
        }
    }
}
