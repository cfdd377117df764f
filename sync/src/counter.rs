//! A counter that one thread adds to and any thread reads. No locked instruction: the writer loads and stores.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See the module text. Two writers would lose counts, nothing worse.
#[derive(Default, Debug)]
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
    /// Adds `n`; the owning thread only.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }
    #[inline(always)]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_the_final_count() {
        let counter = Counter::new();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..1000).for_each(|_| counter.add(3)));
            let mut last = 0;
            for _ in 0..1000 {
                let now = counter.get();
                assert!(now >= last && now.is_multiple_of(3));
                last = now;
            }
        });
        assert_eq!(counter.get(), 3000);
    }
}
