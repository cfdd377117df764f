//! Switch description.

use crate::codec::{Body, Encoder};
use crate::raw::Kind;
use crate::wire::{Decode, Put};

/// OFPST_DESC reply; each string is cut to its field when encoded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Desc {
    pub manufacturer: String,
    pub hardware: String,
    pub software: String,
    pub serial: String,
    pub dp_desc: String,
}

const LONG: usize = 256;
const SHORT: usize = 32;

pub(crate) fn decode(b: &mut Body<'_>) -> Decode<Desc> {
    Ok(Desc {
        manufacturer: b.r.text(LONG)?,
        hardware: b.r.text(LONG)?,
        software: b.r.text(LONG)?,
        serial: b.r.text(SHORT)?,
        dp_desc: b.r.text(LONG)?,
    })
}

pub(crate) fn encode(e: &mut Encoder, d: &Desc) {
    if e.begin(Kind::DescReply) {
        e.w.text(&d.manufacturer, LONG);
        e.w.text(&d.hardware, LONG);
        e.w.text(&d.software, LONG);
        e.w.text(&d.serial, SHORT);
        e.w.text(&d.dp_desc, LONG);
    }
}
