//! Actions on the headers that have actions of their own: Ethernet addresses, IP, ports, TTL.

use flow::key::NW_FRAG_LATER;
use flow::proto::{eth, ip};
use flow::{Be16, Be32};
use openflow::msg::PacketInReason;

use super::actions::Flowing;
use super::ctx::Ctx;

impl Ctx<'_, '_> {
    fn is_ip(&self) -> bool {
        matches!(self.flow.dl_type.get(), eth::IP | eth::IPV6)
    }

    pub(super) fn set_eth_src(&mut self, mac: [u8; 6]) {
        self.out.mask.0.dl_src = [0xff; 6];
        self.flow.dl_src = mac;
    }

    pub(super) fn set_eth_dst(&mut self, mac: [u8; 6]) {
        self.out.mask.0.dl_dst = [0xff; 6];
        self.flow.dl_dst = mac;
    }

    pub(super) fn set_ipv4_src(&mut self, addr: [u8; 4]) {
        if self.flow.dl_type.get() == eth::IP {
            self.out.mask.0.nw_src = Be32::MAX;
            self.flow.nw_src = Be32::new(u32::from_be_bytes(addr));
        }
    }

    pub(super) fn set_ipv4_dst(&mut self, addr: [u8; 4]) {
        if self.flow.dl_type.get() == eth::IP {
            self.out.mask.0.nw_dst = Be32::MAX;
            self.flow.nw_dst = Be32::new(u32::from_be_bytes(addr));
        }
    }

    pub(super) fn set_ip_dscp(&mut self, tos: u8) {
        if self.is_ip() {
            self.out.mask.0.nw_tos |= ip::DSCP_MASK;
            self.flow.nw_tos = (self.flow.nw_tos & ip::ECN_MASK) | (tos & ip::DSCP_MASK);
        }
    }

    pub(super) fn set_ip_ecn(&mut self, ecn: u8) {
        if self.is_ip() {
            self.out.mask.0.nw_tos |= ip::ECN_MASK;
            self.flow.nw_tos = (self.flow.nw_tos & ip::DSCP_MASK) | (ecn & ip::ECN_MASK);
        }
    }

    pub(super) fn set_ip_ttl(&mut self, ttl: u8) {
        if self.is_ip() {
            self.out.mask.0.nw_ttl = 0xff;
            self.flow.nw_ttl = ttl;
        }
    }

    pub(super) fn set_l4(&mut self, port: u16, is_src: bool) {
        if !self.is_ip() || self.flow.nw_frag & NW_FRAG_LATER != 0 {
            return;
        }
        let m = &mut self.out.mask.0;
        m.nw_proto = 0xff;
        if is_src {
            m.tp_src = Be16::MAX;
            self.flow.tp_src = Be16::new(port);
        } else {
            m.tp_dst = Be16::MAX;
            self.flow.tp_dst = Be16::new(port);
        }
    }

    /// One hop: a packet on its last goes to controllers `ids` instead.
    pub(super) fn dec_ttl(&mut self, ids: &[u16]) -> Flowing {
        if !self.is_ip() {
            return Flowing::On;
        }
        self.out.mask.0.nw_ttl = 0xff;
        if self.flow.nw_ttl > 1 {
            self.flow.nw_ttl -= 1;
            return Flowing::On;
        }
        for &id in ids {
            self.send_to_controller(u16::MAX, id, PacketInReason::InvalidTtl, &[]);
        }
        let version = if self.flow.dl_type.get() == eth::IP { 4 } else { 6 };
        self.warn(|| format!("IPv{version} decrement TTL exception"));
        Flowing::Stop
    }

    pub(super) fn dec_nsh_ttl(&mut self) -> Flowing {
        if self.flow.dl_type.get() != eth::NSH {
            return Flowing::On;
        }
        self.out.mask.0.nsh_ttl = 0xff;
        if self.flow.nsh_ttl > 1 {
            self.flow.nsh_ttl -= 1;
            return Flowing::On;
        }
        self.send_to_controller(u16::MAX, 0, PacketInReason::InvalidTtl, &[]);
        Flowing::Stop
    }

    /// `fin_timeout`: TCP flags of the packets decide, so they are counted, not matched.
    pub(super) fn fin_timeout(&mut self, idle_s: u16, hard_s: u16) {
        let is_tcp = self.is_ip() && {
            self.out.mask.0.nw_proto = 0xff;
            self.flow.nw_proto == ip::TCP
        };
        if let Some(rule) = self.rule.filter(|_| is_tcp) {
            self.out.effects.push(super::Effect::FinTimeout { rule: rule.clone(), idle_s, hard_s });
        }
    }
}
