//! Bonds and link aggregation of a bridge.

use std::collections::BTreeMap;

use openflow::OfPort;

use super::super::bond::Bond;
use super::super::lacp::{Lacp, Status};
use super::super::view::LACP_TYPE;
use super::super::{bond, frame, lacp};
use super::{Machines, Round};
use crate::ofproto::snapshot::Bundle;
use crate::recirc::Frozen;

/// Where LACP frames go (802.3ad annex 43B).
const SLOW_PROTOCOLS: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 2];
const BROADCAST: [u8; 6] = [0xff; 6];
const VLAN_TYPE: u16 = 0x8100;
/// Addresses told about after a change of the active member.
const LEARNING_PACKETS_MAX: usize = 4096;

impl Machines {
    pub(super) fn configure_bonds(&mut self, now_ms: i64) {
        let bundles = &self.config.bundles;
        self.lacp.retain(|name, _| bundles.get(name).is_some_and(|b| b.lacp.is_some()));
        self.bonds.retain(|name, _| bundles.get(name).is_some_and(|b| b.bond.is_some()));
        self.recircs.retain(|name, _| self.bonds.contains_key(name));
        for (name, bundle) in bundles {
            let member = |port: &OfPort| Some((*port, self.config.ports.get(port)?));
            let members = || bundle.members.iter().filter_map(member);
            if let Some(config) = &bundle.lacp {
                let lacp = self.lacp.entry(name.clone()).or_insert_with(|| Lacp::new(name, config.clone()));
                let members: BTreeMap<_, lacp::MemberConfig> =
                    members().map(|(port, c)| (port, c.lacp.clone())).collect();
                lacp.configure(config.clone(), &members, now_ms);
            }
            if let Some(config) = &bundle.bond {
                let bond =
                    self.bonds.entry(name.clone()).or_insert_with(|| Bond::new(name, config.clone(), now_ms));
                let members: BTreeMap<_, String> =
                    members().map(|(port, c)| (port, c.name.clone())).collect();
                bond.configure(config.clone(), &members, now_ms);
            }
        }
    }

    /// The aggregation that `port` is a member of.
    pub fn lacp_of(&self, port: OfPort) -> Option<&Lacp> {
        self.lacp.values().find(|lacp| lacp.members.contains_key(&port))
    }

    pub(super) fn receive_lacp(&mut self, port: OfPort, payload: &[u8], now_ms: i64) {
        if let Some(lacp) = self.lacp.values_mut().find(|lacp| lacp.members.contains_key(&port)) {
            lacp.receive(port, payload, now_ms);
        }
    }

    pub(super) fn run_bonds(&mut self, round: &mut Round<'_>) {
        let now_ms = round.now_ms;
        for lacp in self.lacp.values_mut() {
            let members: Vec<OfPort> = lacp.members.keys().copied().collect();
            for port in members {
                lacp.set_carrier(port, round.is_up(port), now_ms);
            }
            let mut pdus = Vec::new();
            let deadline_ms = lacp.run(now_ms, |port, pdu| pdus.push((port, pdu)));
            round.until(deadline_ms);
            for (port, pdu) in pdus {
                let frame = frame::ethernet(SLOW_PROTOCOLS, round.mac(port), LACP_TYPE, &pdu);
                round.out.push((port, frame));
            }
        }
        for (name, bond) in &mut self.bonds {
            let lacp = self.lacp.get(name);
            let members: Vec<OfPort> = bond.members.keys().copied().collect();
            for port in members {
                let works = round.is_up(port) && self.links.is_operational(port);
                let usable = works && lacp.is_none_or(|lacp| lacp.may_enable(port));
                bond.set_member(port, round.mac(port), usable);
            }
            let outcome = bond.run(lacp.map_or(Status::Off, Lacp::status), now_ms);
            round.until(outcome.deadline_ms);
            let bundle = round.ports.bundles.values().find(|b| b.name == *name).cloned();
            let Some(bundle) = bundle else { continue };
            if outcome.send_learning_packets {
                teach(bond, &bundle, round);
            }
            if bond.config.mode == bond::Mode::ActiveBackup {
                self.recircs.remove(name);
            } else if !self.recircs.contains_key(name) {
                let frozen = Frozen::bond(round.ofproto.id, bundle.id);
                let recirc = round.ofproto.world.recirc.freeze(frozen);
                self.recircs.extend(recirc.map(|recirc| (name.clone(), recirc)));
            }
        }
    }
}

/// Tells the network that the addresses behind us are now reached by the active member.
fn teach(bond: &Bond, bundle: &Bundle, round: &mut Round<'_>) {
    let view = bond.view();
    let is_member = |port: OfPort| bond.members.contains_key(&port);
    let rows = round.ofproto.macs.rows(round.now_ms);
    let elsewhere = rows.iter().filter(|r| !is_member(r.port) && bundle.carries(r.vlan));
    for row in elsewhere.take(LEARNING_PACKETS_MAX) {
        let (ethertype, rarp) = rarp(row.mac, if bundle.tag == row.vlan { 0 } else { row.vlan });
        let member = match view.effective_mode() {
            Some(bond::Mode::BalanceSlb) => {
                view.buckets.member(bond::hash_mac(row.mac, row.vlan, view.basis) as usize)
            }
            _ => view.active,
        };
        if let Some(member) = member {
            round.out.push((member, frame::ethernet(BROADCAST, row.mac, ethertype, &rarp)));
        }
    }
}

/// A reverse ARP request from and for `mac`, behind a tag of `vlan` unless that is 0; with its Ethernet type.
fn rarp(mac: [u8; 6], vlan: u16) -> (u16, Vec<u8>) {
    const RARP: u16 = flow::proto::eth::RARP;
    const REQUEST_REVERSE: u8 = 3;
    let mut out = Vec::new();
    if vlan != 0 {
        out.extend(vlan.to_be_bytes());
        out.extend(RARP.to_be_bytes());
    }
    out.extend([0, 1, 8, 0, 6, 4, 0, REQUEST_REVERSE]);
    for address in [mac, mac] {
        out.extend(address);
        out.extend([0; 4]);
    }
    (if vlan != 0 { VLAN_TYPE } else { RARP }, out)
}
