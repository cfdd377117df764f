//! `apply`: carries out the steps of `diff` on datapath, `Ofproto` and connections. A step that fails leaves its text in
//! the interface's outcome and the others go on. One thread; may block while a device opens.

mod address;
mod convert;
mod failmode;
mod interface;
mod protocols;
mod trees;

pub use interface::{kernel_ifindex, port_stats, port_status};

use std::collections::BTreeMap;
use std::sync::Arc;

use dpif::{DatapathConfig, DpPort};

use self::failmode::FailModes;
use super::actual::ActualBridge;
use super::desire::{Bridge, Desired};
use super::diff::{Step, diff};
use super::ofport::Allocator;
use super::switch::{LiveBridge, Switch};
use crate::connmgr::Manager;
use crate::connmgr::service::{BridgeService, Description};
use crate::ofproto::NoEvents;

/// The one that changes the switch.
pub struct Applier {
    switch: Arc<Switch>,
    numbers: BTreeMap<String, Allocator>,
    /// OpenFlow numbers of interfaces that went away by themselves, by name: they get them again.
    kept_numbers: BTreeMap<String, u32>,
    /// The kernel's index of each `system` port when it was opened, by name.
    kernel: BTreeMap<String, u32>,
    fail_modes: FailModes,
    datapath_config: Option<DatapathConfig>,
    /// Datapath ports opened in this round, polled at its end: what arrives earlier would meet half a configuration.
    /// By the kind of their datapath.
    opened: Vec<(&'static str, DpPort)>,
    warnings: Vec<String>,
}

impl Applier {
    pub fn new(switch: Arc<Switch>) -> Self {
        Applier {
            switch,
            numbers: BTreeMap::new(),
            kept_numbers: BTreeMap::new(),
            kernel: BTreeMap::new(),
            fail_modes: FailModes::default(),
            datapath_config: None,
            opened: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Brings the switch to `desired`, as far as it goes.
    pub fn apply(&mut self, desired: Arc<Desired>) {
        for warning in desired.warnings.iter().filter(|w| !self.warnings.contains(w)) {
            tracing::warn!(target: "bridge", "{warning}");
        }
        self.warnings.clone_from(&desired.warnings);
        self.configure_datapaths(&desired);
        for revalidator in self.switch.worlds().iter().filter_map(|w| w.revalidator()) {
            revalidator.configure(convert::revalidation(&desired.switch));
            revalidator.upcalls.set_hold(desired.switch.flow_restore_wait);
        }
        self.switch.worlds().iter().for_each(|w| w.set_vlan_limit(desired.switch.vlan_limit));
        self.switch.set_desired(desired.clone());
        let steps = diff(&desired, &self.switch.actual());
        for step in &steps {
            self.step(&desired, step);
        }
        self.remember(&desired);
        for bridge in desired.bridges.values() {
            if let Some(mac) = self.set_addresses(bridge) {
                self.set_protocols(bridge, mac);
            }
        }
        self.switch.worlds().iter().for_each(|world| crate::protocol::runner::settle(world));
        self.start_opened();
    }

    fn start_opened(&mut self) {
        let opened = std::mem::take(&mut self.opened);
        for backer in self.switch.backers() {
            let of_it = opened.iter().filter(|(kind, _)| *kind == backer.kind);
            let ports: Vec<DpPort> = of_it.map(|(_, port)| *port).collect();
            if !ports.is_empty() {
                backer.datapath.port_start(&ports);
            }
        }
    }

    /// Takes every bridge down (`exit`).
    pub fn shut_down(&mut self) {
        self.apply(Arc::new(Desired::default()));
    }

    fn configure_datapaths(&mut self, desired: &Desired) {
        let config = DatapathConfig {
            other_config: desired.switch.other_config.clone(),
            flow_limit: desired.switch.flow_limit,
        };
        if self.datapath_config.as_ref() == Some(&config) {
            return;
        }
        for backer in self.switch.backers() {
            if let Err(error) = backer.datapath.configure(&config) {
                tracing::warn!(target: "dpif", "{}@{}: {error}", backer.kind, backer.name);
            }
        }
        self.datapath_config = Some(config);
    }

    fn step(&mut self, desired: &Desired, step: &Step) {
        let wanted = |bridge: &String| desired.bridges.get(bridge);
        match step {
            Step::DetachInterface { bridge, interface } => self.detach(bridge, interface),
            Step::DeletePort { bridge, port } => {
                if let Some(live) = self.switch.bridge(bridge) {
                    live.ofproto.bundle_remove(port);
                }
            }
            Step::DeleteBridge { bridge } => self.delete_bridge(bridge),
            Step::CreateBridge { bridge } => self.create_bridge(wanted(bridge)),
            Step::ConfigureBridge { bridge } => self.configure_bridge(wanted(bridge)),
            Step::AttachInterface { bridge, interface } => self.attach(wanted(bridge), interface),
            Step::ReconfigureInterface { bridge, interface } => self.reconfigure(wanted(bridge), interface),
            Step::SetPort { bridge, port } => self.set_port(wanted(bridge), port),
            Step::SetMirrors { bridge } => self.set_mirrors(wanted(bridge)),
            Step::SetControllers { bridge } => self.set_controllers(desired, wanted(bridge)),
        }
    }

    fn create_bridge(&mut self, wanted: Option<&Bridge>) {
        let Some(wanted) = wanted else { return };
        let Some(backer) =
            wanted.datapath_type.as_ref().ok().and_then(|kind| self.switch.backer(kind)).cloned()
        else {
            return;
        };
        let ofproto =
            backer.world.bridge_add(&wanted.name, convert::bridge(wanted, &backer), Arc::new(NoEvents));
        let service = Arc::new(BridgeService::new(ofproto.clone(), backer.datapath.clone()));
        let (clock, runtime) = (self.switch.clock.clone(), self.switch.runtime.clone());
        let controllers = Arc::new(Manager::new(&wanted.name, service.clone(), clock, runtime));
        ofproto.set_sink(controllers.clone());
        let live = LiveBridge { name: wanted.name.clone(), backer, ofproto, service, controllers };
        self.switch.insert(Arc::new(live));
        self.numbers.insert(wanted.name.clone(), Allocator::default());
        let bridge = ActualBridge { applied: wanted.clone(), interfaces: BTreeMap::new() };
        self.switch.actual_mut().bridges.insert(wanted.name.clone(), bridge);
    }

    fn delete_bridge(&mut self, name: &str) {
        if let Some(live) = self.switch.remove(name) {
            // The sink holds the connections, which hold the service, which holds the bridge.
            live.ofproto.set_sink(Arc::new(NoEvents));
            live.controllers.close();
            live.backer.world.bridge_remove(live.ofproto.id);
        }
        self.numbers.remove(name);
        self.fail_modes.forget(name);
        self.switch.actual_mut().bridges.remove(name);
    }

    fn configure_bridge(&mut self, wanted: Option<&Bridge>) {
        let Some(wanted) = wanted else { return };
        let Some(live) = self.switch.bridge(&wanted.name) else { return };
        let mut config = convert::bridge(wanted, &live.backer);
        // What controllers set stays.
        let before = live.ofproto.config();
        (config.packet_in_on_miss, config.frag) = (before.packet_in_on_miss, before.frag);
        live.ofproto.set_config(config);
        live.service.set_description(Description {
            dp_desc: wanted.dp_desc.clone(),
            serial: wanted.serial_desc.clone(),
        });
        let before = self.switch.actual().bridges.get(&wanted.name).map(|b| b.applied.flow_tables.clone());
        let ids = before.iter().flatten().map(|(id, _)| *id).chain(wanted.flow_tables.keys().copied());
        for id in ids.collect::<std::collections::BTreeSet<u8>>() {
            let config = wanted.flow_tables.get(&id).map(convert::table).unwrap_or_default();
            live.ofproto.table_config(openflow::TableId(id), config);
        }
        self.fail_modes.configure(&live, wanted);
    }

    fn set_port(&mut self, wanted: Option<&Bridge>, port: &str) {
        let Some(wanted) = wanted else { return };
        let (Some(live), Some(port)) = (self.switch.bridge(&wanted.name), wanted.ports.get(port)) else {
            return;
        };
        let actual = self.switch.actual();
        let Some(bridge) = actual.bridges.get(&wanted.name) else { return };
        let attached = port
            .interfaces
            .keys()
            .filter_map(|name| Some(bridge.interfaces.get(name)?.outcome.as_ref().ok()?.ofport));
        let members: Vec<_> = attached.collect();
        drop(actual);
        if members.is_empty() {
            live.ofproto.bundle_remove(&port.name);
        } else {
            live.ofproto.bundle_set(&convert::bundle(port, members));
        }
    }

    /// Gives the bridge's protocols what they should do.
    fn set_protocols(&self, wanted: &Bridge, mac: [u8; 6]) {
        let Some(live) = self.switch.bridge(&wanted.name) else { return };
        let actual = self.switch.actual();
        let Some(actual) = actual.bridges.get(&wanted.name) else { return };
        let config = protocols::protocols(wanted, actual, mac);
        live.ofproto.protocols.configure(&wanted.name, config, live.ofproto.now_ms());
    }

    fn set_mirrors(&mut self, wanted: Option<&Bridge>) {
        let Some(wanted) = wanted else { return };
        if let Some(live) = self.switch.bridge(&wanted.name) {
            let inputs: Vec<_> = wanted.mirrors.iter().map(convert::mirror).collect();
            live.ofproto.mirrors_set(&inputs);
        }
    }

    fn set_controllers(&mut self, desired: &Desired, wanted: Option<&Bridge>) {
        let Some(wanted) = wanted else { return };
        let Some(live) = self.switch.bridge(&wanted.name) else { return };
        if desired.switch.flow_restore_wait {
            return;
        }
        live.controllers.configure(&wanted.controllers, wanted.protocols, wanted.packet_in_queue_len_max);
        self.fail_modes.configure(&live, wanted);
    }

    /// The desired state is now the applied one.
    fn remember(&self, desired: &Desired) {
        let mut actual = self.switch.actual_mut();
        for (name, bridge) in &mut actual.bridges {
            let Some(wanted) = desired.bridges.get(name) else { continue };
            let controllers = std::mem::take(&mut bridge.applied.controllers);
            bridge.applied = wanted.clone();
            if desired.switch.flow_restore_wait {
                // They are still to be connected.
                bridge.applied.controllers = controllers;
            }
            bridge
                .interfaces
                .retain(|name, _| wanted.ports.values().any(|p| p.interfaces.contains_key(name)));
            for iface in wanted.ports.values().flat_map(|p| p.interfaces.values()) {
                if let Some(known) = bridge.interfaces.get_mut(&iface.name) {
                    known.applied = iface.clone();
                }
            }
        }
    }

    /// What time brings: fail-open.
    pub fn tick(&mut self) {
        for live in self.switch.bridges() {
            self.fail_modes.run(&live, self.switch.clock.now_ms());
        }
    }
}
