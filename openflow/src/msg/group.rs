//! Groups: modification, description, statistics, features.

use crate::action::list;
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::matching::oxm;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader, property, put_property};

use crate::action::Action;
use crate::matching::{Field, FieldValue};
use crate::types::{GroupId, OfPort};

/// What a group does with its buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum GroupType {
    All = 0,
    Select = 1,
    Indirect = 2,
    FastFailover = 3,
}

/// What a group mod asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum GroupModCommand {
    Add = 0,
    Modify = 1,
    Delete = 2,
    InsertBucket = 3,
    /// Add, or modify when it exists (OVS).
    AddOrMod = 4,
    RemoveBucket = 5,
}

/// Positions and ids of buckets above the valid ones.
pub const BUCKET_MAX: u32 = 0xffff_ff00;
pub const BUCKET_FIRST: u32 = 0xffff_fffd;
pub const BUCKET_LAST: u32 = 0xffff_fffe;
pub const BUCKET_ALL: u32 = 0xffff_ffff;

/// One bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    pub bucket_id: u32,
    /// Select groups.
    pub weight: u16,
    /// Fast failover: live when this port is; `ANY` = no condition.
    pub watch_port: OfPort,
    pub watch_group: GroupId,
    pub actions: Vec<Action>,
}

/// How a select group picks a bucket; an empty method is the default of the switch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    pub method: String,
    pub param: u64,
    /// The fields to hash and their masks.
    pub fields: Vec<(Field, FieldValue)>,
}

/// OFPT_GROUP_MOD.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupMod {
    pub command: GroupModCommand,
    pub kind: GroupType,
    pub group_id: GroupId,
    /// Where buckets go in or out: `BUCKET_FIRST`, `BUCKET_LAST`, `BUCKET_ALL` or an id.
    pub command_bucket_id: u32,
    pub buckets: Vec<Bucket>,
    pub selection: Selection,
}

/// One group of a description reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupDesc {
    pub group_id: GroupId,
    pub kind: GroupType,
    pub buckets: Vec<Bucket>,
    pub selection: Selection,
}

/// One group of a statistics reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupStats {
    pub group_id: GroupId,
    pub ref_count: u32,
    pub packet_count: u64,
    pub byte_count: u64,
    /// `u32::MAX`: the version does not tell.
    pub duration_s: u32,
    pub duration_ns: u32,
    /// Packets and bytes of each bucket.
    pub buckets: Vec<(u64, u64)>,
}

/// Group features; arrays are indexed by `GroupType`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupFeatures {
    pub types: u32,
    pub capabilities: u32,
    pub max_groups: [u32; 4],
    /// Bitmaps of OpenFlow 1.1+ action numbers.
    pub actions: [u64; 4],
}

/// Netronome's experimenter id: the property with the selection method.
const NTR_VENDOR: u32 = 0x0000_154d;
const NTR_SELECTION_METHOD: u32 = 1;
const METHOD_LEN: usize = 16;
const PROP_EXPERIMENTER: u16 = 0xffff;
const BUCKET_WEIGHT: u16 = 0;
const BUCKET_WATCH_PORT: u16 = 1;
const BUCKET_WATCH_GROUP: u16 = 2;

/// The form of OpenFlow 1.5, which Nicira's messages of 1.0 use too.
fn is_15(v: Version) -> bool {
    v == Version::V1_0 || v >= Version::V1_5
}

impl GroupType {
    pub(crate) fn from_wire(v: u8) -> Option<Self> {
        [Self::All, Self::Select, Self::Indirect, Self::FastFailover].get(usize::from(v)).copied()
    }
    pub fn name(self) -> &'static str {
        ["all", "select", "indirect", "ff"][self as usize]
    }
}

impl Bucket {
    /// A bucket without conditions.
    pub fn new(actions: Vec<Action>) -> Self {
        Bucket {
            bucket_id: BUCKET_ALL,
            weight: 0,
            watch_port: OfPort::ANY,
            watch_group: GroupId::ANY,
            actions,
        }
    }
}

fn decode_buckets(r: &mut Reader<'_>, v: Version, kind: GroupType) -> Decode<Vec<Bucket>> {
    let bad = OfpError::OFPGMFC_BAD_BUCKET;
    let mut out: Vec<Bucket> = Vec::new();
    while !r.is_empty() {
        let mut head = Reader::with(r.peek(), bad);
        let len = usize::from(head.u16()?);
        if len < 16 || !len.is_multiple_of(8) || len > r.len() {
            return Err(bad);
        }
        let mut body = Reader::with(&r.bytes(len)?[2..], bad);
        let mut bucket = Bucket::new(Vec::new());
        if is_15(v) {
            decode_bucket_15(&mut body, v, kind, &mut bucket)?;
        } else {
            bucket.weight = body.u16()?;
            bucket.watch_port =
                crate::action::port_11(body.u32()?).map_err(|_| OfpError::OFPGMFC_BAD_WATCH)?;
            bucket.watch_group = GroupId(body.u32()?);
            body.skip(4)?;
            bucket.actions = list::decode(body.rest(), list::DecodeCtx::new(v))?;
            bucket.bucket_id = out.len() as u32;
        }
        out.push(bucket);
    }
    Ok(out)
}

fn decode_bucket_15(r: &mut Reader<'_>, v: Version, kind: GroupType, bucket: &mut Bucket) -> Decode<()> {
    let actions_len = usize::from(r.u16()?);
    bucket.bucket_id = r.u32()?;
    if bucket.bucket_id > BUCKET_MAX {
        return Err(OfpError::OFPGMFC_BAD_BUCKET);
    }
    bucket.actions = list::decode(r.bytes(actions_len)?, list::DecodeCtx::new(v))?;
    bucket.weight = u16::from(kind == GroupType::Select);
    while !r.is_empty() {
        let (prop, mut body) = property(r, 8)?;
        match prop {
            BUCKET_WEIGHT => bucket.weight = body.u16()?,
            BUCKET_WATCH_PORT => {
                bucket.watch_port =
                    crate::action::port_11(body.u32()?).map_err(|_| OfpError::OFPGMFC_BAD_WATCH)?;
            }
            BUCKET_WATCH_GROUP => bucket.watch_group = GroupId(body.u32()?),
            _ => return Err(OfpError::OFPBPC_BAD_TYPE),
        }
    }
    Ok(())
}

fn put_buckets(e: &mut Encoder, buckets: &[Bucket], kind: GroupType) {
    let v = e.version;
    let ctx = list::EncodeCtx::new(v);
    for bucket in buckets {
        let start = e.w.len();
        e.w.u16(0);
        if is_15(v) {
            e.w.u16(0);
            e.w.u32(bucket.bucket_id);
            let at = e.w.len();
            list::encode(&bucket.actions, ctx, &mut e.w);
            let len = e.w.len() - at;
            e.w.patch_u16(start + 2, len as u16);
            if kind == GroupType::Select {
                put_property(&mut e.w, BUCKET_WEIGHT, 8, |w| {
                    w.u16(bucket.weight);
                    w.zeros(2);
                });
            }
            if bucket.watch_port != OfPort::ANY {
                put_property(&mut e.w, BUCKET_WATCH_PORT, 8, |w| w.u32(bucket.watch_port.0));
            }
            if bucket.watch_group != GroupId::ANY {
                put_property(&mut e.w, BUCKET_WATCH_GROUP, 8, |w| w.u32(bucket.watch_group.0));
            }
        } else {
            e.w.u16(bucket.weight);
            e.w.u32(bucket.watch_port.0);
            e.w.u32(bucket.watch_group.0);
            e.w.zeros(4);
            list::encode(&bucket.actions, ctx, &mut e.w);
        }
        let len = e.w.len() - start;
        e.w.patch_u16(start, len as u16);
    }
}

fn decode_selection(r: &mut Reader<'_>, kind: GroupType, command_ok: bool) -> Decode<Selection> {
    let mut s = Selection::default();
    while !r.is_empty() {
        let (prop, mut body) = property(r, 8)?;
        if prop != PROP_EXPERIMENTER {
            return Err(OfpError::OFPBPC_BAD_TYPE);
        }
        if body.u32()? != NTR_VENDOR {
            return Err(OfpError::OFPBPC_BAD_EXPERIMENTER);
        }
        if body.u32()? != NTR_SELECTION_METHOD {
            return Err(OfpError::OFPBPC_BAD_EXP_TYPE);
        }
        if kind != GroupType::Select || !command_ok {
            return Err(OfpError::OFPBPC_BAD_VALUE);
        }
        body.skip(4)?;
        let method = body.bytes(METHOD_LEN)?;
        let end = method.iter().position(|&b| b == 0).ok_or(OfpError::OFPBPC_BAD_VALUE)?;
        s.method = String::from_utf8_lossy(&method[..end]).into_owned();
        if !matches!(s.method.as_str(), "hash" | "dp_hash") {
            return Err(OfpError::OFPBPC_BAD_VALUE);
        }
        s.param = body.u64()?;
        s.fields = decode_fields(&mut body)?;
    }
    Ok(s)
}

/// The fields of a hash: entries whose value is the mask, all ones when the header says "no mask".
fn decode_fields(r: &mut Reader<'_>) -> Decode<Vec<(Field, FieldValue)>> {
    let mut out = Vec::new();
    while !r.is_empty() {
        let head = oxm::Head::pull(r).map_err(|_| OfpError::OFPBPC_BAD_LEN)?;
        let field = head.field().ok_or(OfpError::OFPBMC_BAD_FIELD)?;
        let n_bytes = field.info().n_bytes;
        if head.has_mask || head.len != n_bytes {
            return Err(OfpError::OFPBMC_BAD_LEN);
        }
        let mask = r.bytes(n_bytes)?.iter().fold(0, |n, &b| n << 8 | FieldValue::from(b));
        if mask == 0 || out.iter().any(|&(f, _)| f == field) {
            return Err(if mask == 0 { OfpError::OFPBMC_BAD_MASK } else { OfpError::OFPBMC_DUP_FIELD });
        }
        out.push((field, mask));
    }
    Ok(out)
}

fn put_selection(e: &mut Encoder, s: &Selection) {
    if s.method.is_empty() {
        return;
    }
    let v = e.version;
    put_property(&mut e.w, PROP_EXPERIMENTER, 8, |w| {
        w.u32(NTR_VENDOR);
        w.u32(NTR_SELECTION_METHOD);
        w.zeros(4);
        w.text(&s.method, METHOD_LEN);
        w.u64(s.param);
        for &(field, mask) in &s.fields {
            oxm::Head::of(field, v, false).put(w);
            w.bytes(&mask.to_be_bytes()[16 - field.info().n_bytes.min(16)..]);
        }
    });
}

pub(crate) fn decode_mod(b: &mut Body<'_>) -> Decode<GroupMod> {
    use GroupModCommand as C;
    let v = b.version;
    let command = match b.r.u16()? {
        0 => C::Add,
        1 => C::Modify,
        2 => C::Delete,
        0x8000 => C::AddOrMod,
        3 if is_15(v) => C::InsertBucket,
        5 if is_15(v) => C::RemoveBucket,
        _ => return Err(OfpError::OFPGMFC_BAD_COMMAND),
    };
    let kind = b.r.u8()?;
    let kind = match (GroupType::from_wire(kind), command) {
        (Some(kind), _) => kind,
        _ => return Err(OfpError::OFPGMFC_BAD_TYPE),
    };
    b.r.skip(1)?;
    let group_id = GroupId(b.r.u32()?);
    let mut g = GroupMod {
        command,
        kind,
        group_id,
        command_bucket_id: BUCKET_ALL,
        buckets: Vec::new(),
        selection: Selection::default(),
    };
    if is_15(v) {
        let len = usize::from(b.r.u16()?);
        b.r.skip(2)?;
        g.command_bucket_id = b.r.u32()?;
        check_command_bucket(&g)?;
        let mut buckets = Reader::with(b.r.bytes(len)?, OfpError::OFPGMFC_BAD_BUCKET);
        g.buckets = decode_buckets(&mut buckets, v, kind)?;
        let ok = matches!(command, C::Add | C::Modify | C::AddOrMod);
        g.selection = decode_selection(&mut b.r, kind, ok)?;
    } else {
        let mut buckets = Reader::with(b.r.rest(), OfpError::OFPGMFC_BAD_BUCKET);
        g.buckets = decode_buckets(&mut buckets, v, kind)?;
    }
    check_mod(&g)?;
    Ok(g)
}

fn check_command_bucket(g: &GroupMod) -> Decode<()> {
    use GroupModCommand as C;
    let id = g.command_bucket_id;
    let ok = match g.command {
        C::InsertBucket => id <= BUCKET_MAX || matches!(id, BUCKET_FIRST | BUCKET_LAST),
        C::RemoveBucket => id <= BUCKET_MAX || matches!(id, BUCKET_FIRST | BUCKET_LAST | BUCKET_ALL),
        _ => id == BUCKET_ALL,
    };
    if ok { Ok(()) } else { Err(OfpError::OFPGMFC_BAD_BUCKET) }
}

/// What must hold between a group's type and its buckets.
fn check_mod(g: &GroupMod) -> Decode<()> {
    if matches!(g.command, GroupModCommand::Delete | GroupModCommand::RemoveBucket) && g.buckets.is_empty() {
        return Ok(());
    }
    if g.kind == GroupType::Indirect && g.buckets.len() != 1 {
        return Err(OfpError::OFPGMFC_INVALID_GROUP);
    }
    for bucket in &g.buckets {
        if bucket.weight != 0 && g.kind != GroupType::Select {
            return Err(OfpError::OFPGMFC_INVALID_GROUP);
        }
        let watches = bucket.watch_port != OfPort::ANY || bucket.watch_group != GroupId::ANY;
        match g.kind {
            GroupType::All | GroupType::Indirect if watches => {
                return Err(OfpError::OFPGMFC_WATCH_UNSUPPORTED);
            }
            GroupType::FastFailover if !watches => return Err(OfpError::OFPGMFC_INVALID_GROUP),
            _ => {}
        }
    }
    let mut ids: Vec<u32> = g.buckets.iter().map(|b| b.bucket_id).filter(|&id| id <= BUCKET_MAX).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|w| w[0] == w[1]) { Err(OfpError::OFPGMFC_BUCKET_EXISTS) } else { Ok(()) }
}

pub(crate) fn encode_mod(e: &mut Encoder, g: &GroupMod) {
    if !e.begin(Kind::GroupMod) {
        return;
    }
    let v = e.version;
    e.w.u16(if g.command == GroupModCommand::AddOrMod { 0x8000 } else { g.command as u16 });
    e.w.u8(g.kind as u8);
    e.w.u8(0);
    e.w.u32(g.group_id.0);
    if !is_15(v) {
        return put_buckets(e, &g.buckets, g.kind);
    }
    let len_at = e.w.len();
    e.w.u32(0);
    e.w.u32(g.command_bucket_id);
    let start = e.w.len();
    put_buckets(e, &g.buckets, g.kind);
    let len = e.w.len() - start;
    e.w.patch_u16(len_at, len as u16);
    put_selection(e, &g.selection);
}

pub(crate) fn decode_request(b: &mut Body<'_>) -> Decode<GroupId> {
    let id = GroupId(b.r.u32()?);
    b.r.skip(4)?;
    b.r.finish()?;
    Ok(id)
}

pub(crate) fn encode_request(e: &mut Encoder, kind: Kind, id: GroupId) {
    if e.begin(kind) {
        e.w.u32(id.0);
        e.w.zeros(4);
    }
}

/// Only OpenFlow 1.5 (and Nicira's form) can ask for one group.
pub(crate) fn decode_desc_request(b: &mut Body<'_>) -> Decode<GroupId> {
    if is_15(b.version) && !b.r.is_empty() {
        return decode_request(b);
    }
    b.r.finish().map(|()| GroupId::ALL)
}

pub(crate) fn encode_desc_request(e: &mut Encoder, id: GroupId) {
    if is_15(e.version) {
        encode_request(e, Kind::GroupDescRequest, id);
    } else {
        e.begin(Kind::GroupDescRequest);
    }
}

pub(crate) fn decode_desc(b: &mut Body<'_>) -> Decode<GroupDesc> {
    let bad = OfpError::OFPBRC_BAD_LEN;
    let v = b.version;
    let len = usize::from(b.r.u16()?).checked_sub(2).ok_or(bad)?;
    let mut r = b.r.sub(len)?;
    let kind = GroupType::from_wire(r.u8()?).ok_or(OfpError::OFPGMFC_BAD_TYPE)?;
    r.skip(1)?;
    let group_id = GroupId(r.u32()?);
    if !is_15(v) {
        let buckets = decode_buckets(&mut r, v, kind)?;
        return Ok(GroupDesc { group_id, kind, buckets, selection: Selection::default() });
    }
    let buckets_len = usize::from(r.u16()?);
    r.skip(6)?;
    let buckets = decode_buckets(&mut r.sub(buckets_len)?, v, kind)?;
    let selection = decode_selection(&mut r, kind, true)?;
    Ok(GroupDesc { group_id, kind, buckets, selection })
}

pub(crate) fn encode_desc(e: &mut Encoder, groups: &[GroupDesc]) {
    if !e.begin(Kind::GroupDescReply) {
        return;
    }
    e.entries(groups, |e, g| {
        let start = e.w.len();
        e.w.u16(0);
        e.w.u8(g.kind as u8);
        e.w.u8(0);
        e.w.u32(g.group_id.0);
        if is_15(e.version) {
            let len_at = e.w.len();
            e.w.zeros(8);
            let at = e.w.len();
            put_buckets(e, &g.buckets, g.kind);
            let len = e.w.len() - at;
            e.w.patch_u16(len_at, len as u16);
            put_selection(e, &g.selection);
        } else {
            put_buckets(e, &g.buckets, g.kind);
        }
        let len = e.w.len() - start;
        e.w.patch_u16(start, len as u16);
    });
}

pub(crate) fn decode_stats(b: &mut Body<'_>) -> Decode<GroupStats> {
    let bad = OfpError::OFPBRC_BAD_LEN;
    let len = usize::from(b.r.u16()?).checked_sub(2).ok_or(bad)?;
    let timed = b.version >= Version::V1_3 || b.is_10();
    let mut r = b.r.sub(len)?;
    r.skip(2)?;
    let group_id = GroupId(r.u32()?);
    let ref_count = r.u32()?;
    r.skip(4)?;
    let (packet_count, byte_count) = (r.u64()?, r.u64()?);
    let (duration_s, duration_ns) = if timed { (r.u32()?, r.u32()?) } else { (u32::MAX, u32::MAX) };
    let mut s = GroupStats {
        group_id,
        ref_count,
        packet_count,
        byte_count,
        duration_s,
        duration_ns,
        buckets: Vec::new(),
    };
    while !r.is_empty() {
        s.buckets.push((r.u64()?, r.u64()?));
    }
    Ok(s)
}

pub(crate) fn encode_stats(e: &mut Encoder, groups: &[GroupStats]) {
    if !e.begin(Kind::GroupReply) {
        return;
    }
    e.entries(groups, |e, g| {
        let timed = e.version >= Version::V1_3 || e.is_10();
        let len = if timed { 40 } else { 32 } + 16 * g.buckets.len();
        e.w.u16(len as u16);
        e.w.zeros(2);
        e.w.u32(g.group_id.0);
        e.w.u32(g.ref_count);
        e.w.zeros(4);
        e.w.u64(g.packet_count);
        e.w.u64(g.byte_count);
        if timed {
            e.w.u32(g.duration_s);
            e.w.u32(g.duration_ns);
        }
        for &(packets, bytes) in &g.buckets {
            e.w.u64(packets);
            e.w.u64(bytes);
        }
    });
}

pub(crate) fn decode_features(b: &mut Body<'_>) -> Decode<GroupFeatures> {
    let mut f = GroupFeatures { types: b.r.u32()?, capabilities: b.r.u32()?, ..GroupFeatures::default() };
    for max in &mut f.max_groups {
        *max = b.r.u32()?;
    }
    for actions in &mut f.actions {
        *actions = b.r.u32()?.into();
    }
    Ok(f)
}

pub(crate) fn encode_features(e: &mut Encoder, f: &GroupFeatures) {
    if e.begin(Kind::GroupFeaturesReply) {
        e.w.u32(f.types);
        e.w.u32(f.capabilities);
        f.max_groups.iter().for_each(|&max| e.w.u32(max));
        f.actions.iter().for_each(|&actions| e.w.u32(actions as u32));
    }
}
