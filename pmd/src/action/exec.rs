//! Runs a program over a group of packets of one megaflow, one operation at a time for all of them. Hot plane.

use dpif::action::HashAlgorithm;
use dpif::{DpPort, DropReason};
use flow::hash::visible;
use flow::packet::{Offsets, l2, l3, l4};
use flow::parse::{NO_OFFSET, parse_whole};
use flow::proto::{eth, packet_type};

use super::{Env, Item, LANE_MAX, Lanes, Op, Program};
use crate::packet::{BURST, Packet};

/// Consumes `items`: each ends in a lane or is dropped. Any number of items; groups of at most a burst are meant.
pub fn exec(program: &Program, items: &mut Vec<Item>, env: &mut impl Env, lanes: &mut Lanes) {
    run(&program.ops, items, env, lanes);
    items.clear();
}

/// Runs `ops`; items that are left at the end have been handled as far as the list says.
fn run(ops: &[Op], items: &mut Vec<Item>, env: &mut impl Env, lanes: &mut Lanes) {
    let mut cut = u32::MAX;
    for op in ops {
        if items.is_empty() {
            return;
        }
        step(op, items, &mut cut, env, lanes);
    }
}

fn step(op: &Op, items: &mut Vec<Item>, cut: &mut u32, env: &mut impl Env, lanes: &mut Lanes) {
    match op {
        Op::Output { port, last } => output(*port, *last, items, cut, env, lanes),
        Op::Userspace { what, last } => {
            let cut = std::mem::replace(cut, u32::MAX);
            give(items, *last, env, lanes, |mut item, lanes| {
                item.packet.truncate(cut as usize);
                if lanes.userspace.len() < LANE_MAX {
                    lanes.userspace.push((item, what.clone()));
                } else {
                    lanes.count_drops(DropReason::UserspaceQueue, 1);
                }
            });
        }
        Op::Recirc { id, last } => give(items, *last, env, lanes, |mut item, lanes| {
            item.meta.recirc_id = *id;
            if lanes.recirculate.len() < LANE_MAX {
                lanes.recirculate.push(item);
            } else {
                lanes.count_drops(DropReason::Recirc, 1);
            }
        }),
        Op::Run { body, last } => branch(body, items, *last, |_, _| true, env, lanes),
        Op::Sample { probability, body, last } => {
            let take = |_: &Item, env: &mut _| Env::random(env) <= *probability && *probability != 0;
            branch(body, items, *last, take, env, lanes);
        }
        Op::CheckPktLen { len, greater, less_equal, last } => {
            let is_greater = |item: &Item| item.packet.len() > usize::from(*len);
            branch(greater, items, *last, |item, _| is_greater(item), env, lanes);
            branch(less_equal, items, *last, |item, _| !is_greater(item), env, lanes);
        }
        Op::LbOutput { bond, last } => lb_output(*bond, *last, items, env, lanes),
        Op::Meter(id) => meter(*id, items, env, lanes),
        Op::Trunc(len) => *cut = *len,
        Op::Drop(reason) => {
            lanes.count_drops(*reason, items.len());
            items.clear();
        }
        Op::Hash { algorithm, basis } => {
            let limit = env.vlan_limit();
            for item in items {
                item.meta.dp_hash = dp_hash(item, *algorithm, *basis, limit);
            }
        }
        Op::PushVlan(_) | Op::PushMpls { .. } | Op::PushEth { .. } => push(op, items, lanes),
        _ => items.iter_mut().for_each(|item| rewrite(op, item)),
    }
}

/// Hands each item (or a copy, unless `last`) to `sink`.
fn give(
    items: &mut Vec<Item>,
    last: bool,
    env: &mut impl Env,
    lanes: &mut Lanes,
    mut sink: impl FnMut(Item, &mut Lanes),
) {
    if last {
        return items.drain(..).for_each(|item| sink(item, lanes));
    }
    for item in items.iter() {
        match copy(item, env) {
            Some(copy) => sink(copy, lanes),
            None => lanes.count_drops(DropReason::NoBuffer, 1),
        }
    }
}

fn copy(item: &Item, env: &mut impl Env) -> Option<Item> {
    let packet = env.duplicate(&item.packet)?;
    Some(Item { packet, offsets: item.offsets, nw_proto: item.nw_proto, meta: item.meta.clone() })
}

fn output(
    port: DpPort,
    last: bool,
    items: &mut Vec<Item>,
    cut: &mut u32,
    env: &mut impl Env,
    lanes: &mut Lanes,
) {
    let cut = std::mem::replace(cut, u32::MAX) as usize;
    if last {
        let batch = lanes.batch(port);
        batch.extend(items.drain(..).map(|mut item| {
            item.packet.truncate(cut);
            item.packet
        }));
        return;
    }
    for item in items.iter() {
        match env.duplicate(&item.packet) {
            Some(mut packet) => {
                packet.truncate(cut);
                lanes.batch(port).push(packet);
            }
            None => lanes.count_drops(DropReason::NoBuffer, 1),
        }
    }
}

fn lb_output(bond: u32, last: bool, items: &mut Vec<Item>, env: &mut impl Env, lanes: &mut Lanes) {
    for item in items.iter() {
        let Some(port) = env.bond_member(bond, item.meta.dp_hash) else {
            lanes.count_drops(DropReason::InvalidPort, 1);
            continue;
        };
        match env.duplicate(&item.packet) {
            Some(packet) => lanes.batch(port).push(packet),
            None => lanes.count_drops(DropReason::NoBuffer, 1),
        }
    }
    if last {
        items.clear();
    }
}

/// Runs `body` on the items that `take` accepts: on copies, or on themselves when nothing follows. The depth of the
/// recursion is bounded by the compiler.
fn branch<E: Env>(
    body: &[Op],
    items: &mut Vec<Item>,
    last: bool,
    mut take: impl FnMut(&Item, &mut E) -> bool,
    env: &mut E,
    lanes: &mut Lanes,
) {
    if body.is_empty() {
        return;
    }
    let mut taken = Vec::with_capacity(items.len());
    if last {
        taken.extend(items.extract_if(.., |item| take(item, env)));
    } else {
        for item in items.iter() {
            if take(item, env) {
                match copy(item, env) {
                    Some(copy) => taken.push(copy),
                    None => lanes.count_drops(DropReason::NoBuffer, 1),
                }
            }
        }
    }
    run(body, &mut taken, env, lanes);
}

fn meter(id: u32, items: &mut Vec<Item>, env: &mut impl Env, lanes: &mut Lanes) {
    let before = items.len();
    let mut drops = vec![];
    for group in items.chunks(BURST) {
        drops.push(env.meter(id, group));
    }
    let mut n = 0;
    items.retain(|_| {
        n += 1;
        drops[(n - 1) / BURST] >> ((n - 1) % BURST) & 1 == 0
    });
    lanes.count_drops(DropReason::Meter, before - items.len());
}

fn dp_hash(item: &Item, algorithm: HashAlgorithm, basis: u32, vlan_limit: u8) -> u32 {
    let (key, _) = parse_whole(item.packet.data(), &item.meta.meta(item.packet.len(), vlan_limit));
    match algorithm {
        HashAlgorithm::L4 => visible::five_tuple(&key, basis),
        HashAlgorithm::SymL4 => visible::symmetric_l3l4(&key, basis, false),
    }
}

/// Operations that need room in front of the packet; a packet without it is dropped.
fn push(op: &Op, items: &mut Vec<Item>, lanes: &mut Lanes) {
    let before = items.len();
    items.retain_mut(|item| push_one(op, item).is_some());
    lanes.count_drops(DropReason::NoBuffer, before - items.len());
}

fn push_one(op: &Op, item: &mut Item) -> Option<()> {
    let (packet, offsets) = (&mut item.packet, &mut item.offsets);
    match op {
        Op::PushEth { addresses } => {
            packet.push_front(l2::ETH_HEADER_LEN).then_some(())?;
            offsets.shift(l2::ETH_HEADER_LEN as i16);
            let header: &mut [u8; 14] = packet.data_mut().first_chunk_mut()?;
            header[..12].copy_from_slice(addresses);
            header[12..].copy_from_slice(&(item.meta.packet_type as u16).to_be_bytes());
            item.meta.packet_type = packet_type::ETHERNET;
            Some(())
        }
        _ => push_header(op, packet, offsets),
    }
}

/// The pushes that need nothing but the packet.
pub(super) fn push_header(op: &Op, packet: &mut Packet, offsets: &mut Offsets) -> Option<()> {
    match op {
        Op::PushVlan(tag) => {
            packet.push_front(l2::VLAN_TAG_LEN).then_some(())?;
            l2::push_vlan(packet.data_mut(), offsets, *tag)
        }
        Op::PushMpls { ethertype, lse } => {
            packet.push_front(l2::MPLS_LSE_LEN).then_some(())?;
            l2::push_mpls(packet.data_mut(), offsets, *ethertype, *lse)
        }
        _ => None,
    }
}

/// Changes in place. A packet that does not have the header is left as it is, as OVS does.
fn rewrite(op: &Op, item: &mut Item) {
    let meta = &mut item.meta;
    match op {
        Op::SetMark { value, mask } => meta.pkt_mark = (meta.pkt_mark & !mask) | (value & mask),
        Op::SetPriority { value, mask } => meta.skb_priority = (meta.skb_priority & !mask) | (value & mask),
        Op::PopEth => _ = pop_eth(item),
        Op::CtClear => {
            (meta.ct_state, meta.ct_zone, meta.ct_mark) = (0, 0, 0);
            if let Some(carry) = &mut meta.carry {
                const CT: usize = 3;
                carry.1.0 &= !(1 << CT);
            }
        }
        _ => rewrite_header(op, &mut item.packet, &mut item.offsets, item.nw_proto),
    }
}

/// The rewrites that need nothing but the packet.
pub(super) fn rewrite_header(op: &Op, packet: &mut Packet, offsets: &mut Offsets, nw_proto: u8) {
    let _ = match op {
        Op::SetEth { value, mask } => l2::set_eth(packet.data_mut(), value, mask),
        Op::SetIpv4(set) => l3::set_ipv4(packet.data_mut(), offsets, set),
        Op::SetTtl(ttl) => l3::set_ttl(packet.data_mut(), offsets, *ttl),
        Op::SetIpv6(set) => l3::set_ipv6(packet.data_mut(), offsets, nw_proto, set),
        Op::SetPorts { proto, value, mask } => l4::set_ports(packet.data_mut(), offsets, *proto, value, mask),
        Op::SetIcmp { value, mask } => l4::set_icmp(packet.data_mut(), offsets, *value, *mask),
        Op::SetArp(set) => l3::set_arp(packet.data_mut(), offsets, &set.0, &set.1),
        Op::SetNd(set) => l4::set_nd(packet.data_mut(), offsets, set),
        Op::SetNdReserved { value, mask } => l4::set_nd_reserved(packet.data_mut(), offsets, *value, *mask),
        Op::SetMpls { lse, mask } => l2::set_mpls(packet.data_mut(), offsets, *lse, *mask),
        Op::PopVlan => {
            let popped = l2::pop_vlan(packet.data_mut(), offsets);
            popped.map(|()| packet.pull_front(l2::VLAN_TAG_LEN))
        }
        Op::PopMpls { ethertype } => {
            let popped = l2::pop_mpls(packet.data_mut(), offsets, *ethertype);
            popped.map(|()| packet.pull_front(l2::MPLS_LSE_LEN))
        }
        _ => None,
    };
}

/// Cuts the Ethernet header off; the packet type remembers what follows it.
fn pop_eth(item: &mut Item) -> Option<()> {
    let l3 = item.offsets.l3;
    if l3 == NO_OFFSET || item.meta.packet_type != packet_type::ETHERNET {
        return None;
    }
    let at = usize::from(l3).checked_sub(2)?;
    let dl_type = u16::from_be_bytes(*item.packet.data().get(at..)?.first_chunk()?);
    if eth::is_vlan(dl_type) {
        return None;
    }
    item.packet.pull_front(l3.into());
    item.offsets.shift(-(l3 as i16));
    item.meta.packet_type = u32::from(packet_type::NS_ETHERTYPE) << 16 | u32::from(dl_type);
    Some(())
}
