//! Commands on packets: compose-packet, parse-packet, parse-pcap, ofp-parse-pcap.

use std::collections::BTreeMap;
use std::io::Read;

use daemon::program::fatal;
use flow::Match;
use flow::packet::compose;
use flow::parse::{Meta, parse_whole};
use flow::proto::{eth, ip};
use openflow::print::packet;
use openflow::raw::Header;

use super::options::Options;

/// Bytes of payload that a composed packet has when none is given.
const PAYLOAD_LEN: u8 = 64;

fn payload(text: Option<&String>) -> Vec<u8> {
    match text {
        Some(text) => openflow::text::packet_out::hex(text)
            .unwrap_or_else(|| fatal(format!("{text}: not valid hexadecimal L7"))),
        None => (0..PAYLOAD_LEN).collect(),
    }
}

/// compose-packet FLOW [PAYLOAD].
pub fn compose_packet(text: &str, l7: Option<&String>) {
    let m = Match::parse(text, None).unwrap_or_else(|e| fatal(e));
    let bytes = compose(&m.flow, &payload(l7));
    // With a second argument OVS gives bare digits.
    print!("{}", packet::hex(&bytes));
}

fn flow_text(bytes: &[u8]) -> String {
    let (flow, _) = parse_whole(bytes, &Meta::received(bytes.len(), 0));
    Match::of_packet(&flow).format(32768, None)
}

/// parse-packet: one packet's bytes on standard input.
pub fn parse_packet() {
    let mut bytes = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut bytes);
    println!("{}", flow_text(&bytes));
}

/// parse-pcap FILE...
pub fn parse_pcap(files: &[String]) {
    for file in files {
        for bytes in capture(file) {
            println!("{}", flow_text(&bytes));
        }
    }
}

/// ofp-parse-pcap FILE [PORT...]: the OpenFlow messages in TCP connections.
pub fn ofp_parse_pcap(o: &Options, file: &str, ports: &[String]) {
    let ports: Vec<u16> = match ports {
        [] => vec![6633, 6653],
        given => given.iter().filter_map(|p| p.parse().ok()).collect(),
    };
    let mut streams: BTreeMap<Connection, Stream> = BTreeMap::new();
    for bytes in capture(file) {
        let (flow, parsed) = parse_whole(&bytes, &Meta::received(bytes.len(), 0));
        let is_tcp = matches!(flow.dl_type.get(), eth::IP | eth::IPV6) && flow.nw_proto == ip::TCP;
        let (src, dst) = (flow.tp_src.get(), flow.tp_dst.get());
        if !is_tcp || !(ports.contains(&src) || ports.contains(&dst)) {
            continue;
        }
        let end = bytes.len() - usize::from(parsed.l2_pad);
        let Some(segment) = bytes.get(usize::from(parsed.l4_ofs)..end).filter(|s| s.len() >= 20) else {
            continue;
        };
        let data = segment.get(usize::from(segment[12] >> 4) * 4..).unwrap_or_default();
        let seq = u32::from_be_bytes([segment[4], segment[5], segment[6], segment[7]]);
        let (from, to) = ends(&flow);
        let stream = streams.entry((from, src, to, dst)).or_default();
        stream.add(seq, data);
        while let Some(message) = stream.take() {
            let options = openflow::print::Options { verbosity: o.verbosity + 1, ports: None };
            println!("{from}.{src} > {to}.{dst}:");
            print!("{}", openflow::print::message(&message, options));
        }
    }
}

type Connection = (std::net::IpAddr, u16, std::net::IpAddr, u16);

fn ends(flow: &flow::Flow) -> (std::net::IpAddr, std::net::IpAddr) {
    if flow.dl_type.get() == eth::IP {
        let ip = |a: u32| std::net::Ipv4Addr::from(a).into();
        return (ip(flow.nw_src.get()), ip(flow.nw_dst.get()));
    }
    (flow.ipv6_src.into(), flow.ipv6_dst.into())
}

/// One direction of a connection.
#[derive(Default)]
struct Stream {
    next: Option<u32>,
    bytes: Vec<u8>,
}

impl Stream {
    /// Segments in order; one that was lost starts anew.
    fn add(&mut self, seq: u32, data: &[u8]) {
        if self.next != Some(seq) && !data.is_empty() {
            if self.next.is_some_and(|n| n.wrapping_sub(seq) < u32::MAX / 2) {
                return;
            }
            self.bytes.clear();
        }
        if !data.is_empty() {
            self.bytes.extend_from_slice(data);
            self.next = Some(seq.wrapping_add(data.len() as u32));
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let size = usize::from(Header::parse(&self.bytes)?.size);
        if size < 8 || size > self.bytes.len() {
            return None;
        }
        Some(self.bytes.drain(..size).collect())
    }
}

/// The packets of a classic capture file of Ethernet, in either byte order.
fn capture(file: &str) -> Vec<Vec<u8>> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) => {
            let text = transport::strerror(&e);
            tracing::warn!(target: "pcap", "{file}: failed to open pcap file for reading ({text})");
            fatal(format!("{file}: open failed ({text})"));
        }
    };
    let big = match bytes.get(..4) {
        Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1]) => false,
        Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d]) => true,
        _ => fatal(format!("{file}: bad pcap file")),
    };
    let word = |at: usize| {
        let b: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) } as usize)
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while let Some(len) = word(at + 8) {
        let Some(packet) = bytes.get(at + 16..).and_then(|rest| rest.get(..len)) else { break };
        packets.push(packet.to_vec());
        at += 16 + len;
    }
    packets
}
