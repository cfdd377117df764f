//! The IPv4 profiles of `fast` with one vector: the first 64 bytes of the packet are permuted into the base line of the key
//! by one instruction, instead of eight words made of loads, shifts and stores. Checks the same, with the same loads, and
//! gives up on the same packets; a test holds it against the scalar parser.
//!
//! Needs AVX-512 with VBMI (Intel from Ice Lake on, AMD from Zen 4 on); the caller finds out once and says so by calling.

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_maskz_permutexvar_epi8, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64,
};

use super::fast::{ipv4_checked, ipv6};
use super::{Found, Meta, scalar_into};
use crate::key::{Flow, Line, LineMap, VLAN_CFI};
use crate::packet::Offsets;

/// Bytes of the base line that an IPv4 packet fills: from each, the byte of the packet.
struct Layout {
    from: [u8; 64],
    valid: u64,
}

/// `tag` bytes lie between the addresses and the Ethernet type.
const fn layout(tag: usize) -> Layout {
    // Destination in the line, source in the untagged packet, length.
    const FIELDS: [(usize, usize, usize); 6] =
        [(24, 12, 2), (27, 23, 1), (28, 26, 8), (36, 34, 4), (42, 15, 1), (43, 22, 1)];
    let mut out = Layout { from: [0; 64], valid: 0 };
    let mut n = 0;
    // Both addresses, and the tag behind them.
    while n < 12 + tag {
        out.from[8 + n] = n as u8;
        out.valid |= 1 << (8 + n);
        n += 1;
    }
    n = 0;
    while n < FIELDS.len() {
        let (to, from, len) = FIELDS[n];
        let mut at = 0;
        while at < len {
            out.from[to + at] = (from + tag + at) as u8;
            out.valid |= 1 << (to + at);
            at += 1;
        }
        n += 1;
    }
    // TCP flags: the caller adds them to the valid bytes.
    out.from[40] = (46 + tag) as u8;
    out.from[41] = (47 + tag) as u8;
    out
}

static PLAIN: Layout = layout(0);
static TAGGED: Layout = layout(4);
const TCP_FLAGS: u64 = 3 << 40;

/// What all packets of a burst share: their metadata as it lies in the base line.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Shared {
    plain: Line,
    tagged: Line,
    keep: Line,
    vlan: bool,
    /// The profiles apply: Ethernet packets without metadata beyond the base line.
    usual: bool,
}

impl Shared {
    pub fn new(meta: &Meta) -> Self {
        let word = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let mut plain = [0; 8];
        plain[0] = word(meta.in_port, meta.recirc_id);
        plain[6] = word(meta.ct_state, meta.ct_zone.into());
        plain[7] = word(meta.ct_mark, meta.pkt_mark);
        let mut tagged = plain;
        tagged[2] = (VLAN_CFI.swap_bytes() as u64) << 48;
        let mut keep = [u64::MAX; 8];
        // Reserved bits and data offset beside the TCP flags.
        keep[5] = !0xf0;
        let usual = meta.packet_type == 0 && meta.dp_hash | meta.skb_priority == 0 && meta.carry.is_none();
        Self { plain, tagged, keep, vlan: meta.vlan_limit != 0, usual }
    }
}

/// `parse_into` with vectors; `shared` was made of `meta`.
///
/// # Safety
/// The CPU has the features named here.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
pub fn parse_avx512(
    head: &[u8],
    len: usize,
    meta: &Meta,
    shared: &Shared,
    key: &mut Flow,
    offsets: &mut Offsets,
) -> Found {
    match profile(head, len, meta, shared, key, offsets) {
        Some(found) => found,
        None => scalar_into(head, len, meta, key, offsets),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
fn profile(
    head: &[u8],
    len: usize,
    meta: &Meta,
    shared: &Shared,
    key: &mut Flow,
    offsets: &mut Offsets,
) -> Option<Found> {
    if !shared.usual {
        return None;
    }
    let h: &[u8; 54] = head.first_chunk()?;
    match u16::from_le_bytes([h[12], h[13]]) {
        0x0008 => {
            let (places, proto, flags) = ipv4_checked::<0>(h, len)?;
            *offsets = places;
            write(head, &PLAIN, &shared.plain, shared, proto, key);
            Some(Found::of(LineMap::BASE, flags))
        }
        0x0081 | 0xa888 if shared.vlan => {
            let h: &[u8; 58] = head.first_chunk()?;
            let (places, proto, flags) = ipv4_checked::<4>(h, len)?;
            *offsets = places;
            write(head, &TAGGED, &shared.tagged, shared, proto, key);
            Some(Found::of(LineMap::BASE, flags))
        }
        0xdd86 => ipv6(head, len, meta, key, offsets),
        _ => None,
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
fn write(head: &[u8], layout: &Layout, meta: &Line, shared: &Shared, proto: u8, key: &mut Flow) {
    let is_tcp = u64::from(proto == crate::proto::ip::TCP);
    let valid = layout.valid | is_tcp.wrapping_neg() & TCP_FLAGS;
    let n = head.len().min(64) as u32;
    // SAFETY: the mask reads no byte beyond `head`, of which there are at least 54; the other loads and the store are of
    // whole 64-byte arrays, at any alignment.
    unsafe {
        let packet = _mm512_maskz_loadu_epi8(u64::MAX >> (64 - n), head.as_ptr().cast());
        let from = _mm512_loadu_si512(layout.from.as_ptr().cast());
        let meta = _mm512_loadu_si512(meta.as_ptr().cast());
        let keep = _mm512_loadu_si512(shared.keep.as_ptr().cast());
        let fields: __m512i = _mm512_maskz_permutexvar_epi8(valid, from, packet);
        const AND_OR: i32 = 0xea;
        let line = _mm512_ternarylogic_epi64::<AND_OR>(fields, keep, meta);
        _mm512_storeu_si512(key.lines_mut()[0].as_mut_ptr().cast(), line);
    }
}
