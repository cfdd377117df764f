//! The 40-byte match of OpenFlow 1.0.

use super::{Field, FieldValue, Match};
use crate::types::OfPort;
use crate::wire::{Decode, Put, Reader};
use flow::field::ones;
use flow::key::VLAN_CFI;

/// Bytes of the structure.
pub const LEN: usize = 40;

const IN_PORT: u32 = 1;
const DL_VLAN: u32 = 1 << 1;
const DL_SRC: u32 = 1 << 2;
const DL_DST: u32 = 1 << 3;
const DL_TYPE: u32 = 1 << 4;
const NW_PROTO: u32 = 1 << 5;
const TP_SRC: u32 = 1 << 6;
const TP_DST: u32 = 1 << 7;
const NW_SRC_SHIFT: u32 = 8;
const NW_DST_SHIFT: u32 = 14;
const DL_VLAN_PCP: u32 = 1 << 20;
const NW_TOS: u32 = 1 << 21;
/// `dl_vlan` of a packet without tag.
pub(super) const VLAN_NONE: u16 = 0xffff;

/// Takes a match.
pub fn pull(r: &mut Reader<'_>) -> Decode<Match> {
    let wc = r.u32()?;
    let in_port = r.u16()?;
    let dl_src = mac(r)?;
    let dl_dst = mac(r)?;
    let (dl_vlan, dl_vlan_pcp) = (r.u16()?, r.u8()?);
    r.skip(1)?;
    let dl_type = r.u16()?;
    let (nw_tos, nw_proto) = (r.u8()?, r.u8()?);
    r.skip(2)?;
    let (nw_src, nw_dst) = (r.u32()?, r.u32()?);
    let (tp_src, tp_dst) = (r.u16()?, r.u16()?);

    let mut m = Match::default();
    let has = |bit: u32| wc & bit == 0;
    let mut set = |on: bool, field: Field, value: FieldValue| {
        if on {
            m.set_masked(field, value, field.value_mask());
        }
    };
    set(has(IN_PORT), Field::InPort, in_port.into());
    set(has(DL_SRC), Field::EthSrc, dl_src);
    set(has(DL_DST), Field::EthDst, dl_dst);
    set(has(DL_TYPE), Field::EthType, dl_type.into());
    set_vlan(&mut m, has(DL_VLAN).then_some(dl_vlan), has(DL_VLAN_PCP).then_some(dl_vlan_pcp));
    // Only a packet of the right kind has the rest.
    if !has(DL_TYPE) {
        return Ok(m);
    }
    let masks = [nw_mask(wc >> NW_SRC_SHIFT), nw_mask(wc >> NW_DST_SHIFT)];
    let (src, dst) = match dl_type {
        0x0800 => (Field::IpSrc, Field::IpDst),
        0x0806 | 0x8035 => (Field::ArpSpa, Field::ArpTpa),
        0x86dd => (Field::NwProto, Field::NwProto),
        _ => return Ok(m),
    };
    if src != dst {
        for (field, value, mask) in [(src, nw_src, masks[0]), (dst, nw_dst, masks[1])] {
            if mask != 0 {
                m.set_masked(field, FieldValue::from(value) & mask, mask);
            }
        }
    }
    if has(NW_PROTO) {
        let field = if dl_type == 0x0806 || dl_type == 0x8035 { Field::ArpOp } else { Field::NwProto };
        m.set_masked(field, nw_proto.into(), field.value_mask());
    }
    if has(NW_TOS) && matches!(dl_type, 0x0800 | 0x86dd) {
        m.set_masked(Field::NwTos, (nw_tos & 0xfc).into(), 0xfc);
    }
    if has(NW_PROTO) && (dl_type == 0x0800 || dl_type == 0x86dd) {
        set_l4(
            &mut m,
            nw_proto,
            has(TP_SRC).then_some((tp_src, 0xffff)),
            has(TP_DST).then_some((tp_dst, 0xffff)),
        );
    }
    Ok(m)
}

/// L4 ports (or ICMP type and code), as value and mask.
pub(super) fn set_l4(m: &mut Match, proto: u8, src: Option<(u16, u16)>, dst: Option<(u16, u16)>) {
    let fields = match proto {
        1 => (Field::IcmpType, Field::IcmpCode),
        6 => (Field::TcpSrc, Field::TcpDst),
        17 => (Field::UdpSrc, Field::UdpDst),
        58 => (Field::Icmpv6Type, Field::Icmpv6Code),
        132 => (Field::SctpSrc, Field::SctpDst),
        _ => return,
    };
    for (field, value) in [(fields.0, src), (fields.1, dst)] {
        if let Some((value, mask)) = value {
            m.set_masked(field, (value & mask).into(), mask.into());
        }
    }
}

fn set_vlan(m: &mut Match, vid: Option<u16>, pcp: Option<u8>) {
    if vid == Some(VLAN_NONE) {
        return m.set_masked(Field::VlanTci, 0, 0xffff);
    }
    let mut tci = 0;
    let mut mask = 0;
    if let Some(vid) = vid {
        tci |= vid & 0xfff | VLAN_CFI;
        mask |= 0xfff | VLAN_CFI;
    }
    if let Some(pcp) = pcp {
        tci |= u16::from(pcp & 7) << 13 | VLAN_CFI;
        mask |= 7 << 13 | VLAN_CFI;
    }
    if mask != 0 {
        m.set_masked(Field::VlanTci, tci.into(), mask.into());
    }
}

pub(super) fn mac(r: &mut Reader<'_>) -> Decode<FieldValue> {
    Ok(r.array::<6>()?.iter().fold(0, |n, &b| n << 8 | FieldValue::from(b)))
}

fn nw_mask(wildcard_bits: u32) -> FieldValue {
    let bits = wildcard_bits & 0x3f;
    if bits >= 32 { 0 } else { ones(32) & !ones(bits) }
}

/// True when the structure can say all that `m` says.
pub fn can_express(m: &Match) -> bool {
    let mask = &m.mask;
    let prefix = |bits: u32| bits.leading_ones() + bits.trailing_zeros() >= 32;
    let mut allowed = Match::default();
    for field in [
        Field::InPort,
        Field::EthSrc,
        Field::EthDst,
        Field::EthType,
        Field::VlanTci,
        Field::NwTos,
        Field::NwProto,
        Field::IpSrc,
        Field::IpDst,
    ] {
        allowed.set_masked(field, 0, field.value_mask());
    }
    allowed.set_masked(Field::NwTos, 0, 0xfc);
    // Ports of all L4 protocols are at the same place; for IPv6 they are not to be had.
    let dl_type = m.flow.dl_type.get();
    if dl_type == 0x86dd {
        allowed.set_masked(Field::NwProto, 0, 0);
        allowed.set_masked(Field::NwTos, 0, 0);
    }
    if dl_type == 0x0800 {
        allowed.set_masked(Field::TcpSrc, 0, 0xffff);
        allowed.set_masked(Field::TcpDst, 0, 0xffff);
    }
    let exact =
        |field: Field| matches!(field.get_mask(mask), 0) || field.get_mask(mask) == field.value_mask();
    let tci = Field::VlanTci.get_mask(mask);
    allowed.mask.covers(mask)
        && prefix(mask.0.nw_src.get())
        && prefix(mask.0.nw_dst.get())
        && [Field::EthSrc, Field::EthDst, Field::TcpSrc, Field::TcpDst].into_iter().all(exact)
        && matches!(tci, 0 | 0xffff | 0xf000 | 0x1fff)
        && (tci == 0 || tci == 0xffff || m.flow.vlan.tci.get() & VLAN_CFI != 0)
}

/// Appends what the structure can say of `m`.
pub fn put(w: &mut Vec<u8>, m: &Match) {
    let (flow, mask) = (&m.flow, &m.mask);
    let mut wc = 0;
    let mut wild = |field: Field, bit: u32| {
        if field.get_mask(mask) == 0 {
            wc |= bit;
        }
    };
    wild(Field::InPort, IN_PORT);
    wild(Field::EthSrc, DL_SRC);
    wild(Field::EthDst, DL_DST);
    wild(Field::EthType, DL_TYPE);
    wild(Field::NwProto, NW_PROTO);
    wild(Field::NwTos, NW_TOS);
    wild(Field::TcpSrc, TP_SRC);
    wild(Field::TcpDst, TP_DST);
    wc |= mask.0.nw_src.get().trailing_zeros() << NW_SRC_SHIFT;
    wc |= mask.0.nw_dst.get().trailing_zeros() << NW_DST_SHIFT;
    let tci_mask = mask.0.vlan.tci.get();
    let tci = flow.vlan.tci.get();
    let mut dl_vlan = 0;
    let mut pcp = 0;
    if tci_mask == 0 {
        wc |= DL_VLAN | DL_VLAN_PCP;
    } else if tci_mask & VLAN_CFI != 0 && tci & VLAN_CFI == 0 {
        dl_vlan = VLAN_NONE;
    } else {
        match tci_mask & 0xfff {
            0 => wc |= DL_VLAN,
            _ => dl_vlan = tci & 0xfff,
        }
        match tci_mask >> 13 {
            0 => wc |= DL_VLAN_PCP,
            _ => pcp = (tci >> 13) as u8,
        }
    }
    w.u32(wc);
    w.u16(OfPort(flow.in_port).low16());
    w.bytes(&flow.dl_src);
    w.bytes(&flow.dl_dst);
    w.u16(dl_vlan);
    w.u8(pcp);
    w.zeros(1);
    w.u16(flow.dl_type.get());
    w.u8(flow.nw_tos & 0xfc);
    w.u8(flow.nw_proto);
    w.zeros(2);
    w.u32(flow.nw_src.get());
    w.u32(flow.nw_dst.get());
    w.u16(flow.tp_src.get());
    w.u16(flow.tp_dst.get());
}
