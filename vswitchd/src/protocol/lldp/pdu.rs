//! LLDP data units (802.1AB clause 8): a list of type, length, value.

use super::super::frame::Reader;
use super::Config;

const END: u8 = 0;
const CHASSIS_ID: u8 = 1;
const PORT_ID: u8 = 2;
const TTL: u8 = 3;
const PORT_DESCRIPTION: u8 = 4;
const SYSTEM_NAME: u8 = 5;
const SYSTEM_DESCRIPTION: u8 = 6;
const CAPABILITIES: u8 = 7;
const MANAGEMENT_ADDRESS: u8 = 8;
const CHASSIS_IS_MAC: u8 = 4;
const PORT_IS_NAME: u8 = 5;
const CAPABILITY_BRIDGE: u16 = 1 << 2;
const VALUE_LEN_MAX: usize = 511;
/// Elements of one unit.
const TLVS_MAX: usize = 128;

/// Who is at the other end; ids with their subtype in front.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Neighbor {
    pub chassis: Vec<u8>,
    pub port: Vec<u8>,
    pub system_name: String,
    pub system_description: String,
}

fn push(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let value = &value[..value.len().min(VALUE_LEN_MAX)];
    out.extend((u16::from(kind) << 9 | value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}

pub fn emit(config: &Config, ttl_s: u16) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, CHASSIS_ID, &[&[CHASSIS_IS_MAC][..], &config.chassis_mac].concat());
    push(&mut out, PORT_ID, &[&[PORT_IS_NAME][..], config.port_name.as_bytes()].concat());
    push(&mut out, TTL, &ttl_s.to_be_bytes());
    for (kind, text) in [(SYSTEM_NAME, &config.system_name), (SYSTEM_DESCRIPTION, &config.system_description)]
    {
        if !text.is_empty() {
            push(&mut out, kind, text.as_bytes());
        }
    }
    let [a, b] = CAPABILITY_BRIDGE.to_be_bytes();
    push(&mut out, CAPABILITIES, &[a, b, a, b]);
    push(&mut out, END, &[]);
    out
}

/// The neighbour, how long it stands in seconds, and how many elements are not known. `None` unless the three that must
/// come first do (9.2.7).
pub fn parse(payload: &[u8]) -> Option<(Neighbor, u16, u64)> {
    let mut r = Reader(payload);
    let mut neighbor = Neighbor::default();
    let (mut ttl_s, mut n_unknown) = (0, 0);
    for n in 0..TLVS_MAX {
        let head = r.u16()?;
        let value = r.bytes(usize::from(head & 0x1ff))?;
        let text = || String::from_utf8_lossy(value).into_owned();
        let kind = (head >> 9) as u8;
        let is_due = match n {
            0 => kind == CHASSIS_ID && value.len() > 1,
            1 => kind == PORT_ID && value.len() > 1,
            2 => kind == TTL && value.len() >= 2,
            _ => !matches!(kind, CHASSIS_ID | PORT_ID | TTL),
        };
        if !is_due {
            return None;
        }
        match kind {
            END => return Some((neighbor, ttl_s, n_unknown)),
            CHASSIS_ID => neighbor.chassis = value.to_vec(),
            PORT_ID => neighbor.port = value.to_vec(),
            TTL => ttl_s = u16::from_be_bytes(*value.first_chunk()?),
            SYSTEM_NAME => neighbor.system_name = text(),
            SYSTEM_DESCRIPTION => neighbor.system_description = text(),
            PORT_DESCRIPTION | CAPABILITIES | MANAGEMENT_ADDRESS => {}
            _ => n_unknown += 1,
        }
    }
    None
}
