use super::super::testbed::Wire;
use super::*;

fn config(mpid: u64, extended: bool) -> Config {
    Config { mpid, interval_ms: 1000, extended, demand: false, opstate_up: true, vlan: None, pcp: 0 }
}

struct Pair {
    ends: [Cfm; 2],
    wire: Wire<usize>,
    now_ms: i64,
}

impl Pair {
    fn new(a: Config, b: Config, seed: u64) -> Self {
        Pair { ends: [Cfm::new("p1", a, 0), Cfm::new("p2", b, 0)], wire: Wire::new(seed, 0, 200), now_ms: 0 }
    }
    fn run(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            self.now_ms += 50;
            for (to, message) in self.wire.arrivals(self.now_ms) {
                let frame = self.ends[1 - to].frame([2; 6], &message);
                let (ethertype, payload) = frame::payload(&frame).unwrap();
                assert_eq!(ethertype, CFM_TYPE);
                self.ends[to].receive(payload);
            }
            for from in 0..2 {
                if let (Some(message), _) = self.ends[from].run(None, self.now_ms) {
                    self.wire.send(self.now_ms, 1 - from, message);
                }
            }
        }
    }
}

#[test]
fn two_ends_hear_each_other_in_both_forms() {
    for (extended, seed) in [(false, 1), (true, 2)] {
        let mut pair =
            Pair::new(config(1, extended), config(if extended { 1 << 40 } else { 2 }, extended), seed);
        pair.run(30_000);
        for end in &pair.ends {
            assert_eq!((end.faults(), end.health), (0, Some(100)), "{}", end.show(0));
            assert!(end.is_forwarding());
        }
        assert_eq!(pair.ends[1].remote_mpids(), [1]);
    }
}

#[test]
fn silence_is_a_fault_and_the_other_end_hears_of_it() {
    let mut pair = Pair::new(config(1, false), config(2, false), 3);
    pair.run(10_000);
    pair.ends[0].remotes.clear();
    pair.ends[0].faults = fault::RECV;
    pair.wire.loss_percent = 100;
    pair.run(8_000);
    assert_eq!(pair.ends[0].faults(), fault::RECV);
    assert!(!pair.ends[0].is_forwarding() && pair.ends[0].rdi);
    pair.wire.loss_percent = 0;
    pair.run(3_000);
    // The other end has been told, until both are well again.
    assert!(pair.ends.iter().any(|e| e.pending & fault::RDI != 0 || e.faults & fault::RDI != 0));
    pair.run(15_000);
    assert!(pair.ends.iter().all(Cfm::is_forwarding));
}

#[test]
fn the_remote_state_counts_in_the_extended_form() {
    let mut pair = Pair::new(config(1, true), Config { opstate_up: false, ..config(2, true) }, 4);
    pair.run(10_000);
    assert_eq!(pair.ends[0].remote_opstate(), Some(false));
    assert!(!pair.ends[0].is_forwarding() && pair.ends[1].is_forwarding());
}

#[test]
fn other_intervals_loops_and_foreign_domains_are_faults() {
    let mut pair = Pair::new(config(1, false), Config { interval_ms: 100, ..config(1, false) }, 5);
    pair.run(10_000);
    assert_eq!(pair.ends[0].faults() & !fault::RDI, fault::INTERVAL | fault::LOOPBACK);
    let mut end = Cfm::new("p", config(1, false), 0);
    for len in 0..90 {
        end.receive(&vec![1; len]);
    }
    assert_eq!((end.pending, end.remotes.len()), (fault::MAID, 0));
    for mpid in 2..600 {
        let message = Ccm {
            maid: ccm::maid(),
            mpid,
            sequence: 1,
            rdi: false,
            interval_code: 4,
            interval_ms: None,
            opstate_up: true,
        };
        end.receive(&message.emit(false));
    }
    assert_eq!(end.remotes.len(), REMOTES_MAX);
    assert_ne!(end.pending & fault::OVERFLOW, 0);
    assert_eq!(config(1, false).interval(), (4, 1000));
    assert_eq!(Config { interval_ms: 45, ..config(1, false) }.interval(), (2, 10));
}
