//! The index cache in front of the megaflow table: from the hash of a microflow to a megaflow's slot.
//!
//! Plane: hot; owned by one worker. Eight bytes an entry (16-bit signature, 32-bit slot, 16 bits spare), eight entries in a
//! line. A hit is verified against the megaflow itself under its own mask, so the cache may be stale, may collide and needs
//! no invalidation: a wrong entry is a miss. There is no second cache of whole keys in front: with the base line of the key
//! in the megaflow, verifying against it costs the same two lines that counting and actions touch anyway.

use flow::{Flow, LineMap, hash};

use crate::megaflow::{NO_SLOT, Slots, Table, bits, equal_lanes, signature};
use crate::packet::{BURST, prefetch};
use crate::simd::{Level, Simd, leveled};

/// Entries by default: 512 KiB, half of a 1 MiB L2.
pub const ENTRIES_DEFAULT: usize = 64 << 10;
/// Entries at most (`smc-enable` asks for a large cache).
pub const ENTRIES_MAX: usize = 1 << 20;

const WAYS: usize = 8;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    signatures: [u16; WAYS],
    slots: [u32; WAYS],
    /// Where the next entry goes when none is empty.
    next: u16,
}

const EMPTY: Bucket = Bucket { signatures: [0; WAYS], slots: [NO_SLOT; WAYS], next: 0 };
const _: () = assert!(size_of::<Bucket>() == 64);

/// See the module text.
pub struct Cache {
    buckets: Box<[Bucket]>,
    seed: u64,
}

impl Cache {
    /// A cache of at least `n` entries (at most `ENTRIES_MAX`); `seed` keys the hashes.
    pub fn new(n: usize, seed: u64) -> Self {
        let len = n.clamp(WAYS, ENTRIES_MAX).div_ceil(WAYS).next_power_of_two();
        Self { buckets: vec![EMPTY; len].into_boxed_slice(), seed }
    }

    /// Entries that fit.
    pub fn capacity(&self) -> usize {
        self.buckets.len() * WAYS
    }
    /// Entries in use; walks the whole cache.
    pub fn n_used(&self) -> usize {
        self.buckets.iter().flat_map(|b| b.signatures).filter(|&s| s != 0).count()
    }

    /// Hash of a parsed key, to be handed to the other calls.
    #[inline(always)]
    pub fn hash(&self, key: &Flow, lines: LineMap) -> u32 {
        hash::flow_hash(key, lines, self.seed)
    }

    #[inline(always)]
    fn at(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// Asks the CPU for the line of `hash`.
    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        prefetch(std::ptr::from_ref(&self.buckets[self.at(hash)]).cast());
    }

    #[inline(always)]
    fn candidate(&self, hash: u32) -> u32 {
        let bucket = &self.buckets[self.at(hash)];
        match equal_lanes(&bucket.signatures, signature(hash)) {
            0 => NO_SLOT,
            lanes => bucket.slots[lanes.trailing_zeros() as usize & (WAYS - 1)],
        }
    }

    /// Looks up the keys whose bit is set in `todo` (keys prepared for `table`, buckets prefetched by the caller as
    /// soon as the hash is known). Writes the slots of hits into `found` and returns the bits of those.
    #[inline(always)]
    pub fn lookup<P>(
        &self,
        level: Level,
        table: &Table<P>,
        keys: &[Flow; BURST],
        hashes: &[u32; BURST],
        todo: u32,
        found: &mut Slots,
    ) -> u32 {
        lookup(level, self, table, keys, hashes, todo, found)
    }

    /// Remembers that `hash` led to `slot`: in the place that has this signature, an empty one, or the oldest.
    #[inline]
    pub fn insert(&mut self, hash: u32, slot: u32) {
        let at = self.at(hash);
        let bucket = &mut self.buckets[at];
        let same = equal_lanes(&bucket.signatures, signature(hash));
        let empty = equal_lanes(&bucket.signatures, 0);
        let way = match (same, empty) {
            (0, 0) => {
                bucket.next = bucket.next.wrapping_add(1);
                usize::from(bucket.next)
            }
            (0, lanes) | (lanes, _) => lanes.trailing_zeros() as usize,
        } & (WAYS - 1);
        bucket.signatures[way] = signature(hash);
        bucket.slots[way] = slot;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.fill(EMPTY);
    }
}

leveled! {
    fn lookup[P](cache: &Cache, table: &Table<P>, keys: &[Flow; BURST], hashes: &[u32; BURST], todo: u32, found: &mut Slots) -> u32 = lookup_with;
}

#[inline(always)]
fn lookup_with<S: Simd, P>(
    cache: &Cache,
    table: &Table<P>,
    keys: &[Flow; BURST],
    hashes: &[u32; BURST],
    todo: u32,
    found: &mut Slots,
) -> u32 {
    let mut maybe = 0;
    for n in bits(todo) {
        let slot = cache.candidate(hashes[n]);
        found[n] = slot;
        table.prefetch_slot(slot);
        maybe |= u32::from(slot != NO_SLOT) << n;
    }
    for n in bits(maybe) {
        if let Some(slot) = table.get(found[n]) {
            slot.flow.prefetch();
        }
    }
    let mut hits = 0;
    for n in bits(maybe) {
        let is_hit = table.get(found[n]).is_some_and(|slot| slot.flow.matches_with::<S>(&keys[n]));
        hits |= u32::from(is_hit) << n;
    }
    hits
}
