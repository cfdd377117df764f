//! Whether actions fit the match they stand behind.

use super::{Action, Encap, SetField};
use crate::error::OfpError;
use crate::matching::{Field, Match};
use crate::wire::Decode;

/// `Ok(false)`: OpenFlow 1.0 allows it, later versions do not. `Err`: no version allows it.
pub fn consistent(actions: &[Action], matching: &Match) -> Decode<bool> {
    let mut m = *matching;
    let mut fits = true;
    for action in actions {
        fits &= one(action, &mut m)?;
    }
    Ok(fits)
}

const BAD: OfpError = OfpError::OFPBAC_MATCH_INCONSISTENT;

fn needs(m: &Match, field: Field) -> Decode<bool> {
    if m.has_prerequisites(field) { Ok(true) } else { Err(BAD) }
}

fn has_tag(m: &Match) -> bool {
    m.mask.0.vlan.tci.get() & m.flow.vlan.tci.get() & flow::key::VLAN_CFI != 0
}

fn one(action: &Action, m: &mut Match) -> Decode<bool> {
    Ok(match action {
        Action::SetVlanVid { push_if_needed, .. } | Action::SetVlanPcp { push_if_needed, .. } => {
            let ok = has_tag(m) || *push_if_needed;
            m.set_masked(Field::VlanTci, flow::key::VLAN_CFI.into(), flow::key::VLAN_CFI.into());
            ok
        }
        Action::StripVlan | Action::PopVlan => {
            let ok = has_tag(m);
            m.set_masked(Field::VlanTci, 0, 0);
            ok
        }
        Action::PushVlan(_) => {
            m.set_masked(Field::VlanTci, flow::key::VLAN_CFI.into(), flow::key::VLAN_CFI.into());
            true
        }
        Action::SetIpv4Src(_) | Action::SetIpv4Dst(_) => m.has_prerequisites(Field::IpSrc),
        Action::SetIpDscp(_) | Action::SetIpEcn(_) | Action::SetIpTtl(_) | Action::DecTtl { .. } => {
            m.has_prerequisites(Field::NwTtl)
        }
        Action::SetL4Src(_) | Action::SetL4Dst(_) => {
            [Field::TcpSrc, Field::UdpSrc, Field::SctpSrc].into_iter().any(|f| m.has_prerequisites(f))
        }
        Action::SetMplsLabel(_) | Action::SetMplsTc(_) | Action::SetMplsTtl(_) | Action::DecMplsTtl => {
            m.has_prerequisites(Field::MplsLabel)
        }
        Action::PopMpls(ethertype) => {
            let ok = m.has_prerequisites(Field::MplsLabel);
            m.set_masked(Field::EthType, u128::from(*ethertype), 0xffff);
            ok
        }
        Action::PushMpls(ethertype) => {
            m.set_masked(Field::EthType, u128::from(*ethertype), 0xffff);
            true
        }
        Action::SetField(f) => set_field(f, m)?,
        Action::RegMove(mv) => needs(m, mv.src.field)? && needs(m, mv.dst.field)?,
        Action::OutputReg { src, .. } | Action::StackPush(src) | Action::StackPop(src) => {
            needs(m, src.field)?
        }
        Action::Ct(c) => {
            if !m.has_prerequisites(Field::NwProto) {
                return Err(BAD);
            }
            // Helpers follow one protocol.
            let wanted = match c.alg {
                21 => Some(6),
                69 => Some(17),
                _ => None,
            };
            if wanted.is_some_and(|proto| m.flow.nw_proto != proto) {
                return Err(BAD);
            }
            for inner in &c.actions {
                if let Action::Nat(n) = inner
                    && let Some(addr) = n.addr_min
                    && addr.is_ipv4() != (m.flow.dl_type.get() == 0x0800)
                {
                    return Err(BAD);
                }
            }
            true
        }
        Action::Resubmit(r) if r.with_ct_orig => needs(m, Field::CtNwProto)?,
        Action::FinTimeout { .. } => m.has_prerequisites(Field::TcpSrc),
        Action::Clone(inner) | Action::WriteActions(inner) => consistent(inner, m)?,
        Action::Encap(e) => {
            encap(e, m);
            true
        }
        Action::Decap { .. } | Action::DecNshTtl => true,
        _ => true,
    })
}

fn set_field(f: &SetField, m: &mut Match) -> Decode<bool> {
    needs(m, f.field)?;
    if matches!(f.field, Field::VlanVid | Field::DlVlan) && !has_tag(m) {
        return Err(BAD);
    }
    if f.field == Field::VlanTci {
        let all = f.mask & f.value & u128::from(flow::key::VLAN_CFI);
        m.set_masked(Field::VlanTci, all, all);
    }
    Ok(true)
}

fn encap(e: &Encap, m: &mut Match) {
    let ethertype = match e {
        Encap::Ethernet => {
            m.set_masked(Field::PacketType, 0, u32::MAX.into());
            return;
        }
        Encap::Mpls(t) => *t,
        Encap::Nsh { .. } => 0x894f,
    };
    m.set_masked(Field::PacketType, u128::from(1u32 << 16 | u32::from(ethertype)), u32::MAX.into());
    m.set_masked(Field::EthType, u128::from(ethertype), 0xffff);
}
