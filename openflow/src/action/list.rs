//! Action lists on the wire: one dispatch for decoding, one for encoding. What an action looks like is in the
//! file of its family.

use super::raw::{self, Code};
use super::{Action, basic, bundle, controller, ct, field, learn, multipath, nsh, output, sample};
use crate::error::OfpError;
use crate::types::{OfPort, QueueId, Version};
use crate::wire::{Decode, Put, Reader};

/// Lists nested deeper than this (clone, ct, write_actions) are refused.
pub const DEPTH_MAX: u8 = 16;

/// What decoding a list depends on.
#[derive(Clone, Copy, Debug)]
pub struct DecodeCtx {
    pub version: Version,
    pub depth: u8,
}

impl DecodeCtx {
    pub fn new(version: Version) -> Self {
        DecodeCtx { version, depth: 0 }
    }

    /// One level deeper.
    pub(super) fn nest(self) -> Decode<Self> {
        if self.depth >= DEPTH_MAX {
            return Err(OfpError::OFPBAC_BAD_LEN);
        }
        Ok(DecodeCtx { depth: self.depth + 1, ..self })
    }
}

/// What encoding a list depends on: some actions are written differently for tagged packets or by L4 protocol.
#[derive(Clone, Copy, Debug)]
pub struct EncodeCtx {
    pub version: Version,
    /// The match says that a VLAN tag is there.
    pub has_vlan: bool,
    /// The match's IP protocol, 0 = unknown.
    pub ip_proto: u8,
}

impl EncodeCtx {
    pub fn new(version: Version) -> Self {
        EncodeCtx { version, has_vlan: false, ip_proto: 0 }
    }
}

/// Decodes a list of actions (not instructions) that fills `bytes`.
pub fn decode(bytes: &[u8], ctx: DecodeCtx) -> Decode<Vec<Action>> {
    let mut r = Reader::with(bytes, OfpError::OFPBAC_BAD_LEN);
    let mut out = Vec::new();
    while !r.is_empty() {
        let (code, mut body) = raw::pull(&mut r)?;
        out.push(one(code, &mut body, ctx)?);
    }
    Ok(out)
}

fn one(code: Code, r: &mut Reader<'_>, ctx: DecodeCtx) -> Decode<Action> {
    let v = ctx.version;
    match code {
        Code::Of(kind) if v == Version::V1_0 => basic::decode_10(kind, r),
        Code::Of(25) if v >= Version::V1_2 => field::decode_set_field(r, v >= Version::V1_5),
        Code::Of(28) if v >= Version::V1_5 => field::decode_copy_field(r, 2),
        Code::Of(29) if v >= Version::V1_5 => Ok(Action::Meter(crate::types::MeterId(r.u32()?))),
        Code::Of(kind) => basic::decode_11(kind, r),
        Code::Onf(3200) if (Version::V1_3..=Version::V1_4).contains(&v) => {
            r.skip(2)?;
            field::decode_copy_field(r, 2)
        }
        Code::Onf(_) => Err(OfpError::OFPBAC_BAD_VENDOR_TYPE),
        Code::Nx(sub) => nicira(sub, r, ctx),
    }
}

fn nicira(sub: u16, r: &mut Reader<'_>, ctx: DecodeCtx) -> Decode<Action> {
    use Version::*;
    let v = ctx.version;
    match sub {
        1 | 14 | 44 => basic::decode_resubmit(sub, r),
        2 | 9 => basic::decode_set_tunnel(sub, r),
        4 if v == V1_0 => basic::skip(r, 2).and_then(|r| Ok(Action::SetQueue(QueueId(r.u32()?)))),
        5 => Ok(Action::PopQueue),
        6 if v <= V1_4 => field::decode_reg_move(r),
        7 if v <= V1_4 => field::decode_reg_load(r),
        8 => Ok(Action::Note(r.rest().to_vec())),
        10 => multipath::decode(r),
        12 | 13 => bundle::decode(r, sub == 13),
        15 => output::decode_output_reg(r),
        32 => output::decode_output_reg2(r),
        16 => learn::decode(r, false),
        45 => learn::decode(r, true),
        17 => Ok(Action::Exit),
        18 if v == V1_0 => Ok(Action::DecTtl { ids: vec![0], counted: false }),
        19 => basic::decode_fin_timeout(r),
        20 => controller::decode(r),
        37 => controller::decode2(r),
        21 => basic::decode_dec_ttl_ids(r),
        22 => basic::decode_write_metadata(r),
        23 if v == V1_0 => basic::decode_push_mpls(r),
        24 if v == V1_0 => Ok(Action::PopMpls(r.u16()?)),
        25 if v == V1_0 => Ok(Action::SetMplsTtl(r.u8()?)),
        26 if v == V1_0 => Ok(Action::DecMplsTtl),
        27 => field::decode_stack(r).map(Action::StackPush),
        28 => field::decode_stack(r).map(Action::StackPop),
        29 | 38 | 41 => sample::decode(r, sub),
        30 if v == V1_0 => basic::skip(r, 2).and_then(|r| basic::mpls_label(r.u32()?)),
        31 if v == V1_0 => basic::mpls_tc(r.u8()?),
        33 if v <= V1_4 => field::decode_reg_load2(r),
        34 => basic::decode_conjunction(r),
        35 => ct::decode(r, ctx),
        36 => ct::decode_nat(r),
        39 => output::decode_trunc(r),
        40 if v == V1_0 => basic::skip(r, 2).and_then(|r| Ok(Action::Group(crate::types::GroupId(r.u32()?)))),
        42 => {
            r.skip(6)?;
            Ok(Action::Clone(decode(r.rest(), ctx.nest()?)?))
        }
        43 => Ok(Action::CtClear),
        46 if v >= V1_3 => nsh::decode_encap(r),
        47 if v >= V1_3 => nsh::decode_decap(r),
        48 if v >= V1_3 => Ok(Action::DecNshTtl),
        49 => field::decode_check_pkt_larger(r),
        50 => field::decode_delete_field(r),
        254 => Ok(Action::DebugSlow),
        255 => Ok(Action::DebugRecirc),
        _ => Err(OfpError::OFPBAC_BAD_VENDOR_TYPE),
    }
}

/// Appends `actions` as a list. Instructions in it are skipped where a list cannot hold them.
pub fn encode(actions: &[Action], ctx: EncodeCtx, w: &mut Vec<u8>) {
    let mut ctx = ctx;
    for action in actions {
        put(action, &mut ctx, w);
    }
}

fn put(action: &Action, ctx: &mut EncodeCtx, w: &mut Vec<u8>) {
    let v = ctx.version;
    match action {
        Action::Output { port, max_len } => output::encode(w, v, *port, *max_len),
        Action::OutputReg { src, max_len } => output::encode_reg(w, *src, *max_len),
        Action::OutputTrunc { port, max_len } => output::encode_trunc(w, *port, *max_len),
        Action::Controller(c) => controller::encode(w, v, c),
        Action::Enqueue { port, queue } => enqueue(w, v, *port, *queue),
        Action::Group(id) => raw::put(w, by_version(v, 40, 22), |w| {
            w.zeros(if v == Version::V1_0 { 2 } else { 0 });
            w.u32(id.0);
        }),
        Action::Bundle(b) => bundle::encode(w, b),
        Action::SetField(f) => field::encode_set_field(w, f, ctx),
        Action::RegMove(m) => field::encode_move(w, v, m),
        Action::StackPush(s) => field::encode_stack(w, 27, *s),
        Action::StackPop(s) => field::encode_stack(w, 28, *s),
        Action::CheckPktLarger { len, dst } => field::encode_check_pkt_larger(w, *len, *dst),
        Action::DeleteField(f) => field::encode_delete_field(w, *f),
        Action::Learn(l) => learn::encode(w, l),
        Action::Multipath(m) => multipath::encode(w, m),
        Action::Sample(s) => sample::encode(w, s),
        Action::Clone(list) => raw::put(w, Code::Nx(42), |w| {
            w.zeros(6);
            encode(list, *ctx, w);
        }),
        Action::Ct(c) => ct::encode(w, c, *ctx),
        Action::Nat(n) => ct::encode_nat(w, n),
        Action::Encap(e) => nsh::encode_encap(w, e),
        Action::Decap { new_packet_type } => nsh::encode_decap(w, *new_packet_type),
        Action::Meter(id) if v >= Version::V1_5 => raw::put(w, Code::Of(29), |w| w.u32(id.0)),
        Action::Meter(_) | Action::ClearActions | Action::WriteActions(_) | Action::GotoTable(_) => {}
        other => basic::encode(w, other, ctx),
    }
}

/// Nicira's subtype in OpenFlow 1.0, the standard type after it.
pub(super) fn by_version(v: Version, nx: u16, of: u16) -> Code {
    if v == Version::V1_0 { Code::Nx(nx) } else { Code::Of(of) }
}

fn enqueue(w: &mut Vec<u8>, v: Version, port: OfPort, queue: QueueId) {
    if v == Version::V1_0 {
        return raw::put(w, Code::Of(11), |w| {
            w.u16(port.low16());
            w.zeros(6);
            w.u32(queue.0);
        });
    }
    raw::put(w, Code::Of(21), |w| w.u32(queue.0));
    output::encode(w, v, port, 0);
    raw::put(w, Code::Nx(5), |_| {});
}
