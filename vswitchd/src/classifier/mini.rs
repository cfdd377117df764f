//! Compact masks and matches: only the words of a `Flow` that a rule looks at, grouped by lookup stage. A rule of a
//! few fields takes tens of bytes instead of two whole flows.
//!
//! Stages, in the order in which a lookup tests them: metadata, L2, L3, L4. A packet that already fails in an early
//! stage leaves the fields of later stages wildcarded.

use std::mem::{offset_of, size_of};
use std::sync::Arc;

use flow::{Flow, Mask};

pub const N_STAGES: usize = 4;
/// Fields with a prefix trie, with (word-independent) place and width; see `PREFIX_FIELDS`.
pub const N_PREFIX_FIELDS: usize = 6;

/// A field that tries know: byte offset in `Flow`, bytes, and the stage it belongs to.
pub struct PrefixField {
    pub offset: usize,
    pub size: usize,
    pub stage: usize,
}

pub const PREFIX_FIELDS: [PrefixField; N_PREFIX_FIELDS] = [
    PrefixField { offset: offset_of!(Flow, nw_src), size: 4, stage: 2 },
    PrefixField { offset: offset_of!(Flow, nw_dst), size: 4, stage: 2 },
    PrefixField { offset: offset_of!(Flow, ipv6_src), size: 16, stage: 2 },
    PrefixField { offset: offset_of!(Flow, ipv6_dst), size: 16, stage: 2 },
    PrefixField { offset: offset_of!(Flow, tp_src), size: 2, stage: 3 },
    PrefixField { offset: offset_of!(Flow, tp_dst), size: 2, stage: 3 },
];

const N_WORDS: usize = size_of::<Flow>() / 8;

/// Stage of each byte of a `Flow`.
const BYTE_STAGE: [u8; size_of::<Flow>()] = {
    let mut stage = [0u8; size_of::<Flow>()];
    macro_rules! put {
        ($s:literal: $($field:ident $size:literal),*) => { $({
            let mut i = 0;
            while i < $size { stage[offset_of!(Flow, $field) + i] = $s; i += 1; }
        })* };
    }
    put!(1: dl_dst 6, dl_src 6, vlan 4, dl_type 2, packet_type 4, vlan_inner 4, mpls 12);
    put!(2: nw_frag 1, nw_proto 1, nw_src 4, nw_dst 4, nw_tos 1, nw_ttl 1, ipv6_src 16, ipv6_dst 16, ipv6_label 4);
    put!(2: arp_sha 6, arp_tha 6, nsh_flags 1, nsh_ttl 1, nsh_mdtype 1, nsh_np 1, nsh_path_hdr 4, nsh_context 16);
    put!(3: tp_src 2, tp_dst 2, tcp_flags 2, nd_target 16, nd_reserved 4, nd_options_type 1);
    stage
};

/// For each word, the bits that belong to each stage.
static STAGE_BITS: [[u64; N_STAGES]; N_WORDS] = {
    let mut bits = [[0u64; N_STAGES]; N_WORDS];
    let mut i = 0;
    while i < size_of::<Flow>() {
        let mut byte = [0u8; 8];
        byte[i % 8] = 0xff;
        bits[i / 8][BYTE_STAGE[i] as usize] |= u64::from_ne_bytes(byte);
        i += 1;
    }
    bits
};

/// The words of a flow.
#[inline]
pub fn words(flow: &Flow) -> &[u64; N_WORDS] {
    zerocopy::transmute_ref!(flow)
}

/// The words of a flow, to write.
#[inline]
pub fn words_mut(flow: &mut Flow) -> &mut [u64; N_WORDS] {
    zerocopy::transmute_mut!(flow)
}

/// A mask as (word, bits) pairs in stage order.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct MiniMask {
    entries: Box<[(u8, u64)]>,
    /// End of each stage in `entries`.
    ends: [u8; N_STAGES],
    /// Prefix lengths of the trie fields; 0 = field not masked as a prefix.
    pub prefix_lens: [u8; N_PREFIX_FIELDS],
}

/// A running hash over stages.
#[derive(Clone, Copy)]
pub struct StageHash(u64);

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ SEED) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    wide as u64 ^ (wide >> 64) as u64
}

impl Default for StageHash {
    fn default() -> Self {
        StageHash(SEED)
    }
}

impl StageHash {
    #[inline]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl MiniMask {
    pub fn new(mask: &Mask) -> Self {
        let mut entries = Vec::new();
        let mut ends = [0; N_STAGES];
        for stage in 0..N_STAGES {
            for (n, word) in words(&mask.0).iter().enumerate() {
                let bits = word & STAGE_BITS[n][stage];
                if bits != 0 {
                    entries.push((n as u8, bits));
                }
            }
            ends[stage] = entries.len() as u8;
        }
        let prefix_lens = std::array::from_fn(|n| prefix_value(&mask.0, n).leading_ones() as u8);
        Self { entries: entries.into(), ends, prefix_lens }
    }

    /// Entries of one stage.
    #[inline]
    fn stage(&self, stage: usize) -> &[(u8, u64)] {
        let from = if stage == 0 { 0 } else { self.ends[stage - 1] as usize };
        &self.entries[from..self.ends[stage] as usize]
    }

    /// True when the mask has bits in `stage`.
    #[inline]
    pub fn has_stage(&self, stage: usize) -> bool {
        !self.stage(stage).is_empty()
    }

    /// The last stage with bits (0 for an empty mask).
    pub fn last_stage(&self) -> usize {
        (0..N_STAGES).rev().find(|&s| self.has_stage(s)).unwrap_or(0)
    }

    /// Continues `hash` with the bits of `stage`.
    #[inline]
    pub fn hash_stage(&self, hash: StageHash, stage: usize, flow: &Flow) -> StageHash {
        let words = words(flow);
        let mut h = hash.0;
        for &(n, bits) in self.stage(stage) {
            h = mix(h, words[n as usize] & bits);
        }
        StageHash(h)
    }

    pub fn hash(&self, flow: &Flow) -> u64 {
        (0..N_STAGES).fold(StageHash::default(), |h, s| self.hash_stage(h, s, flow)).get()
    }

    /// Adds the bits of stages `0..=last` to `mask`.
    #[inline]
    pub fn union_into(&self, mask: &mut Mask, last: usize) {
        let words = words_mut(&mut mask.0);
        for &(n, bits) in &self.entries[..self.ends[last] as usize] {
            words[n as usize] |= bits;
        }
    }

    pub fn to_mask(&self) -> Mask {
        let mut mask = Mask::NONE;
        self.union_into(&mut mask, N_STAGES - 1);
        mask
    }

    /// True when every bit of `self` is also in `other`.
    pub fn is_within(&self, other: &Mask) -> bool {
        let words = words(&other.0);
        self.entries.iter().all(|&(n, bits)| bits & !words[n as usize] == 0)
    }

    /// True when every bit of `other` is also in `self`.
    pub fn covers(&self, other: &Mask) -> bool {
        self.to_mask().covers(other)
    }
}

/// A mask and the values under it.
#[derive(Clone, Debug)]
pub struct MiniMatch {
    pub mask: Arc<MiniMask>,
    values: Box<[u64]>,
}

impl MiniMatch {
    pub fn new(mask: Arc<MiniMask>, flow: &Flow) -> Self {
        let words = words(flow);
        let values = mask.entries.iter().map(|&(n, bits)| words[n as usize] & bits).collect();
        Self { mask, values }
    }

    #[inline]
    pub fn matches(&self, flow: &Flow) -> bool {
        let words = words(flow);
        self.mask.entries.iter().zip(&self.values).all(|(&(n, bits), &v)| words[n as usize] & bits == v)
    }

    /// True when bits that are in `known` already show that `flow` does not match.
    #[inline]
    pub fn differs_within(&self, flow: &Flow, known: &Mask) -> bool {
        let (words, known) = (words(flow), words(&known.0));
        let mut entries = self.mask.entries.iter().zip(&self.values);
        entries.any(|(&(n, bits), v)| (words[n as usize] ^ v) & bits & known[n as usize] != 0)
    }

    /// The masked flow, expanded.
    pub fn to_flow(&self) -> Flow {
        let mut flow = Flow::ZERO;
        let words = words_mut(&mut flow);
        for (&(n, _), &value) in self.mask.entries.iter().zip(&self.values) {
            words[n as usize] |= value;
        }
        flow
    }

    /// True when some packet could match both.
    pub fn overlaps(&self, flow: &Flow, mask: &Mask) -> bool {
        let (words, masks) = (words(flow), words(&mask.0));
        let pairs = self.mask.entries.iter().zip(&self.values);
        pairs.into_iter().all(|(&(n, bits), v)| (v ^ words[n as usize]) & bits & masks[n as usize] == 0)
    }

    /// True when every packet that matches `self` also matches (`flow`, `mask`).
    pub fn is_at_least_as_specific(&self, flow: &Flow, mask: &Mask) -> bool {
        self.mask.covers(mask) && mask.matches(&self.to_flow(), flow)
    }
}

impl PartialEq for MiniMatch {
    fn eq(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.mask, &other.mask) || self.mask == other.mask) && self.values == other.values
    }
}

/// Trie field `n` of `flow`, left-aligned.
#[inline]
pub fn prefix_value(flow: &Flow, n: usize) -> u128 {
    let field = &PREFIX_FIELDS[n];
    let bytes: &[u8; size_of::<Flow>()] = zerocopy::transmute_ref!(flow);
    let mut wide = [0u8; 16];
    wide[..field.size].copy_from_slice(&bytes[field.offset..field.offset + field.size]);
    u128::from_be_bytes(wide)
}

/// Sets the first `len` bits of trie field `n` in `mask`.
pub fn set_prefix(mask: &mut Mask, n: usize, len: u8) {
    let field = &PREFIX_FIELDS[n];
    let wide = super::trie::prefix(u128::MAX, len).to_be_bytes();
    let bytes: &mut [u8; size_of::<Flow>()] = zerocopy::transmute_mut!(&mut mask.0);
    for (byte, bits) in bytes[field.offset..field.offset + field.size].iter_mut().zip(wide) {
        *byte |= bits;
    }
}
