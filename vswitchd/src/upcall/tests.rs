//! The whole way from a packet to the datapath and back, over the datapath in memory and a stopped clock.

use std::sync::{Arc, Mutex};

use dpif::{Clock, DpPort};
use flow::{Be16, Be32, Field, Match};
use openflow::action::{Action, Learn, LearnDst, LearnSpec, LearnSrc, Resubmit};
use openflow::msg::{
    FlowMod, FlowModCommand, FlowModFlags, FlowRemoved, FlowRemovedReason, FlowStatsRequest, PacketOut,
    PortStatus,
};
use openflow::{OfPort, TableId};

use super::{Revalidator, Upcalls};
use crate::fake_dp::FakeDp;
use crate::ofproto::events::EventSink;
use crate::ofproto::{BridgeConfig, BundleInput, Ofproto, PacketInEvent, PortInput, World};

mod depend;

#[derive(Default)]
struct Events {
    packet_ins: Mutex<Vec<PacketInEvent>>,
    removed: Mutex<Vec<FlowRemoved>>,
}

impl EventSink for Events {
    fn packet_in(&self, event: PacketInEvent) {
        self.packet_ins.lock().unwrap().push(event);
    }
    fn flow_removed(&self, removed: FlowRemoved) {
        self.removed.lock().unwrap().push(removed);
    }
    fn port_status(&self, _: PortStatus) {}
}

struct Bed {
    clock: Clock,
    dp: Arc<FakeDp>,
    world: Arc<World>,
    revalidator: Arc<Revalidator>,
    events: Arc<Events>,
    bridge: Arc<Ofproto>,
}

/// A bridge with ports 1, 2 and 3; datapath port n + 100 is OpenFlow port n.
fn bed() -> Bed {
    let clock = Clock::default();
    clock.stop();
    clock.warp(1_000_000);
    let dp = FakeDp::new(clock.clone());
    let world = World::new(clock.clone());
    world.set_datapath(dp.clone());
    let upcalls = Upcalls::new(world.clone());
    dp.set_handler(upcalls.clone());
    let revalidator = Revalidator::new(upcalls, dp.clone());
    let events = Arc::new(Events::default());
    let bridge = world.bridge_add("br0", BridgeConfig::default(), events.clone());
    let bed = Bed { clock, dp, world, revalidator, events, bridge };
    for n in 1..=3 {
        add_port(&bed.bridge, n, n + 100);
    }
    bed
}

fn add_port(bridge: &Ofproto, number: u32, dp_port: u32) {
    let name = format!("p{number}");
    bridge.port_set(&PortInput {
        number: OfPort(number),
        name: name.clone(),
        dp_port: Some(DpPort(dp_port)),
        link_up: true,
        admin_up: true,
        ..PortInput::default()
    });
    bridge.bundle_set(&BundleInput::trunk(&name, OfPort(number)));
}

fn add_patch(bridge: &Ofproto, number: u32, name: &str, peer: &str) {
    bridge.port_set(&PortInput {
        number: OfPort(number),
        name: name.into(),
        peer: Some(peer.into()),
        link_up: true,
        admin_up: true,
        ..PortInput::default()
    });
    bridge.bundle_set(&BundleInput::trunk(name, OfPort(number)));
}

/// UDP from host `src` to host `dst` (the last bytes of MAC and IP).
fn udp(src: u8, dst: u8, port: u16) -> Vec<u8> {
    let mut p = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x08, 0x00];
    p.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, src, 10, 0, 0, dst]);
    p.extend(1000u16.to_be_bytes());
    p.extend(port.to_be_bytes());
    p.extend([0, 8, 0, 0]);
    p
}

fn output(port: u32) -> Action {
    Action::Output { port: OfPort(port), max_len: 0 }
}

fn flow_mod(text: &str, priority: u16, actions: Vec<Action>) -> FlowMod {
    let mut fm = FlowMod::new(FlowModCommand::Add);
    fm.matching = Match::parse(text, None).unwrap();
    fm.priority = priority;
    fm.actions = actions;
    fm.table = TableId(0);
    fm
}

impl Bed {
    fn add(&self, text: &str, priority: u16, actions: Vec<Action>) {
        self.bridge.flow_mod(&flow_mod(text, priority, actions)).unwrap();
    }

    fn packets_of(&self, priority: u16) -> u64 {
        let stats = self.bridge.flow_stats(&FlowStatsRequest::default()).unwrap();
        stats.iter().filter(|s| s.priority == priority).map(|s| s.packet_count).sum()
    }

    fn normal(&self) {
        self.add("", 0, vec![Action::Output { port: OfPort::NORMAL, max_len: 0 }]);
    }
}

#[test]
fn normal_floods_learns_and_forwards() {
    let bed = bed();
    bed.normal();
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102, 103]);
    assert_eq!(bed.dp.receive(102, &udp(2, 1, 80)), [101]);
    bed.revalidator.round();
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102], "the flood is revised after port 2 was learned");
    assert_eq!(bed.packets_of(0), 3);
    assert_eq!(bed.bridge.macs.len(), 2);
}

#[test]
fn while_flows_are_restored_packets_are_dropped_and_nothing_is_installed() {
    let bed = bed();
    bed.normal();
    bed.revalidator.upcalls.set_hold(true);
    assert!(bed.dp.receive(101, &udp(1, 2, 80)).is_empty());
    assert!(bed.dp.live().is_empty() && bed.bridge.macs.is_empty());
    bed.revalidator.upcalls.set_hold(false);
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102, 103]);
}

#[test]
fn a_table_without_flows_drops_and_installs() {
    let bed = bed();
    assert!(bed.dp.receive(101, &udp(1, 2, 80)).is_empty());
    assert!(bed.dp.receive(101, &udp(7, 8, 90)).is_empty());
    assert_eq!(bed.dp.misses.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn counters_agree_to_the_packet() {
    let bed = bed();
    bed.add("in_port=1,udp,tp_dst=80", 10, vec![output(2)]);
    bed.add("in_port=1", 5, vec![output(3)]);
    for n in 0..100u16 {
        bed.dp.receive(101, &udp(1, 2, if n % 4 == 0 { 80 } else { 1000 + n }));
    }
    assert_eq!((bed.packets_of(10), bed.packets_of(5)), (25, 75));
    bed.clock.warp(20_000);
    bed.revalidator.wait();
    assert_eq!(bed.dp.live().len(), 0, "idle megaflows go");
    assert_eq!((bed.packets_of(10), bed.packets_of(5)), (25, 75));
    let tables = bed.bridge.table_stats();
    assert_eq!((tables[0].lookup_count, tables[0].matched_count), (100, 100));
}

#[test]
fn a_flow_mod_changes_what_is_installed() {
    let bed = bed();
    bed.add("in_port=1", 5, vec![output(2)]);
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102]);
    bed.add("in_port=1", 5, vec![output(3)]);
    bed.revalidator.round();
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [103], "other actions, same mask: modified in place");
    assert_eq!(bed.packets_of(5), 2, "an add keeps the counters");
    bed.add("in_port=1,udp,tp_dst=80", 10, vec![output(2)]);
    bed.revalidator.wait();
    assert_eq!(bed.dp.live().len(), 0, "a wider mask: removed");
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102]);
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 81)), [103]);
}

#[test]
fn timeouts_remove_flows_and_tell() {
    let bed = bed();
    let mut fm = flow_mod("in_port=1", 5, vec![output(2)]);
    fm.idle_s = 10;
    fm.flags = FlowModFlags::SEND_FLOW_REM;
    bed.bridge.flow_mod(&fm).unwrap();
    fm = flow_mod("in_port=2", 6, vec![output(1)]);
    fm.hard_s = 10;
    fm.flags = FlowModFlags::SEND_FLOW_REM;
    bed.bridge.flow_mod(&fm).unwrap();
    for _ in 0..3 {
        bed.clock.warp(4000);
        bed.dp.receive(101, &udp(1, 2, 80));
        bed.dp.receive(102, &udp(2, 1, 80));
        bed.revalidator.wait();
    }
    bed.clock.warp(11_000);
    bed.revalidator.wait();
    bed.clock.warp(1000);
    bed.revalidator.wait();
    let removed = bed.events.removed.lock().unwrap();
    let told: Vec<_> = removed.iter().map(|r| (r.priority, r.reason, r.packet_count)).collect();
    assert_eq!(told, [(6, FlowRemovedReason::HardTimeout, 3), (5, FlowRemovedReason::IdleTimeout, 3)]);
}

#[test]
fn controller_gets_the_packet_and_the_metadata() {
    let bed = bed();
    let set = Action::SetField(Box::new(openflow::action::SetField {
        field: Field::Reg0,
        value: 7,
        mask: u32::MAX.into(),
        load: true,
    }));
    let mut fm =
        flow_mod("in_port=1", 5, vec![set, Action::Output { port: OfPort::CONTROLLER, max_len: 64 }]);
    fm.new_cookie = openflow::Cookie(9);
    bed.bridge.flow_mod(&fm).unwrap();
    let packet = udp(1, 2, 80);
    bed.dp.receive(101, &packet);
    bed.dp.receive(101, &packet);
    let events = bed.events.packet_ins.lock().unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].packet.as_slice(), events[0].max_len), (&packet[..], 64));
    assert_eq!(events[0].cookie, openflow::Cookie(9));
    assert_eq!(events[0].metadata.get(Field::Reg0).0, 7);
    assert_eq!(events[0].metadata.get(Field::InPort).0, 1);
}

#[test]
fn packet_out_runs_actions_and_tables() {
    let bed = bed();
    bed.add("", 1, vec![output(3)]);
    let table = Action::Output { port: OfPort::TABLE, max_len: 0 };
    let po = PacketOut {
        packet: udp(1, 2, 80),
        buffer_id: None,
        in_port: OfPort(1),
        metadata: Match::ANY,
        actions: vec![output(2), table],
    };
    bed.bridge.packet_out(&po).unwrap();
    let ports: Vec<u32> = bed.dp.sent.lock().unwrap().iter().map(|s| s.port.0).collect();
    assert_eq!(ports, [102, 103]);
    assert_eq!(bed.packets_of(1), 1);
    assert!(bed.bridge.packet_out(&PacketOut { in_port: OfPort(0xff00), ..po }).is_err());
}

#[test]
fn patch_ports_lead_into_the_other_bridge() {
    let bed = bed();
    let other = bed.world.bridge_add("br1", BridgeConfig::default(), Arc::new(Events::default()));
    add_port(&other, 7, 207);
    add_patch(&bed.bridge, 4, "to-br1", "to-br0");
    add_patch(&other, 4, "to-br0", "to-br1");
    bed.normal();
    other.flow_mod(&flow_mod("", 3, vec![Action::Output { port: OfPort::NORMAL, max_len: 0 }])).unwrap();
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102, 103, 207]);
    assert_eq!(bed.dp.receive(207, &udp(9, 1, 80)), [101]);
    let stats = other.flow_stats(&FlowStatsRequest::default()).unwrap();
    assert_eq!(stats[0].packet_count, 2);
}

#[test]
fn learn_adds_a_flow_that_later_packets_meet() {
    let bed = bed();
    let whole = |f| flow::Subfield::whole(f);
    let learn = Learn {
        table: TableId(1),
        idle_s: 60,
        specs: vec![
            LearnSpec {
                n_bits: 48,
                src: LearnSrc::Field(whole(Field::EthSrc)),
                dst: LearnDst::Match(whole(Field::EthDst)),
            },
            LearnSpec { n_bits: 16, src: LearnSrc::Field(whole(Field::InPort)), dst: LearnDst::Output },
        ],
        ..Learn::default()
    };
    let resubmit =
        Resubmit { in_port: OfPort::IN_PORT, table: TableId(1), with_ct_orig: false, portonly: false };
    bed.add("", 1, vec![Action::Learn(Box::new(learn)), Action::Resubmit(resubmit)]);
    assert!(bed.dp.receive(101, &udp(1, 2, 80)).is_empty());
    assert_eq!(bed.dp.receive(102, &udp(2, 1, 80)), [101]);
    let learned =
        bed.bridge.flow_stats(&FlowStatsRequest { table: TableId(1), ..Default::default() }).unwrap();
    assert_eq!(learned.len(), 2);
}

#[test]
fn an_endless_resubmit_drops_and_says_so() {
    let bed = bed();
    let resubmit =
        Resubmit { in_port: OfPort::IN_PORT, table: TableId(0), with_ct_orig: false, portonly: false };
    bed.add("", 1, vec![output(2), Action::Resubmit(resubmit)]);
    assert!(bed.dp.receive(101, &udp(1, 2, 80)).is_empty());
    let args = ["br0".to_string(), "in_port=1".to_string()];
    let request = crate::trace::parse(std::slice::from_ref(&bed.world), &args).unwrap();
    let text = crate::trace::run(&bed.world, &request);
    assert!(text.contains("     >>>> over max translation depth 64 <<<<\n"), "{text}");
    assert!(text.ends_with("Translation failed (Recursion too deep), packet is dropped.\n"), "{text}");
}

#[test]
fn vlan_modes_tag_and_untag() {
    use crate::ofproto::config::VlanMode;
    let bed = bed();
    bed.normal();
    let access = |n: u32| BundleInput {
        vlan_mode: VlanMode::Access,
        tag: 7,
        ..BundleInput::trunk(&format!("p{n}"), OfPort(n))
    };
    bed.bridge.bundle_set(&access(1));
    bed.bridge.bundle_set(&access(2));
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102, 103]);
    let sent = bed.dp.sent.lock().unwrap().clone();
    assert!(sent[0].changes.is_empty(), "access to access: untouched");
    let tci = Be16::new(0x1007);
    assert_eq!(sent[1].changes, [dpif::Action::PushVlan { tpid: Be16::new(0x8100), tci }]);
}

#[test]
fn header_changes_are_committed_and_taken_back() {
    let bed = bed();
    bed.add(
        "ip,nw_dst=10.0.0.0/24",
        1,
        vec![Action::SetIpv4Dst([1, 2, 3, 4]), output(2), Action::SetIpv4Dst([10, 0, 0, 2]), output(3)],
    );
    bed.dp.receive(101, &udp(1, 2, 80));
    let live = bed.dp.live();
    let actions = dpif::Megaflow::actions(&*live[0]);
    let text = dpif::text::format_actions(&actions, &dpif::text::Numbers);
    assert_eq!(text, "set(ipv4(dst=1.2.3.4)),102,set(ipv4(dst=10.0.0.2)),103");
    assert_eq!(dpif::Megaflow::mask(&*live[0]).0.nw_dst, Be32::MAX);
}

#[test]
fn a_failing_datapath_is_asked_again() {
    let bed = bed();
    bed.add("in_port=1", 5, vec![output(2)]);
    for n in 0..50 {
        bed.dp.receive(101, &udp(n, 2, 80));
        bed.dp.receive(102, &udp(2, n, 80));
    }
    bed.dp.chaos.store(2, std::sync::atomic::Ordering::Relaxed);
    bed.add("in_port=1", 5, vec![output(3)]);
    for _ in 0..10 {
        bed.revalidator.round();
    }
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [103]);
    bed.revalidator.purge();
    assert_eq!(bed.dp.live().len(), 0);
    assert_eq!(bed.packets_of(5), 51);
}
