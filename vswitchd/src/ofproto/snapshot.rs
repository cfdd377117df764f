//! What translation sees: an immutable picture of all bridges of a datapath, published by pointer swap. Parts that did
//! not change are shared with the picture before. Counters and the MAC tables inside are live.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use dpif::DpPort;
use openflow::msg::port::{PortConfig, PortState};
use openflow::{GroupId, MeterId, OfPort, TableId};

use super::config::{BridgeConfig, BundleId, PriorityTags, VlanMode};
use super::group::Group;
use super::listing::Listing;
use super::meter::Meter;
use super::mirror::Mirror;
use super::rule::Rule;
use crate::classifier::View;
use crate::mac_learning::MacTable;
use crate::protocol;

/// Place of a bridge in a snapshot; not reused while the daemon runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BridgeId(pub u32);

/// A port of some bridge.
pub type PortKey = (BridgeId, OfPort);

/// All bridges of one datapath.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Grows with each publication.
    pub generation: u64,
    pub bridges: BTreeMap<BridgeId, Arc<BridgeView>>,
    pub dp_ports: Arc<HashMap<DpPort, PortKey>>,
    /// Patch ports by name.
    pub patches: Arc<HashMap<String, PortKey>>,
    /// Tags that keys have at most (`other_config:vlan-limit`); 0 = as many as there is room for.
    pub vlan_limit: u32,
}

impl Snapshot {
    pub fn bridge(&self, id: BridgeId) -> Option<&Arc<BridgeView>> {
        self.bridges.get(&id)
    }

    pub fn bridge_by_name(&self, name: &str) -> Option<&Arc<BridgeView>> {
        self.bridges.values().find(|b| b.name == name)
    }

    /// The bridge and port that a datapath port belongs to.
    pub fn port_of(&self, dp_port: DpPort) -> Option<(&Arc<BridgeView>, OfPort)> {
        let (bridge, port) = self.dp_ports.get(&dp_port)?;
        Some((self.bridges.get(bridge)?, *port))
    }

    /// The far end of patch port `port`: both ends must name each other.
    pub fn patch_peer(&self, port: &Port) -> Option<(&Arc<BridgeView>, &Arc<Port>)> {
        let (bridge, number) = self.patches.get(port.peer.as_deref()?)?;
        let bridge = self.bridges.get(bridge)?;
        let peer = bridge.ports.get(*number)?;
        (peer.peer.as_deref() == Some(port.name.as_str())).then_some((bridge, peer))
    }
}

/// One bridge.
#[derive(Clone)]
pub struct BridgeView {
    pub id: BridgeId,
    pub name: String,
    pub config: Arc<BridgeConfig>,
    pub tables: Tables,
    pub ports: Arc<Ports>,
    pub groups: Arc<BTreeMap<GroupId, Arc<Group>>>,
    pub meters: Arc<BTreeMap<MeterId, Arc<Meter>>>,
    pub mirrors: Arc<Vec<Mirror>>,
    pub protocols: Arc<protocol::View>,
    /// Live.
    pub macs: Arc<MacTable>,
    /// What the tunnel metadata fields stand for.
    pub tlvs: Arc<super::tlv::TlvTable>,
}

pub const N_TABLES: usize = 255;
const TABLES_PER_BLOCK: usize = 16;

/// A table's rules and live counters.
#[derive(Clone, Default)]
pub struct TableView {
    pub rules: View<Rule>,
    pub counters: Arc<TableCounters>,
    pub miss: TableMissAction,
}

#[derive(Default, Debug)]
pub struct TableCounters {
    pub matched: AtomicU64,
    pub missed: AtomicU64,
}

/// What a miss in a table does (OFPT_TABLE_MOD of 1.1 and 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TableMissAction {
    /// As the controllers' protocol version has it.
    #[default]
    Default,
    Controller,
    Continue,
    Drop,
}

type Block = [Option<Arc<TableView>>; TABLES_PER_BLOCK];

/// The tables in two levels, so that a flow-mod copies few pointers.
#[derive(Clone)]
pub struct Tables([Arc<Block>; TABLES_PER_BLOCK]);

impl Default for Tables {
    fn default() -> Self {
        let empty: Arc<Block> = Arc::new([const { None }; TABLES_PER_BLOCK]);
        Self(std::array::from_fn(|_| empty.clone()))
    }
}

impl Tables {
    /// `None` while nothing was ever put into the table.
    pub fn get(&self, id: TableId) -> Option<&Arc<TableView>> {
        self.0[id.0 as usize / TABLES_PER_BLOCK][id.0 as usize % TABLES_PER_BLOCK].as_ref()
    }

    pub(super) fn set(&mut self, id: TableId, table: Arc<TableView>) {
        let block = Arc::make_mut(&mut self.0[id.0 as usize / TABLES_PER_BLOCK]);
        block[id.0 as usize % TABLES_PER_BLOCK] = Some(table);
    }

    /// The tables that are not the same as in `before`.
    pub fn changed<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = TableId> + 'a {
        let blocks = self.0.iter().zip(&before.0).enumerate().filter(|(_, (a, b))| !Arc::ptr_eq(a, b));
        blocks.flat_map(|(n, (a, b))| {
            let differs = |(a, b): (&Option<Arc<TableView>>, &Option<Arc<TableView>>)| match (a, b) {
                (Some(a), Some(b)) => !Arc::ptr_eq(a, b),
                (a, b) => a.is_some() != b.is_some(),
            };
            let pairs = a.iter().zip(b.iter()).enumerate().filter(move |(_, pair)| differs(*pair));
            pairs.map(move |(m, _)| TableId((n * TABLES_PER_BLOCK + m) as u8))
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (TableId, &Arc<TableView>)> {
        (0..N_TABLES as u8).filter_map(|n| Some((TableId(n), self.get(TableId(n))?)))
    }
}

/// Ports and bundles of a bridge.
#[derive(Clone, Default)]
pub struct Ports {
    pub by_number: BTreeMap<OfPort, Arc<Port>>,
    pub bundles: BTreeMap<BundleId, Arc<Bundle>>,
    /// The numbers in the order of floods and port statistics.
    pub listing: Listing,
}

impl Ports {
    pub(super) fn insert(&mut self, port: Port) {
        self.listing.insert(port.number);
        self.by_number.insert(port.number, Arc::new(port));
    }
    pub(super) fn remove(&mut self, number: OfPort) -> Option<Arc<Port>> {
        self.listing.remove(number);
        self.by_number.remove(&number)
    }
    /// All ports in the order of floods and port statistics.
    pub fn listed(&self) -> impl Iterator<Item = &Arc<Port>> {
        self.listing.iter().filter_map(|n| self.get(n))
    }
    pub fn get(&self, number: OfPort) -> Option<&Arc<Port>> {
        self.by_number.get(&number)
    }
    pub fn by_name(&self, name: &str) -> Option<&Arc<Port>> {
        self.by_number.values().find(|p| p.name == name)
    }
    pub fn bundle(&self, id: BundleId) -> Option<&Arc<Bundle>> {
        self.bundles.get(&id)
    }
    /// The bundle that `port` is a member of.
    pub fn bundle_of(&self, port: OfPort) -> Option<&Arc<Bundle>> {
        self.bundle(self.get(port)?.bundle?)
    }
}

/// An OpenFlow port.
#[derive(Clone, Debug)]
pub struct Port {
    pub number: OfPort,
    pub name: String,
    pub dp_port: Option<DpPort>,
    pub peer: Option<String>,
    pub hw_addr: [u8; 6],
    pub config: PortConfig,
    pub state: PortState,
    pub speed_kbps: u32,
    pub mtu: u32,
    pub bundle: Option<BundleId>,
    pub created_ms: i64,
    /// Patch ports count here; others in the datapath.
    pub counters: Arc<PortCounters>,
}

/// Counters of a patch port.
#[derive(Default, Debug)]
pub struct PortCounters {
    pub rx_packets: AtomicU64,
    pub rx_bytes: AtomicU64,
    pub tx_packets: AtomicU64,
    pub tx_bytes: AtomicU64,
}

impl Port {
    pub fn is_up(&self) -> bool {
        !self.config.contains(PortConfig::PORT_DOWN) && !self.state.contains(PortState::LINK_DOWN)
    }
}

/// The 4096 VLANs as bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VlanSet(Box<[u64; 64]>);

impl VlanSet {
    /// `None` for an empty list: no restriction.
    pub fn of(vlans: &[u16]) -> Option<Self> {
        let mut bits = Box::new([0u64; 64]);
        for vlan in vlans.iter().filter(|v| **v < 4096) {
            bits[*vlan as usize / 64] |= 1 << (vlan % 64);
        }
        (!vlans.is_empty()).then_some(Self(bits))
    }
    pub fn contains(&self, vlan: u16) -> bool {
        self.0.get(vlan as usize / 64).is_some_and(|word| word >> (vlan % 64) & 1 != 0)
    }
}

/// One or several ports that NORMAL takes as one.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub id: BundleId,
    pub name: String,
    pub vlan_mode: VlanMode,
    /// Access or native VLAN, 0 = none.
    pub tag: u16,
    /// `None` = all.
    pub trunks: Option<VlanSet>,
    pub cvlans: Option<VlanSet>,
    pub qinq_ethtype: u16,
    pub priority_tags: PriorityTags,
    pub protected: bool,
    pub members: Vec<OfPort>,
}

impl Bundle {
    /// True when packets of `vlan` may pass.
    pub fn carries(&self, vlan: u16) -> bool {
        let in_trunks = || self.trunks.as_ref().is_none_or(|t| t.contains(vlan));
        match self.vlan_mode {
            VlanMode::Access => vlan == self.tag,
            VlanMode::Trunk => in_trunks(),
            // What has no VLAN is in the native one.
            VlanMode::NativeTagged | VlanMode::NativeUntagged => {
                vlan == self.tag || (vlan != 0 && in_trunks())
            }
            VlanMode::Dot1qTunnel => vlan == self.tag,
        }
    }
}
