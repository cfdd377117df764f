//! Spanning tree settings of a bridge in the terms of `protocol`: addresses filled in, ports numbered. Pure.

use std::collections::BTreeSet;

use super::super::desire::{Bridge, Port, PortTree, Tree};
use crate::protocol::stp::BridgeId;
use crate::protocol::{rstp, stp};

pub(super) fn stp(tree: &Tree, mac: [u8; 6]) -> stp::Config {
    let ms = |s: u16| i64::from(s) * 1000;
    stp::Config {
        id: BridgeId::new(tree.priority, tree.address.unwrap_or(mac)),
        hello_ms: ms(tree.hello_s),
        max_age_ms: ms(tree.max_age_s),
        forward_delay_ms: ms(tree.forward_delay_s),
    }
}

pub(super) fn rstp(tree: &Tree, mac: [u8; 6]) -> rstp::Config {
    rstp::Config {
        id: BridgeId::new(tree.priority, tree.address.unwrap_or(mac)),
        max_age_s: tree.max_age_s,
        forward_delay_s: tree.forward_delay_s,
        tx_hold_count: tree.tx_hold_count,
        force_stp: tree.force_stp,
    }
}

/// Gives numbers to the ports of one tree: those asked for, and the next free ones.
pub(super) struct Numbers {
    used: BTreeSet<u16>,
    max: u16,
}

impl Numbers {
    pub fn new(bridge: &Bridge, max: usize, tree: fn(&Port) -> Option<&PortTree>) -> Self {
        let used = bridge.ports.values().filter_map(|p| tree(p)?.number).collect();
        Numbers { used, max: max as u16 }
    }

    pub fn take(&mut self, tree: &PortTree) -> Option<u16> {
        let number = tree.number.or_else(|| (1..=self.max).find(|n| !self.used.contains(n)))?;
        self.used.insert(number);
        Some(number)
    }
}

/// Trees run on ordinary ports only: not on bonds, internal ports or ports that carry a mirror.
pub(super) fn takes_part(bridge: &Bridge, port: &Port) -> bool {
    let is_mirror = bridge.mirrors.iter().any(|m| m.output_port.as_deref() == Some(&port.name));
    port.bond.is_none() && !is_mirror && port.interfaces.values().all(|i| i.kind != "internal")
}

pub(super) fn stp_port(port: &Port, numbers: &mut Numbers) -> Option<stp::PortConfig> {
    let tree = port.trees.stp.as_ref()?;
    Some(stp::PortConfig {
        name: port.name.clone(),
        number: numbers.take(tree)? as u8,
        priority: tree.priority,
        path_cost: tree.path_cost.map(|c| c as u16),
    })
}

pub(super) fn rstp_port(port: &Port, numbers: &mut Numbers) -> Option<rstp::PortConfig> {
    let tree = port.trees.rstp.as_ref()?;
    Some(rstp::PortConfig {
        name: port.name.clone(),
        number: numbers.take(tree)?,
        priority: tree.priority,
        path_cost: tree.path_cost,
        admin_edge: tree.admin_edge,
        auto_edge: tree.auto_edge,
        mcheck: tree.mcheck,
    })
}
