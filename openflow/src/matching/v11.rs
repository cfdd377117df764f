//! The 88-byte match of OpenFlow 1.1.

use super::v10::{VLAN_NONE, mac, set_l4};
use super::{Field, Match};
use crate::error::OfpError;
use crate::types::OfPort;
use crate::wire::{Decode, Put, Reader};
use flow::field::ones;
use flow::key::VLAN_CFI;

/// Bytes of the structure with its header.
pub const LEN: usize = 88;

const IN_PORT: u32 = 1;
const DL_VLAN: u32 = 1 << 1;
const DL_VLAN_PCP: u32 = 1 << 2;
const DL_TYPE: u32 = 1 << 3;
const NW_TOS: u32 = 1 << 4;
const NW_PROTO: u32 = 1 << 5;
const TP_SRC: u32 = 1 << 6;
const TP_DST: u32 = 1 << 7;
const MPLS_LABEL: u32 = 1 << 8;
const MPLS_TC: u32 = 1 << 9;
/// `dl_vlan`: any tag.
const VLAN_ANY: u16 = 0xfffe;

/// Takes a match; masks of addresses say which bits are wildcarded.
pub fn pull(r: &mut Reader<'_>) -> Decode<Match> {
    let bad_len = OfpError::OFPBMC_BAD_LEN;
    let mut r = Reader::with(r.bytes(LEN).map_err(|_| bad_len)?, bad_len);
    if r.u16()? != 0 {
        return Err(OfpError::OFPBMC_BAD_TYPE);
    }
    if usize::from(r.u16()?) != LEN {
        return Err(bad_len);
    }
    let in_port = r.u32()?;
    let wc = r.u32()?;
    let macs = [(Field::EthSrc, mac(&mut r)?, mac(&mut r)?), (Field::EthDst, mac(&mut r)?, mac(&mut r)?)];
    let (dl_vlan, pcp) = (r.u16()?, r.u8()?);
    r.skip(1)?;
    let dl_type = r.u16()?;
    let (nw_tos, nw_proto) = (r.u8()?, r.u8()?);
    let nw = [(r.u32()?, r.u32()?), (r.u32()?, r.u32()?)];
    let (tp_src, tp_dst) = (r.u16()?, r.u16()?);
    let (label, tc) = (r.u32()?, r.u8()?);
    r.skip(3)?;
    let (metadata, metadata_mask) = (r.u64()?, r.u64()?);

    let mut m = Match::default();
    let has = |bit: u32| wc & bit == 0;
    if has(IN_PORT) {
        let port = crate::action::port_11(in_port).map_err(|_| OfpError::OFPBMC_BAD_VALUE)?;
        m.set_masked(Field::InPortOxm, port.0.into(), ones(32));
    }
    for (field, value, wild) in macs {
        let mask = ones(48) & !wild;
        if mask != 0 {
            m.set_masked(field, value & mask, mask);
        }
    }
    set_vlan(&mut m, has(DL_VLAN).then_some(dl_vlan), has(DL_VLAN_PCP).then_some(pcp))?;
    if has(DL_TYPE) {
        m.set_masked(Field::EthType, dl_type.into(), 0xffff);
        let ip = matches!(dl_type, 0x0800 | 0x86dd);
        let arp = matches!(dl_type, 0x0806 | 0x8035);
        if ip && has(NW_TOS) {
            if nw_tos & 0xc0 != 0 {
                return Err(OfpError::OFPBMC_BAD_VALUE);
            }
            m.set_masked(Field::IpDscp, nw_tos.into(), 0x3f);
        }
        if (ip || arp) && has(NW_PROTO) {
            let field = if arp { Field::ArpOp } else { Field::NwProto };
            m.set_masked(field, nw_proto.into(), field.value_mask());
        }
        if dl_type == 0x0800 || arp {
            let fields = if arp { [Field::ArpSpa, Field::ArpTpa] } else { [Field::IpSrc, Field::IpDst] };
            for (field, (value, wild)) in fields.into_iter().zip(nw) {
                if wild != u32::MAX {
                    m.set_masked(field, (value & !wild).into(), (!wild).into());
                }
            }
        }
        if ip && has(NW_PROTO) {
            set_l4(
                &mut m,
                nw_proto,
                has(TP_SRC).then_some((tp_src, 0xffff)),
                has(TP_DST).then_some((tp_dst, 0xffff)),
            );
        }
        if matches!(dl_type, 0x8847 | 0x8848) {
            if has(MPLS_LABEL) {
                m.set_masked(Field::MplsLabel, (label & 0xfffff).into(), ones(20));
            }
            if has(MPLS_TC) {
                m.set_masked(Field::MplsTc, (tc & 7).into(), 7);
            }
        }
    }
    if metadata_mask != u64::MAX {
        m.set_masked(Field::Metadata, (metadata & !metadata_mask).into(), (!metadata_mask).into());
    }
    Ok(m)
}

fn set_vlan(m: &mut Match, vid: Option<u16>, pcp: Option<u8>) -> Decode<()> {
    let (mut tci, mut mask) = match vid {
        None => return Ok(()),
        Some(VLAN_NONE) => (0, 0xffff),
        Some(VLAN_ANY) => (VLAN_CFI, VLAN_CFI),
        Some(vid) if vid < 4096 => (vid | VLAN_CFI, 0xfff | VLAN_CFI),
        Some(_) => return Err(OfpError::OFPBMC_BAD_VALUE),
    };
    if let (Some(pcp), true) = (pcp, tci != 0) {
        if pcp > 7 {
            return Err(OfpError::OFPBMC_BAD_VALUE);
        }
        tci |= u16::from(pcp) << 13;
        mask |= 7 << 13;
    }
    m.set_masked(Field::VlanTci, tci.into(), mask.into());
    Ok(())
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
    wild(Field::EthType, DL_TYPE);
    wild(Field::NwTos, NW_TOS);
    wild(Field::NwProto, NW_PROTO);
    wild(Field::TcpSrc, TP_SRC);
    wild(Field::TcpDst, TP_DST);
    wild(Field::MplsLabel, MPLS_LABEL);
    wild(Field::MplsTc, MPLS_TC);
    let (tci, tci_mask) = (flow.vlan.tci.get(), mask.0.vlan.tci.get());
    let (mut dl_vlan, mut pcp) = (0, 0);
    if tci_mask & VLAN_CFI == 0 {
        wc |= DL_VLAN | DL_VLAN_PCP;
    } else if tci & VLAN_CFI == 0 {
        dl_vlan = VLAN_NONE;
        wc |= DL_VLAN_PCP;
    } else {
        dl_vlan = if tci_mask & 0xfff == 0 { VLAN_ANY } else { tci & 0xfff };
        match tci_mask >> 13 {
            0 => wc |= DL_VLAN_PCP,
            _ => pcp = (tci >> 13) as u8,
        }
    }
    let not = |bytes: &[u8; 6]| bytes.map(|b| !b);
    let lse = flow.mpls[0].get();
    w.u16(0);
    w.u16(LEN as u16);
    w.u32(OfPort::from_u16(flow.in_port as u16).0);
    w.u32(wc);
    w.bytes(&flow.dl_src);
    w.bytes(&not(&mask.0.dl_src));
    w.bytes(&flow.dl_dst);
    w.bytes(&not(&mask.0.dl_dst));
    w.u16(dl_vlan);
    w.u8(pcp);
    w.zeros(1);
    w.u16(flow.dl_type.get());
    w.u8(flow.nw_tos >> 2);
    w.u8(flow.nw_proto);
    w.u32(flow.nw_src.get());
    w.u32(!mask.0.nw_src.get());
    w.u32(flow.nw_dst.get());
    w.u32(!mask.0.nw_dst.get());
    w.u16(flow.tp_src.get());
    w.u16(flow.tp_dst.get());
    w.u32(lse >> 12);
    w.u8((lse >> 9 & 7) as u8);
    w.zeros(3);
    w.u64(flow.metadata.get());
    w.u64(!mask.0.metadata.get());
}
