//! `Match` to text, in the order and notation of `ovs-ofctl dump-flows`.

use std::fmt::Write as _;

use super::Match;
use crate::field::{
    CT_STATE_FLAGS, Field, PortNames, TCP_FLAGS, Value, flags_text, flags_text_masked, mac_text, ones,
    port_text, write_ipv4, write_ipv6,
};
use crate::key::{Be16, Flow, NW_FRAG_ANY, NW_FRAG_LATER, VLAN_CFI, VLAN_TAGS_MAX};
use crate::proto::{ct, eth, ip, mpls, packet_type, tun};

/// The priority that text leaves out.
pub const DEFAULT_PRIORITY: i32 = 32768;

impl std::fmt::Display for Match {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.format(DEFAULT_PRIORITY, None))
    }
}

impl Match {
    /// The match as text, after `priority=N` unless it is the default.
    pub fn format(&self, priority: i32, ports: Option<&dyn PortNames>) -> String {
        let mut out = String::new();
        if priority != DEFAULT_PRIORITY {
            let _ = write!(out, "priority={priority},");
        }
        let mut text = Writer { flow: &self.flow, mask: &self.mask.0, ports, out };
        let dl_type = text.pipeline_metadata(self);
        let (skip_type, skip_proto) = text.protocol(dl_type);
        text.registers();
        text.tunnel();
        text.num("metadata", Field::Metadata);
        text.port();
        text.vlans();
        text.mac("dl_src", &self.flow.dl_src, &self.mask.0.dl_src);
        text.mac("dl_dst", &self.flow.dl_dst, &self.mask.0.dl_dst);
        if !skip_type && !self.mask.0.dl_type.is_zero() {
            text.put(format_args!("dl_type=0x{:04x}", self.flow.dl_type.get()));
        }
        text.l3(dl_type, skip_proto);
        text.mpls();
        text.frag();
        text.l4(dl_type);
        let mut out = text.out;
        out.pop();
        out
    }
}

struct Writer<'a> {
    flow: &'a Flow,
    mask: &'a Flow,
    ports: Option<&'a dyn PortNames>,
    out: String,
}

impl Writer<'_> {
    fn put(&mut self, item: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(item);
        self.out.push(',');
    }
    fn pair(&self, field: Field) -> (Value, Value) {
        (field.get(self.flow), field.get_mask(&crate::Mask(*self.mask)))
    }
    /// The field in its own format under `name`.
    fn num(&mut self, name: &str, field: Field) {
        let (value, mask) = self.pair(field);
        if mask != 0 {
            let mut text = String::new();
            field.format(value, mask, self.ports, &mut text);
            self.put(format_args!("{name}={text}"));
        }
    }
    /// Decimal when exact, hexadecimal when masked.
    fn be16(&mut self, name: &str, value: Be16, mask: Be16) {
        if mask == Be16::MAX {
            self.put(format_args!("{name}={}", value.get()));
        } else if !mask.is_zero() {
            self.put(format_args!("{name}=0x{:x}/0x{:x}", value.get(), mask.get()));
        }
    }
    fn mac(&mut self, name: &str, value: &[u8; 6], mask: &[u8; 6]) {
        let int = |b: &[u8; 6]| b.iter().fold(0, |v: Value, &b| v << 8 | Value::from(b));
        match int(mask) {
            0 => {}
            m if m == ones(48) => self.put(format_args!("{name}={}", mac_text(int(value)))),
            m => self.put(format_args!("{name}={}/{}", mac_text(int(value)), mac_text(m))),
        }
    }
    fn ipv4(&mut self, name: &str, value: u32, mask: u32) {
        if mask != 0 {
            let mut text = String::new();
            let _ = write_ipv4(&mut text, value, mask);
            self.put(format_args!("{name}={text}"));
        }
    }
    fn ipv6(&mut self, name: &str, value: &[u8; 16], mask: &[u8; 16]) {
        let mask = Value::from_be_bytes(*mask);
        if mask != 0 {
            let mut text = String::new();
            let _ = write_ipv6(&mut text, Value::from_be_bytes(*value), mask);
            self.put(format_args!("{name}={text}"));
        }
    }

    /// Everything before the protocol word. Returns the Ethernet type that the packet type or `dl_type` gives.
    fn pipeline_metadata(&mut self, whole: &Match) -> u16 {
        let (f, m) = (self.flow, self.mask);
        self.num("pkt_mark", Field::PktMark);
        self.hex_exact("recirc_id", f.recirc_id, m.recirc_id);
        self.num("dp_hash", Field::DpHash);
        if m.conj_id != 0 {
            self.put(format_args!("conj_id={}", f.conj_id));
        }
        self.hex_exact("skb_priority", f.skb_priority, m.skb_priority);
        if m.actset_output != 0 {
            let port = port_text(f.actset_output, self.ports);
            self.put(format_args!("actset_output={port}"));
        }
        if m.ct_state & ct::ALL == ct::ALL {
            self.put(format_args!("ct_state={}", flags_text(CT_STATE_FLAGS, f.ct_state)));
        } else if m.ct_state != 0 {
            let text = flags_text_masked(CT_STATE_FLAGS, f.ct_state, m.ct_state);
            self.put(format_args!("ct_state={text}"));
        }
        self.be16("ct_zone", f.ct_zone.into(), m.ct_zone.into());
        self.num("ct_mark", Field::CtMark);
        self.num("ct_label", Field::CtLabel);
        self.ipv4("ct_nw_src", f.ct_nw_src.get(), m.ct_nw_src.get());
        self.ipv6("ct_ipv6_src", &f.ct_ipv6_src, &m.ct_ipv6_src);
        self.ipv4("ct_nw_dst", f.ct_nw_dst.get(), m.ct_nw_dst.get());
        self.ipv6("ct_ipv6_dst", &f.ct_ipv6_dst, &m.ct_ipv6_dst);
        if m.ct_nw_proto != 0 {
            self.put(format_args!("ct_nw_proto={}", f.ct_nw_proto));
            self.be16("ct_tp_src", f.ct_tp_src, m.ct_tp_src);
            self.be16("ct_tp_dst", f.ct_tp_dst, m.ct_tp_dst);
        }
        self.packet_type(whole)
    }

    fn hex_exact(&mut self, name: &str, value: u32, mask: u32) {
        if mask == u32::MAX {
            self.put(format_args!("{name}={}", hex(value.into())));
        } else if mask != 0 {
            self.put(format_args!("{name}={}/{}", hex(value.into()), hex(mask.into())));
        }
    }

    fn packet_type(&mut self, whole: &Match) -> u16 {
        let is_megaflow = self.mask.recirc_id != 0;
        let given = self.flow.packet_type.get();
        if self.mask.packet_type.is_zero() || (whole.has_default_packet_type() && !is_megaflow) {
            return self.flow.dl_type.get();
        }
        if whole.has_default_packet_type() {
            self.put(format_args!("eth"));
        } else {
            self.put(format_args!("packet_type=({},0x{:x})", given >> 16, given & 0xffff));
        }
        let is_ethertype = (given >> 16) as u16 == packet_type::NS_ETHERTYPE;
        if is_ethertype { given as u16 } else { self.flow.dl_type.get() }
    }

    /// The shorthand word, and whether it stands for `dl_type` and for `nw_proto`.
    fn protocol(&mut self, dl_type: u16) -> (bool, bool) {
        if self.mask.dl_type.is_zero() {
            return (false, false);
        }
        let proto = (self.mask.nw_proto != 0).then_some(self.flow.nw_proto);
        let (word, skip_proto) = match (dl_type, proto) {
            (eth::IP, Some(ip::ICMP)) => ("icmp", true),
            (eth::IP, Some(ip::TCP)) => ("tcp", true),
            (eth::IP, Some(ip::UDP)) => ("udp", true),
            (eth::IP, Some(ip::SCTP)) => ("sctp", true),
            (eth::IP, _) => ("ip", false),
            (eth::IPV6, Some(ip::ICMPV6)) => ("icmp6", true),
            (eth::IPV6, Some(ip::TCP)) => ("tcp6", true),
            (eth::IPV6, Some(ip::UDP)) => ("udp6", true),
            (eth::IPV6, Some(ip::SCTP)) => ("sctp6", true),
            (eth::IPV6, _) => ("ipv6", false),
            (eth::ARP, _) => ("arp", false),
            (eth::RARP, _) => ("rarp", false),
            (eth::MPLS, _) => ("mpls", false),
            (eth::MPLS_MCAST, _) => ("mplsm", false),
            _ => return (false, false),
        };
        self.put(format_args!("{word}"));
        (true, skip_proto)
    }

    fn registers(&mut self) {
        for n in 0..self.flow.regs.len() {
            if let Some(field) = Field::reg(n) {
                self.num(field.name(), field);
            }
        }
    }

    fn tunnel(&mut self) {
        let (f, m) = (self.flow, self.mask);
        self.num("tun_id", Field::TunId);
        self.ipv4("tun_src", f.tun_src.get(), m.tun_src.get());
        self.ipv4("tun_dst", f.tun_dst.get(), m.tun_dst.get());
        self.ipv6("tun_ipv6_src", &f.tun_ipv6_src, &m.tun_ipv6_src);
        self.ipv6("tun_ipv6_dst", &f.tun_ipv6_dst, &m.tun_ipv6_dst);
        self.be16("tun_gbp_id", f.tun_gbp_id, m.tun_gbp_id);
        if m.tun_gbp_flags != 0 {
            self.put(format_args!("tun_gbp_flags={}", hex(f.tun_gbp_flags.into())));
        }
        if m.tun_tos != 0 {
            self.put(format_args!("tun_tos={:x}", f.tun_tos));
        }
        if m.tun_ttl != 0 {
            self.put(format_args!("tun_ttl={}", f.tun_ttl));
        }
        self.erspan();
        if m.tun_gtpu_flags & f.tun_gtpu_flags != 0 {
            self.put(format_args!("gtpu_flags={}", hex(f.tun_gtpu_flags.into())));
        }
        if m.tun_gtpu_msgtype & f.tun_gtpu_msgtype != 0 {
            self.put(format_args!("gtpu_msgtype={}", f.tun_gtpu_msgtype));
        }
        if m.tun_flags & tun::ALL != 0 {
            let names = [
                ("df", u32::from(tun::DONT_FRAGMENT)),
                ("csum", tun::CSUM.into()),
                ("key", tun::KEY.into()),
                ("oam", tun::OAM.into()),
            ];
            let text = flags_text_masked(&names, f.tun_flags.into(), (m.tun_flags & tun::ALL).into());
            self.put(format_args!("tun_flags={text}"));
        }
        for n in (0..64).filter(|n| m.tun_md_present >> n & 1 != 0) {
            let Some(field) = Field::tun_metadata(n) else { continue };
            if self.pair(field).1 == 0 {
                let not = if f.tun_md_present >> n & 1 != 0 { "" } else { "=NP" };
                self.put(format_args!("{}{not}", field.name()));
            } else {
                self.num(field.name(), field);
            }
        }
    }

    fn erspan(&mut self) {
        let (f, m) = (self.flow, self.mask);
        if m.tun_erspan_ver & f.tun_erspan_ver == 0 {
            return;
        }
        self.put(format_args!("tun_erspan_ver={}", f.tun_erspan_ver));
        if f.tun_erspan_ver == 1 {
            self.num("tun_erspan_idx", Field::TunErspanIdx);
        } else {
            self.num("tun_erspan_dir", Field::TunErspanDir);
            self.num("tun_erspan_hwid", Field::TunErspanHwid);
        }
    }

    fn port(&mut self) {
        if self.mask.in_port != 0 {
            let port = port_text(self.flow.in_port, self.ports);
            self.put(format_args!("in_port={port}"));
        }
    }

    fn vlans(&mut self) {
        const VID: u16 = 0x0fff;
        const PCP: u16 = 0xe000;
        let tags = [(self.flow.vlan, self.mask.vlan), (self.flow.vlan_inner, self.mask.vlan_inner)];
        for (n, (vlan, mask)) in tags.into_iter().enumerate().take(VLAN_TAGS_MAX) {
            let (tci, mask) = (vlan.tci.get(), mask.tci.get());
            if mask == 0 {
                break;
            }
            let suffix = if n == 0 { "" } else { "1" };
            let (vid, pcp) = (mask & VID, mask & PCP);
            let whole = (vid == 0 || vid == VID) && (pcp == 0 || pcp == PCP) && (vid | pcp != 0);
            if mask & tci & VLAN_CFI != 0 && whole {
                if vid != 0 {
                    self.put(format_args!("dl_vlan{suffix}={}", tci & VID));
                }
                if pcp != 0 {
                    self.put(format_args!("dl_vlan_pcp{suffix}={}", tci >> 13));
                }
            } else if mask == u16::MAX {
                self.put(format_args!("vlan_tci{suffix}=0x{tci:04x}"));
            } else {
                self.put(format_args!("vlan_tci{suffix}=0x{tci:04x}/0x{mask:04x}"));
            }
        }
    }

    fn l3(&mut self, dl_type: u16, skip_proto: bool) {
        let (f, m) = (self.flow, self.mask);
        let is_arp = matches!(dl_type, eth::ARP | eth::RARP);
        match dl_type {
            eth::IPV6 => {
                self.ipv6("ipv6_src", &f.ipv6_src, &m.ipv6_src);
                self.ipv6("ipv6_dst", &f.ipv6_dst, &m.ipv6_dst);
                let (label, mask) = (f.ipv6_label.get(), m.ipv6_label.get() & 0xf_ffff);
                if mask == 0xf_ffff {
                    self.put(format_args!("ipv6_label=0x{label:05x}"));
                } else if mask != 0 {
                    self.put(format_args!("ipv6_label=0x{label:05x}/0x{mask:05x}"));
                }
            }
            eth::NSH => self.nsh(),
            _ => {
                let (src, dst) = if is_arp { ("arp_spa", "arp_tpa") } else { ("nw_src", "nw_dst") };
                self.ipv4(src, f.nw_src.get(), m.nw_src.get());
                self.ipv4(dst, f.nw_dst.get(), m.nw_dst.get());
            }
        }
        if !skip_proto && m.nw_proto != 0 {
            let name = if is_arp { "arp_op" } else { "nw_proto" };
            self.put(format_args!("{name}={}", f.nw_proto));
        }
        if is_arp {
            self.mac("arp_sha", &f.arp_sha, &m.arp_sha);
            self.mac("arp_tha", &f.arp_tha, &m.arp_tha);
        }
        if m.nw_tos & ip::DSCP_MASK != 0 {
            self.put(format_args!("nw_tos={}", f.nw_tos & ip::DSCP_MASK));
        }
        if m.nw_tos & ip::ECN_MASK != 0 {
            self.put(format_args!("nw_ecn={}", f.nw_tos & ip::ECN_MASK));
        }
        if m.nw_ttl != 0 {
            self.put(format_args!("nw_ttl={}", f.nw_ttl));
        }
    }

    fn nsh(&mut self) {
        const MD1: u8 = 1;
        for field in [Field::NshFlags, Field::NshTtl, Field::NshMdtype, Field::NshNp] {
            self.num(field.name(), field);
        }
        let (spi, mask) = self.pair(Field::NshSpi);
        if mask != 0 {
            self.put(format_args!("nsh_spi=0x{spi:x}"));
        }
        self.num("nsh_si", Field::NshSi);
        if self.flow.nsh_mdtype == MD1 {
            for field in [Field::NshC1, Field::NshC2, Field::NshC3, Field::NshC4] {
                self.num(field.name(), field);
            }
        }
    }

    fn mpls(&mut self) {
        let (lse, mask) = (self.flow.mpls[0].get(), self.mask.mpls[0].get());
        for (name, bits, shift) in [
            ("mpls_label", mpls::LABEL_MASK, 12),
            ("mpls_tc", mpls::TC_MASK, 9),
            ("mpls_ttl", mpls::TTL_MASK, 0),
            ("mpls_bos", mpls::BOS, 8),
        ] {
            if mask & bits != 0 {
                self.put(format_args!("{name}={}", (lse & bits) >> shift));
            }
        }
        for n in 1..self.flow.mpls.len() {
            let (lse, mask) = (self.flow.mpls[n].get(), self.mask.mpls[n].get());
            match mask {
                0 => {}
                u32::MAX => self.put(format_args!("mpls_lse{n}={lse}")),
                _ => self.put(format_args!("mpls_lse{n}=0x{lse:x}/0x{mask:x}")),
            }
        }
    }

    fn frag(&mut self) {
        const BOTH: u8 = NW_FRAG_ANY | NW_FRAG_LATER;
        let frag = self.flow.nw_frag;
        let word = match (self.mask.nw_frag & BOTH, frag & NW_FRAG_ANY != 0, frag & NW_FRAG_LATER != 0) {
            (BOTH, true, true) => "later",
            (BOTH, true, false) => "first",
            (BOTH, false, true) => "<error>",
            (BOTH, false, false) => "no",
            (NW_FRAG_ANY, true, _) => "yes",
            (NW_FRAG_ANY, false, _) => "no",
            (NW_FRAG_LATER, _, true) => "later",
            (NW_FRAG_LATER, _, false) => "not_later",
            _ => return,
        };
        self.put(format_args!("nw_frag={word}"));
    }

    fn l4(&mut self, dl_type: u16) {
        let (f, m) = (self.flow, self.mask);
        let is_icmp6 = dl_type == eth::IPV6 && f.nw_proto == ip::ICMPV6;
        let is_icmp = dl_type == eth::IP && f.nw_proto == ip::ICMP;
        let (src, dst) = if is_icmp || is_icmp6 { ("icmp_type", "icmp_code") } else { ("tp_src", "tp_dst") };
        self.be16(src, f.tp_src, m.tp_src);
        self.be16(dst, f.tp_dst, m.tp_dst);
        if is_icmp6 {
            self.ipv6("nd_target", &f.nd_target, &m.nd_target);
            self.mac("nd_sll", &f.arp_sha, &m.arp_sha);
            self.mac("nd_tll", &f.arp_tha, &m.arp_tha);
            if !m.nd_reserved.is_zero() {
                self.num("nd_reserved", Field::NdReserved);
            }
            if m.nd_options_type != 0 {
                self.put(format_args!("nd_options_type={}", f.nd_options_type));
            }
        }
        let is_tcp = matches!(dl_type, eth::IP | eth::IPV6) && f.nw_proto == ip::TCP;
        let flags = u32::from(m.tcp_flags.get() & crate::proto::TCP_FLAGS_MASK);
        if is_tcp && flags == crate::proto::TCP_FLAGS_MASK.into() {
            self.put(format_args!("tcp_flags={}", flags_text(TCP_FLAGS, f.tcp_flags.get().into())));
        } else if is_tcp && flags != 0 {
            let text = flags_text_masked(TCP_FLAGS, f.tcp_flags.get().into(), flags);
            self.put(format_args!("tcp_flags={text}"));
        }
    }
}

/// C's `%#x`.
fn hex(value: Value) -> String {
    if value == 0 { "0".to_owned() } else { format!("{value:#x}") }
}
