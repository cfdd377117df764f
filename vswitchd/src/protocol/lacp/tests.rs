use super::super::testbed::Wire;
use super::*;

fn config(id: u8, active: bool) -> Config {
    Config { active, system_id: [2, 0, 0, 0, 0, id], system_priority: 65534, fast: true, fallback_ab: false }
}

fn member(n: u16) -> MemberConfig {
    MemberConfig { name: format!("p{n}"), port_id: n, port_priority: 65535, key: 0 }
}

fn lacp(config: Config) -> Lacp {
    let mut lacp = Lacp::new("bond0", config.clone());
    let members = (1..=2).map(|n| (OfPort(n.into()), member(n))).collect();
    lacp.configure(config, &members, 0);
    for n in 1..=2 {
        lacp.set_carrier(OfPort(n), true, 0);
    }
    lacp
}

/// Two systems whose ports of the same number are cabled.
struct Pair {
    ends: [Lacp; 2],
    wire: Wire<(usize, OfPort)>,
    now_ms: i64,
}

impl Pair {
    fn new(a: Config, b: Config, seed: u64, loss: u64) -> Self {
        Pair { ends: [lacp(a), lacp(b)], wire: Wire::new(seed, loss, 300), now_ms: 0 }
    }

    fn run(&mut self, ms: i64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms += 50;
            for ((to, port), frame) in self.wire.arrivals(self.now_ms) {
                self.ends[to].receive(port, &frame, self.now_ms);
            }
            for from in 0..2 {
                let wire = &mut self.wire;
                let now_ms = self.now_ms;
                self.ends[from].run(now_ms, |port, pdu| wire.send(now_ms, (1 - from, port), pdu));
            }
        }
    }
}

#[test]
fn two_ends_agree_under_loss_and_reordering() {
    for seed in 0..20 {
        let mut pair = Pair::new(config(1, true), config(2, false), seed, 20);
        pair.run(60_000);
        pair.wire.loss_percent = 0;
        pair.run(10_000);
        for lacp in &pair.ends {
            assert_eq!(lacp.status(), Status::Negotiated, "seed {seed}");
            assert!(lacp.may_enable(OfPort(1)) && lacp.may_enable(OfPort(2)), "seed {seed}");
        }
        assert!(pair.ends[0].show().contains("member: p1: current attached"), "seed {seed}");
    }
}

#[test]
fn silence_expires_then_defaults_and_fallback_carries_on() {
    let mut pair = Pair::new(config(1, true), config(2, true), 7, 0);
    pair.run(5_000);
    pair.wire.loss_percent = 100;
    pair.run(2_500);
    assert_eq!(pair.ends[0].status(), Status::Negotiated);
    pair.run(1_000);
    assert_eq!(pair.ends[0].members[&OfPort(1)].rx_state, RxState::Expired);
    assert!(!pair.ends[0].may_enable(OfPort(1)));
    pair.run(3_500);
    assert_eq!(pair.ends[0].status(), Status::Configured);
    assert_eq!(pair.ends[0].members[&OfPort(1)].counters.defaulted, 1);
    assert!(!pair.ends[0].may_enable(OfPort(1)));
    let members = (1..=2).map(|n| (OfPort(n.into()), member(n))).collect();
    let fallback = Config { fallback_ab: true, ..config(1, true) };
    pair.ends[0].configure(fallback, &members, pair.now_ms);
    assert!(pair.ends[0].may_enable(OfPort(1)));
}

#[test]
fn two_passive_ends_stay_silent_and_a_loop_is_no_partner() {
    let mut pair = Pair::new(config(1, false), config(2, false), 1, 0);
    pair.run(40_000);
    assert!(pair.ends.iter().all(|l| l.members.values().all(|m| m.counters.tx == 0)));
    let mut pair = Pair::new(config(1, true), config(1, true), 1, 0);
    pair.run(10_000);
    assert!(!pair.ends[0].may_enable(OfPort(1)));
}

#[test]
fn members_of_another_partner_are_left_out() {
    let mut a = lacp(config(1, true));
    let mut others = [lacp(config(2, true)), lacp(config(3, true))];
    for now_ms in (0..5000).step_by(100) {
        let mut sent = Vec::new();
        a.run(now_ms, |port, pdu| sent.push((port, pdu)));
        for (port, pdu) in sent {
            others[port.0 as usize - 1].receive(port, &pdu, now_ms);
        }
        for (n, other) in others.iter_mut().enumerate() {
            let mut sent = Vec::new();
            other.run(now_ms, |port, pdu| sent.push((port, pdu)));
            for (port, pdu) in sent.into_iter().filter(|(p, _)| p.0 as usize == n + 1) {
                a.receive(port, &pdu, now_ms);
            }
        }
    }
    assert!(a.may_enable(OfPort(1)) && !a.may_enable(OfPort(2)));
}

#[test]
fn hostile_bytes_are_counted() {
    let mut a = lacp(config(1, true));
    for len in 0..130 {
        a.receive(OfPort(1), &vec![1; len], 0);
        a.receive(OfPort(1), &vec![0xff; len], 0);
    }
    a.receive(OfPort(1), &[2, 1], 0);
    let c = a.members[&OfPort(1)].counters;
    assert_eq!((c.rx, c.rx_bad, c.rx_marker), (261, 260, 1));
    assert_eq!(a.members[&OfPort(1)].rx_state, RxState::Expired);
}
