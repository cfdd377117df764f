//! Instructions of OpenFlow 1.1+ and how they stand in a list of actions.

use super::list::{self, DecodeCtx, EncodeCtx};
use super::{Action, Metadata};
use crate::error::OfpError;
use crate::types::{MeterId, TableId, Version};
use crate::wire::{Decode, Put, Reader};

const GOTO_TABLE: u16 = 1;
const WRITE_METADATA: u16 = 2;
const WRITE_ACTIONS: u16 = 3;
const APPLY_ACTIONS: u16 = 4;
const CLEAR_ACTIONS: u16 = 5;
const METER: u16 = 6;

/// Place of an instruction in OVS's order: meter, apply, clear, write actions, metadata, goto. Plain actions are `apply`.
pub fn rank(action: &Action) -> u8 {
    match action {
        Action::Meter(_) => 0,
        Action::ClearActions => 2,
        Action::WriteActions(_) => 3,
        Action::WriteMetadata(_) => 4,
        Action::GotoTable(_) => 5,
        _ => 1,
    }
}

/// Decodes instructions that fill `r`.
pub fn decode(r: &mut Reader<'_>, ctx: DecodeCtx) -> Decode<Vec<Action>> {
    let bad_len = OfpError::OFPBIC_BAD_LEN;
    check_frames(r.peek(), ctx)?;
    let mut found: [Option<Vec<Action>>; 6] = Default::default();
    while !r.is_empty() {
        let mut head = Reader::with(r.peek(), bad_len);
        let kind = head.u16()?;
        let len = usize::from(head.u16()?);
        if len < 8 || !len.is_multiple_of(8) || len > r.len() {
            return Err(bad_len);
        }
        let mut body = Reader::with(&r.bytes(len)?[4..], bad_len);
        let actions = one(kind, &mut body, ctx)?;
        let slot = match kind {
            METER => 0,
            APPLY_ACTIONS => 1,
            CLEAR_ACTIONS => 2,
            WRITE_ACTIONS => 3,
            WRITE_METADATA => 4,
            _ => 5,
        };
        if found[slot].replace(actions).is_some() {
            return Err(OfpError::OFPBIC_DUP_INST);
        }
    }
    Ok(found.into_iter().flatten().flatten().collect())
}

/// The instructions' own lengths and types, before anything inside them is looked at.
fn check_frames(bytes: &[u8], ctx: DecodeCtx) -> Decode<()> {
    let bad_len = OfpError::OFPBIC_BAD_LEN;
    let mut r = Reader::with(bytes, bad_len);
    while !r.is_empty() {
        let mut head = Reader::with(r.peek(), bad_len);
        let (kind, len) = (head.u16()?, usize::from(head.u16()?));
        if len < 8 || !len.is_multiple_of(8) || len > r.len() {
            return Err(bad_len);
        }
        match kind {
            0xffff => return Err(OfpError::OFPBIC_BAD_EXPERIMENTER),
            METER if ctx.version < Version::V1_3 => return Err(OfpError::OFPBIC_UNKNOWN_INST),
            METER | APPLY_ACTIONS | CLEAR_ACTIONS | WRITE_ACTIONS | WRITE_METADATA | GOTO_TABLE => {}
            _ => return Err(OfpError::OFPBIC_UNKNOWN_INST),
        }
        r.skip(len)?;
    }
    Ok(())
}

fn one(kind: u16, r: &mut Reader<'_>, ctx: DecodeCtx) -> Decode<Vec<Action>> {
    let fixed = |r: &Reader<'_>, n: usize| if r.len() == n { Ok(()) } else { Err(OfpError::OFPBIC_BAD_LEN) };
    Ok(match kind {
        GOTO_TABLE => {
            fixed(r, 4)?;
            vec![Action::GotoTable(TableId(r.u8()?))]
        }
        WRITE_METADATA => {
            fixed(r, 20)?;
            r.skip(4)?;
            vec![Action::WriteMetadata(Box::new(Metadata { value: r.u64()?, mask: r.u64()? }))]
        }
        WRITE_ACTIONS => {
            r.skip(4)?;
            let actions = list::decode(r.rest(), ctx.nest()?)?;
            check_set(&actions)?;
            vec![Action::WriteActions(actions)]
        }
        APPLY_ACTIONS => {
            r.skip(4)?;
            list::decode(r.rest(), ctx)?
        }
        CLEAR_ACTIONS => {
            fixed(r, 4)?;
            vec![Action::ClearActions]
        }
        METER if ctx.version >= Version::V1_3 => {
            fixed(r, 4)?;
            vec![Action::Meter(MeterId(r.u32()?))]
        }
        0xffff => return Err(OfpError::OFPBIC_BAD_EXPERIMENTER),
        _ => return Err(OfpError::OFPBIC_UNKNOWN_INST),
    })
}

/// Only some actions may be in an action set.
pub fn check_set(actions: &[Action]) -> Decode<()> {
    if actions.iter().all(allowed_in_set) { Ok(()) } else { Err(OfpError::OFPBAC_BAD_TYPE) }
}

fn allowed_in_set(action: &Action) -> bool {
    !matches!(
        action,
        Action::Bundle(_)
            | Action::Clone(_)
            | Action::Controller(_)
            | Action::Ct(_)
            | Action::CtClear
            | Action::DecNshTtl
            | Action::Enqueue { .. }
            | Action::Exit
            | Action::FinTimeout { .. }
            | Action::Learn(_)
            | Action::Conjunction { .. }
            | Action::Multipath(_)
            | Action::Nat(_)
            | Action::Note(_)
            | Action::OutputReg { .. }
            | Action::OutputTrunc { .. }
            | Action::PopQueue
            | Action::CheckPktLarger { .. }
            | Action::DeleteField(_)
            | Action::StackPop(_)
            | Action::StackPush(_)
            | Action::Sample(_)
            | Action::DebugSlow
            | Action::DebugRecirc
            | Action::ClearActions
            | Action::GotoTable(_)
            | Action::WriteActions(_)
            | Action::WriteMetadata(_)
            | Action::Meter(_)
    )
}

/// Appends `actions` as instructions (1.1+), or as a plain list (1.0).
pub fn encode(actions: &[Action], ctx: EncodeCtx, w: &mut Vec<u8>) {
    if ctx.version == Version::V1_0 {
        return encode_10(actions, ctx, w);
    }
    let (mut n, mut rest) = (0, actions);
    while let Some(first) = rest.first() {
        let instruction =
            rank(first) != 1 && !(ctx.version >= Version::V1_5 && matches!(first, Action::Meter(_)));
        if instruction {
            put(w, first, ctx);
            rest = &rest[1..];
            continue;
        }
        let len = rest.iter().position(|a| rank(a) > 1).unwrap_or(rest.len());
        let (apply, tail) = rest.split_at(len);
        rest = tail;
        n += 1;
        instruction_around(w, APPLY_ACTIONS, |w| {
            w.zeros(4);
            list::encode(apply, ctx, w);
        });
    }
    debug_assert!(n <= 1, "actions are in order");
}

/// OpenFlow 1.0 has Nicira's actions for what it can do of instructions: write_metadata, and goto as resubmit.
fn encode_10(actions: &[Action], ctx: EncodeCtx, w: &mut Vec<u8>) {
    for action in actions {
        match action {
            Action::GotoTable(table) => {
                let resubmit = super::Resubmit {
                    in_port: crate::types::OfPort::IN_PORT,
                    table: *table,
                    with_ct_orig: false,
                    portonly: false,
                };
                list::encode(&[Action::Resubmit(resubmit)], ctx, w);
            }
            other => list::encode(std::slice::from_ref(other), ctx, w),
        }
    }
}

fn instruction_around(w: &mut Vec<u8>, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
    let start = w.len();
    w.u16(kind);
    w.u16(0);
    body(w);
    let len = w.len() - start;
    w.patch_u16(start + 2, len.min(0xfff8) as u16);
}

fn put(w: &mut Vec<u8>, action: &Action, ctx: EncodeCtx) {
    match action {
        // Older versions have no meters.
        Action::Meter(_) if ctx.version < Version::V1_3 => {}
        Action::Meter(id) => instruction_around(w, METER, |w| w.u32(id.0)),
        Action::ClearActions => instruction_around(w, CLEAR_ACTIONS, |w| w.zeros(4)),
        Action::WriteActions(actions) => instruction_around(w, WRITE_ACTIONS, |w| {
            w.zeros(4);
            list::encode(actions, ctx, w);
        }),
        Action::WriteMetadata(m) => instruction_around(w, WRITE_METADATA, |w| {
            w.zeros(4);
            w.u64(m.value);
            w.u64(m.mask);
        }),
        Action::GotoTable(t) => instruction_around(w, GOTO_TABLE, |w| {
            w.u8(t.0);
            w.zeros(3);
        }),
        _ => {}
    }
}
