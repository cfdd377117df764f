//! Counters: `Counter` has one writer (a plain load and store), `SharedCounter` any number.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use sync::Counter;

/// Counters that any thread may write; for events that are rare or come a burst at a time.
#[derive(Default, Debug)]
pub struct SharedCounter(AtomicU64);

impl SharedCounter {
    #[inline(always)]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
