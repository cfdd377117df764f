//! Spanning tree settings of a bridge and of its ports.

use super::super::rows::{self, StringMap};
use super::{flag, number, parse_mac};
use crate::protocol::{rstp, stp};

/// Settings of a bridge; the address comes from the bridge unless it is given here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trees {
    pub stp: Option<Tree>,
    pub rstp: Option<Tree>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    pub address: Option<[u8; 6]>,
    pub priority: u16,
    pub hello_s: u16,
    pub max_age_s: u16,
    pub forward_delay_s: u16,
    pub tx_hold_count: u8,
    pub force_stp: bool,
}

/// Settings of a port; numbers are given out by `apply`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortTrees {
    pub stp: Option<PortTree>,
    pub rstp: Option<PortTree>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortTree {
    pub number: Option<u16>,
    pub priority: u8,
    pub path_cost: Option<u32>,
    pub admin_edge: bool,
    pub auto_edge: bool,
    pub mcheck: bool,
}

const PRIORITY_DEFAULT: i64 = 0x8000;
/// RSTP's priorities are multiples of this.
const PRIORITY_STEP: u16 = 0x1000;
const PORT_PRIORITY_STEP: u8 = 0x10;

pub(super) fn trees(row: &rows::Bridge, warnings: &mut Vec<String>) -> Trees {
    let c = &row.other_config;
    if row.stp_enable && row.rstp_enable {
        warnings.push(format!("bridge {}: STP and RSTP are both enabled; RSTP is used", row.name));
    }
    let word = |key: &str, range, default| number(c, key, range, default) as u16;
    let address = |key: &str| c.get(key).and_then(|s| parse_mac(s));
    let stp = Tree {
        address: address("stp-system-id"),
        priority: word("stp-priority", 0..=0xffff, PRIORITY_DEFAULT),
        hello_s: word("stp-hello-time", 1..=10, 2),
        max_age_s: word("stp-max-age", 6..=40, 20),
        forward_delay_s: word("stp-forward-delay", 4..=30, 15),
        tx_hold_count: 0,
        force_stp: false,
    };
    let rstp = Tree {
        address: address("rstp-address"),
        priority: word("rstp-priority", 0..=0xf000, PRIORITY_DEFAULT) / PRIORITY_STEP * PRIORITY_STEP,
        hello_s: 2,
        max_age_s: word("rstp-max-age", 6..=40, 20),
        forward_delay_s: word("rstp-forward-delay", 4..=30, 15),
        tx_hold_count: number(c, "rstp-transmit-hold-count", 1..=10, 6) as u8,
        force_stp: number(c, "rstp-force-protocol-version", 0..=2, 2) < 2,
    };
    Trees { stp: (row.stp_enable && !row.rstp_enable).then_some(stp), rstp: row.rstp_enable.then_some(rstp) }
}

pub(super) fn port_trees(row: &rows::Port) -> PortTrees {
    let c = &row.other_config;
    let optional = |key: &str, range: std::ops::RangeInclusive<i64>| {
        let has = c.contains_key(key);
        Some(number(c, key, range, -1)).filter(|n| has && *n >= 0)
    };
    let stp = PortTree {
        number: optional("stp-port-num", 1..=stp::PORTS_MAX as i64).map(|n| n as u16),
        priority: number(c, "stp-port-priority", 0..=255, 0x80) as u8,
        path_cost: optional("stp-path-cost", 1..=0xffff).map(|n| n as u32),
        ..PortTree::default()
    };
    let rstp = PortTree {
        number: optional("rstp-port-num", 1..=rstp::PORTS_MAX as i64).map(|n| n as u16),
        priority: number(c, "rstp-port-priority", 0..=240, 0x80) as u8 / PORT_PRIORITY_STEP
            * PORT_PRIORITY_STEP,
        path_cost: optional("rstp-path-cost", 1..=200_000_000).map(|n| n as u32),
        admin_edge: flag(c, "rstp-port-admin-edge", false),
        auto_edge: flag(c, "rstp-port-auto-edge", true),
        mcheck: flag(c, "rstp-port-mcheck", false),
    };
    let on = |c: &StringMap, key: &str| flag(c, key, true);
    PortTrees { stp: on(c, "stp-enable").then_some(stp), rstp: on(c, "rstp-enable").then_some(rstp) }
}
