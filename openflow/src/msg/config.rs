//! Switch configuration: fragments and how much of a missed packet is sent.

use crate::codec::{Body, Encoder};
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put};

/// What happens to IP fragments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u16)]
pub enum FragMode {
    #[default]
    Normal = 0,
    Drop = 1,
    Reassemble = 2,
    NxMatch = 3,
}

/// OFPT_SET_CONFIG, OFPT_GET_CONFIG_REPLY.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwitchConfig {
    pub frag: FragMode,
    /// OpenFlow 1.1 and 1.2 only: packets with invalid TTL go to the controller; `None`: not expressed.
    pub invalid_ttl_to_controller: Option<bool>,
    /// Bytes of a missed packet to send.
    pub miss_send_len: u16,
}

const INVALID_TTL: u16 = 4;

fn has_ttl_flag(version: Version) -> bool {
    matches!(version, Version::V1_1 | Version::V1_2)
}

pub(crate) fn decode(b: &mut Body<'_>) -> Decode<SwitchConfig> {
    let flags = b.r.u16()?;
    let miss_send_len = b.r.u16()?;
    b.r.finish()?;
    let ttl = has_ttl_flag(b.version);
    let frag =
        [FragMode::Normal, FragMode::Drop, FragMode::Reassemble, FragMode::NxMatch][usize::from(flags & 3)];
    Ok(SwitchConfig {
        frag,
        invalid_ttl_to_controller: ttl.then_some(flags & INVALID_TTL != 0),
        miss_send_len,
    })
}

pub(crate) fn encode(e: &mut Encoder, kind: Kind, c: &SwitchConfig) {
    if e.begin(kind) {
        let ttl = has_ttl_flag(e.version) && c.invalid_ttl_to_controller == Some(true);
        e.w.u16(c.frag as u16 | if ttl { INVALID_TTL } else { 0 });
        e.w.u16(c.miss_send_len);
    }
}
