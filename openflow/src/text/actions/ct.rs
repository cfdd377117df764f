//! `ct(...)` and `nat(...)` as text.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use super::parse::Parser;
use super::print::{self, Style};
use super::split::items;
use crate::action::*;
use crate::matching::Subfield;
use crate::text::number::{parse_u8, parse_u16};
use crate::text::{Parse, bad};
use crate::types::TableId;

const ALG_FTP: u16 = 21;
const ALG_TFTP: u16 = 69;

pub(super) fn format(c: &Conntrack, style: Style<'_>, out: &mut String) {
    let mut parts = Vec::new();
    if c.commit {
        parts.push("commit".to_owned());
    }
    if c.force {
        parts.push("force".to_owned());
    }
    if let Some(table) = c.recirc_table {
        parts.push(format!("table={}", table.0));
    }
    match c.zone {
        CtZoneSrc::Field(s) => parts.push(format!("zone={s}")),
        CtZoneSrc::Immediate(0) => {}
        CtZoneSrc::Immediate(zone) => parts.push(format!("zone={zone}")),
    }
    let (nat, exec): (Vec<_>, Vec<_>) = c.actions.iter().cloned().partition(|a| matches!(a, Action::Nat(_)));
    // A nat among other actions is printed where it stands, inside exec.
    if exec.is_empty() {
        for action in &nat {
            let mut text = String::new();
            print::one(action, style, &mut text);
            parts.push(text);
        }
    } else if let Some(Action::Nat(_)) = c.actions.first() {
        let mut text = String::new();
        print::one(&c.actions[0], style, &mut text);
        parts.push(text);
        parts.push(exec_text(&c.actions[1..], style));
    } else {
        parts.push(exec_text(&c.actions, style));
    }
    match c.alg {
        0 => {}
        ALG_FTP => parts.push("alg=ftp".to_owned()),
        ALG_TFTP => parts.push("alg=tftp".to_owned()),
        other => parts.push(format!("alg={other}")),
    }
    let _ = write!(out, "ct({})", parts.join(","));
}

fn exec_text(actions: &[Action], style: Style<'_>) -> String {
    let mut text = "exec(".to_owned();
    print::list(actions, style, &mut text);
    text + ")"
}

pub(super) fn format_nat(n: &Nat, out: &mut String) {
    out.push_str("nat");
    let direction = match n.kind {
        NatKind::Tracked => return,
        NatKind::Src => "src",
        NatKind::Dst => "dst",
    };
    out.push('(');
    out.push_str(direction);
    if let Some(min) = n.addr_min {
        let brackets = min.is_ipv6() && n.port_min.is_some();
        out.push('=');
        out.push_str(if brackets { "[" } else { "" });
        let _ = write!(out, "{min}");
        if let Some(max) = n.addr_max.filter(|max| *max != min) {
            let _ = write!(out, "-{max}");
        }
        out.push_str(if brackets { "]" } else { "" });
        if let Some(port) = n.port_min {
            let _ = write!(out, ":{port}");
            if let Some(max) = n.port_max.filter(|max| *max != port) {
                let _ = write!(out, "-{max}");
            }
        }
    }
    for (on, word) in [(n.persistent, ",persistent"), (n.hash, ",hash"), (n.random, ",random")] {
        out.push_str(if on { word } else { "" });
    }
    out.push(')');
}

pub(super) fn parse(arg: &str, p: &mut Parser<'_>) -> Parse<Action> {
    let mut c = Conntrack {
        commit: false,
        force: false,
        zone: CtZoneSrc::Immediate(0),
        recirc_table: None,
        alg: 0,
        actions: Vec::new(),
    };
    for item in items(arg) {
        match item.key {
            "commit" => c.commit = true,
            "force" => c.force = true,
            "table" => {
                let table = parse_u8(item.value).ok_or_else(|| bad!("unknown table {}", item.value))?;
                if table == 255 {
                    return Err(bad!("invalid table {table:#x}"));
                }
                c.recirc_table = Some(TableId(table));
            }
            "zone" => c.zone = zone(item.value)?,
            "alg" => {
                c.alg = match item.value {
                    "ftp" => ALG_FTP,
                    "tftp" => ALG_TFTP,
                    "" => 0,
                    other => return Err(bad!("{other}: unknown value for alg")),
                }
            }
            "nat" => c.actions.push(nat(item.value)?),
            "exec" => {
                let inner = p.nested_in_ct(item.value)?;
                c.actions.extend(inner);
            }
            other => return Err(bad!("invalid argument to \"ct\" action: `{other}'")),
        }
    }
    if c.force && !c.commit {
        return Err(bad!("\"force\" flag requires \"commit\" flag."));
    }
    Ok(Action::Ct(Box::new(c)))
}

fn zone(value: &str) -> Parse<CtZoneSrc> {
    if let Some(zone) = parse_u16(value) {
        return Ok(CtZoneSrc::Immediate(zone));
    }
    let s: Subfield = value.parse().map_err(|e: flow::field::SubfieldError| bad!("{e}"))?;
    if s.n_bits != 16 {
        return Err(bad!("zone n_bits {} not within valid range [16..16]", s.n_bits));
    }
    Ok(CtZoneSrc::Field(s))
}

pub(super) fn nat(arg: &str) -> Parse<Action> {
    let mut n = Nat {
        kind: NatKind::Tracked,
        persistent: false,
        hash: false,
        random: false,
        addr_min: None,
        addr_max: None,
        port_min: None,
        port_max: None,
    };
    for item in items(arg) {
        match item.key {
            "src" | "dst" => {
                n.kind = if item.key == "src" { NatKind::Src } else { NatKind::Dst };
                if !item.value.is_empty() {
                    range(item.value, &mut n)?;
                }
            }
            "persistent" => n.persistent = true,
            "hash" => n.hash = true,
            "random" => n.random = true,
            other => return Err(bad!("invalid key \"{other}\" in \"nat\" argument")),
        }
    }
    if n.kind == NatKind::Tracked && (n.persistent || n.hash || n.random) {
        return Err(bad!("\"nat\" action must have \"src\" or \"dst\" to use {arg}"));
    }
    if n.hash && n.random {
        return Err(bad!("Both \"hash\" and \"random\" are not allowed in \"nat\" argument"));
    }
    Ok(Action::Nat(Box::new(n)))
}

/// `A[-A][:P[-P]]`; IPv6 addresses before a port are in brackets, each for itself.
fn range(text: &str, n: &mut Nat) -> Parse<()> {
    let garbage =
        |rest: &str| bad!("garbage ({rest}) after nat range \"{text}\" (pos: {})", text.len() - rest.len());
    let mut rest = text;
    n.addr_min = Some(address(&mut rest).ok_or_else(|| garbage(text))?);
    if let Some(after) = rest.strip_prefix('-') {
        rest = after;
        n.addr_max = Some(address(&mut rest).ok_or_else(|| garbage(after))?);
        if n.addr_max < n.addr_min {
            return Err(garbage(after));
        }
    }
    if let Some(after) = rest.strip_prefix(':') {
        let mut ports = after.splitn(2, '-');
        n.port_min = Some(ports.next().and_then(parse_u16).ok_or_else(|| garbage(after))?);
        if let Some(max) = ports.next() {
            n.port_max = Some(parse_u16(max).ok_or_else(|| garbage(max))?);
            if n.port_max < n.port_min {
                return Err(garbage(max));
            }
        }
        rest = "";
    }
    if rest.is_empty() { Ok(()) } else { Err(garbage(rest)) }
}

fn address(rest: &mut &str) -> Option<IpAddr> {
    let text = *rest;
    if let Some(inner) = text.strip_prefix('[') {
        let (addr, after) = inner.split_once(']')?;
        *rest = after;
        return addr.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let v4_end = text.find(['-', ':']).unwrap_or(text.len());
    if let Ok(addr) = text[..v4_end].parse::<std::net::Ipv4Addr>() {
        *rest = &text[v4_end..];
        return Some(addr.into());
    }
    let end = text.find('-').unwrap_or(text.len());
    let addr = text[..end].parse::<Ipv6Addr>().ok()?;
    *rest = &text[end..];
    Some(addr.into())
}
