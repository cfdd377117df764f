//! A masked key as text: `recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth(),eth_type(0x0800),ipv4(frag=no)`.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use flow::field::{CT_STATE_FLAGS, TCP_FLAGS, flags_text, flags_text_masked};
use flow::key::{NW_FRAG_ANY, NW_FRAG_LATER, VLAN_CFI};
use flow::proto::{eth, ip, nd, tun};
use flow::{Be16, Be32, Flow, Mask};

use super::{Names, port_text};
use crate::{DpPort, Ufid};

/// Prints `key` under `mask`. `verbose` shows wildcarded fields too (`dump-flows -m`).
pub fn format_key(key: &Flow, mask: &Mask, verbose: bool, names: &dyn Names) -> String {
    let mut out = Out { text: String::new(), verbose };
    metadata(&mut out, key, &mask.0, names);
    link(&mut out, key, &mask.0);
    out.text
}

/// `ufid:1df1c56d-c1a5-4227-8179-1b1c4c3858c6` without the prefix.
pub fn format_ufid(ufid: Ufid) -> String {
    let h = format!("{:032x}", ufid.0);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

/// Reads `ufid:UUID` or a bare UUID.
pub fn parse_ufid(text: &str) -> Option<Ufid> {
    let text = text.strip_prefix("ufid:").unwrap_or(text);
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&hex, 16).ok().map(Ufid)
}

/// The text so far: top-level items are separated by commas.
struct Out {
    text: String,
    verbose: bool,
}

impl Out {
    fn item(&mut self, text: std::fmt::Arguments<'_>) {
        if !self.text.is_empty() && !self.text.ends_with('(') {
            self.text.push(',');
        }
        let _ = self.text.write_fmt(text);
    }

    /// `name(V/M)` of an integer, left out when wildcarded.
    fn number(&mut self, name: &str, value: u32, mask: u32) {
        if mask != 0 || self.verbose {
            let value = masked(value, mask, u32::MAX, hex);
            self.item(format_args!("{name}({value})"));
        }
    }

    /// `name(a=..,b=..)` from the fields that are to be seen.
    fn group(&mut self, name: &str, fields: Fields) {
        self.item(format_args!("{name}({})", fields.text));
    }
}

/// The fields inside a pair of brackets.
struct Fields {
    text: String,
    verbose: bool,
}

impl Fields {
    fn new(out: &Out) -> Self {
        Fields { text: String::new(), verbose: out.verbose }
    }

    fn add<T>(&mut self, name: &str, value: T, mask: T, all: T, show: fn(T) -> String)
    where
        T: Copy + PartialEq + Default,
    {
        if mask != T::default() || self.verbose {
            if !self.text.is_empty() {
                self.text.push(',');
            }
            let _ = write!(self.text, "{name}={}", masked(value, mask, all, show));
        }
    }
}

fn masked<T: Copy + PartialEq>(value: T, mask: T, all: T, show: fn(T) -> String) -> String {
    if mask == all { show(value) } else { format!("{}/{}", show(value), show(mask)) }
}

fn hex(n: u32) -> String {
    if n == 0 { "0".into() } else { format!("{n:#x}") }
}
fn hex8(n: u8) -> String {
    hex(n.into())
}
fn decimal(n: Be16) -> String {
    n.get().to_string()
}
fn decimal8(n: u8) -> String {
    n.to_string()
}
fn mac(m: [u8; 6]) -> String {
    m.map(|b| format!("{b:02x}")).join(":")
}
fn ipv4(a: Be32) -> String {
    Ipv4Addr::from_bits(a.get()).to_string()
}
fn ipv6(a: [u8; 16]) -> String {
    Ipv6Addr::from(a).to_string()
}
fn label(n: u128) -> String {
    if n == 0 { "0".into() } else { format!("{n:#x}") }
}

const MAC: [u8; 6] = [0xff; 6];
const IPV6: [u8; 16] = [0xff; 16];

fn metadata(out: &mut Out, k: &Flow, m: &Flow, names: &dyn Names) {
    out.number("skb_priority", k.skb_priority, m.skb_priority);
    tunnel(out, k, m);
    out.number("skb_mark", k.pkt_mark, m.pkt_mark);
    if m.ct_state == u32::MAX || m.ct_state == flow::proto::ct::ALL {
        let flags = flags_text_masked(CT_STATE_FLAGS, k.ct_state, flow::proto::ct::ALL);
        out.item(format_args!("ct_state({flags})"));
    } else if m.ct_state != 0 {
        out.item(format_args!("ct_state({})", flags_text_masked(CT_STATE_FLAGS, k.ct_state, m.ct_state)));
    } else if out.verbose {
        out.item(format_args!("ct_state(0/0)"));
    }
    if m.ct_zone != 0 || out.verbose {
        let zone = masked(u32::from(k.ct_zone), u32::from(m.ct_zone), 0xffff, hex);
        out.item(format_args!("ct_zone({zone})"));
    }
    out.number("ct_mark", k.ct_mark, m.ct_mark);
    let (value, mask) = (u128::from_be_bytes(k.ct_label), u128::from_be_bytes(m.ct_label));
    if mask != 0 || out.verbose {
        out.item(format_args!("ct_label({})", masked(value, mask, u128::MAX, label)));
    }
    ct_tuple(out, k, m);
    out.item(format_args!("recirc_id({})", hex(k.recirc_id)));
    out.number("dp_hash", k.dp_hash, m.dp_hash);
    if m.in_port != 0 || out.verbose {
        out.item(format_args!("in_port({})", port_text(DpPort(k.in_port), names)));
    }
    if !m.packet_type.is_zero() || out.verbose {
        let (ns, id) = (k.packet_type.get() >> 16, k.packet_type.get() & 0xffff);
        out.item(format_args!("packet_type(ns={ns},id={})", hex(id)));
    }
}

fn ct_tuple(out: &mut Out, k: &Flow, m: &Flow) {
    let mut fields = Fields::new(out);
    let tail = |f: &mut Fields| {
        f.add("proto", k.ct_nw_proto, m.ct_nw_proto, 0xff, decimal8);
        f.add("tp_src", k.ct_tp_src, m.ct_tp_src, Be16::MAX, decimal);
        f.add("tp_dst", k.ct_tp_dst, m.ct_tp_dst, Be16::MAX, decimal);
    };
    if m.ct_ipv6_src != [0; 16] || m.ct_ipv6_dst != [0; 16] {
        fields.add("src", k.ct_ipv6_src, m.ct_ipv6_src, IPV6, ipv6);
        fields.add("dst", k.ct_ipv6_dst, m.ct_ipv6_dst, IPV6, ipv6);
        tail(&mut fields);
        out.group("ct_tuple6", fields);
    } else if !m.ct_nw_src.is_zero() || !m.ct_nw_dst.is_zero() || m.ct_nw_proto != 0 {
        fields.add("src", k.ct_nw_src, m.ct_nw_src, Be32::MAX, ipv4);
        fields.add("dst", k.ct_nw_dst, m.ct_nw_dst, Be32::MAX, ipv4);
        tail(&mut fields);
        out.group("ct_tuple4", fields);
    }
}

fn tunnel(out: &mut Out, k: &Flow, m: &Flow) {
    let any = m.lines()[4].iter().any(|&w| w != 0);
    let v6 = k.tun_ipv6_dst != [0; 16] || k.tun_ipv6_src != [0; 16];
    if !any || (k.tun_dst.is_zero() && !v6) {
        return;
    }
    let mut f = Fields::new(out);
    let id = |n: u64| format!("{n:#x}");
    if k.tun_flags & tun::KEY != 0 {
        f.add("tun_id", k.tun_id.get(), m.tun_id.get(), u64::MAX, id);
    }
    if v6 {
        f.add("ipv6_src", k.tun_ipv6_src, m.tun_ipv6_src, IPV6, ipv6);
        f.add("ipv6_dst", k.tun_ipv6_dst, m.tun_ipv6_dst, IPV6, ipv6);
    } else {
        f.add("src", k.tun_src, m.tun_src, Be32::MAX, ipv4);
        f.add("dst", k.tun_dst, m.tun_dst, Be32::MAX, ipv4);
    }
    f.add("tos", k.tun_tos, m.tun_tos, 0xff, hex8);
    f.add("ttl", k.tun_ttl, m.tun_ttl, 0xff, decimal8);
    f.add("tp_src", k.tun_tp_src, m.tun_tp_src, Be16::MAX, decimal);
    f.add("tp_dst", k.tun_tp_dst, m.tun_tp_dst, Be16::MAX, decimal);
    const FLAGS: &[(&str, u32)] = &[
        ("df", tun::DONT_FRAGMENT as u32),
        ("csum", tun::CSUM as u32),
        ("key", tun::KEY as u32),
        ("oam", tun::OAM as u32),
    ];
    let flags = flags_text_masked(FLAGS, k.tun_flags.into(), m.tun_flags.into());
    let comma = if f.text.is_empty() { "" } else { "," };
    let _ = write!(f.text, "{comma}flags({flags})");
    out.group("tunnel", f);
}

fn link(out: &mut Out, k: &Flow, m: &Flow) {
    let is_ethernet = k.packet_type.is_zero();
    if is_ethernet {
        let mut f = Fields::new(out);
        f.add("src", k.dl_src, m.dl_src, MAC, mac);
        f.add("dst", k.dl_dst, m.dl_dst, MAC, mac);
        if !f.text.is_empty() {
            out.group("eth", f);
        }
    }
    let mut n_encaps = 0;
    if is_ethernet {
        for (key, mask) in [(k.vlan, m.vlan), (k.vlan_inner, m.vlan_inner)] {
            if key.tci.get() & VLAN_CFI == 0 {
                break;
            }
            vlan(out, key, mask);
            out.text.push_str(",encap(");
            n_encaps += 1;
        }
    }
    if k.dl_type.get() >= eth::TYPE_MIN && (!m.dl_type.is_zero() || out.verbose) {
        out.item(format_args!("eth_type(0x{:04x})", k.dl_type.get()));
    }
    network(out, k, m);
    (0..n_encaps).for_each(|_| out.text.push(')'));
}

fn vlan(out: &mut Out, key: flow::key::Vlan, mask: flow::key::Vlan) {
    out.item(format_args!("eth_type(0x{:04x})", key.tpid.get()));
    let (value, bits) = (key.tci.get(), mask.tci.get());
    let mut f = Fields::new(out);
    f.add("vid", u32::from(value & 0xfff), u32::from(bits & 0xfff), 0xfff, |n| n.to_string());
    f.add("pcp", u32::from(value >> 13), u32::from(bits >> 13), 7, |n| n.to_string());
    out.group("vlan", f);
}

fn network(out: &mut Out, k: &Flow, m: &Flow) {
    let mut f = Fields::new(out);
    let frag = match k.nw_frag & (NW_FRAG_ANY | NW_FRAG_LATER) {
        0 => "no",
        NW_FRAG_ANY => "first",
        _ => "later",
    };
    let add_frag = |f: &mut Fields| {
        if m.nw_frag != 0 || f.verbose {
            let comma = if f.text.is_empty() { "" } else { "," };
            let _ = write!(f.text, "{comma}frag={frag}");
        }
    };
    match k.dl_type.get() {
        eth::IP => {
            f.add("src", k.nw_src, m.nw_src, Be32::MAX, ipv4);
            f.add("dst", k.nw_dst, m.nw_dst, Be32::MAX, ipv4);
            f.add("proto", k.nw_proto, m.nw_proto, 0xff, decimal8);
            f.add("tos", k.nw_tos, m.nw_tos, 0xff, hex8);
            f.add("ttl", k.nw_ttl, m.nw_ttl, 0xff, decimal8);
            add_frag(&mut f);
            out.group("ipv4", f);
            transport(out, k, m);
        }
        eth::IPV6 => {
            f.add("src", k.ipv6_src, m.ipv6_src, IPV6, ipv6);
            f.add("dst", k.ipv6_dst, m.ipv6_dst, IPV6, ipv6);
            f.add("label", k.ipv6_label.get(), m.ipv6_label.get(), 0xf_ffff, hex);
            f.add("proto", k.nw_proto, m.nw_proto, 0xff, decimal8);
            f.add("tclass", k.nw_tos, m.nw_tos, 0xff, hex8);
            f.add("hlimit", k.nw_ttl, m.nw_ttl, 0xff, decimal8);
            add_frag(&mut f);
            out.group("ipv6", f);
            transport(out, k, m);
        }
        eth::ARP | eth::RARP => {
            f.add("sip", k.nw_src, m.nw_src, Be32::MAX, ipv4);
            f.add("tip", k.nw_dst, m.nw_dst, Be32::MAX, ipv4);
            f.add("op", k.nw_proto, m.nw_proto, 0xff, decimal8);
            f.add("sha", k.arp_sha, m.arp_sha, MAC, mac);
            f.add("tha", k.arp_tha, m.arp_tha, MAC, mac);
            if !f.text.is_empty() {
                out.group("arp", f);
            }
        }
        eth::MPLS | eth::MPLS_MCAST => mpls(out, k, m),
        _ => {}
    }
}

fn mpls(out: &mut Out, k: &Flow, m: &Flow) {
    let (value, mask) = (k.mpls[0].get(), m.mpls[0].get());
    if mask == 0 && !out.verbose {
        return;
    }
    let mut f = Fields::new(out);
    f.add("label", value >> 12, mask >> 12, 0xf_ffff, |n| n.to_string());
    f.add("tc", value >> 9 & 7, mask >> 9 & 7, 7, |n| n.to_string());
    f.add("ttl", value & 0xff, mask & 0xff, 0xff, |n| n.to_string());
    f.add("bos", value >> 8 & 1, mask >> 8 & 1, 1, |n| n.to_string());
    out.group("mpls", f);
}

fn transport(out: &mut Out, k: &Flow, m: &Flow) {
    if k.nw_frag & NW_FRAG_LATER != 0 || (m.nw_proto == 0 && !out.verbose) {
        return;
    }
    let name = match (k.dl_type.get(), k.nw_proto) {
        (_, ip::TCP) => "tcp",
        (_, ip::UDP) => "udp",
        (_, ip::SCTP) => "sctp",
        (eth::IP, ip::ICMP) => "icmp",
        (eth::IPV6, ip::ICMPV6) => "icmpv6",
        _ => return,
    };
    let (src, dst) = if name.starts_with("icmp") { ("type", "code") } else { ("src", "dst") };
    let mut f = Fields::new(out);
    f.add(src, k.tp_src, m.tp_src, if src == "type" { Be16::new(0xff) } else { Be16::MAX }, decimal);
    f.add(dst, k.tp_dst, m.tp_dst, if dst == "code" { Be16::new(0xff) } else { Be16::MAX }, decimal);
    if !f.text.is_empty() {
        out.group(name, f);
    }
    if name == "tcp" {
        tcp_flags(out, k.tcp_flags.get(), m.tcp_flags.get());
    }
    let neighbour = matches!(k.tp_src.get() as u8, nd::SOLICIT | nd::ADVERT);
    if name == "icmpv6" && neighbour && k.tp_dst.is_zero() {
        let mut f = Fields::new(out);
        f.add("target", k.nd_target, m.nd_target, IPV6, ipv6);
        f.add("sll", k.arp_sha, m.arp_sha, MAC, mac);
        f.add("tll", k.arp_tha, m.arp_tha, MAC, mac);
        if !f.text.is_empty() {
            out.group("nd", f);
        }
    }
}

fn tcp_flags(out: &mut Out, value: u16, mask: u16) {
    let mask = mask & flow::proto::TCP_FLAGS_MASK;
    if mask == flow::proto::TCP_FLAGS_MASK {
        out.item(format_args!("tcp_flags({})", flags_text(TCP_FLAGS, value.into())));
    } else if mask != 0 {
        out.item(format_args!("tcp_flags({})", flags_text_masked(TCP_FLAGS, value.into(), mask.into())));
    } else if out.verbose {
        out.item(format_args!("tcp_flags(0/0)"));
    }
}
