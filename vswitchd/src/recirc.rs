//! States in which a translation stopped: what follows runs when the packet comes back from the datapath, either by
//! recirculation or as a controller upcall. Kept as long as a megaflow (or a packet under way) refers to them; equal
//! states share an id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, RwLock, Weak};

use flow::Flow;
use openflow::action::Action;
use openflow::msg::PacketInReason;
use openflow::{Cookie, OfPort, TableId};

use crate::ofproto::config::BundleId;
use crate::ofproto::snapshot::BridgeId;

/// A stopped translation.
#[derive(Clone, PartialEq, Debug)]
pub struct Frozen {
    pub bridge: BridgeId,
    pub table: TableId,
    pub in_port: OfPort,
    /// Only tunnel, metadata and registers count.
    pub metadata: Box<Flow>,
    pub stack: Vec<(u128, u32)>,
    /// Go on with a lookup in `table`, not with `actions`.
    pub lookup: bool,
    /// What is left of the list that was running.
    pub actions: Vec<Action>,
    pub action_set: Vec<Action>,
    /// Cookie of the rule that `actions` are of.
    pub cookie: Cookie,
    /// Set where packets of a bond come back with a hash.
    pub bond: Option<BundleId>,
    /// Set for controller upcalls.
    pub controller: Option<ControllerState>,
}

impl Frozen {
    /// Where packets for `bundle`, a balancing bond, come back after the datapath has hashed them.
    pub fn bond(bridge: BridgeId, bundle: BundleId) -> Frozen {
        Frozen {
            bridge,
            table: TableId(0),
            in_port: OfPort::NONE,
            metadata: Box::new(Flow::ZERO),
            stack: Vec::new(),
            lookup: false,
            actions: Vec::new(),
            action_set: Vec::new(),
            cookie: Cookie(u64::MAX),
            bond: Some(bundle),
            controller: None,
        }
    }
}

/// What a packet-in needs beside the packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ControllerState {
    pub reason: PacketInReason,
    pub userdata: Vec<u8>,
    pub pause: bool,
}

/// A state and its id; the id is valid while one of these lives.
#[derive(Debug)]
pub struct Recirc {
    pub id: u32,
    pub frozen: Frozen,
}

/// Ids in use at most.
const RECIRC_MAX: usize = 1 << 20;

#[derive(Default)]
pub struct RecircTable {
    map: RwLock<HashMap<u32, Weak<Recirc>>>,
    by_hash: RwLock<HashMap<u64, Vec<Weak<Recirc>>>>,
    last_id: AtomicU32,
}

impl RecircTable {
    /// The id of `frozen`, new or shared; `None` when all are in use.
    pub fn freeze(&self, frozen: Frozen) -> Option<Arc<Recirc>> {
        let hash = content_hash(&frozen);
        let mut by_hash = self.by_hash.write().unwrap_or_else(|e| e.into_inner());
        let same = by_hash.entry(hash).or_default();
        if let Some(found) = same.iter().filter_map(Weak::upgrade).find(|r| r.frozen == frozen) {
            return Some(found);
        }
        let mut map = self.map.write().unwrap_or_else(|e| e.into_inner());
        if map.len() >= RECIRC_MAX {
            return None;
        }
        let id = loop {
            let id = self.last_id.fetch_add(1, Relaxed).wrapping_add(1);
            if id != 0 && !map.contains_key(&id) {
                break id;
            }
        };
        let recirc = Arc::new(Recirc { id, frozen });
        map.insert(id, Arc::downgrade(&recirc));
        same.push(Arc::downgrade(&recirc));
        Some(recirc)
    }

    pub fn get(&self, id: u32) -> Option<Arc<Recirc>> {
        self.map.read().unwrap_or_else(|e| e.into_inner()).get(&id)?.upgrade()
    }

    /// Forgets ids that nothing refers to. Control threads, now and then.
    pub fn sweep(&self) {
        let mut by_hash = self.by_hash.write().unwrap_or_else(|e| e.into_inner());
        by_hash.retain(|_, same| {
            same.retain(|r| r.strong_count() > 0);
            !same.is_empty()
        });
        self.map.write().unwrap_or_else(|e| e.into_inner()).retain(|_, r| r.strong_count() > 0);
    }
}

/// Cheap, and equal for equal states.
fn content_hash(frozen: &Frozen) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (frozen.bridge, frozen.table, frozen.in_port, frozen.cookie, frozen.bond).hash(&mut hasher);
    (frozen.actions.len(), frozen.action_set.len(), &frozen.stack).hash(&mut hasher);
    frozen.metadata.lines().hash(&mut hasher);
    hasher.finish()
}
