//! One port (OVS's bundle): VLAN settings, bond settings, and its interfaces.

use std::collections::BTreeMap;

use super::super::rows::{self, StringMap, Tables, Uuid};
use super::{Backing, Interface, Lacp, PortTrees, bridge::vlans, interface, lacp, parse_mac, tree};
use crate::protocol::bond;

/// A port as wanted.
#[derive(Clone, PartialEq, Debug)]
pub struct Port {
    pub uuid: Uuid,
    pub name: String,
    pub vlan: Vlan,
    pub protected: bool,
    pub mac: Option<[u8; 6]>,
    /// `Some` when the port has several interfaces.
    pub bond: Option<bond::Config>,
    pub lacp: Option<Lacp>,
    pub trees: PortTrees,
    /// By name; at least one.
    pub interfaces: BTreeMap<String, Interface>,
    pub other_config: StringMap,
}

/// How a port treats VLAN tags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vlan {
    pub mode: VlanMode,
    /// Access or native VLAN; `None` in trunk mode.
    pub tag: Option<u16>,
    /// VLANs trunked; empty = all.
    pub trunks: Vec<u16>,
    /// Customer VLANs of a dot1q-tunnel; empty = all.
    pub cvlans: Vec<u16>,
    pub qinq_ethtype: u16,
    pub priority_tags: PriorityTags,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VlanMode {
    Access,
    #[default]
    Trunk,
    NativeTagged,
    NativeUntagged,
    Dot1qTunnel,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PriorityTags {
    #[default]
    Never,
    IfNonzero,
    Always,
}

/// The ports of bridge `row`, the local port always among them.
pub(super) fn desire_all(
    tables: &Tables,
    row: &rows::Bridge,
    interfaces_seen: &mut BTreeMap<String, String>,
    warnings: &mut Vec<String>,
) -> BTreeMap<String, Port> {
    let mut ports = BTreeMap::new();
    for (uuid, port_row) in row.ports.iter().filter_map(|u| Some((*u, tables.ports.get(u)?))) {
        let mut interfaces = BTreeMap::new();
        for (iface_uuid, iface_row) in
            port_row.interfaces.iter().filter_map(|u| Some((*u, tables.interfaces.get(u)?)))
        {
            if let Some(other) = interfaces_seen.get(&iface_row.name) {
                warnings.push(format!(
                    "bridge {}: interface {} is in use by bridge {other}, ignoring it here",
                    row.name, iface_row.name
                ));
                continue;
            }
            interfaces_seen.insert(iface_row.name.clone(), row.name.clone());
            let mut iface = interface::desire(iface_uuid, iface_row, &row.name, warnings);
            if let Ok(Backing::Datapath(spec)) = &mut iface.backing {
                spec.qos = qos(tables, port_row);
            }
            interfaces.insert(iface.name.clone(), iface);
        }
        if interfaces.is_empty() {
            warnings.push(format!("bridge {}: port {} has no interfaces, dropping", row.name, port_row.name));
            continue;
        }
        ports.insert(port_row.name.clone(), desire(uuid, port_row, interfaces, warnings));
    }
    if !ports.values().any(|p: &Port| p.interfaces.contains_key(&row.name))
        && !interfaces_seen.contains_key(&row.name)
    {
        interfaces_seen.insert(row.name.clone(), row.name.clone());
        ports.insert(row.name.clone(), local_port(&row.name, warnings));
    }
    ports
}

/// The egress QoS of a port.
fn qos(tables: &Tables, port: &rows::Port) -> Option<dpif::port::Qos> {
    let row = tables.qos.get(&port.qos?)?;
    let queue = |(id, uuid): (&i64, &Uuid)| {
        let config = tables.queues.get(uuid)?.other_config.clone();
        Some((u32::try_from(*id).ok()?, config))
    };
    let queues = row.queues.iter().filter_map(queue).collect();
    Some(dpif::port::Qos { kind: row.kind.clone(), config: row.other_config.clone(), queues })
}

/// A bridge without a row for its local port gets one all the same.
fn local_port(bridge: &str, warnings: &mut Vec<String>) -> Port {
    let row = rows::Interface { name: bridge.into(), kind: "internal".into(), ..Default::default() };
    let iface = interface::desire(Uuid::nil(), &row, bridge, warnings);
    let port_row = rows::Port { name: bridge.into(), ..Default::default() };
    desire(Uuid::nil(), &port_row, [(bridge.to_string(), iface)].into(), warnings)
}

fn desire(
    uuid: Uuid,
    row: &rows::Port,
    interfaces: BTreeMap<String, Interface>,
    warnings: &mut Vec<String>,
) -> Port {
    Port {
        uuid,
        name: row.name.clone(),
        vlan: vlan(row, warnings),
        protected: row.protected,
        mac: row.mac.as_deref().and_then(parse_mac),
        bond: (interfaces.len() > 1).then(|| lacp::bond(row, warnings)),
        trees: tree::port_trees(row),
        lacp: lacp::lacp(row, interfaces.len(), warnings),
        interfaces,
        other_config: row.other_config.clone(),
    }
}

fn vlan(row: &rows::Port, warnings: &mut Vec<String>) -> Vlan {
    let tag = row.tag.filter(|t| (0..4096).contains(t)).map(|t| t as u16);
    let mode = match row.vlan_mode.as_deref() {
        Some("access") => VlanMode::Access,
        Some("trunk") => VlanMode::Trunk,
        Some("native-tagged") => VlanMode::NativeTagged,
        Some("native-untagged") => VlanMode::NativeUntagged,
        Some("dot1q-tunnel") => VlanMode::Dot1qTunnel,
        Some(other) => {
            warnings.push(format!("port {}: unknown vlan_mode {other}, falling back to trunk", row.name));
            VlanMode::Trunk
        }
        None if tag.is_some() => {
            if !row.trunks.is_empty() {
                warnings.push(format!("port {}: ignoring trunks in favor of implicit vlan", row.name));
            }
            VlanMode::Access
        }
        None => VlanMode::Trunk,
    };
    Vlan {
        mode,
        tag: match mode {
            VlanMode::Trunk => None,
            _ => Some(tag.unwrap_or(0)),
        },
        trunks: if mode == VlanMode::Access { Vec::new() } else { vlans(&row.trunks) },
        cvlans: vlans(&row.cvlans),
        qinq_ethtype: match row.other_config.get("qinq-ethtype").map(String::as_str) {
            Some("802.1q") => 0x8100,
            _ => 0x88a8,
        },
        priority_tags: match row.other_config.get("priority-tags").map(String::as_str) {
            Some("if-nonzero" | "true") => PriorityTags::IfNonzero,
            Some("always") => PriorityTags::Always,
            _ => PriorityTags::Never,
        },
    }
}
