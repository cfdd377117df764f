//! Quiescent-state reclamation: a worker holds no reference across `quiesce`, which it calls once per turn of its loop;
//! what a writer replaced is freed after every worker has done so, on a control thread.
//!
//! Built on crossbeam-epoch with a `Collector` of our own. A reader pins once for good; `quiesce` is its `repin`: two
//! relaxed loads and, when the epoch moved, one store; no fence, no destructor. A sleeping or blocked worker must go
//! `offline`, or memory waits for it.
//!
//! ```text
//! worker:   register ── [ load, load, ... ] ── quiesce ── [ ... ] ── offline { block } ──
//! control:  publish(new) ── old is freed by a later publish/reclaim when all workers have quiesced twice
//! ```

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crossbeam::epoch::{Atomic, Collector, Guard, LocalHandle, Owned, unprotected};

/// One set of workers and the values they read.
#[derive(Clone, Default)]
pub struct Domain {
    collector: Collector,
}

/// A worker's registration; stays on its thread.
pub struct Reader {
    // Dropped before the handle it was made from.
    guard: Guard,
    handle: LocalHandle,
}

impl Domain {
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers the calling thread as a reader.
    pub fn register(&self) -> Reader {
        let handle = self.collector.register();
        Reader { guard: handle.pin(), handle }
    }

    /// Frees what no reader can see any more. Control threads; never a worker.
    pub fn reclaim(&self) {
        // Each flush can move the epoch by one step; garbage is free after two.
        for _ in 0..3 {
            self.collector.register().pin().flush();
        }
    }
}

impl Reader {
    /// Gives up every reference loaded so far (the borrow checker sees to it) and lets writers go on.
    #[inline(always)]
    pub fn quiesce(&mut self) {
        self.guard.repin();
    }

    /// Runs `wait` (a sleep, a blocking call) without holding memory back.
    pub fn offline<R>(&mut self, wait: impl FnOnce() -> R) -> R {
        debug_assert!(self.handle.is_pinned());
        self.guard.repin_after(wait)
    }
}

/// A value that readers see whole, in its old or its new version.
pub struct Published<T> {
    domain: Domain,
    value: Atomic<T>,
}

impl<T: Send + Sync + 'static> Published<T> {
    pub fn new(domain: &Domain, value: T) -> Self {
        Self { domain: domain.clone(), value: Atomic::new(value) }
    }

    /// The current version; valid until the reader quiesces. The reader must be of the same domain.
    #[inline(always)]
    pub fn load<'r>(&self, reader: &'r Reader) -> &'r T {
        assert!(reader.handle.collector() == &self.domain.collector, "reader of another domain");
        // SAFETY: never null; a replaced value is destroyed only after every reader pinned now has repinned, which needs
        // `&mut Reader` and so ends the borrow.
        unsafe { self.value.load(Acquire, &reader.guard).deref() }
    }

    /// Replaces the value. Control threads; several may do so, each publication is whole.
    pub fn publish(&self, value: T) {
        let handle = self.domain.collector.register();
        let guard = handle.pin();
        let old = self.value.swap(Owned::new(value), AcqRel, &guard);
        // SAFETY: `old` came out of the only place that readers load it from.
        unsafe { guard.defer_destroy(old) };
        guard.flush();
    }
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: nobody can load any more, and a reference from `load` may outlive `self` only with its
        // reader pinned, for which destruction is deferred.
        unsafe {
            let guard = self.domain.collector.register().pin();
            let old = self.value.swap(crossbeam::epoch::Shared::null(), AcqRel, unprotected());
            if !old.is_null() {
                guard.defer_destroy(old);
            }
            guard.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    struct Tracked(u64, Arc<AtomicUsize>);
    impl Drop for Tracked {
        fn drop(&mut self) {
            self.1.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_value_lives_until_the_reader_quiesces() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let domain = Domain::new();
        let published = Published::new(&domain, Tracked(1, dropped.clone()));
        let mut reader = domain.register();
        let seen = published.load(&reader);
        published.publish(Tracked(2, dropped.clone()));
        domain.reclaim();
        assert_eq!((seen.0, dropped.load(SeqCst)), (1, 0));
        for _ in 0..4 {
            reader.quiesce();
            domain.reclaim();
        }
        assert_eq!((published.load(&reader).0, dropped.load(SeqCst)), (2, 1));
        reader.offline(|| {
            published.publish(Tracked(3, dropped.clone()));
            (0..4).for_each(|_| domain.reclaim());
            assert_eq!(dropped.load(SeqCst), 2);
        });
        drop(published);
        drop(reader);
        (0..4).for_each(|_| domain.reclaim());
        assert_eq!(dropped.load(SeqCst), 3);
    }

    #[test]
    fn readers_see_whole_values_while_writers_publish() {
        let domain = Domain::new();
        let published = Published::new(&domain, [0u64; 8]);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut reader = domain.register();
                    while !stop.load(SeqCst) {
                        let value = published.load(&reader);
                        assert!(value.iter().all(|v| *v == value[0]));
                        reader.quiesce();
                    }
                });
            }
            (1..2000).for_each(|n| published.publish([n; 8]));
            stop.store(true, SeqCst);
        });
    }
}
