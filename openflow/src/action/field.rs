//! Actions that name match fields: set_field, load, move, the stack, check_pkt_larger, delete_field.

use super::list::EncodeCtx;
use super::raw::{self, Code};
use super::{Action, RegMove, SetField, basic};
use crate::error::OfpError;
use crate::matching::{Field, FieldValue, Subfield, oxm};
use crate::types::Version;
use crate::wire::{Decode, Put, Reader};
use flow::field::ones;

/// The length that names a tunnel option's field when there is no value.
const OPTION_LEN_MAX: usize = 124;

/// `ofs_nbits` of NXAST_REG_LOAD and others: first bit and number of bits.
pub(super) fn ofs_nbits(v: u16) -> (u32, u32) {
    (u32::from(v >> 6), u32::from(v & 0x3f) + 1)
}

pub(super) fn pack_ofs_nbits(s: Subfield) -> u16 {
    (s.lsb << 6 | (s.n_bits - 1) & 0x3f) as u16
}

/// Takes a field header (4 or 8 bytes) that must name a known field without mask.
pub(super) fn header(r: &mut Reader<'_>) -> Decode<Field> {
    let head = oxm::Head::pull(r)?;
    if head.has_mask {
        return Err(OfpError::OFPBAC_BAD_SET_ARGUMENT);
    }
    head.field().ok_or(OfpError::OFPBMC_BAD_FIELD)
}

pub(super) fn put_header(w: &mut Vec<u8>, field: Field) {
    oxm::Head::of(field, Version::V1_0, false).put(w);
}

pub(super) fn is_experimenter(field: Field) -> bool {
    oxm::Head::of(field, Version::V1_0, false).class == 0xffff
}

/// Bits of `field` that may be read.
pub(super) fn readable(field: Field, lsb: u32, n_bits: u32) -> Decode<Subfield> {
    if n_bits == 0 || lsb + n_bits > field.info().n_bits {
        return Err(OfpError::OFPBAC_BAD_SET_LEN);
    }
    Ok(Subfield { field, lsb, n_bits })
}

/// Bits of `field` that may be written.
pub(super) fn writable(field: Field, lsb: u32, n_bits: u32) -> Decode<Subfield> {
    let s = readable(field, lsb, n_bits)?;
    if field.is_writable() { Ok(s) } else { Err(OfpError::OFPBAC_BAD_SET_ARGUMENT) }
}

pub(super) fn decode_reg_load(r: &mut Reader<'_>) -> Decode<Action> {
    let (lsb, n_bits) = ofs_nbits(r.u16()?);
    let field = header(r)?;
    let dst = writable(field, lsb, n_bits)?;
    let value = FieldValue::from(r.u64()?);
    if value & !ones(n_bits) != 0 {
        return Err(OfpError::OFPBAC_BAD_ARGUMENT);
    }
    Ok(set(dst, value, true))
}

/// A `SetField` of the bits of `dst`.
pub fn set(dst: Subfield, value: FieldValue, load: bool) -> Action {
    Action::SetField(Box::new(SetField {
        field: dst.field,
        value: value << dst.lsb,
        mask: ones(dst.n_bits) << dst.lsb,
        load,
    }))
}

pub(super) fn decode_reg_load2(r: &mut Reader<'_>) -> Decode<Action> {
    r.zeros(6, OfpError::NXBRC_MUST_BE_ZERO)?;
    set_field(r, true, true)
}

pub(super) fn decode_set_field(r: &mut Reader<'_>, may_mask: bool) -> Decode<Action> {
    set_field(r, may_mask, false)
}

fn set_field(r: &mut Reader<'_>, may_mask: bool, load: bool) -> Decode<Action> {
    let head = oxm::Head::pull(r).map_err(set_error)?;
    let field = head.field().ok_or(OfpError::OFPBAC_BAD_SET_TYPE)?;
    if head.has_mask && !may_mask {
        return Err(OfpError::OFPBAC_BAD_SET_TYPE);
    }
    let (value, mask) = oxm::pull_value(r, head, field).map_err(set_error)?;
    if r.rest().iter().any(|&b| b != 0) {
        return Err(OfpError::OFPBAC_BAD_SET_ARGUMENT);
    }
    if !field.is_writable() {
        return Err(OfpError::OFPBAC_BAD_SET_ARGUMENT);
    }
    let mask = if head.has_mask { mask } else { full_mask(field) };
    Ok(Action::SetField(Box::new(SetField { field, value, mask, load })))
}

/// Errors of match fields as errors of actions.
fn set_error(e: OfpError) -> OfpError {
    match e {
        OfpError::OFPBMC_BAD_MASK => OfpError::OFPBAC_BAD_SET_MASK,
        OfpError::OFPBMC_BAD_LEN => OfpError::OFPBAC_BAD_SET_LEN,
        OfpError::OFPBMC_BAD_FIELD => OfpError::OFPBAC_BAD_SET_TYPE,
        OfpError::OFPBMC_BAD_VALUE | OfpError::OFPBMC_BAD_WILDCARDS => OfpError::OFPBAC_BAD_SET_ARGUMENT,
        other => other,
    }
}

/// All bits that `set_field` without mask sets.
pub fn full_mask(field: Field) -> FieldValue {
    field.value_mask()
}

pub(super) fn decode_reg_move(r: &mut Reader<'_>) -> Decode<Action> {
    let n_bits = u32::from(r.u16()?);
    let (src_ofs, dst_ofs) = (u32::from(r.u16()?), u32::from(r.u16()?));
    let src = header(r)?;
    let dst = header(r)?;
    reg_move(src, src_ofs, dst, dst_ofs, n_bits)
}

fn reg_move(src: Field, src_ofs: u32, dst: Field, dst_ofs: u32, n_bits: u32) -> Decode<Action> {
    let src = readable(src, src_ofs, n_bits)?;
    let dst = writable(dst, dst_ofs, n_bits)?;
    Ok(Action::RegMove(Box::new(RegMove { src, dst })))
}

pub(super) fn decode_copy_field(r: &mut Reader<'_>, pad: usize) -> Decode<Action> {
    let n_bits = u32::from(r.u16()?);
    let (src_ofs, dst_ofs) = (u32::from(r.u16()?), u32::from(r.u16()?));
    r.zeros(pad, OfpError::NXBRC_MUST_BE_ZERO)?;
    let src = header(r)?;
    let dst = header(r)?;
    if r.rest().iter().any(|&b| b != 0) {
        return Err(OfpError::NXBRC_MUST_BE_ZERO);
    }
    reg_move(src, src_ofs, dst, dst_ofs, n_bits)
}

/// Stack operands: offset, header, width, padding.
pub(super) fn decode_stack(r: &mut Reader<'_>) -> Decode<Subfield> {
    let lsb = u32::from(r.u16()?);
    let field = header(r)?;
    let n_bits = u32::from(r.u16()?);
    if r.rest().iter().any(|&b| b != 0) {
        return Err(OfpError::NXBRC_MUST_BE_ZERO);
    }
    readable(field, lsb, n_bits)
}

pub(super) fn decode_check_pkt_larger(r: &mut Reader<'_>) -> Decode<Action> {
    let len = r.u16()?;
    let lsb = u32::from(r.u16()?);
    let field = header(r)?;
    let dst = writable(field, lsb, 1)?;
    if r.rest().iter().any(|&b| b != 0) {
        return Err(OfpError::NXBRC_MUST_BE_ZERO);
    }
    Ok(Action::CheckPktLarger { len, dst })
}

pub(super) fn decode_delete_field(r: &mut Reader<'_>) -> Decode<Action> {
    let field = header(r)?;
    Ok(Action::DeleteField(field))
}

pub(super) fn encode_move(w: &mut Vec<u8>, v: Version, m: &RegMove) {
    let body = |w: &mut Vec<u8>| {
        w.u16(m.src.n_bits as u16);
        w.u16(m.src.lsb as u16);
        w.u16(m.dst.lsb as u16);
    };
    if v >= Version::V1_5 {
        raw::put(w, Code::Of(28), |w| {
            body(w);
            w.zeros(2);
            oxm::Head::of(m.src.field, v, false).put(w);
            oxm::Head::of(m.dst.field, v, false).put(w);
        });
    } else if v >= Version::V1_3 {
        raw::put(w, Code::Onf(3200), |w| {
            w.zeros(2);
            body(w);
            w.zeros(2);
            oxm::Head::of(m.src.field, v, false).put(w);
            oxm::Head::of(m.dst.field, v, false).put(w);
        });
    } else {
        raw::put(w, Code::Nx(6), |w| {
            body(w);
            put_header(w, m.src.field);
            put_header(w, m.dst.field);
        });
    }
}

pub(super) fn encode_stack(w: &mut Vec<u8>, code: u16, s: Subfield) {
    raw::put(w, Code::Nx(code), |w| {
        w.u16(s.lsb as u16);
        put_header(w, s.field);
        w.u16(s.n_bits as u16);
    });
}

pub(super) fn encode_check_pkt_larger(w: &mut Vec<u8>, len: u16, dst: Subfield) {
    raw::put(w, Code::Nx(49), |w| {
        w.u16(len);
        w.u16(dst.lsb as u16);
        put_header(w, dst.field);
    });
}

pub(super) fn encode_delete_field(w: &mut Vec<u8>, field: Field) {
    raw::put(w, Code::Nx(50), |w| {
        let head = oxm::Head { len: OPTION_LEN_MAX, ..oxm::Head::of(field, Version::V1_0, false) };
        head.put(w);
        w.zeros(10);
    });
}

pub(super) fn encode_set_field(w: &mut Vec<u8>, f: &SetField, ctx: &mut EncodeCtx) {
    let v = ctx.version;
    let full = f.mask & full_mask(f.field) == full_mask(f.field);
    if v >= Version::V1_5 {
        put_set_field(w, f, v);
    } else if f.load {
        put_nx_load(w, f);
    } else if v >= Version::V1_2 && full {
        put_set_field(w, f, v);
    } else if v >= Version::V1_2 || !full || !basic::encode_legacy_set(w, f, ctx) {
        put_nx_load(w, f);
    }
}

/// OFPAT_SET_FIELD of a whole field.
pub(super) fn put_whole(w: &mut Vec<u8>, field: Field, value: FieldValue, v: Version) {
    put_set_field(w, &SetField { field, value, mask: full_mask(field), load: false }, v);
}

fn put_set_field(w: &mut Vec<u8>, f: &SetField, v: Version) {
    raw::put(w, Code::Of(25), |w| oxm::put_field(w, f.field, f.value, f.mask, v));
}

/// NXAST_REG_LOAD for each run of one bits of the mask (64 at most), or NXAST_REG_LOAD2 for fields that it cannot name.
fn put_nx_load(w: &mut Vec<u8>, f: &SetField) {
    if is_experimenter(f.field) || f.field.option_index().is_some() {
        return raw::put(w, Code::Nx(33), |w| {
            w.zeros(6);
            oxm::put_field(w, f.field, f.value, f.mask, Version::V1_0);
        });
    }
    let mut mask = f.mask & ones(f.field.info().n_bits);
    while mask != 0 {
        let lsb = mask.trailing_zeros();
        let n_bits = (mask >> lsb).trailing_ones().min(64);
        put_reg_load(w, Subfield { field: f.field, lsb, n_bits }, f.value >> lsb & ones(n_bits));
        mask &= !(ones(n_bits) << lsb);
    }
}

pub(super) fn put_reg_load(w: &mut Vec<u8>, dst: Subfield, value: FieldValue) {
    raw::put(w, Code::Nx(7), |w| {
        w.u16(pack_ofs_nbits(dst));
        put_header(w, dst.field);
        w.u64(value as u64);
    });
}
