//! `learn(...)`: a flow made from the packet.
//!
//! After the fixed part come specs of a 16-bit header `00 src(1) 0 dst(2) n_bits(10)`, the source (a field header and
//! offset, or an immediate padded to 16 bits) and, unless the destination is output, a field header and offset.

use super::raw::{self, Code};
use super::{Action, Learn, LearnDst, LearnSpec, LearnSrc, field};
use crate::error::OfpError;
use crate::matching::{FieldValue, Subfield};
use crate::types::{Cookie, TableId};
use crate::wire::{Decode, Put, Reader};

const SEND_FLOW_REM: u16 = 1;
const DELETE_LEARNED: u16 = 2;
const WRITE_RESULT: u16 = 4;
const SRC_IMMEDIATE: u16 = 1 << 13;
const DST_MATCH: u16 = 0;
const DST_LOAD: u16 = 1;
const DST_OUTPUT: u16 = 2;

/// NXAST_LEARN, or with `two` NXAST_LEARN2.
pub(super) fn decode(r: &mut Reader<'_>, two: bool) -> Decode<Action> {
    let mut l = Learn { idle_s: r.u16()?, hard_s: r.u16()?, priority: r.u16()?, ..Learn::default() };
    l.cookie = Cookie(r.u64()?);
    let flags = r.u16()?;
    l.table = TableId(r.u8()?);
    r.skip(1)?;
    l.fin_idle_s = r.u16()?;
    l.fin_hard_s = r.u16()?;
    let allowed = SEND_FLOW_REM | DELETE_LEARNED | if two { WRITE_RESULT } else { 0 };
    if flags & !allowed != 0 || l.table == TableId::ALL {
        return Err(OfpError::OFPBAC_BAD_ARGUMENT);
    }
    l.send_flow_rem = flags & SEND_FLOW_REM != 0;
    l.delete_learned = flags & DELETE_LEARNED != 0;
    if two {
        l.limit = r.u32()?;
        let ofs = u32::from(r.u16()?);
        r.skip(2)?;
        if flags & WRITE_RESULT != 0 {
            let f = field::header(r)?;
            l.result_dst = Some(field::writable(f, ofs, 1)?);
        } else if ofs != 0 {
            return Err(OfpError::OFPBAC_BAD_ARGUMENT);
        }
    }
    while r.len() >= 2 {
        match r.u16()? {
            0 => break,
            head => l.specs.push(spec(r, head)?),
        }
    }
    if r.rest().iter().any(|&b| b != 0) {
        return Err(OfpError::OFPBAC_BAD_ARGUMENT);
    }
    Ok(Action::Learn(Box::new(l)))
}

fn spec(r: &mut Reader<'_>, head: u16) -> Decode<LearnSpec> {
    const BAD: OfpError = OfpError::OFPBAC_BAD_ARGUMENT;
    let n_bits = head & 0x3ff;
    let bits = u32::from(n_bits);
    if head & 0xc000 != 0 || head >> 11 & 3 > DST_OUTPUT || n_bits == 0 || head & 0x400 != 0 {
        return Err(BAD);
    }
    let src = if head & SRC_IMMEDIATE != 0 {
        let bytes = r.bytes(usize::from(n_bits.div_ceil(16)) * 2)?;
        if bits > FieldValue::BITS {
            return Err(BAD);
        }
        let value = bytes.iter().fold(0, |n, &b| n << 8 | FieldValue::from(b));
        if value & !flow::field::ones(bits) != 0 {
            return Err(BAD);
        }
        LearnSrc::Immediate(value)
    } else {
        let f = field::header(r)?;
        LearnSrc::Field(field::readable(f, r.u16()?.into(), bits)?)
    };
    let dst = match head >> 11 & 3 {
        DST_MATCH => {
            let f = field::header(r)?;
            LearnDst::Match(field::readable(f, r.u16()?.into(), bits)?)
        }
        DST_LOAD => {
            let f = field::header(r)?;
            LearnDst::Load(field::writable(f, r.u16()?.into(), bits)?)
        }
        _ => LearnDst::Output,
    };
    Ok(LearnSpec { n_bits, src, dst })
}

pub(super) fn encode(w: &mut Vec<u8>, l: &Learn) {
    let two = l.limit != 0 || l.result_dst.is_some();
    let bit = |on: bool, bit: u16| if on { bit } else { 0 };
    raw::put(w, Code::Nx(if two { 45 } else { 16 }), |w| {
        w.u16(l.idle_s);
        w.u16(l.hard_s);
        w.u16(l.priority);
        w.u64(l.cookie.0);
        w.u16(
            bit(l.send_flow_rem, SEND_FLOW_REM)
                | bit(l.delete_learned, DELETE_LEARNED)
                | bit(l.result_dst.is_some(), WRITE_RESULT),
        );
        w.u8(l.table.0);
        w.u8(0);
        w.u16(l.fin_idle_s);
        w.u16(l.fin_hard_s);
        if two {
            w.u32(l.limit);
            w.u16(l.result_dst.map_or(0, |d| d.lsb as u16));
            w.zeros(2);
            if let Some(dst) = l.result_dst {
                field::put_header(w, dst.field);
            }
        }
        l.specs.iter().for_each(|s| put_spec(w, s));
    });
}

fn put_spec(w: &mut Vec<u8>, s: &LearnSpec) {
    let src = if matches!(s.src, LearnSrc::Immediate(_)) { SRC_IMMEDIATE } else { 0 };
    let dst = match s.dst {
        LearnDst::Match(_) => DST_MATCH,
        LearnDst::Load(_) => DST_LOAD,
        LearnDst::Output => DST_OUTPUT,
    };
    w.u16(src | dst << 11 | s.n_bits);
    match s.src {
        LearnSrc::Immediate(value) => {
            let n = usize::from(s.n_bits.div_ceil(16)) * 2;
            w.bytes(&value.to_be_bytes()[16 - n.min(16)..]);
        }
        LearnSrc::Field(f) => put_operand(w, f),
    }
    match s.dst {
        LearnDst::Match(f) | LearnDst::Load(f) => put_operand(w, f),
        LearnDst::Output => {}
    }
}

fn put_operand(w: &mut Vec<u8>, s: Subfield) {
    field::put_header(w, s.field);
    w.u16(s.lsb as u16);
}
