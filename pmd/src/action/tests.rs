//! Programs against a model that changes the flow and builds the packet anew, and the rules of lanes and copies.
use super::*;
use crate::packet::Packet;
use dpif::Action;
use dpif::action::{Set, SetIpv6, SetPorts, UserspaceKind};
use flow::key::VLAN_CFI;
use flow::packet::{Offsets, compose};
use flow::parse::parse_whole;
use flow::{Be32, Flow, LineMap, Match};

struct TestEnv(u64);

impl Env for TestEnv {
    fn meter(&mut self, id: u32, items: &[Item]) -> u32 {
        if id == 1 { (1 << (items.len() / 2)) - 1 } else { 0 }
    }
    fn random(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) as u32
    }
    fn bond_member(&mut self, bond: u32, hash: u32) -> Option<DpPort> {
        (bond == 1).then_some(DpPort(100 + hash % 2))
    }
    fn vlan_limit(&self) -> u8 {
        2
    }
}

fn item(bytes: &[u8]) -> Item {
    let meta = Metadata { in_port: 1, ..Metadata::default() };
    let (key, parsed) = parse_whole(bytes, &meta.meta(bytes.len(), 2));
    let packet = Packet::from_bytes(bytes).unwrap();
    Item { packet, offsets: Offsets::from(&parsed), nw_proto: key.nw_proto, meta }
}

fn run(actions: &[Action], packets: &[Vec<u8>]) -> Lanes {
    let mut lanes = Lanes::default();
    let mut items = packets.iter().map(|p| item(p)).collect();
    exec(&compile(actions), &mut items, &mut TestEnv(1), &mut lanes);
    assert!(items.is_empty());
    lanes
}

fn sent(lanes: &Lanes, port: u32) -> Vec<Vec<u8>> {
    let batches = lanes.transmit.iter().filter(|t| t.port == DpPort(port));
    batches.flat_map(|t| &t.packets).map(|p| p.data().to_vec()).collect()
}

fn tcp() -> Flow {
    let text = "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1000,tp_dst=80,nw_ttl=64";
    Match::parse(text, None).unwrap().flow
}

fn output(port: u32) -> Action {
    Action::Output(DpPort(port))
}

/// A random change of packet and model alike; `None` when it does not apply now.
fn change(env: &mut TestEnv, flow: &mut Flow) -> Option<Action> {
    let r = env.random();
    let is_v6 = flow.dl_type.get() == 0x86dd;
    Some(match r % 6 {
        0 => {
            flow.dl_dst = [2, 0, 0, 0, 0, r as u8];
            Action::Set(Set::Eth { src: [9; 6], src_mask: [0; 6], dst: flow.dl_dst, dst_mask: [0xff; 6] })
        }
        1 if !is_v6 => {
            let mask = Be32::new(u32::MAX << (r >> 8 & 31));
            flow.nw_src = Be32((flow.nw_src.0 & !mask.0) | (Be32::new(r).0 & mask.0));
            (flow.nw_ttl, flow.nw_tos) = (r as u8, (r >> 3) as u8 & 0xfc);
            Action::Set(Set::Ipv4 {
                src: flow.nw_src,
                src_mask: mask,
                dst: Be32::ZERO,
                dst_mask: Be32::ZERO,
                tos: flow.nw_tos,
                tos_mask: 0xff,
                ttl: flow.nw_ttl,
                ttl_mask: 0xff,
            })
        }
        1 => {
            flow.ipv6_src = u128::from(r).to_be_bytes();
            (flow.ipv6_label, flow.nw_ttl) = ((r & 0xf_ffff).into(), r as u8);
            Action::Set(Set::Ipv6(Box::new(SetIpv6 {
                src: flow.ipv6_src,
                src_mask: [0xff; 16],
                dst: [0; 16],
                dst_mask: [0; 16],
                label: flow.ipv6_label,
                label_mask: 0xf_ffff.into(),
                tclass: 0,
                tclass_mask: 0,
                hlimit: r as u8,
                hlimit_mask: 0xff,
            })))
        }
        2 => {
            flow.tp_dst = (r as u16).into();
            let set =
                SetPorts { src: 0.into(), src_mask: 0.into(), dst: flow.tp_dst, dst_mask: u16::MAX.into() };
            match flow.nw_proto {
                6 => Action::Set(Set::Tcp(set)),
                17 => Action::Set(Set::Udp(set)),
                _ => Action::Set(Set::Sctp(set)),
            }
        }
        3 if flow.vlan_inner.tci.is_zero() => {
            flow.vlan_inner = flow.vlan;
            flow.vlan = Vlan { tpid: 0x8100.into(), tci: (r as u16 & 0xefff | VLAN_CFI).into() };
            Action::PushVlan { tpid: flow.vlan.tpid, tci: flow.vlan.tci }
        }
        4 if !flow.vlan.tci.is_zero() => {
            flow.vlan = std::mem::take(&mut flow.vlan_inner);
            Action::PopVlan
        }
        _ => return None,
    })
}

#[test]
fn rewrites_agree_with_building_anew() {
    let texts = [
        "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1000,tp_dst=80,nw_ttl=64",
        "udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1000,tp_dst=53",
        "sctp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1000,tp_dst=53",
        "tcp6,ipv6_src=1::2,ipv6_dst=3::4,tp_src=5,tp_dst=6",
        "udp6,ipv6_src=1::2,ipv6_dst=3::4,tp_src=5,tp_dst=6",
    ];
    for seed in 0..500u64 {
        let mut env = TestEnv(seed);
        let mut flow = Match::parse(texts[seed as usize % texts.len()], None).unwrap().flow;
        let start = compose(&flow, b"payload");
        let (mut actions, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..env.random() % 12 {
            if let Some(action) = change(&mut env, &mut flow) {
                actions.push(action);
            }
            if env.random().is_multiple_of(3) && !seed.is_multiple_of(2) {
                actions.push(output(7));
                expected.push(compose(&flow, b"payload"));
            }
        }
        if seed.is_multiple_of(2) {
            actions.push(output(7));
            expected.push(compose(&flow, b"payload"));
            assert_eq!(straight(&actions, &start), expected[0], "seed {seed}: {actions:?}");
        }
        assert_eq!(sent(&run(&actions, &[start]), 7), expected, "seed {seed}: {actions:?}");
    }
}

/// The packet after the straight form of `actions`, which they must have.
fn straight(actions: &[Action], packet: &[u8]) -> Vec<u8> {
    let program = compile(actions);
    let item = item(packet);
    let mut packets = [const { None }; crate::BURST];
    let mut offsets = [item.offsets; crate::BURST];
    let mut keys = [Flow::ZERO; crate::BURST];
    keys[5].nw_proto = item.nw_proto;
    packets[5] = Some(item.packet);
    match program.shape() {
        Shape::Output(_) => {}
        Shape::Straight(straight) => {
            assert_eq!(straight.rewrite(&mut packets, &mut offsets, &keys, 1 << 5), 1 << 5);
        }
        Shape::Other => panic!("not straight: {actions:?}"),
    }
    packets[5].as_ref().unwrap().data().to_vec()
}

#[test]
fn straight_programs_say_who_had_no_room() {
    let tag = Action::PushVlan { tpid: 0x8100.into(), tci: 0x1007.into() };
    let program = compile(&[tag, output(7)]);
    let Shape::Straight(straight) = program.shape() else { panic!("not straight") };
    let (with, mut without) = (item(&compose(&tcp(), b"")), item(&compose(&tcp(), b"")));
    assert!(without.packet.push_front(without.packet.headroom()));
    let mut packets = [const { None }; crate::BURST];
    let mut offsets = [with.offsets; crate::BURST];
    (packets[0], packets[31]) = (Some(with.packet), Some(without.packet));
    assert_eq!(straight.rewrite(&mut packets, &mut offsets, &[Flow::ZERO; crate::BURST], 1 | 1 << 31), 1);
    assert!(matches!(compile(&[Action::CtClear, output(1)]).shape(), Shape::Other));
}

#[test]
fn drops_have_reasons() {
    let packet = compose(&tcp(), b"");
    let dropped = |actions: &[Action], reason: DropReason| {
        let lanes = run(actions, &[packet.clone(), packet.clone()]);
        assert_eq!(lanes.drops[reason as usize], 2);
        assert_eq!(lanes.drops.iter().sum::<u64>(), 2);
    };
    dropped(&[], DropReason::FlowActions);
    dropped(&[Action::Drop(DropReason::Recirc)], DropReason::Recirc);
    dropped(&[Action::Ct(Box::default()), output(1)], DropReason::Conntrack);
    dropped(&[Action::LbOutput(9)], DropReason::InvalidPort);
    assert!(compile(&[]).is_drop());
    assert!(matches!(compile(&[output(3)]).shape(), Shape::Output(DpPort(3))));
    let deep = (0..40).fold(vec![output(1)], |inner, _| vec![Action::Clone(inner)]);
    dropped(&deep, DropReason::TranslationLimit);
}

#[test]
fn clone_and_sample_leave_the_packet_alone() {
    let packet = compose(&tcp(), b"");
    let retag = Action::PushVlan { tpid: 0x8100.into(), tci: 0x1007.into() };
    let body = vec![retag, output(2)];
    let lanes = run(&[Action::Clone(body.clone()), output(1)], std::slice::from_ref(&packet));
    assert_eq!(sent(&lanes, 1), std::slice::from_ref(&packet));
    assert_eq!(sent(&lanes, 2)[0].len(), packet.len() + 4);
    for (probability, n) in [(0, 0), (u32::MAX, 1)] {
        let lanes = run(
            &[Action::Sample { probability, actions: body.clone() }, output(1)],
            std::slice::from_ref(&packet),
        );
        assert_eq!((sent(&lanes, 1).len(), sent(&lanes, 2).len()), (1, n));
    }
}

#[test]
fn trunc_counts_for_the_next_output_only() {
    let packet = compose(&tcp(), &[7; 100]);
    let lanes = run(&[Action::Trunc { len_max: 60 }, output(1), output(2)], std::slice::from_ref(&packet));
    assert_eq!((sent(&lanes, 1)[0].len(), sent(&lanes, 2)[0].len()), (60, packet.len()));
}

#[test]
fn length_check_and_meter_split_the_group() {
    let (short, long) = (compose(&tcp(), b""), compose(&tcp(), &[7; 100]));
    let check = Action::CheckPktLen { len: 100, greater: vec![output(1)], less_equal: vec![output(2)] };
    let lanes = run(&[check.clone(), output(3)], &[short.clone(), long.clone()]);
    assert_eq!((sent(&lanes, 1), sent(&lanes, 2)), (vec![long.clone()], vec![short.clone()]));
    assert_eq!(sent(&lanes, 3).len(), 2);
    let lanes = run(&[check], &[short.clone(), long]);
    assert_eq!((sent(&lanes, 1).len(), sent(&lanes, 2).len()), (1, 1));
    let lanes = run(&[Action::Meter(1), output(1)], &vec![short; 6]);
    assert_eq!((sent(&lanes, 1).len(), lanes.drops[DropReason::Meter as usize]), (3, 3));
}

#[test]
fn recirculation_and_userspace_take_metadata_along() {
    let packet = compose(&tcp(), b"");
    let userspace = Action::Userspace(Box::new(Userspace {
        kind: UserspaceKind::SlowPath { reason: 1 },
        cookie: 5,
        userdata: vec![],
    }));
    let actions = [
        Action::Set(Set::SkbMark { value: 0xab, mask: 0xff }),
        Action::Hash { algorithm: HashAlgorithm::L4, basis: 0 },
        userspace,
        Action::Recirc(9),
    ];
    let lanes = run(&actions, std::slice::from_ref(&packet));
    let again = &lanes.recirculate[0];
    assert_eq!((again.meta.recirc_id, again.meta.pkt_mark, again.meta.in_port), (9, 0xab, 1));
    assert_eq!(again.meta.dp_hash, visible_hash(&packet));
    assert_eq!((lanes.userspace.len(), lanes.userspace[0].1.cookie), (1, 5));
    let (key, parsed) = parse_whole(again.packet.data(), &again.meta.meta(packet.len(), 1));
    assert_eq!((key.recirc_id, key.pkt_mark, parsed.lines), (9, 0xab, LineMap(0b101)));
}

fn visible_hash(packet: &[u8]) -> u32 {
    flow::hash::visible::five_tuple(&parse_whole(packet, &Default::default()).0, 0)
}

#[test]
fn lanes_are_bounded() {
    let packet = compose(&tcp(), b"");
    let lanes = run(&[Action::Recirc(1)], &vec![packet; LANE_MAX + 3]);
    assert_eq!((lanes.recirculate.len(), lanes.drops[DropReason::Recirc as usize]), (LANE_MAX, 3));
}

#[test]
fn ethernet_header_comes_off_and_on() {
    let packet = compose(&tcp(), b"x");
    let lanes = run(
        &[Action::PopEth, output(1), Action::PushEth { src: [0; 6], dst: [0; 6] }, output(2)],
        std::slice::from_ref(&packet),
    );
    assert_eq!((sent(&lanes, 1), sent(&lanes, 2)), (vec![packet[14..].to_vec()], vec![packet]));
}
