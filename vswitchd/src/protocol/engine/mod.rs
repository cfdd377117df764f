//! The machines of one bridge: fed with frames and time, configured by `bridge::apply`. Calls come from workers
//! (`receive`, short), from the runner and from commands; one lock orders them. Nothing is sent under the lock.

mod bonds;
mod links;
mod snooping;
mod trees;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use openflow::OfPort;

use super::bond::Bond;
use super::lacp::Lacp;
use super::rstp::Rstp;
use super::stp::Stp;
use super::view::Snooping;
use super::{Config, NEVER, Outgoing, PortView, View, frame};
use crate::ofproto::Ofproto;
use crate::ofproto::snapshot::{Port, Ports};
use crate::recirc::Recirc;
use crate::xlate::slow;

/// The machines of a bridge.
#[derive(Default)]
pub struct Engine {
    machines: Mutex<Machines>,
    /// Grows when a status column may have changed.
    changes: AtomicU64,
}

#[derive(Default)]
pub struct Machines {
    pub config: Config,
    /// By name of their bundle.
    pub lacp: BTreeMap<String, Lacp>,
    pub bonds: BTreeMap<String, Bond>,
    pub recircs: BTreeMap<String, Arc<Recirc>>,
    pub stp: Option<Stp>,
    pub rstp: Option<Rstp>,
    pub snooping: Option<Snooping>,
    pub links: links::Links,
    /// Hash of what the status columns say.
    status: u64,
    published: View,
}

/// What a run of the machines came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ran {
    pub n_sent: usize,
    pub deadline_ms: i64,
}

/// What one run needs to know and has to do.
pub(super) struct Round<'a> {
    pub ofproto: &'a Ofproto,
    pub ports: Arc<Ports>,
    pub now_ms: i64,
    pub deadline_ms: i64,
    pub out: Vec<Outgoing>,
}

impl Round<'_> {
    pub fn port(&self, number: OfPort) -> Option<&Port> {
        self.ports.get(number).map(|p| &**p)
    }

    pub fn is_up(&self, number: OfPort) -> bool {
        self.port(number).is_some_and(Port::is_up)
    }

    pub fn mac(&self, number: OfPort) -> [u8; 6] {
        self.port(number).map_or([0; 6], |p| p.hw_addr)
    }

    pub fn speed_kbps(&self, number: OfPort) -> u32 {
        self.port(number).map_or(0, |p| p.speed_kbps)
    }

    /// What the port's device has received.
    pub fn rx_packets(&self, number: OfPort) -> Option<u64> {
        let dp_port = self.port(number)?.dp_port?;
        self.ofproto.world.datapath()?.port_stats(dp_port).ok().map(|stats| stats.rx_packets)
    }

    pub fn until(&mut self, deadline_ms: i64) {
        self.deadline_ms = self.deadline_ms.min(deadline_ms);
    }
}

impl Engine {
    /// The machines, for commands and status.
    pub fn lock(&self) -> MutexGuard<'_, Machines> {
        self.machines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// Brings the machines to `config`; those that stay keep their state.
    pub fn configure(&self, bridge: &str, config: Config, now_ms: i64) {
        let mut m = self.lock();
        if m.config == config {
            return;
        }
        m.config = config;
        m.configure_links(bridge, now_ms);
        m.configure_bonds(now_ms);
        m.configure_trees(bridge, now_ms);
        m.configure_snooping();
        self.changes.fetch_add(1, Relaxed);
    }

    /// A frame that translation took out (`reason`: the bit of `xlate::slow`).
    pub fn receive(&self, port: OfPort, reason: u32, packet: &[u8], now_ms: i64) {
        let mut m = self.lock();
        let Some((ethertype, payload)) = frame::payload(packet) else { return };
        match reason {
            slow::LACP => m.receive_lacp(port, payload, now_ms),
            slow::BFD => m.receive_bfd(port, payload, now_ms),
            slow::LLDP => m.receive_lldp(port, payload, now_ms),
            slow::CFM => m.receive_cfm(port, payload),
            slow::STP => m.receive_bpdu(port, ethertype, payload, now_ms),
            _ => {}
        }
    }

    /// Runs every machine for what has happened and for the time, publishes what changed, and sends.
    pub fn run(&self, ofproto: &Ofproto, now_ms: i64) -> Ran {
        let mut m = self.lock();
        if m.is_idle() {
            return Ran { n_sent: 0, deadline_ms: NEVER };
        }
        let ports = ofproto.port_table();
        let mut round = Round { ofproto, ports, now_ms, deadline_ms: NEVER, out: Vec::new() };
        m.run_links(&mut round);
        m.run_bonds(&mut round);
        m.run_trees(&mut round);
        m.run_snooping(&mut round);
        let status = m.status_hash();
        if std::mem::replace(&mut m.status, status) != status {
            self.changes.fetch_add(1, Relaxed);
        }
        let view = m.view(&round);
        if view != m.published {
            ofproto.set_protocols(view.clone());
            m.published = view;
            self.changes.fetch_add(1, Relaxed);
        }
        drop(m);
        let Round { out, deadline_ms, .. } = round;
        for (port, frame) in &out {
            ofproto.send_packet(*port, frame);
        }
        Ran { n_sent: out.len(), deadline_ms }
    }
}

impl Engine {
    /// Publishes what a command has changed.
    pub fn publish(&self, ofproto: &Ofproto) {
        self.run(ofproto, ofproto.now_ms());
    }
}

impl Machines {
    fn is_idle(&self) -> bool {
        self.lacp.is_empty()
            && self.bonds.is_empty()
            && self.stp.is_none()
            && self.rstp.is_none()
            && self.snooping.is_none()
            && self.links.is_empty()
            && self.published == View::default()
    }

    fn view(&self, round: &Round<'_>) -> View {
        let has_tree = self.stp.is_some() || self.rstp.is_some();
        let mut view = View { has_tree, snooping: self.snooping.clone(), ..View::default() };
        for port in self.config.ports.keys() {
            let of_port = self.port_view(*port);
            if of_port != PortView::default() {
                view.ports.insert(*port, of_port);
            }
        }
        for bundle in round.ports.bundles.values() {
            if let Some(bond) = self.bonds.get(&bundle.name) {
                let mut of_bond = bond.view();
                of_bond.recirc = self.recircs.get(&bundle.name).cloned();
                view.bonds.insert(bundle.id, of_bond);
            }
        }
        view
    }

    /// Changes whenever a status column does that is not a mere count.
    fn status_hash(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut h = DefaultHasher::new();
        for lacp in self.lacp.values() {
            lacp.members.keys().for_each(|port| lacp.is_current(*port).hash(&mut h));
        }
        for bond in self.bonds.values() {
            bond.active.hash(&mut h);
        }
        for bfd in self.links.bfd.values() {
            bfd.status().hash(&mut h);
        }
        for cfm in self.links.cfm.values() {
            (cfm.faults(), cfm.health, cfm.remote_mpids(), cfm.remote_opstate()).hash(&mut h);
        }
        if let Some(stp) = &self.stp {
            (stp.root, stp.root_cost).hash(&mut h);
            stp.ports.iter().for_each(|(n, p)| (stp.role(*n).name(), p.state.name()).hash(&mut h));
        }
        if let Some(rstp) = &self.rstp {
            (rstp.root.root, rstp.root.cost, rstp.root.bridge, rstp.root.port).hash(&mut h);
            rstp.ports.values().for_each(|p| (p.role.name(), p.state_name()).hash(&mut h));
        }
        h.finish()
    }

    fn port_view(&self, port: OfPort) -> PortView {
        let lacp = self.lacp_of(port);
        PortView {
            lacp: lacp.is_some(),
            bfd: self.links.bfd.get(&port).map(|bfd| bfd.config.remote_dst_mac),
            lldp: self.links.lldp.contains_key(&port),
            cfm: self.links.cfm.get(&port).map(|cfm| cfm.config.address()),
            may_enable: lacp.is_none_or(|lacp| lacp.may_enable(port)) && self.links.is_operational(port),
            tree: self.tree(port),
        }
    }
}
