//! `multipath(...)`: a hash of the packet picks a link number.

use super::raw::{self, Code};
use super::{Action, HashFields, Multipath, MultipathAlgorithm, field};
use crate::error::OfpError;
use crate::wire::{Decode, Put, Reader};

impl HashFields {
    pub const ALL: [(HashFields, &'static str); 7] = [
        (HashFields::EthSrc, "eth_src"),
        (HashFields::SymmetricL4, "symmetric_l4"),
        (HashFields::SymmetricL3L4, "symmetric_l3l4"),
        (HashFields::SymmetricL3L4Udp, "symmetric_l3l4+udp"),
        (HashFields::NwSrc, "nw_src"),
        (HashFields::NwDst, "nw_dst"),
        (HashFields::SymmetricL3, "symmetric_l3"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
    pub(super) fn from_wire(v: u16) -> Option<Self> {
        Self::ALL.get(usize::from(v)).map(|f| f.0)
    }
}

impl MultipathAlgorithm {
    pub const ALL: [(MultipathAlgorithm, &'static str); 4] = [
        (MultipathAlgorithm::ModuloN, "modulo_n"),
        (MultipathAlgorithm::HashThreshold, "hash_threshold"),
        (MultipathAlgorithm::Hrw, "hrw"),
        (MultipathAlgorithm::IterHash, "iter_hash"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

pub(super) fn decode(r: &mut Reader<'_>) -> Decode<Action> {
    const BAD: OfpError = OfpError::OFPBAC_BAD_ARGUMENT;
    let fields = r.u16()?;
    let basis = r.u16()?;
    r.skip(2)?;
    let algorithm = r.u16()?;
    let max_link = r.u16()?;
    let arg = r.u32()?;
    r.skip(2)?;
    let (lsb, n_bits) = field::ofs_nbits(r.u16()?);
    let dst = field::header(r)?;
    let fields = HashFields::from_wire(fields).ok_or(BAD)?;
    let algorithm = MultipathAlgorithm::ALL.get(usize::from(algorithm)).ok_or(BAD)?.0;
    let n_links = u32::from(max_link) + 1;
    if n_bits < 16 && n_links > 1 << n_bits {
        return Err(BAD);
    }
    let dst = field::writable(dst, lsb, n_bits)?;
    Ok(Action::Multipath(Box::new(Multipath { fields, basis, algorithm, max_link, arg, dst })))
}

pub(super) fn encode(w: &mut Vec<u8>, m: &Multipath) {
    raw::put(w, Code::Nx(10), |w| {
        w.u16(m.fields as u16);
        w.u16(m.basis);
        w.zeros(2);
        w.u16(m.algorithm as u16);
        w.u16(m.max_link);
        w.u32(m.arg);
        w.zeros(2);
        w.u16(field::pack_ofs_nbits(m.dst));
        field::put_header(w, m.dst.field);
    });
}
