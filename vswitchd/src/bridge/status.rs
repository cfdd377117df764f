//! `status`: what the switch writes into the database. Every call names the whole wanted content of the columns; the
//! transaction keeps only what differs from the replica, so an unchanged switch writes nothing.

use std::collections::BTreeMap;

use dpif::{PortStats, PortStatus};
use openflow::msg::Role;
use ovsdb::client::Transaction;
use ovsdb::value::{Atom, Datum, Uuid};

use super::switch::{LiveBridge, Switch};
use crate::connmgr::ControllerStatus;

/// The row of table Open_vSwitch.
#[derive(Clone, Debug, Default)]
pub struct SwitchStatus {
    pub uuid: Uuid,
    /// The configuration that is in force; `None` while it is still being applied.
    pub cur_cfg: Option<i64>,
    pub dpdk_initialized: bool,
    pub dpdk_version: Option<String>,
    pub iface_types: Vec<String>,
    pub datapath_types: Vec<String>,
}

/// A row of table Interface.
#[derive(Clone, Debug)]
pub struct InterfaceStatus {
    pub uuid: Uuid,
    /// OpenFlow number, or the text of `error`.
    pub outcome: Result<u32, String>,
    /// `None` for ports without a device that could tell.
    pub port: Option<PortStatus>,
}

/// What else a bridge's row says.
#[derive(Clone, Debug)]
pub struct BridgeStatus {
    pub uuid: Uuid,
    pub datapath_id: u64,
}

impl SwitchStatus {
    pub fn write(&self, txn: &mut Transaction<'_>) {
        let set = |txn: &mut Transaction<'_>, column, value: Datum| {
            txn.set("Open_vSwitch", self.uuid, column, value);
        };
        if let Some(cfg) = self.cur_cfg {
            set(txn, "cur_cfg", Datum::One(Atom::Integer(cfg)));
        }
        set(txn, "dpdk_initialized", Datum::One(Atom::Boolean(self.dpdk_initialized)));
        set(txn, "dpdk_version", optional(self.dpdk_version.as_deref()));
        set(txn, "iface_types", strings(&self.iface_types));
        set(txn, "datapath_types", strings(&self.datapath_types));
    }
}

impl BridgeStatus {
    pub fn write(&self, txn: &mut Transaction<'_>) {
        let id = format!("{:016x}", self.datapath_id);
        txn.set("Bridge", self.uuid, "datapath_id", Datum::One(Atom::from(id.as_str())));
        txn.set("Bridge", self.uuid, "datapath_version", Datum::One(Atom::from("<built-in>")));
    }
}

impl InterfaceStatus {
    pub fn write(&self, txn: &mut Transaction<'_>) {
        let mut set = |column, value| txn.set("Interface", self.uuid, column, value);
        match &self.outcome {
            Ok(number) => {
                set("ofport", integer(i64::from(*number)));
                set("error", Datum::Empty);
            }
            Err(error) => {
                set("ofport", integer(-1));
                set("error", optional(Some(error)));
            }
        }
        let none = PortStatus::default();
        let (up, port) = match (&self.outcome, &self.port) {
            (Ok(_), Some(port)) => (true, port),
            _ => (false, &none),
        };
        let state = |is_up: bool| optional(up.then_some(if is_up { "up" } else { "down" }));
        let number = |n: Option<i64>| n.filter(|_| up).map_or(Datum::Empty, integer);
        set("mac_in_use", optional(up.then(|| format_mac(port.mac)).as_deref()));
        set("mtu", number((port.mtu != 0).then_some(i64::from(port.mtu))));
        set("ifindex", number(Some(i64::from(port.ifindex.unwrap_or(0)))));
        set("admin_state", state(port.admin_up));
        set("link_state", state(port.link_up));
        set("link_resets", number(Some(port.link_resets as i64)));
        set("link_speed", number(port.link_speed_bps.map(|bps| bps as i64)));
        let duplex = port.full_duplex.filter(|_| up).map(|full| if full { "full" } else { "half" });
        set("duplex", optional(duplex));
        set("status", string_map(&port.status));
        if !up {
            set("statistics", Datum::Empty);
        }
    }
}

/// Writes the counters of an interface.
pub fn write_statistics(txn: &mut Transaction<'_>, interface: Uuid, stats: &PortStats) {
    let counted = !stats.is_traffic_only;
    let mut pairs = vec![
        ("rx_packets", Some(stats.rx_packets)),
        ("tx_packets", Some(stats.tx_packets)),
        ("rx_bytes", Some(stats.rx_bytes)),
        ("tx_bytes", Some(stats.tx_bytes)),
        ("rx_dropped", counted.then_some(stats.rx_dropped)),
        ("tx_dropped", counted.then_some(stats.tx_dropped)),
        ("rx_errors", counted.then_some(stats.rx_errors)),
        ("tx_errors", counted.then_some(stats.tx_errors)),
        ("collisions", stats.collisions),
        ("rx_frame_err", stats.rx_frame_err),
        ("rx_over_err", stats.rx_over_err),
        ("rx_crc_err", stats.rx_crc_err),
        ("rx_missed_errors", stats.rx_missed_errors),
    ];
    pairs.extend(stats.custom.iter().map(|(name, value)| (name.as_str(), Some(*value))));
    let pairs = pairs.into_iter().filter_map(|(name, value)| {
        Some((Atom::from(name), Atom::Integer(i64::try_from(value?).unwrap_or(i64::MAX))))
    });
    txn.set("Interface", interface, "statistics", Datum::map(pairs.collect()));
}

/// Writes the counters of a mirror.
pub fn write_mirror(txn: &mut Transaction<'_>, uuid: Uuid, (packets, bytes): (u64, u64)) {
    let pair = |name: &str, n: u64| (Atom::from(name), Atom::Integer(i64::try_from(n).unwrap_or(i64::MAX)));
    let pairs = vec![pair("tx_bytes", bytes), pair("tx_packets", packets)];
    txn.set("Mirror", uuid, "statistics", Datum::map(pairs));
}

/// Writes the state of a controller; `status` only when `with_times`, because it changes every second.
pub fn write_controller(
    txn: &mut Transaction<'_>,
    uuid: Uuid,
    controller: &ControllerStatus,
    now_ms: i64,
    with_times: bool,
) {
    txn.set("Controller", uuid, "is_connected", Datum::One(Atom::Boolean(controller.is_connected)));
    let role = controller.role.filter(|_| controller.is_connected).map(|role| match role {
        Role::Primary => "master",
        Role::Secondary => "slave",
        _ => "other",
    });
    txn.set("Controller", uuid, "role", optional(role));
    if !with_times {
        return;
    }
    let mut status = BTreeMap::new();
    if !controller.state.is_empty() {
        status.insert("state".to_string(), controller.state.to_string());
    }
    if let Some(error) = &controller.last_error {
        status.insert("last_error".into(), error.clone());
    }
    let mut since = |key: &str, ms: Option<i64>| {
        if let Some(ms) = ms {
            status.insert(key.into(), ((now_ms - ms).max(0) / 1000).to_string());
        }
    };
    since("sec_since_connect", controller.connected_ms);
    since("sec_since_disconnect", controller.disconnected_ms);
    for (kind, stats) in ["miss", "action"].into_iter().zip(controller.limiters.iter().flatten()) {
        let mut put = |what: &str, n: u64| status.insert(format!("packet-in-{kind}-{what}"), n.to_string());
        put("backlog", stats.backlog as u64);
        put("bypassed", stats.bypassed);
        put("queued", stats.queued);
        put("dropped", stats.dropped);
    }
    txn.set("Controller", uuid, "status", string_map(&status));
}

/// The figures of `memory/show`.
pub fn memory(switch: &Switch) -> Vec<(String, u64)> {
    let bridges = switch.bridges();
    let n_flows = switch.backers().first().map_or(0, |b| b.datapath.n_flows());
    let sum = |count: fn(&LiveBridge) -> usize| bridges.iter().map(|b| count(b)).sum::<usize>() as u64;
    vec![
        ("handlers".into(), 1),
        ("ofconns".into(), sum(|b| b.controllers.n_connections())),
        ("ports".into(), sum(|b| b.ofproto.ports().len())),
        ("revalidators".into(), 1),
        ("rules".into(), sum(|b| b.ofproto.n_rules())),
        ("udpif keys".into(), n_flows as u64),
    ]
}

/// Fills in a Datapath row that somebody else made (ovn-controller does).
pub fn write_datapath(txn: &mut Transaction<'_>, uuid: Uuid, vlan_limit: u32) {
    let vlans = match vlan_limit {
        0 => 2,
        n => n,
    };
    let mut capabilities: BTreeMap<String, String> =
        CAPABILITIES.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    capabilities.insert("max_vlan_headers".into(), vlans.to_string());
    txn.set("Datapath", uuid, "datapath_version", Datum::One(Atom::from("<built-in>")));
    txn.set("Datapath", uuid, "capabilities", string_map(&capabilities));
}

/// What the datapath of this version can do, in the words of `Datapath.capabilities`.
const CAPABILITIES: &[(&str, &str)] = &[
    ("recirc", "true"),
    ("masked_set_action", "true"),
    ("ufid", "true"),
    ("trunc", "true"),
    ("nd_ext", "true"),
    ("clone", "true"),
    ("sample_nesting", "10"),
    ("max_hash_alg", "1"),
    ("check_pkt_len", "true"),
    ("explicit_drop_action", "true"),
    ("max_mpls_depth", "3"),
    ("add_mpls", "false"),
    ("tnl_push_pop", "false"),
    ("lb_output_action", "false"),
    ("ct_state", "false"),
    ("ct_state_nat", "false"),
    ("ct_zone", "false"),
    ("ct_mark", "false"),
    ("ct_label", "false"),
    ("ct_orig_tuple", "false"),
    ("ct_orig_tuple6", "false"),
    ("ct_eventmask", "false"),
    ("ct_clear", "false"),
    ("ct_timeout", "false"),
    ("ct_zero_snat", "false"),
];

pub fn format_mac(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn integer(n: i64) -> Datum {
    Datum::One(Atom::Integer(n))
}

fn optional(text: Option<&str>) -> Datum {
    text.map_or(Datum::Empty, |t| Datum::One(Atom::from(t)))
}

fn strings(texts: &[String]) -> Datum {
    Datum::set(texts.iter().map(|t| Atom::from(t.as_str())).collect())
}

pub(super) fn string_map(map: &BTreeMap<String, String>) -> Datum {
    Datum::map(map.iter().map(|(k, v)| (Atom::from(k.as_str()), Atom::from(v.as_str()))).collect())
}
