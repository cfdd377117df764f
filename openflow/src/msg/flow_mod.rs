//! Flow modification and flow-removed.

use super::packet_out::NO_BUFFER;
use crate::action::{instruction, list};
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::matching::oxm::{self, Strictness};
use crate::matching::v10;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader};

use crate::action::Action;
use crate::matching::Match;
use crate::types::{Cookie, GroupId, OfPort, TableId};

/// The five commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FlowModCommand {
    Add = 0,
    Modify = 1,
    ModifyStrict = 2,
    Delete = 3,
    DeleteStrict = 4,
}

bitflags::bitflags! {
    /// Flags of a flow.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct FlowModFlags: u16 {
        const SEND_FLOW_REM = 1;
        const CHECK_OVERLAP = 2;
        const RESET_COUNTS = 4;
        const NO_PKT_COUNTS = 8;
        const NO_BYT_COUNTS = 16;
        /// OpenFlow 1.0 "emergency" flows; refused.
        const EMERG = 32;
        /// Test only: rules that controllers do not see.
        const HIDDEN_FIELDS = 64;
        /// Test only: change read-only tables.
        const NO_READONLY = 128;
    }
}

/// OFPT_FLOW_MOD.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowMod {
    pub command: FlowModCommand,
    pub matching: Match,
    pub priority: u16,
    /// Flows whose cookie agrees in the bits of `cookie_mask` are meant; all zero: any.
    pub cookie: Cookie,
    pub cookie_mask: u64,
    /// The cookie that added (or modified, when `modify_cookie`) flows get.
    pub new_cookie: Cookie,
    pub modify_cookie: bool,
    /// `ALL` (255) when the sender did not say.
    pub table: TableId,
    pub idle_s: u16,
    pub hard_s: u16,
    /// `None` or the id of a buffered packet.
    pub buffer_id: Option<u32>,
    /// Delete only: flows that output here; `ANY` = no condition.
    pub out_port: OfPort,
    pub out_group: GroupId,
    pub flags: FlowModFlags,
    /// Larger is more important when flows are evicted.
    pub importance: u16,
    pub actions: Vec<Action>,
}

impl FlowMod {
    /// `command` with no match, actions or limits.
    pub fn new(command: FlowModCommand) -> Self {
        FlowMod {
            command,
            matching: Match::default(),
            priority: 32768,
            cookie: Cookie(0),
            cookie_mask: 0,
            new_cookie: Cookie(0),
            modify_cookie: false,
            table: TableId::ALL,
            idle_s: 0,
            hard_s: 0,
            buffer_id: None,
            out_port: OfPort::ANY,
            out_group: GroupId::ANY,
            flags: FlowModFlags::empty(),
            importance: 0,
            actions: Vec::new(),
        }
    }
}

/// Why a flow went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FlowRemovedReason {
    IdleTimeout = 0,
    HardTimeout = 1,
    Delete = 2,
    GroupDelete = 3,
    MeterDelete = 4,
    Eviction = 5,
}

/// OFPT_FLOW_REMOVED.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowRemoved {
    pub matching: Match,
    pub cookie: Cookie,
    pub priority: u16,
    pub reason: FlowRemovedReason,
    /// `None` when the message does not say.
    pub table: Option<TableId>,
    pub duration_s: u32,
    pub duration_ns: u32,
    pub idle_s: u16,
    pub hard_s: u16,
    /// `u64::MAX` = unknown.
    pub packet_count: u64,
    pub byte_count: u64,
}

impl FlowModCommand {
    pub(crate) fn from_wire(v: u16) -> Decode<Self> {
        use FlowModCommand::*;
        [Add, Modify, ModifyStrict, Delete, DeleteStrict]
            .get(usize::from(v))
            .copied()
            .ok_or(OfpError::OFPFMFC_BAD_COMMAND)
    }
    /// Deleting, strictly or not.
    pub fn is_delete(self) -> bool {
        matches!(self, Self::Delete | Self::DeleteStrict)
    }
}

impl FlowModFlags {
    /// From the wire; unknown bits are an error.
    fn from_wire(v: u16, version: Version) -> Decode<Self> {
        let known = match version {
            Version::V1_0 if v & 4 != 0 => return Err(OfpError::OFPFMFC_TABLE_FULL),
            Version::V1_0 | Version::V1_1 => Self::SEND_FLOW_REM | Self::CHECK_OVERLAP,
            Version::V1_2 => Self::SEND_FLOW_REM | Self::CHECK_OVERLAP | Self::RESET_COUNTS,
            _ => Self::from_bits_truncate(0x1f),
        };
        match Self::from_bits(v) {
            Some(flags) if known.contains(flags) => Ok(flags),
            _ => Err(OfpError::OFPFMFC_BAD_FLAGS),
        }
    }

    pub(crate) fn wire(self, version: Version) -> u16 {
        let known = match version {
            Version::V1_0 | Version::V1_1 => 3,
            Version::V1_2 => 7,
            _ => 0x1f,
        };
        self.bits() & known
    }
}

/// Decodes any of the three encodings.
pub(crate) fn decode(b: &mut Body<'_>) -> Decode<FlowMod> {
    if b.version >= Version::V1_1 && !b.is_nx() {
        return decode_11(b);
    }
    let nx = b.is_nx();
    let mut f = FlowMod::new(FlowModCommand::Add);
    if !nx {
        f.matching = v10::pull(&mut b.r)?;
    }
    let cookie = Cookie(b.r.u64()?);
    let command = b.r.u16()?;
    f.command = FlowModCommand::from_wire(command & 0xff)?;
    f.idle_s = b.r.u16()?;
    f.hard_s = b.r.u16()?;
    f.priority = b.r.u16()?;
    f.buffer_id = buffer(b.r.u32()?);
    f.out_port = OfPort::from_u16(b.r.u16()?);
    let flags = b.r.u16()?;
    f.new_cookie = cookie;
    if nx {
        let match_len = usize::from(b.r.u16()?);
        b.r.skip(6)?;
        let entries = pull_nxm(&mut b.r, match_len)?;
        if let Some((cookie, mask)) = entries.cookie {
            if f.command == FlowModCommand::Add {
                return Err(OfpError::NXBRC_NXM_INVALID);
            }
            (f.cookie, f.cookie_mask) = (cookie, mask);
        }
        f.matching = entries.matching;
    }
    // With NXT_FLOW_MOD_TABLE_ID the high byte of the command is the table; else it must be zero, and means all: only
    // the connection knows which.
    f.table = TableId((command >> 8) as u8);
    f.modify_cookie = f.new_cookie.0 != u64::MAX;
    f.flags = FlowModFlags::from_wire(flags, Version::V1_0)?;
    reset_counts(&mut f);
    f.actions = list::decode(b.r.rest(), b.actions())?;
    f.matching.normalize();
    fix_delete(&mut f);
    Ok(f)
}

fn buffer(v: u32) -> Option<u32> {
    (v != NO_BUFFER).then_some(v)
}

/// Entries of `len` bytes, padded to 8.
pub(crate) fn pull_nxm(r: &mut Reader<'_>, len: usize) -> Decode<oxm::Entries> {
    let bytes = r.bytes(len.next_multiple_of(8)).map_err(|_| OfpError::OFPBMC_BAD_LEN)?;
    oxm::decode(&bytes[..len], Strictness::Strict)
}

fn decode_11(b: &mut Body<'_>) -> Decode<FlowMod> {
    let v = b.version;
    let (cookie, cookie_mask) = (Cookie(b.r.u64()?), b.r.u64()?);
    let table = TableId(b.r.u8()?);
    let mut f = FlowMod::new(FlowModCommand::from_wire(b.r.u8()?.into())?);
    f.table = table;
    if table == TableId::ALL && !f.command.is_delete() {
        return Err(OfpError::OFPFMFC_BAD_TABLE_ID);
    }
    f.idle_s = b.r.u16()?;
    f.hard_s = b.r.u16()?;
    f.priority = b.r.u16()?;
    f.buffer_id = buffer(b.r.u32()?);
    f.out_port = crate::action::port_11(b.r.u32()?)?;
    f.out_group = GroupId(b.r.u32()?);
    let flags = b.r.u16()?;
    let importance = b.r.u16()?;
    f.flags = FlowModFlags::from_wire(flags, v)?;
    if v == Version::V1_1 {
        reset_counts(&mut f);
    }
    if v >= Version::V1_4 {
        f.importance = importance;
    }
    if f.command == FlowModCommand::Add {
        f.new_cookie = cookie;
    } else {
        (f.cookie, f.cookie_mask) = (cookie, cookie_mask);
        f.new_cookie = Cookie(u64::MAX);
    }
    f.matching = oxm::pull_match(&mut b.r, Strictness::Strict)?;
    f.actions = {
        let ctx = b.actions();
        instruction::decode(&mut b.r, ctx)?
    };
    fix_delete(&mut f);
    Ok(f)
}

/// OpenFlow 1.0 and 1.1 cannot say it: an add always starts from zero.
fn reset_counts(f: &mut FlowMod) {
    f.flags.set(FlowModFlags::RESET_COUNTS, f.command == FlowModCommand::Add);
}

/// Conditions on outputs are only for deletes; what a delete would do does not matter.
fn fix_delete(f: &mut FlowMod) {
    if !f.command.is_delete() {
        f.out_port = OfPort::ANY;
        f.out_group = GroupId::ANY;
    }
}

pub(crate) fn encode(e: &mut Encoder, f: &FlowMod) {
    let ctx = e.actions(&f.matching);
    if e.version >= Version::V1_1 {
        if !e.begin(Kind::FlowMod) {
            return;
        }
        let add = f.command == FlowModCommand::Add;
        e.w.u64(if add || f.modify_cookie { f.new_cookie.0 } else { f.cookie.0 & f.cookie_mask });
        e.w.u64(f.cookie_mask);
        let all = e.version > Version::V1_0 && f.table == TableId::ALL && !f.command.is_delete();
        e.w.u8(if all { 0 } else { f.table.0 });
        e.w.u8(f.command as u8);
        put_common(e, f);
        e.w.u32(f.buffer_id.unwrap_or(NO_BUFFER));
        e.w.u32(f.out_port.0);
        e.w.u32(f.out_group.0);
        e.w.u16(f.flags.wire(e.version));
        e.w.u16(if e.version >= Version::V1_4 { f.importance } else { 0 });
        e.matching(&f.matching);
        return instruction::encode(&f.actions, ctx, &mut e.w);
    }
    let nx = e.use_nxm(&f.matching) || f.cookie_mask != 0;
    if !e.begin_as(Kind::FlowMod, nx) {
        return;
    }
    if !nx {
        v10::put(&mut e.w, &f.matching);
    }
    let table = if f.table == TableId::ALL { 0 } else { u16::from(f.table.0) };
    e.w.u64(f.new_cookie.0);
    e.w.u16(table << 8 | f.command as u16);
    put_common(e, f);
    e.w.u32(f.buffer_id.unwrap_or(NO_BUFFER));
    e.w.u16(f.out_port.low16());
    e.w.u16(f.flags.wire(Version::V1_0));
    if nx {
        let len_at = e.w.len();
        e.w.zeros(8);
        put_nxm(e, &f.matching, Some((f.cookie, f.cookie_mask)), len_at);
    }
    instruction::encode(&f.actions, ctx, &mut e.w);
}

fn put_common(e: &mut Encoder, f: &FlowMod) {
    e.w.u16(f.idle_s);
    e.w.u16(f.hard_s);
    e.w.u16(f.priority);
}

/// Entries padded to 8, and their length at `len_at`.
pub(crate) fn put_nxm(e: &mut Encoder, m: &Match, cookie: Option<(Cookie, u64)>, len_at: usize) {
    let start = e.w.len();
    oxm::encode(&mut e.w, m, Version::V1_0);
    if let Some((cookie, mask)) = cookie {
        oxm::put_cookie(&mut e.w, cookie, mask);
    }
    let len = e.w.len() - start;
    e.w.patch_u16(len_at, len as u16);
    e.w.pad(start, 8);
}

impl FlowRemovedReason {
    pub(crate) fn from_wire(v: u8) -> Decode<Self> {
        use FlowRemovedReason::*;
        [IdleTimeout, HardTimeout, Delete, GroupDelete, MeterDelete, Eviction]
            .get(usize::from(v))
            .copied()
            .ok_or(OfpError::NXBRC_BAD_REASON)
    }

    /// Reasons that `version` does not have are told as `Delete`.
    pub(crate) fn wire(self, version: Version) -> u8 {
        match self {
            Self::MeterDelete | Self::Eviction if version < Version::V1_4 => Self::Delete as u8,
            Self::GroupDelete if version < Version::V1_1 => Self::Delete as u8,
            other => other as u8,
        }
    }
}

pub(crate) fn decode_removed(b: &mut Body<'_>) -> Decode<FlowRemoved> {
    let mut f = FlowRemoved {
        matching: Match::default(),
        cookie: Cookie(0),
        priority: 0,
        reason: FlowRemovedReason::Delete,
        table: None,
        duration_s: 0,
        duration_ns: 0,
        idle_s: 0,
        hard_s: 0,
        packet_count: u64::MAX,
        byte_count: u64::MAX,
    };
    if b.is_10() && !b.is_nx() {
        f.matching = v10::pull(&mut b.r)?;
    }
    if b.version >= Version::V1_5 && !b.is_nx() {
        return decode_removed_15(b, f);
    }
    f.cookie = Cookie(b.r.u64()?);
    f.priority = b.r.u16()?;
    f.reason = FlowRemovedReason::from_wire(b.r.u8()?)?;
    let table = b.r.u8()?;
    f.duration_s = b.r.u32()?;
    f.duration_ns = b.r.u32()?;
    f.idle_s = b.r.u16()?;
    let word = b.r.u16()?;
    f.packet_count = b.r.u64()?;
    f.byte_count = b.r.u64()?;
    if b.is_nx() {
        f.table = table.checked_sub(1).map(TableId);
        f.matching = pull_nxm(&mut b.r, word.into())?.matching;
    } else if b.version >= Version::V1_1 {
        f.table = Some(TableId(table));
        f.hard_s = word;
        f.matching = oxm::pull_match(&mut b.r, Strictness::Strict)?;
    }
    Ok(f)
}

fn decode_removed_15(b: &mut Body<'_>, mut f: FlowRemoved) -> Decode<FlowRemoved> {
    f.table = Some(TableId(b.r.u8()?));
    f.reason = FlowRemovedReason::from_wire(b.r.u8()?)?;
    f.priority = b.r.u16()?;
    f.idle_s = b.r.u16()?;
    f.hard_s = b.r.u16()?;
    f.cookie = Cookie(b.r.u64()?);
    f.matching = oxm::pull_match(&mut b.r, Strictness::Strict)?;
    let stats = super::flow_stats::Oxs::pull(&mut b.r)?;
    f.duration_s = stats.duration_s;
    f.duration_ns = stats.duration_ns;
    f.packet_count = stats.packet_count;
    f.byte_count = stats.byte_count;
    Ok(f)
}

pub(crate) fn encode_removed(e: &mut Encoder, f: &FlowRemoved) {
    let v = e.version;
    let nx = e.use_nxm(&f.matching);
    if !e.begin_as(Kind::FlowRemoved, nx) {
        return;
    }
    if v >= Version::V1_5 {
        return encode_removed_15(e, f);
    }
    if e.is_10() && !nx {
        v10::put(&mut e.w, &f.matching);
    }
    e.w.u64(f.cookie.0);
    e.w.u16(f.priority);
    e.w.u8(f.reason.wire(v));
    e.w.u8(match (nx, f.table) {
        (true, table) => table.map_or(0, |t| t.0.wrapping_add(1)),
        (false, Some(t)) if v >= Version::V1_1 => t.0,
        _ => 0,
    });
    e.w.u32(f.duration_s);
    e.w.u32(f.duration_ns);
    e.w.u16(f.idle_s);
    let len_at = e.w.len();
    e.w.u16(if v >= Version::V1_1 { f.hard_s } else { 0 });
    e.w.u64(f.packet_count);
    e.w.u64(f.byte_count);
    if nx {
        put_nxm(e, &f.matching, None, len_at);
    } else if v >= Version::V1_1 {
        e.matching(&f.matching);
    }
}

fn encode_removed_15(e: &mut Encoder, f: &FlowRemoved) {
    e.w.u8(f.table.unwrap_or(TableId(0)).0);
    e.w.u8(f.reason.wire(e.version));
    e.w.u16(f.priority);
    e.w.u16(f.idle_s);
    e.w.u16(f.hard_s);
    e.w.u64(f.cookie.0);
    e.matching(&f.matching);
    super::flow_stats::Oxs {
        duration_s: f.duration_s,
        duration_ns: f.duration_ns,
        packet_count: f.packet_count,
        byte_count: f.byte_count,
        ..Default::default()
    }
    .put(&mut e.w, true);
}
