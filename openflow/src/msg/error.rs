//! OFPT_ERROR.

use crate::codec::{Body, Encoder};
use crate::error::NX_VENDOR;
use crate::raw::Kind;
use crate::types::Version;
use crate::wire::{Decode, Put};

use crate::error::{ErrorCode, OfpError};

/// An error message: a known error or a code that this library does not know, and the start of what caused it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorMsg {
    pub error: Result<OfpError, ErrorCode>,
    /// At least 64 bytes of the request, if it has as many.
    pub data: Vec<u8>,
}

/// Bytes of a request that an error message quotes.
pub const ERROR_DATA_MAX: usize = 64;

impl ErrorMsg {
    /// The answer to `request`, quoting its beginning.
    pub fn reply(error: OfpError, request: &[u8]) -> Self {
        let len = request.len().min(ERROR_DATA_MAX);
        ErrorMsg { error: Ok(error), data: request.get(..len).unwrap_or_default().to_vec() }
    }
}

/// Type and code of Nicira errors in OpenFlow 1.0 and 1.1; vendor, type and code follow.
const NXET_VENDOR: u16 = 0xb0c2;
/// Type of experimenter errors in OpenFlow 1.2+; the code is the experimenter's type.
const EXPERIMENTER: u16 = 0xffff;

pub(crate) fn decode(b: &mut Body<'_>) -> Decode<ErrorMsg> {
    let (mut kind, mut code, mut vendor) = (b.r.u16()?, b.r.u16()?, 0);
    if kind == NXET_VENDOR && code == 0 && b.version < Version::V1_2 {
        vendor = b.r.u32()?;
        kind = b.r.u16()?;
        code = b.r.u16()?;
    } else if kind == EXPERIMENTER && b.version >= Version::V1_2 {
        kind = code;
        code = 0;
        vendor = b.r.u32()?;
    }
    let raw = ErrorCode { vendor, kind, code };
    Ok(ErrorMsg { error: OfpError::from_code(b.version, raw).ok_or(raw), data: b.r.rest().to_vec() })
}

pub(crate) fn encode(e: &mut Encoder, err: &ErrorMsg) {
    if !e.begin(Kind::Error) {
        return;
    }
    let unencodable = OfpError::NXBRC_UNENCODABLE_ERROR.code(e.version);
    let code = match err.error {
        Ok(known) => known.code(e.version).or(unencodable),
        Err(raw) => Some(raw),
    };
    let code = code.unwrap_or(ErrorCode { vendor: NX_VENDOR, kind: 1, code: 521 });
    match (code.vendor, e.version < Version::V1_2) {
        (0, _) => {
            e.w.u16(code.kind);
            e.w.u16(code.code);
        }
        (vendor, true) => {
            e.w.u16(NXET_VENDOR);
            e.w.u16(0);
            e.w.u32(vendor);
            e.w.u16(code.kind);
            e.w.u16(code.code);
        }
        (vendor, false) => {
            e.w.u16(EXPERIMENTER);
            e.w.u16(code.kind);
            e.w.u32(vendor);
        }
    }
    e.w.bytes(&err.data);
}
