//! `Ukey`: what the control plane keeps with a megaflow: on which state of the world its translation stands, and
//! which effects each of its packets has.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};

use dpif::{FlowStats, Megaflow, Upcall};

use crate::ofproto::World;
use crate::ofproto::changes::Lookup;
use crate::recirc::Recirc;
use crate::xlate::effect::Traffic;
use crate::xlate::{Effect, Output};

pub struct Ukey {
    inner: Mutex<Inner>,
    pub created_ms: i64,
    /// The effects of its first packet were applied by the upcall.
    first_bytes: u64,
    /// Deletion was asked for.
    pub doomed: AtomicBool,
}

struct Inner {
    /// The snapshot that the translation stands on, or one since which nothing changed that it looked at.
    generation: u64,
    lookups: Box<[Lookup]>,
    effects: Arc<[Effect]>,
    /// Keeps ids in the actions valid.
    recircs: Vec<Arc<Recirc>>,
    /// What effects have been applied for.
    pushed: FlowStats,
}

/// Why a megaflow may have to be translated again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ground {
    /// Nothing has changed.
    Firm,
    /// A MAC address that it depends on has moved, come or gone.
    Macs,
    /// There have been publications since this generation.
    Since(u64),
}

impl Ukey {
    pub fn new(out: &Output, generation: u64, upcall: &Upcall<'_>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                generation,
                lookups: out.lookups.as_slice().into(),
                effects: out.effects.as_slice().into(),
                recircs: out.recircs.clone(),
                pushed: FlowStats::default(),
            }),
            created_ms: upcall.now_ms,
            first_bytes: upcall.packet.len() as u64,
            doomed: AtomicBool::new(false),
        }
    }

    /// The ukey of `flow`, if it was installed by an upcall.
    pub fn of(flow: &Arc<dyn Megaflow>) -> Option<&Ukey> {
        flow.owner()?.downcast_ref()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The datapath counts the packet that made the megaflow, too.
    pub fn counts_first_packet(&self) {
        let mut inner = self.lock();
        inner.pushed.packets = 1;
        inner.pushed.bytes = self.first_bytes;
    }

    /// Whether it stands as well in the snapshot of `generation`.
    pub fn ground(&self, generation: u64) -> Ground {
        let inner = self.lock();
        if inner.effects.iter().any(is_outdated) {
            return Ground::Macs;
        }
        if inner.generation == generation { Ground::Firm } else { Ground::Since(inner.generation) }
    }

    /// Gives what it looked at to `f`.
    pub fn with_lookups<R>(&self, f: impl FnOnce(&[Lookup]) -> R) -> R {
        f(&self.lock().lookups)
    }

    /// Nothing that it depends on changed up to `generation`.
    pub fn stands_at(&self, generation: u64) {
        self.lock().generation = generation;
    }

    /// Packets and time (ms) since effects were applied last, for the rate.
    pub fn since_push(&self, stats: &FlowStats) -> (u64, i64) {
        let pushed = self.lock().pushed;
        (stats.packets.saturating_sub(pushed.packets), stats.used_ms - pushed.used_ms.max(self.created_ms))
    }

    /// Applies the effects of packets counted since the last push.
    pub fn push(&self, stats: &FlowStats, world: &World) {
        let mut inner = self.lock();
        if stats.packets <= inner.pushed.packets {
            return;
        }
        let traffic = Traffic {
            packets: stats.packets - inner.pushed.packets,
            bytes: stats.bytes.saturating_sub(inner.pushed.bytes),
            used_ms: stats.used_ms,
            tcp_flags: stats.tcp_flags,
        };
        inner.pushed = *stats;
        let effects = inner.effects.clone();
        drop(inner);
        effects.iter().for_each(|effect| effect.apply(&traffic, world));
    }

    /// Takes over a new translation.
    pub fn retranslated(&self, out: &Output, generation: u64) {
        let mut inner = self.lock();
        inner.generation = generation;
        inner.lookups = out.lookups.as_slice().into();
        inner.effects = out.effects.as_slice().into();
        inner.recircs.clone_from(&out.recircs);
    }
}

fn is_outdated(effect: &Effect) -> bool {
    match effect {
        Effect::LooksUpMac(dependency) => !dependency.is_current(),
        Effect::LearnMac(learn) => !learn.seen.is_current(),
        Effect::LooksUpGroup(table, generation) => table.generation() != *generation,
        _ => false,
    }
}
