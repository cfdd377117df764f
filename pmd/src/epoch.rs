//! Grace periods: a control thread publishes something new, then waits until every worker has begun another turn, and only
//! then frees or closes what the workers could still have been using.
//!
//! Cost for a worker: one load per turn, and a store when a control thread is waiting. A worker that sleeps is offline and
//! waited for by nobody.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};
use std::sync::{Arc, Mutex, PoisonError};

const OFFLINE: u64 = u64::MAX;

/// The switch-wide counter and its readers.
#[derive(Default)]
pub struct Epoch {
    now: AtomicU64,
    readers: Mutex<Vec<Arc<Seen>>>,
}

/// The last epoch that a worker saw, alone on its cache line.
#[repr(align(64))]
struct Seen(AtomicU64);

/// A worker's registration; taken back on drop.
pub struct Reader {
    epoch: Arc<Epoch>,
    seen: Arc<Seen>,
    last: u64,
}

impl Epoch {
    /// Registers the calling worker, online.
    pub fn register(self: &Arc<Self>) -> Reader {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.now.load(SeqCst);
        let seen = Arc::new(Seen(AtomicU64::new(last)));
        readers.push(seen.clone());
        Reader { epoch: self.clone(), seen, last }
    }

    /// Waits until every worker has begun a turn after this call. Not for workers.
    pub fn wait(&self) {
        let target = self.now.fetch_add(1, SeqCst) + 1;
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for seen in readers {
            let mut tries = 0u32;
            while seen.0.load(Acquire) < target {
                // A turn takes microseconds; a worker that has lost its CPU takes longer.
                tries += 1;
                if tries < 64 {
                    std::thread::yield_now()
                } else {
                    std::thread::sleep(std::time::Duration::from_micros(50))
                }
            }
        }
    }
}

impl Reader {
    /// Once per turn, when the worker holds no reference from the turn before; true when something was published.
    #[inline(always)]
    pub fn quiesce(&mut self) -> bool {
        let now = self.epoch.now.load(Acquire);
        if now == self.last {
            return false;
        }
        self.last = now;
        self.seen.0.store(now, Release);
        true
    }

    /// The worker goes to sleep and uses nothing until `online`.
    pub fn offline(&mut self) {
        self.seen.0.store(OFFLINE, Release);
    }

    /// The worker is back; everything is to be loaded anew.
    pub fn online(&mut self) {
        self.last = self.epoch.now.load(SeqCst);
        self.seen.0.store(self.last, Relaxed);
        fence(SeqCst);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.offline();
        let mut readers = self.epoch.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|r| !Arc::ptr_eq(r, &self.seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn wait_returns_after_every_reader_moved() {
        let epoch = Arc::new(Epoch::default());
        let (value, stop) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (mut reader, value, stop) = (epoch.register(), value.clone(), stop.clone());
                std::thread::spawn(move || {
                    while !stop.load(Relaxed) {
                        reader.quiesce();
                        // Within a turn a value that was read may be old but not older than the turn's start.
                        let a = value.load(Relaxed);
                        assert!(a != 0);
                        std::thread::yield_now();
                    }
                })
            })
            .collect();
        for n in 2..200 {
            value.store(n, SeqCst);
            epoch.wait();
        }
        stop.store(true, Relaxed);
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert!(epoch.readers.lock().unwrap().is_empty());
    }

    #[test]
    fn sleepers_are_not_waited_for() {
        let epoch = Arc::new(Epoch::default());
        let mut reader = epoch.register();
        reader.offline();
        epoch.wait();
        reader.online();
        assert!(!reader.quiesce());
    }
}
