//! All bridges of one datapath: patch ports cross from one to another, so they share one snapshot. Holds the
//! publication of snapshots: the pointer is swapped, and old snapshots are freed by control threads only, when no worker
//! reads them any more.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use arc_swap::{ArcSwap, Guard};
use dpif::{Clock, Datapath};

use super::changes::{self, Change, Changes, Log};
use super::events::EventSink;
use super::snapshot::{BridgeId, Snapshot};
use super::{BridgeConfig, Ofproto};
use crate::recirc::RecircTable;
use crate::upcall::Revalidator;

/// The bridges of one datapath.
pub struct World {
    pub clock: Clock,
    snapshot: ArcSwap<Snapshot>,
    publisher: Mutex<Publisher>,
    bridges: Mutex<BTreeMap<BridgeId, Arc<Ofproto>>>,
    next_bridge: AtomicU32,
    next_dp_meter: AtomicU32,
    /// States in which translation stopped to go on after the datapath.
    pub recirc: RecircTable,
    /// Rung when a frame for a protocol of some bridge came in.
    pub protocol_wake: crate::wake::Wake,
    datapath: OnceLock<Arc<dyn Datapath>>,
    revalidator: OnceLock<Weak<Revalidator>>,
}

/// Snapshots that a reader may still hold.
#[derive(Default)]
struct Publisher {
    retired: Vec<Arc<Snapshot>>,
    log: Log,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl World {
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            snapshot: ArcSwap::default(),
            publisher: Mutex::default(),
            bridges: Mutex::default(),
            next_bridge: AtomicU32::new(0),
            next_dp_meter: AtomicU32::new(1),
            recirc: RecircTable::default(),
            protocol_wake: crate::wake::Wake::default(),
            datapath: OnceLock::new(),
            revalidator: OnceLock::new(),
        })
    }

    /// Names the datapath that packets are sent through. Once, before the first packet-out.
    pub fn set_datapath(&self, datapath: Arc<dyn Datapath>) {
        let _ = self.datapath.set(datapath);
    }

    pub fn datapath(&self) -> Option<&Arc<dyn Datapath>> {
        self.datapath.get()
    }

    /// The revalidator tells of itself when it is made.
    pub(crate) fn set_revalidator(&self, revalidator: &Arc<Revalidator>) {
        let _ = self.revalidator.set(Arc::downgrade(revalidator));
    }

    pub fn revalidator(&self) -> Option<Arc<Revalidator>> {
        self.revalidator.get()?.upgrade()
    }

    /// Credits rules, tables, groups and ports with all packets that megaflows have counted up to now.
    pub fn push_stats(&self) {
        if let Some(revalidator) = self.revalidator() {
            revalidator.push_stats();
        }
    }

    /// The present snapshot, cheaply; do not keep it over blocking calls.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The present snapshot, to keep.
    pub fn snapshot_full(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Publishes what `change` makes of a copy of the snapshot. Control threads only.
    pub(super) fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        self.publish_with(Vec::new(), change);
    }

    /// The same where it is known which rules of a table changed.
    pub(super) fn publish_with(&self, rules: Vec<Change>, change: impl FnOnce(&mut Snapshot)) {
        let mut publisher = lock(&self.publisher);
        let mut next = Snapshot::clone(&self.snapshot.load());
        change(&mut next);
        next.generation += 1;
        let changes = changes::between(&self.snapshot.load(), &next, rules);
        // Before the swap: who sees the new snapshot finds what is new in it.
        publisher.log.push(next.generation, changes);
        let old = self.snapshot.swap(Arc::new(next));
        publisher.retired.push(old);
        publisher.retired.retain(|s| Arc::strong_count(s) > 1);
    }

    /// Grows with each publication.
    pub fn changes(&self) -> u64 {
        self.snapshot.load().generation
    }

    /// What publications after `generation` changed.
    pub fn changes_since(&self, generation: u64) -> Changes {
        lock(&self.publisher).log.since(generation)
    }

    /// Frees snapshots that no one reads any more.
    pub fn reclaim(&self) {
        lock(&self.publisher).retired.retain(|s| Arc::strong_count(s) > 1);
    }

    /// Makes a bridge. Its local port is added like any other port.
    pub fn bridge_add(
        self: &Arc<Self>,
        name: &str,
        config: BridgeConfig,
        sink: Arc<dyn EventSink>,
    ) -> Arc<Ofproto> {
        let id = BridgeId(self.next_bridge.fetch_add(1, Relaxed));
        let bridge = Ofproto::new(self.clone(), id, name, config, sink);
        lock(&self.bridges).insert(id, bridge.clone());
        bridge.publish_all();
        bridge
    }

    /// Takes a bridge away; packets on its ports are dropped from now on.
    pub fn bridge_remove(&self, id: BridgeId) {
        lock(&self.bridges).remove(&id);
        self.publish(|s| {
            s.bridges.remove(&id);
            Arc::make_mut(&mut s.dp_ports).retain(|_, (bridge, _)| *bridge != id);
            Arc::make_mut(&mut s.patches).retain(|_, (bridge, _)| *bridge != id);
        });
    }

    pub fn bridge(&self, id: BridgeId) -> Option<Arc<Ofproto>> {
        lock(&self.bridges).get(&id).cloned()
    }

    pub fn bridge_by_name(&self, name: &str) -> Option<Arc<Ofproto>> {
        lock(&self.bridges).values().find(|b| b.name == name).cloned()
    }

    /// All bridges by name.
    pub fn bridges(&self) -> Vec<Arc<Ofproto>> {
        let mut all: Vec<_> = lock(&self.bridges).values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// How many tags the datapath's keys have at most.
    pub fn set_vlan_limit(&self, limit: u32) {
        if self.snapshot().vlan_limit != limit {
            self.publish(|s| s.vlan_limit = limit);
        }
    }

    pub(super) fn new_dp_meter(&self) -> u32 {
        self.next_dp_meter.fetch_add(1, Relaxed)
    }
}
