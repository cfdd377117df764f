//! Output to a port, to the port in a field, and with truncation.

use super::raw::{self, Code};
use super::{Action, field};
use crate::error::OfpError;
use crate::matching::Subfield;
use crate::types::{OfPort, Version};
use crate::wire::{Decode, Put, Reader};

/// A 32-bit port of OpenFlow 1.1+: ordinary ports fit in 16 bits, reserved ones are at the top.
pub(crate) fn port_11(port: u32) -> Decode<OfPort> {
    if !(OfPort::MAX.0..0xffff_ff00).contains(&port) {
        Ok(OfPort(port))
    } else {
        Err(OfpError::OFPBAC_BAD_OUT_PORT)
    }
}

/// OVS's check of output ports: the reserved ones must be such that packets can go to them.
pub(super) fn check(port: OfPort) -> Decode<OfPort> {
    match port {
        OfPort::IN_PORT
        | OfPort::TABLE
        | OfPort::NORMAL
        | OfPort::FLOOD
        | OfPort::ALL
        | OfPort::CONTROLLER
        | OfPort::LOCAL => Ok(port),
        p if p.0 != 0 && p.0 < OfPort::MAX.0 => Ok(port),
        OfPort(0) => Ok(port),
        _ => Err(OfpError::OFPBAC_BAD_OUT_PORT),
    }
}

pub(super) fn decode_output_reg(r: &mut Reader<'_>) -> Decode<Action> {
    let (lsb, n_bits) = field::ofs_nbits(r.u16()?);
    let field = field::header(r)?;
    let max_len = r.u16()?;
    r.zeros(6, OfpError::OFPBAC_BAD_ARGUMENT)?;
    Ok(Action::OutputReg { src: field::readable(field, lsb, n_bits)?, max_len })
}

pub(super) fn decode_output_reg2(r: &mut Reader<'_>) -> Decode<Action> {
    let (lsb, n_bits) = field::ofs_nbits(r.u16()?);
    let max_len = r.u16()?;
    let field = field::header(r)?;
    if r.rest().iter().any(|&b| b != 0) {
        return Err(OfpError::NXBRC_MUST_BE_ZERO);
    }
    Ok(Action::OutputReg { src: field::readable(field, lsb, n_bits)?, max_len })
}

pub(super) fn decode_trunc(r: &mut Reader<'_>) -> Decode<Action> {
    let port = OfPort::from_u16(r.u16()?);
    let max_len = r.u32()?;
    if max_len < 14 {
        return Err(OfpError::OFPBAC_BAD_ARGUMENT);
    }
    match port {
        OfPort::NORMAL | OfPort::FLOOD | OfPort::ALL | OfPort::CONTROLLER | OfPort::NONE | OfPort::TABLE => {
            Err(OfpError::OFPBAC_BAD_OUT_PORT)
        }
        _ => Ok(Action::OutputTrunc { port, max_len }),
    }
}

pub(super) fn encode(w: &mut Vec<u8>, v: Version, port: OfPort, max_len: u16) {
    raw::put(w, Code::Of(0), |w| {
        if v == Version::V1_0 {
            w.u16(port.low16());
            w.u16(max_len);
        } else {
            w.u32(port.0);
            w.u16(max_len);
        }
    });
}

pub(super) fn encode_reg(w: &mut Vec<u8>, src: Subfield, max_len: u16) {
    if field::is_experimenter(src.field) {
        return raw::put(w, Code::Nx(32), |w| {
            w.u16(field::pack_ofs_nbits(src));
            w.u16(max_len);
            field::put_header(w, src.field);
        });
    }
    raw::put(w, Code::Nx(15), |w| {
        w.u16(field::pack_ofs_nbits(src));
        field::put_header(w, src.field);
        w.u16(max_len);
    });
}

pub(super) fn encode_trunc(w: &mut Vec<u8>, port: OfPort, max_len: u32) {
    raw::put(w, Code::Nx(39), |w| {
        w.u16(port.low16());
        w.u32(max_len);
    });
}
