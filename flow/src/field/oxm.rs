//! OpenFlow headers of match fields (NXM and OXM): class, number, name. Wire layout and order are the codec's.

use super::{FIELDS, Field};

/// Class in the high half, experimenter id in the low half of a header class.
pub const NXM_OF: u64 = 0;
pub const NXM_NX: u64 = 0x0001 << 32;
pub const OXM_OF: u64 = 0x8000 << 32;
pub const OXM_OF_PKT_REG: u64 = 0x8001 << 32;
pub const ERICOXM_OF: u64 = 0x1000 << 32;
pub const ONFOXM_ET: u64 = 0xffff << 32 | 0x4f4e_4600;
pub const NXOXM_ET: u64 = 0xffff << 32 | 0x0000_2320;
pub const NXOXM_NSH: u64 = 0xffff << 32 | 0x005a_d650;

/// OpenFlow wire versions.
pub const OF10: u8 = 1;
pub const OF12: u8 = 3;
pub const OF13: u8 = 4;
pub const OF15: u8 = 6;

/// One header of a field: (class, number, name, first OpenFlow wire version to prefer it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Oxm(pub u64, pub u8, pub &'static str, pub u8);

impl Oxm {
    pub const fn class(self) -> u16 {
        (self.0 >> 32) as u16
    }
    /// Zero except in class 0xffff.
    pub const fn experimenter(self) -> u32 {
        self.0 as u32
    }
    pub const fn number(self) -> u8 {
        self.1
    }
    pub const fn name(self) -> &'static str {
        self.2
    }
    pub const fn since(self) -> u8 {
        self.3
    }
}

impl Field {
    /// The field that a header of `class` (experimenter in the low half, see the constants) and `number` names.
    pub fn from_oxm(class: u64, number: u8) -> Option<Field> {
        FIELDS.iter().copied().find(|f| f.info().headers.iter().any(|h| h.0 == class && h.1 == number))
    }

    /// The field of an `NXM_...` or `OXM_...` name.
    pub fn from_oxm_name(name: &str) -> Option<Field> {
        FIELDS.iter().copied().find(|f| f.info().headers.iter().any(|h| h.2 == name))
    }

    /// The header to send to a peer that speaks wire version `version`: the newest one that it knows.
    pub fn oxm_for(self, version: u8) -> Option<Oxm> {
        let headers = self.info().headers;
        headers.iter().rev().find(|h| h.since() <= version).or(headers.first()).copied()
    }
}
