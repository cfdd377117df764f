//! Flow tables: modification, description, features, statistics.

use super::Message;
use crate::codec::{Body, Encoder};
use crate::error::OfpError;
use crate::matching::oxm;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put, Reader, property, put_property};

use crate::matching::Field;
use crate::types::TableId;

/// What happens to a packet that no flow matches (1.1 and 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum TableMiss {
    Controller = 0,
    Continue = 1,
    Drop = 2,
}

bitflags::bitflags! {
    /// By what flows are evicted (1.4+).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct EvictionFlags: u32 {
        const OTHER = 1;
        const IMPORTANCE = 2;
        const LIFETIME = 4;
    }
}

/// Percentages at which vacancy events are sent (1.4+).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Vacancy {
    pub down: u8,
    pub up: u8,
    /// How empty the table is.
    pub vacancy: u8,
}

/// OFPT_TABLE_MOD; `None` = not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableMod {
    pub table: TableId,
    pub miss: Option<TableMiss>,
    pub eviction: Option<bool>,
    pub eviction_flags: Option<EvictionFlags>,
    /// `Some(None)` = vacancy events off.
    pub vacancy: Option<Option<Vacancy>>,
}

/// One table of a description reply or a table status (1.4+).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableDesc {
    pub table: TableId,
    pub eviction: Option<bool>,
    pub eviction_flags: Option<EvictionFlags>,
    pub vacancy: Option<Option<Vacancy>>,
}

/// A set of fields.
pub type FieldSet = Vec<Field>;

/// What one of the two kinds of flow (table-miss or not) may contain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableInstructions {
    /// Bitmap of `1 << instruction type` of OpenFlow 1.3.
    pub instructions: u32,
    /// Tables that goto_table may name.
    pub next: Vec<TableId>,
    pub write: TableActions,
    pub apply: TableActions,
}

/// What an action list or set may contain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableActions {
    /// Bitmap of OpenFlow 1.1+ action numbers.
    pub actions: u64,
    pub set_fields: FieldSet,
}

/// One table's features.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableFeatures {
    pub table: TableId,
    /// 1.5: replace, modify, enable, disable.
    pub command: u8,
    pub features: u32,
    pub name: String,
    pub metadata_match: u64,
    pub metadata_write: u64,
    pub miss: Option<TableMiss>,
    /// OpenFlow 1.3 `config` bits, raw.
    pub eviction: Option<bool>,
    pub vacancy: Option<bool>,
    pub max_entries: u32,
    pub nonmiss: TableInstructions,
    pub miss_flow: TableInstructions,
    pub matches: FieldSet,
    /// Fields among `matches` that may be masked.
    pub masks: FieldSet,
    pub wildcards: FieldSet,
}

/// Statistics of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableStats {
    pub table: TableId,
    /// 1.0-1.2.
    pub name: String,
    /// 1.0-1.2.
    pub max_entries: u32,
    pub active_count: u32,
    pub lookup_count: u64,
    pub matched_count: u64,
    /// What else OpenFlow 1.1 and 1.2 tell; `None` in other versions.
    pub features: Option<Box<TableFeatures>>,
}

const NAME_LEN: usize = 32;
const CONFIG_EVICTION: u32 = 1 << 2;
const CONFIG_VACANCY: u32 = 1 << 3;
const PROP_EVICTION: u16 = 2;
const PROP_VACANCY: u16 = 3;

impl TableMiss {
    fn from_wire(v: u32) -> Option<Self> {
        [Self::Controller, Self::Continue, Self::Drop].get(v as usize).copied()
    }
}

/// Properties of OpenFlow 1.4+ table descriptions and modifications.
fn decode_props(r: &mut Reader<'_>, t: &mut TableMod) -> Decode<()> {
    while !r.is_empty() {
        let (kind, mut body) = property(r, 8)?;
        match kind {
            PROP_EVICTION => {
                let flags = EvictionFlags::from_bits(body.u32()?);
                t.eviction_flags = Some(flags.ok_or(OfpError::OFPTMFC_BAD_CONFIG)?);
            }
            PROP_VACANCY => {
                let v = Vacancy { down: body.u8()?, up: body.u8()?, vacancy: body.u8()? };
                if v.down > v.up || v.up > 100 {
                    return Err(OfpError::OFPBPC_BAD_VALUE);
                }
                if let Some(Some(vacancy)) = &mut t.vacancy {
                    *vacancy = v;
                }
            }
            _ => return Err(OfpError::OFPBRC_BAD_TYPE),
        }
    }
    Ok(())
}

fn decode_config_14(t: &mut TableMod, config: u32) {
    t.eviction = Some(config & CONFIG_EVICTION != 0);
    t.vacancy = Some((config & CONFIG_VACANCY != 0).then(Vacancy::default));
}

fn empty_mod(table: TableId) -> TableMod {
    TableMod { table, miss: None, eviction: None, eviction_flags: None, vacancy: None }
}

pub(crate) fn decode_mod(b: &mut Body<'_>) -> Decode<TableMod> {
    let mut t = empty_mod(TableId(b.r.u8()?));
    b.r.skip(3)?;
    let config = b.r.u32()?;
    if b.version >= Version::V1_4 {
        decode_config_14(&mut t, config);
        decode_props(&mut b.r, &mut t)?;
    } else if b.version <= Version::V1_2 {
        t.miss = Some(TableMiss::from_wire(config & 3).ok_or(OfpError::OFPTMFC_BAD_CONFIG)?);
    }
    Ok(t)
}

fn config_bits(eviction: Option<bool>, vacancy: Option<Option<Vacancy>>) -> u32 {
    let eviction = if eviction == Some(true) { CONFIG_EVICTION } else { 0 };
    eviction | if matches!(vacancy, Some(Some(_))) { CONFIG_VACANCY } else { 0 }
}

fn put_vacancy(w: &mut Vec<u8>, v: Vacancy) {
    put_property(w, PROP_VACANCY, 8, |w| {
        w.u8(v.down);
        w.u8(v.up);
        w.u8(v.vacancy);
        w.u8(0);
    });
}

pub(crate) fn encode_mod(e: &mut Encoder, t: &TableMod) {
    if !e.begin(Kind::TableMod) {
        return;
    }
    e.w.u8(t.table.0);
    e.w.zeros(3);
    if e.version < Version::V1_4 {
        return e.w.u32(if e.version <= Version::V1_2 { t.miss.map_or(0, |m| m as u32) } else { 0 });
    }
    e.w.u32(config_bits(t.eviction, t.vacancy));
    if let Some(flags) = t.eviction_flags {
        put_property(&mut e.w, PROP_EVICTION, 8, |w| w.u32(flags.bits()));
    }
    if let Some(Some(v)) = t.vacancy {
        put_vacancy(&mut e.w, v);
    }
}

pub(crate) fn decode_desc(b: &mut Body<'_>) -> Decode<TableDesc> {
    let len = usize::from(b.r.u16()?).checked_sub(2).ok_or(OfpError::OFPBRC_BAD_LEN)?;
    let mut r = b.r.sub(len)?;
    let mut t = empty_mod(TableId(r.u8()?));
    r.skip(1)?;
    decode_config_14(&mut t, r.u32()?);
    decode_props(&mut r, &mut t)?;
    Ok(TableDesc {
        table: t.table,
        eviction: t.eviction,
        eviction_flags: t.eviction_flags,
        vacancy: t.vacancy,
    })
}

fn put_desc(e: &mut Encoder, t: &TableDesc) {
    let start = e.w.len();
    e.w.u16(0);
    e.w.u8(t.table.0);
    e.w.u8(0);
    e.w.u32(config_bits(t.eviction, t.vacancy));
    let flags = t.eviction_flags.unwrap_or_default();
    put_property(&mut e.w, PROP_EVICTION, 8, |w| w.u32(flags.bits()));
    if let Some(Some(v)) = t.vacancy {
        put_vacancy(&mut e.w, v);
    }
    let len = e.w.len() - start;
    e.w.patch_u16(start, len as u16);
}

pub(crate) fn encode_desc(e: &mut Encoder, tables: &[TableDesc]) {
    if e.begin(Kind::TableDescReply) {
        e.entries(tables, put_desc);
    }
}

pub(crate) fn decode_status(b: &mut Body<'_>) -> Decode<Message> {
    let reason = b.r.u8()?;
    b.r.skip(7)?;
    if !matches!(reason, 3 | 4) {
        return Err(OfpError::OFPBPC_BAD_VALUE);
    }
    Ok(Message::TableStatus(reason, decode_desc(b)?))
}

pub(crate) fn encode_status(e: &mut Encoder, reason: u8, desc: &TableDesc) {
    if e.begin(Kind::TableStatus) {
        e.w.u8(reason);
        e.w.zeros(7);
        put_desc(e, desc);
    }
}

impl TableFeatures {
    /// A table of which nothing is said.
    pub fn new(table: TableId) -> Self {
        TableFeatures {
            table,
            command: 0,
            features: 0,
            name: String::new(),
            metadata_match: 0,
            metadata_write: 0,
            miss: None,
            eviction: None,
            vacancy: None,
            max_entries: 0,
            nonmiss: TableInstructions::default(),
            miss_flow: TableInstructions::default(),
            matches: Vec::new(),
            masks: Vec::new(),
            wildcards: Vec::new(),
        }
    }
}

pub(crate) fn decode_stats(b: &mut Body<'_>) -> Decode<TableStats> {
    let v = b.version;
    let table = TableId(b.r.u8()?);
    let mut t = TableStats {
        table,
        name: String::new(),
        max_entries: 0,
        active_count: 0,
        lookup_count: 0,
        matched_count: 0,
        features: None,
    };
    b.r.skip(if v == Version::V1_0 || v >= Version::V1_3 { 3 } else { 7 })?;
    if v < Version::V1_3 {
        t.name = b.r.text(NAME_LEN)?;
    }
    match v {
        Version::V1_0 => {
            b.r.skip(4)?;
            t.max_entries = b.r.u32()?;
        }
        Version::V1_1 => {
            let mut f = TableFeatures::new(table);
            b.r.skip(8)?;
            let instructions = b.r.u32()?;
            f.nonmiss.instructions = instructions;
            f.nonmiss.write.actions = b.r.u32()?.into();
            f.nonmiss.apply.actions = b.r.u32()?.into();
            f.miss = TableMiss::from_wire(b.r.u32()? & 3);
            t.max_entries = b.r.u32()?;
            f.max_entries = t.max_entries;
            t.features = Some(Box::new(f));
        }
        Version::V1_2 => {
            let mut f = TableFeatures::new(table);
            f.matches = oxm_bits(b.r.u64()?);
            f.wildcards = oxm_bits(b.r.u64()?);
            f.nonmiss.write.actions = b.r.u32()?.into();
            f.nonmiss.apply.actions = b.r.u32()?.into();
            f.nonmiss.write.set_fields = oxm_bits(b.r.u64()?);
            f.nonmiss.apply.set_fields = oxm_bits(b.r.u64()?);
            f.metadata_match = b.r.u64()?;
            f.metadata_write = b.r.u64()?;
            f.nonmiss.instructions = b.r.u32()?;
            f.miss = TableMiss::from_wire(b.r.u32()? & 3);
            t.max_entries = b.r.u32()?;
            f.max_entries = t.max_entries;
            t.features = Some(Box::new(f));
        }
        _ => {}
    }
    t.active_count = b.r.u32()?;
    t.lookup_count = b.r.u64()?;
    t.matched_count = b.r.u64()?;
    Ok(t)
}

/// A bitmap of standard OXM numbers as fields, and back.
fn oxm_bits(bits: u64) -> FieldSet {
    let known = |f: &Field| {
        f.info().headers.iter().any(|h| h.0 == flow::field::OXM_OF && h.since() <= Version::V1_2.wire())
    };
    (0..64u8)
        .filter(|n| bits >> n & 1 != 0)
        .filter_map(|n| Field::from_oxm(flow::field::OXM_OF, n))
        .filter(known)
        .collect()
}

fn to_oxm_bits(fields: &[Field]) -> u64 {
    fields
        .iter()
        .flat_map(|f| f.info().headers)
        .filter(|h| h.0 == flow::field::OXM_OF && h.number() < 64)
        .fold(0, |bits, h| bits | 1 << h.number())
}

pub(crate) fn encode_stats(e: &mut Encoder, tables: &[TableStats]) {
    if e.begin(Kind::TableReply) {
        e.entries(tables, put_stats);
    }
}

fn put_stats(e: &mut Encoder, t: &TableStats) {
    let v = e.version;
    e.w.u8(t.table.0);
    e.w.zeros(if v == Version::V1_0 || v >= Version::V1_3 { 3 } else { 7 });
    if v < Version::V1_3 {
        e.w.text(&t.name, NAME_LEN);
    }
    let none = TableFeatures::new(t.table);
    let f = t.features.as_deref().unwrap_or(&none);
    let miss = f.miss.map_or(0, |m| m as u32);
    match v {
        Version::V1_0 => {
            e.w.u32(0x003f_ffff);
            e.w.u32(t.max_entries);
        }
        Version::V1_1 => {
            e.w.u32(0x3ff);
            e.w.u32(0x3ff);
            e.w.u32(f.nonmiss.instructions);
            e.w.u32(f.nonmiss.write.actions as u32);
            e.w.u32(f.nonmiss.apply.actions as u32);
            e.w.u32(miss);
            e.w.u32(t.max_entries);
        }
        Version::V1_2 => {
            e.w.u64(to_oxm_bits(&f.matches));
            e.w.u64(to_oxm_bits(&f.wildcards));
            e.w.u32(f.nonmiss.write.actions as u32);
            e.w.u32(f.nonmiss.apply.actions as u32);
            e.w.u64(to_oxm_bits(&f.nonmiss.write.set_fields));
            e.w.u64(to_oxm_bits(&f.nonmiss.apply.set_fields));
            e.w.u64(f.metadata_match);
            e.w.u64(f.metadata_write);
            e.w.u32(f.nonmiss.instructions);
            e.w.u32(miss);
            e.w.u32(t.max_entries);
        }
        _ => {}
    }
    e.w.u32(t.active_count);
    e.w.u64(t.lookup_count);
    e.w.u64(t.matched_count);
}

// Table features: properties in pairs, the odd one for table-miss flows.
const F_INSTRUCTIONS: u16 = 0;
const F_NEXT_TABLES: u16 = 2;
const F_WRITE_ACTIONS: u16 = 4;
const F_APPLY_ACTIONS: u16 = 6;
const F_MATCH: u16 = 8;
const F_WILDCARDS: u16 = 10;
const F_WRITE_SETFIELD: u16 = 12;
const F_APPLY_SETFIELD: u16 = 14;

pub(crate) fn decode_features(b: &mut Body<'_>) -> Decode<TableFeatures> {
    let len = usize::from(b.r.u16()?);
    let mut r = b.r.sub(len.checked_sub(2).ok_or(OfpError::OFPBPC_BAD_LEN)?)?;
    let v = b.version;
    let mut f = TableFeatures::new(TableId(r.u8()?));
    if v >= Version::V1_5 {
        f.command = r.u8()?;
        f.features = r.u32()?;
    } else {
        r.skip(5)?;
    }
    f.name = r.text(NAME_LEN)?;
    f.metadata_match = r.u64()?;
    f.metadata_write = r.u64()?;
    let config = r.u32()?;
    if v >= Version::V1_4 {
        f.eviction = Some(config & CONFIG_EVICTION != 0);
        f.vacancy = Some(config & CONFIG_VACANCY != 0);
    }
    f.max_entries = r.u32()?;
    while !r.is_empty() {
        let (kind, body) = property(&mut r, 8)?;
        decode_feature(&mut f, kind, body)?;
    }
    Ok(f)
}

fn decode_feature(f: &mut TableFeatures, kind: u16, mut r: Reader<'_>) -> Decode<()> {
    let side = if kind & 1 == 0 { &mut f.nonmiss } else { &mut f.miss_flow };
    match kind & !1 {
        F_INSTRUCTIONS => {
            side.instructions = ids(&mut r)?.fold(0, |bits, n| bits | 1u32.checked_shl(n.into()).unwrap_or(0))
        }
        F_NEXT_TABLES => side.next = r.rest().iter().map(|&t| TableId(t)).collect(),
        F_WRITE_ACTIONS => side.write.actions = action_bits(&mut r)?,
        F_APPLY_ACTIONS => side.apply.actions = action_bits(&mut r)?,
        F_WRITE_SETFIELD => side.write.set_fields = field_ids(&mut r)?.0,
        F_APPLY_SETFIELD => side.apply.set_fields = field_ids(&mut r)?.0,
        F_MATCH if kind == F_MATCH => (f.matches, f.masks) = field_ids(&mut r)?,
        F_WILDCARDS if kind == F_WILDCARDS => f.wildcards = field_ids(&mut r)?.0,
        _ => return Err(OfpError::OFPBPC_BAD_TYPE),
    }
    Ok(())
}

/// Numbers of (type, length) ids; experimenters' are skipped.
fn ids(r: &mut Reader<'_>) -> Decode<impl Iterator<Item = u16> + use<>> {
    let mut out = Vec::new();
    while !r.is_empty() {
        let kind = r.u16()?;
        let len = usize::from(r.u16()?);
        r.skip(len.checked_sub(4).ok_or(OfpError::OFPBPC_BAD_LEN)?)?;
        if kind != 0xffff {
            out.push(kind);
        }
    }
    Ok(out.into_iter())
}

fn action_bits(r: &mut Reader<'_>) -> Decode<u64> {
    Ok(ids(r)?.fold(0, |bits, n| bits | 1u64.checked_shl(n.into()).unwrap_or(0)))
}

/// Fields, and those of them whose header allows a mask; unknown ones are skipped.
fn field_ids(r: &mut Reader<'_>) -> Decode<(FieldSet, FieldSet)> {
    let (mut all, mut masked) = (Vec::new(), Vec::new());
    while !r.is_empty() {
        let head = oxm::Head::pull(r)?;
        if let Some(field) = head.field() {
            all.push(field);
            if head.has_mask {
                masked.push(field);
            }
        }
    }
    Ok((all, masked))
}

pub(crate) fn encode_features(e: &mut Encoder, kind: Kind, tables: &[TableFeatures]) {
    if e.begin(kind) {
        e.entries(tables, put_features);
    }
}

fn put_features(e: &mut Encoder, f: &TableFeatures) {
    let v = e.version;
    let start = e.w.len();
    e.w.u16(0);
    e.w.u8(f.table.0);
    if v >= Version::V1_5 {
        e.w.u8(f.command);
        e.w.u32(f.features);
    } else {
        e.w.zeros(5);
    }
    e.w.text(&f.name, NAME_LEN);
    e.w.u64(f.metadata_match);
    e.w.u64(f.metadata_write);
    let bit = |on: Option<bool>, bit: u32| if on == Some(true) { bit } else { 0 };
    e.w.u32(if v >= Version::V1_4 {
        bit(f.eviction, CONFIG_EVICTION) | bit(f.vacancy, CONFIG_VACANCY)
    } else {
        0
    });
    e.w.u32(f.max_entries);
    for (n, side) in [(0, &f.nonmiss), (1, &f.miss_flow)] {
        put_ids(&mut e.w, F_INSTRUCTIONS + n, side.instructions.into());
        put_property(&mut e.w, F_NEXT_TABLES + n, 8, |w| side.next.iter().for_each(|t| w.u8(t.0)));
        put_ids(&mut e.w, F_WRITE_ACTIONS + n, side.write.actions);
        put_fields(&mut e.w, F_WRITE_SETFIELD + n, &side.write.set_fields, &[], v);
        put_ids(&mut e.w, F_APPLY_ACTIONS + n, side.apply.actions);
        put_fields(&mut e.w, F_APPLY_SETFIELD + n, &side.apply.set_fields, &[], v);
    }
    put_fields(&mut e.w, F_MATCH, &f.matches, &f.masks, v);
    put_fields(&mut e.w, F_WILDCARDS, &f.wildcards, &[], v);
    let len = e.w.len() - start;
    e.w.patch_u16(start, len as u16);
}

fn put_ids(w: &mut Vec<u8>, kind: u16, bits: u64) {
    put_property(w, kind, 8, |w| {
        for n in (0..64).filter(|n| bits >> n & 1 != 0) {
            w.u16(n);
            w.u16(4);
        }
    });
}

fn put_fields(w: &mut Vec<u8>, kind: u16, fields: &[Field], masks: &[Field], v: Version) {
    put_property(w, kind, 8, |w| {
        for &field in fields {
            oxm::Head::of(field, v, masks.contains(&field)).put(w);
        }
    });
}
