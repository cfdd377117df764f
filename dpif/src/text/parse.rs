//! Keys and simple actions from text (`dpctl/add-flow`, `ofproto/trace`, `netdev-dummy/receive`).
//!
//! A field without a mask is exact; an item that is not there is wildcarded. Text is not trusted: every error is a
//! message, nesting is bounded.

use std::net::{Ipv4Addr, Ipv6Addr};

use flow::field::{CT_STATE_FLAGS, TCP_FLAGS};
use flow::key::{NW_FRAG_ANY, NW_FRAG_LATER, VLAN_CFI, Vlan};
use flow::proto::eth;
use flow::{Be16, Be32, Flow, Mask};

use super::Names;
use crate::DpPort;
use crate::action::{Action, Actions, HashAlgorithm, Set, SetPorts};

/// `encap()`, `clone()` and the like inside each other.
const DEPTH_MAX: usize = 8;

/// Where the text stopped making sense.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

type Result<T> = std::result::Result<T, ParseError>;

fn syntax<T>(at: &str) -> Result<T> {
    Err(ParseError(format!("syntax error at {at}")))
}

/// Reads a key. The mask has the bits that the text names.
pub fn parse_key(text: &str, names: &dyn Names) -> Result<(Flow, Mask)> {
    let mut key = Key { flow: Flow::ZERO, mask: Flow::ZERO, n_vlans: 0 };
    key.items(text, names, 0)?;
    Ok((key.flow, Mask(key.mask)))
}

/// Reads an action list; `drop` is the empty one.
pub fn parse_actions(text: &str, names: &dyn Names) -> Result<Actions> {
    actions(text, names, 0)
}

/// Splits `a,b(c,d),e` at the commas outside of brackets.
fn split(text: &str) -> Result<Vec<&str>> {
    let (mut depth, mut start, mut out) = (0usize, 0, Vec::new());
    for (i, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => match depth.checked_sub(1) {
                Some(d) => depth = d,
                None => return syntax(&text[i..]),
            },
            ',' if depth == 0 => {
                out.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    if depth != 0 {
        return syntax(text);
    }
    out.push(text[start..].trim());
    out.retain(|item| !item.is_empty());
    Ok(out)
}

/// `name(inner)` or a bare `name`.
fn call(item: &str) -> Result<(&str, &str)> {
    match item.split_once('(') {
        None => Ok((item, "")),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(inner) => Ok((name, inner)),
            None => syntax(item),
        },
    }
}

/// `value[/mask]`; without a mask `all`.
fn pair<T: Copy>(text: &str, all: T, one: impl Fn(&str) -> Option<T>) -> Result<(T, T)> {
    let (value, mask) = text.split_once('/').map_or((text, None), |(v, m)| (v, Some(m)));
    match (one(value), mask.map(&one)) {
        (Some(v), None) => Ok((v, all)),
        (Some(v), Some(Some(m))) => Ok((v, m)),
        _ => syntax(text),
    }
}

fn number(s: &str) -> Option<u64> {
    match s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if s.bytes().all(|b| b.is_ascii_digit()) => s.parse().ok(),
        None => None,
    }
}
fn small<T: TryFrom<u64>>(s: &str) -> Option<T> {
    T::try_from(number(s)?).ok()
}
fn be16(s: &str) -> Option<Be16> {
    small::<u16>(s).map(Be16::new)
}
fn be32(s: &str) -> Option<Be32> {
    small::<u32>(s).map(Be32::new)
}
fn ipv4(s: &str) -> Option<Be32> {
    s.parse::<Ipv4Addr>().ok().map(|a| Be32::new(a.to_bits()))
}
fn ipv6(s: &str) -> Option<[u8; 16]> {
    s.parse::<Ipv6Addr>().ok().map(|a| a.octets())
}
fn mac(s: &str) -> Option<[u8; 6]> {
    let mut out = [0; 6];
    let mut parts = s.split(':');
    for byte in &mut out {
        *byte = u8::from_str_radix(parts.next().filter(|p| (1..=2).contains(&p.len()))?, 16).ok()?;
    }
    parts.next().is_none().then_some(out)
}

/// `+a-b`, `a|b`, or a number with or without mask.
fn flags(text: &str, table: &[(&str, u32)], all: u32) -> Result<(u32, u32)> {
    if let Ok(pair) = pair(text, all, small::<u32>) {
        return Ok(pair);
    }
    let bit = |name: &str| table.iter().find(|(n, _)| *n == name).map(|(_, b)| *b);
    if !text.starts_with(['+', '-']) {
        let bits = text.split('|').map(bit).collect::<Option<Vec<_>>>();
        return bits.map_or_else(|| syntax(text), |b| Ok((b.iter().fold(0, |a, b| a | b), all)));
    }
    let (mut value, mut mask, mut rest) = (0, 0, text);
    while let Some(sign) = rest.chars().next() {
        let tail = rest.get(1..).unwrap_or("");
        let end = tail.find(['+', '-']).unwrap_or(tail.len());
        let Some(b) = bit(&tail[..end]).filter(|_| matches!(sign, '+' | '-')) else { return syntax(rest) };
        mask |= b;
        if sign == '+' {
            value |= b;
        }
        rest = &tail[end..];
    }
    Ok((value, mask))
}

struct Key {
    flow: Flow,
    mask: Flow,
    n_vlans: usize,
}

/// Sets a field in key and mask.
macro_rules! put {
    ($key:expr, $field:ident, $text:expr, $all:expr, $one:expr) => {
        ($key.flow.$field, $key.mask.$field) = pair($text, $all, $one)?
    };
}

impl Key {
    fn items(&mut self, text: &str, names: &dyn Names, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(ParseError("nested too deep".into()));
        }
        for item in split(text)? {
            let (name, inner) = call(item)?;
            self.item(item, name, inner, names, depth)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &str, name: &str, inner: &str, names: &dyn Names, depth: usize) -> Result<()> {
        match name {
            "recirc_id" => put!(self, recirc_id, inner, u32::MAX, small),
            "in_port" => {
                let one = |s: &str| small::<u32>(s).or_else(|| names.port(s).map(|p| p.0));
                put!(self, in_port, inner, u32::MAX, one);
            }
            "skb_priority" => put!(self, skb_priority, inner, u32::MAX, small),
            "skb_mark" => put!(self, pkt_mark, inner, u32::MAX, small),
            "dp_hash" => put!(self, dp_hash, inner, u32::MAX, small),
            "ct_zone" => put!(self, ct_zone, inner, u16::MAX, small),
            "ct_mark" => put!(self, ct_mark, inner, u32::MAX, small),
            "ct_state" => {
                (self.flow.ct_state, self.mask.ct_state) =
                    flags(inner, CT_STATE_FLAGS, flow::proto::ct::ALL)?;
            }
            "ct_label" => {
                let one = |s: &str| {
                    let s = s.strip_prefix("0x").unwrap_or(s);
                    u128::from_str_radix(s, 16).ok().map(u128::to_be_bytes)
                };
                put!(self, ct_label, inner, [0xff; 16], one);
            }
            "packet_type" => self.packet_type(inner)?,
            "eth_type" => put!(self, dl_type, inner, Be16::MAX, be16),
            "tcp_flags" => {
                let (v, m) = flags(inner, TCP_FLAGS, flow::proto::TCP_FLAGS_MASK.into())?;
                (self.flow.tcp_flags, self.mask.tcp_flags) = (Be16::new(v as u16), Be16::new(m as u16));
            }
            "encap" => self.items(inner, names, depth + 1)?,
            "eth" | "vlan" | "ipv4" | "ipv6" | "arp" | "tcp" | "udp" | "sctp" | "icmp" | "icmpv6" | "nd"
            | "mpls" => {
                if name == "vlan" {
                    self.start_vlan()?;
                }
                for field in split(inner)? {
                    let Some((field_name, value)) = field.split_once('=') else { return syntax(field) };
                    self.field(name, field_name, value)?;
                }
            }
            _ => return syntax(item),
        }
        Ok(())
    }

    fn packet_type(&mut self, inner: &str) -> Result<()> {
        let (mut ns, mut id) = (0u32, 0u32);
        for field in split(inner)? {
            match field.split_once('=').map(|(k, v)| (k, small::<u16>(v))) {
                Some(("ns", Some(n))) => ns = n.into(),
                Some(("id", Some(n))) => id = n.into(),
                _ => return syntax(field),
            }
        }
        self.flow.packet_type = Be32::new(ns << 16 | id);
        self.mask.packet_type = Be32::MAX;
        Ok(())
    }

    /// The Ethernet type that was read was the tag's; the next tag begins.
    fn start_vlan(&mut self) -> Result<()> {
        let tpid = std::mem::take(&mut self.flow.dl_type);
        self.mask.dl_type = Be16::ZERO;
        let tag = Vlan { tpid, tci: Be16::new(VLAN_CFI) };
        let mask = Vlan { tpid: Be16::MAX, tci: Be16::new(VLAN_CFI) };
        match self.n_vlans {
            0 => (self.flow.vlan, self.mask.vlan) = (tag, mask),
            1 => (self.flow.vlan_inner, self.mask.vlan_inner) = (tag, mask),
            _ => return Err(ParseError("too many VLAN tags".into())),
        }
        self.n_vlans += 1;
        Ok(())
    }

    fn tci_bits(&mut self, text: &str, shift: u32, all: u16) -> Result<()> {
        let (value, mask) = pair(text, all, small::<u16>)?;
        if value > all || mask > all {
            return syntax(text);
        }
        let (tag, tag_mask) = match self.n_vlans {
            1 => (&mut self.flow.vlan.tci, &mut self.mask.vlan.tci),
            _ => (&mut self.flow.vlan_inner.tci, &mut self.mask.vlan_inner.tci),
        };
        *tag = Be16::new(tag.get() | value << shift);
        *tag_mask = Be16::new(tag_mask.get() | mask << shift);
        Ok(())
    }

    fn lse_bits(&mut self, text: &str, shift: u32, all: u32) -> Result<()> {
        let (value, mask) = pair(text, all, small::<u32>)?;
        if value > all || mask > all {
            return syntax(text);
        }
        self.flow.mpls[0] = Be32::new(self.flow.mpls[0].get() | value << shift);
        self.mask.mpls[0] = Be32::new(self.mask.mpls[0].get() | mask << shift);
        Ok(())
    }

    fn field(&mut self, group: &str, name: &str, text: &str) -> Result<()> {
        const MAC: [u8; 6] = [0xff; 6];
        const IP6: [u8; 16] = [0xff; 16];
        match (group, name) {
            ("eth", "src") => put!(self, dl_src, text, MAC, mac),
            ("eth", "dst") => put!(self, dl_dst, text, MAC, mac),
            ("vlan", "vid") => self.tci_bits(text, 0, 0xfff)?,
            ("vlan", "pcp") => self.tci_bits(text, 13, 7)?,
            ("vlan", "cfi") => {}
            ("mpls", "label") => self.lse_bits(text, 12, 0xf_ffff)?,
            ("mpls", "tc") => self.lse_bits(text, 9, 7)?,
            ("mpls", "bos") => self.lse_bits(text, 8, 1)?,
            ("mpls", "ttl") => self.lse_bits(text, 0, 0xff)?,
            ("ipv4", "src") | ("arp", "sip") => put!(self, nw_src, text, Be32::MAX, ipv4),
            ("ipv4", "dst") | ("arp", "tip") => put!(self, nw_dst, text, Be32::MAX, ipv4),
            ("ipv6", "src") => put!(self, ipv6_src, text, IP6, ipv6),
            ("ipv6", "dst") => put!(self, ipv6_dst, text, IP6, ipv6),
            ("ipv6", "label") => put!(self, ipv6_label, text, Be32::new(0xf_ffff), be32),
            ("ipv4" | "ipv6", "proto") | ("arp", "op") => put!(self, nw_proto, text, 0xff, small),
            ("ipv4", "tos") | ("ipv6", "tclass") => put!(self, nw_tos, text, 0xff, small),
            ("ipv4", "ttl") | ("ipv6", "hlimit") => put!(self, nw_ttl, text, 0xff, small),
            ("ipv4" | "ipv6", "frag") => {
                self.mask.nw_frag = NW_FRAG_ANY | NW_FRAG_LATER;
                self.flow.nw_frag = match text {
                    "no" => 0,
                    "first" => NW_FRAG_ANY,
                    "later" => NW_FRAG_ANY | NW_FRAG_LATER,
                    _ => return syntax(text),
                };
            }
            ("arp", "sha") | ("nd", "sll") => put!(self, arp_sha, text, MAC, mac),
            ("arp", "tha") | ("nd", "tll") => put!(self, arp_tha, text, MAC, mac),
            ("nd", "target") => put!(self, nd_target, text, IP6, ipv6),
            ("tcp" | "udp" | "sctp", "src") => put!(self, tp_src, text, Be16::MAX, be16),
            ("tcp" | "udp" | "sctp", "dst") => put!(self, tp_dst, text, Be16::MAX, be16),
            ("icmp" | "icmpv6", "type") => put!(self, tp_src, text, Be16::MAX, be16),
            ("icmp" | "icmpv6", "code") => put!(self, tp_dst, text, Be16::MAX, be16),
            _ => return syntax(name),
        }
        Ok(())
    }
}

fn actions(text: &str, names: &dyn Names, depth: usize) -> Result<Actions> {
    if depth > DEPTH_MAX {
        return Err(ParseError("nested too deep".into()));
    }
    if text.trim() == "drop" {
        return Ok(Actions::new());
    }
    split(text)?.into_iter().map(|item| action(item, names, depth)).collect()
}

fn action(item: &str, names: &dyn Names, depth: usize) -> Result<Action> {
    let (name, inner) = call(item)?;
    let or_syntax = |v: Option<Action>| v.map_or_else(|| syntax(item), Ok);
    match name {
        "pop_vlan" => Ok(Action::PopVlan),
        "ct_clear" => Ok(Action::CtClear),
        "pop_eth" => Ok(Action::PopEth),
        "recirc" => or_syntax(small(inner).map(Action::Recirc)),
        "meter" => or_syntax(small(inner).map(Action::Meter)),
        "trunc" => or_syntax(small(inner).map(|len_max| Action::Trunc { len_max })),
        "lb_output" => or_syntax(small(inner).map(Action::LbOutput)),
        "clone" => Ok(Action::Clone(actions(inner, names, depth + 1)?)),
        "hash" => {
            let (kind, basis) = call(inner)?;
            let algorithm = match kind {
                "l4" => HashAlgorithm::L4,
                "sym_l4" => HashAlgorithm::SymL4,
                _ => return syntax(item),
            };
            or_syntax(small(basis).map(|basis| Action::Hash { algorithm, basis }))
        }
        "push_vlan" => push_vlan(item, inner),
        "set" => set(item, inner),
        _ if inner.is_empty() => {
            let port = small::<u32>(name).map(DpPort).or_else(|| names.port(name));
            or_syntax(port.map(Action::Output))
        }
        _ => syntax(item),
    }
}

fn push_vlan(item: &str, inner: &str) -> Result<Action> {
    let (mut tpid, mut vid, mut pcp, mut cfi) = (eth::VLAN, 0u16, 0u16, 1u16);
    for field in split(inner)? {
        match field.split_once('=').map(|(k, v)| (k, small::<u16>(v))) {
            Some(("tpid", Some(n))) => tpid = n,
            Some(("vid", Some(n))) if n < 0x1000 => vid = n,
            Some(("pcp", Some(n))) if n < 8 => pcp = n,
            Some(("cfi", Some(n))) if n < 2 => cfi = n,
            _ => return syntax(item),
        }
    }
    Ok(Action::PushVlan { tpid: Be16::new(tpid), tci: Be16::new(vid | cfi << 12 | pcp << 13) })
}

/// `set(GROUP(field=value[/mask],...))`.
fn set(item: &str, inner: &str) -> Result<Action> {
    let mut key = Key { flow: Flow::ZERO, mask: Flow::ZERO, n_vlans: 0 };
    key.items(inner, &super::Numbers, 0)?;
    let (k, m) = (&key.flow, &key.mask);
    let ports = SetPorts { src: k.tp_src, src_mask: m.tp_src, dst: k.tp_dst, dst_mask: m.tp_dst };
    let set = match call(inner)?.0 {
        "eth" => Set::Eth { src: k.dl_src, src_mask: m.dl_src, dst: k.dl_dst, dst_mask: m.dl_dst },
        "ipv4" => Set::Ipv4 {
            src: k.nw_src,
            src_mask: m.nw_src,
            dst: k.nw_dst,
            dst_mask: m.nw_dst,
            tos: k.nw_tos,
            tos_mask: m.nw_tos,
            ttl: k.nw_ttl,
            ttl_mask: m.nw_ttl,
        },
        "tcp" => Set::Tcp(ports),
        "udp" => Set::Udp(ports),
        "sctp" => Set::Sctp(ports),
        "skb_mark" => Set::SkbMark { value: k.pkt_mark, mask: m.pkt_mark },
        "skb_priority" => Set::SkbPriority { value: k.skb_priority, mask: m.skb_priority },
        _ => return syntax(item),
    };
    Ok(Action::Set(set))
}
