//! The small actions: legacy header changes, VLAN and MPLS tags, TTLs, queues, resubmit, metadata.

use super::list::{EncodeCtx, by_version};
use super::raw::{self, Code};
use super::{Action, Metadata, Resubmit, SetField, field, output};
use crate::error::OfpError;
use crate::matching::{Field, FieldValue, Subfield};
use crate::types::{GroupId, OfPort, QueueId, TableId, Version};
use crate::wire::{Decode, Put, Reader};
use flow::key::VLAN_CFI;

const TPID_8021Q: u16 = 0x8100;
const TPID_8021AD: u16 = 0x88a8;
const MPLS_TYPES: [u16; 2] = [0x8847, 0x8848];
const BAD: OfpError = OfpError::OFPBAC_BAD_ARGUMENT;

pub(super) fn skip<'r, 'a>(r: &'r mut Reader<'a>, n: usize) -> Decode<&'r mut Reader<'a>> {
    r.skip(n)?;
    Ok(r)
}

/// Standard actions of OpenFlow 1.0.
pub(super) fn decode_10(kind: u16, r: &mut Reader<'_>) -> Decode<Action> {
    Ok(match kind {
        0 => Action::Output { port: output::check(OfPort::from_u16(r.u16()?))?, max_len: r.u16()? },
        1 => Action::SetVlanVid { vid: vlan_vid(r.u16()?)?, push_if_needed: true },
        2 => Action::SetVlanPcp { pcp: vlan_pcp(r.u8()?)?, push_if_needed: true },
        3 => Action::StripVlan,
        4..=7 | 9 | 10 => legacy(kind - 4, r)?,
        8 => Action::SetIpDscp(dscp(r.u8()?)?),
        11 => {
            let port = OfPort::from_u16(r.u16()?);
            r.skip(6)?;
            if !matches!(port, OfPort::IN_PORT | OfPort::LOCAL) && port.0 >= OfPort::MAX.0 {
                return Err(OfpError::OFPBAC_BAD_OUT_PORT);
            }
            Action::Enqueue { port, queue: QueueId(r.u32()?) }
        }
        _ => return Err(OfpError::OFPBAC_BAD_TYPE),
    })
}

/// The legacy set actions that all versions have, numbered from `SET_DL_SRC`.
fn legacy(n: u16, r: &mut Reader<'_>) -> Decode<Action> {
    Ok(match n {
        0 => Action::SetEthSrc(r.array()?),
        1 => Action::SetEthDst(r.array()?),
        2 => Action::SetIpv4Src(r.array()?),
        3 => Action::SetIpv4Dst(r.array()?),
        5 => Action::SetL4Src(r.u16()?),
        _ => Action::SetL4Dst(r.u16()?),
    })
}

/// Standard actions of OpenFlow 1.1 and later.
pub(super) fn decode_11(kind: u16, r: &mut Reader<'_>) -> Decode<Action> {
    Ok(match kind {
        0 => Action::Output { port: output::check(output::port_11(r.u32()?)?)?, max_len: r.u16()? },
        1 => Action::SetVlanVid { vid: vlan_vid(r.u16()?)?, push_if_needed: false },
        2 => Action::SetVlanPcp { pcp: vlan_pcp(r.u8()?)?, push_if_needed: false },
        3..=6 => legacy(kind - 3, r)?,
        7 => Action::SetIpDscp(dscp(r.u8()?)?),
        8 => Action::SetIpEcn(Some(r.u8()?).filter(|&e| e < 4).ok_or(BAD)?),
        9 | 10 => legacy(kind - 4, r)?,
        13 => mpls_label(r.u32()?)?,
        14 => mpls_tc(r.u8()?)?,
        15 => Action::SetMplsTtl(r.u8()?),
        16 => Action::DecMplsTtl,
        17 => {
            let tpid = r.u16()?;
            if tpid != TPID_8021Q && tpid != TPID_8021AD {
                return Err(BAD);
            }
            Action::PushVlan(tpid)
        }
        18 => Action::PopVlan,
        19 => decode_push_mpls(r)?,
        20 => Action::PopMpls(r.u16()?),
        21 => Action::SetQueue(QueueId(r.u32()?)),
        22 => Action::Group(GroupId(r.u32()?)),
        23 => Action::SetIpTtl(r.u8()?),
        24 => Action::DecTtl { ids: vec![0], counted: false },
        _ => return Err(OfpError::OFPBAC_BAD_TYPE),
    })
}

fn vlan_vid(v: u16) -> Decode<u16> {
    if v < 4096 { Ok(v) } else { Err(BAD) }
}
fn vlan_pcp(v: u8) -> Decode<u8> {
    if v < 8 { Ok(v) } else { Err(BAD) }
}
fn dscp(v: u8) -> Decode<u8> {
    if v & 3 == 0 { Ok(v) } else { Err(BAD) }
}
pub(super) fn mpls_label(v: u32) -> Decode<Action> {
    if v < 1 << 20 { Ok(Action::SetMplsLabel(v)) } else { Err(BAD) }
}
pub(super) fn mpls_tc(v: u8) -> Decode<Action> {
    if v < 8 { Ok(Action::SetMplsTc(v)) } else { Err(BAD) }
}

pub(super) fn decode_push_mpls(r: &mut Reader<'_>) -> Decode<Action> {
    let ethertype = r.u16()?;
    if MPLS_TYPES.contains(&ethertype) { Ok(Action::PushMpls(ethertype)) } else { Err(BAD) }
}

pub(super) fn decode_resubmit(sub: u16, r: &mut Reader<'_>) -> Decode<Action> {
    let in_port = OfPort::from_u16(r.u16()?);
    if sub == 1 {
        return Ok(Action::Resubmit(Resubmit {
            in_port,
            table: TableId::ALL,
            with_ct_orig: false,
            portonly: true,
        }));
    }
    let table = TableId(r.u8()?);
    r.zeros(3, BAD)?;
    Ok(Action::Resubmit(Resubmit { in_port, table, with_ct_orig: sub == 44, portonly: false }))
}

pub(super) fn decode_set_tunnel(sub: u16, r: &mut Reader<'_>) -> Decode<Action> {
    if sub == 2 {
        r.skip(2)?;
        return Ok(Action::SetTunnel { id: r.u32()?.into(), wide: false });
    }
    r.skip(6)?;
    Ok(Action::SetTunnel { id: r.u64()?, wide: true })
}

pub(super) fn decode_fin_timeout(r: &mut Reader<'_>) -> Decode<Action> {
    let (idle_s, hard_s) = (r.u16()?, r.u16()?);
    r.zeros(2, BAD)?;
    Ok(Action::FinTimeout { idle_s, hard_s })
}

pub(super) fn decode_dec_ttl_ids(r: &mut Reader<'_>) -> Decode<Action> {
    let n = usize::from(r.u16()?);
    r.zeros(4, OfpError::NXBRC_MUST_BE_ZERO)?;
    if n * 2 > r.len() {
        return Err(OfpError::OFPBAC_BAD_LEN);
    }
    let ids = (0..n).map(|_| r.u16()).collect::<Decode<_>>()?;
    Ok(Action::DecTtl { ids, counted: true })
}

pub(super) fn decode_write_metadata(r: &mut Reader<'_>) -> Decode<Action> {
    r.zeros(6, OfpError::NXBRC_MUST_BE_ZERO)?;
    Ok(Action::WriteMetadata(Box::new(Metadata { value: r.u64()?, mask: r.u64()? })))
}

pub(super) fn decode_conjunction(r: &mut Reader<'_>) -> Decode<Action> {
    let (clause, n_clauses) = (r.u8()?, r.u8()?);
    let id = r.u32()?;
    if !(2..=64).contains(&n_clauses) || clause >= n_clauses {
        return Err(OfpError::NXBAC_BAD_CONJUNCTION);
    }
    Ok(Action::Conjunction { id, clause, n_clauses })
}

/// Writes any action that is not of another family.
pub(super) fn encode(w: &mut Vec<u8>, action: &Action, ctx: &mut EncodeCtx) {
    let v = ctx.version;
    let of10 = v == Version::V1_0;
    match *action {
        Action::SetVlanVid { vid, push_if_needed } => {
            push_vlan_if(w, push_if_needed, ctx);
            put_vlan_vid(w, vid, v);
        }
        Action::SetVlanPcp { pcp, push_if_needed } => {
            push_vlan_if(w, push_if_needed, ctx);
            match v {
                Version::V1_0 | Version::V1_1 => raw::put(w, Code::Of(2), |w| w.u8(pcp)),
                _ => field::put_whole(w, Field::VlanPcp, pcp.into(), v),
            }
        }
        Action::StripVlan | Action::PopVlan => raw::put(w, Code::Of(if of10 { 3 } else { 18 }), |_| {}),
        Action::PushVlan(tpid) => {
            if !of10 {
                raw::put(w, Code::Of(17), |w| w.u16(tpid));
            }
            ctx.has_vlan = true;
        }
        Action::SetEthSrc(mac) => set_or_field(w, v, (4, 3), Field::EthSrc, &mac),
        Action::SetEthDst(mac) => set_or_field(w, v, (5, 4), Field::EthDst, &mac),
        Action::SetIpv4Src(ip) => set_or_field(w, v, (6, 5), Field::IpSrc, &ip),
        Action::SetIpv4Dst(ip) => set_or_field(w, v, (7, 6), Field::IpDst, &ip),
        Action::SetIpDscp(tos) if v >= Version::V1_2 => {
            field::put_whole(w, Field::IpDscp, (tos >> 2).into(), v)
        }
        Action::SetIpDscp(tos) => raw::put(w, Code::Of(if of10 { 8 } else { 7 }), |w| w.u8(tos)),
        Action::SetIpEcn(ecn) => match v {
            Version::V1_0 => field::put_reg_load(w, Subfield::whole(Field::NwEcn), ecn.into()),
            Version::V1_1 => raw::put(w, Code::Of(8), |w| w.u8(ecn)),
            _ => field::put_whole(w, Field::NwEcn, ecn.into(), v),
        },
        Action::SetIpTtl(ttl) if of10 => field::put_reg_load(w, Subfield::whole(Field::NwTtl), ttl.into()),
        Action::SetIpTtl(ttl) => raw::put(w, Code::Of(23), |w| w.u8(ttl)),
        Action::SetL4Src(port) => put_l4(w, ctx, 9, port, [Field::TcpSrc, Field::UdpSrc, Field::SctpSrc]),
        Action::SetL4Dst(port) => put_l4(w, ctx, 10, port, [Field::TcpDst, Field::UdpDst, Field::SctpDst]),
        Action::DecTtl { ref ids, counted } => put_dec_ttl(w, v, ids, counted),
        Action::SetMplsLabel(label) if v >= Version::V1_2 => {
            field::put_whole(w, Field::MplsLabel, label.into(), v)
        }
        Action::SetMplsLabel(label) => raw::put(w, by_version(v, 30, 13), |w| {
            w.zeros(if of10 { 2 } else { 0 });
            w.u32(label);
        }),
        Action::SetMplsTc(tc) if v >= Version::V1_2 => field::put_whole(w, Field::MplsTc, tc.into(), v),
        Action::SetMplsTc(tc) => raw::put(w, by_version(v, 31, 14), |w| w.u8(tc)),
        Action::SetMplsTtl(ttl) => raw::put(w, by_version(v, 25, 15), |w| w.u8(ttl)),
        Action::DecMplsTtl => raw::put(w, by_version(v, 26, 16), |_| {}),
        Action::PushMpls(ethertype) => raw::put(w, by_version(v, 23, 19), |w| w.u16(ethertype)),
        Action::PopMpls(ethertype) => raw::put(w, by_version(v, 24, 20), |w| w.u16(ethertype)),
        Action::DecNshTtl => raw::put(w, Code::Nx(48), |_| {}),
        Action::SetTunnel { id, wide } => put_tunnel(w, v, id, wide),
        Action::SetQueue(queue) => raw::put(w, by_version(v, 4, 21), |w| {
            w.zeros(if of10 { 2 } else { 0 });
            w.u32(queue.0);
        }),
        Action::PopQueue => raw::put(w, Code::Nx(5), |_| {}),
        Action::FinTimeout { idle_s, hard_s } => raw::put(w, Code::Nx(19), |w| {
            w.u16(idle_s);
            w.u16(hard_s);
        }),
        Action::Resubmit(r) => put_resubmit(w, r),
        Action::Conjunction { id, clause, n_clauses } => raw::put(w, Code::Nx(34), |w| {
            w.u8(clause);
            w.u8(n_clauses);
            w.u32(id);
        }),
        Action::Note(ref note) => raw::put(w, Code::Nx(8), |w| w.bytes(note)),
        Action::Exit => raw::put(w, Code::Nx(17), |_| {}),
        Action::CtClear => raw::put(w, Code::Nx(43), |_| {}),
        Action::DebugSlow => raw::put(w, Code::Nx(254), |_| {}),
        Action::DebugRecirc => raw::put(w, Code::Nx(255), |_| {}),
        Action::WriteMetadata(ref m) => raw::put(w, Code::Nx(22), |w| {
            w.zeros(6);
            w.u64(m.value);
            w.u64(m.mask);
        }),
        _ => {}
    }
}

fn push_vlan_if(w: &mut Vec<u8>, needed: bool, ctx: &mut EncodeCtx) {
    if needed && ctx.version > Version::V1_0 && !ctx.has_vlan {
        raw::put(w, Code::Of(17), |w| w.u16(TPID_8021Q));
    }
    ctx.has_vlan = true;
}

fn put_vlan_vid(w: &mut Vec<u8>, vid: u16, v: Version) {
    match v {
        Version::V1_0 | Version::V1_1 => raw::put(w, Code::Of(1), |w| w.u16(vid)),
        _ => field::put_whole(w, Field::VlanVid, (vid | VLAN_CFI).into(), v),
    }
}

/// A legacy action numbered `(1.0, 1.1)`, or set_field from OpenFlow 1.2 on.
fn set_or_field(w: &mut Vec<u8>, v: Version, (of10, of11): (u16, u16), f: Field, value: &[u8]) {
    match v {
        Version::V1_0 => raw::put(w, Code::Of(of10), |w| w.bytes(value)),
        Version::V1_1 => raw::put(w, Code::Of(of11), |w| w.bytes(value)),
        _ => field::put_whole(w, f, value.iter().fold(0, |n, &b| n << 8 | FieldValue::from(b)), v),
    }
}

fn put_l4(w: &mut Vec<u8>, ctx: &EncodeCtx, code: u16, port: u16, fields: [Field; 3]) {
    if ctx.version < Version::V1_2 {
        return raw::put(w, Code::Of(code), |w| w.u16(port));
    }
    let n = match ctx.ip_proto {
        6 => 0,
        17 => 1,
        132 => 2,
        _ => return raw::put(w, Code::Of(code), |w| w.u16(port)),
    };
    field::put_whole(w, fields[n], port.into(), ctx.version);
}

fn put_dec_ttl(w: &mut Vec<u8>, v: Version, ids: &[u16], counted: bool) {
    if !counted {
        return raw::put(w, by_version(v, 18, 24), |_| {});
    }
    raw::put(w, Code::Nx(21), |w| {
        w.u16(ids.len() as u16);
        w.zeros(4);
        ids.iter().for_each(|&id| w.u16(id));
    });
}

fn put_tunnel(w: &mut Vec<u8>, v: Version, id: u64, wide: bool) {
    if v >= Version::V1_2 {
        return field::put_whole(w, Field::TunId, id.into(), v);
    }
    match u32::try_from(id) {
        Ok(id) if !wide => raw::put(w, Code::Nx(2), |w| {
            w.zeros(2);
            w.u32(id);
        }),
        _ => raw::put(w, Code::Nx(9), |w| {
            w.zeros(6);
            w.u64(id);
        }),
    }
}

fn put_resubmit(w: &mut Vec<u8>, r: Resubmit) {
    let code = match (r.with_ct_orig, r.table) {
        (true, _) => 44,
        (false, TableId::ALL) if r.in_port != OfPort::IN_PORT || r.portonly => 1,
        _ => 14,
    };
    raw::put(w, Code::Nx(code), |w| {
        w.u16(r.in_port.low16());
        if code != 1 {
            w.u8(r.table.0);
        }
    });
}

/// In OpenFlow 1.0 and 1.1, writes a whole-field set as the legacy action that does the same; false = there is none.
pub(super) fn encode_legacy_set(w: &mut Vec<u8>, f: &SetField, ctx: &mut EncodeCtx) -> bool {
    let bytes = (f.value as u64).to_be_bytes();
    let mac = || [bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]];
    let ip = || [bytes[4], bytes[5], bytes[6], bytes[7]];
    let (low8, low16) = (f.value as u8, f.value as u16);
    let of10 = ctx.version == Version::V1_0;
    let action = match f.field {
        Field::EthSrc => Action::SetEthSrc(mac()),
        Field::EthDst => Action::SetEthDst(mac()),
        Field::IpSrc => Action::SetIpv4Src(ip()),
        Field::IpDst => Action::SetIpv4Dst(ip()),
        Field::NwTos => Action::SetIpDscp(low8 & 0xfc),
        Field::IpDscp => Action::SetIpDscp(low8 << 2),
        Field::NwEcn if !of10 => Action::SetIpEcn(low8),
        Field::TcpSrc | Field::UdpSrc => Action::SetL4Src(low16),
        Field::TcpDst | Field::UdpDst => Action::SetL4Dst(low16),
        Field::DlVlan | Field::VlanVid => Action::SetVlanVid { vid: low16 & 0xfff, push_if_needed: of10 },
        Field::DlVlanPcp | Field::VlanPcp => Action::SetVlanPcp { pcp: low8, push_if_needed: of10 },
        _ => return false,
    };
    encode(w, &action, ctx);
    true
}
