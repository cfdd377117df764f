//! `controller(...)`: a packet-in with its own controller id, reason, length, user data.

use super::raw::{self, Code};
use super::{Action, Controller};
use crate::error::OfpError;
use crate::msg::PacketInReason;
use crate::types::{MeterId, OfPort, Version};
use crate::wire::{Decode, Put, Reader, property, put_property};

fn reason(v: u8) -> PacketInReason {
    PacketInReason::from_wire(v).unwrap_or(PacketInReason::NoMatch)
}

pub(super) fn decode(r: &mut Reader<'_>) -> Decode<Action> {
    let (max_len, id, why) = (r.u16()?, r.u16()?, r.u8()?);
    r.skip(1)?;
    Ok(Action::Controller(Box::new(Controller { max_len, id, reason: reason(why), ..Controller::default() })))
}

pub(super) fn decode2(r: &mut Reader<'_>) -> Decode<Action> {
    r.zeros(6, OfpError::NXBRC_MUST_BE_ZERO)?;
    let mut c = Controller::default();
    while !r.is_empty() {
        let (kind, mut body) = property(r, 8)?;
        match kind {
            0 => c.max_len = body.u16()?,
            1 => c.id = body.u16()?,
            2 => c.reason = reason(body.u8()?),
            3 => c.userdata = body.rest().to_vec(),
            4 => c.pause = true,
            5 => c.meter = Some(MeterId(body.u32()?)),
            _ => return Err(OfpError::OFPBPC_BAD_TYPE),
        }
    }
    Ok(Action::Controller(Box::new(c)))
}

pub(super) fn encode(w: &mut Vec<u8>, v: Version, c: &Controller) {
    if !c.userdata.is_empty() || c.pause || c.meter.is_some() {
        return encode2(w, c);
    }
    if c.id == 0 && c.reason == PacketInReason::Action {
        return super::output::encode(w, v, OfPort::CONTROLLER, c.max_len);
    }
    raw::put(w, Code::Nx(20), |w| {
        w.u16(c.max_len);
        w.u16(c.id);
        w.u8(c.reason.wire(Version::V1_0));
        w.u8(0);
    });
}

fn encode2(w: &mut Vec<u8>, c: &Controller) {
    raw::put(w, Code::Nx(37), |w| {
        w.zeros(6);
        if c.max_len != u16::MAX {
            put_property(w, 0, 8, |w| w.u16(c.max_len));
        }
        if c.id != 0 {
            put_property(w, 1, 8, |w| w.u16(c.id));
        }
        if c.reason != PacketInReason::Action {
            put_property(w, 2, 8, |w| w.u8(c.reason.wire(Version::V1_5)));
        }
        if !c.userdata.is_empty() {
            put_property(w, 3, 8, |w| w.bytes(&c.userdata));
        }
        if c.pause {
            put_property(w, 4, 8, |_| {});
        }
        if let Some(meter) = c.meter {
            put_property(w, 5, 8, |w| w.u32(meter.0));
        }
    });
}
