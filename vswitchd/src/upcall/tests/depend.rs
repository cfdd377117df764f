//! Revalidation translates again what a change can touch, all of that, and little else.

use dpif::Megaflow as _;
use flow::parse::{Meta, parse_whole};

use super::*;
use crate::upcall::place;
use crate::xlate::{self, Input, Output};

fn resubmit(table: u8) -> Action {
    let table = TableId(table);
    Action::Resubmit(Resubmit { in_port: OfPort::IN_PORT, table, with_ct_orig: false, portonly: false })
}

impl Bed {
    fn add_to(&self, table: u8, text: &str, priority: u16, actions: Vec<Action>) {
        let fm = FlowMod { table: TableId(table), ..flow_mod(text, priority, actions) };
        self.bridge.flow_mod(&fm).unwrap();
    }

    fn delete(&self, text: &str) {
        let command = FlowModCommand::Delete;
        self.bridge.flow_mod(&FlowMod { command, ..flow_mod(text, 0, vec![]) }).unwrap();
    }

    /// Translations that the next round makes.
    fn translated(&self) -> u64 {
        let before = self.revalidator.n_translated();
        self.revalidator.round();
        self.revalidator.n_translated() - before
    }

    /// Every live megaflow does with the packet, if it covers it, what a fresh translation would; returns how many do.
    fn check(&self, port: u32, packet: &[u8]) -> usize {
        let (flow, _) = parse_whole(packet, &Meta::received(packet.len(), port));
        let snapshot = self.world.snapshot_full();
        let mut n = 0;
        for live in self.dp.live().iter().filter(|f| f.mask().matches(&f.key(), &flow)) {
            let place = place(&self.world, &snapshot, &flow).unwrap();
            let input = Input {
                snapshot: &snapshot,
                recirc: &self.world.recirc,
                bridge: place.bridge,
                flow: &place.flow,
                packet: Some(packet),
                now_ms: self.clock.now_ms(),
                start: place.start(),
                may_learn: true,
                trace: false,
            };
            let mut out = Output::default();
            xlate::translate(&input, &mut out);
            assert_eq!(*live.actions(), *out.actions, "{:?} {:?}", live.key(), live.mask());
            n += 1;
        }
        n
    }
}

#[test]
fn a_rule_that_cannot_match_touches_nothing() {
    let bed = bed();
    bed.add("udp,tp_dst=80", 5, vec![output(2)]);
    bed.add("udp,tp_dst=53", 5, vec![output(3)]);
    bed.dp.receive(101, &udp(1, 2, 80));
    bed.dp.receive(101, &udp(1, 2, 53));
    bed.revalidator.round();
    bed.add("udp,tp_dst=99", 9, vec![output(3)]);
    assert_eq!(bed.translated(), 0);
    bed.add("udp,tp_dst=53,nw_src=10.0.0.1", 9, vec![output(2)]);
    assert_eq!(bed.translated(), 1, "the one whose packets it could match");
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 53)), [102]);
    bed.revalidator.round();
    bed.add("in_port=2", 20, vec![]);
    assert_eq!(bed.translated(), 0, "the port is known of every megaflow");
    bed.delete("");
    bed.revalidator.round();
    assert!(bed.dp.receive(101, &udp(1, 2, 80)).is_empty());
}

#[test]
fn a_rule_that_sees_rewritten_headers_or_registers_is_noticed() {
    let bed = bed();
    bed.add("udp,tp_dst=80", 5, vec![Action::SetL4Dst(8080), resubmit(1)]);
    bed.add_to(1, "", 0, vec![output(2)]);
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [102]);
    bed.revalidator.round();
    bed.add_to(1, "udp,tp_dst=8080", 9, vec![output(3)]);
    assert_eq!(bed.translated(), 1);
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 80)), [103]);
    let set = openflow::action::SetField { field: Field::Reg0, value: 7, mask: u32::MAX.into(), load: false };
    bed.add("udp,tp_dst=53", 5, vec![Action::SetField(Box::new(set)), resubmit(2)]);
    bed.dp.receive(101, &udp(1, 2, 53));
    bed.revalidator.round();
    bed.add_to(2, "reg0=7,udp,tp_dst=53", 3, vec![output(2)]);
    bed.revalidator.round();
    assert_eq!(bed.dp.receive(101, &udp(1, 2, 53)), [102]);
}

#[test]
fn another_bridge_or_table_or_address_touches_nothing() {
    let bed = bed();
    bed.normal();
    for (port, src, dst) in [(101, 1, 2), (102, 2, 1), (101, 1, 2), (102, 2, 1)] {
        bed.dp.receive(port, &udp(src, dst, 80));
        bed.revalidator.round();
        bed.revalidator.round();
    }
    assert_eq!(bed.translated(), 0);
    let other = bed.world.bridge_add("br1", BridgeConfig::default(), bed.events.clone());
    add_port(&other, 1, 201);
    other.flow_mod(&flow_mod("", 3, vec![output(1)])).unwrap();
    assert_eq!(bed.translated(), 0, "the bridge is not theirs");
    bed.add_to(7, "", 3, vec![output(1)]);
    assert_eq!(bed.translated(), 0, "nobody looks at table 7");
    // A third host is learned: what goes to the first two stays.
    bed.dp.receive(103, &udp(3, 1, 80));
    let new = bed.translated();
    assert!(new <= 1, "{new} translated, of which one is new");
    let generation = bed.world.changes();
    add_port(&bed.bridge, 1, 101);
    bed.bridge.port_set(&PortInput {
        number: OfPort(1),
        name: "p1".into(),
        dp_port: Some(DpPort(101)),
        link_up: true,
        admin_up: true,
        ..PortInput::default()
    });
    let after = bed.world.changes();
    assert!(after - generation <= 1, "a port that is as it was is no news");
    add_port(&bed.bridge, 4, 104);
    assert!(bed.translated() >= 3, "a new port may take part in floods");
}

/// Random tables change under random traffic; after each round all megaflows are as a fresh translation would have them.
#[test]
fn megaflows_are_what_a_fresh_translation_says() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_121u64);
    println!("SEED={seed}");
    let mut state = seed;
    let mut random = move |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % n
    };
    let bed = bed();
    let mut covered = 0;
    for _ in 0..400 {
        let mut text = String::new();
        for part in [
            ("in_port", 3, 1),
            ("udp,tp_dst", 4, 80),
            ("ip,nw_src", 3, 1),
            ("ip,nw_dst", 3, 1),
            ("dl_dst", 3, 1),
        ] {
            if random(3) == 0 {
                let value = random(part.1) + part.2;
                let prefix = [8, 30, 32][random(3) as usize];
                text += &match part.0 {
                    p if p.starts_with("ip") => format!("{p}=10.0.0.{value}/{prefix},"),
                    "dl_dst" => format!("dl_dst=02:00:00:00:00:{value:02x},"),
                    p => format!("{p}={value},"),
                };
            }
        }
        let text = text.replace("udp,", "dl_type=0x800,nw_proto=17,").replace("ip,", "dl_type=0x800,");
        let mut known = std::collections::BTreeSet::new();
        let text: Vec<&str> = text.split(',').filter(|t| known.insert(t.split('=').next())).collect();
        let text = text.join(",");
        let table = random(3) as u8;
        let onward = |random: &mut dyn FnMut(u64) -> u64| {
            let to = table + 1 + random(2) as u8;
            if to > 2 { output(random(3) as u32 + 1) } else { resubmit(to) }
        };
        let actions = match random(6) {
            0 => vec![],
            1 => vec![Action::SetL4Dst(80 + random(4) as u16), onward(&mut random)],
            2 => vec![Action::SetIpv4Dst([10, 0, 0, random(3) as u8 + 1]), onward(&mut random)],
            3 => vec![output(random(3) as u32 + 1), onward(&mut random)],
            4 => vec![Action::Output { port: OfPort::NORMAL, max_len: 0 }],
            _ => vec![onward(&mut random)],
        };
        if random(4) == 0 {
            let command = FlowModCommand::Delete;
            let fm = FlowMod { command, table: TableId(table), ..flow_mod(&text, 0, vec![]) };
            bed.bridge.flow_mod(&fm).unwrap();
        } else {
            bed.add_to(table, &text, random(4) as u16 + 1, actions);
        }
        let mut packet = || {
            let (src, dst) = (random(3) as u8 + 1, random(3) as u8 + 1);
            (101 + random(3) as u32, udp(src, dst, 80 + random(4) as u16))
        };
        for _ in 0..4 {
            let (port, bytes) = packet();
            bed.dp.receive(port, &bytes);
        }
        // What the packets taught is taken in with a second round.
        bed.revalidator.round();
        bed.revalidator.round();
        for _ in 0..20 {
            let (port, bytes) = packet();
            covered += bed.check(port, &bytes);
        }
    }
    assert!(covered > 1000, "{covered} packets were covered");
}
