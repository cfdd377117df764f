use super::super::testbed::{End, Network, TreeBridge, Wire};
use super::*;

impl TreeBridge for Stp {
    fn receive(&mut self, port: OfPort, payload: &[u8], now_ms: i64) {
        Stp::receive(self, port, payload, now_ms);
    }
    fn run(&mut self, now_ms: i64) {
        Stp::run(self, now_ms);
    }
    fn take_frames(&mut self) -> Vec<(OfPort, Vec<u8>)> {
        Stp::take_frames(self)
    }
    fn set_link(&mut self, port: OfPort, up: bool, now_ms: i64) {
        Stp::set_link(self, port, up, 0, now_ms);
    }
    fn forwards(&self, port: OfPort) -> bool {
        self.ports.get(&port).is_some_and(|p| p.state.forwards())
    }
}

fn settings(n: u8) -> Config {
    Config {
        id: BridgeId::new(0x8000, [2, 0, 0, 0, 0, n]),
        hello_ms: 2000,
        max_age_ms: 20_000,
        forward_delay_ms: 15_000,
    }
}

fn bridge(n: u8, ports: u32) -> Stp {
    let mut stp = Stp::new(&format!("br{n}"), settings(n), 0);
    let port = |p: u32| {
        let config = PortConfig {
            name: format!("p{p}"),
            number: p as u8,
            priority: PORT_PRIORITY_DEFAULT,
            path_cost: None,
        };
        (OfPort(p), config)
    };
    stp.configure(settings(n), &(1..=ports).map(port).collect(), 0);
    stp
}

/// Three bridges in a ring, with a second cable between the first two.
const RING: &[(End, End)] = &[((0, 1), (1, 1)), ((1, 2), (2, 1)), ((2, 2), (0, 2)), ((0, 3), (1, 3))];

fn ring(seed: u64, loss: u64) -> Network<Stp> {
    Network::new((0..3).map(|n| bridge(n, 3)).collect(), RING, Wire::new(seed, loss, 100))
}

#[test]
fn a_ring_becomes_a_tree() {
    let mut net = ring(1, 0);
    net.run(35_000);
    assert!(net.is_tree(), "{:?}", net.forwarding());
    assert!(net.bridges[0].is_root());
    assert_eq!(net.bridges[1].root, net.bridges[0].config.id);
    assert_eq!(net.bridges[1].role(OfPort(1)), Role::Root);
    assert_eq!(net.bridges[1].role(OfPort(3)), Role::Alternate);
    assert_eq!(net.bridges[2].role(OfPort(2)), Role::Root);
    assert!(net.bridges[1].show().contains("  root-port       p1\n  root-path-cost  2\n"));
}

#[test]
fn a_cut_is_healed_without_a_loop_on_the_way() {
    for seed in 0..10 {
        let mut net = ring(seed, 0);
        net.run(40_000);
        for cable in [0, 2] {
            net.set_cable(cable, false);
        }
        for _ in 0..80 {
            net.run(1000);
            assert!(!net.has_loop(), "seed {seed}");
        }
        assert_eq!(net.forwarding(), [1, 3], "seed {seed}");
        net.set_cable(0, true);
        net.set_cable(2, true);
        for _ in 0..80 {
            net.run(1000);
            assert!(!net.has_loop(), "seed {seed}");
        }
        assert!(net.is_tree(), "seed {seed}: {:?}", net.forwarding());
    }
}

#[test]
fn lost_messages_delay_but_do_not_prevent() {
    for seed in 0..10 {
        let mut net = ring(seed, 25);
        net.run(120_000);
        net.wire.loss_percent = 0;
        net.run(60_000);
        assert!(net.is_tree(), "seed {seed}: {:?}", net.forwarding());
    }
}

#[test]
fn a_topology_change_flushes_everywhere() {
    let mut net = ring(3, 0);
    net.run(80_000);
    for bridge in &mut net.bridges {
        bridge.take_flush();
    }
    net.bridges[2].detect_topology_change(net.now_ms);
    net.run(5_000);
    assert!(net.bridges.iter_mut().all(Stp::take_flush));
}

#[test]
fn hostile_bytes_are_counted_and_nothing_else() {
    let mut stp = bridge(1, 1);
    stp.set_link(OfPort(1), true, 0, 0);
    for len in 0..40 {
        stp.receive(OfPort(1), &vec![0xff; len], 10);
        stp.receive(OfPort(9), &vec![0; len], 10);
    }
    assert_eq!(stp.ports[&OfPort(1)].counters.errors, 40);
    assert!(stp.is_root());
    // A worse bridge is told at once, but not more than once a second.
    let worse = bpdu::Config {
        topology_change: false,
        topology_change_ack: false,
        priority: Priority {
            root: BridgeId::new(0x9000, [9; 6]),
            cost: 0,
            bridge: BridgeId::new(0x9000, [9; 6]),
            port: 1,
        },
        message_age_ms: 0,
        max_age_ms: 20_000,
        hello_ms: 2000,
        forward_delay_ms: 15_000,
    };
    stp.take_frames();
    for _ in 0..5 {
        stp.receive(OfPort(1), &config(&worse), 5000);
    }
    assert_eq!(stp.take_frames().len(), 1);
}
