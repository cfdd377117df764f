//! `bundle(...)`, `bundle_load(...)`: a hash of the packet picks a live port.

use super::raw::{self, Code};
use super::{Action, Bundle, BundleAlgorithm, HashFields, field, output};
use crate::error::OfpError;
use crate::matching::{Field, Subfield};
use crate::types::{OfPort, Version};
use crate::wire::{Decode, Put, Reader};

/// Members of a bundle at most.
pub const MEMBERS_MAX: usize = 2048;

pub(super) fn decode(r: &mut Reader<'_>, load: bool) -> Decode<Action> {
    const BAD: OfpError = OfpError::OFPBAC_BAD_ARGUMENT;
    let algorithm = r.u16()?;
    let fields = r.u16()?;
    let basis = r.u16()?;
    let member_type = r.u32()?;
    let n_members = usize::from(r.u16()?);
    let ofs = r.u16()?;
    let dst = r.u32()?;
    r.zeros(4, BAD)?;
    let fields = HashFields::from_wire(fields).ok_or(BAD)?;
    let algorithm = match algorithm {
        0 => BundleAlgorithm::ActiveBackup,
        1 => BundleAlgorithm::Hrw,
        _ => return Err(BAD),
    };
    // NXM_OF_IN_PORT without mask: members are OpenFlow ports.
    if member_type != 2 || n_members > MEMBERS_MAX {
        return Err(BAD);
    }
    let dst = match load {
        true => {
            let (lsb, n_bits) = field::ofs_nbits(ofs);
            let bytes = dst.to_be_bytes();
            let dst = field::header(&mut Reader::with(&bytes, OfpError::OFPBAC_BAD_LEN))?;
            let s = field::writable(dst, lsb, n_bits)?;
            if n_bits < 16 {
                return Err(BAD);
            }
            Some(s)
        }
        false if ofs != 0 || dst != 0 => return Err(BAD),
        false => None,
    };
    if n_members * 2 > r.len() {
        return Err(OfpError::OFPBAC_BAD_LEN);
    }
    let members = (0..n_members)
        .map(|_| match OfPort::from_u16(r.u16()?) {
            OfPort::NONE => Ok(OfPort::NONE),
            p if p.is_reserved() && p != OfPort::LOCAL => Err(OfpError::OFPBAC_BAD_OUT_PORT),
            p => output::check(p),
        })
        .collect::<Decode<_>>()?;
    Ok(Action::Bundle(Box::new(Bundle { algorithm, fields, basis, dst, members })))
}

pub(super) fn encode(w: &mut Vec<u8>, b: &Bundle) {
    let code = if b.dst.is_some() { 13 } else { 12 };
    raw::put(w, Code::Nx(code), |w| {
        w.u16(b.algorithm as u16);
        w.u16(b.fields as u16);
        w.u16(b.basis);
        crate::matching::oxm::Head::of(Field::InPort, Version::V1_0, false).put(w);
        w.u16(b.members.len() as u16);
        match b.dst {
            Some(dst) => put_dst(w, dst),
            None => w.zeros(6),
        }
        w.zeros(4);
        b.members.iter().for_each(|p| w.u16(p.low16()));
    });
}

fn put_dst(w: &mut Vec<u8>, dst: Subfield) {
    w.u16(field::pack_ofs_nbits(dst));
    field::put_header(w, dst.field);
}
