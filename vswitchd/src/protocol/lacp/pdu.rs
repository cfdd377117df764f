//! LACP data units (IEEE 802.3ad 43.4.2), behind the Ethernet type 0x8809.

use super::super::frame::Reader;

pub const LEN: usize = 110;
const SUBTYPE_LACP: u8 = 1;
const SUBTYPE_MARKER: u8 = 2;
const VERSION: u8 = 1;
const TLV_ACTOR: u8 = 1;
const TLV_PARTNER: u8 = 2;
const TLV_COLLECTOR: u8 = 3;
const INFO_LEN: u8 = 20;
const COLLECTOR_LEN: u8 = 16;

/// Bits of `Info::state`.
pub mod state {
    pub const ACTIVE: u8 = 1 << 0;
    pub const TIMEOUT: u8 = 1 << 1;
    pub const AGGREGATABLE: u8 = 1 << 2;
    pub const SYNC: u8 = 1 << 3;
    pub const COLLECTING: u8 = 1 << 4;
    pub const DISTRIBUTING: u8 = 1 << 5;
    pub const DEFAULTED: u8 = 1 << 6;
    pub const EXPIRED: u8 = 1 << 7;
    /// Names in the order of the bits.
    pub const NAMES: [&str; 8] = [
        "activity",
        "timeout",
        "aggregation",
        "synchronized",
        "collecting",
        "distributing",
        "defaulted",
        "expired",
    ];
}

/// One end of a link.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Info {
    pub system_priority: u16,
    pub system_id: [u8; 6],
    pub key: u16,
    pub port_priority: u16,
    pub port_id: u16,
    pub state: u8,
}

impl Info {
    /// Nothing that the partner must hear of at once differs.
    pub fn tells_the_same(&self, told: &Info) -> bool {
        let important = |i: &Info| {
            let state = i.state & (state::ACTIVE | state::TIMEOUT | state::AGGREGATABLE | state::SYNC);
            Info { state, ..*i }
        };
        important(self) == important(told)
    }

    fn emit(&self, tlv: u8, out: &mut Vec<u8>) {
        out.extend([tlv, INFO_LEN]);
        out.extend(self.system_priority.to_be_bytes());
        out.extend(self.system_id);
        for word in [self.key, self.port_priority, self.port_id] {
            out.extend(word.to_be_bytes());
        }
        out.extend([self.state, 0, 0, 0]);
    }

    fn parse(tlv: u8, r: &mut Reader<'_>) -> Option<Info> {
        if (r.u8()?, r.u8()?) != (tlv, INFO_LEN) {
            return None;
        }
        let info = Info {
            system_priority: r.u16()?,
            system_id: r.array()?,
            key: r.u16()?,
            port_priority: r.u16()?,
            port_id: r.u16()?,
            state: r.u8()?,
        };
        r.bytes(3)?;
        Some(info)
    }
}

/// A data unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pdu {
    pub actor: Info,
    pub partner: Info,
}

/// What a slow-protocol frame was.
pub enum Received {
    Lacp(Pdu),
    Marker,
}

impl Pdu {
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LEN);
        out.extend([SUBTYPE_LACP, VERSION]);
        self.actor.emit(TLV_ACTOR, &mut out);
        self.partner.emit(TLV_PARTNER, &mut out);
        out.extend([TLV_COLLECTOR, COLLECTOR_LEN]);
        out.resize(LEN, 0);
        out
    }

    pub fn parse(payload: &[u8]) -> Option<Received> {
        let mut r = Reader(payload);
        match r.u8()? {
            SUBTYPE_LACP => {}
            SUBTYPE_MARKER => return Some(Received::Marker),
            _ => return None,
        }
        // Later versions extend this one (43.4.12).
        if payload.len() < LEN || r.u8()? < VERSION {
            return None;
        }
        let actor = Info::parse(TLV_ACTOR, &mut r)?;
        let partner = Info::parse(TLV_PARTNER, &mut r)?;
        Some(Received::Lacp(Pdu { actor, partner }))
    }
}
