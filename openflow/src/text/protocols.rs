//! Which protocol versions (and, for 1.0, match formats) can carry a flow, and how sets of them are written.

use crate::matching::{Field, Match, v10};
use crate::types::Version;

bitflags::bitflags! {
    /// A set of ways to write flows.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Protocols: u32 {
        const OF10_STD = 1;
        const OF10_STD_TID = 2;
        const OF10_NXM = 4;
        const OF10_NXM_TID = 8;
        const OF11 = 16;
        const OF12 = 32;
        const OF13 = 64;
        const OF14 = 128;
        const OF15 = 256;

        const OF10_STD_ANY = 3;
        const NXM_ANY = 12;
        const OF10_ANY = 15;
        const OXM_ANY = 0x1e0;
        const OF11_UP = 0x1f0;
        const OF13_UP = 0x1c0;
        const OF14_UP = 0x180;
        const OF15_UP = 0x100;
        const NXM_OXM = 0x1ec;
        const NXM_OF11_UP = 0x1fc;
        const ANY = 0x1ff;
    }
}

const GROUPS: &[(Protocols, &str)] = &[
    (Protocols::ANY, "any"),
    (Protocols::OF10_STD_ANY, "OpenFlow10"),
    (Protocols::NXM_ANY, "NXM"),
    (Protocols::OXM_ANY, "OXM"),
];

const SINGLE: &[(Protocols, &str)] = &[
    (Protocols::OF10_STD, "OpenFlow10-table_id"),
    (Protocols::OF10_STD_TID, "OpenFlow10+table_id"),
    (Protocols::OF10_NXM, "NXM-table_id"),
    (Protocols::OF10_NXM_TID, "NXM+table_id"),
    (Protocols::OF11, "OpenFlow11"),
    (Protocols::OF12, "OXM-OpenFlow12"),
    (Protocols::OF13, "OXM-OpenFlow13"),
    (Protocols::OF14, "OXM-OpenFlow14"),
    (Protocols::OF15, "OXM-OpenFlow15"),
];

impl std::fmt::Display for Protocols {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let (mut rest, mut names) = (*self, Vec::new());
        for &(set, name) in GROUPS.iter().chain(SINGLE) {
            if rest.contains(set) && !rest.is_empty() {
                rest -= set;
                names.push(name);
            }
        }
        f.write_str(&names.join(","))
    }
}

impl Protocols {
    /// The sets named in a comma-separated list (`NXM,OpenFlow13`).
    pub fn parse(text: &str) -> Option<Self> {
        let mut out = Self::empty();
        for name in text.split([',', ' ']).filter(|n| !n.is_empty()) {
            let named = GROUPS.iter().chain(SINGLE).find(|(_, n)| n.eq_ignore_ascii_case(name));
            out |= named.map(|(set, _)| *set).or_else(|| Version::from_name(name).map(Self::of))?;
        }
        Some(out)
    }

    /// All ways of a version.
    pub fn of(version: Version) -> Self {
        match version {
            Version::V1_0 => Self::OF10_ANY,
            Version::V1_1 => Self::OF11,
            Version::V1_2 => Self::OF12,
            Version::V1_3 => Self::OF13,
            Version::V1_4 => Self::OF14,
            Version::V1_5 => Self::OF15,
        }
    }

    /// The version of a set that has one.
    pub fn version(self) -> Option<Version> {
        Version::ALL.into_iter().find(|&v| self.intersects(Self::of(v)))
    }

    /// The first single way of the set.
    pub fn first(self) -> Option<Self> {
        SINGLE.iter().map(|(p, _)| *p).find(|&p| self.contains(p))
    }

    /// The ways that can carry `m`.
    pub fn for_match(m: &Match) -> Self {
        if v10::can_express(m) {
            return Self::ANY;
        }
        let mut only_11 = *m;
        // What OpenFlow 1.1 has beyond 1.0: masked Ethernet addresses and IP addresses, metadata, MPLS, ECN.
        for f in [
            Field::EthSrc,
            Field::EthDst,
            Field::Metadata,
            Field::IpSrc,
            Field::IpDst,
            Field::NwEcn,
            Field::MplsLabel,
            Field::MplsTc,
        ] {
            only_11.set_masked(f, 0, 0);
        }
        let sctp = m.flow.nw_proto == 132;
        if v10::can_express(&only_11) && !(sctp && m.flow.dl_type.get() != 0x0800) {
            return Self::NXM_OF11_UP;
        }
        Self::NXM_OXM
    }

    /// The ways that can carry a set_field of `field` (all of it, or not).
    pub fn for_set(field: Field, whole: bool) -> Self {
        use Field::*;
        match field {
            EthSrc | EthDst | VlanVid => Self::ANY,
            Metadata | MplsLabel | MplsTc => Self::NXM_OF11_UP,
            EthType | VlanTci | DlVlan | DlVlanPcp | IpSrc | IpDst | NwTos | NwProto | TcpSrc | TcpDst
            | UdpSrc | UdpDst | IcmpType | IcmpCode | ArpOp | ArpSpa | ArpTpa | InPort | InPortOxm
                if whole =>
            {
                Self::ANY
            }
            VlanPcp | IpDscp if whole => Self::ANY,
            _ => Self::NXM_OXM,
        }
    }
}
