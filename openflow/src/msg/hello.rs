//! Hello and features.

use crate::codec::{Body, Encoder};
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader};

use super::PortDesc;
use crate::types::VersionSet;

/// OFPT_HELLO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// From the bitmap, or every version up to the header's when there is none.
    pub versions: VersionSet,
}

bitflags::bitflags! {
    /// What the switch can do (bits of OpenFlow 1.3; `STP` and others where older ones differ).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Capabilities: u32 {
        const FLOW_STATS = 1;
        const TABLE_STATS = 2;
        const PORT_STATS = 4;
        const GROUP_STATS = 8;
        const IP_REASM = 1 << 5;
        const QUEUE_STATS = 1 << 6;
        const ARP_MATCH_IP = 1 << 7;
        const PORT_BLOCKED = 1 << 8;
        const BUNDLES = 1 << 9;
        const FLOW_MONITORING = 1 << 10;
        /// OpenFlow 1.0 only.
        const STP = 1 << 31;
    }
}

/// OFPT_FEATURES_REPLY.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Features {
    pub datapath_id: u64,
    pub n_buffers: u32,
    pub n_tables: u8,
    /// 0 = main connection (1.3+).
    pub auxiliary_id: u8,
    pub capabilities: Capabilities,
    /// OpenFlow 1.0: bitmap of action numbers of that version.
    pub actions: u32,
    /// OpenFlow 1.0-1.2; later versions use port description requests.
    pub ports: Vec<PortDesc>,
}

pub(crate) fn decode(b: &mut Body<'_>) -> Hello {
    Hello { versions: parse_versions(b.version.wire(), b.r.rest()) }
}

/// The versions that a hello offers: of its bitmap, or all up to the header's `version`. Broken elements are ignored.
pub fn parse_versions(version: u8, elements: &[u8]) -> VersionSet {
    let up_to = VersionSet(((1u64 << (u32::from(version).min(31) + 1)) - 2) as u32);
    let mut r = Reader::new(elements);
    while r.len() >= 4 {
        let (Ok(kind), Ok(len)) = (r.u16(), r.u16()) else { break };
        let Some(body_len) = usize::from(len).checked_sub(4) else { break };
        let Ok(mut body) = r.sub(body_len) else { break };
        r.skip_up_to(usize::from(len).next_multiple_of(8) - usize::from(len));
        if kind == 1
            && let Ok(bits) = body.u32()
        {
            return VersionSet(bits);
        }
    }
    up_to
}

/// The header carries the newest version; the bitmap follows unless all older ones are offered too.
pub(crate) fn encode(e: &mut Encoder, h: &Hello) {
    let newest = h.versions.highest().unwrap_or(e.version);
    e.version = newest;
    if e.begin(Kind::Hello) && h.versions != VersionSet::up_to(newest) {
        e.w.u16(1);
        e.w.u16(8);
        e.w.u32(h.versions.0);
    }
}

const CAPS_10: Capabilities = Capabilities::from_bits_truncate(0x8000_0000 | 0x07 | 0xe0);

fn caps_for(v: Version) -> Capabilities {
    use Capabilities as C;
    let base = C::FLOW_STATS | C::TABLE_STATS | C::PORT_STATS | C::IP_REASM | C::QUEUE_STATS;
    match v {
        Version::V1_0 => CAPS_10,
        Version::V1_1 => base | C::GROUP_STATS | C::ARP_MATCH_IP,
        Version::V1_2 | Version::V1_3 => base | C::GROUP_STATS | C::PORT_BLOCKED,
        _ => base | C::GROUP_STATS | C::PORT_BLOCKED | C::BUNDLES | C::FLOW_MONITORING,
    }
}

pub(crate) fn decode_features(b: &mut Body<'_>) -> Decode<Features> {
    let datapath_id = b.r.u64()?;
    let n_buffers = b.r.u32()?;
    let (n_tables, auxiliary_id) = (b.r.u8()?, b.r.u8()?);
    b.r.skip(2)?;
    let caps = b.r.u32()?;
    let actions = b.r.u32()?;
    let mut capabilities = Capabilities::from_bits_truncate(caps) & caps_for(b.version);
    if b.is_10() {
        capabilities.set(Capabilities::STP, caps & 8 != 0);
    }
    let mut ports = Vec::new();
    while !b.r.is_empty() {
        ports.push(super::port::decode_desc(b)?);
    }
    Ok(Features {
        datapath_id,
        n_buffers,
        n_tables,
        auxiliary_id: if b.version >= Version::V1_3 { auxiliary_id } else { 0 },
        capabilities,
        actions: if b.is_10() { actions } else { 0 },
        ports,
    })
}

pub(crate) fn encode_features(e: &mut Encoder, f: &Features) {
    if !e.begin(Kind::FeaturesReply) {
        return;
    }
    let caps = f.capabilities & caps_for(e.version);
    let stp = if caps.contains(Capabilities::STP) { 8 } else { 0 };
    e.w.u64(f.datapath_id);
    e.w.u32(f.n_buffers);
    e.w.u8(f.n_tables);
    e.w.u8(if e.version >= Version::V1_3 { f.auxiliary_id } else { 0 });
    e.w.zeros(2);
    e.w.u32((caps - Capabilities::STP).bits() | stp);
    e.w.u32(if e.is_10() { f.actions } else { 0 });
    if e.version < Version::V1_3 {
        for port in &f.ports {
            super::port::put_desc(e, port);
        }
    }
}
