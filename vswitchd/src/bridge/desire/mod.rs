//! `desire`: what the rows ask for. Pure; same rows, same answer. Values out of range fall back to OVS's defaults, and
//! what cannot be honoured is said in `warnings`, never refused as a whole.

mod bridge;
mod controller;
mod interface;
mod lacp;
mod links;
mod port;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use super::rows::{StringMap, Tables, Uuid};

pub use bridge::{Bridge, FailMode, FlowTable, Mirror};
pub use controller::Controller;
pub use interface::{Backing, Interface};
pub use lacp::{Lacp, LacpMember};
pub use links::Links;
pub use port::{Port, PriorityTags, Vlan, VlanMode};
pub use tree::{PortTree, PortTrees, Tree, Trees};

/// Largest value that stands for "no limit" in `flow-limit`.
const FLOW_LIMIT_DEFAULT: usize = 200_000;

/// What the whole switch should be.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Desired {
    pub switch: Switch,
    /// By name.
    pub bridges: BTreeMap<String, Bridge>,
    /// What the rows say that cannot be honoured, in the words of the log.
    pub warnings: Vec<String>,
}

/// Settings of `Open_vSwitch` that are not of one bridge.
#[derive(Clone, PartialEq, Debug)]
pub struct Switch {
    /// All of `other_config`, for the datapath.
    pub other_config: StringMap,
    pub flow_limit: usize,
    pub idle_ms_max: i64,
    pub revalidator_ms_max: i64,
    pub revalidate_pps_min: u64,
    /// VLAN headers that may be matched; 0 = as many as the datapath can.
    pub vlan_limit: u32,
    pub stats_interval_ms: i64,
    /// Hold packets and controllers back until flows are restored.
    pub flow_restore_wait: bool,
    /// Datapath rows to fill in, by datapath type.
    pub datapaths: BTreeMap<String, Uuid>,
    pub next_cfg: i64,
}

impl Default for Switch {
    fn default() -> Self {
        Switch::from_config(&StringMap::new())
    }
}

impl Switch {
    fn from_config(config: &StringMap) -> Self {
        Switch {
            flow_limit: number(config, "flow-limit", 0..=i64::from(u32::MAX), FLOW_LIMIT_DEFAULT as i64)
                as usize,
            idle_ms_max: number(config, "max-idle", 500..=i64::MAX, 10_000),
            revalidator_ms_max: number(config, "max-revalidator", 100..=i64::MAX, 500),
            revalidate_pps_min: number(config, "min-revalidate-pps", 0..=i64::MAX, 5) as u64,
            vlan_limit: number(config, "vlan-limit", 0..=2, 1) as u32,
            stats_interval_ms: number(config, "stats-update-interval", i64::MIN..=i64::MAX, 5000).max(5000),
            flow_restore_wait: flag(config, "flow-restore-wait", false),
            other_config: config.clone(),
            datapaths: BTreeMap::new(),
            next_cfg: 0,
        }
    }
}

/// How datapath types are understood on this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dummy {
    /// No `--enable-dummy`: type `dummy` is unknown.
    #[default]
    Off,
    /// `--enable-dummy`: type `dummy` exists.
    On,
    /// `--enable-dummy=system`: `system` is `dummy` too.
    System,
    /// `--enable-dummy=override`: every type is `dummy`.
    Override,
}

impl Dummy {
    /// The datapath type that serves bridges of type `asked`. There is no kernel datapath here, so the types that
    /// mean it ("" and "system") are served by the userspace one; a user who has no kernel module wants a bridge that
    /// works.
    pub fn datapath_type(self, asked: &str) -> Option<&'static str> {
        match (asked, self) {
            ("" | "system" | "netdev" | "dummy", Dummy::Override) => Some("dummy"),
            ("" | "system", Dummy::System) => Some("dummy"),
            ("" | "system" | "netdev", _) => Some("netdev"),
            ("dummy", Dummy::Off) => None,
            ("dummy", _) => Some("dummy"),
            _ => None,
        }
    }
}

/// What the rows of `tables` ask for.
pub fn desire(tables: &Tables, dummy: Dummy) -> Desired {
    let mut desired = Desired::default();
    let Some((_, open)) = &tables.open_vswitch else { return desired };
    desired.switch = Switch::from_config(&open.other_config);
    desired.switch.datapaths = open.datapaths.clone();
    desired.switch.next_cfg = open.next_cfg;
    let mut interfaces_seen = BTreeMap::new();
    for (uuid, row) in open.bridges.iter().filter_map(|u| Some((*u, tables.bridges.get(u)?))) {
        if !is_bridge_name(&row.name) {
            desired.warnings.push(format!("ignoring bridge with invalid name \"{}\"", row.name));
            continue;
        }
        let bridge = bridge::desire(tables, uuid, row, dummy, &mut interfaces_seen, &mut desired.warnings);
        desired.bridges.insert(row.name.clone(), bridge);
    }
    desired
}

/// A name that can be a socket's file name in the run directory.
fn is_bridge_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".." && !name.contains('\0')
}

/// An integer of `config` within `range`, else `default`. Accepts decimal, 0x hex and 0 octal as OVS does.
fn number(config: &StringMap, key: &str, range: std::ops::RangeInclusive<i64>, default: i64) -> i64 {
    config.get(key).and_then(|s| parse_integer(s)).filter(|n| range.contains(n)).unwrap_or(default)
}

/// A boolean of `config`: the opposite of `default` only if it says so.
fn flag(config: &StringMap, key: &str, default: bool) -> bool {
    match config.get(key).map(String::as_str) {
        Some(s) if default => !s.eq_ignore_ascii_case("false"),
        Some(s) => s.eq_ignore_ascii_case("true"),
        None => default,
    }
}

fn parse_integer(s: &str) -> Option<i64> {
    let s = s.trim();
    if let Some(hex) = s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok();
    }
    if s.len() > 1 && s.starts_with('0') && s.bytes().all(|b| b.is_ascii_digit()) {
        return i64::from_str_radix(s, 8).ok();
    }
    s.parse().ok()
}

/// An Ethernet address in the usual notation.
pub fn parse_mac(s: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = s.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|p| (1..=2).contains(&p.len()) && !p.starts_with('+'))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}
