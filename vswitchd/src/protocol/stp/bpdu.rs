//! Bridge protocol data units of STP (802.1D-1998 clause 9), behind the LLC header 42 42 03. Times are in 256ths of a second.

use super::super::frame::Reader;
use super::BridgeId;

pub const CONFIG_LEN: usize = 35;
const TYPE_CONFIG: u8 = 0;
pub const TYPE_RST: u8 = 2;
const TYPE_TCN: u8 = 0x80;
pub const FLAG_TOPOLOGY_CHANGE: u8 = 0x01;
pub const FLAG_TOPOLOGY_CHANGE_ACK: u8 = 0x80;

/// A priority vector: smaller is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Priority {
    pub root: BridgeId,
    pub cost: u32,
    pub bridge: BridgeId,
    pub port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    pub topology_change: bool,
    pub topology_change_ack: bool,
    pub priority: Priority,
    pub message_age_ms: i64,
    pub max_age_ms: i64,
    pub hello_ms: i64,
    pub forward_delay_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bpdu {
    Config(Config),
    Tcn,
}

pub fn to_wire(ms: i64) -> [u8; 2] {
    u16::try_from(ms * 256 / 1000).unwrap_or(u16::MAX).to_be_bytes()
}

pub fn from_wire(time: u16) -> i64 {
    i64::from(time) * 1000 / 256
}

pub fn tcn() -> Vec<u8> {
    vec![0, 0, 0, TYPE_TCN]
}

pub fn config(c: &Config) -> Vec<u8> {
    let mut flags = 0;
    if c.topology_change {
        flags |= FLAG_TOPOLOGY_CHANGE;
    }
    if c.topology_change_ack {
        flags |= FLAG_TOPOLOGY_CHANGE_ACK;
    }
    let mut out = vec![0, 0, 0, TYPE_CONFIG, flags];
    emit_body(c, &mut out);
    out
}

/// From the root id to the forward delay; RSTP has the same.
pub fn emit_body(c: &Config, out: &mut Vec<u8>) {
    out.extend(c.priority.root.0.to_be_bytes());
    out.extend(c.priority.cost.to_be_bytes());
    out.extend(c.priority.bridge.0.to_be_bytes());
    out.extend(c.priority.port.to_be_bytes());
    for ms in [c.message_age_ms, c.max_age_ms, c.hello_ms, c.forward_delay_ms] {
        out.extend(to_wire(ms));
    }
}

/// Protocol id, version and type, then flags and body when there are some.
pub fn parse_head(r: &mut Reader<'_>) -> Option<(u8, u8)> {
    if r.u16()? != 0 {
        return None;
    }
    Some((r.u8()?, r.u8()?))
}

pub fn parse_body(r: &mut Reader<'_>) -> Option<(u8, Config)> {
    let flags = r.u8()?;
    let priority =
        Priority { root: BridgeId(r.u64()?), cost: r.u32()?, bridge: BridgeId(r.u64()?), port: r.u16()? };
    let config = Config {
        topology_change: flags & FLAG_TOPOLOGY_CHANGE != 0,
        topology_change_ack: flags & FLAG_TOPOLOGY_CHANGE_ACK != 0,
        priority,
        message_age_ms: from_wire(r.u16()?),
        max_age_ms: from_wire(r.u16()?),
        hello_ms: from_wire(r.u16()?),
        forward_delay_ms: from_wire(r.u16()?),
    };
    Some((flags, config))
}

impl Bpdu {
    /// `None` for what this protocol does not know, RSTP's units among it: that makes RSTP bridges speak STP to us.
    pub fn parse(payload: &[u8]) -> Option<Bpdu> {
        let mut r = Reader(payload);
        match parse_head(&mut r)? {
            (_, TYPE_CONFIG) => parse_body(&mut r).map(|(_, c)| Bpdu::Config(c)),
            (_, TYPE_TCN) => Some(Bpdu::Tcn),
            _ => None,
        }
    }
}
