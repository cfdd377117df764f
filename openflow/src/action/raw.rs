//! Action headers: standard type, or experimenter and subtype, and the length that both have.

use crate::error::{NX_VENDOR, ONF_VENDOR, OfpError};
use crate::wire::{Decode, Put, Reader};

/// Which action an entry of a wire list is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Code {
    Of(u16),
    Nx(u16),
    Onf(u16),
}

const VENDOR: u16 = 0xffff;

/// Takes one action: its code and a reader over its body.
pub(super) fn pull<'a>(r: &mut Reader<'a>) -> Decode<(Code, Reader<'a>)> {
    let mut head = Reader::with(r.peek(), OfpError::OFPBAC_BAD_LEN);
    let kind = head.u16()?;
    let len = usize::from(head.u16()?);
    if len < 8 || !len.is_multiple_of(8) || len > r.len() {
        return Err(OfpError::OFPBAC_BAD_LEN);
    }
    let mut body = Reader::with(&r.bytes(len)?[4..], OfpError::OFPBAC_BAD_LEN);
    if kind != VENDOR {
        return Ok((Code::Of(kind), body));
    }
    let vendor = body.u32()?;
    let code = match vendor {
        NX_VENDOR => Code::Nx(body.u16()?),
        ONF_VENDOR => Code::Onf(body.u16()?),
        _ => return Err(OfpError::OFPBAC_BAD_VENDOR),
    };
    Ok((code, body))
}

/// Writes one action around what `body` writes, padded to 8 bytes.
pub(super) fn put(w: &mut Vec<u8>, code: Code, body: impl FnOnce(&mut Vec<u8>)) {
    let start = w.len();
    let (kind, vendor) = match code {
        Code::Of(kind) => (kind, None),
        Code::Nx(sub) => (VENDOR, Some((NX_VENDOR, sub))),
        Code::Onf(sub) => (VENDOR, Some((ONF_VENDOR, sub))),
    };
    w.u16(kind);
    w.u16(0);
    if let Some((vendor, sub)) = vendor {
        w.u32(vendor);
        w.u16(sub);
    }
    body(w);
    w.pad(start, 8);
    let len = w.len() - start;
    w.patch_u16(start + 2, len.min(0xfff8) as u16);
}
