//! Handshake, configuration, ports, packets, bundles.

use super::{Printer, body, hex_dump};
use crate::msg::bundle::BundleFlags;
use crate::msg::hello::Capabilities as C;
use crate::msg::port::{PortConfig, PortFeatures, PortState};
use crate::msg::*;
use crate::raw::{Header, Raw};
use crate::types::Version;

fn mac(m: &[u8; 6]) -> String {
    m.map(|b| format!("{b:02x}")).join(":")
}

fn dotted(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(".")
}

pub(super) fn hello(p: &mut Printer<'_>, h: &Hello) {
    let bits = h.versions.0;
    let versions: Vec<String> =
        (0..32).filter(|v| bits >> v & 1 != 0).map(|v| format!("0x{v:02x}")).collect();
    p.put(format_args!("\n version bitmap: {}\n", versions.join(", ")));
}

pub(super) fn error(p: &mut Printer<'_>, e: &ErrorMsg) {
    match e.error {
        Ok(error) => p.put(format_args!(" {error}\n")),
        Err(c) => p.put(format_args!(" ***decode error: type {} code {}***\n", c.kind, c.code)),
    }
    if e.error.is_ok_and(|error| error.name().starts_with("OFPHFC_")) {
        return p.put(format_args!("{}\n", String::from_utf8_lossy(&e.data)));
    }
    // The request that caused it, as far as it was quoted.
    let quoted = super::message(&e.data, super::Options { verbosity: 1, ..p.options });
    p.put(quoted);
}

pub(super) fn echo(p: &mut Printer<'_>, data: &[u8]) {
    p.put(format_args!(" {} bytes of payload\n", data.len()));
    if p.options.verbosity > 1 {
        p.out.push_str(&hex_dump(data));
    }
}

const CAPABILITIES: &[(C, &str)] = &[
    (C::FLOW_STATS, "FLOW_STATS"),
    (C::TABLE_STATS, "TABLE_STATS"),
    (C::PORT_STATS, "PORT_STATS"),
    (C::GROUP_STATS, "GROUP_STATS"),
    (C::STP, "STP"),
    (C::IP_REASM, "IP_REASM"),
    (C::QUEUE_STATS, "QUEUE_STATS"),
    (C::ARP_MATCH_IP, "ARP_MATCH_IP"),
    (C::PORT_BLOCKED, "PORT_BLOCKED"),
    (C::BUNDLES, "BUNDLES"),
    (C::FLOW_MONITORING, "FLOW_MONITORING"),
];

/// Actions of OpenFlow 1.0 in the order in which they are printed, with their numbers.
pub(super) const ACTIONS_10: &[(u32, &str)] = &[
    (0, "output"),
    (11, "enqueue"),
    (1, "set_vlan_vid"),
    (2, "set_vlan_pcp"),
    (3, "strip_vlan"),
    (4, "mod_dl_src"),
    (5, "mod_dl_dst"),
    (6, "mod_nw_src"),
    (7, "mod_nw_dst"),
    (8, "mod_nw_tos"),
    (9, "mod_tp_src"),
    (10, "mod_tp_dst"),
];

pub(super) fn features(p: &mut Printer<'_>, f: &Features) {
    p.put(format_args!(" dpid:{:016x}\n", f.datapath_id));
    p.put(format_args!("n_tables:{}, n_buffers:{}", f.n_tables, f.n_buffers));
    if f.auxiliary_id != 0 {
        p.put(format_args!(", auxiliary_id:{}", f.auxiliary_id));
    }
    let names: Vec<&str> =
        CAPABILITIES.iter().filter(|(c, _)| f.capabilities.contains(*c)).map(|(_, n)| *n).collect();
    p.put(format_args!(
        "\ncapabilities: {}\n",
        if names.is_empty() { "0".to_owned() } else { names.join(" ") }
    ));
    if p.version == Version::V1_0 {
        let names: Vec<&str> =
            ACTIONS_10.iter().filter(|(n, _)| f.actions >> n & 1 != 0).map(|(_, s)| *s).collect();
        p.put(format_args!("actions: {}\n", names.join(" ")));
    }
    ports(p, &f.ports);
}

/// Ports by number, as they are printed whatever their order in the message.
pub(super) fn ports(p: &mut Printer<'_>, ports: &[PortDesc]) {
    let mut sorted: Vec<&PortDesc> = ports.iter().collect();
    sorted.sort_by_key(|d| d.port);
    sorted.into_iter().for_each(|d| port(p, d));
}

fn bits(names: &[(u32, &str)], v: u32) -> String {
    let mut out: Vec<String> =
        names.iter().filter(|(b, _)| v & b != 0).map(|(_, n)| (*n).to_owned()).collect();
    let rest = names.iter().fold(v, |v, (b, _)| v & !b);
    if rest != 0 {
        out.push(format!("{rest:#x}"));
    }
    if out.is_empty() { "0".to_owned() } else { out.join(" ") }
}

fn config_bits(c: PortConfig) -> String {
    let names = [
        (1, "PORT_DOWN"),
        (2, "NO_STP"),
        (4, "NO_RECV"),
        (8, "NO_RECV_STP"),
        (16, "NO_FLOOD"),
        (32, "NO_FWD"),
        (64, "NO_PACKET_IN"),
    ];
    bits(&names, c.bits())
}

fn state_bits(s: PortState, v: Version) -> String {
    if v != Version::V1_0 {
        return bits(&[(1, "LINK_DOWN"), (2, "BLOCKED"), (4, "LIVE")], s.bits());
    }
    let stp = match s.bits() >> 8 & 3 {
        1 => "STP_LEARN",
        2 => "STP_FORWARD",
        3 => "STP_BLOCK",
        _ => "",
    };
    let down = if s.contains(PortState::LINK_DOWN) { "LINK_DOWN" } else { "" };
    let all: Vec<&str> = [down, stp].into_iter().filter(|w| !w.is_empty()).collect();
    if all.is_empty() { "0".to_owned() } else { all.join(" ") }
}

fn feature_bits(f: PortFeatures) -> String {
    let names = [
        "10MB-HD",
        "10MB-FD",
        "100MB-HD",
        "100MB-FD",
        "1GB-HD",
        "1GB-FD",
        "10GB-FD",
        "40GB-FD",
        "100GB-FD",
        "1TB-FD",
        "OTHER",
        "COPPER",
        "FIBER",
        "AUTO_NEG",
        "AUTO_PAUSE",
        "AUTO_PAUSE_ASYM",
    ];
    let table: Vec<(u32, &str)> = names.into_iter().enumerate().map(|(n, s)| (1 << n, s)).collect();
    bits(&table, f.bits())
}

/// A port of a features reply or port description.
pub(super) fn port(p: &mut Printer<'_>, d: &PortDesc) {
    p.put(format_args!(" {}({}): addr:{}\n", d.port, d.name, mac(&d.hw_addr)));
    p.put(format_args!("     config:     {}\n", config_bits(d.config)));
    p.put(format_args!("     state:      {}\n", state_bits(d.state, p.version)));
    let features =
        [("current", d.curr), ("advertised", d.advertised), ("supported", d.supported), ("peer", d.peer)];
    for (name, f) in features.into_iter().filter(|(_, f)| !f.is_empty()) {
        p.put(format_args!("     {:<12}{}\n", format!("{name}:"), feature_bits(f)));
    }
    let (now, max) = (d.curr_speed_kbps / 1000, d.max_speed_kbps / 1000);
    p.put(format_args!("     speed: {now} Mbps now, {max} Mbps max\n"));
}

pub(super) fn port_status(p: &mut Printer<'_>, s: &PortStatus) {
    p.put(match s.reason {
        PortStatusReason::Add => " ADD:",
        PortStatusReason::Delete => " DEL:",
        PortStatusReason::Modify => " MOD:",
    });
    port(p, &s.desc);
}

pub(super) fn port_mod(p: &mut Printer<'_>, m: &PortMod) {
    p.put(format_args!(" port: {}: addr:{}\n", p.port(m.port), mac(&m.hw_addr)));
    p.put(format_args!("     config: {}\n     mask:   {}\n", config_bits(m.config), config_bits(m.mask)));
    let advertise = if m.advertise.is_empty() { "UNCHANGED".to_owned() } else { feature_bits(m.advertise) };
    p.put(format_args!("     advertise: {advertise}\n"));
}

/// The word for a fragment mode.
pub fn frag_name(f: FragMode) -> &'static str {
    match f {
        FragMode::Normal => "normal",
        FragMode::Drop => "drop",
        FragMode::Reassemble => "reassemble",
        FragMode::NxMatch => "nx-match",
    }
}

pub(super) fn config(p: &mut Printer<'_>, c: &SwitchConfig) {
    p.put(format_args!(" frags={}", frag_name(c.frag)));
    if c.invalid_ttl_to_controller == Some(true) {
        p.put(" invalid_ttl_to_controller");
    }
    p.put(format_args!(" miss_send_len={}\n", c.miss_send_len));
}

fn role_text(p: &mut Printer<'_>, role: Role, generation_id: Option<u64>) {
    let name = match role {
        Role::NoChange => "nochange",
        Role::Equal => "equal",
        Role::Primary => "primary",
        Role::Secondary => "secondary",
    };
    p.put(format_args!(" role={name}"));
    if let Some(id) = generation_id {
        p.put(format_args!(" generation_id={id}"));
    }
}

pub(super) fn role(p: &mut Printer<'_>, r: &RoleMsg) {
    role_text(p, r.role, r.generation_id);
}

pub(super) fn role_status(p: &mut Printer<'_>, r: &RoleStatus) {
    role_text(p, r.role, r.generation_id);
    p.put(match r.reason {
        0 => " reason=primary_request".to_owned(),
        1 => " reason=configuration_changed".to_owned(),
        2 => " reason=experimenter_data_changed".to_owned(),
        n => format!(" reason={n}"),
    });
}

const ASYNC_REASONS: [(&str, &[&str]); 6] = [
    ("PACKET_IN", &["no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"]),
    ("PORT_STATUS", &["add", "delete", "modify"]),
    ("FLOW_REMOVED", &["idle", "hard", "delete", "group_delete", "meter_delete", "eviction"]),
    ("ROLE_STATUS", &["primary_request", "configuration_changed", "experimenter_data_changed"]),
    ("TABLE_STATUS", &["", "", "", "vacancy_down", "vacancy_up"]),
    ("REQUESTFORWARD", &["group_mod_request", "meter_mod_request"]),
];

pub(super) fn async_config(p: &mut Printer<'_>, a: &AsyncConfig) {
    for (role, m) in [("primary", &a.primary), ("secondary", &a.secondary)] {
        p.put(format_args!("\n {role}:"));
        let masks =
            [m.packet_in, m.port_status, m.flow_removed, m.role_status, m.table_status, m.requestforward];
        for ((kind, names), mask) in ASYNC_REASONS.into_iter().zip(masks) {
            let name =
                |n: usize| names.get(n).filter(|s| !s.is_empty()).map_or(n.to_string(), |s| (*s).to_owned());
            let set: Vec<String> = (0..32).filter(|n| mask >> n & 1 != 0).map(name).collect();
            let text = if set.is_empty() { "(off)".to_owned() } else { set.join(" ") };
            p.put(format_args!("\n  {kind:>15}: {text}"));
        }
        p.put("\n");
    }
}

pub(super) fn packet_in_format(f: PacketInFormat) -> &'static str {
    match f {
        PacketInFormat::Standard => "standard",
        PacketInFormat::Nxt => "nxt_packet_in",
        PacketInFormat::Nxt2 => "nxt_packet_in2",
    }
}

fn packet_text(p: &mut Printer<'_>, packet: &[u8]) {
    if p.options.verbosity > 0 {
        p.out.push_str(&super::packet::packet(packet));
    }
    if p.options.verbosity > 2 {
        p.out.push_str(&super::packet::hex(packet));
    }
}

pub(super) fn packet_in(p: &mut Printer<'_>, pin: &PacketIn) {
    if pin.table.0 != 0 {
        p.put(format_args!(" table_id={}", pin.table.0));
    }
    if let Some(cookie) = pin.cookie.filter(|c| c.0 != u64::MAX) {
        p.put(format_args!(" cookie=0x{:x}", cookie.0));
    }
    p.put(format_args!(" total_len={} ", pin.total_len));
    p.matching(&pin.metadata);
    p.put(format_args!(" (via {})", pin.reason.name()));
    p.put(format_args!(" data_len={}", pin.packet.len()));
    match pin.buffer_id {
        None => p.put(" (unbuffered)"),
        Some(id) => p.put(format_args!(" buffer=0x{id:08x}")),
    }
    p.put("\n");
    if !pin.userdata.is_empty() {
        p.put(format_args!(" userdata={}\n", dotted(&pin.userdata)));
    }
    if let Some(bytes) = &pin.continuation {
        match Continuation::decode(bytes, p.version) {
            Ok(c) => continuation(p, &c),
            Err(_) => p.put(format_args!(" continuation={}\n", dotted(bytes))),
        }
    }
    packet_text(p, &pin.packet);
}

/// What a paused translation goes on with, a line each.
fn continuation(p: &mut Printer<'_>, c: &Continuation) {
    let hex = |b: &[u8]| b.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let id = hex(&c.bridge);
    p.put(format_args!(
        " continuation.bridge={}-{}-{}-{}-{}\n",
        &id[..8],
        &id[8..12],
        &id[12..16],
        &id[16..20],
        &id[20..]
    ));
    if !c.stack.is_empty() {
        p.put(" continuation.stack=(top)");
        for value in c.stack.iter().rev() {
            let digits = hex(value);
            let digits = digits.trim_start_matches('0');
            p.put(format_args!(" {}", if digits.is_empty() { "0".into() } else { format!("0x{digits}") }));
        }
        p.put(" (bottom)\n");
    }
    if c.mirrors != 0 {
        p.put(format_args!(" continuation.mirrors={:#x}\n", c.mirrors));
    }
    if c.conntracked {
        p.put(" continuation.conntracked=true\n");
    }
    for (n, list) in c.lists.iter().enumerate() {
        p.put(if n == 0 { " continuation.actions=" } else { "," });
        p.put(format_args!("unroll_xlate(table={}, cookie={}),", list.table.0, list.cookie.0));
        p.actions(&list.actions);
    }
    if !c.lists.is_empty() {
        p.put("\n");
    }
    if !c.action_set.is_empty() {
        p.put(" continuation.action_set=");
        p.actions(&c.action_set);
        p.put("\n");
    }
    if let Some(port) = c.dp_port {
        p.put(format_args!(" continuation.odp_port={port}\n"));
    }
}

pub(super) fn packet_out(p: &mut Printer<'_>, out: &PacketOut) {
    let mut metadata = out.metadata;
    metadata.set(crate::matching::Field::InPort, out.in_port.low16().into());
    p.put(" ");
    p.matching(&metadata);
    p.put(" actions=");
    p.actions(&out.actions);
    match out.buffer_id {
        None => {
            p.put(format_args!(" data_len={}\n", out.packet.len()));
            if !out.packet.is_empty() {
                packet_text(p, &out.packet);
            }
        }
        Some(id) => p.put(format_args!(" buffer=0x{id:08x}\n")),
    }
}

fn bundle_flags(f: BundleFlags) -> String {
    bits(&[(1, "atomic"), (2, "ordered")], f.bits().into())
}

pub(super) fn bundle_control(p: &mut Printer<'_>, b: &BundleControl) {
    let kind = [
        "OPEN_REQUEST",
        "OPEN_REPLY",
        "CLOSE_REQUEST",
        "CLOSE_REPLY",
        "COMMIT_REQUEST",
        "COMMIT_REPLY",
        "DISCARD_REQUEST",
        "DISCARD_REPLY",
    ][b.kind as usize];
    p.put(format_args!("\n bundle_id={} type={kind} flags={}", alt_hex(b.bundle_id), bundle_flags(b.flags)));
}

pub(super) fn bundle_add(p: &mut Printer<'_>, b: &BundleAdd) {
    p.put(format_args!("\n bundle_id={} flags={}\n", alt_hex(b.bundle_id), bundle_flags(b.flags)));
    let bytes = crate::codec::encode(p.version, b.inner_xid, &b.message);
    if let Ok((version, xid, raw, ..)) = Raw::decode(&bytes) {
        p.put(super::head_line(raw, version, xid));
        body(p, &b.message);
    }
}

/// A bundle add whose member cannot be decoded: true when it was printed.
pub(super) fn bad_bundle_member(p: &mut Printer<'_>, raw: Raw, bytes: &[u8]) -> bool {
    if raw.kind != crate::raw::Kind::BundleAdd {
        return false;
    }
    let body = bytes.get(raw.header_len(p.version)..).unwrap_or_default();
    let (Some(&[a, b, c, d, _, _, hi, lo]), Some(inner)) = (body.first_chunk::<8>(), body.get(8..)) else {
        return false;
    };
    let Some(flags) = BundleFlags::from_bits(u16::from_be_bytes([hi, lo])) else { return false };
    let Some(header) = Header::parse(inner) else { return false };
    let outer = Header::parse(bytes);
    let Some(inner) = inner.get(..usize::from(header.size)) else { return false };
    let known = matches!(Raw::decode(inner), Ok((_, _, raw, ..)) if raw.is_bundlable());
    if !known || outer.is_none_or(|o| o.version != header.version || o.xid != header.xid) {
        return false;
    }
    let id = u32::from_be_bytes([a, b, c, d]);
    p.put(format_args!("\n bundle_id={} flags={}\n", alt_hex(id), bundle_flags(flags)));
    let text = super::message(inner, p.options);
    p.put(text);
    true
}

pub(super) fn request_forward(p: &mut Printer<'_>, inner: &Message) {
    p.put(if matches!(inner, Message::GroupMod(_)) { " reason=group_mod" } else { " reason=meter_mod" });
    body(p, inner);
}

pub(super) fn tlv_mod(p: &mut Printer<'_>, t: &TlvTableMod) {
    p.put(match t.command {
        nicira::TlvCommand::Add => "\n ADD mapping table:\n",
        nicira::TlvCommand::Delete => "\n DEL mapping table:\n",
        nicira::TlvCommand::Clear => return p.put("\n CLEAR"),
    });
    maps(p, &t.maps);
}

/// C's `%#x`: zero has no prefix.
fn alt_hex(v: u32) -> String {
    if v == 0 { "0".to_owned() } else { format!("{v:#x}") }
}

fn maps(p: &mut Printer<'_>, maps: &[TlvMap]) {
    p.put("  class  type  length  match field\n ------  ----  ------  --------------\n");
    for m in maps {
        p.put(format_args!(
            " {:>6}  {:>4}  {:>6}  tun_metadata{}\n",
            alt_hex(m.class.into()),
            alt_hex(m.kind.into()),
            m.len,
            m.index
        ));
    }
}

pub(super) fn tlv_reply(p: &mut Printer<'_>, t: &TlvTableReply) {
    let used: u32 = t.maps.iter().map(|m| u32::from(m.len)).sum();
    p.put(format_args!("\n max option space={} max fields={}\n", t.max_option_space, t.max_fields));
    p.put(format_args!(" allocated option space={used}\n\n mapping table:\n"));
    maps(p, &t.maps);
}

fn ct_tuple(t: &CtTuple, is_v6: bool, ip_proto: u8, with_proto: bool) -> String {
    const ICMP: [u8; 2] = [flow::proto::ip::ICMP, flow::proto::ip::ICMPV6];
    let ip = |a: Option<std::net::IpAddr>| a.map_or("::".to_owned(), |a| a.to_string());
    let (src, dst) = if is_v6 { ("ct_ipv6_src", "ct_ipv6_dst") } else { ("ct_nw_src", "ct_nw_dst") };
    let mut out = format!("{src}={},{dst}={},", ip(t.src), ip(t.dst));
    if ICMP.contains(&ip_proto) {
        let (id, kind, code) = (t.icmp_id.unwrap_or(0), t.icmp_type.unwrap_or(0), t.icmp_code.unwrap_or(0));
        out += &format!("icmp_id={id},icmp_type={kind},icmp_code={code}");
    } else {
        out += &format!("ct_tp_src={},ct_tp_dst={}", t.src_port.unwrap_or(0), t.dst_port.unwrap_or(0));
    }
    if with_proto {
        out += &format!(",ct_nw_proto={ip_proto}");
    }
    out
}

pub(super) fn ct_flush(p: &mut Printer<'_>, c: &CtFlush) {
    p.put(format_args!(" zone={}", c.zone.unwrap_or(0)));
    let is_v6 = |t: &CtTuple| [t.src, t.dst].into_iter().flatten().any(|a| a.is_ipv6());
    // Without an address OVS takes the tuples for IPv6.
    let no_address = [&c.orig, &c.reply].iter().all(|t| t.src.or(t.dst).is_none());
    let is_v6 = no_address || is_v6(&c.orig) || is_v6(&c.reply);
    for (n, t) in [&c.orig, &c.reply].into_iter().enumerate() {
        p.put(format_args!(" '{}'", ct_tuple(t, is_v6, c.ip_proto, n == 0)));
    }
}
