//! A packet inside a message: its fields on one line, and with enough verbosity its bytes.

use std::fmt::Write as _;

use flow::Match;
use flow::parse::{Malformed, Meta, NO_OFFSET, parse_whole};
use flow::proto::{eth, ip};

/// Offset of the checksum and length of the header, by protocol; its name.
const CHECKSUMS: &[(u16, u8, &str, usize, usize)] = &[
    (eth::IP, ip::TCP, "tcp_csum", 16, 20),
    (eth::IPV6, ip::TCP, "tcp_csum", 16, 20),
    (eth::IP, ip::UDP, "udp_csum", 6, 8),
    (eth::IPV6, ip::UDP, "udp_csum", 6, 8),
    (eth::IP, ip::ICMP, "icmp_csum", 2, 8),
    (eth::IPV6, ip::ICMPV6, "icmp6_csum", 2, 4),
];
/// SCTP's is four bytes.
const SCTP: (&str, usize, usize) = ("sctp_csum", 8, 12);

/// The packet's fields and its transport checksum.
pub fn packet(bytes: &[u8]) -> String {
    let (flow, parsed) = parse_whole(bytes, &Meta::received(bytes.len(), 0));
    let mut out = Match::of_packet(&flow).format(32768, None);
    let l4 = match parsed.l4_ofs {
        NO_OFFSET => &[][..],
        at => bytes.get(usize::from(at)..bytes.len() - usize::from(parsed.l2_pad)).unwrap_or_default(),
    };
    if parsed.malformed == Malformed::No || !l4.is_empty() {
        let (dl_type, proto) = (flow.dl_type.get(), flow.nw_proto);
        for (ty, p, name, at, len) in CHECKSUMS {
            if (*ty, *p) == (dl_type, proto) && l4.len() >= *len {
                let sum = u16::from_be_bytes([l4[*at], l4[at + 1]]);
                let _ = write!(out, " {name}:{sum:x}");
            }
        }
        let (name, at, len) = SCTP;
        if matches!(dl_type, eth::IP | eth::IPV6) && proto == ip::SCTP && l4.len() >= len {
            let sum = u32::from_be_bytes([l4[at], l4[at + 1], l4[at + 2], l4[at + 3]]);
            let _ = write!(out, " {name}:{sum:x}");
        }
    }
    out.push('\n');
    out
}

/// 16 bytes a line: offset and hex, without text.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (n, line) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "{:08x} ", n * 16);
        for (i, b) in line.iter().enumerate() {
            let _ = write!(out, "{}{b:02x}", if i == 8 { '-' } else { ' ' });
        }
        out.push('\n');
    }
    out
}
