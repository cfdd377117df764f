//! Packet-out.

use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::matching::{Field, oxm};
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader};

use crate::action::Action;
use crate::matching::Match;
use crate::types::OfPort;

/// OFPT_PACKET_OUT.
#[derive(Clone, PartialEq, Debug)]
pub struct PacketOut {
    /// Empty when `buffer_id` is used.
    pub packet: Vec<u8>,
    pub buffer_id: Option<u32>,
    /// An ordinary port, `LOCAL`, `NONE` or `CONTROLLER`.
    pub in_port: OfPort,
    /// 1.5: metadata fields beside in_port.
    pub metadata: Match,
    pub actions: Vec<Action>,
}

/// Buffer id of a message that carries its packet.
pub(crate) const NO_BUFFER: u32 = u32::MAX;

pub(crate) fn decode(b: &mut Body<'_>) -> Decode<PacketOut> {
    let buffer = b.r.u32()?;
    let (in_port, actions_len, mut metadata);
    match b.version {
        Version::V1_0 => {
            in_port = b.port()?;
            actions_len = b.r.u16()?;
            metadata = Match::default();
        }
        Version::V1_5 => {
            actions_len = b.r.u16()?;
            b.r.skip(2)?;
            metadata = b.matching()?;
            if metadata.mask.0.in_port == 0 {
                return Err(OfpError::OFPBRC_BAD_PORT);
            }
            in_port = OfPort::from_u16(metadata.flow.in_port as u16);
            metadata.set_masked(Field::InPort, 0, 0);
        }
        _ => {
            in_port = b.port()?;
            actions_len = b.r.u16()?;
            b.r.skip(6)?;
            metadata = Match::default();
        }
    }
    if in_port.0 >= OfPort::MAX.0 && !matches!(in_port, OfPort::LOCAL | OfPort::NONE | OfPort::CONTROLLER) {
        return Err(OfpError::OFPBRC_BAD_PORT);
    }
    let actions = Reader::with(b.r.bytes(usize::from(actions_len))?, OfpError::OFPBAC_BAD_LEN);
    let actions = crate::action::list::decode(actions.peek(), b.actions())?;
    let packet = b.r.rest();
    let buffer_id = (buffer != NO_BUFFER).then_some(buffer);
    let packet = if buffer_id.is_some() { Vec::new() } else { packet.to_vec() };
    Ok(PacketOut { packet, buffer_id, in_port, metadata, actions })
}

pub(crate) fn encode(e: &mut Encoder, p: &PacketOut) {
    if !e.begin(Kind::PacketOut) {
        return;
    }
    e.w.u32(p.buffer_id.unwrap_or(NO_BUFFER));
    let ctx = e.actions(&p.metadata);
    let len_at;
    if e.version >= Version::V1_5 {
        len_at = e.w.len();
        e.w.zeros(4);
        let mut m = p.metadata;
        m.set_masked(Field::InPortOxm, p.in_port.0.into(), u32::MAX.into());
        oxm::put_match(&mut e.w, &m, e.version);
    } else {
        e.port(p.in_port);
        len_at = e.w.len();
        e.w.u16(0);
        e.w.zeros(if e.is_10() { 0 } else { 6 });
    }
    let start = e.w.len();
    crate::action::list::encode(&p.actions, ctx, &mut e.w);
    let len = e.w.len() - start;
    e.w.patch_u16(len_at, len.min(0xfff8) as u16);
    if p.buffer_id.is_none() {
        e.w.bytes(&p.packet);
    }
}
