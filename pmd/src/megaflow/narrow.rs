//! Narrowing of masks: fewer different masks at the price of narrower megaflows, which is always correct. A sender who
//! varies header bits to make translation produce ever new masks (tuple space explosion) meets a small, fixed set.

use flow::{Be16, Be32, Mask};

/// Rounds a contiguous IPv4 prefix up to 8, 16, 24 or 32 bits; any other mask becomes exact.
fn ipv4(mask: Be32) -> Be32 {
    let bits = mask.get();
    if bits == 0 {
        return mask;
    }
    let len = bits.leading_ones();
    let rounded = if bits.checked_shl(len).unwrap_or(0) == 0 { len.next_multiple_of(8) } else { 32 };
    Be32::new(u32::MAX << (32 - rounded))
}

/// The same for IPv6, to 32, 48, 64 or 128 bits.
fn ipv6(mask: [u8; 16]) -> [u8; 16] {
    let bits = u128::from_be_bytes(mask);
    if bits == 0 {
        return mask;
    }
    let len = bits.leading_ones();
    let contiguous = bits.checked_shl(len).unwrap_or(0) == 0;
    let rounded = [32, 48, 64].into_iter().find(|&n| contiguous && len <= n).unwrap_or(128);
    (u128::MAX << (128 - rounded)).to_be_bytes()
}

fn port(mask: Be16) -> Be16 {
    if mask.is_zero() { mask } else { Be16::MAX }
}

fn bytes<const N: usize>(mask: [u8; N]) -> [u8; N] {
    if mask == [0; N] { mask } else { [0xff; N] }
}

/// The narrowest of the few masks that cover `mask`.
pub fn narrow(mask: &Mask) -> Mask {
    let mut out = *mask;
    let m = &mut out.0;
    (m.nw_src, m.nw_dst) = (ipv4(m.nw_src), ipv4(m.nw_dst));
    (m.ipv6_src, m.ipv6_dst) = (ipv6(m.ipv6_src), ipv6(m.ipv6_dst));
    (m.tp_src, m.tp_dst) = (port(m.tp_src), port(m.tp_dst));
    (m.dl_src, m.dl_dst) = (bytes(m.dl_src), bytes(m.dl_dst));
    (m.arp_sha, m.arp_tha) = (bytes(m.arp_sha), bytes(m.arp_tha));
    m.nd_target = ipv6(m.nd_target);
    m.tcp_flags = port(m.tcp_flags);
    m.nw_ttl = if m.nw_ttl == 0 { 0 } else { u8::MAX };
    m.nw_tos = if m.nw_tos == 0 { 0 } else { u8::MAX };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_covers_and_is_idempotent() {
        for len in 0..=32 {
            let mut mask = Mask::NONE;
            mask.0.nw_src = Be32::new((u64::from(u32::MAX) << (32 - len)) as u32);
            mask.0.ipv6_dst = (u128::MAX.checked_shl(128 - 4 * len).unwrap_or(0)).to_be_bytes();
            mask.0.tp_dst = Be16::new((len as u16) << 3);
            let narrowed = narrow(&mask);
            assert!(narrowed.covers(&mask), "{len}");
            assert_eq!(narrow(&narrowed), narrowed);
            assert!([0, 8, 16, 24, 32].contains(&narrowed.0.nw_src.get().leading_ones()));
        }
    }
}
