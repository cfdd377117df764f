//! NORMAL: an Ethernet switch with VLANs and MAC learning.

use flow::Be32;
use flow::proto::eth;
use openflow::OfPort;
use std::sync::Arc;

use super::Effect;
use super::bond::Exit;
use super::ctx::Ctx;
use super::effect::{LearnMac, MacDependency};
use super::vlan::{self, Tags};
use crate::ofproto::config::{BundleId, PriorityTags};
use crate::ofproto::mirror::{Mirror, MirrorOut};
use crate::ofproto::snapshot::Bundle;

const ARP_REQUEST: u8 = 1;
const ARP_REPLY: u8 = 2;
const BROADCAST: [u8; 6] = [0xff; 6];
const PCP_BITS: u16 = 0xe000;

/// Addresses that bridges do not forward (IEEE 802.1D table 7-10 and the vendors' relatives).
pub(super) fn is_reserved(mac: [u8; 6]) -> bool {
    let [a, b, c, d, e, f] = mac;
    match [a, b, c, d, e] {
        [0x01, 0x80, 0xc2, 0, 0] => f <= 0x0f,
        // Extreme discovery, extreme loop, and Cisco's CDP, VTP, PVST, uplink fast, inter-switch link.
        [0x00, 0xe0, 0x2b, 0, 0] => matches!(f, 0x00 | 0x04 | 0x06),
        [0x01, 0x00, 0x0c, 0xcc, 0xcc] => matches!(f, 0xcc | 0xcd),
        [0x01, 0x00, 0x0c, 0xcd, 0xcd] => f == 0xcd,
        [0x01, 0x00, 0x0c, 0, 0] => f == 0,
        _ => false,
    }
}

impl<'a> Ctx<'a, '_> {
    pub(super) fn normal(&mut self) {
        let m = &mut self.out.mask.0;
        (m.dl_src, m.dl_dst) = ([0xff; 6], [0xff; 6]);
        m.vlan.tci = flow::Be16::new(m.vlan.tci.get() | 0x0fff | flow::key::VLAN_CFI);
        let in_port = self.in_port();
        let Some(bundle) = self.bridge.ports.bundle_of(in_port) else {
            return self.warn(|| "no input bundle, dropping".into());
        };
        if self.is_mirror_output(bundle.id) {
            let name = &bundle.name;
            return self.warn(|| {
                format!(
                    "dropping packet received on port {name}, which is reserved exclusively for mirroring"
                )
            });
        }
        let wire = vlan::extract(&self.flow);
        if let Some(refusal) = vlan::refusal(bundle, wire[0].vid) {
            self.report(super::TraceKind::Error, || refusal);
            return self.warn(|| "disallowed VLAN VID for this input port, dropping".into());
        }
        if is_reserved(self.flow.dl_dst) && !self.bridge.config.forward_bpdu {
            return self.detail(|| "packet has reserved destination MAC, dropping".into());
        }
        let tags = vlan::from_wire(bundle, &wire);
        if !self.is_admitted(bundle, tags[0].vid, in_port) {
            return;
        }
        let grat_arp = self.is_gratuitous_arp();
        if self.input.may_learn {
            self.learn_mac(bundle, tags[0].vid, in_port, grat_arp);
        }
        if !self.snoop(bundle, &tags) {
            self.forward(bundle, &tags);
        }
    }

    fn is_mirror_output(&self, bundle: BundleId) -> bool {
        self.bridge.mirrors.iter().any(|m: &Mirror| m.out == MirrorOut::Bundle(bundle))
    }

    fn is_learning_vlan(&self, vlan: u16) -> bool {
        self.bridge.config.flood_vlans.binary_search(&vlan).is_err()
    }

    fn learn_mac(&mut self, bundle: &Bundle, vlan: u16, in_port: OfPort, grat_arp: bool) {
        let mac = self.flow.dl_src;
        if mac[0] & 1 != 0 || !self.is_learning_vlan(vlan) {
            return;
        }
        if self.tracing()
            && self.bridge.macs.needs_learning(vlan, mac, bundle.id, grat_arp, self.input.now_ms)
            && self.bridge.macs.lookup(vlan, mac).map(|(b, _)| b) != Some(bundle.id)
        {
            let text =
                format!("learned that {} is on port {} in VLAN {vlan}", crate::text::mac(mac), bundle.name);
            self.detail(|| text);
        }
        let table = self.bridge.macs.clone();
        let seen = MacDependency::new(&table, vlan, mac);
        let learn = LearnMac { table, vlan, mac, bundle: bundle.id, port: in_port, grat_arp, seen };
        self.out.effects.push(Effect::LearnMac(Box::new(learn)));
    }

    /// An ARP packet that tells everyone where its sender is.
    pub(super) fn is_gratuitous_arp(&mut self) -> bool {
        let m = &mut self.out.mask.0;
        if self.flow.dl_type.get() != eth::ARP || self.flow.dl_dst != BROADCAST {
            return false;
        }
        m.nw_proto = 0xff;
        match self.flow.nw_proto {
            ARP_REPLY => true,
            ARP_REQUEST => {
                (m.nw_src, m.nw_dst) = (Be32::MAX, Be32::MAX);
                self.flow.nw_src == self.flow.nw_dst
            }
            _ => false,
        }
    }

    fn forward(&mut self, from: &'a Arc<Bundle>, tags: &Tags) {
        let (vlan, dst) = (tags[0].vid, self.flow.dl_dst);
        let dependency = MacDependency::new(&self.bridge.macs, vlan, dst);
        self.out.effects.push(Effect::LooksUpMac(dependency));
        let known = (dst[0] & 1 == 0 && self.is_learning_vlan(vlan))
            .then(|| self.lookup_mac(from, vlan, dst))
            .flatten();
        let Some(to) = known else {
            self.detail(|| "no learned MAC for destination, flooding".into());
            return self.flood_normal(from, tags);
        };
        match self.bridge.ports.bundle(to) {
            None => self.detail(|| "learned port is unknown, dropping".into()),
            Some(to) if to.id == from.id => {
                self.detail(|| "learned port is input port, dropping".into());
            }
            Some(to) => {
                self.detail(|| "forwarding to learned port".into());
                self.output_unprotected(from, to, tags);
            }
        }
    }

    /// Out by `to`, unless both ends are protected.
    pub(super) fn output_unprotected(&mut self, from: &Bundle, to: &Bundle, tags: &Tags) {
        if from.protected && to.protected {
            return self.warn(|| "Flow is between protected ports, skipping output.".into());
        }
        self.output_normal(to, tags);
    }

    /// Where `dst` was learned; the packet's own source counts as learned already.
    fn lookup_mac(&self, from: &Bundle, vlan: u16, dst: [u8; 6]) -> Option<BundleId> {
        let macs = &self.bridge.macs;
        if self.input.may_learn && dst == self.flow.dl_src {
            return macs.lookup(vlan, dst).map_or(Some(from.id), |(bundle, _)| Some(bundle));
        }
        macs.lookup(vlan, dst).map(|(bundle, _)| bundle)
    }

    pub(super) fn flood_normal(&mut self, from: &Bundle, tags: &Tags) {
        for to in self.bridge.ports.bundles.values() {
            let barred = to.id == from.id
                || !vlan::may_leave(to, tags)
                || !self.is_floodable(to)
                || self.is_mirror_output(to.id);
            if !barred {
                self.output_unprotected(from, to, tags);
            }
        }
    }

    fn is_floodable(&self, bundle: &Bundle) -> bool {
        use openflow::msg::port::PortConfig;
        let no_flood = |m: &OfPort| self.port(*m).is_some_and(|p| p.config.contains(PortConfig::NO_FLOOD));
        !bundle.members.iter().any(no_flood)
    }

    /// Out by `to`, with the tags that its mode wants.
    pub(super) fn output_normal(&mut self, to: &Bundle, tags: &Tags) {
        let Some(exit) = self.choose_exit(to, tags[0].vid) else { return };
        let saved = (self.flow.vlan, self.flow.vlan_inner);
        let (wire, mut out) = (vlan::extract(&self.flow), vlan::to_wire(to, tags));
        if to.priority_tags != PriorityTags::Never {
            out[0].pcp = wire[0].pcp;
        }
        vlan::put(&mut self.flow, &out, to.priority_tags);
        let is_changed = (self.flow.vlan, self.flow.vlan_inner) != saved;
        if is_changed {
            self.has_inner_tag();
        } else if wire[0] == out[0] && wire[0].vid == 0 {
            // A tag without a VLAN stays for the sake of its priority only.
            self.look_vlan(PCP_BITS);
        }
        match exit {
            Exit::Member(member) => self.output_port(member, None, false),
            Exit::Recirculate(id) => self.recirculate_for_bond(id, to),
        }
        (self.flow.vlan, self.flow.vlan_inner) = saved;
    }
}
