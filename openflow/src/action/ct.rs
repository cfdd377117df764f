//! `ct(...)` and the `nat(...)` inside it.

use std::net::IpAddr;

use super::list::{self, DecodeCtx, EncodeCtx};
use super::raw::{self, Code};
use super::{Action, Conntrack, CtZoneSrc, Nat, NatKind, field};
use crate::error::OfpError;
use crate::matching::{Field, oxm};
use crate::types::{TableId, Version};
use crate::wire::{Decode, Put, Reader};

const COMMIT: u16 = 1;
const FORCE: u16 = 2;
const NO_RECIRC: u8 = 0xff;

const NAT_SRC: u16 = 1;
const NAT_DST: u16 = 2;
const NAT_PERSISTENT: u16 = 4;
const NAT_HASH: u16 = 8;
const NAT_RANDOM: u16 = 16;

pub(super) fn decode(r: &mut Reader<'_>, ctx: DecodeCtx) -> Decode<Action> {
    let flags = r.u16()?;
    let zone_src = r.array::<4>()?;
    let zone = r.u16()?;
    let table = r.u8()?;
    r.zeros(3, OfpError::NXBRC_MUST_BE_ZERO)?;
    let alg = r.u16()?;
    let zone = if zone_src == [0; 4] {
        CtZoneSrc::Immediate(zone)
    } else {
        let head = field::header(&mut Reader::with(&zone_src, OfpError::OFPBAC_BAD_LEN))?;
        let (lsb, n_bits) = field::ofs_nbits(zone);
        if n_bits != 16 {
            return Err(OfpError::OFPBAC_BAD_SET_LEN);
        }
        CtZoneSrc::Field(field::readable(head, lsb, n_bits)?)
    };
    let (commit, force) = (flags & COMMIT != 0, flags & FORCE != 0);
    if flags & !(COMMIT | FORCE) != 0 || (force && !commit) {
        return Err(OfpError::OFPBAC_BAD_ARGUMENT);
    }
    let actions = list::decode(r.rest(), ctx.nest()?)?;
    check_nested(&actions)?;
    let recirc_table = (table != NO_RECIRC).then_some(TableId(table));
    Ok(Action::Ct(Box::new(Conntrack { commit, force, zone, recirc_table, alg, actions })))
}

/// Only changes of ct_mark and ct_label, and one nat, may stand inside ct.
fn check_nested(actions: &[Action]) -> Decode<()> {
    let ct_field = |f: Field| matches!(f, Field::CtMark | Field::CtLabel);
    let ok = actions.iter().all(|a| match a {
        Action::Nat(_) => true,
        Action::SetField(f) => ct_field(f.field),
        Action::RegMove(m) => ct_field(m.dst.field),
        _ => false,
    });
    let nats = actions.iter().filter(|a| matches!(a, Action::Nat(_))).count();
    if ok && nats <= 1 { Ok(()) } else { Err(OfpError::OFPBAC_BAD_ARGUMENT) }
}

pub(super) fn encode(w: &mut Vec<u8>, c: &Conntrack, ctx: EncodeCtx) {
    raw::put(w, Code::Nx(35), |w| {
        w.u16(if c.commit { COMMIT } else { 0 } | if c.force { FORCE } else { 0 });
        match c.zone {
            CtZoneSrc::Immediate(zone) => {
                w.zeros(4);
                w.u16(zone);
            }
            CtZoneSrc::Field(s) => {
                oxm::Head::of(s.field, Version::V1_0, false).put(w);
                w.u16(field::pack_ofs_nbits(s));
            }
        }
        w.u8(c.recirc_table.map_or(NO_RECIRC, |t| t.0));
        w.zeros(3);
        w.u16(c.alg);
        list::encode(&c.actions, ctx, w);
    });
}

pub(super) fn decode_nat(r: &mut Reader<'_>) -> Decode<Action> {
    const BAD: OfpError = OfpError::OFPBAC_BAD_ARGUMENT;
    r.zeros(2, OfpError::NXBRC_MUST_BE_ZERO)?;
    let flags = r.u16()?;
    let present = r.u16()?;
    let kind = match flags & (NAT_SRC | NAT_DST) {
        0 => NatKind::Tracked,
        NAT_SRC => NatKind::Src,
        NAT_DST => NatKind::Dst,
        _ => return Err(BAD),
    };
    let (hash, random) = (flags & NAT_HASH != 0, flags & NAT_RANDOM != 0);
    let persistent = flags & NAT_PERSISTENT != 0;
    if flags & !0x1f != 0 || present & !0x3f != 0 || (hash && random) {
        return Err(BAD);
    }
    if kind == NatKind::Tracked && (flags != 0 || present != 0) {
        return Err(BAD);
    }
    let has = |bit: u16| present & 1 << bit != 0;
    // A last address without the first, both families, ports without an address.
    let v4 = has(0) || has(1);
    let v6 = has(2) || has(3);
    let range_ok = (has(0) || !has(1)) && (has(2) || !has(3)) && (has(4) || !has(5));
    if (v4 && v6) || !range_ok || (has(4) && !v4 && !v6) {
        return Err(BAD);
    }
    let mut addr = [None; 4];
    for (bit, slot) in addr.iter_mut().enumerate() {
        if has(bit as u16) {
            *slot =
                Some(if bit < 2 { IpAddr::from(r.array::<4>()?) } else { IpAddr::from(r.array::<16>()?) });
        }
    }
    let port_min = if has(4) { Some(r.u16()?) } else { None };
    let port_max = if has(5) { Some(r.u16()?) } else { None };
    let (addr_min, addr_max) = (addr[0].or(addr[2]), addr[1].or(addr[3]));
    let empty = |min_gt_max: bool| min_gt_max;
    if empty(addr_max.is_some() && addr_max < addr_min) || empty(port_max.is_some() && port_max < port_min) {
        return Err(BAD);
    }
    if r.rest().iter().any(|&b| b != 0) {
        return Err(OfpError::NXBRC_MUST_BE_ZERO);
    }
    Ok(Action::Nat(Box::new(Nat { kind, persistent, hash, random, addr_min, addr_max, port_min, port_max })))
}

pub(super) fn encode_nat(w: &mut Vec<u8>, n: &Nat) {
    let bit = |on: bool, bit: u16| if on { bit } else { 0 };
    raw::put(w, Code::Nx(36), |w| {
        w.zeros(2);
        w.u16(
            bit(n.kind == NatKind::Src, NAT_SRC)
                | bit(n.kind == NatKind::Dst, NAT_DST)
                | bit(n.persistent, NAT_PERSISTENT)
                | bit(n.hash, NAT_HASH)
                | bit(n.random, NAT_RANDOM),
        );
        let v6 = n.addr_min.is_some_and(|a| a.is_ipv6());
        let base = if v6 { 2 } else { 0 };
        w.u16(
            bit(n.addr_min.is_some(), 1 << base)
                | bit(n.addr_max.is_some(), 2 << base)
                | bit(n.port_min.is_some(), 16)
                | bit(n.port_max.is_some(), 32),
        );
        for addr in [n.addr_min, n.addr_max].into_iter().flatten() {
            match addr {
                IpAddr::V4(a) => w.bytes(&a.octets()),
                IpAddr::V6(a) => w.bytes(&a.octets()),
            }
        }
        [n.port_min, n.port_max].into_iter().flatten().for_each(|p| w.u16(p));
    });
}
