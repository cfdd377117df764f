//! Drops from a match the fields that its packets cannot have, as OVS does with every flow mod.

use super::Match;
use crate::key::{Be16, Be32};
use crate::proto::{eth, ip, nd, packet_type};

#[derive(Default)]
struct May {
    ether: bool,
    nw_addr: bool,
    nw_proto: bool,
    ip: bool,
    ipv6: bool,
    tp: bool,
    sha: bool,
    tha: bool,
    nd_target: bool,
    mpls: bool,
}

impl Match {
    /// Wildcards fields whose prerequisites the match does not state. Returns true when that changed something.
    pub fn normalize(&mut self) -> bool {
        let before = *self;
        let may = self.possible();
        let m = &mut self.mask.0;
        let clear = |keep: bool, f: &mut dyn FnMut()| {
            if !keep {
                f();
            }
        };
        clear(may.ether, &mut || (m.dl_src, m.dl_dst) = ([0; 6], [0; 6]));
        clear(may.nw_addr, &mut || (m.nw_src, m.nw_dst) = (Be32::ZERO, Be32::ZERO));
        clear(may.tp, &mut || (m.tp_src, m.tp_dst) = (Be16::ZERO, Be16::ZERO));
        clear(may.nw_proto, &mut || m.nw_proto = 0);
        clear(may.ip, &mut || (m.nw_tos, m.nw_ttl, m.nw_frag) = (0, 0, 0));
        clear(may.sha, &mut || m.arp_sha = [0; 6]);
        clear(may.tha, &mut || m.arp_tha = [0; 6]);
        clear(may.ipv6, &mut || {
            (m.ipv6_src, m.ipv6_dst, m.ipv6_label) = ([0; 16], [0; 16], Be32::ZERO);
        });
        clear(may.nd_target, &mut || m.nd_target = [0; 16]);
        clear(may.mpls, &mut || m.mpls = [Be32::ZERO; 3]);
        self.flow = self.flow.masked(&self.mask);
        *self != before
    }

    fn possible(&self) -> May {
        let mut may = May::default();
        let given = self.flow.packet_type.get();
        let dl_type = if self.mask.0.packet_type.is_zero() || self.has_default_packet_type() {
            may.ether = true;
            self.flow.dl_type.get()
        } else if (given >> 16) as u16 == packet_type::NS_ETHERTYPE {
            given as u16
        } else {
            0
        };
        let proto = self.flow.nw_proto;
        match dl_type {
            eth::IP => {
                (may.nw_addr, may.nw_proto, may.ip) = (true, true, true);
                may.tp = matches!(proto, ip::TCP | ip::UDP | ip::SCTP | ip::ICMP);
            }
            eth::IPV6 => {
                (may.ipv6, may.nw_proto, may.ip) = (true, true, true);
                may.tp = matches!(proto, ip::TCP | ip::UDP | ip::SCTP | ip::ICMPV6);
                let icmp_type = (proto == ip::ICMPV6).then_some(self.flow.tp_src.get());
                may.sha = icmp_type == Some(nd::SOLICIT.into());
                may.tha = icmp_type == Some(nd::ADVERT.into());
                may.nd_target = may.sha || may.tha;
            }
            eth::ARP | eth::RARP => {
                (may.nw_addr, may.nw_proto, may.sha, may.tha) = (true, true, true, true);
            }
            eth::MPLS | eth::MPLS_MCAST => may.mpls = true,
            _ => {}
        }
        may
    }
}
