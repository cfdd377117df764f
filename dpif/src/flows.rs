//! Megaflows as the control plane sees them, packet execution, and datapath-wide settings.
//!
//! Each worker owns its table: it alone inserts into, looks up in and removes from it. Control threads hold shared
//! entries ([`Megaflow`]): they read counters from them at any time and ask the owning worker, through its bounded command
//! queue, to change or remove them. Nothing here waits for a packet.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use flow::{Flow, Mask};

use crate::action::{Action, Actions};

/// A worker: a PMD thread by its core, or the thread that serves the ports without one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WorkerId(pub u32);

impl WorkerId {
    /// The non-PMD worker ("main thread" in OVS's texts).
    pub const MAIN: WorkerId = WorkerId(u32::MAX);
}

/// Unique flow identifier: a hash of the full key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ufid(pub u128);

/// Counters of a megaflow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FlowStats {
    pub packets: u64,
    pub bytes: u64,
    /// `Clock` ms of the last packet; 0 = never used.
    pub used_ms: i64,
    /// OR of all TCP flags seen, host order.
    pub tcp_flags: u16,
}

/// An installed megaflow. Counters may be read from any thread.
pub trait Megaflow: Send + Sync {
    fn ufid(&self) -> Ufid;
    fn worker(&self) -> WorkerId;
    /// The key, already masked.
    fn key(&self) -> Flow;
    fn mask(&self) -> Mask;
    fn actions(&self) -> Arc<[Action]>;
    fn stats(&self) -> FlowStats;
    /// What the upcall handler gave along in `UpcallReply::owner`.
    fn owner(&self) -> Option<&Arc<dyn Any + Send + Sync>>;
    /// True once the worker has taken it out of its table.
    fn is_dead(&self) -> bool;
}

/// A megaflow to install from outside (`dpctl/add-flow`, tests).
pub struct FlowPut {
    /// `None` = on every worker.
    pub worker: Option<WorkerId>,
    pub key: Flow,
    pub mask: Mask,
    pub actions: Actions,
    pub owner: Option<Arc<dyn Any + Send + Sync>>,
}

#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum FlowError {
    #[error("flow exists")]
    Exists,
    #[error("no such flow")]
    NotFound,
    #[error("the datapath's flow table is full ({0} flows); raise other_config:flow-limit")]
    Full(usize),
    #[error("the worker's command queue is full; try again")]
    Busy,
    #[error("{0}")]
    Invalid(String),
}

/// Inspection and change of megaflows.
pub trait Flows: Send + Sync {
    fn flow_put(&self, put: FlowPut) -> Result<(), FlowError>;
    /// Replaces the actions; packets in flight use the old or the new list, never a mixture.
    fn flow_modify(&self, flow: &Arc<dyn Megaflow>, actions: Actions) -> Result<(), FlowError>;
    fn flow_delete(&self, flow: &Arc<dyn Megaflow>) -> Result<(), FlowError>;
    /// Removes every megaflow of every worker.
    fn flow_flush(&self);
    /// Calls `visit` for each live megaflow, worker by worker.
    fn flow_dump(&self, visit: &mut dyn FnMut(&Arc<dyn Megaflow>));
    fn n_flows(&self) -> usize;
    fn stats(&self) -> DatapathStats;
}

/// The figures of `dpctl/show`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DatapathStats {
    pub hit: u64,
    pub missed: u64,
    pub lost: u64,
    pub n_flows: u64,
    pub n_masks: u64,
}

/// A packet to run through actions now.
pub struct ExecuteRequest<'a> {
    /// From the Ethernet header (or the L3 header for packet_type ns 1).
    pub packet: &'a [u8],
    /// Key of the packet; metadata lines are taken from it.
    pub flow: &'a Flow,
    pub actions: &'a [Action],
    /// Output MTU check; 0 = none.
    pub mtu: u16,
}

/// Running actions on a packet that the control plane holds (packet-out, slow path, continuations).
pub trait Execute: Send + Sync {
    fn execute(&self, request: &ExecuteRequest<'_>) -> Result<(), FlowError>;
}

/// Settings of the whole datapath, as `Open_vSwitch.other_config` gives them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DatapathConfig {
    /// All of `Open_vSwitch.other_config`: the datapath reads its own keys (pmd-cpu-mask, pmd-rxq-assign,
    /// emc-insert-inv-prob, smc-enable, tx-flush-interval, pmd-perf-metrics, vhost-*, per-port-memory ...).
    pub other_config: BTreeMap<String, String>,
    /// Megaflows a worker may hold; the revalidator moves it.
    pub flow_limit: usize,
}

/// Datapath-wide control.
pub trait Control: Send + Sync {
    /// Applies settings; starts and stops PMD threads while the others forward. Errors name the key and what to do.
    fn configure(&self, config: &DatapathConfig) -> Result<(), String>;
    /// The most megaflows per worker from now on.
    fn set_flow_limit(&self, flows_max: usize);
    /// `netdev@ovs-netdev` parts: datapath type and name.
    fn type_and_name(&self) -> (&'static str, &'static str);
    /// Replaces meter `id` (`None` deletes it): kbps or kpps bands, see `MeterConfig`.
    fn meter_set(&self, id: u32, config: Option<MeterConfig>) -> Result<(), String>;
    fn meter_stats(&self, id: u32) -> Option<MeterStats>;
    /// For `Open_vSwitch.dpdk_initialized` and `dpdk_version`; a datapath without DPDK has the default.
    fn dpdk(&self) -> DpdkState {
        DpdkState::default()
    }
}

/// What the daemon's database says of DPDK.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DpdkState {
    pub initialized: bool,
    /// "DPDK 22.11.11"; `None` in a build without DPDK.
    pub version: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeterConfig {
    /// Packets per second instead of kilobits per second.
    pub pktps: bool,
    /// (rate, burst) of each drop band, in the meter's unit.
    pub bands: Vec<(u32, u32)>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MeterStats {
    pub packets_in: u64,
    pub bytes_in: u64,
    /// (packets, bytes) dropped by each band.
    pub bands: Vec<(u64, u64)>,
}
