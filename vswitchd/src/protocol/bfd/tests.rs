use super::super::testbed::Wire;
use super::*;

fn config() -> Config {
    Config {
        min_tx_ms: 100,
        min_rx_ms: 300,
        decay_min_rx_ms: 0,
        mult: 3,
        forwarding_if_rx: false,
        cpath_down: false,
        addresses: packet::Addresses::default(),
        remote_dst_mac: None,
    }
}

struct Pair {
    ends: [Bfd; 2],
    wire: Wire<usize>,
    now_ms: i64,
}

impl Pair {
    fn new(seed: u64, loss: u64) -> Self {
        let end = |n: u32| Bfd::new("p", config(), 0x100 + n + seed as u32, 0);
        Pair { ends: [end(1), end(2)], wire: Wire::new(seed, loss, 20), now_ms: 0 }
    }

    fn run(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            self.now_ms += 10;
            for (to, payload) in self.wire.arrivals(self.now_ms) {
                self.ends[to].receive(&payload, self.now_ms);
            }
            for from in 0..2 {
                if let (Some(payload), _) = self.ends[from].run(Some(0), self.now_ms) {
                    // As it goes over the wire.
                    let frame = packet::frame(&self.ends[from].config.addresses, [2; 6], &payload);
                    let control = packet::control(&frame[14..]).unwrap().to_vec();
                    self.wire.send(self.now_ms, 1 - from, control);
                }
            }
        }
    }
}

#[test]
fn two_ends_come_up_and_agree_on_intervals() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, 10);
        pair.run(15_000);
        pair.wire.loss_percent = 0;
        pair.run(6_000);
        for end in &pair.ends {
            assert_eq!(end.state, State::Up, "seed {seed}");
            assert!(end.is_forwarding());
            assert_eq!((end.min_tx_ms, end.tx_interval_ms(), end.poll), (100, 300, None), "seed {seed}");
        }
        assert!(pair.ends[0].show(pair.now_ms).contains("  Local Session State: up\n"));
    }
}

#[test]
fn silence_is_noticed_within_the_detection_time() {
    let mut pair = Pair::new(3, 0);
    pair.run(10_000);
    pair.wire.loss_percent = 100;
    pair.run(1_000);
    for end in &pair.ends {
        assert_eq!((end.state, end.diagnostic), (State::Down, Diagnostic::Expired));
        assert!(!end.is_forwarding());
    }
    pair.wire.loss_percent = 0;
    pair.run(10_000);
    assert!(pair.ends.iter().all(|e| e.state == State::Up && e.flap_count == 3));
}

#[test]
fn one_way_loss_brings_both_down() {
    let mut pair = Pair::new(4, 0);
    pair.run(10_000);
    let payload = Packet {
        diagnostic: Diagnostic::Expired,
        state: State::Down,
        flags: 0,
        mult: 3,
        my_discriminator: pair.ends[0].discriminator,
        your_discriminator: 0,
        min_tx_ms: 1000,
        min_rx_ms: 300,
    };
    pair.ends[1].receive(&payload.emit(), pair.now_ms);
    assert_eq!((pair.ends[1].state, pair.ends[1].diagnostic), (State::Down, Diagnostic::RemoteDown));
}

#[test]
fn a_broken_path_behind_the_other_end_stops_forwarding() {
    let mut pair = Pair::new(5, 0);
    pair.run(10_000);
    pair.ends[0].configure(Config { cpath_down: true, ..config() });
    pair.run(1_000);
    assert_eq!(pair.ends[1].state, State::Up);
    assert!(!pair.ends[1].is_forwarding());
    pair.ends[1].forwarding_override = Some(true);
    assert!(pair.ends[1].is_forwarding());
}

#[test]
fn without_data_the_pace_decays_and_comes_back() {
    let mut pair = Pair::new(6, 0);
    pair.ends[0].configure(Config { decay_min_rx_ms: 3000, ..config() });
    pair.run(30_000);
    assert_eq!((pair.ends[0].min_rx_ms, pair.ends[1].tx_interval_ms()), (3000, 3000));
    assert_eq!(pair.ends[1].state, State::Up);
    pair.ends[0].configure(config());
    pair.run(10_000);
    assert_eq!(pair.ends[1].tx_interval_ms(), 300);
}

#[test]
fn hostile_packets_change_nothing() {
    let mut end = Bfd::new("p", config(), 7, 0);
    for len in 0..40 {
        end.receive(&vec![0x20; len], 5);
        end.receive(&vec![0xff; len], 5);
        assert!(packet::control(&vec![0x4f; len]).is_none());
    }
    assert_eq!((end.state, end.n_received), (State::Down, 0));
}
