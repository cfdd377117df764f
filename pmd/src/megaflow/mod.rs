//! The megaflow table of one worker: tuple space search over subtables, ranked by hits.
//!
//! Plane: hot. Single writer = single reader: the worker that owns the table; nothing here locks or waits. Other threads
//! hold `Arc<Megaflow>`s and read counters from them; they change the table by commands to the worker.
//!
//! ```text
//! Table ── order ─> Subtable (one mask) ── hash ─> Buckets: signature, slot
//!   └── slots[slot] = { Arc<Megaflow>: key, counters; Arc<P>: compiled actions }
//! ```

mod bucket;
mod entry;
mod narrow;
mod simd;
mod subtable;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use dpif::{Action, FlowError};
use flow::{Flow, LineMap, Mask};

use bucket::Peek;
pub(crate) use bucket::signature;
pub use entry::{Attributes, Megaflow, SharedMask};
pub(crate) use simd::equal_lanes;
use subtable::Subtable;

use crate::packet::BURST;
use crate::simd::{Level, Simd, leveled};

/// Masks from which on new ones are narrowed to a fixed set (`narrow`).
pub const MASKS_FREE: usize = 64;
/// Masks at most; beyond this a megaflow is refused.
pub const MASKS_MAX: usize = 4096;
/// Megaflows at most, whatever the configured limit says: slots are 32-bit numbers.
pub const FLOWS_MAX: usize = 16 << 20;

/// No slot.
pub const NO_SLOT: u32 = u32::MAX;

/// A megaflow in the table.
pub struct Slot<P> {
    pub flow: Arc<Megaflow>,
    pub program: Arc<P>,
    subtable: u16,
}

/// See the module text. `P` is the compiled form of actions.
pub struct Table<P> {
    slots: Vec<Option<Slot<P>>>,
    free: Vec<u32>,
    subtables: Vec<Option<Box<Subtable>>>,
    /// Subtables by falling hits.
    order: Vec<u16>,
    by_mask: HashMap<Box<[u64]>, u16>,
    lines: LineMap,
    seed: u64,
    n_narrowed: u64,
    /// Keys looked up in a subtable, over all subtables.
    pub n_probes: u64,
}

/// Parallel results of a burst; see `Table::lookup_burst`.
pub type Slots = [u32; BURST];

impl<P> Table<P> {
    /// An empty table. `seed` keys the hashes: random, one per worker.
    pub fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            subtables: Vec::new(),
            order: Vec::new(),
            by_mask: HashMap::new(),
            lines: LineMap::BASE,
            seed,
            n_narrowed: 0,
            n_probes: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn n_masks(&self) -> usize {
        self.order.len()
    }
    /// Megaflows that were made narrower than translation asked, to keep the number of masks small.
    pub fn n_narrowed(&self) -> u64 {
        self.n_narrowed
    }

    /// Lines that some mask looks at.
    #[inline(always)]
    pub fn lines(&self) -> LineMap {
        self.lines
    }

    /// Zeroes the lines of `key` that some mask looks at and `valid` has not; to be done once per packet before any
    /// look-up. `valid` then has them.
    #[inline(always)]
    pub fn prepare(&self, key: &mut Flow, valid: &mut LineMap) {
        let missing = LineMap(self.lines.0 & !valid.0);
        if missing.0 != 0 {
            for n in missing.iter() {
                key.lines_mut()[n] = [0; 8];
            }
            valid.0 |= missing.0;
        }
    }

    /// The megaflow in `slot`, if there is one.
    #[inline(always)]
    pub fn get(&self, slot: u32) -> Option<&Slot<P>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Asks the CPU for the slot's own line.
    #[inline(always)]
    pub fn prefetch_slot(&self, slot: u32) {
        if let Some(place) = self.slots.get(slot as usize) {
            crate::packet::prefetch(std::ptr::from_ref(place).cast());
        }
    }

    #[inline(always)]
    fn is_match(&self, slot: u32, key: &Flow) -> bool {
        self.get(slot).is_some_and(|s| s.flow.matches(key))
    }

    /// Looks up one prepared key.
    pub fn lookup(&self, key: &Flow) -> Option<u32> {
        self.order.iter().find_map(|&id| {
            let subtable = self.subtable(id)?;
            subtable.find(subtable.hash(key), |slot| self.is_match(slot, key))
        })
    }

    /// Looks up the keys whose bit is set in `todo`, writes their slots and returns the bits that were found.
    ///
    /// Each subtable is tried for all keys at once (hash and prefetch, then compare signatures). A key whose signature is
    /// found waits with its slot prefetched until all keys have been through; then all are verified, so that the misses in
    /// the CPU's caches overlap. A signature that lied is searched again the slow way, one in 65536 per subtable.
    #[inline(always)]
    pub fn lookup_burst(&mut self, level: Level, keys: &[Flow; BURST], todo: u32, found: &mut Slots) -> u32 {
        lookup(level, self, keys, todo, found)
    }

    /// The keys that subtable `id` has a slot with the right signature for.
    #[inline(always)]
    fn candidates(&self, id: u16, keys: &[Flow; BURST], todo: u32, found: &mut Slots) -> u32 {
        let Some(subtable) = self.subtable(id) else { return 0 };
        let mut hashes = [0; BURST];
        for n in bits(todo) {
            hashes[n] = subtable.hash(&keys[n]);
            subtable.prefetch(hashes[n]);
        }
        let mut maybe = 0;
        for n in bits(todo) {
            let slot = match subtable.peek(hashes[n]) {
                Peek::No => continue,
                Peek::Maybe(slot) => Some(slot),
                Peek::Elsewhere => subtable.find(hashes[n], |slot| self.is_match(slot, &keys[n])),
            };
            if let Some(slot) = slot {
                found[n] = slot;
                self.prefetch_slot(slot);
                maybe |= 1 << n;
            }
        }
        maybe
    }

    /// Installs a megaflow for `key` (need not be masked) under `mask`.
    pub fn insert(
        &mut self,
        key: &Flow,
        mask: &Mask,
        program: Arc<P>,
        attributes: Attributes,
    ) -> Result<Arc<Megaflow>, FlowError> {
        if self.len() >= FLOWS_MAX {
            return Err(FlowError::Full(self.len()));
        }
        if self.lookup(key).is_some() {
            return Err(FlowError::Exists);
        }
        let id = self.subtable_for(mask).ok_or(FlowError::Full(self.len()))?;
        let Some(subtable) = self.subtables[usize::from(id)].as_mut() else {
            return Err(FlowError::Full(self.slots.len()));
        };
        let key = key.masked(&subtable.mask.mask);
        let flow = Arc::new(Megaflow::new(&key, Arc::clone(&subtable.mask), attributes));
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        subtable.insert(subtable.hash(&key), slot);
        let entry = Some(Slot { flow: Arc::clone(&flow), program, subtable: id });
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = entry,
            None => self.slots.push(entry),
        }
        Ok(flow)
    }

    /// Takes a megaflow out and returns the slot that it had; `None` when it is not in this table.
    pub fn remove(&mut self, flow: &Megaflow) -> Option<u32> {
        let slot = self.slot_of(flow)?;
        self.remove_slot(slot).then_some(slot)
    }

    /// Replaces the actions of a megaflow; false when it is not in this table.
    pub fn replace(&mut self, flow: &Megaflow, program: Arc<P>, actions: Arc<[Action]>) -> bool {
        let Some(slot) = self.slot_of(flow) else { return false };
        let Some(Some(entry)) = self.slots.get_mut(slot as usize) else { return false };
        entry.program = program;
        entry.flow.set_actions(actions);
        true
    }

    /// Takes every megaflow out.
    pub fn flush(&mut self) {
        for slot in self.slots.drain(..).flatten() {
            slot.flow.bury();
        }
        self.free.clear();
        self.subtables.clear();
        self.order.clear();
        self.by_mask.clear();
        self.lines = LineMap::BASE;
    }

    /// All megaflows.
    pub fn iter(&self) -> impl Iterator<Item = &Slot<P>> {
        self.slots.iter().flatten()
    }

    /// Orders the subtables by their hits since the last call; to be called about once a second.
    pub fn rank(&mut self) {
        let hits = |id: &u16| self.subtables[usize::from(*id)].as_ref().map_or(0, |s| s.hits);
        self.order.sort_by_key(|id| std::cmp::Reverse(hits(id)));
        for subtable in self.subtables.iter_mut().flatten() {
            subtable.hits = 0;
        }
    }

    #[inline(always)]
    fn subtable(&self, id: u16) -> Option<&Subtable> {
        self.subtables.get(usize::from(id))?.as_deref()
    }

    fn slot_of(&self, flow: &Megaflow) -> Option<u32> {
        let key = dpif::Megaflow::key(flow);
        let mask = &flow.shared_mask().mask;
        let id = *self.by_mask.get(mask.0.lines().as_flattened())?;
        let subtable = self.subtable(id)?;
        let is_it = |slot| self.get(slot).is_some_and(|s| std::ptr::eq(&*s.flow, flow));
        subtable.find(subtable.hash(&key), is_it)
    }

    fn remove_slot(&mut self, slot: u32) -> bool {
        let Some(entry) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return false };
        entry.flow.bury();
        self.free.push(slot);
        let id = usize::from(entry.subtable);
        let Some(subtable) = self.subtables[id].as_mut() else { return false };
        let hash = subtable.hash(&dpif::Megaflow::key(&*entry.flow));
        subtable.remove(hash, slot);
        if subtable.len() == 0 {
            self.by_mask.remove(subtable.mask.mask.0.lines().as_flattened());
            self.subtables[id] = None;
            self.order.retain(|&other| usize::from(other) != id);
            let used = self.subtables.iter().flatten();
            self.lines = used.fold(LineMap::BASE, |all, s| LineMap(all.0 | s.lines().0));
        }
        true
    }

    /// The subtable of `mask`, or of the mask it is narrowed to; made if need be.
    fn subtable_for(&mut self, mask: &Mask) -> Option<u16> {
        let find = |table: &Self, mask: &Mask| table.by_mask.get(mask.0.lines().as_flattened()).copied();
        if let Some(id) = find(self, mask) {
            return Some(id);
        }
        let mut mask = *mask;
        if self.order.len() >= MASKS_FREE {
            mask = narrow::narrow(&mask);
            self.n_narrowed += 1;
            if let Some(id) = find(self, &mask) {
                return Some(id);
            }
        }
        if self.order.len() >= MASKS_MAX {
            return None;
        }
        let subtable = Some(Box::new(Subtable::new(&mask, self.seed)));
        let id = match self.subtables.iter().position(Option::is_none) {
            Some(id) => {
                self.subtables[id] = subtable;
                id
            }
            None => {
                self.subtables.push(subtable);
                self.subtables.len() - 1
            }
        };
        let id = u16::try_from(id).ok()?;
        self.lines.0 |= mask.0.used_lines().0;
        self.by_mask.insert(mask.0.lines().as_flattened().into(), id);
        self.order.push(id);
        Some(id)
    }
}

leveled! {
    fn lookup[P](table: &mut Table<P>, keys: &[Flow; BURST], todo: u32, found: &mut Slots) -> u32 = lookup_with;
}

#[inline(always)]
fn lookup_with<S: Simd, P>(table: &mut Table<P>, keys: &[Flow; BURST], todo: u32, found: &mut Slots) -> u32 {
    let mut ids = [0; BURST];
    let mut left = todo;
    let mut probes = 0;
    for &id in &table.order {
        if left == 0 {
            break;
        }
        probes += u64::from(left.count_ones());
        let candidates = table.candidates(id, keys, left, found);
        for n in bits(candidates) {
            ids[n] = id;
        }
        left &= !candidates;
    }
    table.n_probes += probes;
    let maybe = todo & !left;
    for n in bits(maybe) {
        if let Some(slot) = table.get(found[n]) {
            slot.flow.prefetch();
        }
    }
    let mut hits = maybe;
    for n in bits(maybe) {
        if table.get(found[n]).is_some_and(|slot| slot.flow.matches_with::<S>(&keys[n])) {
            if let Some(subtable) = &mut table.subtables[usize::from(ids[n])] {
                subtable.hits += 1;
            }
        } else {
            hits &= !(1 << n);
            if let Some(slot) = table.lookup(&keys[n]) {
                found[n] = slot;
                hits |= 1 << n;
            }
        }
    }
    hits
}

/// The set bits, lowest first.
#[inline(always)]
pub fn bits(mut set: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let n = set.trailing_zeros() as usize;
        (set != 0).then(|| {
            set &= set - 1;
            n & (BURST - 1)
        })
    })
}
