//! Statistics of ports and queues, the description, IPFIX.

use super::{Printer, duration};
use crate::msg::ipfix::IpfixStats;
use crate::msg::*;
use crate::types::{OfPort, QueueId};

pub(super) fn desc(p: &mut Printer<'_>, d: &Desc) {
    p.put(format_args!("\nManufacturer: {}\nHardware: {}\n", d.manufacturer, d.hardware));
    p.put(format_args!(
        "Software: {}\nSerial Num: {}\nDP Description: {}\n",
        d.software, d.serial, d.dp_desc
    ));
}

fn stat(v: u64) -> String {
    if v == u64::MAX { "?".to_owned() } else { v.to_string() }
}

/// `a=1, b=2`.
fn list(values: &[(&str, u64)]) -> String {
    values.iter().map(|(n, v)| format!("{n}={}", stat(*v))).collect::<Vec<_>>().join(", ")
}

pub(super) fn ports(p: &mut Printer<'_>, ports: &[PortStats]) {
    p.put(format_args!(" {} ports\n", ports.len()));
    for s in ports {
        let rx = [
            ("pkts", s.rx_packets),
            ("bytes", s.rx_bytes),
            ("drop", s.rx_dropped),
            ("errs", s.rx_errors),
            ("frame", s.rx_frame_err),
            ("over", s.rx_over_err),
            ("crc", s.rx_crc_err),
        ];
        let tx = [
            ("pkts", s.tx_packets),
            ("bytes", s.tx_bytes),
            ("drop", s.tx_dropped),
            ("errs", s.tx_errors),
            ("coll", s.collisions),
        ];
        p.put(format_args!("  port {:>2}: rx {}\n", p.port(s.port), list(&rx)));
        p.put(format_args!("           tx {}\n", list(&tx)));
        if s.duration_s != u32::MAX {
            p.put(format_args!("           duration={}\n", duration(s.duration_s, s.duration_ns)));
        }
        if let Some(counters) = &s.rfc2819 {
            rfc2819(p, counters);
        }
        if !s.custom.is_empty() {
            p.put("           CUSTOM Statistics\n");
            for line in s.custom.chunks(3) {
                let text: Vec<String> = line.iter().map(|(n, v)| format!("{n}={v},")).collect();
                p.put(format_args!("                      {}\n", text.join(" ")));
            }
        }
    }
}

const RFC2819: [&str; 21] = [
    "rx_1_to_64_packets",
    "rx_65_to_127_packets",
    "rx_128_to_255_packets",
    "rx_256_to_511_packets",
    "rx_512_to_1023_packets",
    "rx_1024_to_1522_packets",
    "rx_1523_to_max_packets",
    "tx_1_to_64_packets",
    "tx_65_to_127_packets",
    "tx_128_to_255_packets",
    "tx_256_to_511_packets",
    "tx_512_to_1023_packets",
    "tx_1024_to_1522_packets",
    "tx_1523_to_max_packets",
    "tx_multicast_packets",
    "rx_broadcast_packets",
    "tx_broadcast_packets",
    "rx_undersized_errors",
    "rx_oversize_errors",
    "rx_fragmented_errors",
    "rx_jabber_errors",
];

fn rfc2819(p: &mut Printer<'_>, c: &port::Rfc2819) {
    let mut c = *c;
    let known: Vec<String> = RFC2819
        .iter()
        .zip(c.counters())
        .filter(|(_, v)| **v != u64::MAX)
        .map(|(n, v)| format!("{n}={v},"))
        .collect();
    for line in known.chunks(3) {
        p.put(format_args!("           {}\n", line.join(" ")));
    }
}

pub(super) fn queue_request(p: &mut Printer<'_>, q: &QueueRequest) {
    let port = p.port(q.port);
    p.put(format_args!(" port={port} queue={}", queue_name(q.queue)));
}

fn queue_name(q: QueueId) -> String {
    if q == QueueId::ALL { "ALL".to_owned() } else { q.0.to_string() }
}

pub(super) fn queues(p: &mut Printer<'_>, queues: &[QueueStats]) {
    p.put(format_args!(" {} queues\n", queues.len()));
    for q in queues {
        let known = q.duration_s != u32::MAX;
        let lasted = if known { duration(q.duration_s, q.duration_ns) } else { "?".to_owned() };
        let counters = [("bytes", q.tx_bytes), ("pkts", q.tx_packets), ("errors", q.tx_errors)];
        p.put(format_args!("  port {} queue {}: ", p.port(q.port), queue_name(q.queue)));
        p.put(format_args!("{}, duration={lasted}\n", list(&counters)));
    }
}

fn queue(p: &mut Printer<'_>, q: &QueueDesc) {
    p.put(format_args!("queue {}:", q.queue.0));
    for (name, rate) in [("min_rate", q.min_rate), ("max_rate", q.max_rate)] {
        if let Some(rate) = rate {
            p.put(format_args!(" {name}:{}.{}%", rate / 10, rate % 10));
        }
    }
    p.put("\n");
}

pub(super) fn queue_config(p: &mut Printer<'_>, port: OfPort, queues: &[QueueDesc]) {
    p.put(format_args!(" port={}\n", p.port(port)));
    queues.iter().for_each(|q| queue(p, q));
}

pub(super) fn queue_descs(p: &mut Printer<'_>, queues: &[QueueDesc]) {
    p.put(" ");
    let mut last = None;
    let mut sorted: Vec<&QueueDesc> = queues.iter().collect();
    sorted.sort_by_key(|q| (q.port, q.queue));
    for q in sorted {
        if last != Some(q.port) {
            p.put(format_args!("port={}\n", p.port(q.port)));
            last = Some(q.port);
        }
        queue(p, q);
    }
}

fn ipfix(p: &mut Printer<'_>, s: &IpfixStats) {
    let first = [
        ("flows", s.total_flows),
        ("current flows", s.current_flows),
        ("sampled pkts", s.pkts),
        ("ipv4 ok", s.ipv4_pkts),
        ("ipv6 ok", s.ipv6_pkts),
        ("tx pkts", s.tx_pkts),
    ];
    let second = [
        ("pkts errs", s.error_pkts),
        ("ipv4 errs", s.ipv4_error_pkts),
        ("ipv6 errs", s.ipv6_error_pkts),
        ("tx errs", s.tx_errors),
    ];
    p.put(format_args!("{}\n{:22}{}\n", list(&first), "", list(&second)));
}

pub(super) fn ipfix_bridge(p: &mut Printer<'_>, s: &IpfixStats) {
    p.put("\n  bridge ipfix: ");
    ipfix(p, s);
}

pub(super) fn ipfix_flow(p: &mut Printer<'_>, stats: &[IpfixStats]) {
    p.put(format_args!(" {} ids\n", stats.len()));
    for s in stats {
        p.put(format_args!("  id {:>3}: ", s.collector_set_id));
        ipfix(p, s);
    }
}
