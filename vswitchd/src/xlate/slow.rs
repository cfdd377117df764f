//! Reasons for the slow path: bits of `UserspaceKind::SlowPath`, their names in `dpctl/dump-flows` and their
//! sentences in `ofproto/trace`.

pub const CFM: u32 = 1 << 0;
pub const BFD: u32 = 1 << 1;
pub const LACP: u32 = 1 << 2;
pub const STP: u32 = 1 << 3;
pub const LLDP: u32 = 1 << 4;
pub const ACTION: u32 = 1 << 5;
pub const MATCH: u32 = 1 << 6;

/// (bit, name, sentence).
pub const REASONS: &[(u32, &str, &str)] = &[
    (CFM, "cfm", "Consists of CFM packets"),
    (BFD, "bfd", "Consists of BFD packets"),
    (LACP, "lacp", "Consists of LACP packets"),
    (STP, "stp", "Consists of STP packets"),
    (LLDP, "lldp", "Consists of LLDP packets"),
    (ACTION, "action", "Uses action(s) not supported by datapath"),
    (MATCH, "match", "Datapath can't match specifically enough"),
];

/// `a,b` for the bits of `reasons`.
pub fn names(reasons: u32) -> String {
    let names = REASONS.iter().filter(|(bit, ..)| reasons & bit != 0).map(|(_, name, _)| *name);
    names.collect::<Vec<_>>().join(",")
}
