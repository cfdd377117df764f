//! `Switch`: the live bridges and their datapaths, as commands and status see them. `apply` alone adds and removes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dpif::{Clock, Datapath};
use tokio::runtime::Handle;

use super::actual::Actual;
use super::desire::Desired;
use crate::connmgr::Manager;
use crate::connmgr::service::BridgeService;
use crate::ofproto::{Ofproto, World};

/// One datapath with the bridges on it.
#[derive(Clone)]
pub struct Backer {
    /// `netdev` or `dummy`.
    pub kind: &'static str,
    /// `ovs-netdev`, `ovs-dummy`.
    pub name: &'static str,
    pub datapath: Arc<dyn Datapath>,
    pub world: Arc<World>,
}

/// A bridge that exists.
pub struct LiveBridge {
    pub name: String,
    pub backer: Backer,
    pub ofproto: Arc<Ofproto>,
    pub service: Arc<BridgeService>,
    pub controllers: Arc<Manager>,
}

/// Everything that lives.
pub struct Switch {
    pub clock: Clock,
    pub runtime: Handle,
    backers: Vec<Backer>,
    bridges: RwLock<BTreeMap<String, Arc<LiveBridge>>>,
    actual: RwLock<Actual>,
    /// What was last asked for.
    desired: Mutex<Arc<Desired>>,
}

impl Switch {
    pub fn new(clock: Clock, runtime: Handle, backers: Vec<Backer>) -> Arc<Self> {
        Arc::new(Switch {
            clock,
            runtime,
            backers,
            bridges: RwLock::default(),
            actual: RwLock::default(),
            desired: Mutex::default(),
        })
    }

    pub fn backers(&self) -> &[Backer] {
        &self.backers
    }

    /// The worlds of all datapaths; backers may share one.
    pub fn worlds(&self) -> Vec<Arc<World>> {
        let mut worlds: Vec<Arc<World>> = Vec::new();
        for backer in &self.backers {
            if !worlds.iter().any(|w| Arc::ptr_eq(w, &backer.world)) {
                worlds.push(backer.world.clone());
            }
        }
        worlds
    }

    /// The datapath for bridges of this type.
    pub fn backer(&self, kind: &str) -> Option<&Backer> {
        self.backers.iter().find(|b| b.kind == kind)
    }

    /// All bridges by name.
    pub fn bridges(&self) -> Vec<Arc<LiveBridge>> {
        read(&self.bridges).values().cloned().collect()
    }

    pub fn bridge(&self, name: &str) -> Option<Arc<LiveBridge>> {
        read(&self.bridges).get(name).cloned()
    }

    /// What was applied, and how it went.
    pub fn actual(&self) -> RwLockReadGuard<'_, Actual> {
        read(&self.actual)
    }

    pub(super) fn actual_mut(&self) -> RwLockWriteGuard<'_, Actual> {
        self.actual.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What was last asked for.
    pub fn desired(&self) -> Arc<Desired> {
        self.desired.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub(super) fn set_desired(&self, desired: Arc<Desired>) {
        *self.desired.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = desired;
    }

    pub(super) fn insert(&self, bridge: Arc<LiveBridge>) {
        let mut bridges = self.bridges.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        bridges.insert(bridge.name.clone(), bridge);
    }

    pub(super) fn remove(&self, name: &str) -> Option<Arc<LiveBridge>> {
        self.bridges.write().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(name)
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}
