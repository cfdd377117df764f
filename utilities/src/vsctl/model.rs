//! Bridges, ports and interfaces by name, with fake bridges: a port with `fake_bridge` set and a
//! `tag` is a bridge of its own, and the parent's ports with that tag are its ports.

use std::collections::BTreeMap;

use ovsdb::client::{Row, Transaction};
use ovsdb::value::Uuid;

use super::context::Fail;

/// A real or fake bridge.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    pub name: String,
    /// The row of Bridge: of a fake bridge, its parent's.
    pub uuid: Uuid,
    /// A fake bridge's parent, VLAN and row of Port.
    pub fake: Option<Fake>,
}

/// What makes a bridge fake.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    pub parent: String,
    pub vlan: i64,
    pub port: Uuid,
}

/// A port.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub uuid: Uuid,
    /// The real or fake bridge it is on.
    pub bridge: String,
    pub ifaces: Vec<String>,
}

/// An interface.
#[derive(Clone, Debug)]
pub(super) struct Iface {
    pub uuid: Uuid,
    pub port: String,
}

/// The names.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub bridges: BTreeMap<String, Bridge>,
    pub ports: BTreeMap<String, Port>,
    pub ifaces: BTreeMap<String, Iface>,
}

fn vlan_of(port: &Row<'_>) -> Option<i64> {
    port.integer("tag").filter(|tag| (0..=4095).contains(tag))
}

fn is_fake_bridge(port: &Row<'_>) -> bool {
    port.bool("fake_bridge") == Some(true) && vlan_of(port).is_some()
}

impl Model {
    pub(super) fn new(txn: &Transaction<'_>) -> Self {
        let mut model = Self::default();
        let bridges = txn.rows("Bridge");
        let ports = |bridge: &Row<'_>| -> Vec<Row<'_>> {
            bridge.references("ports").filter_map(|uuid| txn.row("Port", uuid)).collect()
        };
        for bridge in &bridges {
            let name = bridge.str("name").unwrap_or_default();
            model.add_bridge(name, bridge.uuid(), None);
            for port in ports(bridge).iter().filter(|port| is_fake_bridge(port)) {
                let fake =
                    Fake { parent: name.to_owned(), vlan: vlan_of(port).unwrap_or(0), port: port.uuid() };
                model.add_bridge(port.str("name").unwrap_or_default(), bridge.uuid(), Some(fake));
            }
        }
        for bridge in &bridges {
            for port in ports(bridge) {
                model.add_port(txn, bridge.str("name").unwrap_or_default(), &port);
            }
        }
        model
    }

    pub(super) fn add_bridge(&mut self, name: &str, uuid: Uuid, fake: Option<Fake>) {
        let bridge = Bridge { name: name.to_owned(), uuid, fake };
        self.bridges.entry(name.to_owned()).or_insert(bridge);
    }

    /// Adds a port of the real bridge `bridge`, and its interfaces.
    pub(super) fn add_port(&mut self, txn: &Transaction<'_>, bridge: &str, port: &Row<'_>) {
        let name = port.str("name").unwrap_or_default().to_owned();
        let child = vlan_of(port).and_then(|vlan| self.vlan_bridge(bridge, vlan));
        let on = child.map_or(bridge, |child| child.name.as_str()).to_owned();
        let mut ifaces = Vec::new();
        for iface in port.references("interfaces").filter_map(|uuid| txn.row("Interface", uuid)) {
            let iface_name = iface.str("name").unwrap_or_default().to_owned();
            ifaces.push(iface_name.clone());
            let entry = Iface { uuid: iface.uuid(), port: name.clone() };
            self.ifaces.entry(iface_name).or_insert(entry);
        }
        ifaces.sort();
        self.ports.entry(name).or_insert(Port { uuid: port.uuid(), bridge: on, ifaces });
    }

    /// The fake bridge of `parent` on `vlan`.
    pub(super) fn vlan_bridge(&self, parent: &str, vlan: i64) -> Option<&Bridge> {
        self.bridges.values().find(|bridge| {
            bridge.fake.as_ref().is_some_and(|fake| fake.parent == parent && fake.vlan == vlan)
        })
    }

    /// A bridge that must be there.
    pub(super) fn bridge(&self, name: &str) -> Result<Bridge, Fail> {
        let found = self.bridges.get(name).cloned();
        found.ok_or_else(|| Fail::Fatal(format!("no bridge named {name}")))
    }

    /// A port by name; a bridge's local port does not count.
    pub(super) fn find_port(&self, name: &str) -> Option<Port> {
        self.ports.get(name).filter(|port| port.bridge != name).cloned()
    }

    /// A port that must be there.
    pub(super) fn port(&self, name: &str) -> Result<Port, Fail> {
        self.find_port(name).ok_or_else(|| Fail::Fatal(format!("no port named {name}")))
    }

    /// An interface by name; a bridge's local one does not count.
    pub(super) fn find_iface(&self, name: &str) -> Option<Iface> {
        let iface = self.ifaces.get(name)?;
        let bridge = self.ports.get(&iface.port).map(|port| port.bridge.as_str());
        (bridge != Some(name)).then(|| iface.clone())
    }

    /// An interface that must be there.
    pub(super) fn iface(&self, name: &str) -> Result<Iface, Fail> {
        self.find_iface(name).ok_or_else(|| Fail::Fatal(format!("no interface named {name}")))
    }

    /// Fails with `doing` if the name is taken.
    pub(super) fn check_conflicts(&self, name: &str, doing: &str) -> Result<(), Fail> {
        let reason = if self.bridges.contains_key(name) {
            format!("a bridge named {name} already exists")
        } else if let Some(port) = self.ports.get(name) {
            format!("a port named {name} already exists on bridge {}", port.bridge)
        } else if let Some(iface) = self.ifaces.get(name) {
            let bridge = self.ports.get(&iface.port).map_or("?", |port| &port.bridge);
            format!("an interface named {name} already exists on bridge {bridge}")
        } else {
            return Ok(());
        };
        Err(format!("{doing} because {reason}").into())
    }
}
