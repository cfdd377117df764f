//! Multicast snooping in NORMAL (RFC 4541): groups go to their members, reports to routers, messages of IGMP and MLD to the
//! table as well.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use flow::parse::{Meta, NO_OFFSET, parse_whole};
use flow::proto::{eth, ip};

use super::Effect;
use super::ctx::Ctx;
use super::slow;
use super::vlan::Tags;
use crate::ofproto::config::BundleId;
use crate::ofproto::snapshot::Bundle;
use crate::protocol::mcast::Table;
use crate::protocol::mcast::message::{self, Event};

/// What a packet tells the snooping table.
#[derive(Clone)]
pub struct Snooped {
    pub table: Arc<Table>,
    pub vlan: u16,
    pub bundle: BundleId,
    pub port: openflow::OfPort,
    pub events: Vec<Event>,
}

impl Snooped {
    pub fn apply(&self, now_ms: i64) {
        self.table.learn(self.vlan, self.bundle, self.port, &self.events, now_ms);
    }
}

const BROADCAST: [u8; 6] = [0xff; 6];

impl<'a> Ctx<'a, '_> {
    /// True when snooping has dealt with the packet.
    pub(super) fn snoop(&mut self, from: &'a Bundle, tags: &Tags) -> bool {
        let Some(table) = self.bridge.protocols.snooping.as_ref().map(|s| s.0.clone()) else { return false };
        let dst = self.flow.dl_dst;
        let is_v6 = self.flow.dl_type.get() == eth::IPV6;
        let is_ip = is_v6 || self.flow.dl_type.get() == eth::IP;
        if dst[0] & 1 == 0 || dst == BROADCAST || !is_ip {
            return false;
        }
        let generation = table.generation();
        self.out.effects.push(Effect::LooksUpGroup(table.clone(), generation));
        if self.is_group_message(is_v6) {
            self.snoop_message(&table, from, tags, is_v6);
            return true;
        }
        let vlan = tags[0].vid;
        let group = self.group_address(is_v6);
        let is_local = match group.to_ipv4_mapped() {
            Some(v4) => v4.octets()[..3] == [224, 0, 0],
            None => message::is_local(&group),
        };
        if is_local {
            self.detail(|| "RFC4541: section 2.1.2, item 2, flooding".into());
            self.flood_normal(from, tags);
            return true;
        }
        let ways = table.ways(vlan, Some(group));
        let mut sent = vec![from.id];
        match (&ways.members, ways.flood_unregistered) {
            (None, true) => {
                self.detail(|| "unregistered multicast, flooding".into());
                self.flood_normal(from, tags);
                return true;
            }
            (members, _) => {
                self.send_each(from, members.as_deref().unwrap_or_default(), tags, "group", &mut sent);
                self.send_each(from, &ways.flood, tags, "flood", &mut sent);
                self.send_each(from, &ways.routers, tags, "router", &mut sent);
            }
        }
        true
    }

    fn group_address(&mut self, is_v6: bool) -> Ipv6Addr {
        if is_v6 {
            self.out.mask.0.ipv6_dst = [0xff; 16];
            return Ipv6Addr::from(self.flow.ipv6_dst);
        }
        self.out.mask.0.nw_dst = flow::Be32::MAX;
        Ipv4Addr::from(self.flow.nw_dst.get()).to_ipv6_mapped()
    }

    /// IGMP, or one of MLD's messages.
    fn is_group_message(&mut self, is_v6: bool) -> bool {
        self.out.mask.0.nw_proto = 0xff;
        if !is_v6 {
            return self.flow.nw_proto == ip::IGMP;
        }
        if self.flow.nw_proto != ip::ICMPV6 {
            return false;
        }
        self.out.mask.0.tp_src = flow::Be16::MAX;
        let kind = self.flow.tp_src.get() as u8;
        kind == message::MLD_QUERY || message::is_report(kind, true)
    }

    fn snoop_message(&mut self, table: &Arc<Table>, from: &'a Bundle, tags: &Tags, is_v6: bool) {
        // Each message counts: none may be handled by the datapath alone.
        self.out.slow |= slow::ACTION;
        self.out.mask.0.tp_src = flow::Be16::MAX;
        let vlan = tags[0].vid;
        let events = self.events(is_v6);
        if self.input.may_learn && !events.is_empty() {
            let port = self.in_port();
            let snooped = Snooped { table: table.clone(), vlan, bundle: from.id, port, events };
            self.out.snooped.push(snooped);
        }
        let kind = self.flow.tp_src.get() as u8;
        if !message::is_report(kind, is_v6) {
            self.detail(|| "multicast traffic, flooding".into());
            return self.flood_normal(from, tags);
        }
        let mut sent = vec![from.id];
        self.send_each(from, &table.ways(vlan, None).routers, tags, "router", &mut sent);
        self.send_each(from, &table.report_ways(vlan), tags, "report", &mut sent);
    }

    fn events(&self, is_v6: bool) -> Vec<Event> {
        let Some(packet) = self.input.packet else { return Vec::new() };
        let (_, parsed) = parse_whole(packet, &Meta::received(packet.len(), 0));
        let end = packet.len().saturating_sub(parsed.l2_pad.into());
        let Some(payload) =
            packet.get(usize::from(parsed.l4_ofs)..end).filter(|_| parsed.l4_ofs != NO_OFFSET)
        else {
            return Vec::new();
        };
        if is_v6 { message::mld(payload) } else { message::igmp(payload) }
    }

    /// To each of `bundles` that has not got it yet.
    fn send_each(
        &mut self,
        from: &Bundle,
        bundles: &[BundleId],
        tags: &Tags,
        why: &str,
        sent: &mut Vec<BundleId>,
    ) {
        for id in bundles {
            if *id == from.id {
                self.detail(|| format!("mcast {why} port is input port, dropping"));
            }
            if sent.contains(id) {
                continue;
            }
            sent.push(*id);
            match self.bridge.ports.bundle(*id) {
                None => self.detail(|| format!("mcast {why} port is unknown, dropping")),
                Some(_) if why == "report" => {
                    self.detail(|| "forwarding report to mcast flagged port".into());
                }
                Some(_) => self.detail(|| format!("forwarding to mcast {why} port")),
            }
            if let Some(to) = self.bridge.ports.bundle(*id) {
                self.output_unprotected(from, to, tags);
            }
        }
    }
}
