//! Datapath actions as text: `set(eth(src=00:00:00:00:00:77)),2`.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use flow::{Be16, Be32};

use super::{Names, port_text};
use crate::action::{Action, Ct, HashAlgorithm, NatDirection, Set, SetPorts, Userspace, UserspaceKind};

/// Prints an action list; an empty one is `drop`.
pub fn format_actions(actions: &[Action], names: &dyn Names) -> String {
    if actions.is_empty() {
        return "drop".into();
    }
    actions.iter().map(|a| action(a, names)).collect::<Vec<_>>().join(",")
}

fn action(a: &Action, names: &dyn Names) -> String {
    match a {
        Action::Output(port) => port_text(*port, names),
        Action::Userspace(u) => userspace(u),
        Action::Set(set) => format!("set({})", set_text(set)),
        Action::PushVlan { tpid, tci } => push_vlan(tpid.get(), tci.get()),
        Action::PopVlan => "pop_vlan".into(),
        Action::PushMpls { ethertype, lse } => {
            format!("push_mpls({},eth_type=0x{:x})", lse_text(lse.get()), ethertype.get())
        }
        Action::PopMpls { ethertype } => format!("pop_mpls(eth_type=0x{:x})", ethertype.get()),
        Action::Recirc(id) => format!("recirc({})", hex(*id)),
        Action::Hash { algorithm, basis } => match algorithm {
            HashAlgorithm::L4 => format!("hash(l4({basis}))"),
            HashAlgorithm::SymL4 => format!("hash(sym_l4({basis}))"),
        },
        Action::Trunc { len_max } => format!("trunc({len_max})"),
        Action::Sample { probability, actions } => {
            let percent = 100.0 * f64::from(*probability) / f64::from(u32::MAX);
            format!("sample(sample={percent:.1}%,actions({}))", format_actions(actions, names))
        }
        Action::Clone(actions) => format!("clone({})", format_actions(actions, names)),
        Action::Meter(id) => format!("meter({id})"),
        Action::CheckPktLen { len, greater, less_equal } => format!(
            "check_pkt_len(size={len},gt({}),le({}))",
            format_actions(greater, names),
            format_actions(less_equal, names)
        ),
        Action::Ct(ct) => ct_text(ct),
        Action::CtClear => "ct_clear".into(),
        Action::PushEth { src, dst } => format!("push_eth(src={},dst={})", mac(src), mac(dst)),
        Action::PopEth => "pop_eth".into(),
        Action::PushNsh(_) => "push_nsh()".into(),
        Action::PopNsh => "pop_nsh()".into(),
        Action::TnlPush(t) => format!(
            "tnl_push(tnl_port({}),header(size={},type={}),out_port({}))",
            port_text(t.tnl_port, names),
            t.header.len(),
            t.tnl_type,
            port_text(t.out_port, names)
        ),
        Action::TnlPop(port) => format!("tnl_pop({})", port_text(*port, names)),
        Action::LbOutput(id) => format!("lb_output({id})"),
        Action::Drop(_) => "drop".into(),
    }
}

fn hex(n: u32) -> String {
    format!("{n:#x}")
}

fn mac(m: &[u8; 6]) -> String {
    m.map(|b| format!("{b:02x}")).join(":")
}

fn push_vlan(tpid: u16, tci: u16) -> String {
    let tpid = if tpid == 0x8100 { String::new() } else { format!("tpid=0x{tpid:04x},") };
    let cfi = if tci & 0x1000 == 0 { ",cfi=0" } else { "" };
    format!("push_vlan({tpid}vid={},pcp={}{cfi})", tci & 0xfff, tci >> 13)
}

fn lse_text(lse: u32) -> String {
    format!("label={},tc={},ttl={},bos={}", lse >> 12, lse >> 9 & 7, lse & 0xff, lse >> 8 & 1)
}

/// OVS's slow-path reasons by bit.
const SLOW_PATH: &[(u32, &str)] = &[
    (1 << 0, "cfm"),
    (1 << 1, "bfd"),
    (1 << 2, "lacp"),
    (1 << 3, "stp"),
    (1 << 4, "lldp"),
    (1 << 5, "action"),
    (1 << 6, "match"),
];

fn userspace(userspace: &Userspace) -> String {
    let inner = match userspace.kind {
        UserspaceKind::SlowPath { reason } => {
            let names: Vec<&str> =
                SLOW_PATH.iter().filter(|(b, _)| reason & b != 0).map(|(_, n)| *n).collect();
            format!("slow_path({})", names.join(","))
        }
        UserspaceKind::Controller { reason, max_len, controller_id } => {
            let (dont_send, continuation, rule_cookie) = controller_userdata(&userspace.userdata);
            format!(
                "controller(reason={reason},dont_send={dont_send},continuation={continuation},\
                 recirc_id={},rule_cookie={rule_cookie},controller_id={controller_id},max_len={max_len})",
                userspace.cookie
            )
        }
        UserspaceKind::SFlow => "sFlow()".into(),
        UserspaceKind::FlowSample => "flow_sample()".into(),
        UserspaceKind::Ipfix => "ipfix()".into(),
    };
    format!("userspace(pid=0,{inner})")
}

/// What a controller action carries beside its kind: a byte each for "do not send" and "continuation", and the cookie
/// of the rule (as C's `%#x`). Missing bytes are zero.
fn controller_userdata(userdata: &[u8]) -> (u8, u8, String) {
    let byte = |n: usize| userdata.get(n).copied().unwrap_or(0);
    let cookie = (2..10).fold(0u64, |v, n| v << 8 | u64::from(byte(n)));
    let cookie = if cookie == 0 { "0".into() } else { format!("{cookie:#x}") };
    (byte(0), byte(1), cookie)
}

/// Collects `name=value[/mask]` of the fields that are set at all.
#[derive(Default)]
struct Fields(String);

impl Fields {
    fn add<T: PartialEq + Default + Copy>(
        &mut self,
        name: &str,
        value: T,
        mask: T,
        all: T,
        show: impl Fn(T) -> String,
    ) {
        if mask == T::default() {
            return;
        }
        let comma = if self.0.is_empty() { "" } else { "," };
        let _ = write!(self.0, "{comma}{name}={}", show(value));
        if mask != all {
            let _ = write!(self.0, "/{}", show(mask));
        }
    }
}

fn ports(name: &str, p: &SetPorts) -> String {
    let mut f = Fields::default();
    f.add("src", p.src, p.src_mask, Be16::MAX, |n| n.get().to_string());
    f.add("dst", p.dst, p.dst_mask, Be16::MAX, |n| n.get().to_string());
    format!("{name}({})", f.0)
}

fn set_text(set: &Set) -> String {
    const MAC: [u8; 6] = [0xff; 6];
    const IP6: [u8; 16] = [0xff; 16];
    let mac = |m: [u8; 6]| mac(&m);
    let ip4 = |a: Be32| Ipv4Addr::from_bits(a.get()).to_string();
    let ip6 = |a: [u8; 16]| Ipv6Addr::from(a).to_string();
    let dec = |n: u8| n.to_string();
    let hex8 = |n: u8| if n == 0 { "0".to_string() } else { format!("{n:#x}") };
    let mut f = Fields::default();
    let name = match set {
        Set::Eth { src, src_mask, dst, dst_mask } => {
            f.add("src", *src, *src_mask, MAC, mac);
            f.add("dst", *dst, *dst_mask, MAC, mac);
            "eth"
        }
        Set::Ipv4 { src, src_mask, dst, dst_mask, tos, tos_mask, ttl, ttl_mask } => {
            f.add("src", *src, *src_mask, Be32::MAX, ip4);
            f.add("dst", *dst, *dst_mask, Be32::MAX, ip4);
            f.add("tos", *tos, *tos_mask, 0xff, hex8);
            f.add("ttl", *ttl, *ttl_mask, 0xff, dec);
            "ipv4"
        }
        Set::Ipv6(s) => {
            f.add("src", s.src, s.src_mask, IP6, ip6);
            f.add("dst", s.dst, s.dst_mask, IP6, ip6);
            f.add("label", s.label, s.label_mask, Be32::new(0xf_ffff), |n| hex(n.get()));
            f.add("tclass", s.tclass, s.tclass_mask, 0xff, hex8);
            f.add("hlimit", s.hlimit, s.hlimit_mask, 0xff, dec);
            "ipv6"
        }
        Set::Tcp(p) => return ports("tcp", p),
        Set::Udp(p) => return ports("udp", p),
        Set::Sctp(p) => return ports("sctp", p),
        Set::Icmp { icmp_type, type_mask, code, code_mask } => {
            f.add("type", *icmp_type, *type_mask, 0xff, dec);
            f.add("code", *code, *code_mask, 0xff, dec);
            "icmp"
        }
        Set::Icmpv6 { icmp_type, type_mask, code, code_mask } => {
            f.add("type", *icmp_type, *type_mask, 0xff, dec);
            f.add("code", *code, *code_mask, 0xff, dec);
            "icmpv6"
        }
        Set::Arp(s) => {
            f.add("sip", s.sip, s.sip_mask, Be32::MAX, ip4);
            f.add("tip", s.tip, s.tip_mask, Be32::MAX, ip4);
            f.add("op", s.op, s.op_mask, u16::MAX, |n| n.to_string());
            f.add("sha", s.sha, s.sha_mask, MAC, mac);
            f.add("tha", s.tha, s.tha_mask, MAC, mac);
            "arp"
        }
        Set::Nd(s) => {
            f.add("target", s.target, s.target_mask, IP6, ip6);
            f.add("sll", s.sll, s.sll_mask, MAC, mac);
            f.add("tll", s.tll, s.tll_mask, MAC, mac);
            "nd"
        }
        Set::NdExt { reserved, reserved_mask, options_type, options_type_mask } => {
            f.add("nd_reserved", *reserved, *reserved_mask, Be32::MAX, |n| hex(n.get()));
            f.add("nd_options_type", *options_type, *options_type_mask, 0xff, dec);
            "nd_ext"
        }
        Set::Mpls { lse, .. } => return format!("mpls({})", lse_text(lse.get())),
        Set::SkbMark { value, mask } => return masked("skb_mark", *value, *mask),
        Set::SkbPriority { value, mask } => return masked("skb_priority", *value, *mask),
        Set::Nsh { .. } => "nsh",
        Set::Tunnel(key) => {
            f.add("tun_id", key.tun_id.get(), u64::MAX, u64::MAX, |n| format!("{n:#x}"));
            f.add("src", key.tun_src, key.tun_src, key.tun_src, ip4);
            f.add("dst", key.tun_dst, key.tun_dst, key.tun_dst, ip4);
            f.add("ttl", key.tun_ttl, 0xff, 0xff, dec);
            "tunnel"
        }
    };
    format!("{name}({})", f.0)
}

fn masked(name: &str, value: u32, mask: u32) -> String {
    let value = if value == 0 { "0".into() } else { format!("{value:#x}") };
    if mask == u32::MAX { format!("{name}({value})") } else { format!("{name}({value}/{mask:#x})") }
}

fn ct_text(ct: &Ct) -> String {
    let mut parts = Vec::new();
    if ct.commit {
        parts.push(if ct.force { "force_commit".to_string() } else { "commit".into() });
    }
    if ct.zone != 0 {
        parts.push(format!("zone={}", ct.zone));
    }
    if let Some((value, mask)) = ct.mark {
        parts.push(format!("mark={value:#x}/{mask:#x}"));
    }
    if let Some((value, mask)) = ct.label {
        parts.push(format!("label={:#x}/{:#x}", u128::from_be_bytes(value), u128::from_be_bytes(mask)));
    }
    if let Some(helper) = &ct.helper {
        parts.push(format!("helper={helper}"));
    }
    if let Some(timeout) = &ct.timeout {
        parts.push(format!("timeout={timeout}"));
    }
    if let Some(nat) = &ct.nat {
        parts.push(nat_text(nat));
    }
    if parts.is_empty() { "ct".into() } else { format!("ct({})", parts.join(",")) }
}

fn nat_text(nat: &crate::action::CtNat) -> String {
    let Some(direction) = nat.direction else { return "nat".into() };
    let mut text = match direction {
        NatDirection::Src => "nat(src".to_string(),
        NatDirection::Dst => "nat(dst".to_string(),
    };
    if let Some(min) = nat.addr_min {
        let with_port = nat.port_min != 0;
        let show =
            |a: std::net::IpAddr| if a.is_ipv6() && with_port { format!("[{a}]") } else { a.to_string() };
        let _ = write!(text, "={}", show(min));
        if let Some(max) = nat.addr_max.filter(|max| *max != min) {
            let _ = write!(text, "-{}", show(max));
        }
    }
    if nat.port_min != 0 {
        let _ = write!(text, "{}{}", if nat.addr_min.is_some() { ":" } else { "=:" }, nat.port_min);
        if nat.port_max > nat.port_min {
            let _ = write!(text, "-{}", nat.port_max);
        }
    }
    for (set, name) in [(nat.persistent, "persistent"), (nat.hash, "hash"), (nat.random, "random")] {
        if set {
            let _ = write!(text, ",{name}");
        }
    }
    text.push(')');
    text
}
