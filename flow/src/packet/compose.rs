//! A packet from a flow: for `netdev-dummy/receive`, `ofproto/trace -generate`, `packet-out` with fields, probes. Slow plane.

use crate::checksum::{checksum, crc32c, fold, pseudo_header, sum};
use crate::key::{Flow, MPLS_LABELS_MAX, NW_FRAG_ANY, NW_FRAG_LATER, VLAN_CFI, Vlan};
use crate::parse::VLAN_LIMIT_DEFAULT;
use crate::proto::{eth, ip, mpls, nd, packet_type};

const _: () = assert!(VLAN_LIMIT_DEFAULT as usize <= crate::key::VLAN_TAGS_MAX);

/// Fragment word of a later fragment: more fragments, some offset.
const LATER_FRAGMENT: u16 = 0x2064;
const FIRST_FRAGMENT: u16 = 0x2000;
const TCP_NO_PAYLOAD_FLAGS: u16 = 0x007;
const ND_OPTION_LEN: u8 = 1;

/// The packet that parses to `flow` (as far as a packet can), with `payload` behind the transport header.
pub fn compose(flow: &Flow, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + payload.len());
    let is_ethernet = flow.packet_type.get() == packet_type::ETHERNET;
    let dl_type = if is_ethernet { flow.dl_type.get() } else { flow.packet_type.get() as u16 };
    if is_ethernet {
        out.extend_from_slice(&flow.dl_dst);
        out.extend_from_slice(&flow.dl_src);
        for tag in [flow.vlan, flow.vlan_inner] {
            push_tag(&mut out, tag);
        }
        if dl_type == eth::TYPE_NONE {
            // 802.3: the length stands in place of the type.
            let len = (out.len() + 2) as u16;
            out.extend_from_slice(&len.to_be_bytes());
            return out;
        }
        out.extend_from_slice(&dl_type.to_be_bytes());
    }
    match dl_type {
        eth::IP => ipv4(flow, payload, &mut out),
        eth::IPV6 => ipv6(flow, payload, &mut out),
        eth::ARP | eth::RARP => arp(flow, &mut out),
        eth::MPLS | eth::MPLS_MCAST => labels(flow, &mut out),
        eth::NSH => nsh(flow, payload, &mut out),
        _ => {}
    }
    out
}

fn push_tag(out: &mut Vec<u8>, tag: Vlan) {
    if tag.tci.get() & VLAN_CFI != 0 {
        let tpid = if tag.tpid.is_zero() { eth::VLAN } else { tag.tpid.get() };
        out.extend_from_slice(&tpid.to_be_bytes());
        out.extend_from_slice(&(tag.tci.get() & !VLAN_CFI).to_be_bytes());
    }
}

fn labels(flow: &Flow, out: &mut Vec<u8>) {
    for lse in flow.mpls.iter().take(MPLS_LABELS_MAX) {
        out.extend_from_slice(&lse.get().to_be_bytes());
        if lse.get() & mpls::BOS != 0 {
            break;
        }
    }
}

fn arp(flow: &Flow, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 1, 8, 0, 6, 4, 0, flow.nw_proto]);
    out.extend_from_slice(&flow.arp_sha);
    out.extend_from_slice(&flow.nw_src.get().to_be_bytes());
    out.extend_from_slice(&flow.arp_tha);
    out.extend_from_slice(&flow.nw_dst.get().to_be_bytes());
}

fn nsh(flow: &Flow, payload: &[u8], out: &mut Vec<u8>) {
    const MD1: u8 = 1;
    let words: u16 = if flow.nsh_mdtype == MD1 { 6 } else { 2 };
    let first = u16::from(flow.nsh_flags & 3) << 12 | u16::from(flow.nsh_ttl & 0x3f) << 6 | words;
    out.extend_from_slice(&first.to_be_bytes());
    out.extend_from_slice(&[flow.nsh_mdtype, flow.nsh_np]);
    out.extend_from_slice(&flow.nsh_path_hdr.get().to_be_bytes());
    if flow.nsh_mdtype == MD1 {
        for word in flow.nsh_context {
            out.extend_from_slice(&word.get().to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

fn ipv4(flow: &Flow, payload: &[u8], out: &mut Vec<u8>) {
    let l4 = l4(flow, payload);
    let (src, dst) = (flow.nw_src.get().to_be_bytes(), flow.nw_dst.get().to_be_bytes());
    let frag = match flow.nw_frag & (NW_FRAG_ANY | NW_FRAG_LATER) {
        0 => 0,
        NW_FRAG_ANY => FIRST_FRAGMENT,
        _ => LATER_FRAGMENT,
    };
    let start = out.len();
    out.extend_from_slice(&[0x45, flow.nw_tos]);
    out.extend_from_slice(&(20 + l4.len() as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&frag.to_be_bytes());
    out.extend_from_slice(&[flow.nw_ttl, flow.nw_proto, 0, 0]);
    out.extend_from_slice(&src);
    out.extend_from_slice(&dst);
    let header = checksum(&out[start..]);
    out[start + 10..start + 12].copy_from_slice(&header);
    finish_l4(flow, &[src, dst].concat(), l4, out);
}

fn ipv6(flow: &Flow, payload: &[u8], out: &mut Vec<u8>) {
    let l4 = l4(flow, payload);
    let word = 6 << 28 | u32::from(flow.nw_tos) << 20 | (flow.ipv6_label.get() & 0xf_ffff);
    let is_fragment = flow.nw_frag != 0;
    out.extend_from_slice(&word.to_be_bytes());
    out.extend_from_slice(&(l4.len() as u16 + if is_fragment { 8 } else { 0 }).to_be_bytes());
    out.extend_from_slice(&[if is_fragment { ip::FRAGMENT } else { flow.nw_proto }, flow.nw_ttl]);
    out.extend_from_slice(&flow.ipv6_src);
    out.extend_from_slice(&flow.ipv6_dst);
    if is_fragment {
        let word: u16 = if flow.nw_frag & NW_FRAG_LATER == 0 { 1 } else { 0x0321 };
        out.extend_from_slice(&[flow.nw_proto, 0]);
        out.extend_from_slice(&word.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
    }
    finish_l4(flow, &[flow.ipv6_src, flow.ipv6_dst].concat(), l4, out);
}

/// The transport header and payload with a zero checksum; empty for a later fragment or an unknown protocol.
fn l4(flow: &Flow, payload: &[u8]) -> Vec<u8> {
    if flow.nw_frag & NW_FRAG_LATER != 0 {
        return Vec::new();
    }
    let mut out = Vec::new();
    let ports = [flow.tp_src.get().to_be_bytes(), flow.tp_dst.get().to_be_bytes()].concat();
    let type_code = [flow.tp_src.get() as u8, flow.tp_dst.get() as u8];
    match flow.nw_proto {
        ip::TCP => {
            out.extend_from_slice(&ports);
            out.extend_from_slice(&[0; 8]);
            out.extend_from_slice(
                &(5 << 12 | flow.tcp_flags.get() & crate::proto::TCP_FLAGS_MASK).to_be_bytes(),
            );
            out.extend_from_slice(&[0; 6]);
            if flow.tcp_flags.get() & TCP_NO_PAYLOAD_FLAGS == 0 {
                out.extend_from_slice(payload);
            }
        }
        ip::UDP => {
            out.extend_from_slice(&ports);
            out.extend_from_slice(&(8 + payload.len() as u16).to_be_bytes());
            out.extend_from_slice(&[0; 2]);
            out.extend_from_slice(payload);
        }
        ip::SCTP => {
            out.extend_from_slice(&ports);
            out.extend_from_slice(&[0; 8]);
            out.extend_from_slice(payload);
        }
        ip::ICMP => {
            out.extend_from_slice(&type_code);
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(payload);
        }
        ip::IGMP => {
            out.extend_from_slice(&type_code);
            out.extend_from_slice(&[0; 2]);
            out.extend_from_slice(&flow.nd_reserved.get().to_be_bytes());
            out.extend_from_slice(payload);
        }
        ip::ICMPV6 => {
            out.extend_from_slice(&type_code);
            out.extend_from_slice(&[0; 2]);
            icmpv6_body(flow, payload, &mut out);
        }
        _ => {}
    }
    out
}

fn icmpv6_body(flow: &Flow, payload: &[u8], out: &mut Vec<u8>) {
    let is_nd = flow.tp_dst.is_zero() && matches!(flow.tp_src.get() as u8, nd::SOLICIT | nd::ADVERT);
    out.extend_from_slice(&if is_nd { flow.nd_reserved.get() } else { 0 }.to_be_bytes());
    if !is_nd {
        return out.extend_from_slice(payload);
    }
    out.extend_from_slice(&flow.nd_target);
    for (kind, mac) in [(nd::OPT_SOURCE, flow.arp_sha), (nd::OPT_TARGET, flow.arp_tha)] {
        if mac != [0; 6] {
            out.extend_from_slice(&[kind, ND_OPTION_LEN]);
            out.extend_from_slice(&mac);
        }
    }
}

/// Appends `l4` with its checksum.
fn finish_l4(flow: &Flow, addresses: &[u8], mut l4: Vec<u8>, out: &mut Vec<u8>) {
    let pseudo = pseudo_header(addresses, flow.nw_proto, l4.len());
    let with_pseudo = |l4: &[u8]| (!fold(pseudo + sum(l4))).to_ne_bytes();
    let put = |l4: &mut Vec<u8>, at: usize, value: [u8; 2]| {
        if let Some(place) = l4.get_mut(at..at + 2) {
            place.copy_from_slice(&value);
        }
    };
    match flow.nw_proto {
        ip::TCP => {
            let value = with_pseudo(&l4);
            put(&mut l4, 16, value);
        }
        ip::UDP => {
            let value = with_pseudo(&l4);
            put(&mut l4, 6, if value == [0, 0] { [0xff, 0xff] } else { value });
        }
        ip::ICMPV6 => {
            let value = with_pseudo(&l4);
            put(&mut l4, 2, value);
        }
        ip::ICMP | ip::IGMP => {
            let value = checksum(&l4);
            put(&mut l4, 2, value);
        }
        ip::SCTP if l4.len() >= 12 => {
            let crc = crc32c(&l4);
            l4[8..12].copy_from_slice(&crc);
        }
        _ => {}
    }
    out.extend_from_slice(&l4);
}
