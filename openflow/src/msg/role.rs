//! Controller roles.

use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put};

/// A controller's role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Role {
    /// Ask for the role without changing it.
    NoChange = 0,
    Equal = 1,
    Primary = 2,
    Secondary = 3,
}

/// OFPT_ROLE_REQUEST, OFPT_ROLE_REPLY.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleMsg {
    pub role: Role,
    /// `None`: the encoding has none (Nicira's) or it is undefined.
    pub generation_id: Option<u64>,
}

/// OFPT_ROLE_STATUS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleStatus {
    pub role: Role,
    /// 0 another controller became primary, 1 configuration, 2 experimenter; others are kept.
    pub reason: u8,
    pub generation_id: Option<u64>,
}

/// The undefined generation id.
const GENERATION_NONE: u64 = u64::MAX;

fn role(v: u32) -> Option<Role> {
    [Role::NoChange, Role::Equal, Role::Primary, Role::Secondary].get(v as usize).copied()
}

fn generation(v: u64) -> Option<u64> {
    (v != GENERATION_NONE).then_some(v)
}

pub(crate) fn decode(b: &mut Body<'_>) -> Decode<RoleMsg> {
    let bad = OfpError::OFPRRFC_BAD_ROLE;
    let v = b.r.u32()?;
    if b.is_nx() {
        let role = v.checked_add(1).and_then(role).ok_or(bad)?;
        return Ok(RoleMsg { role, generation_id: None });
    }
    let role = role(v).ok_or(bad)?;
    b.r.skip(4)?;
    let id = generation(b.r.u64()?);
    Ok(RoleMsg { role, generation_id: if role == Role::NoChange || role == Role::Equal { None } else { id } })
}

pub(crate) fn encode(e: &mut Encoder, kind: Kind, m: &RoleMsg) {
    let nx = e.version < Version::V1_2;
    if !e.begin(kind) {
        return;
    }
    if nx {
        return e.w.u32((m.role as u32).saturating_sub(1));
    }
    e.w.u32(m.role as u32);
    e.w.zeros(4);
    e.w.u64(m.generation_id.unwrap_or(GENERATION_NONE));
}

pub(crate) fn decode_status(b: &mut Body<'_>) -> Decode<RoleStatus> {
    let role = role(b.r.u32()?).ok_or(OfpError::OFPRRFC_BAD_ROLE)?;
    let reason = b.r.u8()?;
    b.r.skip(3)?;
    Ok(RoleStatus { role, reason, generation_id: generation(b.r.u64()?) })
}

pub(crate) fn encode_status(e: &mut Encoder, s: &RoleStatus) {
    if e.begin(Kind::RoleStatus) {
        e.w.u32(s.role as u32);
        e.w.u8(s.reason);
        e.w.zeros(3);
        e.w.u64(s.generation_id.unwrap_or(GENERATION_NONE));
    }
}
