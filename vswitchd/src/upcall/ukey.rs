//! `Ukey`: what the control plane keeps with a megaflow: on which state of the world its translation stands, and
//! which effects each of its packets has.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use dpif::{FlowStats, Megaflow, Upcall};

use crate::ofproto::World;
use crate::ofproto::snapshot::Snapshot;
use crate::recirc::Recirc;
use crate::xlate::effect::Traffic;
use crate::xlate::{Effect, Output};

/// The state of the world that a translation stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Generations {
    snapshot: u64,
    /// Sum over all bridges: grows with each change of a MAC table.
    macs: u64,
}

impl Generations {
    pub fn of(snapshot: &Snapshot) -> Self {
        let macs = snapshot.bridges.values().map(|b| b.macs.generation()).sum();
        Self { snapshot: snapshot.generation, macs }
    }
}

pub struct Ukey {
    inner: Mutex<Inner>,
    pub created_ms: i64,
    /// The effects of its first packet were applied by the upcall.
    first_bytes: u64,
    /// Deletion was asked for.
    pub doomed: AtomicBool,
    pub last_used_ms: AtomicI64,
}

struct Inner {
    generations: Generations,
    uses_macs: bool,
    effects: Vec<Effect>,
    /// Keeps ids in the actions valid.
    recircs: Vec<Arc<Recirc>>,
    /// What effects have been applied for.
    pushed: FlowStats,
}

impl Ukey {
    pub fn new(out: &Output, generations: Generations, upcall: &Upcall<'_>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                generations,
                uses_macs: uses_macs(&out.effects),
                effects: out.effects.clone(),
                recircs: out.recircs.clone(),
                pushed: FlowStats::default(),
            }),
            created_ms: upcall.now_ms,
            first_bytes: upcall.packet.len() as u64,
            doomed: AtomicBool::new(false),
            last_used_ms: AtomicI64::new(upcall.now_ms),
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

    /// True when nothing that the translation depends on has changed.
    pub fn is_current(&self, now: &Generations) -> bool {
        let inner = self.lock();
        let then = inner.generations;
        then.snapshot == now.snapshot && (!inner.uses_macs || then.macs == now.macs)
    }

    /// Applies the effects of packets counted since the last push.
    pub fn push(&self, stats: &FlowStats, world: &World) {
        let mut inner = self.lock();
        self.last_used_ms.fetch_max(stats.used_ms, Relaxed);
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
    pub fn retranslated(&self, out: &Output, generations: Generations) {
        let mut inner = self.lock();
        inner.generations = generations;
        inner.uses_macs = uses_macs(&out.effects);
        inner.effects.clone_from(&out.effects);
        inner.recircs.clone_from(&out.recircs);
    }
}

fn uses_macs(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::LearnMac(_) | Effect::LooksUpMac))
}
