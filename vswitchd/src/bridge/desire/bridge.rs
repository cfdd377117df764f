//! One bridge: row Bridge and what hangs on it.

use std::collections::BTreeMap;

use openflow::types::Version;
use openflow::types::VersionSet;

use super::super::rows::{self, StringMap, Tables, Uuid};
use crate::protocol::mcast;

use super::{Controller, Dummy, Port, Trees, controller, flag, number, parse_mac, port, tree};

/// What happens to new packets while no controller answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FailMode {
    #[default]
    Standalone,
    Secure,
}

/// A bridge as wanted.
#[derive(Clone, PartialEq, Debug)]
pub struct Bridge {
    pub uuid: Uuid,
    pub name: String,
    /// `netdev` or `dummy`; an unknown type makes a bridge that is not created.
    pub datapath_type: Result<&'static str, String>,
    /// `other_config:datapath-id`.
    pub datapath_id: Option<u64>,
    /// `other_config:hwaddr`.
    pub hwaddr: Option<[u8; 6]>,
    /// The local port's address while no port gives one: made from the row's UUID, so stable over restarts.
    pub default_mac: [u8; 6],
    pub fail_mode: FailMode,
    pub protocols: VersionSet,
    pub mac_age_s: u32,
    pub mac_table_len_max: usize,
    pub forward_bpdu: bool,
    pub flood_vlans: Vec<u16>,
    pub trees: Trees,
    /// Row AutoAttach: what LLDP tells of the bridge.
    pub auto_attach: rows::AutoAttach,
    pub mcast_snooping: Option<mcast::Config>,
    pub packet_in_queue_len_max: usize,
    pub dp_desc: Option<String>,
    pub serial_desc: Option<String>,
    pub flow_tables: BTreeMap<u8, FlowTable>,
    /// By name.
    pub ports: BTreeMap<String, Port>,
    /// By target.
    pub controllers: BTreeMap<String, Controller>,
    pub mirrors: Vec<Mirror>,
}

/// Row Flow_Table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FlowTable {
    pub name: Option<String>,
    pub flow_limit: Option<u32>,
    /// Evict instead of refusing when full.
    pub evict: bool,
    pub groups: Vec<String>,
    pub prefixes: Vec<String>,
}

/// Row Mirror, ports by name.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Mirror {
    pub uuid: Uuid,
    pub name: String,
    pub select_all: bool,
    pub src_ports: Vec<String>,
    pub dst_ports: Vec<String>,
    pub vlans: Vec<u16>,
    pub output_port: Option<String>,
    pub output_vlan: Option<u16>,
    pub snaplen: u16,
}

/// What `row` asks for; `interfaces_seen` maps each interface name taken so far to its bridge.
pub(super) fn desire(
    tables: &Tables,
    uuid: Uuid,
    row: &rows::Bridge,
    dummy: Dummy,
    interfaces_seen: &mut BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> Bridge {
    let config = &row.other_config;
    let mut bridge = Bridge {
        uuid,
        name: row.name.clone(),
        datapath_type: dummy.datapath_type(&row.datapath_type).ok_or_else(|| row.datapath_type.clone()),
        datapath_id: config.get("datapath-id").and_then(|s| parse_dpid(s)),
        hwaddr: hwaddr(config),
        default_mac: default_mac(uuid),
        fail_mode: fail_mode(row.fail_mode.as_deref()),
        protocols: protocols(&row.name, &row.protocols, warnings),
        mac_age_s: number(config, "mac-aging-time", 0..=i64::from(u32::MAX), 300).clamp(15, 3600) as u32,
        mac_table_len_max: number(config, "mac-table-size", 1..=i64::MAX, 8192).clamp(10, 1_000_000) as usize,
        forward_bpdu: flag(config, "forward-bpdu", false),
        flood_vlans: vlans(&row.flood_vlans),
        trees: tree::trees(row, warnings),
        auto_attach: row.auto_attach.and_then(|u| tables.auto_attach.get(&u)).cloned().unwrap_or_default(),
        mcast_snooping: row.mcast_snooping_enable.then(|| snooping(config)),
        packet_in_queue_len_max: number(config, "controller-queue-size", 1..=512, 100) as usize,
        dp_desc: config.get("dp-desc").cloned(),
        serial_desc: config.get("dp-sn").cloned(),
        flow_tables: row.flow_tables.iter().filter_map(|(n, u)| flow_table(tables, *n, u)).collect(),
        ports: port::desire_all(tables, row, interfaces_seen, warnings),
        controllers: controller::desire_all(tables, row, warnings),
        mirrors: row.mirrors.iter().filter_map(|u| mirror(tables, *u)).collect(),
    };
    if matches!(row.datapath_type.as_str(), "" | "system") && bridge.datapath_type == Ok("netdev") {
        warnings.push(format!(
            "bridge {}: no kernel datapath in this switch: datapath_type \"{}\" is served by the userspace datapath",
            row.name, row.datapath_type
        ));
    }
    bridge.mirrors.sort_by(|a, b| a.name.cmp(&b.name));
    bridge
}

fn snooping(config: &StringMap) -> mcast::Config {
    mcast::Config {
        age_ms: number(config, "mcast-snooping-aging-time", 15..=3600, 300) * 1000,
        groups_max: number(config, "mcast-snooping-table-size", 10..=1_000_000, 2048) as usize,
        flood_unregistered: !flag(config, "mcast-snooping-disable-flood-unregistered", false),
    }
}

fn fail_mode(text: Option<&str>) -> FailMode {
    match text {
        Some("secure") => FailMode::Secure,
        _ => FailMode::Standalone,
    }
}

fn protocols(bridge: &str, names: &[String], warnings: &mut Vec<String>) -> VersionSet {
    let mut set = VersionSet::NONE;
    for name in names {
        match Version::from_name(name) {
            Some(version) => set.insert(version),
            None => warnings.push(format!("bridge {bridge}: ignoring unknown protocol {name}")),
        }
    }
    if set.is_empty() { VersionSet::ALL } else { set }
}

/// 16 hex digits or `0x` and up to 16; zero is no id.
fn parse_dpid(s: &str) -> Option<u64> {
    let digits = s.strip_prefix("0x").unwrap_or(s);
    if digits.len() > 16 || (digits.len() == s.len() && digits.len() != 16) || digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().filter(|&id| id != 0)
}

fn hwaddr(config: &StringMap) -> Option<[u8; 6]> {
    let mac = parse_mac(config.get("hwaddr")?)?;
    (mac[0] & 1 == 0 && mac != [0; 6]).then_some(mac)
}

/// OVS takes the first six bytes of the UUID as it keeps it (two little-endian words) and marks them as random.
fn default_mac(uuid: Uuid) -> [u8; 6] {
    let b = uuid.as_bytes();
    [(b[3] & !1) | 2, b[2], b[1], b[0], b[7], b[6]]
}

pub(super) fn vlans(ids: &[i64]) -> Vec<u16> {
    let mut out: Vec<u16> = ids.iter().filter(|v| (0..4096).contains(*v)).map(|v| *v as u16).collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn flow_table(tables: &Tables, number: i64, uuid: &Uuid) -> Option<(u8, FlowTable)> {
    let row = tables.flow_tables.get(uuid)?;
    let id = u8::try_from(number).ok().filter(|&n| n < 254)?;
    let table = FlowTable {
        name: row.name.clone(),
        flow_limit: row.flow_limit.and_then(|n| u32::try_from(n).ok()),
        evict: row.overflow_policy.as_deref() == Some("evict"),
        groups: row.groups.clone(),
        prefixes: row.prefixes.clone(),
    };
    Some((id, table))
}

fn mirror(tables: &Tables, uuid: Uuid) -> Option<Mirror> {
    let row = tables.mirrors.get(&uuid)?;
    let names = |uuids: &[Uuid]| -> Vec<String> {
        uuids.iter().filter_map(|u| Some(tables.ports.get(u)?.name.clone())).collect()
    };
    Some(Mirror {
        uuid,
        name: row.name.clone(),
        select_all: row.select_all,
        src_ports: names(&row.select_src_port),
        dst_ports: names(&row.select_dst_port),
        vlans: vlans(&row.select_vlan),
        output_port: row.output_port.and_then(|u| Some(tables.ports.get(&u)?.name.clone())),
        output_vlan: row.output_vlan.filter(|v| (1..4096).contains(v)).map(|v| v as u16),
        snaplen: row.snaplen.filter(|n| (14..=65535).contains(n)).map_or(0, |n| n as u16),
    })
}

#[cfg(test)]
pub(super) fn test_parse_dpid(s: &str) -> Option<u64> {
    parse_dpid(s)
}
