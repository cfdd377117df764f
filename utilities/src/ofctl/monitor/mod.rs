//! monitor, snoop, probe, ping, benchmark, packet-out.

mod control;
mod watch;

use std::time::Instant;

use daemon::program::fatal;
use openflow::msg::monitor::{FlowMonitorRequest, MonitorCommand, MonitorFlags};
use openflow::msg::{Message, PacketOut};
use openflow::text::{self, Protocols};
use openflow::{GroupId, OfPort, TableId};

use self::watch::Manner;
use super::conn::{Conn, next_xid};
use super::flows;
use super::names::Names;
use super::options::Options;

/// monitor.
pub fn monitor(o: &Options, bridge: &str, args: &[String]) {
    let mut requests = Vec::new();
    let mut usable = Protocols::ANY;
    let mut miss_len = None;
    let (mut invalid_ttl, mut resumes) = (false, false);
    for arg in args {
        if let Some(text) = arg.strip_prefix("watch:") {
            let (request, p) = watch_request(text, &Names::new(bridge, o.versions));
            usable &= p;
            requests.push(FlowMonitorRequest { id: requests.len() as u32, ..request });
        } else if arg == "invalid_ttl" {
            invalid_ttl = true;
        } else if arg == "resume" {
            // Paused packets are sent on after they were shown.
            resumes = true;
        } else if let Ok(n) = arg.parse::<u16>() {
            miss_len = Some(n);
        } else {
            fatal(format!("{arg}: unsupported \"monitor\" argument"));
        }
    }
    let mut conn = flows::open(o, bridge, usable);
    if let Some(len) = miss_len {
        let mut c = match conn.query(&Message::GetConfigRequest) {
            Message::GetConfigReply(c) => c,
            _ => fatal("bad reply to config request"),
        };
        c.miss_send_len = len;
        if invalid_ttl {
            c.invalid_ttl_to_controller = Some(true);
        }
        conn.send(&Message::SetConfig(c));
    }
    choose_packet_in_format(o, &mut conn);
    if !requests.is_empty() {
        conn.send(&Message::FlowMonitorRequest(requests));
    }
    conn.flush();
    let names = Names::new(bridge, o.versions);
    watch::run(o, &mut conn, Some(&names), Manner { answers_echo: true, resumes });
}

/// The format that was asked for, or the best one that the switch has.
fn choose_packet_in_format(o: &Options, conn: &mut Conn) {
    use openflow::msg::PacketInFormat::{Nxt, Nxt2};
    let mut takes = |format| conn.modify(std::iter::once(Message::SetPacketInFormat(format))).is_ok();
    match o.packet_in_format {
        Some(format) if !takes(format) => {
            fatal(format!("{}: failed to set packet in format", conn.name));
        }
        Some(_) => {}
        None => {
            if !takes(Nxt2) && conn.version == openflow::Version::V1_0 {
                conn.modify_or_die(Message::SetPacketInFormat(Nxt));
            }
        }
    }
}

/// `!initial,!add,!delete,!modify,!actions,!own,FIELDS`.
fn watch_request(text: &str, names: &Names) -> (FlowMonitorRequest, Protocols) {
    let mut flags = MonitorFlags::INITIAL
        | MonitorFlags::ADD
        | MonitorFlags::REMOVED
        | MonitorFlags::MODIFY
        | MonitorFlags::ONLY_OWN
        | MonitorFlags::INSTRUCTIONS;
    let mut rest = Vec::new();
    let (mut table, mut out_port, mut out_group) = (TableId::ALL, OfPort::ANY, GroupId::ANY);
    for part in text.split(',').map(str::trim).filter(|s| !s.is_empty()) {
        match part {
            "!initial" => flags -= MonitorFlags::INITIAL,
            "!add" => flags -= MonitorFlags::ADD,
            "!delete" => flags -= MonitorFlags::REMOVED,
            "!modify" => flags -= MonitorFlags::MODIFY,
            "!actions" => flags -= MonitorFlags::INSTRUCTIONS,
            "!own" => flags -= MonitorFlags::ONLY_OWN,
            _ => match part.split_once('=') {
                Some(("table", v)) => table = text::flow::table(v).unwrap_or_else(|e| fatal(e)),
                Some(("out_port", v)) => {
                    out_port = v.parse().unwrap_or_else(|e: openflow::types::BadPort| fatal(e));
                }
                Some(("out_group", v)) => out_group = text::flow::group(v).unwrap_or_else(|e| fatal(e)),
                _ => rest.push(part),
            },
        }
    }
    let matching =
        openflow::matching::Match::parse(&rest.join(","), Some(names)).unwrap_or_else(|e| fatal(e));
    let usable = Protocols::for_match(&matching);
    let request = FlowMonitorRequest {
        id: 0,
        command: MonitorCommand::Add,
        flags,
        out_port,
        out_group,
        table,
        matching,
    };
    (request, usable)
}

/// snoop.
pub fn snoop(o: &Options, bridge: &str) {
    let mut conn = Conn::open_suffix(bridge, "snoop", o.versions);
    watch::run(o, &mut conn, None, Manner { answers_echo: false, resumes: false });
}

/// probe.
pub fn probe(o: &Options, target: &str) {
    let mut conn = Conn::open(target, o.versions);
    conn.transact(&Message::EchoRequest(Vec::new()));
}

/// ping: ten echoes.
pub fn ping(o: &Options, target: &str, size: Option<&String>) {
    let size = size.map_or(64, |s| s.parse().unwrap_or(usize::MAX));
    if size > 65527 {
        fatal("payload must be between 0 and 65527 bytes");
    }
    let mut conn = Conn::open(target, o.versions);
    for n in 0..10u32 {
        let payload: Vec<u8> = (0..size).map(|i| (i as u32 * 31 + n) as u8).collect();
        let start = Instant::now();
        let reply = conn.transact(&Message::EchoRequest(payload.clone()));
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        if reply.get(8..) != Some(&payload[..]) {
            println!("Reply does not match request:");
        }
        let xid = next_xid().wrapping_sub(1);
        println!("{size} bytes from {target}: xid={xid:08x} time={ms:.1} ms");
    }
}

/// benchmark: COUNT echoes of N bytes.
pub fn benchmark(o: &Options, target: &str, size: &str, count: &str) {
    let size: usize = size.parse().unwrap_or(usize::MAX);
    let count: usize = count.parse().unwrap_or(0);
    let len = size.saturating_add(8);
    if len > 65535 {
        fatal(format!("packet size must be between 0 and {} bytes", 65535 - 8));
    }
    let total = len * count;
    println!("Sending {count} packets * {len} bytes (with header) = {total} bytes total");
    let mut conn = Conn::open(target, o.versions);
    let start = Instant::now();
    for _ in 0..count {
        conn.transact(&Message::EchoRequest(vec![0; size]));
    }
    let seconds = start.elapsed().as_secs_f64().max(1e-9);
    println!(
        "Finished in {:.1} ms ({:.0} packets/s) ({:.0} bytes/s)",
        seconds * 1000.0,
        count as f64 / seconds,
        total as f64 / seconds
    );
}

/// packet-out, in the short form (flow syntax) and the old one (IN_PORT ACTIONS PACKET...).
pub fn packet_out(o: &Options, bridge: &str, args: &[String]) {
    let names = Names::new(bridge, o.versions);
    let mut messages = Vec::new();
    match args {
        [text] => messages.push(text::packet_out::parse(text, Some(&names)).unwrap_or_else(|e| fatal(e))),
        [in_port, actions, packets @ ..] if !packets.is_empty() => {
            let in_port = flow::field::parse_port(in_port, Some(&names))
                .map(|p| OfPort::from_u16(p as u16))
                .unwrap_or_else(|| fatal(format!("{in_port} is not a valid OpenFlow port")));
            let mut p = text::actions::Parser::new(Some(&names));
            let actions = text::actions::parse(actions, &mut p).unwrap_or_else(|e| fatal(e));
            for packet in packets {
                messages.push(PacketOut {
                    packet: text::packet_out::hex(packet)
                        .unwrap_or_else(|| fatal("Trailing garbage in packet data")),
                    buffer_id: None,
                    in_port,
                    metadata: Default::default(),
                    actions: actions.clone(),
                });
            }
        }
        _ => fatal("'packet-out' command requires at least 2 arguments"),
    }
    let mut conn = flows::open(o, bridge, Protocols::ANY);
    let result = conn.modify(messages.into_iter().map(|p| Message::PacketOut(Box::new(p))));
    if let Err((error, _)) = result {
        super::conn::print_error(&error);
    }
}
