//! Which asynchronous messages a controller wants, by role.

use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, property, put_property};

/// Masks of reasons: bit n = reason n of OpenFlow 1.4+ numbering.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AsyncConfig {
    pub primary: AsyncMasks,
    pub secondary: AsyncMasks,
}

/// One role's masks, one per kind of asynchronous message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AsyncMasks {
    pub packet_in: u32,
    pub port_status: u32,
    pub flow_removed: u32,
    pub role_status: u32,
    pub table_status: u32,
    pub requestforward: u32,
}

impl AsyncMasks {
    fn slots(&mut self) -> [&mut u32; 6] {
        [
            &mut self.packet_in,
            &mut self.port_status,
            &mut self.flow_removed,
            &mut self.role_status,
            &mut self.table_status,
            &mut self.requestforward,
        ]
    }
}

/// Six words (`props` false), or properties numbered secondary, primary for each kind.
pub(crate) fn decode(b: &mut Body<'_>, props: bool) -> Decode<AsyncConfig> {
    let mut c = AsyncConfig::default();
    if !props {
        for n in 0..3 {
            *c.primary.slots()[n] = b.r.u32()?;
            *c.secondary.slots()[n] = b.r.u32()?;
        }
        b.r.finish()?;
        return Ok(c);
    }
    while !b.r.is_empty() {
        let (kind, mut body) = property(&mut b.r, 8)?;
        let mask = body.u32()?;
        let kind = usize::from(kind);
        if kind >= 12 {
            return Err(OfpError::OFPACFC_UNSUPPORTED);
        }
        let role = if kind % 2 == 0 { &mut c.secondary } else { &mut c.primary };
        *role.slots()[kind / 2] = mask;
    }
    Ok(c)
}

pub(crate) fn encode(e: &mut Encoder, kind: Kind, c: &AsyncConfig) {
    let mut c = *c;
    let props = e.version >= Version::V1_4;
    let begun = if e.version >= Version::V1_3 { e.begin(kind) } else { e.begin(Kind::SetAsyncConfig) };
    if !begun {
        return;
    }
    if !props {
        for n in 0..3 {
            e.w.u32(*c.primary.slots()[n]);
            e.w.u32(*c.secondary.slots()[n]);
        }
        return;
    }
    for n in 0..6 {
        put_property(&mut e.w, 2 * n, 8, |w| w.u32(*c.secondary.slots()[usize::from(n)]));
        put_property(&mut e.w, 2 * n + 1, 8, |w| w.u32(*c.primary.slots()[usize::from(n)]));
    }
}
