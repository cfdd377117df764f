//! Prerequisites: which packets have a field at all.

use super::{Field, Prereq};
use crate::key::{Be16, Be32, Flow, Mask, NW_FRAG_LATER, VLAN_CFI};
use crate::proto::{ct, eth, ip, nd, packet_type};

/// A flow seen through the mask that records what was looked at.
struct Look<'a> {
    flow: &'a Flow,
    mask: Option<&'a mut Mask>,
}

impl Look<'_> {
    fn note(&mut self, set: impl FnOnce(&mut Flow)) {
        if let Some(mask) = &mut self.mask {
            set(&mut mask.0);
        }
    }
    fn is_ethernet(&mut self) -> bool {
        self.note(|m| m.packet_type = Be32::MAX);
        self.flow.packet_type.get() == packet_type::ETHERNET
    }
    /// The Ethernet type, of an L3 packet the one that its packet type gives.
    fn dl_type(&mut self) -> u16 {
        self.note(|m| m.dl_type = Be16::MAX);
        let packet_type = self.flow.packet_type.get();
        if (packet_type >> 16) as u16 == packet_type::NS_ETHERTYPE {
            packet_type as u16
        } else {
            self.flow.dl_type.get()
        }
    }
    fn is_ip(&mut self) -> bool {
        matches!(self.dl_type(), eth::IP | eth::IPV6)
    }
    fn nw_proto(&mut self) -> u8 {
        self.note(|m| m.nw_proto = u8::MAX);
        self.flow.nw_proto
    }
    fn is_l4(&mut self, proto: u8) -> bool {
        if !self.is_ip() || self.nw_proto() != proto {
            return false;
        }
        self.note(|m| m.nw_frag |= NW_FRAG_LATER);
        self.flow.nw_frag & NW_FRAG_LATER == 0
    }
    fn is_icmpv6(&mut self) -> bool {
        self.dl_type() == eth::IPV6 && self.nw_proto() == ip::ICMPV6
    }
    fn nd_type(&mut self) -> Option<u8> {
        if !self.is_icmpv6() {
            return None;
        }
        self.note(|m| {
            m.tp_src = Be16::MAX;
            m.tp_dst = Be16::MAX;
        });
        let icmp_type = self.flow.tp_src.get();
        let is_nd = self.flow.tp_dst.is_zero() && matches!(icmp_type as u8, nd::SOLICIT | nd::ADVERT);
        (is_nd && icmp_type < 256).then_some(icmp_type as u8)
    }
    fn has(&mut self, prereq: Prereq) -> bool {
        match prereq {
            Prereq::None => true,
            Prereq::Ethernet => self.is_ethernet(),
            Prereq::Arp => matches!(self.dl_type(), eth::ARP | eth::RARP),
            Prereq::VlanVid => {
                self.note(|m| m.vlan.tci = Be16::new(m.vlan.tci.get() | VLAN_CFI));
                self.flow.vlan.tci.get() & VLAN_CFI != 0
            }
            Prereq::Ipv4 => self.dl_type() == eth::IP,
            Prereq::Ipv6 => self.dl_type() == eth::IPV6,
            Prereq::IpAny => self.is_ip(),
            Prereq::Ct => {
                self.note(|m| m.ct_state |= ct::TRK | ct::INV | ct::NEW | ct::EST | ct::REL | ct::RPL);
                let state = self.flow.ct_state;
                state & ct::TRK != 0 && state & ct::INV == 0 && state & !(ct::TRK | ct::SNAT | ct::DNAT) != 0
            }
            Prereq::Mpls => eth::is_mpls(self.dl_type()),
            Prereq::Nsh => self.dl_type() == eth::NSH,
            Prereq::Tcp => self.is_l4(ip::TCP),
            Prereq::Udp => self.is_l4(ip::UDP),
            Prereq::Sctp => self.is_l4(ip::SCTP),
            Prereq::Icmpv4 => self.dl_type() == eth::IP && self.nw_proto() == ip::ICMP,
            Prereq::Icmpv6 => self.is_icmpv6(),
            Prereq::Nd => self.nd_type().is_some(),
            Prereq::NdSolicit => self.nd_type() == Some(nd::SOLICIT),
            Prereq::NdAdvert => self.nd_type() == Some(nd::ADVERT),
        }
    }
}

impl Field {
    /// True when a packet with `flow` has this field.
    pub fn is_present(self, flow: &Flow) -> bool {
        Look { flow, mask: None }.has(self.info().prereq)
    }

    /// The same, noting in `mask` every bit that was looked at.
    pub fn look_present(self, flow: &Flow, mask: &mut Mask) -> bool {
        Look { flow, mask: Some(mask) }.has(self.info().prereq)
    }
}
