//! Protocols of single links: BFD, CFM and LLDP.

use std::collections::BTreeMap;

use openflow::OfPort;

use super::super::bfd::{self, Bfd};
use super::super::cfm::Cfm;
use super::super::frame;
use super::super::lldp::{self, Lldp};
use super::{Machines, Round};

/// The machines of each port.
#[derive(Default)]
pub struct Links {
    pub bfd: BTreeMap<OfPort, Bfd>,
    pub cfm: BTreeMap<OfPort, Cfm>,
    pub lldp: BTreeMap<OfPort, Lldp>,
}

impl Links {
    /// The link carries packets both ways, as far as these protocols can tell.
    pub fn is_operational(&self, port: OfPort) -> bool {
        let bfd = self.bfd.get(&port).is_none_or(Bfd::is_forwarding);
        bfd && self.cfm.get(&port).is_none_or(Cfm::is_forwarding)
    }

    pub fn is_empty(&self) -> bool {
        self.bfd.is_empty() && self.cfm.is_empty() && self.lldp.is_empty()
    }
}

/// A number that no other session of this host has: ports of a bridge differ, bridges and runs by chance.
fn discriminator(bridge: &str, port: OfPort, now_ms: i64) -> u32 {
    use std::hash::{BuildHasher, RandomState};
    let chance = RandomState::new().hash_one((bridge, port, now_ms)) as u32;
    chance.max(1)
}

impl Machines {
    pub(super) fn configure_links(&mut self, bridge: &str, now_ms: i64) {
        let ports = &self.config.ports;
        let links = &mut self.links;
        links.bfd.retain(|port, _| ports.get(port).is_some_and(|p| p.bfd.is_some()));
        links.cfm.retain(|port, _| ports.get(port).is_some_and(|p| p.cfm.is_some()));
        links.lldp.retain(|port, _| ports.get(port).is_some_and(|p| p.lldp.is_some()));
        for (port, config) in ports {
            if let Some(lldp) = &config.lldp {
                let new = || Lldp::new(lldp.clone(), now_ms);
                links.lldp.entry(*port).or_insert_with(new).configure(lldp.clone(), now_ms);
            }
            if let Some(bfd) = &config.bfd {
                let new =
                    || Bfd::new(&config.name, bfd.clone(), discriminator(bridge, *port, now_ms), now_ms);
                links.bfd.entry(*port).or_insert_with(new).configure(bfd.clone());
            }
            if let Some(cfm) = &config.cfm {
                let new = || Cfm::new(&config.name, cfm.clone(), now_ms);
                links.cfm.entry(*port).or_insert_with(new).configure(cfm.clone(), now_ms);
            }
        }
    }

    pub(super) fn receive_bfd(&mut self, port: OfPort, payload: &[u8], now_ms: i64) {
        if let (Some(bfd), Some(control)) = (self.links.bfd.get_mut(&port), bfd::packet::control(payload)) {
            bfd.receive(control, now_ms);
        }
    }

    pub(super) fn receive_cfm(&mut self, port: OfPort, payload: &[u8]) {
        if let Some(cfm) = self.links.cfm.get_mut(&port) {
            cfm.receive(payload);
        }
    }

    pub(super) fn receive_lldp(&mut self, port: OfPort, payload: &[u8], now_ms: i64) {
        if let Some(lldp) = self.links.lldp.get_mut(&port) {
            lldp.receive(payload, now_ms);
        }
    }

    pub(super) fn run_links(&mut self, round: &mut Round<'_>) {
        let now_ms = round.now_ms;
        for (port, bfd) in &mut self.links.bfd {
            let wants_data = bfd.config.forwarding_if_rx || bfd.config.decay_min_rx_ms > 0;
            let rx = wants_data.then(|| round.rx_packets(*port)).flatten();
            let (control, deadline_ms) = bfd.run(rx, now_ms);
            round.until(deadline_ms);
            if let Some(control) = control {
                let frame = bfd::packet::frame(&bfd.config.addresses, round.mac(*port), &control);
                round.out.push((*port, frame));
            }
        }
        for (port, lldp) in &mut self.links.lldp {
            let (unit, deadline_ms) = lldp.run(now_ms);
            round.until(deadline_ms);
            if let Some(unit) = unit {
                let frame = frame::ethernet(lldp::ADDRESS, round.mac(*port), lldp::LLDP_TYPE, &unit);
                round.out.push((*port, frame));
            }
        }
        for (port, cfm) in &mut self.links.cfm {
            let rx = cfm.config.demand.then(|| round.rx_packets(*port)).flatten();
            let (message, deadline_ms) = cfm.run(rx, now_ms);
            round.until(deadline_ms);
            if let Some(message) = message {
                round.out.push((*port, cfm.frame(round.mac(*port), &message)));
            }
        }
    }
}
