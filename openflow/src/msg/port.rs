//! Ports: description, status, modification, statistics.

use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader, property, put_property};

use crate::types::OfPort;

bitflags::bitflags! {
    /// Administrative settings (bits of OpenFlow 1.0; 1.1+ has some of them).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PortConfig: u32 {
        const PORT_DOWN = 1;
        const NO_STP = 2;
        const NO_RECV = 4;
        const NO_RECV_STP = 8;
        const NO_FLOOD = 16;
        const NO_FWD = 32;
        const NO_PACKET_IN = 64;
    }
}

bitflags::bitflags! {
    /// Observed state. The low bits are those of OpenFlow 1.1+; 1.0's spanning tree state is above.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PortState: u32 {
        const LINK_DOWN = 1;
        const BLOCKED = 2;
        const LIVE = 4;
        /// Two bits: listen, learn, forward, block.
        const STP_MASK = 3 << 8;
        const STP_LISTEN = 0;
        const STP_LEARN = 1 << 8;
        const STP_FORWARD = 2 << 8;
        const STP_BLOCK = 3 << 8;
    }
}

bitflags::bitflags! {
    /// Speeds and media (bits of OpenFlow 1.1+).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PortFeatures: u32 {
        const HD_10MB = 1;
        const FD_10MB = 1 << 1;
        const HD_100MB = 1 << 2;
        const FD_100MB = 1 << 3;
        const HD_1GB = 1 << 4;
        const FD_1GB = 1 << 5;
        const FD_10GB = 1 << 6;
        const FD_40GB = 1 << 7;
        const FD_100GB = 1 << 8;
        const FD_1TB = 1 << 9;
        const OTHER = 1 << 10;
        const COPPER = 1 << 11;
        const FIBER = 1 << 12;
        const AUTONEG = 1 << 13;
        const PAUSE = 1 << 14;
        const PAUSE_ASYM = 1 << 15;
    }
}

/// One port.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortDesc {
    pub port: OfPort,
    pub hw_addr: [u8; 6],
    /// At most 15 bytes go on the wire.
    pub name: String,
    pub config: PortConfig,
    pub state: PortState,
    pub curr: PortFeatures,
    pub advertised: PortFeatures,
    pub supported: PortFeatures,
    pub peer: PortFeatures,
    pub curr_speed_kbps: u32,
    pub max_speed_kbps: u32,
}

/// Why a port status is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PortStatusReason {
    Add = 0,
    Delete = 1,
    Modify = 2,
}

/// OFPT_PORT_STATUS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortStatus {
    pub reason: PortStatusReason,
    pub desc: PortDesc,
}

/// OFPT_PORT_MOD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortMod {
    pub port: OfPort,
    /// Must be the port's address; zero = not compared.
    pub hw_addr: [u8; 6],
    pub config: PortConfig,
    /// The bits of `config` to change.
    pub mask: PortConfig,
    pub advertise: PortFeatures,
}

/// Statistics of one port; `u64::MAX` = not supported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortStats {
    pub port: OfPort,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_frame_err: u64,
    pub rx_over_err: u64,
    pub rx_crc_err: u64,
    pub collisions: u64,
    /// `u32::MAX`: the version does not tell.
    pub duration_s: u32,
    pub duration_ns: u32,
    /// RFC 2819 counters (1.4+), in OVS's order; `None` when there are none.
    pub rfc2819: Option<Box<Rfc2819>>,
    /// Other counters (1.4+): name and value.
    pub custom: Vec<(String, u64)>,
}

/// Size histogram and error counters of an Ethernet interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rfc2819 {
    pub rx_1_to_64: u64,
    pub rx_65_to_127: u64,
    pub rx_128_to_255: u64,
    pub rx_256_to_511: u64,
    pub rx_512_to_1023: u64,
    pub rx_1024_to_1522: u64,
    pub rx_1523_to_max: u64,
    pub tx_1_to_64: u64,
    pub tx_65_to_127: u64,
    pub tx_128_to_255: u64,
    pub tx_256_to_511: u64,
    pub tx_512_to_1023: u64,
    pub tx_1024_to_1522: u64,
    pub tx_1523_to_max: u64,
    pub tx_multicast: u64,
    pub rx_broadcast: u64,
    pub tx_broadcast: u64,
    pub rx_undersized: u64,
    pub rx_oversize: u64,
    pub rx_fragmented: u64,
    pub rx_jabber: u64,
}

const NAME_LEN: usize = 16;
const PROP_ETHERNET: u16 = 0;
const PROP_EXPERIMENTER: u16 = 0xffff;
/// Experimenter id and types of OVS's port counters.
const INTEL_VENDOR: u32 = 0x0000_aa01;
const RFC2819: u32 = 1;
const CUSTOM: u32 = 2;
/// Custom counters of a port at most.
const CUSTOM_MAX: usize = 1024;

/// The bits of features that both numberings have at the same place.
const FEATURES_LOW: u32 = 0x7f;

impl PortFeatures {
    fn from_10(v: u32) -> Self {
        Self::from_bits_truncate(v & FEATURES_LOW | (v & 0xf80) << 4)
    }
    fn to_10(self) -> u32 {
        self.bits() & FEATURES_LOW | self.bits() >> 4 & 0xf80
    }
    fn from_wire(v: u32, version: Version) -> Self {
        if version == Version::V1_0 { Self::from_10(v) } else { Self::from_bits_truncate(v) }
    }
    fn wire(self, version: Version) -> u32 {
        if version == Version::V1_0 { self.to_10() } else { self.bits() }
    }

    /// The fastest of the speeds, 0 = none.
    pub fn speed_kbps(self) -> u32 {
        [
            (Self::FD_1TB, 1_000_000_000),
            (Self::FD_100GB, 100_000_000),
            (Self::FD_40GB, 40_000_000),
            (Self::FD_10GB, 10_000_000),
            (Self::FD_1GB | Self::HD_1GB, 1_000_000),
            (Self::FD_100MB | Self::HD_100MB, 100_000),
            (Self::FD_10MB | Self::HD_10MB, 10_000),
        ]
        .into_iter()
        .find(|(bits, _)| self.intersects(*bits))
        .map_or(0, |(_, speed)| speed)
    }
}

impl PortConfig {
    /// What OpenFlow 1.1+ has.
    pub const V11: Self = Self::PORT_DOWN.union(Self::NO_RECV).union(Self::NO_FWD).union(Self::NO_PACKET_IN);

    fn for_version(self, v: Version) -> Self {
        if v == Version::V1_0 { self } else { self & Self::V11 }
    }
}

impl PortState {
    fn for_version(self, v: Version) -> Self {
        let v11 = Self::LINK_DOWN | Self::BLOCKED | Self::LIVE;
        self & if v == Version::V1_0 { Self::LINK_DOWN | Self::STP_MASK } else { v11 }
    }
}

pub(crate) fn decode_desc(b: &mut Body<'_>) -> Decode<PortDesc> {
    let v = b.version;
    let port = b.port()?;
    let mut extra = None;
    if v >= Version::V1_4 {
        let len = usize::from(b.r.u16()?);
        extra = Some(len.checked_sub(40).ok_or(OfpError::OFPBRC_BAD_LEN)?);
        b.r.skip(2)?;
    } else if v >= Version::V1_1 {
        b.r.skip(4)?;
    }
    let hw_addr = b.r.array()?;
    if v >= Version::V1_1 {
        b.r.skip(2)?;
    }
    let mut p = PortDesc { port, hw_addr, name: b.r.text(NAME_LEN)?, ..PortDesc::default() };
    p.config = PortConfig::from_bits_truncate(b.r.u32()?).for_version(v);
    p.state = PortState::from_bits_truncate(b.r.u32()?).for_version(v);
    match extra {
        Some(len) => {
            let mut props = b.r.sub(len)?;
            while !props.is_empty() {
                match property(&mut props, 8)? {
                    (PROP_ETHERNET, mut body) => {
                        body.skip(4)?;
                        decode_ethernet(&mut body, &mut p, v)?;
                    }
                    _ => continue,
                }
            }
        }
        None => decode_ethernet(&mut b.r, &mut p, v)?,
    }
    Ok(p)
}

fn decode_ethernet(r: &mut Reader<'_>, p: &mut PortDesc, v: Version) -> Decode<()> {
    for slot in [&mut p.curr, &mut p.advertised, &mut p.supported, &mut p.peer] {
        *slot = PortFeatures::from_wire(r.u32()?, v);
    }
    if v == Version::V1_0 {
        p.curr_speed_kbps = p.curr.speed_kbps();
        p.max_speed_kbps = p.supported.speed_kbps();
    } else {
        p.curr_speed_kbps = r.u32()?;
        p.max_speed_kbps = r.u32()?;
    }
    Ok(())
}

pub(crate) fn put_desc(e: &mut Encoder, p: &PortDesc) {
    let v = e.version;
    e.port(p.port);
    if v >= Version::V1_4 {
        e.w.u16(72);
        e.w.zeros(2);
    } else if v >= Version::V1_1 {
        e.w.zeros(4);
    }
    e.w.bytes(&p.hw_addr);
    if v >= Version::V1_1 {
        e.w.zeros(2);
    }
    e.w.text(&p.name, NAME_LEN);
    e.w.u32(p.config.for_version(v).bits());
    e.w.u32(p.state.for_version(v).bits());
    let features = |w: &mut Vec<u8>| {
        for f in [p.curr, p.advertised, p.supported, p.peer] {
            w.u32(f.wire(v));
        }
        if v >= Version::V1_1 {
            w.u32(p.curr_speed_kbps);
            w.u32(p.max_speed_kbps);
        }
    };
    if v >= Version::V1_4 {
        put_property(&mut e.w, PROP_ETHERNET, 8, |w| {
            w.zeros(4);
            features(w);
        });
    } else {
        features(&mut e.w);
    }
}

pub(crate) fn decode_status(b: &mut Body<'_>) -> Decode<PortStatus> {
    let reason = match b.r.u8()? {
        0 => PortStatusReason::Add,
        1 => PortStatusReason::Delete,
        2 => PortStatusReason::Modify,
        _ => return Err(OfpError::NXBRC_BAD_REASON),
    };
    b.r.skip(7)?;
    let desc = decode_desc(b)?;
    b.r.finish()?;
    Ok(PortStatus { reason, desc })
}

pub(crate) fn encode_status(e: &mut Encoder, s: &PortStatus) {
    if e.begin(Kind::PortStatus) {
        e.w.u8(s.reason as u8);
        e.w.zeros(7);
        put_desc(e, &s.desc);
    }
}

pub(crate) fn decode_mod(b: &mut Body<'_>) -> Decode<PortMod> {
    let v = b.version;
    let port = b.port()?;
    if v >= Version::V1_1 {
        b.r.skip(4)?;
    }
    let hw_addr = b.r.array()?;
    if v >= Version::V1_1 {
        b.r.skip(2)?;
    }
    let config = PortConfig::from_bits_truncate(b.r.u32()?).for_version(v);
    let mask = PortConfig::from_bits_truncate(b.r.u32()?).for_version(v);
    let mut advertise = PortFeatures::empty();
    if v >= Version::V1_4 {
        while !b.r.is_empty() {
            match property(&mut b.r, 8)? {
                (PROP_ETHERNET, mut body) => advertise = PortFeatures::from_bits_truncate(body.u32()?),
                _ => return Err(OfpError::OFPBPC_BAD_TYPE),
            }
        }
    } else {
        advertise = PortFeatures::from_wire(b.r.u32()?, v);
        b.r.skip(4)?;
        b.r.finish()?;
    }
    Ok(PortMod { port, hw_addr, config: config & mask, mask, advertise })
}

pub(crate) fn encode_mod(e: &mut Encoder, p: &PortMod) {
    let v = e.version;
    if !e.begin(Kind::PortMod) {
        return;
    }
    e.port(p.port);
    e.w.zeros(if v >= Version::V1_1 { 4 } else { 0 });
    e.w.bytes(&p.hw_addr);
    e.w.zeros(if v >= Version::V1_1 { 2 } else { 0 });
    e.w.u32(p.config.for_version(v).bits());
    e.w.u32(p.mask.for_version(v).bits());
    if v >= Version::V1_4 {
        if !p.advertise.is_empty() {
            put_property(&mut e.w, PROP_ETHERNET, 8, |w| w.u32(p.advertise.bits()));
        }
    } else {
        e.w.u32(p.advertise.wire(v));
        e.w.zeros(4);
    }
}

pub(crate) fn decode_request(b: &mut Body<'_>) -> Decode<OfPort> {
    let port = b.port()?;
    b.r.skip(if b.is_10() { 6 } else { 4 })?;
    b.r.finish()?;
    Ok(port)
}

pub(crate) fn encode_request(e: &mut Encoder, kind: Kind, port: OfPort) {
    if e.begin(kind) {
        e.port(port);
        e.w.zeros(if e.is_10() { 6 } else { 4 });
    }
}

/// Before OpenFlow 1.5 all ports are asked for.
pub(crate) fn decode_desc_request(b: &mut Body<'_>) -> Decode<OfPort> {
    if b.version < Version::V1_5 {
        return b.r.finish().map(|()| OfPort::ANY);
    }
    decode_request(b)
}

pub(crate) fn encode_desc_request(e: &mut Encoder, port: OfPort) {
    if e.version < Version::V1_5 {
        e.begin(Kind::PortDescRequest);
    } else {
        encode_request(e, Kind::PortDescRequest, port);
    }
}

pub(crate) fn encode_desc_reply(e: &mut Encoder, ports: &[PortDesc]) {
    if e.begin(Kind::PortDescReply) {
        e.entries(ports, put_desc);
    }
}

impl PortStats {
    /// Nothing supported.
    pub fn unknown(port: OfPort) -> Self {
        const NONE: u64 = u64::MAX;
        PortStats {
            port,
            rx_packets: NONE,
            tx_packets: NONE,
            rx_bytes: NONE,
            tx_bytes: NONE,
            rx_dropped: NONE,
            tx_dropped: NONE,
            rx_errors: NONE,
            tx_errors: NONE,
            rx_frame_err: NONE,
            rx_over_err: NONE,
            rx_crc_err: NONE,
            collisions: NONE,
            duration_s: u32::MAX,
            duration_ns: u32::MAX,
            rfc2819: None,
            custom: Vec::new(),
        }
    }

    fn basic(&mut self) -> [&mut u64; 8] {
        [
            &mut self.rx_packets,
            &mut self.tx_packets,
            &mut self.rx_bytes,
            &mut self.tx_bytes,
            &mut self.rx_dropped,
            &mut self.tx_dropped,
            &mut self.rx_errors,
            &mut self.tx_errors,
        ]
    }

    fn ethernet(&mut self) -> [&mut u64; 4] {
        [&mut self.rx_frame_err, &mut self.rx_over_err, &mut self.rx_crc_err, &mut self.collisions]
    }
}

impl Rfc2819 {
    /// The counters in wire order.
    pub fn counters(&mut self) -> [&mut u64; 21] {
        [
            &mut self.rx_1_to_64,
            &mut self.rx_65_to_127,
            &mut self.rx_128_to_255,
            &mut self.rx_256_to_511,
            &mut self.rx_512_to_1023,
            &mut self.rx_1024_to_1522,
            &mut self.rx_1523_to_max,
            &mut self.tx_1_to_64,
            &mut self.tx_65_to_127,
            &mut self.tx_128_to_255,
            &mut self.tx_256_to_511,
            &mut self.tx_512_to_1023,
            &mut self.tx_1024_to_1522,
            &mut self.tx_1523_to_max,
            &mut self.tx_multicast,
            &mut self.rx_broadcast,
            &mut self.tx_broadcast,
            &mut self.rx_undersized,
            &mut self.rx_oversize,
            &mut self.rx_fragmented,
            &mut self.rx_jabber,
        ]
    }
}

pub(crate) fn decode_stats(b: &mut Body<'_>) -> Decode<PortStats> {
    if b.version >= Version::V1_4 {
        return decode_stats_14(b);
    }
    let port = b.port()?;
    b.r.skip(if b.is_10() { 6 } else { 4 })?;
    let mut s = PortStats::unknown(port);
    for slot in s.basic() {
        *slot = b.r.u64()?;
    }
    for slot in s.ethernet() {
        *slot = b.r.u64()?;
    }
    if b.version >= Version::V1_3 {
        s.duration_s = b.r.u32()?;
        s.duration_ns = b.r.u32()?;
    }
    Ok(s)
}

fn decode_stats_14(b: &mut Body<'_>) -> Decode<PortStats> {
    let len = usize::from(b.r.u16()?);
    let mut r = b.r.sub(len.checked_sub(2).ok_or(OfpError::OFPBRC_BAD_LEN)?)?;
    r.skip(2)?;
    let mut s = PortStats::unknown(crate::action::port_11(r.u32()?)?);
    s.duration_s = r.u32()?;
    s.duration_ns = r.u32()?;
    for slot in s.basic() {
        *slot = r.u64()?;
    }
    while !r.is_empty() {
        match property(&mut r, 8)? {
            (PROP_ETHERNET, mut body) => {
                body.skip(4)?;
                for slot in s.ethernet() {
                    *slot = body.u64()?;
                }
            }
            (PROP_EXPERIMENTER, mut body) => decode_experimenter(&mut body, &mut s)?,
            _ => {}
        }
    }
    Ok(s)
}

/// Counters of another vendor are skipped.
fn decode_experimenter(r: &mut Reader<'_>, s: &mut PortStats) -> Decode<()> {
    if r.u32()? != INTEL_VENDOR {
        return Ok(());
    }
    match r.u32()? {
        RFC2819 => {
            r.skip(4)?;
            let mut counters = Rfc2819::default();
            for slot in counters.counters() {
                *slot = r.u64()?;
            }
            s.rfc2819 = Some(Box::new(counters));
        }
        CUSTOM => {
            r.skip(2)?;
            let n = usize::from(r.u16()?).min(CUSTOM_MAX);
            for _ in 0..n {
                let len = usize::from(r.u8()?);
                let name = r.text(len)?;
                s.custom.push((name, r.u64()?));
            }
        }
        _ => {}
    }
    Ok(())
}

pub(crate) fn encode_stats(e: &mut Encoder, ports: &[PortStats]) {
    if e.begin(Kind::PortReply) {
        e.entries(ports, |e, s| put_stats(e, &mut s.clone()));
    }
}

fn put_stats(e: &mut Encoder, s: &mut PortStats) {
    let start = e.w.len();
    let v14 = e.version >= Version::V1_4;
    if v14 {
        e.w.zeros(4);
        e.port(s.port);
        e.w.u32(s.duration_s);
        e.w.u32(s.duration_ns);
    } else {
        e.port(s.port);
        e.w.zeros(if e.is_10() { 6 } else { 4 });
    }
    for v in s.basic() {
        e.w.u64(*v);
    }
    if !v14 {
        for v in s.ethernet() {
            e.w.u64(*v);
        }
        if e.version >= Version::V1_3 {
            e.w.u32(s.duration_s);
            e.w.u32(s.duration_ns);
        }
        return;
    }
    put_property(&mut e.w, PROP_ETHERNET, 8, |w| {
        w.zeros(4);
        for v in s.ethernet() {
            w.u64(*v);
        }
    });
    if let Some(counters) = &mut s.rfc2819 {
        put_property(&mut e.w, PROP_EXPERIMENTER, 8, |w| {
            w.u32(INTEL_VENDOR);
            w.u32(RFC2819);
            w.zeros(4);
            for v in counters.counters() {
                w.u64(*v);
            }
        });
    }
    if !s.custom.is_empty() {
        put_property(&mut e.w, PROP_EXPERIMENTER, 8, |w| {
            w.u32(INTEL_VENDOR);
            w.u32(CUSTOM);
            w.zeros(2);
            w.u16(s.custom.len().min(CUSTOM_MAX) as u16);
            for (name, v) in s.custom.iter().take(CUSTOM_MAX) {
                let name = name.as_bytes().get(..name.len().min(63)).unwrap_or_default();
                w.u8(name.len() as u8);
                w.bytes(name);
                w.u64(*v);
            }
        });
    }
    let len = e.w.len() - start;
    e.w.patch_u16(start, len as u16);
}
