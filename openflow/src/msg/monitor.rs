//! Flow monitoring: who wants to know about which changes, and the changes.

use super::Message;
use super::flow_mod::{pull_nxm, put_nxm};
use crate::action::{instruction, list};
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::{Class, Kind};
use crate::types::Version;
use crate::wire::{Decode, Put};

use super::FlowRemovedReason;
use crate::action::Action;
use crate::matching::Match;
use crate::types::{Cookie, GroupId, OfPort, TableId, Xid};

bitflags::bitflags! {
    /// What a monitor reports (OpenFlow 1.4 bits).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MonitorFlags: u16 {
        const INITIAL = 1;
        const ADD = 2;
        const REMOVED = 4;
        const MODIFY = 8;
        /// Include instructions.
        const INSTRUCTIONS = 16;
        /// Do not abbreviate changes by the own connection.
        const NO_ABBREV = 32;
        /// Only changes by the own connection.
        const ONLY_OWN = 64;
    }
}

/// What is done with a monitor (1.4+; older versions only add).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum MonitorCommand {
    #[default]
    Add = 0,
    Modify = 1,
    Delete = 2,
}

/// One monitor.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowMonitorRequest {
    pub id: u32,
    pub command: MonitorCommand,
    pub flags: MonitorFlags,
    pub out_port: OfPort,
    pub out_group: GroupId,
    pub table: TableId,
    pub matching: Match,
}

/// What happened to a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowEvent {
    Initial,
    Added,
    Removed(FlowRemovedReason),
    Modified,
}

/// One entry of a flow monitor reply.
#[derive(Clone, PartialEq, Debug)]
pub enum FlowUpdate {
    /// The change was made by the request with this xid of the same connection.
    Abbrev(Xid),
    Full(Box<FlowChange>),
    /// 1.4+: the switch stops or resumes sending.
    Paused,
    Resumed,
}

/// A flow as it is after the change (before it, when removed).
#[derive(Clone, PartialEq, Debug)]
pub struct FlowChange {
    pub event: FlowEvent,
    pub idle_s: u16,
    pub hard_s: u16,
    pub priority: u16,
    pub table: TableId,
    pub cookie: Cookie,
    pub matching: Match,
    pub actions: Vec<Action>,
}

impl MonitorFlags {
    /// From Nicira's (and the ONF extension's) bits.
    fn from_nx(v: u16) -> Option<Self> {
        if v & !0x3f != 0 {
            return None;
        }
        let own = if v & 32 != 0 { Self::ONLY_OWN } else { Self::empty() };
        Some(Self::from_bits_truncate(v & 0x1f) | own)
    }
    fn to_nx(self) -> u16 {
        self.bits() & 0x1f | if self.contains(Self::ONLY_OWN) { 32 } else { 0 }
    }
}

fn is_onf(b: &Body<'_>) -> bool {
    matches!(b.class, Class::OnfstReq | Class::OnfstRep)
}

pub(crate) fn decode_request(b: &mut Body<'_>) -> Decode<FlowMonitorRequest> {
    let bad = OfpError::OFPBRC_BAD_LEN;
    let id = b.r.u32()?;
    if b.version >= Version::V1_4 {
        let out_port = b.port()?;
        let out_group = GroupId(b.r.u32()?);
        let flags = MonitorFlags::from_bits(b.r.u16()?).ok_or(OfpError::OFPMOFC_BAD_FLAGS)?;
        let table = TableId(b.r.u8()?);
        let command = match b.r.u8()? {
            0 => MonitorCommand::Add,
            1 => MonitorCommand::Modify,
            2 => MonitorCommand::Delete,
            _ => return Err(OfpError::OFPMOFC_BAD_COMMAND),
        };
        let matching = b.matching()?;
        return Ok(FlowMonitorRequest { id, command, flags, out_port, out_group, table, matching });
    }
    let flags = MonitorFlags::from_nx(b.r.u16()?).ok_or(OfpError::OFPMOFC_BAD_FLAGS)?;
    let (out_port, match_len, table);
    if is_onf(b) {
        match_len = b.r.u16()?;
        out_port = b.port()?;
        table = TableId(b.r.u8()?);
        b.r.zeros(3, OfpError::NXBRC_MUST_BE_ZERO)?;
    } else {
        out_port = OfPort::from_u16(b.r.u16()?);
        match_len = b.r.u16()?;
        table = TableId(b.r.u8()?);
        b.r.zeros(5, OfpError::NXBRC_MUST_BE_ZERO)?;
    }
    let matching = if is_onf(b) {
        b.matching()?
    } else {
        pull_nxm(&mut b.r, match_len.into())
            .map_err(|e| match e {
                OfpError::OFPBMC_BAD_LEN => bad,
                e => e,
            })?
            .matching
    };
    let (command, out_group) = (MonitorCommand::Add, GroupId::ANY);
    Ok(FlowMonitorRequest { id, command, flags, out_port, out_group, table, matching })
}

pub(crate) fn encode_request(e: &mut Encoder, requests: &[FlowMonitorRequest]) {
    if !e.begin(Kind::FlowMonitorRequest) {
        return;
    }
    for q in requests {
        e.w.u32(q.id);
        if e.version >= Version::V1_4 {
            e.w.u32(q.out_port.0);
            e.w.u32(q.out_group.0);
            e.w.u16(q.flags.bits());
            e.w.u8(q.table.0);
            e.w.u8(q.command as u8);
            e.matching(&q.matching);
        } else if e.version == Version::V1_3 {
            e.w.u16(q.flags.to_nx());
            let len_at = e.w.len();
            e.w.u16(0);
            e.w.u32(q.out_port.0);
            e.w.u8(q.table.0);
            e.w.zeros(3);
            let start = e.w.len();
            e.matching(&q.matching);
            let len = e.w.len() - start;
            e.w.patch_u16(len_at, len as u16);
        } else {
            e.w.u16(q.flags.to_nx());
            e.w.u16(q.out_port.low16());
            let len_at = e.w.len();
            e.w.u16(0);
            e.w.u8(q.table.0);
            e.w.zeros(5);
            put_nxm(e, &q.matching, None, len_at);
        }
    }
}

pub(crate) fn decode_cancel(b: &mut Body<'_>) -> Decode<Message> {
    let id = b.r.u32()?;
    b.r.finish()?;
    Ok(Message::FlowMonitorCancel(id))
}

/// Event codes of OpenFlow 1.4; Nicira's have no "initial" and so are one less.
const EV_INITIAL: u16 = 0;
const EV_ADDED: u16 = 1;
const EV_REMOVED: u16 = 2;
const EV_MODIFIED: u16 = 3;
const EV_ABBREV: u16 = 4;
const EV_PAUSED: u16 = 5;
const EV_RESUMED: u16 = 6;

pub(crate) fn decode_update(b: &mut Body<'_>) -> Decode<FlowUpdate> {
    let bad = OfpError::OFPBRC_BAD_LEN;
    let len = usize::from(b.r.u16()?);
    if len < 8 || !len.is_multiple_of(8) {
        return Err(bad);
    }
    let mut inner = Body { r: b.r.sub(len - 2)?, ..*b };
    let b = &mut inner;
    let v14 = b.version >= Version::V1_4;
    let event = b.r.u16()?;
    match if v14 { event } else { event + 1 } {
        EV_ABBREV => Ok(FlowUpdate::Abbrev(b.r.u32()?)),
        EV_PAUSED if v14 => Ok(FlowUpdate::Paused),
        EV_RESUMED if v14 => Ok(FlowUpdate::Resumed),
        code @ EV_INITIAL..=EV_MODIFIED if v14 => change_14(b, code),
        code @ EV_ADDED..=EV_MODIFIED => change_nx(b, code),
        _ => Err(OfpError::NXBRC_FM_BAD_EVENT),
    }
}

fn event(code: u16, reason: u16) -> Decode<FlowEvent> {
    Ok(match code {
        EV_INITIAL => FlowEvent::Initial,
        EV_ADDED => FlowEvent::Added,
        EV_REMOVED => FlowEvent::Removed(FlowRemovedReason::from_wire(reason.min(255) as u8)?),
        _ => FlowEvent::Modified,
    })
}

fn change_14(b: &mut Body<'_>, code: u16) -> Decode<FlowUpdate> {
    let table = TableId(b.r.u8()?);
    let reason = b.r.u8()?;
    let (idle_s, hard_s, priority) = (b.r.u16()?, b.r.u16()?, b.r.u16()?);
    b.r.skip(4)?;
    let cookie = Cookie(b.r.u64()?);
    let matching = b.matching()?;
    let actions = {
        let ctx = b.actions();
        instruction::decode(&mut b.r, ctx)?
    };
    let event = event(code, reason.into())?;
    Ok(FlowUpdate::Full(Box::new(FlowChange {
        event,
        idle_s,
        hard_s,
        priority,
        table,
        cookie,
        matching,
        actions,
    })))
}

fn change_nx(b: &mut Body<'_>, code: u16) -> Decode<FlowUpdate> {
    let reason = b.r.u16()?;
    let (priority, idle_s, hard_s) = (b.r.u16()?, b.r.u16()?, b.r.u16()?);
    let match_len = b.r.u16()?;
    let table = TableId(b.r.u8()?);
    b.r.skip(1)?;
    let cookie = Cookie(b.r.u64()?);
    let matching = if is_onf(b) { b.matching()? } else { pull_nxm(&mut b.r, match_len.into())?.matching };
    let actions = list::decode(b.r.rest(), b.actions())?;
    let event = event(code, reason)?;
    Ok(FlowUpdate::Full(Box::new(FlowChange {
        event,
        idle_s,
        hard_s,
        priority,
        table,
        cookie,
        matching,
        actions,
    })))
}

pub(crate) fn encode_updates(e: &mut Encoder, updates: &[FlowUpdate]) {
    if e.begin(Kind::FlowMonitorReply) {
        e.entries(updates, put_update);
    }
}

fn put_update(e: &mut Encoder, u: &FlowUpdate) {
    let v14 = e.version >= Version::V1_4;
    let code = |c: u16| if v14 { c } else { c.saturating_sub(1) };
    let short = |e: &mut Encoder, c: u16, word: u32| {
        e.w.u16(8);
        e.w.u16(code(c));
        e.w.u32(word);
    };
    match u {
        FlowUpdate::Abbrev(xid) => short(e, EV_ABBREV, *xid),
        FlowUpdate::Paused if v14 => short(e, EV_PAUSED, 0),
        FlowUpdate::Resumed if v14 => short(e, EV_RESUMED, 0),
        FlowUpdate::Paused | FlowUpdate::Resumed => {}
        FlowUpdate::Full(c) => put_change(e, c, v14),
    }
}

fn put_change(e: &mut Encoder, c: &FlowChange, v14: bool) {
    let start = e.w.len();
    let (code, reason) = match c.event {
        FlowEvent::Initial if v14 => (EV_INITIAL, 0),
        FlowEvent::Initial | FlowEvent::Added => (EV_ADDED, 0),
        FlowEvent::Removed(reason) => (EV_REMOVED, reason.wire(e.version)),
        FlowEvent::Modified => (EV_MODIFIED, 0),
    };
    e.w.u16(0);
    e.w.u16(if v14 { code } else { code - 1 });
    let ctx = e.actions(&c.matching);
    if v14 {
        e.w.u8(c.table.0);
        e.w.u8(reason);
        e.w.u16(c.idle_s);
        e.w.u16(c.hard_s);
        e.w.u16(c.priority);
        e.w.zeros(4);
        e.w.u64(c.cookie.0);
        e.matching(&c.matching);
        instruction::encode(&c.actions, ctx, &mut e.w);
    } else {
        e.w.u16(reason.into());
        e.w.u16(c.priority);
        e.w.u16(c.idle_s);
        e.w.u16(c.hard_s);
        let len_at = e.w.len();
        e.w.u16(0);
        e.w.u8(c.table.0);
        e.w.u8(0);
        e.w.u64(c.cookie.0);
        if e.version == Version::V1_3 {
            let at = e.w.len();
            e.matching(&c.matching);
            let len = e.w.len() - at;
            e.w.patch_u16(len_at, len as u16);
        } else {
            put_nxm(e, &c.matching, None, len_at);
        }
        list::encode(&c.actions, ctx, &mut e.w);
    }
    let len = e.w.len() - start;
    e.w.patch_u16(start, len as u16);
}
