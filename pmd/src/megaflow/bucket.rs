//! Open-addressing hash array of (hash, slot) in 64-byte buckets: seven entries and a count of entries that had to go
//! past this bucket. A look-up compares the seven 16-bit signatures first and touches nothing else on a miss.

use super::simd::equal_lanes;

/// Entries of a bucket.
const WAYS: usize = 7;
/// Entries per bucket, on average, above which the array grows.
pub const FILL_MAX: usize = 5;

#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Bucket {
    /// High half of the hash (0 = empty place), and in the last lane how many entries lie in later buckets.
    signatures: [u16; WAYS + 1],
    /// Low half of the hash.
    lows: [u16; WAYS + 1],
    slots: [u32; WAYS + 1],
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// The part of a hash that is compared first. Callers never give a hash whose high half is 0, the empty place.
#[inline(always)]
pub fn signature(hash: u32) -> u16 {
    (hash >> 16) as u16
}

impl Bucket {
    const LANES: u32 = (1 << WAYS) - 1;

    #[inline(always)]
    fn candidates(&self, signature: u16) -> u32 {
        equal_lanes(&self.signatures, signature) & Self::LANES
    }
    #[inline(always)]
    fn overflow(&self) -> u16 {
        self.signatures[WAYS]
    }
    fn hash(&self, way: usize) -> u32 {
        u32::from(self.signatures[way]) << 16 | u32::from(self.lows[way])
    }
}

/// What a home bucket says about a hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peek {
    /// No entry has it.
    No,
    /// This slot has the signature; not verified.
    Maybe(u32),
    /// Only a later bucket can have it.
    Elsewhere,
}

/// The array. Its size is a power of two; it does not grow by itself.
pub struct Buckets {
    buckets: Box<[Bucket]>,
    n: usize,
}

impl Buckets {
    /// Room for at least `n` entries at the wanted fill.
    pub fn with_capacity(n: usize) -> Self {
        let len = n.div_ceil(FILL_MAX).next_power_of_two();
        Self { buckets: vec![Bucket::default(); len].into_boxed_slice(), n: 0 }
    }
    pub fn len(&self) -> usize {
        self.n
    }
    pub fn is_over_full(&self) -> bool {
        self.n > self.buckets.len() * FILL_MAX
    }
    pub fn n_buckets(&self) -> usize {
        self.buckets.len()
    }

    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.buckets.len() - 1)
    }

    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        crate::packet::prefetch(std::ptr::from_ref(&self.buckets[self.home(hash)]).cast());
    }

    /// A quick answer from the home bucket alone.
    #[inline(always)]
    pub fn peek(&self, hash: u32) -> Peek {
        let bucket = &self.buckets[self.home(hash)];
        let candidates = bucket.candidates(signature(hash));
        if candidates != 0 {
            Peek::Maybe(bucket.slots[candidates.trailing_zeros() as usize & WAYS])
        } else if bucket.overflow() == 0 {
            Peek::No
        } else {
            Peek::Elsewhere
        }
    }

    /// The slot for which `verify` holds, among those with this hash's signature.
    #[inline(always)]
    pub fn find(&self, hash: u32, mut verify: impl FnMut(u32) -> bool) -> Option<u32> {
        let signature = signature(hash);
        let mut at = self.home(hash);
        for _ in 0..self.buckets.len() {
            let bucket = &self.buckets[at];
            let mut candidates = bucket.candidates(signature);
            while candidates != 0 {
                let slot = bucket.slots[candidates.trailing_zeros() as usize & WAYS];
                if verify(slot) {
                    return Some(slot);
                }
                candidates &= candidates - 1;
            }
            if bucket.overflow() == 0 {
                return None;
            }
            at = self.next(at);
        }
        None
    }

    /// Adds an entry. The array must not be full, which `is_over_full` warns of well before.
    pub fn insert(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(way) = bucket.signatures[..WAYS].iter().position(|&s| s == 0) {
                bucket.signatures[way] = signature(hash);
                bucket.lows[way] = hash as u16;
                bucket.slots[way] = slot;
                self.n += 1;
                return;
            }
            bucket.signatures[WAYS] = bucket.signatures[WAYS].saturating_add(1);
            at = self.next(at);
        }
    }

    /// Removes the entry of `slot`; false when it is not there.
    pub fn remove(&mut self, hash: u32, slot: u32) -> bool {
        let home = self.home(hash);
        let mut at = home;
        for _ in 0..self.buckets.len() {
            let bucket = &mut self.buckets[at];
            let mut candidates = bucket.candidates(signature(hash));
            while candidates != 0 {
                let way = candidates.trailing_zeros() as usize;
                if bucket.slots[way] == slot {
                    bucket.signatures[way] = 0;
                    self.n -= 1;
                    self.retreat(home, at);
                    return true;
                }
                candidates &= candidates - 1;
            }
            if bucket.overflow() == 0 {
                return false;
            }
            at = self.next(at);
        }
        false
    }

    /// An entry that had gone past the buckets from `home` up to `end` is gone.
    fn retreat(&mut self, home: usize, end: usize) {
        let mut at = home;
        while at != end {
            let overflow = &mut self.buckets[at].signatures[WAYS];
            // A count that has once been at its maximum is not exact any more and stays.
            if *overflow != u16::MAX {
                *overflow -= 1;
            }
            at = self.next(at);
        }
    }

    /// Takes the entries that lie in bucket `at`, giving (hash, slot) of each.
    pub fn drain_bucket(&mut self, at: usize, mut take: impl FnMut(u32, u32)) {
        for way in 0..WAYS {
            let bucket = self.buckets[at];
            if bucket.signatures[way] != 0 {
                let (hash, slot) = (bucket.hash(way), bucket.slots[way]);
                self.buckets[at].signatures[way] = 0;
                self.n -= 1;
                self.retreat(self.home(hash), at);
                take(hash, slot);
            }
        }
    }
}
