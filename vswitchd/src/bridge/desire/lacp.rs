//! Link aggregation and bonding settings of a port and of its interfaces.

use super::super::rows;
use super::{flag, number, parse_mac};
use crate::protocol::bond;

/// Settings of an aggregation; what is not said comes from the bridge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lacp {
    pub active: bool,
    pub fast: bool,
    pub fallback_ab: bool,
    pub system_id: Option<[u8; 6]>,
    pub system_priority: u16,
}

/// Settings of an interface as a member; zero: from its port number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LacpMember {
    pub port_id: u16,
    pub port_priority: u16,
    pub key: u16,
}

/// `None` when the port does not aggregate.
pub(super) fn lacp(row: &rows::Port, n_interfaces: usize, warnings: &mut Vec<String>) -> Option<Lacp> {
    let config = &row.other_config;
    let active = match row.lacp.as_deref() {
        None | Some("off") => return None,
        Some("active") => true,
        Some("passive") => false,
        Some(other) => {
            warnings.push(format!("port {}: unknown LACP mode {other}", row.name));
            return None;
        }
    };
    let priority_default = i64::from(u16::MAX) - i64::from(n_interfaces > 1);
    Some(Lacp {
        active,
        fast: config.get("lacp-time").is_some_and(|t| t.eq_ignore_ascii_case("fast")),
        fallback_ab: flag(config, "lacp-fallback-ab", false),
        system_id: config.get("lacp-system-id").and_then(|s| parse_mac(s)).filter(|m| *m != [0; 6]),
        system_priority: word(config, "lacp-system-priority").unwrap_or(priority_default as u16),
    })
}

pub(super) fn lacp_member(row: &rows::Interface) -> LacpMember {
    let config = &row.other_config;
    LacpMember {
        port_id: word(config, "lacp-port-id").unwrap_or(0),
        port_priority: word(config, "lacp-port-priority").unwrap_or(u16::MAX),
        key: word(config, "lacp-aggregation-key").unwrap_or(0),
    }
}

/// A number from 1 to 65535.
fn word(config: &rows::StringMap, key: &str) -> Option<u16> {
    u16::try_from(number(config, key, 1..=i64::from(u16::MAX), 0)).ok().filter(|n| *n != 0)
}

pub(super) fn bond(row: &rows::Port, warnings: &mut Vec<String>) -> bond::Config {
    let mode = match row.bond_mode.as_deref() {
        Some(name) => bond::Mode::from_name(name).unwrap_or_else(|| {
            warnings
                .push(format!("port {}: unknown bond_mode {name}, defaulting to active-backup", row.name));
            bond::Mode::ActiveBackup
        }),
        None => {
            warnings.push(format!(
                "port {}: Using the default bond_mode active-backup. Note that in previous versions, the default \
                 bond_mode was balance-slb",
                row.name
            ));
            bond::Mode::ActiveBackup
        }
    };
    let config = &row.other_config;
    let rebalance = number(config, "bond-rebalance-interval", i64::MIN..=i64::MAX, 10_000);
    bond::Config {
        mode,
        basis: number(config, "bond-hash-basis", 0..=i64::from(u32::MAX), 0) as u32,
        rebalance_ms: if rebalance != 0 && rebalance < 1000 { 1000 } else { rebalance },
        up_delay_ms: row.bond_updelay.max(0),
        down_delay_ms: row.bond_downdelay.max(0),
        primary: config.get("bond-primary").cloned(),
        fallback_ab: flag(config, "lacp-fallback-ab", false),
        all_members_active: flag(config, "all-members-active", false),
        active_mac: row.bond_active_mac.as_deref().and_then(parse_mac),
    }
}
