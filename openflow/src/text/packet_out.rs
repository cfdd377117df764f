//! A packet-out as ovs-ofctl takes it: `in_port=1,packet=hex,actions=...`.

use super::actions::Parser;
use super::{Parse, bad};
use crate::matching::{Field, Match};
use crate::msg::PacketOut;
use crate::types::OfPort;
use flow::field::PortNames;
use flow::matching::KeyValues;

/// Bytes from hex digits, which may have white space between them.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok()).collect()
}

/// Parses a packet-out.
pub fn parse(text: &str, ports: Option<&dyn PortNames>) -> Parse<PacketOut> {
    let at = text.find("actions=").ok_or_else(|| bad!("must specify actions"))?;
    let (head, actions) = (&text[..at], &text[at + 8..]);
    let mut out = PacketOut {
        packet: Vec::new(),
        buffer_id: None,
        in_port: OfPort::CONTROLLER,
        metadata: Match::default(),
        actions: Vec::new(),
    };
    let mut has_packet = false;
    for (key, value) in KeyValues::new(head) {
        match key {
            "packet" => {
                out.packet = hex(value).ok_or_else(|| bad!("packet data must be in hex"))?;
                has_packet = true;
            }
            "in_port" => {
                out.in_port = super::actions::port(value, ports)
                    .ok_or_else(|| bad!("{value} is not a valid OpenFlow port"))?;
            }
            _ => {
                if !out.metadata.parse_pair(key, value, ports).map_err(|e| bad!("{e}"))? {
                    return Err(bad!("unknown keyword {key}"));
                }
            }
        }
    }
    if !has_packet || out.packet.is_empty() {
        return Err(bad!("must specify packet"));
    }
    out.metadata.set_masked(Field::InPort, 0, 0);
    out.actions = super::actions::parse(actions, &mut Parser::new(ports))?;
    Ok(out)
}
