//! The few megaflows that carry most of a port's packets, compared with directly: no hash, no table, no scattered lines.
//!
//! ```text
//! burst -> entry 0 (key, mask): bits of the packets that match -> entry 1: of those left -> ... -> the rest goes on
//! ```
//! Megaflows do not overlap (or act alike where they do), so whichever matches first is right. An entry must carry at least
//! one packet in [`SHARE_MIN`], or trying it costs the others more than it saves; which ones do is found out by sampling: now
//! and then a few bursts go round the list, and the list is made anew of what they hit. Traffic spread over many megaflows
//! leaves the list empty and costs a test per burst.
//!
//! Plane: hot; owned by one worker.

use arrayvec::ArrayVec;
use flow::Flow;
use flow::key::Line;

use crate::megaflow::{Megaflow, Table, bits};
use crate::packet::BURST;
use crate::simd::{Level, Simd, leveled};

/// Packets of a burst by megaflow: slot and the packets' bits.
pub type Groups = ArrayVec<(u32, u32), BURST>;

/// A megaflow stays in the list while it carries one packet in this many.
const SHARE_MIN: u32 = 8;
/// Entries that can have such a share.
const ENTRIES_MAX: usize = SHARE_MIN as usize;
/// Packets in a sample.
const SAMPLE_LEN: u32 = 128;
/// Bursts from one sample to the next.
const PERIOD_BURSTS: u32 = 512;
/// Different megaflows that a sample tells apart; what more there are cannot all have a share.
const SAMPLE_FLOWS_MAX: usize = 48;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Entry {
    key: Line,
    mask: Line,
    slot: u32,
    /// The mask goes beyond the base line: the megaflow itself must be asked.
    beyond: bool,
}

/// See the module text. One list serves one port (or the packets that came back).
pub struct Hot {
    entries: ArrayVec<Entry, ENTRIES_MAX>,
    /// Bursts until the next sample; 0 = sampling.
    countdown: u32,
    sampled: u32,
    sample: ArrayVec<(u32, u32), SAMPLE_FLOWS_MAX>,
}

impl Default for Hot {
    fn default() -> Self {
        Self { entries: ArrayVec::new(), countdown: 0, sampled: 0, sample: ArrayVec::new() }
    }
}

impl Hot {
    /// Begins a burst; true when it is to go round the list and be shown to `learn`.
    #[inline(always)]
    pub fn is_sampling(&mut self) -> bool {
        if self.countdown == 0 {
            return true;
        }
        self.countdown -= 1;
        false
    }

    /// Groups those of `todo` (keys prepared for `table`) that match an entry, and returns the others.
    #[inline(always)]
    pub fn lookup<P>(
        &self,
        level: Level,
        table: &Table<P>,
        keys: &[Flow; BURST],
        todo: u32,
        groups: &mut Groups,
    ) -> u32 {
        let mut left = todo;
        for entry in &self.entries {
            if left == 0 {
                break;
            }
            let mut found = matching(level, keys, left, entry);
            if entry.beyond && found != 0 {
                let flow = table.get(entry.slot).map(|slot| &slot.flow);
                found = bits(found)
                    .filter(|&n| flow.is_some_and(|flow| flow.matches(&keys[n])))
                    .fold(0, |found, n| found | 1 << n);
            }
            if found != 0 {
                groups.push((entry.slot, found));
                left &= !found;
            }
        }
        left
    }

    /// A burst that went round the list and what it hit.
    #[cold]
    pub fn learn<P>(&mut self, table: &Table<P>, groups: &Groups) {
        for &(slot, packets) in groups {
            let n = packets.count_ones();
            self.sampled += n;
            match self.sample.iter_mut().find(|(other, _)| *other == slot) {
                Some((_, count)) => *count += n,
                None => drop(self.sample.try_push((slot, n))),
            }
        }
        if self.sampled < SAMPLE_LEN {
            return;
        }
        self.sample.sort_unstable_by_key(|&(_, count)| std::cmp::Reverse(count));
        let enough = |&&(_, count): &&(u32, u32)| count * SHARE_MIN >= self.sampled;
        let entry = |&(slot, _): &(u32, u32)| table.get(slot).map(|s| Entry::new(slot, &s.flow));
        self.entries = self.sample.iter().take_while(enough).take(ENTRIES_MAX).filter_map(entry).collect();
        self.sample.clear();
        self.sampled = 0;
        self.countdown = PERIOD_BURSTS;
    }

    /// The megaflow in `slot` is gone: the list is made anew.
    pub fn forget(&mut self, slot: u32) {
        if self.entries.iter().any(|e| e.slot == slot) || self.sample.iter().any(|&(s, _)| s == slot) {
            *self = Self::default();
        }
    }
}

impl Entry {
    fn new(slot: u32, flow: &Megaflow) -> Entry {
        let mask = flow.shared_mask();
        Entry {
            key: *flow.base(),
            mask: mask.mask.0.lines()[0],
            slot,
            beyond: mask.lines != flow::LineMap::BASE,
        }
    }
}

leveled! {
    /// The packets of `todo` that agree with `entry` in the base line.
    fn matching(keys: &[Flow; BURST], todo: u32, entry: &Entry) -> u32 = matching_with;
}

#[inline(always)]
fn matching_with<S: Simd>(keys: &[Flow; BURST], todo: u32, entry: &Entry) -> u32 {
    let mut found = 0;
    for n in bits(todo) {
        found |= u32::from(S::same(&keys[n].lines()[0], &entry.key, &entry.mask)) << n;
    }
    found
}
