//! `dpif::Action` list to `Program`. Slow plane: once per megaflow.

use std::sync::Arc;

use dpif::action::{Set, SetArp, SetIpv6, SetPorts};
use dpif::{Action, DropReason};
use flow::Be32;
use flow::key::Vlan;
use flow::packet::{l3, l4};
use flow::proto::ip;

use super::{Op, Program, Shape, Straight};

/// Depth of lists within lists; a deeper one compiles to a drop.
pub const NEST_MAX: usize = 16;

/// Compiles a list. An empty one drops, and what this datapath cannot do drops with the reason for that.
pub fn compile(actions: &[Action]) -> Program {
    let ops = list(actions, 0);
    let shape = match *ops {
        [Op::Output { port, .. }] => Shape::Output(port),
        _ => Straight::of(actions).map_or(Shape::Other, Shape::Straight),
    };
    Program { shape, ops }
}

fn list(actions: &[Action], depth: usize) -> Box<[Op]> {
    if depth > NEST_MAX {
        return Box::new([Op::Drop(DropReason::TranslationLimit)]);
    }
    if actions.is_empty() && depth == 0 {
        return Box::new([Op::Drop(DropReason::FlowActions)]);
    }
    let end = actions.len() - usize::from(!actions.is_empty());
    actions.iter().enumerate().map(|(n, action)| op(action, n == end, depth)).collect()
}

pub(super) fn op(action: &Action, last: bool, depth: usize) -> Op {
    let body = |actions: &[Action]| list(actions, depth + 1);
    match action {
        Action::Output(port) => Op::Output { port: *port, last },
        Action::Userspace(what) => Op::Userspace { what: Arc::new((**what).clone()), last },
        Action::Set(set) => set_op(set),
        Action::PushVlan { tpid, tci } => Op::PushVlan(Vlan { tpid: *tpid, tci: *tci }),
        Action::PopVlan => Op::PopVlan,
        Action::PushMpls { ethertype, lse } => Op::PushMpls { ethertype: ethertype.get(), lse: lse.get() },
        Action::PopMpls { ethertype } => Op::PopMpls { ethertype: ethertype.get() },
        Action::PushEth { src, dst } => Op::PushEth { addresses: joined(dst, src) },
        Action::PopEth => Op::PopEth,
        Action::Recirc(id) => Op::Recirc { id: *id, last },
        Action::Hash { algorithm, basis } => Op::Hash { algorithm: *algorithm, basis: *basis },
        Action::Trunc { len_max } => Op::Trunc(*len_max),
        Action::Sample { probability, actions } => {
            Op::Sample { probability: *probability, body: body(actions), last }
        }
        Action::Clone(actions) => Op::Run { body: body(actions), last },
        Action::CheckPktLen { len, greater, less_equal } => {
            Op::CheckPktLen { len: *len, greater: body(greater), less_equal: body(less_equal), last }
        }
        Action::Meter(id) => Op::Meter(*id),
        Action::CtClear => Op::CtClear,
        Action::LbOutput(bond) => Op::LbOutput { bond: *bond, last },
        Action::Drop(reason) => Op::Drop(*reason),
        Action::Ct(_) => Op::Drop(DropReason::Conntrack),
        Action::TnlPush(_) => Op::Drop(DropReason::TunnelPush),
        Action::TnlPop(_) => Op::Drop(DropReason::TunnelPop),
        Action::PushNsh(_) | Action::PopNsh => Op::Drop(DropReason::ActionInvalid),
    }
}

fn set_op(set: &Set) -> Op {
    match set {
        Set::Eth { src, src_mask, dst, dst_mask } => {
            Op::SetEth { value: joined(dst, src), mask: joined(dst_mask, src_mask) }
        }
        Set::Ipv4 {
            src_mask: Be32::ZERO, dst_mask: Be32::ZERO, tos_mask: 0, ttl, ttl_mask: u8::MAX, ..
        } => Op::SetTtl(*ttl),
        Set::Ipv4 { src, src_mask, dst, dst_mask, tos, tos_mask, ttl, ttl_mask } => {
            let pair = |a: &flow::Be32, b: &flow::Be32| joined(&a.0.to_ne_bytes(), &b.0.to_ne_bytes());
            Op::SetIpv4(l3::SetIpv4 {
                addresses: pair(src, dst),
                addresses_mask: pair(src_mask, dst_mask),
                tos: *tos,
                tos_mask: *tos_mask,
                ttl: *ttl,
                ttl_mask: *ttl_mask,
            })
        }
        Set::Ipv6(set) => Op::SetIpv6(Box::new(ipv6(set))),
        Set::Tcp(set) => ports(ip::TCP, set),
        Set::Udp(set) => ports(ip::UDP, set),
        Set::Sctp(set) => ports(ip::SCTP, set),
        Set::Icmp { icmp_type, type_mask, code, code_mask }
        | Set::Icmpv6 { icmp_type, type_mask, code, code_mask } => {
            Op::SetIcmp { value: [*icmp_type, *code], mask: [*type_mask, *code_mask] }
        }
        Set::Arp(set) => Op::SetArp(Box::new(arp(set))),
        Set::Nd(set) => Op::SetNd(Box::new(l4::SetNd {
            target: set.target,
            target_mask: set.target_mask,
            sll: set.sll,
            sll_mask: set.sll_mask,
            tll: set.tll,
            tll_mask: set.tll_mask,
        })),
        Set::NdExt { reserved, reserved_mask, .. } => {
            Op::SetNdReserved { value: reserved.0.to_ne_bytes(), mask: reserved_mask.0.to_ne_bytes() }
        }
        Set::Mpls { lse, mask } => Op::SetMpls { lse: lse.get(), mask: mask.get() },
        Set::SkbMark { value, mask } => Op::SetMark { value: *value, mask: *mask },
        Set::SkbPriority { value, mask } => Op::SetPriority { value: *value, mask: *mask },
        Set::Nsh { .. } => Op::Drop(DropReason::ActionInvalid),
        Set::Tunnel(_) => Op::Drop(DropReason::TunnelPush),
    }
}

/// Two arrays, one after the other.
fn joined<const N: usize, const M: usize>(a: &[u8; N], b: &[u8; N]) -> [u8; M] {
    const { assert!(M == 2 * N) };
    std::array::from_fn(|n| if n < N { a[n] } else { b[n - N] })
}

fn ports(proto: u8, set: &SetPorts) -> Op {
    let pair = |a: flow::Be16, b: flow::Be16| joined(&a.0.to_ne_bytes(), &b.0.to_ne_bytes());
    Op::SetPorts { proto, value: pair(set.src, set.dst), mask: pair(set.src_mask, set.dst_mask) }
}

fn ipv6(set: &SetIpv6) -> l3::SetIpv6 {
    const LABEL: u32 = 0x000f_ffff;
    let word = |tclass: u8, label: flow::Be32| u32::from(tclass) << 20 | label.get() & LABEL;
    l3::SetIpv6 {
        src: set.src,
        src_mask: set.src_mask,
        dst: set.dst,
        dst_mask: set.dst_mask,
        word: word(set.tclass, set.label),
        word_mask: word(set.tclass_mask, set.label_mask),
        hlimit: set.hlimit,
        hlimit_mask: set.hlimit_mask,
    }
}

/// Value and mask in the layout of an ARP packet from the opcode on.
fn arp(set: &SetArp) -> ([u8; 22], [u8; 22]) {
    let lay = |op: u16, sha: &[u8; 6], sip: flow::Be32, tha: &[u8; 6], tip: flow::Be32| {
        let mut out = [0; 22];
        out[..2].copy_from_slice(&op.to_be_bytes());
        out[2..8].copy_from_slice(sha);
        out[8..12].copy_from_slice(&sip.0.to_ne_bytes());
        out[12..18].copy_from_slice(tha);
        out[18..].copy_from_slice(&tip.0.to_ne_bytes());
        out
    };
    (
        lay(set.op, &set.sha, set.sip, &set.tha, set.tip),
        lay(set.op_mask, &set.sha_mask, set.sip_mask, &set.tha_mask, set.tip_mask),
    )
}
