//! OpenFlow bridges: tables, groups, meters, ports. Control plane; one lock per bridge orders its writers, readers use
//! the published [`snapshot::Snapshot`].
//!
//! ```text
//!  flow_mod/group_mod/bundle: check -> plan -> commit (with undo) -> publish -> events
//! ```

mod bundle;
pub mod changes;
pub mod check;
pub mod config;
pub mod events;
mod expire;
mod flow_mod;
pub use flow_mod::match_of;
mod flow_stats;
pub mod group;
mod group_mod;
mod internal;
pub mod listing;
pub mod meter;
pub mod mirror;
mod packet_out;
pub use packet_out::stack_bytes;
mod ports;
pub mod rule;
pub mod snapshot;
pub mod table;
mod table_mod;
pub mod tlv;

mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use changes::Change;

pub use bundle::BundleItem;
pub use config::{BridgeConfig, BundleId, BundleInput, MirrorInput, PortInput};
use events::EventSink;
pub use events::{FlowEvent, NoEvents, Origin, PacketInEvent};
use group::Groups;
use meter::Meters;
pub use rule::Rule;
use snapshot::{BridgeId, BridgeView, Ports, Tables};
use table::Table;
pub use table::TableConfig;
pub use world::World;

use crate::mac_learning::MacTable;
use crate::protocol;

/// One bridge.
pub struct Ofproto {
    pub id: BridgeId,
    pub name: String,
    pub world: Arc<World>,
    pub macs: Arc<MacTable>,
    pub protocols: protocol::Engine,
    sink: ArcSwap<Box<dyn Fn() -> Arc<dyn EventSink> + Send + Sync>>,
    state: Mutex<State>,
    /// Held while a change is told, so that changes are told in their order.
    telling: Mutex<()>,
    /// What continuations name the bridge by.
    pub uuid: uuid::Uuid,
}

/// What the bridge's writers change, under its lock.
#[derive(Default)]
pub(crate) struct State {
    pub tables: BTreeMap<u8, Table>,
    pub groups: Arc<Groups>,
    pub meters: Arc<Meters>,
    pub ports: Arc<Ports>,
    pub config: Arc<BridgeConfig>,
    pub mirror_inputs: Vec<MirrorInput>,
    pub mirrors: Arc<Vec<mirror::Mirror>>,
    pub next_bundle: u32,
    pub protocols: Arc<protocol::View>,
    pub tlvs: Arc<tlv::TlvTable>,
    /// Changes that are made but neither published nor told (`flow_mod_deferred`).
    unpublished: Vec<(Vec<flow_mod::Done>, Option<Origin>)>,
}

impl State {
    pub fn table_mut(&mut self, id: openflow::TableId) -> &mut Table {
        self.tables.entry(id.0).or_default()
    }
}

impl Ofproto {
    fn new(
        world: Arc<World>,
        id: BridgeId,
        name: &str,
        config: BridgeConfig,
        sink: Arc<dyn EventSink>,
    ) -> Arc<Self> {
        let macs = Arc::new(MacTable::default());
        macs.configure(config.mac_age_s, config.mac_table_len_max);
        let state = State { config: Arc::new(config), next_bundle: 1, ..State::default() };
        let bridge = Arc::new(Self {
            id,
            name: name.into(),
            world,
            macs,
            protocols: protocol::Engine::default(),
            sink: ArcSwap::from_pointee(Box::new(move || sink.clone())),
            state: Mutex::new(state),
            telling: Mutex::default(),
            uuid: uuid::Uuid::new_v4(),
        });
        bridge.add_internal_rules();
        bridge
    }

    /// Who is told of events.
    pub fn sink(&self) -> Arc<dyn EventSink> {
        (self.sink.load())()
    }

    /// Changes who is told of events.
    pub fn set_sink(&self, sink: Arc<dyn EventSink>) {
        self.sink.store(Arc::new(Box::new(move || sink.clone())));
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        world::lock(&self.state)
    }

    /// Like `lock`, for callers that must not wait.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(e)) => Some(e.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    /// Runs `f` while no change is being told: what it sees in the published tables has been told, what comes later
    /// has not.
    pub fn while_untold<R>(&self, f: impl FnOnce() -> R) -> R {
        let _turn = world::lock(&self.telling);
        f()
    }

    pub fn now_ms(&self) -> i64 {
        self.world.clock.now_ms()
    }

    pub fn config(&self) -> Arc<BridgeConfig> {
        self.lock().config.clone()
    }

    /// Changes settings of the bridge.
    pub fn set_config(&self, config: BridgeConfig) {
        let mut state = self.lock();
        if *state.config == config {
            return;
        }
        self.macs.configure(config.mac_age_s, config.mac_table_len_max);
        state.config = Arc::new(config);
        self.publish_view(&state, |_| ());
    }

    /// Publishes what the bridge's protocols have decided.
    pub fn set_protocols(&self, view: protocol::View) {
        let mut state = self.lock();
        state.protocols = Arc::new(view);
        self.publish_view(&state, |_| ());
    }

    /// Ports and bundles as they are now.
    pub fn port_table(&self) -> Arc<Ports> {
        self.lock().ports.clone()
    }

    /// Says whether a table miss makes a packet-in.
    pub fn set_packet_in_on_miss(&self, on: bool) {
        let config = BridgeConfig { packet_in_on_miss: on, ..(*self.config()).clone() };
        self.set_config(config);
    }

    /// Says what happens to fragments (OFPT_SET_CONFIG).
    pub fn set_frag_mode(&self, frag: openflow::msg::FragMode) {
        let config = BridgeConfig { frag, ..(*self.config()).clone() };
        self.set_config(config);
    }

    fn view(&self, state: &State, tables: Tables) -> BridgeView {
        BridgeView {
            id: self.id,
            name: self.name.clone(),
            config: state.config.clone(),
            tables,
            ports: state.ports.clone(),
            groups: state.groups.clone(),
            meters: state.meters.clone(),
            mirrors: state.mirrors.clone(),
            protocols: state.protocols.clone(),
            macs: self.macs.clone(),
            tlvs: state.tlvs.clone(),
        }
    }

    /// Publishes everything but the rules, and what `tables` changes of them.
    fn publish_view(&self, state: &State, tables: impl FnOnce(&mut Tables)) {
        self.world.publish(|snapshot| {
            let mut next = snapshot.bridge(self.id).map(|b| b.tables.clone()).unwrap_or_default();
            tables(&mut next);
            snapshot.bridges.insert(self.id, Arc::new(self.view(state, next)));
        });
    }

    /// Publishes the given tables' rules.
    fn publish_tables(&self, state: &State, touched: impl IntoIterator<Item = u8>) {
        let touched: Vec<_> = touched.into_iter().filter_map(|n| Some((n, state.tables.get(&n)?))).collect();
        let rules = |(n, table): &(u8, &Table)| {
            let (id, table) = (openflow::TableId(*n), table.rules.take_changed());
            table.map_or(Change::Table(self.id, id), |rules| Change::Rules(self.id, id, rules))
        };
        let changes = touched.iter().map(rules).collect();
        self.world.publish_with(changes, |snapshot| {
            let mut tables = snapshot.bridge(self.id).map(|b| b.tables.clone()).unwrap_or_default();
            for (n, table) in touched {
                tables.set(openflow::TableId(n), Arc::new(table.view()));
            }
            snapshot.bridges.insert(self.id, Arc::new(self.view(state, tables)));
        });
    }

    fn publish_all(&self) {
        let state = self.lock();
        self.publish_tables(&state, state.tables.keys().copied());
    }
}
