//! ARP and RARP for IPv4 over Ethernet (RFC 826).

use super::cursor::{Cursor, be16};
use super::{L3, Parsed};
use crate::key::{Be32, Flow};

/// Hardware type Ethernet, protocol IPv4, address lengths 6 and 4.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

pub(super) fn arp(c: &mut Cursor, key: &mut Flow, parsed: &mut Parsed) -> Option<()> {
    let arp: &[u8; 28] = c.pull()?;
    if arp[..6] != ETHERNET_IPV4 {
        return None;
    }
    // Only the low byte of the opcode is in the key; a larger one stays zero.
    key.nw_proto = u8::try_from(be16(arp, 6)).unwrap_or(0);
    key.nw_src = Be32(u32::from_ne_bytes([arp[14], arp[15], arp[16], arp[17]]));
    key.nw_dst = Be32(u32::from_ne_bytes([arp[24], arp[25], arp[26], arp[27]]));
    parsed.open(key, L3);
    key.arp_sha.copy_from_slice(&arp[8..14]);
    key.arp_tha.copy_from_slice(&arp[18..24]);
    Some(())
}
