//! All megaflows of one mask. Single-threaded: the worker that owns the table.

use std::sync::Arc;

use flow::hash::fold;
use flow::{Flow, LineMap, Mask};

use super::bucket::{Buckets, FILL_MAX, Peek};
use super::entry::SharedMask;

/// Buckets of the old array that are moved with each change while the subtable grows, so that growing never stops
/// the worker for longer than a few microseconds.
const MOVE_STEP: usize = 4;
/// Entries of a new subtable before it grows.
const CAPACITY_START: usize = 64;

/// Two words of a mask that have bits, and the secrets that their key words are mixed with before multiplication. An odd
/// last word is paired with itself under no bits.
#[derive(Clone, Copy)]
struct MaskWords {
    /// Words of the key: line * 8 + word.
    at: [u16; 2],
    bits: [u64; 2],
    secrets: [u64; 2],
}

/// Odd multiplier of the last step.
const FINAL: u64 = 0xa076_1d64_78bd_642f;

/// The `n`th secret of `seed`.
fn secret(seed: u64, n: u64) -> u64 {
    fold(seed ^ 0x1d8e_4e27_c47d_124f, n.wrapping_mul(2) + 0x9e37_79b9_7f4a_7c15)
}

pub struct Subtable {
    pub mask: Arc<SharedMask>,
    words: Box<[MaskWords]>,
    current: Buckets,
    /// While growing: the array before, and its first bucket that has not been moved.
    old: Option<(Buckets, usize)>,
    /// Hits since the last ranking.
    pub hits: u64,
}

impl Subtable {
    pub fn new(mask: &Mask, seed: u64) -> Self {
        let mut lines = mask.0.used_lines();
        lines.insert(0);
        let words: Vec<(u16, u64)> = (0..)
            .zip(mask.0.lines().as_flattened())
            .filter(|(_, bits)| **bits != 0)
            .map(|(at, bits)| (at, *bits))
            .collect();
        let pair = |(n, words): (usize, &[(u16, u64)])| {
            let (first, second) = (words[0], words.get(1).copied().unwrap_or((words[0].0, 0)));
            MaskWords {
                at: [first.0, second.0],
                bits: [first.1, second.1],
                secrets: [secret(seed, 2 * n as u64), secret(seed, 2 * n as u64 + 1)],
            }
        };
        Self {
            mask: Arc::new(SharedMask { mask: *mask, lines }),
            words: words.chunks(2).enumerate().map(pair).collect(),
            current: Buckets::with_capacity(CAPACITY_START),
            old: None,
            hits: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.current.len() + self.old.as_ref().map_or(0, |(old, _)| old.len())
    }
    pub fn lines(&self) -> LineMap {
        self.mask.lines
    }

    /// Hash of `key` under the mask; the same for a masked and an unmasked key.
    #[inline(always)]
    pub fn hash(&self, key: &Flow) -> u32 {
        let words = key.lines().as_flattened();
        let mut hash = 0;
        for w in &self.words {
            let word = |n: usize| (words[usize::from(w.at[n])] & w.bits[n]) ^ w.secrets[n];
            hash ^= fold(word(0), word(1));
        }
        let hash = fold(hash, FINAL);
        let hash = (hash ^ hash >> 32) as u32;
        // The high half is the signature, where 0 means an empty place.
        hash | u32::from(hash <= 0xffff) << 16
    }

    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        self.current.prefetch(hash);
    }

    /// A quick answer without touching a megaflow.
    #[inline(always)]
    pub fn peek(&self, hash: u32) -> Peek {
        match self.current.peek(hash) {
            Peek::No if self.old.is_some() => Peek::Elsewhere,
            peek => peek,
        }
    }

    #[inline(always)]
    pub fn find(&self, hash: u32, mut verify: impl FnMut(u32) -> bool) -> Option<u32> {
        let found = self.current.find(hash, &mut verify);
        match &self.old {
            Some((old, _)) if found.is_none() => old.find(hash, verify),
            _ => found,
        }
    }

    pub fn insert(&mut self, hash: u32, slot: u32) {
        if self.old.is_none() && self.current.is_over_full() {
            let bigger = Buckets::with_capacity(self.current.n_buckets() * 2 * FILL_MAX);
            self.old = Some((std::mem::replace(&mut self.current, bigger), 0));
        }
        self.current.insert(hash, slot);
        self.move_some();
    }

    pub fn remove(&mut self, hash: u32, slot: u32) -> bool {
        let removed = self.current.remove(hash, slot)
            || self.old.as_mut().is_some_and(|(old, _)| old.remove(hash, slot));
        self.move_some();
        removed
    }

    fn move_some(&mut self) {
        let Some((old, next)) = &mut self.old else { return };
        let end = (*next + MOVE_STEP).min(old.n_buckets());
        for at in *next..end {
            old.drain_bucket(at, |hash, slot| self.current.insert(hash, slot));
        }
        *next = end;
        if end == old.n_buckets() {
            self.old = None;
        }
    }
}
