//! ct-flush and ct-flush-zone.

use daemon::program::fatal;
use openflow::msg::{CtFlush, CtTuple, Message};
use openflow::text::number;

use super::conn::Conn;
use super::options::Options;

/// ct-flush-zone ZONE.
pub fn zone(o: &Options, bridge: &str, zone: &str) {
    let zone = number::parse_u16(zone).unwrap_or_else(|| fatal(format!("invalid zone \"{zone}\"")));
    Conn::open(bridge, o.versions).modify_or_die(Message::CtFlushZone(zone));
}

/// ct-flush [zone=N] [ORIG [REPLY]].
pub fn tuples(o: &Options, bridge: &str, args: &[String]) {
    let mut flush = CtFlush::default();
    let mut rest = args;
    if let [first, tail @ ..] = args
        && let Some(zone) = first.strip_prefix("zone=")
    {
        flush.zone = Some(number::parse_u16(zone).unwrap_or_else(|| fatal("Failed to parse zone")));
        rest = tail;
    }
    if rest.len() > 2 {
        fatal("too many tuples");
    }
    let mut protocols = Vec::new();
    for (n, text) in rest.iter().enumerate() {
        let (tuple, proto) = tuple(text).unwrap_or_else(|e| fatal(e));
        protocols.extend(proto);
        *(if n == 0 { &mut flush.orig } else { &mut flush.reply }) = tuple;
    }
    flush.ip_proto = protocols.first().copied().unwrap_or(0);
    Conn::open(bridge, o.versions).modify_or_die(Message::CtFlush(Box::new(flush)));
}

/// `ct_nw_src=A,ct_nw_proto=P,...`.
fn tuple(text: &str) -> Result<(CtTuple, Option<u8>), String> {
    let mut t = CtTuple::default();
    let mut proto = None;
    for part in text.split([',', ' ']).filter(|s| !s.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("invalid format of {text}"))?;
        let wrong = || format!("failed to parse field {key}");
        match key {
            "ct_nw_src" | "ct_ipv6_src" => t.src = Some(value.parse().map_err(|_| wrong())?),
            "ct_nw_dst" | "ct_ipv6_dst" => t.dst = Some(value.parse().map_err(|_| wrong())?),
            "ct_nw_proto" => proto = Some(number::parse_u8(value).ok_or_else(wrong)?),
            "ct_tp_src" => t.src_port = Some(number::parse_u16(value).ok_or_else(wrong)?),
            "ct_tp_dst" => t.dst_port = Some(number::parse_u16(value).ok_or_else(wrong)?),
            "icmp_type" => t.icmp_type = Some(number::parse_u8(value).ok_or_else(wrong)?),
            "icmp_code" => t.icmp_code = Some(number::parse_u8(value).ok_or_else(wrong)?),
            "icmp_id" => t.icmp_id = Some(number::parse_u16(value).ok_or_else(wrong)?),
            _ => return Err(format!("invalid conntrack tuple field: {key}")),
        }
    }
    if t.src.zip(t.dst).is_some_and(|(a, b)| a.is_ipv4() != b.is_ipv4()) {
        return Err("the tuple's addresses are of two families".into());
    }
    Ok((t, proto))
}
