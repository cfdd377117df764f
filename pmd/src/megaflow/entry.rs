//! One installed megaflow: what the worker verifies against, counts in, and control threads read.
//!
//! 128 bytes for the worker (the base line of the key; counters) and about 90 that only control threads read. The key
//! keeps just the lines of its mask, and the mask is shared by all megaflows of a subtable.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use dpif::{Action, FlowStats, Ufid, WorkerId};
use flow::key::Line;
use flow::{Flow, LineMap, Mask};

use crate::simd::{Plain, Simd};

/// The mask of a subtable: whole, and as the lines that have bits.
pub struct SharedMask {
    pub mask: Mask,
    pub lines: LineMap,
}

/// See the module text. Counters are written by the owning worker only.
#[repr(C, align(64))]
pub struct Megaflow {
    /// Line 0 of the masked key.
    base: Line,
    packets: AtomicU64,
    bytes: AtomicU64,
    used_ms: AtomicI64,
    tcp_flags: AtomicU16,
    dead: AtomicBool,
    /// The other lines of the mask, lowest first.
    beyond: Box<[Line]>,
    mask: Arc<SharedMask>,
    cold: Box<Cold>,
}

const _: () = assert!(size_of::<Megaflow>() == 128);

struct Cold {
    ufid: Ufid,
    worker: WorkerId,
    actions: RwLock<Arc<[Action]>>,
    owner: Option<Arc<dyn Any + Send + Sync>>,
}

/// What of a megaflow does not take part in classification.
pub struct Attributes {
    pub ufid: Ufid,
    pub worker: WorkerId,
    pub actions: Arc<[Action]>,
    pub owner: Option<Arc<dyn Any + Send + Sync>>,
}

impl Megaflow {
    /// `key` must be masked already.
    pub(super) fn new(key: &Flow, mask: Arc<SharedMask>, attributes: Attributes) -> Self {
        let Attributes { ufid, worker, actions, owner } = attributes;
        let beyond = mask.lines.iter().filter(|&n| n != 0).map(|n| key.lines()[n]).collect();
        Self {
            base: key.lines()[0],
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            used_ms: AtomicI64::new(0),
            tcp_flags: AtomicU16::new(0),
            dead: AtomicBool::new(false),
            beyond,
            mask,
            cold: Box::new(Cold { ufid, worker, actions: RwLock::new(actions), owner }),
        }
    }

    /// True when `key`, whose lines in the mask are valid or zero, is one of this megaflow.
    pub fn matches(&self, key: &Flow) -> bool {
        self.matches_with::<Plain>(key)
    }

    /// The same with the vectors of a level.
    #[inline(always)]
    pub fn matches_with<S: Simd>(&self, key: &Flow) -> bool {
        S::same(&self.base, &key.lines()[0], &self.mask.mask.0.lines()[0])
            && (self.beyond.is_empty() || self.matches_beyond(key))
    }

    #[inline(never)]
    fn matches_beyond(&self, key: &Flow) -> bool {
        let mask = self.mask.mask.0.lines();
        let numbers = self.mask.lines.iter().filter(|&n| n != 0);
        self.beyond.iter().zip(numbers).all(|(line, n)| Plain::same(line, &key.lines()[n], &mask[n]))
    }

    /// The first line of the masked key.
    pub fn base(&self) -> &Line {
        &self.base
    }

    /// Adds packets of a burst to the counters; the owning worker only.
    #[inline(always)]
    pub fn count(&self, packets: u64, bytes: u64, tcp_flags: u16, now_ms: i64) {
        self.packets.store(self.packets.load(Relaxed) + packets, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + bytes, Relaxed);
        self.used_ms.store(now_ms, Relaxed);
        let flags = self.tcp_flags.load(Relaxed);
        if flags | tcp_flags != flags {
            self.tcp_flags.store(flags | tcp_flags, Relaxed);
        }
    }

    pub fn shared_mask(&self) -> &Arc<SharedMask> {
        &self.mask
    }

    pub(super) fn set_actions(&self, actions: Arc<[Action]>) {
        *self.cold.actions.write().unwrap_or_else(PoisonError::into_inner) = actions;
    }

    pub(super) fn bury(&self) {
        self.dead.store(true, Relaxed);
    }

    /// Asks the CPU for both lines that a hit touches.
    #[inline(always)]
    pub fn prefetch(&self) {
        let first = std::ptr::from_ref(self).cast::<u8>();
        crate::packet::prefetch(first);
        crate::packet::prefetch(first.wrapping_add(64));
    }
}

impl dpif::Megaflow for Megaflow {
    fn ufid(&self) -> Ufid {
        self.cold.ufid
    }
    fn worker(&self) -> WorkerId {
        self.cold.worker
    }
    fn key(&self) -> Flow {
        let mut key = Flow::ZERO;
        key.lines_mut()[0] = self.base;
        for (line, n) in self.beyond.iter().zip(self.mask.lines.iter().filter(|&n| n != 0)) {
            key.lines_mut()[n] = *line;
        }
        key
    }
    fn mask(&self) -> Mask {
        self.mask.mask
    }
    fn actions(&self) -> Arc<[Action]> {
        Arc::clone(&self.cold.actions.read().unwrap_or_else(PoisonError::into_inner))
    }
    fn stats(&self) -> FlowStats {
        FlowStats {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            used_ms: self.used_ms.load(Relaxed),
            tcp_flags: self.tcp_flags.load(Relaxed),
        }
    }
    fn owner(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.cold.owner.as_ref()
    }
    fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }
}
