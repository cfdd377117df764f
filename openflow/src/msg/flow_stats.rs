//! Flow and aggregate statistics.

use super::flow_mod::{pull_nxm, put_nxm};
use crate::action::{instruction, list};
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader};

use super::FlowModFlags;
use crate::action::Action;
use crate::matching::Match;
use crate::types::{Cookie, GroupId, OfPort, TableId};

/// Which flows are asked for (flow and aggregate requests).
#[derive(Clone, PartialEq, Debug)]
pub struct FlowStatsRequest {
    pub matching: Match,
    pub cookie: Cookie,
    pub cookie_mask: u64,
    pub out_port: OfPort,
    pub out_group: GroupId,
    pub table: TableId,
    /// OpenFlow 1.0: asked in Nicira's form, and so to be answered.
    pub nxm: bool,
}

impl Default for FlowStatsRequest {
    fn default() -> Self {
        FlowStatsRequest {
            matching: Match::default(),
            cookie: Cookie(0),
            cookie_mask: 0,
            out_port: OfPort::ANY,
            out_group: GroupId::ANY,
            table: TableId::ALL,
            nxm: false,
        }
    }
}

/// One flow of a flow stats reply.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowStats {
    pub matching: Match,
    pub cookie: Cookie,
    pub table: TableId,
    pub priority: u16,
    pub idle_s: u16,
    pub hard_s: u16,
    pub duration_s: u32,
    pub duration_ns: u32,
    /// Seconds since the last packet; `None` = not told.
    pub idle_age_s: Option<u32>,
    /// Seconds since the last change; `None` = not told.
    pub hard_age_s: Option<u32>,
    /// `u64::MAX` = unknown.
    pub packet_count: u64,
    pub byte_count: u64,
    pub flags: FlowModFlags,
    pub importance: u16,
    pub actions: Vec<Action>,
}

/// Aggregate stats reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AggregateStats {
    /// `u64::MAX` = unknown.
    pub packet_count: u64,
    pub byte_count: u64,
    pub flow_count: u32,
}

/// OpenFlow 1.5 statistics as a list of OXS entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oxs {
    pub duration_s: u32,
    pub duration_ns: u32,
    pub idle_s: Option<u32>,
    pub packet_count: u64,
    pub byte_count: u64,
    pub flow_count: Option<u32>,
}

impl Default for Oxs {
    fn default() -> Self {
        Oxs {
            duration_s: 0,
            duration_ns: 0,
            idle_s: None,
            packet_count: u64::MAX,
            byte_count: u64::MAX,
            flow_count: None,
        }
    }
}

const OXS_CLASS: u16 = 0x8002;
const OXS_DURATION: u8 = 0;
const OXS_IDLE: u8 = 1;
const OXS_FLOW_COUNT: u8 = 3;
const OXS_PACKETS: u8 = 4;
const OXS_BYTES: u8 = 5;

impl Oxs {
    pub(crate) fn pull(r: &mut Reader<'_>) -> Decode<Oxs> {
        let bad = OfpError::OFPBRC_BAD_LEN;
        let mut head = r.clone();
        head.skip(2)?;
        let len = usize::from(head.u16()?);
        if len < 4 {
            return Err(bad);
        }
        let mut body = r.sub(len)?;
        r.skip_up_to(len.next_multiple_of(8) - len);
        body.skip(4)?;
        let mut out = Oxs::default();
        while !body.is_empty() {
            let class = body.u16()?;
            let (field, len) = (body.u8()? >> 1, usize::from(body.u8()?));
            let mut v = body.sub(len)?;
            if class != OXS_CLASS {
                continue;
            }
            match field {
                OXS_DURATION => (out.duration_s, out.duration_ns) = (v.u32()?, v.u32()?),
                OXS_IDLE => out.idle_s = Some(v.u32()?),
                OXS_FLOW_COUNT => out.flow_count = Some(v.u32()?),
                OXS_PACKETS => out.packet_count = v.u64()?,
                OXS_BYTES => out.byte_count = v.u64()?,
                _ => {}
            }
        }
        Ok(out)
    }

    pub(crate) fn put(&self, w: &mut Vec<u8>, duration: bool) {
        let start = w.len();
        w.u32(0);
        let head = |w: &mut Vec<u8>, field: u8, len: u8| {
            w.u16(OXS_CLASS);
            w.u8(field << 1);
            w.u8(len);
        };
        if duration {
            head(w, OXS_DURATION, 8);
            w.u32(self.duration_s);
            w.u32(self.duration_ns);
        }
        if let Some(idle) = self.idle_s {
            head(w, OXS_IDLE, 8);
            w.u32(idle);
            w.u32(0);
        }
        if let Some(n) = self.flow_count {
            head(w, OXS_FLOW_COUNT, 4);
            w.u32(n);
        }
        for (field, v) in [(OXS_PACKETS, self.packet_count), (OXS_BYTES, self.byte_count)] {
            if v != u64::MAX {
                head(w, field, 8);
                w.u64(v);
            }
        }
        let len = w.len() - start;
        w.patch_u16(start + 2, len as u16);
        w.pad(start, 8);
    }
}

pub(crate) fn decode_request(b: &mut Body<'_>) -> Decode<FlowStatsRequest> {
    let mut q = FlowStatsRequest::default();
    if b.is_nx() {
        q.nxm = true;
        q.out_port = OfPort::from_u16(b.r.u16()?);
        let match_len = usize::from(b.r.u16()?);
        q.table = TableId(b.r.u8()?);
        b.r.skip(3)?;
        let entries = pull_nxm(&mut b.r, match_len)?;
        (q.cookie, q.cookie_mask) = entries.cookie.unwrap_or_default();
        q.matching = entries.matching;
    } else if b.is_10() {
        q.matching = b.matching()?;
        q.table = TableId(b.r.u8()?);
        b.r.skip(1)?;
        q.out_port = OfPort::from_u16(b.r.u16()?);
        q.matching.normalize();
    } else {
        q.table = TableId(b.r.u8()?);
        b.r.skip(3)?;
        q.out_port = b.port()?;
        q.out_group = GroupId(b.r.u32()?);
        b.r.skip(4)?;
        q.cookie = Cookie(b.r.u64()?);
        q.cookie_mask = b.r.u64()?;
        q.matching = b.matching()?;
    }
    b.r.finish()?;
    Ok(q)
}

pub(crate) fn encode_request(e: &mut Encoder, kind: Kind, q: &FlowStatsRequest) {
    let nx = e.is_10() && (q.nxm || q.cookie_mask != 0 || e.use_nxm(&q.matching));
    if !e.begin_as(kind, nx) {
        return;
    }
    if nx {
        e.w.u16(q.out_port.low16());
        let len_at = e.w.len();
        e.w.u16(0);
        e.w.u8(q.table.0);
        e.w.zeros(3);
        put_nxm(e, &q.matching, Some((q.cookie, q.cookie_mask)), len_at);
    } else if e.is_10() {
        e.matching(&q.matching);
        e.w.u8(q.table.0);
        e.w.u8(0);
        e.w.u16(q.out_port.low16());
    } else {
        e.w.u8(q.table.0);
        e.w.zeros(3);
        e.w.u32(q.out_port.0);
        e.w.u32(q.out_group.0);
        e.w.zeros(4);
        e.w.u64(q.cookie.0);
        e.w.u64(q.cookie_mask);
        e.matching(&q.matching);
    }
}

impl Default for FlowStats {
    fn default() -> Self {
        FlowStats {
            matching: Match::default(),
            cookie: Cookie(0),
            table: TableId(0),
            priority: 0,
            idle_s: 0,
            hard_s: 0,
            duration_s: 0,
            duration_ns: 0,
            idle_age_s: None,
            hard_age_s: None,
            packet_count: u64::MAX,
            byte_count: u64::MAX,
            flags: FlowModFlags::empty(),
            importance: 0,
            actions: Vec::new(),
        }
    }
}

/// One flow of a reply.
pub(crate) fn decode(b: &mut Body<'_>) -> Decode<FlowStats> {
    let bad = OfpError::OFPBRC_BAD_LEN;
    let len = usize::from(b.r.u16()?).checked_sub(2).ok_or(bad)?;
    let mut inner = Body { r: b.r.sub(len)?, ..*b };
    let v = b.version;
    let b = &mut inner;
    let mut f = FlowStats::default();
    if v >= Version::V1_5 {
        b.r.skip(2)?;
    }
    f.table = TableId(b.r.u8()?);
    b.r.skip(1)?;
    if v == Version::V1_0 && !b.is_nx() {
        f.matching = b.matching()?;
    }
    if v < Version::V1_5 {
        f.duration_s = b.r.u32()?;
        f.duration_ns = b.r.u32()?;
    }
    f.priority = b.r.u16()?;
    f.idle_s = b.r.u16()?;
    f.hard_s = b.r.u16()?;
    if b.is_nx() {
        let match_len = usize::from(b.r.u16()?);
        let (idle, hard) = (b.r.u16()?, b.r.u16()?);
        f.idle_age_s = idle.checked_sub(1).map(u32::from);
        f.hard_age_s = hard.checked_sub(1).map(u32::from);
        counters(b, &mut f)?;
        f.matching = pull_nxm(&mut b.r, match_len)?.matching;
    } else if v == Version::V1_0 {
        b.r.skip(6)?;
        counters(b, &mut f)?;
    } else {
        decode_11(b, &mut f)?;
    }
    f.actions = match v {
        Version::V1_0 => list::decode(b.r.rest(), b.actions())?,
        _ => {
            let ctx = b.actions();
            instruction::decode(&mut b.r, ctx)?
        }
    };
    Ok(f)
}

fn counters(b: &mut Body<'_>, f: &mut FlowStats) -> Decode<()> {
    f.cookie = Cookie(b.r.u64()?);
    f.packet_count = b.r.u64()?;
    f.byte_count = b.r.u64()?;
    Ok(())
}

fn decode_11(b: &mut Body<'_>, f: &mut FlowStats) -> Decode<()> {
    let v = b.version;
    let (flags, importance) = (b.r.u16()?, b.r.u16()?);
    if v >= Version::V1_3 {
        f.flags = FlowModFlags::from_bits_truncate(flags & 0x1f);
    }
    if v >= Version::V1_4 {
        f.importance = importance;
    }
    if v < Version::V1_5 {
        b.r.skip(2)?;
        counters(b, f)?;
        f.matching = b.matching()?;
        return Ok(());
    }
    f.cookie = Cookie(b.r.u64()?);
    f.matching = b.matching()?;
    let stats = Oxs::pull(&mut b.r)?;
    (f.duration_s, f.duration_ns) = (stats.duration_s, stats.duration_ns);
    (f.packet_count, f.byte_count) = (stats.packet_count, stats.byte_count);
    f.idle_age_s = stats.idle_s;
    Ok(())
}

/// OpenFlow 1.0: Nicira's form when the format asks for it or a match needs it.
pub(crate) fn encode(e: &mut Encoder, flows: &[FlowStats]) {
    let nx = flows.iter().any(|f| e.use_nxm(&f.matching))
        || e.is_10() && e.format == crate::codec::MatchFormat::Nxm;
    if e.begin_as(Kind::FlowReply, nx) {
        e.entries(flows, |e, f| put(e, f, nx));
    }
}

fn age(v: Option<u32>) -> u16 {
    v.map_or(0, |v| v.saturating_add(1).min(u32::from(u16::MAX)) as u16)
}

fn put(e: &mut Encoder, f: &FlowStats, nx: bool) {
    let v = e.version;
    let start = e.w.len();
    e.w.u16(0);
    e.w.zeros(if v >= Version::V1_5 { 2 } else { 0 });
    e.w.u8(f.table.0);
    e.w.u8(0);
    if v == Version::V1_0 && !nx {
        e.matching(&f.matching);
    }
    if v < Version::V1_5 {
        e.w.u32(f.duration_s);
        e.w.u32(f.duration_ns);
    }
    e.w.u16(f.priority);
    e.w.u16(f.idle_s);
    e.w.u16(f.hard_s);
    let ctx = e.actions(&f.matching);
    if v == Version::V1_0 {
        let len_at = e.w.len();
        e.w.zeros(2);
        e.w.u16(if nx { age(f.idle_age_s) } else { 0 });
        e.w.u16(if nx { age(f.hard_age_s) } else { 0 });
        put_counters(e, f);
        if nx {
            put_nxm(e, &f.matching, None, len_at);
        }
    } else {
        e.w.u16(if v >= Version::V1_3 { f.flags.wire(v) } else { 0 });
        e.w.u16(if v >= Version::V1_4 { f.importance } else { 0 });
        if v < Version::V1_5 {
            e.w.zeros(2);
            put_counters(e, f);
            e.matching(&f.matching);
        } else {
            e.w.u64(f.cookie.0);
            e.matching(&f.matching);
            Oxs {
                duration_s: f.duration_s,
                duration_ns: f.duration_ns,
                idle_s: f.idle_age_s,
                packet_count: f.packet_count,
                byte_count: f.byte_count,
                flow_count: None,
            }
            .put(&mut e.w, true);
        }
    }
    instruction::encode(&f.actions, ctx, &mut e.w);
    let len = e.w.len() - start;
    e.w.patch_u16(start, len.min(0xfff8) as u16);
}

fn put_counters(e: &mut Encoder, f: &FlowStats) {
    e.w.u64(f.cookie.0);
    e.w.u64(f.packet_count);
    e.w.u64(f.byte_count);
}

pub(crate) fn decode_aggregate(b: &mut Body<'_>) -> Decode<AggregateStats> {
    if b.version >= Version::V1_5 {
        let s = Oxs::pull(&mut b.r)?;
        return Ok(AggregateStats {
            packet_count: s.packet_count,
            byte_count: s.byte_count,
            flow_count: s.flow_count.unwrap_or(0),
        });
    }
    let s = AggregateStats { packet_count: b.r.u64()?, byte_count: b.r.u64()?, flow_count: b.r.u32()? };
    b.r.skip(4)?;
    Ok(s)
}

pub(crate) fn encode_aggregate(e: &mut Encoder, a: &AggregateStats) {
    let nx = e.is_10() && e.format == crate::codec::MatchFormat::Nxm;
    if !e.begin_as(Kind::AggregateReply, nx) {
        return;
    }
    if e.version >= Version::V1_5 {
        let s = Oxs {
            packet_count: a.packet_count,
            byte_count: a.byte_count,
            flow_count: Some(a.flow_count),
            ..Oxs::default()
        };
        return s.put(&mut e.w, false);
    }
    e.w.u64(a.packet_count);
    e.w.u64(a.byte_count);
    e.w.u32(a.flow_count);
    e.w.zeros(4);
}
