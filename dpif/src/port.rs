//! Ports: what is wanted (`PortSpec`), what is (`PortStatus`, `PortStats`), and the trait that changes them.
//! Control plane only; any control thread may call.

use std::collections::BTreeMap;

/// A datapath port number; 0 is the datapath's own internal port in OVS's numbering.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DpPort(pub u32);

impl DpPort {
    /// No port.
    pub const NONE: DpPort = DpPort(u32::MAX);
}

impl std::fmt::Display for DpPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What the configuration wants of a port. Equal specs mean "nothing to do".
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortSpec {
    /// Interface name, unique in the datapath.
    pub name: String,
    /// `Interface.type`: dpdk, dpdkvhostuserclient, dpdkvhostuser, internal, tap, system, dummy, dummy-internal, dummy-pmd ...
    /// (patch ports and tunnels have no datapath port of this kind).
    pub kind: String,
    /// `Interface.options`.
    pub options: BTreeMap<String, String>,
    /// `Interface.other_config` (pmd-rxq-affinity, emc-enable, tx-steering).
    pub other_config: BTreeMap<String, String>,
    pub mtu_request: Option<u32>,
    /// Hardware address to set (internal ports).
    pub mac: Option<[u8; 6]>,
    /// `ingress_policing_rate` / `burst` (kbps, kb), `_kpkts_rate` / `_burst`; 0 = off.
    pub policing: Policing,
    /// `Port.qos`.
    pub qos: Option<Qos>,
}

/// Egress QoS: a row of table QoS with its rows of table Queue, by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Qos {
    /// `QoS.type`.
    pub kind: String,
    pub config: BTreeMap<String, String>,
    pub queues: BTreeMap<u32, BTreeMap<String, String>>,
}

/// What became of a queue's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueStats {
    pub packets: u64,
    pub bytes: u64,
    pub errors: u64,
}

/// Ingress policing of a port; rates of 0 mean off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policing {
    pub rate_kbps: u32,
    pub burst_kb: u32,
    pub rate_kpps: u32,
    pub burst_kpkts: u32,
}

/// Counters of a port; `None` = the device does not count it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortStats {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    /// The device counts packets and bytes only: what is said above of drops and errors means nothing.
    pub is_traffic_only: bool,
    pub collisions: Option<u64>,
    pub rx_frame_err: Option<u64>,
    pub rx_over_err: Option<u64>,
    pub rx_crc_err: Option<u64>,
    pub rx_missed_errors: Option<u64>,
    /// Further counters under the names of `Interface.statistics` (ovs_tx_retries, rx_q0_good_packets, ...).
    pub custom: Vec<(String, u64)>,
}

/// The state of a port as its device reports it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortStatus {
    pub mac: [u8; 6],
    pub mtu: u32,
    pub ifindex: Option<u32>,
    pub admin_up: bool,
    pub link_up: bool,
    pub link_resets: u64,
    /// Bits per second; `None` when unknown.
    pub link_speed_bps: Option<u64>,
    pub full_duplex: Option<bool>,
    /// `Interface.status`.
    pub status: BTreeMap<String, String>,
    /// `k=v` pairs that `dpif/show` and `dpctl/show` print after the type, in order.
    pub config: Vec<(String, String)>,
    /// The type that `dpif/show` prints (an internal port is a `tap` on the userspace datapath).
    pub shown_kind: String,
}

/// Why a port could not be made or changed; the text goes to `Interface.error`, so it says what to do.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum PortError {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}: a port of this name exists")]
    Exists(String),
    #[error("no port {0}")]
    NotFound(String),
    #[error("{0}")]
    Device(String),
}

/// Something happened to a port without being asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortEvent {
    /// Link, MTU, MAC or queue count changed: read `status` again.
    Changed(DpPort),
}

/// Creation, change and inspection of ports. Changing one port never stops traffic between others.
pub trait Ports: Send + Sync {
    /// Opens the device and starts polling it. `wish` is the port number to use if free.
    fn port_add(&self, spec: &PortSpec, wish: Option<DpPort>) -> Result<DpPort, PortError>;
    /// Opens the device as `port_add` does, but polls it only after `port_start`: what arrives while the port is being made
    /// known above waits in the device and is not lost.
    fn port_open(&self, spec: &PortSpec, wish: Option<DpPort>) -> Result<DpPort, PortError> {
        self.port_add(spec, wish)
    }
    /// Begins to poll ports that `port_open` opened; numbers that name no port are ignored.
    fn port_start(&self, ports: &[DpPort]) {
        let _ = ports;
    }
    /// Stops polling and closes the device.
    fn port_remove(&self, port: DpPort) -> Result<(), PortError>;
    /// Brings an open port to `spec` (same name and kind), touching only what differs.
    fn port_reconfigure(&self, port: DpPort, spec: &PortSpec) -> Result<(), PortError>;
    fn port_status(&self, port: DpPort) -> Result<PortStatus, PortError>;
    fn port_stats(&self, port: DpPort) -> Result<PortStats, PortError>;
    /// The counters of queue 0 and the types that `port` could have; a datapath without QoS has none.
    fn port_qos(&self, port: DpPort) -> Result<(QueueStats, Vec<&'static str>), PortError> {
        let _ = port;
        Ok(Default::default())
    }
    /// Brings the device administratively up or down.
    fn port_set_admin_up(&self, port: DpPort, up: bool) -> Result<(), PortError>;
    /// All ports with their name and kind, by number.
    fn ports(&self) -> Vec<(DpPort, String, String)>;
    /// Grows whenever a `PortEvent` was queued.
    fn port_changes(&self) -> u64;
    /// The kinds this datapath can open (`iface_types`).
    fn port_kinds(&self) -> Vec<&'static str>;
}
