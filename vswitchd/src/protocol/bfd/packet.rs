//! BFD control packets (RFC 5880 section 4.1) and their way over Ethernet, IPv4 and UDP (RFC 5881).

use flow::checksum::checksum;

use super::super::frame::{self, Reader};
use super::{Diagnostic, State};

pub const PORT: u16 = 3784;
const SOURCE_PORT: u16 = 49152;
const VERSION: u8 = 1;
const LEN: u8 = 24;
const TTL: u8 = 255;
/// Internetwork control.
const TOS: u8 = 0xc0;
const UDP_LEN: usize = 8;
const IPV4_LEN: usize = 20;

pub mod flag {
    pub const MULTIPOINT: u8 = 1 << 0;
    pub const DEMAND: u8 = 1 << 1;
    pub const AUTHENTICATION: u8 = 1 << 2;
    pub const CONTROL_PLANE: u8 = 1 << 3;
    pub const FINAL: u8 = 1 << 4;
    pub const POLL: u8 = 1 << 5;
}

/// Where packets go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// `None`: the interface's own.
    pub src_mac: Option<[u8; 6]>,
    pub dst_mac: [u8; 6],
    pub src_ip: [u8; 4],
    pub dst_ip: [u8; 4],
}

impl Default for Addresses {
    fn default() -> Self {
        Addresses {
            src_mac: None,
            dst_mac: [0x00, 0x23, 0x20, 0, 0, 1],
            src_ip: [169, 254, 1, 1],
            dst_ip: [169, 254, 1, 0],
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    pub diagnostic: Diagnostic,
    pub state: State,
    pub flags: u8,
    pub mult: u8,
    pub my_discriminator: u32,
    pub your_discriminator: u32,
    pub min_tx_ms: i64,
    pub min_rx_ms: i64,
}

impl Packet {
    pub fn emit(&self) -> Vec<u8> {
        let state = match self.state {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3,
        };
        let mut out = vec![VERSION << 5 | self.diagnostic.code(), state << 6 | self.flags, self.mult, LEN];
        out.extend(self.my_discriminator.to_be_bytes());
        out.extend(self.your_discriminator.to_be_bytes());
        for ms in [self.min_tx_ms, self.min_rx_ms, 0] {
            out.extend(u32::try_from(ms * 1000).unwrap_or(u32::MAX).to_be_bytes());
        }
        out
    }

    pub fn parse(payload: &[u8]) -> Option<Packet> {
        let mut r = Reader(payload);
        let (first, second, mult, len) = (r.u8()?, r.u8()?, r.u8()?, r.u8()?);
        if first >> 5 != VERSION || len < LEN || usize::from(len) > payload.len() {
            return None;
        }
        let state = match second >> 6 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        };
        Some(Packet {
            diagnostic: Diagnostic::from_code(first & 0x1f),
            state,
            flags: second & 0x3f,
            mult,
            my_discriminator: r.u32()?,
            your_discriminator: r.u32()?,
            min_tx_ms: i64::from(r.u32()? / 1000),
            min_rx_ms: i64::from(r.u32()? / 1000),
        })
    }
}

/// The whole frame of a control packet.
pub fn frame(a: &Addresses, own_mac: [u8; 6], control: &[u8]) -> Vec<u8> {
    let udp_len = (UDP_LEN + control.len()) as u16;
    let total = IPV4_LEN as u16 + udp_len;
    let mut ip = vec![0x45, TOS];
    ip.extend(total.to_be_bytes());
    ip.extend([0, 0, 0, 0, TTL, flow::proto::ip::UDP, 0, 0]);
    ip.extend(a.src_ip);
    ip.extend(a.dst_ip);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    for word in [SOURCE_PORT, PORT, udp_len, 0] {
        ip.extend(word.to_be_bytes());
    }
    ip.extend_from_slice(control);
    frame::ethernet(a.dst_mac, a.src_mac.unwrap_or(own_mac), flow::proto::eth::IP, &ip)
}

/// The control packet in what follows the Ethernet header; `None` unless it came one hop (RFC 5881 section 5).
pub fn control(ip: &[u8]) -> Option<&[u8]> {
    let header_len = usize::from(ip.first()? & 0xf) * 4;
    let ttl = *ip.get(8)?;
    let udp = ip.get(header_len.max(IPV4_LEN)..)?;
    let udp_len = usize::from(u16::from_be_bytes(*udp.get(4..)?.first_chunk()?));
    if ttl != TTL || udp_len < UDP_LEN {
        return None;
    }
    udp.get(UDP_LEN..udp_len.min(udp.len()))
}
