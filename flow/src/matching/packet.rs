//! The match that describes one packet: every field that the packet has, exact (`Flow:` lines, packet-in texts).

use super::Match;
use crate::key::{Be16, Be32, Be64, Flow, Mask, NW_FRAG_ANY, NW_FRAG_LATER, Vlan};
use crate::proto::{ct, eth, ip, mpls, nd, tun};

const EXACT_VLAN: Vlan = Vlan { tpid: Be16::MAX, tci: Be16::MAX };

impl Match {
    /// The fields that `flow`'s packet has; context fields (port, marks, ct, registers) only where not zero.
    pub fn of_packet(flow: &Flow) -> Match {
        let mut mask = Mask::for_packet(flow);
        let m = &mut mask.0;
        let keep = |value: u32, bits: &mut u32| *bits = if value == 0 { 0 } else { u32::MAX };
        keep(flow.in_port, &mut m.in_port);
        keep(flow.skb_priority, &mut m.skb_priority);
        keep(flow.pkt_mark, &mut m.pkt_mark);
        keep(flow.recirc_id, &mut m.recirc_id);
        keep(flow.dp_hash, &mut m.dp_hash);
        keep(flow.ct_mark, &mut m.ct_mark);
        m.ct_state = if flow.ct_state == 0 { 0 } else { ct::ALL };
        m.ct_zone = if flow.ct_zone == 0 { 0 } else { u16::MAX };
        m.ct_label = if flow.ct_label == [0; 16] { [0; 16] } else { [0xff; 16] };
        m.metadata = if flow.metadata.is_zero() { Be64::ZERO } else { Be64::MAX };
        for (reg, bits) in flow.regs.iter().zip(&mut m.regs) {
            keep(*reg, bits);
        }
        Match::new(flow, &mask)
    }
}

impl Mask {
    /// All fields that a packet with `flow` has; registers and metadata are not of the packet.
    pub fn for_packet(flow: &Flow) -> Mask {
        let mut mask = Mask::NONE;
        let m = &mut mask.0;
        tunnel(flow, m);
        (m.skb_priority, m.pkt_mark, m.recirc_id, m.dp_hash) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
        (m.ct_state, m.ct_zone, m.ct_mark, m.ct_label) = (u32::MAX, u16::MAX, u32::MAX, [0xff; 16]);
        (m.in_port, m.packet_type) = (u32::MAX, Be32::MAX);
        (m.dl_dst, m.dl_src, m.dl_type) = ([0xff; 6], [0xff; 6], Be16::MAX);
        m.vlan = EXACT_VLAN;
        if !flow.vlan.tci.is_zero() {
            m.vlan_inner = EXACT_VLAN;
        }
        if flow.ct_nw_proto != 0 {
            (m.ct_nw_proto, m.ct_tp_src, m.ct_tp_dst) = (u8::MAX, Be16::MAX, Be16::MAX);
        }
        match flow.dl_type.get() {
            eth::IP => {
                (m.nw_src, m.nw_dst) = (Be32::MAX, Be32::MAX);
                if flow.ct_nw_proto != 0 {
                    (m.ct_nw_src, m.ct_nw_dst) = (Be32::MAX, Be32::MAX);
                }
                l3_and_l4(flow, m);
            }
            eth::IPV6 => {
                (m.ipv6_src, m.ipv6_dst, m.ipv6_label) = ([0xff; 16], [0xff; 16], Be32::MAX);
                if flow.ct_nw_proto != 0 {
                    (m.ct_ipv6_src, m.ct_ipv6_dst) = ([0xff; 16], [0xff; 16]);
                }
                nd(flow, m);
                l3_and_l4(flow, m);
            }
            eth::ARP | eth::RARP => {
                (m.nw_src, m.nw_dst, m.nw_proto) = (Be32::MAX, Be32::MAX, u8::MAX);
                (m.arp_sha, m.arp_tha) = ([0xff; 6], [0xff; 6]);
            }
            eth::MPLS | eth::MPLS_MCAST => {
                for (lse, bits) in flow.mpls.iter().zip(&mut m.mpls) {
                    *bits = Be32::MAX;
                    if lse.get() & mpls::BOS != 0 {
                        break;
                    }
                }
            }
            eth::NSH => {
                (m.nsh_flags, m.nsh_ttl, m.nsh_mdtype, m.nsh_np) = (0xff, 0xff, 0xff, 0xff);
                (m.nsh_path_hdr, m.nsh_context) = (Be32::MAX, [Be32::MAX; 4]);
                l3_and_l4(flow, m);
            }
            _ => {}
        }
        mask
    }
}

fn tunnel(flow: &Flow, m: &mut Flow) {
    if flow.tun_dst.is_zero() && flow.tun_ipv6_dst == [0; 16] {
        m.tun_id = if flow.tun_id.is_zero() { Be64::ZERO } else { Be64::MAX };
        return;
    }
    if flow.tun_flags & tun::KEY != 0 {
        m.tun_id = Be64::MAX;
    }
    (m.tun_src, m.tun_dst) = (Be32::MAX, Be32::MAX);
    (m.tun_ipv6_src, m.tun_ipv6_dst) = ([0xff; 16], [0xff; 16]);
    (m.tun_flags, m.tun_tos, m.tun_ttl) = (u16::MAX, u8::MAX, u8::MAX);
    (m.tun_tp_src, m.tun_tp_dst) = (Be16::MAX, Be16::MAX);
    (m.tun_gbp_id, m.tun_gbp_flags) = (Be16::MAX, u8::MAX);
    (m.tun_erspan_ver, m.tun_erspan_idx) = (u8::MAX, Be32::MAX);
    (m.tun_erspan_dir, m.tun_erspan_hwid) = (u8::MAX, u8::MAX);
    (m.tun_gtpu_flags, m.tun_gtpu_msgtype) = (u8::MAX, u8::MAX);
    m.tun_md_present = flow.tun_md_present;
    for (n, option) in m.tun_metadata.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        if flow.tun_md_present >> n & 1 != 0 {
            *option = [0xff; 4];
        }
    }
}

fn nd(flow: &Flow, m: &mut Flow) {
    let is_nd = flow.nw_proto == ip::ICMPV6
        && flow.tp_dst.is_zero()
        && matches!(u8::try_from(flow.tp_src.get()), Ok(nd::SOLICIT | nd::ADVERT));
    if is_nd && flow.nw_frag & NW_FRAG_LATER == 0 {
        (m.arp_sha, m.arp_tha, m.nd_target) = ([0xff; 6], [0xff; 6], [0xff; 16]);
    }
}

fn l3_and_l4(flow: &Flow, m: &mut Flow) {
    (m.nw_frag, m.nw_tos, m.nw_ttl, m.nw_proto) = (NW_FRAG_ANY | NW_FRAG_LATER, 0xff, 0xff, 0xff);
    let has_l4 = matches!(flow.nw_proto, ip::ICMP | ip::ICMPV6 | ip::TCP | ip::UDP | ip::SCTP | ip::IGMP);
    if flow.nw_frag & NW_FRAG_LATER != 0 || !has_l4 {
        return;
    }
    (m.tp_src, m.tp_dst) = (Be16::MAX, Be16::MAX);
    match flow.nw_proto {
        ip::TCP => m.tcp_flags = Be16::MAX,
        ip::IGMP => m.nd_reserved = Be32::MAX,
        _ => {}
    }
}
