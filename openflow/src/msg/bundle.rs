//! Bundles: several modifications that happen together.

use crate::codec::{self, Body, Encoder};
use crate::error::OfpError;
use crate::raw::{Header, Kind};
use crate::wire::{Decode, Put};

use super::Message;
use crate::types::Xid;

bitflags::bitflags! {
    /// How a bundle is applied.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct BundleFlags: u16 {
        const ATOMIC = 1;
        const ORDERED = 2;
    }
}

/// What a bundle control message asks or answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum BundleControlKind {
    OpenRequest = 0,
    OpenReply = 1,
    CloseRequest = 2,
    CloseReply = 3,
    CommitRequest = 4,
    CommitReply = 5,
    DiscardRequest = 6,
    DiscardReply = 7,
}

/// OFPT_BUNDLE_CONTROL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BundleControl {
    pub bundle_id: u32,
    pub kind: BundleControlKind,
    pub flags: BundleFlags,
}

/// OFPT_BUNDLE_ADD_MESSAGE.
#[derive(Clone, PartialEq, Debug)]
pub struct BundleAdd {
    pub bundle_id: u32,
    pub flags: BundleFlags,
    /// The xid of the enclosed message (equal to the enclosing one).
    pub inner_xid: Xid,
    /// A flow, group or port mod, or a packet-out.
    pub message: Message,
}

impl BundleControlKind {
    const ALL: [Self; 8] = [
        Self::OpenRequest,
        Self::OpenReply,
        Self::CloseRequest,
        Self::CloseReply,
        Self::CommitRequest,
        Self::CommitReply,
        Self::DiscardRequest,
        Self::DiscardReply,
    ];
}

pub(crate) fn decode_control(b: &mut Body<'_>) -> Decode<BundleControl> {
    let bundle_id = b.r.u32()?;
    let kind = *BundleControlKind::ALL.get(usize::from(b.r.u16()?)).ok_or(OfpError::OFPBFC_BAD_TYPE)?;
    let flags = BundleFlags::from_bits(b.r.u16()?).ok_or(OfpError::OFPBFC_BAD_FLAGS)?;
    Ok(BundleControl { bundle_id, kind, flags })
}

pub(crate) fn encode_control(e: &mut Encoder, c: &BundleControl) {
    if e.begin(Kind::BundleControl) {
        e.w.u32(c.bundle_id);
        e.w.u16(c.kind as u16);
        e.w.u16(c.flags.bits());
    }
}

pub(crate) fn decode_add(b: &mut Body<'_>) -> Decode<BundleAdd> {
    let bundle_id = b.r.u32()?;
    b.r.skip(2)?;
    let flags = BundleFlags::from_bits(b.r.u16()?).ok_or(OfpError::OFPBFC_BAD_FLAGS)?;
    let (inner_xid, message) = inner(b)?;
    if inner_xid != b.xid {
        return Err(OfpError::OFPBFC_MSG_BAD_XID);
    }
    match message {
        Message::FlowMod(_) | Message::GroupMod(_) | Message::PortMod(_) | Message::PacketOut(_) => {}
        _ => return Err(OfpError::OFPBFC_MSG_UNSUP),
    }
    Ok(BundleAdd { bundle_id, flags, inner_xid, message })
}

/// The enclosed message: its length may be followed by padding or properties, which nobody sends.
fn inner(b: &mut Body<'_>) -> Decode<(Xid, Message)> {
    let bytes = b.r.rest();
    let header = Header::parse(bytes).ok_or(OfpError::OFPBFC_MSG_BAD_LEN)?;
    if header.version != b.version.wire() {
        return Err(OfpError::OFPBFC_BAD_VERSION);
    }
    let message = bytes.get(..usize::from(header.size)).ok_or(OfpError::OFPBFC_MSG_BAD_LEN)?;
    codec::decode_nested(message, true)
}

pub(crate) fn encode_add(e: &mut Encoder, a: &BundleAdd) {
    if e.begin(Kind::BundleAdd) {
        e.w.u32(a.bundle_id);
        e.w.u16(0);
        e.w.u16(a.flags.bits());
        let inner = codec::encode(e.version, a.inner_xid, &a.message);
        e.w.bytes(&inner);
    }
}

pub(crate) fn decode_forward(b: &mut Body<'_>) -> Decode<Message> {
    let bytes = b.r.rest();
    let (_, message) = codec::decode_nested(bytes, true)?;
    match message {
        Message::GroupMod(_) | Message::MeterMod(_) => Ok(Message::RequestForward(Box::new(message))),
        _ => Err(OfpError::OFPBFC_MSG_UNSUP),
    }
}

pub(crate) fn encode_forward(e: &mut Encoder, inner: &Message) {
    if e.begin(Kind::RequestForward) {
        let inner = codec::encode(e.version, e.xid, inner);
        e.w.bytes(&inner);
    }
}
