//! One thread that looks after what nobody else has time for: guests that came, went or changed their queues; link state;
//! the load of queues; reports of workers; buffer pools that wait for their last packet.

use std::sync::Weak;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::Inner;
use crate::worker::balance::{self, AutoLb, Thread};
use crate::worker::plan::INTERVAL_S;

const PERIOD: Duration = Duration::from_millis(100);

pub(super) fn spawn(inner: Weak<Inner>) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("dp-housekeeper".into()).spawn(move || {
        let (mut seen, mut auto_lb, start) = (Seen::default(), Balancer::default(), Instant::now());
        let mut next_sample = Instant::now() + Duration::from_secs(INTERVAL_S);
        loop {
            std::thread::sleep(PERIOD);
            let Some(inner) = inner.upgrade() else { return };
            if inner.stopped.load(Relaxed) {
                return;
            }
            seen.look(&inner);
            inner.common.registry.sweep();
            tell_suspicious(&inner);
            if Instant::now() >= next_sample {
                next_sample += Duration::from_secs(INTERVAL_S);
                sample(&inner);
                auto_lb.tick(&inner, start.elapsed().as_secs());
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

/// `pmd-auto-lb`.
#[derive(Default)]
struct Balancer(AutoLb);

impl Balancer {
    /// After each sample of the loads.
    fn tick(&mut self, inner: &Inner, now_s: u64) {
        let mut state = inner.state();
        let config = balance::Config::from_config(&state.other_config);
        let thread = |w: &super::PmdThread| {
            let (total, busy) = (w.shared.load.recent(1).0, w.shared.busy.recent(1).0);
            Thread {
                core: w.shared.core,
                busy: (busy * 100).checked_div(total).unwrap_or(0).min(100) as u8,
                n_rxq: w.polls.len(),
                isolated: w.shared.plan.load().isolated,
            }
        };
        let threads: Vec<Thread> = state.workers.iter().map(thread).collect();
        if !self.0.tick(now_s, &config, &threads) {
            return;
        }
        let gain = inner.dry_run(&mut state);
        let verdict = if gain >= u64::from(config.improvement) { "is" } else { "is not" };
        tracing::info!(
            target: "dpif_netdev",
            "PMD auto load balance performing dry run: the variance of the loads would fall by {gain}%, so that the improvement threshold of {}% {verdict} met",
            config.improvement
        );
        if gain >= u64::from(config.improvement) {
            inner.publish(&mut state);
        }
    }
}

/// `pmd-perf-log-set on`: the excerpts that are complete.
fn tell_suspicious(inner: &Inner) {
    for worker in inner.workers().iter().filter(|w| !w.is_main()) {
        let text = crate::text::metrics::suspicious(&mut worker.perf.lock());
        for line in text.iter().flat_map(|t| t.lines()) {
            tracing::warn!(target: "pmd_perf", rl = 60, "{line}");
        }
    }
}

fn sample(inner: &Inner) {
    let state = inner.state();
    for load in state.loads.values() {
        load.sample();
    }
    for worker in &state.workers {
        let v = worker.shared.stats.values();
        // These counters are only written here.
        let total = v.busy_cycles.wrapping_add(v.idle_cycles).wrapping_add(v.sleep_cycles);
        for (load, now) in [(&worker.shared.load, total), (&worker.shared.busy, v.busy_cycles)] {
            load.cycles.add(now.wrapping_sub(load.cycles.get()));
            load.sample();
        }
    }
}
