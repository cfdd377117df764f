//! NXM and OXM: matches as lists of (header, value[, mask]) entries, and single entries as set_field uses them.
//!
//! ```text
//! class(16) field(7) hasmask(1) length(8) [experimenter(32) if class = 0xffff] value [mask]
//! ```

use super::{Field, FieldValue, Match};
use crate::error::OfpError;
use crate::types::{Cookie, Version};
use crate::wire::{Decode, Put, Reader};
use flow::field::ones;

/// NXM_NX_COOKIE: class 1, number 30, 8 bytes.
const COOKIE_CLASS: u64 = 1 << 32;
const COOKIE_NUMBER: u8 = 30;
const COOKIE_LEN: usize = 8;
const EXPERIMENTER: u16 = 0xffff;

/// An entry's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub class: u16,
    /// 0 unless the class is 0xffff.
    pub experimenter: u32,
    pub number: u8,
    pub has_mask: bool,
    /// Bytes of value and mask.
    pub len: usize,
}

impl Head {
    /// Takes a header.
    pub fn pull(r: &mut Reader<'_>) -> Decode<Head> {
        let class = r.u16()?;
        let number = r.u8()?;
        let mut len = usize::from(r.u8()?);
        let mut experimenter = 0;
        if class == EXPERIMENTER {
            experimenter = r.u32()?;
            len = len.checked_sub(4).ok_or(OfpError::OFPBMC_BAD_LEN)?;
        }
        Ok(Head { class, experimenter, number: number >> 1, has_mask: number & 1 != 0, len })
    }

    fn key(self) -> u64 {
        u64::from(self.class) << 32 | u64::from(self.experimenter)
    }

    /// The field that the header names, if we know it.
    pub fn field(self) -> Option<Field> {
        if self.is_cookie() { None } else { Field::from_oxm(self.key(), self.number) }
    }

    fn is_cookie(self) -> bool {
        let width = self.len / (1 + usize::from(self.has_mask));
        self.key() == COOKIE_CLASS && self.number == COOKIE_NUMBER && width == COOKIE_LEN
    }

    /// The header of `field` for a peer of `version`.
    pub fn of(field: Field, version: Version, has_mask: bool) -> Head {
        let n_bytes = field.info().n_bytes;
        let len = if has_mask { 2 * n_bytes } else { n_bytes };
        match field.oxm_for(version.wire()) {
            Some(h) => {
                Head { class: h.class(), experimenter: h.experimenter(), number: h.number(), has_mask, len }
            }
            None => Head { class: 0, experimenter: 0, number: 0x7f, has_mask, len },
        }
    }

    /// Appends the header.
    pub fn put(self, w: &mut Vec<u8>) {
        let experimenter = self.class == EXPERIMENTER;
        w.u16(self.class);
        w.u8(self.number << 1 | u8::from(self.has_mask));
        w.u8((self.len + if experimenter { 4 } else { 0 }) as u8);
        if experimenter {
            w.u32(self.experimenter);
        }
    }
}

/// Bits of a value that may be set on the wire: for `vlan_vid` with the "tag present" bit.
fn wire_mask(field: Field) -> FieldValue {
    field.value_mask()
}

/// Takes the value (and mask) after a header; checks lengths, value and mask.
pub fn pull_value(r: &mut Reader<'_>, head: Head, field: Field) -> Decode<(FieldValue, FieldValue)> {
    let mut n_bytes = field.info().n_bytes;
    if field.option_index().is_some() {
        // A tunnel option may be written shorter, or longer with leading zeros.
        return pull_option(r, head, n_bytes);
    }
    n_bytes = n_bytes.max(1);
    if head.len != n_bytes * (1 + usize::from(head.has_mask)) {
        // The length is part of what names the field.
        return Err(OfpError::OFPBMC_BAD_FIELD);
    }
    let mut short = Reader::with(r.bytes(head.len)?, OfpError::OFPBMC_BAD_LEN);
    let value = number(short.bytes(n_bytes)?);
    let all = wire_mask(field);
    let mask = if head.has_mask { number(short.rest()) } else { ones(n_bytes as u32 * 8) };
    if head.has_mask {
        if !field.is_maskable() && mask & all != 0 && mask & all != all {
            return Err(OfpError::OFPBMC_BAD_MASK);
        }
        if value & !mask != 0 {
            return Err(OfpError::OFPBMC_BAD_WILDCARDS);
        }
    }
    if value & !all != 0 {
        return Err(OfpError::OFPBMC_BAD_VALUE);
    }
    Ok((value, mask & all))
}

/// Bytes of a tunnel option at most.
const OPTION_LEN_MAX: usize = 124;

/// The value and mask of a tunnel option, right-aligned in `n_bytes`.
fn pull_option(r: &mut Reader<'_>, head: Head, n_bytes: usize) -> Decode<(FieldValue, FieldValue)> {
    let bad = OfpError::OFPBMC_BAD_LEN;
    let len = head.len / (1 + usize::from(head.has_mask));
    if len == 0 || len > OPTION_LEN_MAX || (head.has_mask && !head.len.is_multiple_of(2)) {
        return Err(bad);
    }
    let mut short = Reader::with(r.bytes(head.len)?, bad);
    let (value, mask) = (short.bytes(len)?, short.rest());
    let (high, low) = value.split_at(len.saturating_sub(n_bytes));
    // The key has no room for more.
    if high.iter().any(|b| *b != 0) {
        return Err(bad);
    }
    let all = ones(n_bytes as u32 * 8);
    let mask = if head.has_mask { number(&mask[len.saturating_sub(n_bytes)..]) } else { all };
    let value = number(low);
    if value & !mask != 0 {
        return Err(OfpError::OFPBMC_BAD_WILDCARDS);
    }
    Ok((value, mask & all))
}

fn number(bytes: &[u8]) -> FieldValue {
    bytes.iter().fold(0, |n, &b| n << 8 | FieldValue::from(b))
}

fn put_number(w: &mut Vec<u8>, value: FieldValue, n_bytes: usize) {
    let all = value.to_be_bytes();
    match all.len().checked_sub(n_bytes) {
        Some(skip) => w.bytes(&all[skip..]),
        None => {
            w.zeros(n_bytes - all.len());
            w.bytes(&all);
        }
    }
}

/// Appends one entry; the mask is left out when it covers the field.
pub fn put_field(w: &mut Vec<u8>, field: Field, value: FieldValue, mask: FieldValue, version: Version) {
    let mut n_bytes = field.info().n_bytes;
    let exact = mask & wire_mask(field) == wire_mask(field);
    let mut head = Head::of(field, version, !exact);
    if field.option_index().is_some() {
        // Only as many bytes as matter: the switch knows how long the option is.
        let used = if exact { value } else { value | mask };
        n_bytes = (used.checked_ilog2().map_or(1, |bit| bit as usize / 8 + 1)).min(n_bytes);
        head.len = n_bytes * (1 + usize::from(!exact));
    }
    head.put(w);
    put_number(w, value, n_bytes);
    if !exact {
        put_number(w, mask, n_bytes);
    }
}

/// A decoded list: the match and the cookie that NXM may carry.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    pub matching: Match,
    pub cookie: Option<(Cookie, u64)>,
}

/// How unknown fields and missing prerequisites are treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strictness {
    /// Requests: errors.
    Strict,
    /// Metadata of packet-ins: unknown fields are skipped.
    Loose,
}

/// Decodes entries that fill `bytes`.
pub fn decode(bytes: &[u8], strictness: Strictness) -> Decode<Entries> {
    let mut r = Reader::with(bytes, OfpError::OFPBMC_BAD_LEN);
    let mut out = Entries::default();
    while !r.is_empty() {
        let head = Head::pull(&mut r)?;
        if head.is_cookie() {
            let cookie = r.u64()?;
            let mask = if head.has_mask { r.u64()? } else { u64::MAX };
            if out.cookie.is_some() {
                return Err(OfpError::OFPBMC_DUP_FIELD);
            }
            out.cookie = Some((Cookie(cookie), mask));
            continue;
        }
        let Some(field) = head.field() else {
            if strictness == Strictness::Strict {
                return Err(OfpError::OFPBMC_BAD_FIELD);
            }
            r.skip(head.len)?;
            continue;
        };
        let (value, mask) = pull_value(&mut r, head, field)?;
        let m = &mut out.matching;
        if strictness == Strictness::Strict && !has_prerequisites(m, field) {
            return Err(OfpError::OFPBMC_BAD_PREREQ);
        }
        if field.get_mask(&m.mask) != 0 {
            return Err(OfpError::OFPBMC_DUP_FIELD);
        }
        m.set_masked(field, value, mask);
    }
    Ok(out)
}

/// As `Match::has_prerequisites`; neighbour discovery is told by the ICMPv6 type alone.
fn has_prerequisites(m: &Match, field: Field) -> bool {
    use flow::field::Prereq;
    match field.info().prereq {
        Prereq::Nd | Prereq::NdSolicit | Prereq::NdAdvert => {
            field.is_present(&m.flow) && m.mask.0.tp_src.get() == u16::MAX
        }
        _ => m.has_prerequisites(field),
    }
}

/// Appends the entries of `matching`, prerequisites first.
pub fn encode(w: &mut Vec<u8>, matching: &Match, version: Version) {
    for (field, value, mask) in super::fields(matching, version) {
        put_field(w, field, value, mask, version);
    }
}

/// Appends an NXM cookie entry unless the mask is 0.
pub fn put_cookie(w: &mut Vec<u8>, cookie: Cookie, mask: u64) {
    if mask == 0 {
        return;
    }
    let has_mask = mask != u64::MAX;
    w.u16(1);
    w.u8(COOKIE_NUMBER << 1 | u8::from(has_mask));
    w.u8(if has_mask { 16 } else { 8 });
    w.u64(cookie.0 & mask);
    if has_mask {
        w.u64(mask);
    }
}

/// Takes a match of OpenFlow 1.2+: type 1, length, entries, padding to 8.
pub fn pull_match(r: &mut Reader<'_>, strictness: Strictness) -> Decode<Match> {
    let mut head = Reader::with(r.peek(), OfpError::OFPBMC_BAD_LEN);
    let kind = head.u16()?;
    let len = usize::from(head.u16()?);
    match kind {
        1 => {}
        0 => return super::v11::pull(r),
        _ => return Err(OfpError::OFPBMC_BAD_TYPE),
    }
    if len < 4 || len.next_multiple_of(8) > r.len() {
        return Err(OfpError::OFPBMC_BAD_LEN);
    }
    let mut body = r.sub(len.next_multiple_of(8))?;
    let entries = decode(&body.bytes(len)?[4..], strictness)?;
    if entries.cookie.is_some() {
        return Err(OfpError::NXBRC_NXM_INVALID);
    }
    Ok(entries.matching)
}

/// Appends a match of OpenFlow 1.2+.
pub fn put_match(w: &mut Vec<u8>, matching: &Match, version: Version) {
    let start = w.len();
    w.u16(1);
    w.u16(0);
    encode(w, matching, version);
    let len = w.len() - start;
    w.patch_u16(start + 2, len as u16);
    w.pad(start, 8);
}
