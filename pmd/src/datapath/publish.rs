//! From ports, cores and settings to plans: which PMD threads exist and which queues each polls. A queue never has two
//! pollers: what moves is first taken from its old worker, then, a grace period later, given to the new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use dpif::WorkerId;

use super::{Inner, PmdThread, State};
use crate::port::options::flag;
use crate::port::{Port, TxId};
use crate::worker::assign::{Algorithm, Assignment, Core, Rxq, assign, parse_affinity};
use crate::worker::balance::improvement;
use crate::worker::plan::{INTERVALS_MAX, Plan, Poll, Snapshot};
use crate::worker::{Shared, Worker};

impl Inner {
    /// Publishes the present state to all workers and returns when the last one has taken it.
    pub(crate) fn publish(&self, state: &mut State) {
        let snapshot = Arc::new(Snapshot { ports: state.ports.clone(), settings: state.settings.clone() });
        let rxqs = pmd_rxqs(state);
        let cores = if rxqs.is_empty() { Vec::new() } else { self.pmd_cores(state, &rxqs) };
        self.start_missing(state, &cores);
        let (algorithm, outcome) = assignment(state, &rxqs, &cores);
        let plain: Vec<Rxq> = rxqs.iter().map(|(_, r)| r.clone()).collect();
        super::report::queues(state, &plain, &cores, algorithm, &outcome);
        let wanted = polls_by_core(state, &rxqs, &outcome);
        self.take_away(state, &snapshot, &wanted);
        let before = self.snapshot.swap(snapshot.clone());
        self.hand_out(state, &snapshot, &wanted, &outcome);
        drop(before);
        self.stop_unwanted(state, &cores);
    }

    fn publish_workers(&self, state: &State) {
        let pmds = state.workers.iter().map(|w| w.shared.clone());
        self.workers.store(Arc::new(pmds.chain([self.main.clone()]).collect()));
    }

    /// First half: every worker keeps only what it will go on polling.
    fn take_away(&self, state: &mut State, snapshot: &Arc<Snapshot>, wanted: &BTreeMap<u32, Vec<Poll>>) {
        let none = Vec::new();
        let mut old = Vec::new();
        for worker in &mut state.workers {
            let wanted = wanted.get(&worker.shared.core).unwrap_or(&none);
            let before = worker.polls.len();
            worker.polls.retain(|p| wanted.iter().any(|w| w.is_same(p)));
            if worker.polls.len() != before {
                let isolated = worker.shared.plan.load().isolated;
                let plan = Plan { snapshot: snapshot.clone(), polls: worker.polls.clone(), isolated };
                old.push(worker.shared.plan.swap(Arc::new(plan)));
            }
        }
        if !old.is_empty() {
            self.common.epoch.wait();
        }
    }

    /// Second half: the new plans.
    fn hand_out(
        &self,
        state: &mut State,
        snapshot: &Arc<Snapshot>,
        wanted: &BTreeMap<u32, Vec<Poll>>,
        outcome: &Assignment,
    ) {
        let mut old = Vec::new();
        for worker in &mut state.workers {
            worker.polls = wanted.get(&worker.shared.core).cloned().unwrap_or_default();
            let isolated = outcome.isolated.contains(&worker.shared.core);
            let plan = Plan { snapshot: snapshot.clone(), polls: worker.polls.clone(), isolated };
            old.push(worker.shared.plan.swap(Arc::new(plan)));
            worker.shared.sleeper.wake();
        }
        let polls = main_polls(state);
        let plan = Plan { snapshot: snapshot.clone(), polls, isolated: false };
        old.push(self.main.plan.swap(Arc::new(plan)));
        self.main.sleeper.wake();
        self.common.epoch.wait();
        // Freed here and not on a worker.
        drop(old);
    }

    fn start_missing(&self, state: &mut State, cores: &[Core]) {
        let missing: Vec<Core> =
            cores.iter().filter(|c| !state.workers.iter().any(|w| w.shared.core == c.id)).copied().collect();
        let n_senders = state.workers.len() + missing.len() + 1;
        for port in state.ports.iter().flatten() {
            port.set_senders(n_senders);
        }
        if missing.is_empty() {
            return;
        }
        // Everybody locks shared transmit queues before the new threads send.
        self.common.epoch.wait();
        super::report::threads(&missing, &[], cores);
        for core in missing {
            let used: Vec<u16> = state.workers.iter().map(|w| w.shared.tx.0).collect();
            let Some(tx) = (1..=u16::MAX).find(|n| !used.contains(n)) else { continue };
            let shared = Arc::new(Shared::new(WorkerId(core.id), core.id, core.numa, TxId(tx)));
            shared.perf.lock().log = **self.perf_log.load();
            match Worker::spawn(shared.clone(), self.common.clone()) {
                Ok(thread) => {
                    state.workers.push(PmdThread { shared, thread: Some(thread), polls: Vec::new() })
                }
                Err(e) => (self.options.dpdk_log)(
                    4,
                    &format!("PMD thread for core {} could not start: {e}", core.id),
                ),
            }
        }
        state.workers.sort_by_key(|w| w.shared.core);
        self.publish_workers(state);
    }

    fn stop_unwanted(&self, state: &mut State, cores: &[Core]) {
        let keep = |w: &PmdThread| cores.iter().any(|c| c.id == w.shared.core);
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut state.workers).into_iter().partition(keep);
        state.workers = kept;
        if gone.is_empty() {
            return;
        }
        self.publish_workers(state);
        let stopped: Vec<Core> =
            gone.iter().map(|w| Core { id: w.shared.core, numa: w.shared.numa }).collect();
        super::report::threads(&[], &stopped, cores);
        for worker in &gone {
            worker.shared.stop();
        }
        for mut worker in gone {
            if let Some(thread) = worker.thread.take() {
                // A worker that panicked has said so itself.
                let _ = thread.join();
            }
            let mut retired = self.retired.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            retired.add(&worker.shared.stats.values());
        }
        self.common.registry.sweep();
    }

    /// The cores of `pmd-cpu-mask` that exist (none: nothing is polled, as OVS has it); without a mask one core per
    /// NUMA node that has PMD ports.
    fn pmd_cores(&self, state: &State, rxqs: &[(Arc<Port>, Rxq)]) -> Vec<Core> {
        let online = &self.cores;
        let mask = state.other_config.get("pmd-cpu-mask").and_then(|m| crate::cpumask::parse(m));
        if let Some(mask) = mask {
            return online.iter().filter(|c| mask.contains(&(c.id as usize))).copied().collect();
        }
        let mut nodes: Vec<i32> = rxqs.iter().map(|(_, r)| r.numa).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let of_node = |node: i32| online.iter().rfind(|c| c.numa == node).or(online.last()).copied();
        let mut cores: Vec<Core> = nodes.into_iter().filter_map(of_node).collect();
        cores.dedup();
        cores
    }

    /// Assigns afresh by measured load (`pmd-rxq-rebalance`).
    pub(crate) fn rebalance(&self) {
        self.publish(&mut self.state());
    }

    /// Percent by which the loads would be more even if the queues were assigned afresh.
    pub(super) fn dry_run(&self, state: &mut State) -> u64 {
        let rxqs = pmd_rxqs(state);
        let cores: Vec<Core> =
            state.workers.iter().map(|w| Core { id: w.shared.core, numa: w.shared.numa }).collect();
        let after = assignment(state, &rxqs, &cores).1;
        let polls = |w: &PmdThread, r: &Rxq, port: &Arc<Port>| {
            w.polls.iter().any(|p| Arc::ptr_eq(&p.port, port) && p.queue == r.queue)
        };
        let at = |(port, r): &(Arc<Port>, Rxq)| {
            state.workers.iter().find(|w| polls(w, r, port)).map(|w| w.shared.core)
        };
        let before: Vec<Option<u32>> = rxqs.iter().map(at).collect();
        let open: Vec<u32> = cores.iter().map(|c| c.id).filter(|id| !after.isolated.contains(id)).collect();
        let plain: Vec<Rxq> = rxqs.into_iter().map(|(_, r)| r).collect();
        improvement(&plain, &open, &before, &after.cores)
    }
}

/// CPUs that this process may use, with their nodes. Asked once, when the datapath starts: later the calling thread may
/// be confined to a few (DPDK pins the thread that starts it, main keeps control threads off the PMDs' cores).
/// `dummy_numa` stands for other CPUs than the machine has.
pub(super) fn cores(dummy_numa: &[i32]) -> Vec<Core> {
    if !dummy_numa.is_empty() {
        return dummy_numa.iter().zip(0..).map(|(&numa, id)| Core { id, numa }).collect();
    }
    let node = |cpu: usize| {
        let dir = std::fs::read_dir(format!("/sys/devices/system/cpu/cpu{cpu}")).ok()?;
        let name = |e: std::io::Result<std::fs::DirEntry>| e.ok()?.file_name().into_string().ok();
        dir.filter_map(name).find_map(|n| n.strip_prefix("node")?.parse().ok())
    };
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    ids.iter().map(|c| Core { id: c.id as u32, numa: node(c.id).unwrap_or(0) }).collect()
}

fn pmd_rxqs(state: &mut State) -> Vec<(Arc<Port>, Rxq)> {
    let mut out = Vec::new();
    for port in state.ports.iter().flatten().filter(|p| p.device.is_pmd() && p.is_polled()) {
        let spec = port.spec.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let affinity =
            spec.other_config.get("pmd-rxq-affinity").and_then(|t| parse_affinity(t)).unwrap_or_default();
        for queue in 0..port.device.n_rxq() {
            let load = state.loads.entry((port.no.0, queue)).or_default();
            let pinned = affinity.iter().find(|(q, _)| *q == queue).map(|(_, core)| *core);
            let cycles = load.recent(INTERVALS_MAX).0;
            let numa = port.device.numa();
            out.push((port.clone(), Rxq { port: port.name.clone(), queue, numa, cycles, pinned }));
        }
    }
    out.sort_by(|(_, a), (_, b)| (&a.port, a.queue).cmp(&(&b.port, b.queue)));
    out
}

/// Queues that are polled stay where they are unless they must move: with equal load the algorithms are stable.
fn assignment(state: &State, rxqs: &[(Arc<Port>, Rxq)], cores: &[Core]) -> (Algorithm, Assignment) {
    let algorithm = Algorithm::from_text(state.other_config.get("pmd-rxq-assign").map(String::as_str));
    let isolate = flag(&state.other_config, "pmd-rxq-isolate", true) || algorithm != Algorithm::Group;
    let plain: Vec<Rxq> = rxqs.iter().map(|(_, r)| r.clone()).collect();
    (algorithm, assign(&plain, cores, algorithm, isolate))
}

fn polls_by_core(
    state: &mut State,
    rxqs: &[(Arc<Port>, Rxq)],
    outcome: &Assignment,
) -> BTreeMap<u32, Vec<Poll>> {
    let mut by_core = BTreeMap::<u32, Vec<Poll>>::new();
    for ((port, rxq), core) in rxqs.iter().zip(&outcome.cores) {
        if let Some(core) = core {
            let load = state.loads.entry((port.no.0, rxq.queue)).or_default().clone();
            by_core.entry(*core).or_default().push(Poll { port: port.clone(), queue: rxq.queue, load });
        }
    }
    by_core
}

fn main_polls(state: &mut State) -> Vec<Poll> {
    let mut polls = Vec::new();
    for port in state.ports.iter().flatten().filter(|p| !p.device.is_pmd() && p.is_polled()) {
        let load = state.loads.entry((port.no.0, 0)).or_default().clone();
        polls.push(Poll { port: port.clone(), queue: 0, load });
    }
    polls
}
