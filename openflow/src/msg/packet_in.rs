//! Packet-in in its three formats, and NXT_RESUME, which has the form of the third.

use super::packet_out::NO_BUFFER;
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::matching::Field;
use crate::matching::oxm::{self, Strictness};
use crate::raw::Kind;
use crate::types::{OfPort, Version};
use crate::wire::{Decode, Put, Reader, property, put_property};

use crate::matching::Match;
use crate::types::{Cookie, TableId};

/// Which message carries packets to a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum PacketInFormat {
    /// OFPT_PACKET_IN.
    #[default]
    Standard = 0,
    /// NXT_PACKET_IN.
    Nxt = 1,
    /// NXT_PACKET_IN2.
    Nxt2 = 2,
}

/// Why a packet goes to the controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PacketInReason {
    NoMatch = 0,
    Action = 1,
    InvalidTtl = 2,
    ActionSet = 3,
    Group = 4,
    PacketOut = 5,
    /// Table-miss told apart from other actions inside the switch; written as `NoMatch` (1.3+).
    ExplicitMiss = 6,
    /// Written as `NoMatch`.
    ImplicitMiss = 7,
}

/// A packet on its way to a controller (or back, in NXT_RESUME).
#[derive(Clone, PartialEq, Debug)]
pub struct PacketIn {
    pub format: PacketInFormat,
    /// The bytes sent, maybe fewer than the packet has.
    pub packet: Vec<u8>,
    /// Length of the whole packet.
    pub total_len: usize,
    pub buffer_id: Option<u32>,
    pub table: TableId,
    /// `None`: not told.
    pub cookie: Option<Cookie>,
    pub reason: PacketInReason,
    /// in_port, tunnel, metadata, registers; only these.
    pub metadata: Match,
    pub userdata: Vec<u8>,
    /// NXT_PACKET_IN2: what NXT_RESUME must bring back, opaque to controllers.
    pub continuation: Option<Vec<u8>>,
}

impl PacketInReason {
    /// The reason written as `v` (OpenFlow 1.4+ numbering).
    pub fn from_wire(v: u8) -> Option<Self> {
        use PacketInReason::*;
        [NoMatch, Action, InvalidTtl, ActionSet, Group, PacketOut].get(usize::from(v)).copied()
    }

    /// How `version` writes the reason; older versions fold the newer ones.
    pub fn wire(self, version: crate::types::Version) -> u8 {
        use PacketInReason::*;
        match self {
            ExplicitMiss | ImplicitMiss => NoMatch as u8,
            ActionSet | Group | PacketOut if version < crate::types::Version::V1_4 => Action as u8,
            other => other as u8,
        }
    }
}

impl Default for PacketIn {
    fn default() -> Self {
        PacketIn {
            format: PacketInFormat::Standard,
            packet: Vec::new(),
            total_len: 0,
            buffer_id: None,
            table: TableId(0),
            cookie: None,
            reason: PacketInReason::NoMatch,
            metadata: Match::default(),
            userdata: Vec::new(),
            continuation: None,
        }
    }
}

fn reason(v: u8) -> Decode<PacketInReason> {
    PacketInReason::from_wire(v).ok_or(OfpError::NXBRC_BAD_REASON)
}

fn buffer(v: u32) -> Option<u32> {
    (v != NO_BUFFER).then_some(v)
}

/// OFPT_PACKET_IN of each version, and NXT_PACKET_IN.
pub(crate) fn decode(b: &mut Body<'_>) -> Decode<PacketIn> {
    let mut p = PacketIn { buffer_id: buffer(b.r.u32()?), ..PacketIn::default() };
    if b.is_nx() {
        p.format = PacketInFormat::Nxt;
        p.total_len = b.r.u16()?.into();
        p.reason = reason(b.r.u8()?)?;
        p.table = TableId(b.r.u8()?);
        p.cookie = Some(Cookie(b.r.u64()?));
        let match_len = usize::from(b.r.u16()?);
        b.r.skip(6)?;
        let entries = b.r.bytes(match_len.next_multiple_of(8))?;
        p.metadata = oxm::decode(&entries[..match_len], Strictness::Loose)?.matching;
        b.r.skip(2)?;
    } else if b.is_10() {
        p.total_len = b.r.u16()?.into();
        p.metadata.set(Field::InPort, b.r.u16()?.into());
        p.reason = reason(b.r.u8()?)?;
        b.r.skip(1)?;
    } else if b.version == Version::V1_1 {
        p.metadata.set(Field::InPortOxm, b.port()?.0.into());
        b.r.skip(4)?;
        p.total_len = b.r.u16()?.into();
        p.reason = reason(b.r.u8()?)?;
        p.table = TableId(b.r.u8()?);
    } else {
        p.total_len = b.r.u16()?.into();
        p.reason = reason(b.r.u8()?)?;
        p.table = TableId(b.r.u8()?);
        if b.version >= Version::V1_3 {
            p.cookie = Some(Cookie(b.r.u64()?));
        }
        p.metadata = oxm::pull_match(&mut b.r, Strictness::Loose)?;
        b.r.skip(2)?;
    }
    p.packet = b.r.rest().to_vec();
    Ok(p)
}

const PACKET: u16 = 0;
const FULL_LEN: u16 = 1;
const BUFFER_ID: u16 = 2;
const TABLE_ID: u16 = 3;
const COOKIE: u16 = 4;
const REASON: u16 = 5;
const METADATA: u16 = 6;
const USERDATA: u16 = 7;
const CONTINUATION: u16 = 8;

/// NXT_PACKET_IN2 and NXT_RESUME.
pub(crate) fn decode2(b: &mut Body<'_>, resume: bool) -> Decode<PacketIn> {
    let mut p = PacketIn { format: PacketInFormat::Nxt2, ..PacketIn::default() };
    let mut full_len = None;
    let mut has_packet = false;
    while !b.r.is_empty() {
        let (kind, mut body) = property(&mut b.r, 8)?;
        match kind {
            PACKET => {
                p.packet = body.rest().to_vec();
                has_packet = true;
            }
            FULL_LEN => full_len = Some(body.u32()? as usize),
            BUFFER_ID => p.buffer_id = buffer(body.u32()?),
            TABLE_ID => p.table = TableId(body.u8()?),
            COOKIE => p.cookie = Some(Cookie(body.u64()?)),
            REASON => p.reason = reason(body.u8()?)?,
            METADATA => p.metadata = metadata(&mut body)?,
            USERDATA => p.userdata = body.rest().to_vec(),
            CONTINUATION => p.continuation = Some(body.rest().to_vec()),
            _ if resume => return Err(OfpError::OFPBPC_BAD_TYPE),
            _ => {}
        }
    }
    if !has_packet {
        return Err(OfpError::OFPBRC_BAD_LEN);
    }
    p.total_len = full_len.unwrap_or(p.packet.len());
    if p.total_len < p.packet.len() {
        return Err(OfpError::OFPBRC_BAD_LEN);
    }
    Ok(p)
}

fn metadata(r: &mut Reader<'_>) -> Decode<Match> {
    Ok(oxm::decode(r.rest(), Strictness::Loose)?.matching)
}

pub(crate) fn encode(e: &mut Encoder, p: &PacketIn) {
    match p.format {
        PacketInFormat::Standard => encode_standard(e, p),
        PacketInFormat::Nxt => encode_nxt(e, p),
        PacketInFormat::Nxt2 => {
            if e.begin(Kind::PacketIn2) {
                put_properties(e, p);
            }
        }
    }
}

pub(crate) fn encode_resume(e: &mut Encoder, p: &PacketIn) {
    if e.begin(Kind::Resume) {
        put_properties(e, p);
    }
}

fn total_len(p: &PacketIn) -> u16 {
    p.total_len.min(usize::from(u16::MAX)) as u16
}

fn encode_standard(e: &mut Encoder, p: &PacketIn) {
    let v = e.version;
    if !e.begin(Kind::PacketIn) {
        return;
    }
    let in_port = OfPort::from_u16(p.metadata.flow.in_port as u16);
    e.w.u32(p.buffer_id.unwrap_or(NO_BUFFER));
    match v {
        Version::V1_0 => {
            e.w.u16(total_len(p));
            e.w.u16(in_port.low16());
            e.w.u8(p.reason.wire(v));
            e.w.u8(0);
        }
        Version::V1_1 => {
            e.w.u32(in_port.0);
            e.w.u32(in_port.0);
            e.w.u16(total_len(p));
            e.w.u8(p.reason.wire(v));
            e.w.u8(p.table.0);
        }
        _ => {
            e.w.u16(total_len(p));
            e.w.u8(p.reason.wire(v));
            e.w.u8(p.table.0);
            if v >= Version::V1_3 {
                e.w.u64(p.cookie.map_or(u64::MAX, |c| c.0));
            }
            oxm::put_match(&mut e.w, &p.metadata, v);
            e.w.zeros(2);
        }
    }
    e.w.bytes(&p.packet);
}

fn encode_nxt(e: &mut Encoder, p: &PacketIn) {
    if !e.begin_as(Kind::PacketIn, true) {
        return;
    }
    e.w.u32(p.buffer_id.unwrap_or(NO_BUFFER));
    e.w.u16(total_len(p));
    e.w.u8(p.reason.wire(e.version));
    e.w.u8(p.table.0);
    e.w.u64(p.cookie.map_or(u64::MAX, |c| c.0));
    let len_at = e.w.len();
    e.w.zeros(8);
    let start = e.w.len();
    // Nicira's message keeps Nicira's field numbers in every version.
    oxm::encode(&mut e.w, &p.metadata, Version::V1_0);
    let len = e.w.len() - start;
    e.w.patch_u16(len_at, len as u16);
    e.w.pad(start, 8);
    e.w.zeros(2);
    e.w.bytes(&p.packet);
}

fn put_properties(e: &mut Encoder, p: &PacketIn) {
    let v = e.version;
    let w = &mut e.w;
    put_property(w, PACKET, 8, |w| w.bytes(&p.packet));
    if p.total_len != p.packet.len() {
        put_property(w, FULL_LEN, 8, |w| w.u32(p.total_len as u32));
    }
    if let Some(id) = p.buffer_id {
        put_property(w, BUFFER_ID, 8, |w| w.u32(id));
    }
    put_property(w, TABLE_ID, 8, |w| w.u8(p.table.0));
    if let Some(cookie) = p.cookie.filter(|c| c.0 != u64::MAX) {
        put_property(w, COOKIE, 8, |w| {
            w.zeros(4);
            w.u64(cookie.0);
        });
    }
    put_property(w, REASON, 8, |w| w.u8(p.reason.wire(v)));
    let start = w.len();
    put_property(w, METADATA, 8, |w| {
        w.zeros(4);
        oxm::encode(w, &p.metadata, v);
    });
    debug_assert!(w.len() > start);
    if !p.userdata.is_empty() {
        put_property(w, USERDATA, 8, |w| w.bytes(&p.userdata));
    }
    if let Some(continuation) = &p.continuation {
        put_property(w, CONTINUATION, 8, |w| w.bytes(continuation));
    }
}

pub(crate) fn decode_format(b: &mut Body<'_>) -> Decode<PacketInFormat> {
    match b.r.u32()? {
        0 => Ok(PacketInFormat::Standard),
        1 => Ok(PacketInFormat::Nxt),
        2 => Ok(PacketInFormat::Nxt2),
        _ => Err(OfpError::OFPBRC_EPERM),
    }
}

impl PacketInReason {
    /// OVS's word for the reason.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoMatch | Self::ExplicitMiss | Self::ImplicitMiss => "no_match",
            Self::Action => "action",
            Self::InvalidTtl => "invalid_ttl",
            Self::ActionSet => "action_set",
            Self::Group => "group",
            Self::PacketOut => "packet_out",
        }
    }

    /// The reason that `name` means.
    pub fn from_name(name: &str) -> Option<Self> {
        (0..6).filter_map(Self::from_wire).find(|r| r.name() == name)
    }
}
