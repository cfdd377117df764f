//! One thread that looks after what nobody else has time for: guests that came, went or changed their queues; link state;
//! the load of queues; reports of workers; buffer pools that wait for their last packet.

use std::sync::Weak;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::Inner;
use crate::worker::plan::INTERVAL_S;

const PERIOD: Duration = Duration::from_millis(100);

pub(super) fn spawn(inner: Weak<Inner>) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("dp-housekeeper".into()).spawn(move || {
        let mut seen = Seen::default();
        let mut next_sample = Instant::now() + Duration::from_secs(INTERVAL_S);
        loop {
            std::thread::sleep(PERIOD);
            let Some(inner) = inner.upgrade() else { return };
            if inner.stopped.load(Relaxed) {
                return;
            }
            seen.look(&inner);
            inner.common.registry.sweep();
            if Instant::now() >= next_sample {
                next_sample += Duration::from_secs(INTERVAL_S);
                sample(&inner);
                crate::dpdk::mempool::sweep();
            }
        }
    })
}

/// What the devices said last time.
#[derive(Default)]
struct Seen {
    changes: u64,
    n_rxq: u64,
}

impl Seen {
    fn look(&mut self, inner: &Inner) {
        let mut state = inner.state();
        let ports: Vec<_> = state.ports.iter().flatten().filter(|p| p.device.is_pmd()).cloned().collect();
        let weighted = |f: &dyn Fn(&crate::port::Port) -> u64| {
            ports
                .iter()
                .fold(0u64, |sum, p| sum.wrapping_mul(31).wrapping_add(f(p)).wrapping_add(u64::from(p.no.0)))
        };
        let changes = weighted(&|p| p.device.changes());
        let n_rxq = weighted(&|p| u64::from(p.device.n_rxq()));
        if n_rxq != self.n_rxq {
            // Ports that came and went are published already; publishing once more changes nothing then.
            inner.publish(&mut state);
        }
        if (changes, n_rxq) != (self.changes, self.n_rxq) {
            inner.changed();
        }
        (self.changes, self.n_rxq) = (changes, n_rxq);
    }
}

fn sample(inner: &Inner) {
    let state = inner.state();
    for load in state.loads.values() {
        load.sample();
    }
    for worker in &state.workers {
        let v = worker.shared.stats.values();
        // The worker's own load counter is only written here.
        let total = v.busy_cycles.wrapping_add(v.idle_cycles);
        worker.shared.load.cycles.add(total.wrapping_sub(worker.shared.load.cycles.get()));
        worker.shared.load.sample();
    }
}
