use super::super::stp::{self, Stp};
use super::super::testbed::{End, Network, TreeBridge, Wire};
use super::*;

impl TreeBridge for Rstp {
    fn receive(&mut self, port: OfPort, payload: &[u8], _now_ms: i64) {
        Rstp::receive(self, port, payload);
    }
    fn run(&mut self, now_ms: i64) {
        Rstp::run(self, now_ms);
    }
    fn take_frames(&mut self) -> Vec<(OfPort, Vec<u8>)> {
        Rstp::take_frames(self)
    }
    fn set_link(&mut self, port: OfPort, up: bool, now_ms: i64) {
        Rstp::set_link(self, port, up, 0, now_ms);
    }
    fn forwards(&self, port: OfPort) -> bool {
        self.ports.get(&port).is_some_and(|p| p.forwarding)
    }
}

fn settings(n: u8) -> Config {
    Config {
        id: BridgeId::new(0x8000, [2, 0, 0, 0, 0, n]),
        max_age_s: 20,
        forward_delay_s: 15,
        tx_hold_count: 6,
        force_stp: false,
    }
}

fn bridge(n: u8, ports: u32) -> Rstp {
    let mut rstp = Rstp::new(&format!("br{n}"), settings(n), 0);
    let port = |p: u32| {
        let config = PortConfig {
            name: format!("p{p}"),
            number: p as u16,
            priority: 0x80,
            path_cost: None,
            admin_edge: false,
            auto_edge: true,
            mcheck: false,
        };
        (OfPort(p), config)
    };
    rstp.configure(settings(n), &(1..=ports).map(port).collect(), 0);
    rstp
}

/// Three bridges in a ring, with a second cable between the first two.
const RING: &[(End, End)] = &[((0, 1), (1, 1)), ((1, 2), (2, 1)), ((2, 2), (0, 2)), ((0, 3), (1, 3))];

fn ring(seed: u64, loss: u64) -> Network<Rstp> {
    Network::new((0..3).map(|n| bridge(n, 3)).collect(), RING, Wire::new(seed, loss, 40))
}

#[test]
fn a_ring_becomes_a_tree_within_seconds() {
    let mut net = ring(1, 0);
    net.run(5_000);
    assert!(
        net.is_tree(),
        "{:?}\n{}",
        net.forwarding(),
        net.bridges.iter().map(Rstp::show).collect::<String>()
    );
    assert!(net.bridges[0].is_root());
    assert_eq!(net.bridges[1].ports[&OfPort(1)].role, Role::Root);
    assert_eq!(net.bridges[1].ports[&OfPort(3)].role, Role::Alternate);
    assert!(net.bridges[1].show().contains("  root-port       p1\n  root-path-cost  2000\n"));
    assert_eq!(show::id_text(net.bridges[0].config.id), "8.000.020000000000");
    assert!(net.bridges.iter().all(|b| b.n_restless == 0));
}

#[test]
fn a_cut_is_healed_within_seconds_and_without_a_loop() {
    for seed in 0..20 {
        let mut net = ring(seed, 0);
        net.run(10_000);
        net.set_cable(0, false);
        for _ in 0..60 {
            net.run(50);
            assert!(!net.has_loop(), "seed {seed}");
        }
        assert!(net.is_tree(), "seed {seed}: {:?}", net.forwarding());
        net.set_cable(2, false);
        for _ in 0..100 {
            net.run(50);
            assert!(!net.has_loop(), "seed {seed}");
        }
        assert_eq!(net.forwarding(), [1, 3], "seed {seed}");
        net.set_cable(0, true);
        net.set_cable(2, true);
        for _ in 0..200 {
            net.run(50);
            assert!(!net.has_loop(), "seed {seed}");
        }
        assert!(net.is_tree(), "seed {seed}: {:?}", net.forwarding());
        assert!(net.bridges.iter().all(|b| b.n_restless == 0), "seed {seed}");
    }
}

#[test]
fn lost_messages_delay_but_do_not_prevent() {
    for seed in 0..20 {
        let mut net = ring(seed, 30);
        net.run(60_000);
        net.wire.loss_percent = 0;
        net.run(45_000);
        assert!(net.is_tree(), "seed {seed}: {:?}", net.forwarding());
    }
}

#[test]
fn a_port_with_nobody_behind_becomes_an_edge() {
    let mut rstp = bridge(1, 1);
    Rstp::set_link(&mut rstp, OfPort(1), true, 0, 0);
    for now_ms in (0..5_000).step_by(100) {
        Rstp::run(&mut rstp, now_ms);
    }
    let port = &rstp.ports[&OfPort(1)];
    assert!(port.oper_edge && port.forwarding);
    assert_eq!(port.state_name(), "Forwarding");
}

/// An old bridge and a new one.
enum Either {
    Old(Box<Stp>),
    New(Box<Rstp>),
}

impl TreeBridge for Either {
    fn receive(&mut self, port: OfPort, payload: &[u8], now_ms: i64) {
        match self {
            Either::Old(b) => TreeBridge::receive(&mut **b, port, payload, now_ms),
            Either::New(b) => TreeBridge::receive(&mut **b, port, payload, now_ms),
        }
    }
    fn run(&mut self, now_ms: i64) {
        match self {
            Either::Old(b) => TreeBridge::run(&mut **b, now_ms),
            Either::New(b) => TreeBridge::run(&mut **b, now_ms),
        }
    }
    fn take_frames(&mut self) -> Vec<(OfPort, Vec<u8>)> {
        match self {
            Either::Old(b) => b.take_frames(),
            Either::New(b) => b.take_frames(),
        }
    }
    fn set_link(&mut self, port: OfPort, up: bool, now_ms: i64) {
        match self {
            Either::Old(b) => TreeBridge::set_link(&mut **b, port, up, now_ms),
            Either::New(b) => TreeBridge::set_link(&mut **b, port, up, now_ms),
        }
    }
    fn forwards(&self, port: OfPort) -> bool {
        match self {
            Either::Old(b) => b.forwards(port),
            Either::New(b) => b.forwards(port),
        }
    }
}

#[test]
fn an_old_neighbour_is_spoken_to_in_its_language() {
    let config = stp::Config {
        id: BridgeId::new(0x8000, [2, 0, 0, 0, 0, 9]),
        hello_ms: 2000,
        max_age_ms: 20_000,
        forward_delay_ms: 15_000,
    };
    let mut old = Stp::new("old", config.clone(), 0);
    let port = |p: u32| {
        (
            OfPort(p),
            stp::PortConfig { name: format!("p{p}"), number: p as u8, priority: 0x80, path_cost: None },
        )
    };
    old.configure(config, &(1..=2).map(port).collect(), 0);
    let bridges = vec![Either::New(Box::new(bridge(0, 2))), Either::Old(Box::new(old))];
    let mut net = Network::new(bridges, &[((0, 1), (1, 1)), ((0, 2), (1, 2))], Wire::new(5, 0, 20));
    net.run(60_000);
    assert!(net.is_tree(), "{:?}", net.forwarding());
    let Either::New(new) = &net.bridges[0] else { unreachable!() };
    assert!(!new.ports[&OfPort(1)].send_rstp);
}

#[test]
fn hostile_bytes_are_counted_and_nothing_else() {
    let mut rstp = bridge(1, 1);
    Rstp::set_link(&mut rstp, OfPort(1), true, 0, 0);
    for len in 0..40 {
        Rstp::receive(&mut rstp, OfPort(1), &vec![0xff; len]);
    }
    assert_eq!(rstp.ports[&OfPort(1)].counters.errors, 40);
    let mut seed = super::super::testbed::Random::new(11);
    for _ in 0..5000 {
        let mut bytes: Vec<u8> = (0..36).map(|_| seed.below(256) as u8).collect();
        bytes[..4].copy_from_slice(&[0, 0, 2, if seed.below(2) == 0 { 2 } else { 0 }]);
        Rstp::receive(&mut rstp, OfPort(1), &bytes);
        rstp.take_frames();
    }
    assert_eq!(rstp.n_restless, 0);
}
