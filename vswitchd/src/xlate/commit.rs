//! Commit: the difference between the flow that actions want and the packet as it is, as datapath actions. Of a header
//! that differs, fields that are equal stay out of the mask, and of the others the bits that translation looked at go in.

use dpif::Action as DpAction;
use dpif::action::{Set, SetArp, SetIpv6, SetNd, SetPorts};
use flow::key::{NW_FRAG_LATER, VLAN_CFI, Vlan};
use flow::proto::{eth, ip, nd};
use flow::{Be16, Be32, Flow};

use super::ctx::Ctx;

/// The bits to change of a field: none when equal, else those looked at (all, if it was never looked at).
macro_rules! bits {
    ($self:ident, $field:ident, $all:expr, $none:expr) => {
        if $self.flow.$field == $self.base.$field {
            $none
        } else if $self.out.mask.0.$field == $none {
            $all
        } else {
            $self.out.mask.0.$field
        }
    };
}

/// Up to two tags, without the heap.
type Tags = smallvec::SmallVec<[Vlan; 2]>;

const NO_MAC: [u8; 6] = [0; 6];
const ALL_MAC: [u8; 6] = [0xff; 6];

impl Ctx<'_, '_> {
    /// Emits all changes so far.
    pub(super) fn commit(&mut self) {
        self.commit_eth();
        let leaves_mpls = eth::is_mpls(self.base.dl_type.get()) && !eth::is_mpls(self.flow.dl_type.get());
        if leaves_mpls {
            // The headers below can be set only when they have come to light.
            self.commit_mpls();
        }
        if !eth::is_mpls(self.flow.dl_type.get()) {
            // Under a label the headers are out of sight: what was to change was committed before the first one was pushed.
            self.commit_network();
            self.commit_l4();
        }
        self.commit_mpls();
        self.commit_vlan();
        self.commit_marks();
    }

    fn set(&mut self, set: Set) {
        self.out.actions.push(DpAction::Set(set));
    }

    fn commit_eth(&mut self) {
        let (f, b) = (&self.flow, &self.base);
        if f.dl_src == b.dl_src && f.dl_dst == b.dl_dst {
            return;
        }
        let src_mask = bits!(self, dl_src, ALL_MAC, NO_MAC);
        let dst_mask = bits!(self, dl_dst, ALL_MAC, NO_MAC);
        let (src, dst) = (self.flow.dl_src, self.flow.dl_dst);
        self.set(Set::Eth { src: and(src, src_mask), src_mask, dst: and(dst, dst_mask), dst_mask });
        (self.base.dl_src, self.base.dl_dst) = (src, dst);
    }

    /// Takes off and puts on tags until they agree; tags equal from the inside out stay.
    fn commit_vlan(&mut self) {
        let tags = |f: &Flow| {
            let all = [f.vlan, f.vlan_inner];
            all.into_iter().take_while(|v| v.tci.get() & VLAN_CFI != 0).collect::<Tags>()
        };
        let (want, have) = (tags(&self.flow), tags(&self.base));
        let same = want.iter().rev().zip(have.iter().rev()).take_while(|(a, b)| a == b).count();
        let m = &mut self.out.mask.0;
        for mask in [&mut m.vlan, &mut m.vlan_inner].into_iter().take(have.len() - same) {
            *mask = super::vlan::EXACT;
            self.out.actions.push(DpAction::PopVlan);
        }
        for tag in want[..want.len() - same].iter().rev() {
            self.out.actions.push(DpAction::PushVlan { tpid: tag.tpid, tci: tag.tci });
        }
        (self.base.vlan, self.base.vlan_inner) = (self.flow.vlan, self.flow.vlan_inner);
    }

    fn commit_network(&mut self) {
        match self.base.dl_type.get() {
            eth::IP => self.commit_ipv4(),
            eth::IPV6 => {
                self.commit_ipv6();
                self.commit_nd();
            }
            eth::ARP | eth::RARP => self.commit_arp(),
            _ => {}
        }
    }

    fn commit_ipv4(&mut self) {
        let (f, b) = (&self.flow, &self.base);
        if (f.nw_src, f.nw_dst, f.nw_tos, f.nw_ttl) == (b.nw_src, b.nw_dst, b.nw_tos, b.nw_ttl) {
            return;
        }
        let src_mask = bits!(self, nw_src, Be32::MAX, Be32::ZERO);
        let dst_mask = bits!(self, nw_dst, Be32::MAX, Be32::ZERO);
        let tos_mask = bits!(self, nw_tos, 0xff, 0);
        let ttl_mask = bits!(self, nw_ttl, 0xff, 0);
        let f = self.flow;
        self.set(Set::Ipv4 {
            src: Be32(f.nw_src.0 & src_mask.0),
            src_mask,
            dst: Be32(f.nw_dst.0 & dst_mask.0),
            dst_mask,
            tos: f.nw_tos & tos_mask,
            tos_mask,
            ttl: f.nw_ttl & ttl_mask,
            ttl_mask,
        });
        self.base_network();
    }

    fn base_network(&mut self) {
        let (f, b) = (&self.flow, &mut self.base);
        (b.nw_src, b.nw_dst, b.nw_tos, b.nw_ttl) = (f.nw_src, f.nw_dst, f.nw_tos, f.nw_ttl);
        (b.ipv6_src, b.ipv6_dst, b.ipv6_label) = (f.ipv6_src, f.ipv6_dst, f.ipv6_label);
    }

    fn commit_ipv6(&mut self) {
        let (f, b) = (&self.flow, &self.base);
        let key = |f: &Flow| (f.ipv6_src, f.ipv6_dst, f.ipv6_label, f.nw_tos, f.nw_ttl);
        if key(f) == key(b) {
            return;
        }
        let src_mask = bits!(self, ipv6_src, [0xff; 16], [0; 16]);
        let dst_mask = bits!(self, ipv6_dst, [0xff; 16], [0; 16]);
        let label_mask = bits!(self, ipv6_label, Be32::new(0xf_ffff), Be32::ZERO);
        let tclass_mask = bits!(self, nw_tos, 0xff, 0);
        let hlimit_mask = bits!(self, nw_ttl, 0xff, 0);
        let f = self.flow;
        self.set(Set::Ipv6(Box::new(SetIpv6 {
            src: and(f.ipv6_src, src_mask),
            src_mask,
            dst: and(f.ipv6_dst, dst_mask),
            dst_mask,
            label: Be32(f.ipv6_label.0 & label_mask.0),
            label_mask,
            tclass: f.nw_tos & tclass_mask,
            tclass_mask,
            hlimit: f.nw_ttl & hlimit_mask,
            hlimit_mask,
        })));
        self.base_network();
    }

    fn commit_arp(&mut self) {
        let key = |f: &Flow| (f.nw_src, f.nw_dst, f.nw_proto, f.arp_sha, f.arp_tha);
        if key(&self.flow) == key(&self.base) {
            return;
        }
        let sip_mask = bits!(self, nw_src, Be32::MAX, Be32::ZERO);
        let tip_mask = bits!(self, nw_dst, Be32::MAX, Be32::ZERO);
        let op_mask = u16::from(bits!(self, nw_proto, 0xff, 0));
        let op_mask = if op_mask == 0 { 0 } else { u16::MAX };
        let sha_mask = bits!(self, arp_sha, ALL_MAC, NO_MAC);
        let tha_mask = bits!(self, arp_tha, ALL_MAC, NO_MAC);
        let f = self.flow;
        self.set(Set::Arp(Box::new(SetArp {
            sip: Be32(f.nw_src.0 & sip_mask.0),
            sip_mask,
            tip: Be32(f.nw_dst.0 & tip_mask.0),
            tip_mask,
            op: u16::from(f.nw_proto) & op_mask,
            op_mask,
            sha: and(f.arp_sha, sha_mask),
            sha_mask,
            tha: and(f.arp_tha, tha_mask),
            tha_mask,
        })));
        let b = &mut self.base;
        (b.nw_src, b.nw_dst, b.nw_proto) = (f.nw_src, f.nw_dst, f.nw_proto);
        (b.arp_sha, b.arp_tha) = (f.arp_sha, f.arp_tha);
    }

    fn commit_nd(&mut self) {
        let f = &self.flow;
        let is_nd = f.nw_proto == ip::ICMPV6
            && f.tp_dst.is_zero()
            && matches!(u8::try_from(f.tp_src.get()), Ok(nd::SOLICIT | nd::ADVERT));
        let key = |f: &Flow| (f.nd_target, f.arp_sha, f.arp_tha);
        if is_nd && key(f) != key(&self.base) {
            let target_mask = bits!(self, nd_target, [0xff; 16], [0; 16]);
            let sll_mask = bits!(self, arp_sha, ALL_MAC, NO_MAC);
            let tll_mask = bits!(self, arp_tha, ALL_MAC, NO_MAC);
            let f = self.flow;
            self.set(Set::Nd(Box::new(SetNd {
                target: and(f.nd_target, target_mask),
                target_mask,
                sll: and(f.arp_sha, sll_mask),
                sll_mask,
                tll: and(f.arp_tha, tll_mask),
                tll_mask,
            })));
            let b = &mut self.base;
            (b.nd_target, b.arp_sha, b.arp_tha) = (f.nd_target, f.arp_sha, f.arp_tha);
        }
        let ext = |f: &Flow| (f.nd_reserved, f.nd_options_type);
        if is_nd && ext(&self.flow) != ext(&self.base) {
            let reserved_mask = bits!(self, nd_reserved, Be32::MAX, Be32::ZERO);
            let options_type_mask = bits!(self, nd_options_type, 0xff, 0);
            let (reserved, options_type) = ext(&self.flow);
            self.set(Set::NdExt { reserved, reserved_mask, options_type, options_type_mask });
            (self.base.nd_reserved, self.base.nd_options_type) = (reserved, options_type);
        }
    }

    fn commit_l4(&mut self) {
        let (f, b) = (&self.flow, &self.base);
        let is_ip = matches!(b.dl_type.get(), eth::IP | eth::IPV6);
        let differs = (f.tp_src, f.tp_dst) != (b.tp_src, b.tp_dst);
        if !is_ip || !differs || f.nw_frag & NW_FRAG_LATER != 0 {
            return;
        }
        let src_mask = bits!(self, tp_src, Be16::MAX, Be16::ZERO);
        let dst_mask = bits!(self, tp_dst, Be16::MAX, Be16::ZERO);
        let f = self.flow;
        let ports = SetPorts {
            src: Be16(f.tp_src.0 & src_mask.0),
            src_mask,
            dst: Be16(f.tp_dst.0 & dst_mask.0),
            dst_mask,
        };
        let (icmp_type, code) = (f.tp_src.get() as u8, f.tp_dst.get() as u8);
        let (type_mask, code_mask) = (src_mask.get() as u8, dst_mask.get() as u8);
        match (f.nw_proto, f.dl_type.get()) {
            (ip::TCP, _) => self.set(Set::Tcp(ports)),
            (ip::UDP, _) => self.set(Set::Udp(ports)),
            (ip::SCTP, _) => self.set(Set::Sctp(ports)),
            (ip::ICMP, eth::IP) => self.set(Set::Icmp { icmp_type, type_mask, code, code_mask }),
            (ip::ICMPV6, eth::IPV6) => self.set(Set::Icmpv6 { icmp_type, type_mask, code, code_mask }),
            _ => return,
        }
        (self.base.tp_src, self.base.tp_dst) = (f.tp_src, f.tp_dst);
    }
}

fn and<const N: usize>(value: [u8; N], mask: [u8; N]) -> [u8; N] {
    std::array::from_fn(|n| value[n] & mask[n])
}
