//! The ids of OpenFlow as types, protocol versions, and how ports are written. No wire messages here.

use std::fmt;
use std::str::FromStr;

/// A protocol version; ordered by age.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Version {
    V1_0 = 1,
    V1_1 = 2,
    V1_2 = 3,
    V1_3 = 4,
    V1_4 = 5,
    V1_5 = 6,
}

impl Version {
    pub const ALL: [Version; 6] = [Self::V1_0, Self::V1_1, Self::V1_2, Self::V1_3, Self::V1_4, Self::V1_5];

    /// The version byte of the header.
    pub const fn wire(self) -> u8 {
        self as u8
    }

    /// The version with this header byte.
    pub fn from_wire(wire: u8) -> Option<Self> {
        Self::ALL.get(usize::from(wire).checked_sub(1)?).copied()
    }

    /// `OpenFlow13` and the like.
    pub fn name(self) -> &'static str {
        ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"]
            [self as usize - 1]
    }

    /// The version called `name` (`OpenFlow13`, any case).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.name().eq_ignore_ascii_case(name))
    }

    /// `1.3` and the like.
    pub fn number(self) -> &'static str {
        ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"][self as usize - 1]
    }
}

/// A set of versions; bit n = wire version n, as in the hello bitmap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VersionSet(pub u32);

impl VersionSet {
    pub const ALL: VersionSet = VersionSet(0x7e);
    pub const NONE: VersionSet = VersionSet(0);

    pub fn of(version: Version) -> Self {
        VersionSet(1 << version.wire())
    }
    pub fn up_to(version: Version) -> Self {
        VersionSet((1 << (version.wire() + 1)) - 2)
    }
    pub fn insert(&mut self, version: Version) {
        self.0 |= 1 << version.wire();
    }
    pub fn contains(self, version: Version) -> bool {
        self.0 >> version.wire() & 1 != 0
    }
    pub fn is_empty(self) -> bool {
        self.0 & Self::ALL.0 == 0
    }
    /// The newest version of the set that this library speaks.
    pub fn highest(self) -> Option<Version> {
        Version::ALL.into_iter().rev().find(|&v| self.contains(v))
    }
    /// Versions of the set that this library speaks, oldest first.
    pub fn iter(self) -> impl Iterator<Item = Version> {
        Version::ALL.into_iter().filter(move |&v| self.contains(v))
    }
}

/// An OpenFlow port, always in the 32-bit space of OpenFlow 1.1+ (`IN_PORT` = 0xfffffff8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct OfPort(pub u32);

impl OfPort {
    /// Ports below this are ordinary (16-bit space 0xff00).
    pub const MAX: OfPort = OfPort(0xff00);
    /// "Not set" in an action set.
    pub const UNSET: OfPort = OfPort(0xffff_fff7);
    pub const IN_PORT: OfPort = OfPort(0xffff_fff8);
    pub const TABLE: OfPort = OfPort(0xffff_fff9);
    pub const NORMAL: OfPort = OfPort(0xffff_fffa);
    pub const FLOOD: OfPort = OfPort(0xffff_fffb);
    pub const ALL: OfPort = OfPort(0xffff_fffc);
    pub const CONTROLLER: OfPort = OfPort(0xffff_fffd);
    pub const LOCAL: OfPort = OfPort(0xffff_fffe);
    pub const NONE: OfPort = OfPort(0xffff_ffff);
    /// The same value with the meaning that OpenFlow 1.1+ gives it in requests.
    pub const ANY: OfPort = OfPort(0xffff_ffff);

    /// First reserved port in the 16-bit space.
    const RESERVED16: u16 = 0xfff7;

    /// From the 16-bit space of OpenFlow 1.0.
    pub fn from_u16(port: u16) -> Self {
        if port >= Self::RESERVED16 { OfPort(0xffff_0000 | u32::from(port)) } else { OfPort(u32::from(port)) }
    }

    /// In the 16-bit space of OpenFlow 1.0; `None` when it does not fit.
    pub fn to_u16(self) -> Option<u16> {
        if self.0 <= 0xfff6 || self.0 >= 0xffff_fff7 { Some(self.0 as u16) } else { None }
    }

    /// In the 16-bit space, the low half.
    pub fn low16(self) -> u16 {
        self.0 as u16
    }

    /// True for `IN_PORT`..`NONE` and the like.
    pub fn is_reserved(self) -> bool {
        self.0 >= Self::UNSET.0
    }

    /// `LOCAL`, `IN_PORT`... for a reserved port.
    pub fn reserved_name(self) -> Option<&'static str> {
        RESERVED.iter().find(|(_, p)| *p == self).map(|(n, _)| *n)
    }
}

const RESERVED: &[(&str, OfPort)] = &[
    ("IN_PORT", OfPort::IN_PORT),
    ("TABLE", OfPort::TABLE),
    ("NORMAL", OfPort::NORMAL),
    ("FLOOD", OfPort::FLOOD),
    ("ALL", OfPort::ALL),
    ("CONTROLLER", OfPort::CONTROLLER),
    ("LOCAL", OfPort::LOCAL),
    ("ANY", OfPort::ANY),
    ("UNSET", OfPort::UNSET),
];

/// A string that is not a port number or a reserved port name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}: unknown port")]
pub struct BadPort(pub String);

impl FromStr for OfPort {
    type Err = BadPort;

    /// A number (decimal or hex, 16-bit reserved numbers are mapped) or a reserved name in any case.
    fn from_str(s: &str) -> Result<Self, BadPort> {
        if let Some(n) = crate::text::number::parse_u32(s) {
            return Ok(u16::try_from(n).map_or(OfPort(n), OfPort::from_u16));
        }
        if s.eq_ignore_ascii_case("none") {
            return Ok(OfPort::NONE);
        }
        RESERVED
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(s))
            .map(|(_, p)| *p)
            .ok_or_else(|| BadPort(s.to_string()))
    }
}

impl fmt::Display for OfPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reserved_name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A flow table; 255 = all tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TableId(pub u8);

impl TableId {
    pub const ALL: TableId = TableId(255);
    /// OVS's internal table.
    pub const INTERNAL: TableId = TableId(254);
}

/// A group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct GroupId(pub u32);

impl GroupId {
    pub const MAX: GroupId = GroupId(0xffff_ff00);
    pub const ALL: GroupId = GroupId(0xffff_fffc);
    pub const ANY: GroupId = GroupId(0xffff_ffff);
}

/// A meter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct MeterId(pub u32);

impl MeterId {
    pub const MAX: MeterId = MeterId(0xffff_0000);
    pub const SLOWPATH: MeterId = MeterId(0xffff_fffd);
    pub const CONTROLLER: MeterId = MeterId(0xffff_fffe);
    pub const ALL: MeterId = MeterId(0xffff_ffff);
}

impl fmt::Display for MeterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            MeterId::SLOWPATH => f.write_str("slowpath"),
            MeterId::CONTROLLER => f.write_str("controller"),
            MeterId::ALL => f.write_str("all"),
            MeterId(n) => write!(f, "{n}"),
        }
    }
}

/// A flow's cookie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Cookie(pub u64);

/// A transaction id.
pub type Xid = u32;

/// A queue id; `u32::MAX` = all queues.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct QueueId(pub u32);

impl QueueId {
    pub const ALL: QueueId = QueueId(u32::MAX);
}
