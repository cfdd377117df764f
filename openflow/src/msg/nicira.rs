//! Nicira's small messages: flow format, TLV table, connection tracking flush.

use super::Message;
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::Kind;
use crate::wire::{Decode, Put, Reader, property, put_property};

use std::net::IpAddr;

/// NXT_SET_FLOW_FORMAT (OpenFlow 1.0).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum FlowFormat {
    OpenFlow10 = 0,
    Nxm = 2,
}

/// One mapping of a tunnel option to `tun_metadata<index>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlvMap {
    pub class: u16,
    pub kind: u8,
    /// Bytes of the option, a multiple of 4.
    pub len: u8,
    pub index: u16,
}

/// What happens to the mappings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum TlvCommand {
    Add = 0,
    Delete = 1,
    Clear = 2,
}

/// NXT_TLV_TABLE_MOD.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlvTableMod {
    pub command: TlvCommand,
    pub maps: Vec<TlvMap>,
}

/// NXT_TLV_TABLE_REPLY.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlvTableReply {
    pub max_option_space: u32,
    pub max_fields: u16,
    pub maps: Vec<TlvMap>,
}

/// A tuple to flush; what is `None` is not compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtTuple {
    pub src: Option<IpAddr>,
    pub dst: Option<IpAddr>,
    pub src_port: Option<u16>,
    pub dst_port: Option<u16>,
    pub icmp_id: Option<u16>,
    pub icmp_type: Option<u8>,
    pub icmp_code: Option<u8>,
}

/// NXT_CT_FLUSH.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtFlush {
    pub zone: Option<u16>,
    pub ip_proto: u8,
    pub orig: CtTuple,
    pub reply: CtTuple,
}

/// A message of one word.
pub(crate) fn encode_u32(e: &mut Encoder, kind: Kind, v: u32) {
    if e.begin(kind) {
        e.w.u32(v);
    }
}

/// Six zero bytes and a half-word.
pub(crate) fn encode_u16_tail(e: &mut Encoder, kind: Kind, v: u16) {
    if e.begin(kind) {
        e.w.zeros(6);
        e.w.u16(v);
    }
}

pub(crate) fn decode_flow_format(b: &mut Body<'_>) -> Decode<FlowFormat> {
    match b.r.u32()? {
        0 => Ok(FlowFormat::OpenFlow10),
        2 => Ok(FlowFormat::Nxm),
        _ => Err(OfpError::OFPBRC_EPERM),
    }
}

pub(crate) fn decode_flow_mod_table_id(b: &mut Body<'_>) -> Decode<Message> {
    let on = b.r.u8()? != 0;
    b.r.skip(7)?;
    Ok(Message::FlowModTableId(on))
}

pub(crate) fn decode_controller_id(b: &mut Body<'_>) -> Decode<Message> {
    b.r.zeros(6, OfpError::NXBRC_MUST_BE_ZERO)?;
    Ok(Message::SetControllerId(b.r.u16()?))
}

pub(crate) fn decode_ct_flush_zone(b: &mut Body<'_>) -> Decode<Message> {
    b.r.zeros(6, OfpError::NXBRC_MUST_BE_ZERO)?;
    Ok(Message::CtFlushZone(b.r.u16()?))
}

fn decode_maps(r: &mut Reader<'_>) -> Decode<Vec<TlvMap>> {
    let mut maps = Vec::new();
    while r.len() >= 8 {
        let map = TlvMap { class: r.u16()?, kind: r.u8()?, len: r.u8()?, index: r.u16()? };
        r.skip(2)?;
        maps.push(map);
    }
    Ok(maps)
}

fn put_maps(w: &mut Vec<u8>, maps: &[TlvMap]) {
    for map in maps {
        w.u16(map.class);
        w.u8(map.kind);
        w.u8(map.len);
        w.u16(map.index);
        w.zeros(2);
    }
}

pub(crate) fn decode_tlv_mod(b: &mut Body<'_>) -> Decode<TlvTableMod> {
    let command = match b.r.u16()? {
        0 => TlvCommand::Add,
        1 => TlvCommand::Delete,
        2 => TlvCommand::Clear,
        _ => return Err(OfpError::NXTTMFC_BAD_COMMAND),
    };
    b.r.skip(6)?;
    let maps = decode_maps(&mut b.r)?;
    for map in &maps {
        if map.len == 0 || map.len % 4 != 0 || map.len > 124 {
            return Err(OfpError::NXTTMFC_BAD_OPT_LEN);
        }
        if map.index >= 64 {
            return Err(OfpError::NXTTMFC_BAD_FIELD_IDX);
        }
    }
    Ok(TlvTableMod { command, maps })
}

pub(crate) fn encode_tlv_mod(e: &mut Encoder, t: &TlvTableMod) {
    if e.begin(Kind::TlvTableMod) {
        e.w.u16(t.command as u16);
        e.w.zeros(6);
        put_maps(&mut e.w, &t.maps);
    }
}

pub(crate) fn decode_tlv_reply(b: &mut Body<'_>) -> Decode<TlvTableReply> {
    let (max_option_space, max_fields) = (b.r.u32()?, b.r.u16()?);
    b.r.skip(10)?;
    Ok(TlvTableReply { max_option_space, max_fields, maps: decode_maps(&mut b.r)? })
}

pub(crate) fn encode_tlv_reply(e: &mut Encoder, t: &TlvTableReply) {
    if e.begin(Kind::TlvTableReply) {
        e.w.u32(t.max_option_space);
        e.w.u16(t.max_fields);
        e.w.zeros(10);
        put_maps(&mut e.w, &t.maps);
    }
}

const CT_ORIG: u16 = 0;
const CT_REPLY: u16 = 1;
const CT_ZONE: u16 = 2;
const TUPLE_SRC: u16 = 0;
const TUPLE_DST: u16 = 1;
const TUPLE_SRC_PORT: u16 = 2;
const TUPLE_DST_PORT: u16 = 3;
const TUPLE_ICMP_ID: u16 = 4;
const TUPLE_ICMP_TYPE: u16 = 5;
const TUPLE_ICMP_CODE: u16 = 6;

pub(crate) fn decode_ct_flush(b: &mut Body<'_>) -> Decode<CtFlush> {
    let mut c = CtFlush { ip_proto: b.r.u8()?, ..CtFlush::default() };
    b.r.zeros(7, OfpError::NXBRC_MUST_BE_ZERO)?;
    while !b.r.is_empty() {
        let (kind, mut body) = property(&mut b.r, 8)?;
        match kind {
            CT_ORIG => c.orig = decode_tuple(&mut body)?,
            CT_REPLY => c.reply = decode_tuple(&mut body)?,
            CT_ZONE => c.zone = Some(body.u16()?),
            _ => return Err(OfpError::OFPBPC_BAD_TYPE),
        }
    }
    Ok(c)
}

fn decode_tuple(r: &mut Reader<'_>) -> Decode<CtTuple> {
    let mut t = CtTuple::default();
    r.skip(4)?;
    while !r.is_empty() {
        let (kind, mut body) = property(r, 8)?;
        match kind {
            TUPLE_SRC | TUPLE_DST => {
                let addr = std::net::Ipv6Addr::from(body.array::<16>()?);
                let addr = addr.to_ipv4_mapped().map_or(IpAddr::V6(addr), IpAddr::V4);
                *(if kind == TUPLE_SRC { &mut t.src } else { &mut t.dst }) = Some(addr);
            }
            TUPLE_SRC_PORT => t.src_port = Some(body.u16()?),
            TUPLE_DST_PORT => t.dst_port = Some(body.u16()?),
            TUPLE_ICMP_ID => t.icmp_id = Some(body.u16()?),
            TUPLE_ICMP_TYPE => t.icmp_type = Some(body.u8()?),
            TUPLE_ICMP_CODE => t.icmp_code = Some(body.u8()?),
            _ => return Err(OfpError::OFPBPC_BAD_TYPE),
        }
    }
    Ok(t)
}

pub(crate) fn encode_ct_flush(e: &mut Encoder, c: &CtFlush) {
    if !e.begin(Kind::CtFlush) {
        return;
    }
    e.w.u8(c.ip_proto);
    e.w.zeros(7);
    for (kind, tuple) in [(CT_ORIG, &c.orig), (CT_REPLY, &c.reply)] {
        if *tuple != CtTuple::default() {
            put_property(&mut e.w, kind, 8, |w| {
                w.zeros(4);
                put_tuple(w, tuple);
            });
        }
    }
    if let Some(zone) = c.zone {
        put_property(&mut e.w, CT_ZONE, 8, |w| w.u32(u32::from(zone) << 16));
    }
}

fn put_tuple(w: &mut Vec<u8>, t: &CtTuple) {
    for (kind, addr) in [(TUPLE_SRC, t.src), (TUPLE_DST, t.dst)] {
        if let Some(addr) = addr {
            put_property(w, kind, 8, |w| {
                w.bytes(&match addr {
                    IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
                    IpAddr::V6(a) => a.octets(),
                });
            });
        }
    }
    for (kind, v) in [(TUPLE_SRC_PORT, t.src_port), (TUPLE_DST_PORT, t.dst_port), (TUPLE_ICMP_ID, t.icmp_id)]
    {
        if let Some(v) = v {
            put_property(w, kind, 8, |w| w.u32(u32::from(v) << 16));
        }
    }
    for (kind, v) in [(TUPLE_ICMP_TYPE, t.icmp_type), (TUPLE_ICMP_CODE, t.icmp_code)] {
        if let Some(v) = v {
            put_property(w, kind, 8, |w| w.u8(v));
        }
    }
}
