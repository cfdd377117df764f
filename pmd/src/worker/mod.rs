//! Workers: one thread per PMD core, and the main worker for ports without a PMD. The turn of a worker is [`Worker::run`]:
//! take what was published, do a bounded number of commands, poll every queue once, and again.
//!
//! Threads: each worker is one thread and the only one to touch its tables. Control threads see [`Shared`]: a mailbox for
//! plans, a bounded queue of commands, counters.

pub mod assign;
pub mod balance;
mod fair;
pub mod nap;
pub mod perf;
pub mod plan;
pub mod sleep;
pub mod stats;

use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use crossbeam::queue::ArrayQueue;
use dpif::{Actions, Clock, FlowPut, UpcallHandler, WorkerId};

use crate::epoch::{Epoch, Reader};
use crate::megaflow::Megaflow;
use crate::packet::BURST;
use crate::pipeline::Pipeline;
use crate::port::TxId;
use crate::registry::Registry;
use crate::tsc;
use fair::Fair;
use nap::Nap;
use perf::{Perf, Turn};
use plan::{Plan, RxqLoad};
use sleep::Sleeper;
use stats::{Base, WorkerStats};

/// Commands that may wait for a worker.
pub const COMMANDS_MAX: usize = 4096;
/// Commands done in one turn, so that packets do not wait for them.
const COMMANDS_PER_TURN: usize = 32;
/// Turns without work before the main worker sleeps.
const IDLE_TURNS_MAX: u32 = 16;

/// Something that only the worker itself may do.
pub enum Command {
    Put(Box<FlowPut>),
    Modify(Arc<Megaflow>, Actions),
    Delete(Arc<Megaflow>),
    Flush,
    Execute(Box<Job>),
}

/// A packet to run through actions.
pub struct Job {
    pub packet: crate::Packet,
    pub flow: flow::Flow,
    pub actions: Actions,
}

/// What all workers and control threads share.
pub struct Common {
    pub epoch: Arc<Epoch>,
    pub handler: OnceLock<Arc<dyn UpcallHandler>>,
    pub registry: Registry,
    pub clock: Clock,
    pub flow_limit: AtomicUsize,
    pub meters: crate::meter::Meters,
}

/// One worker as the other threads see it.
pub struct Shared {
    pub id: WorkerId,
    pub core: u32,
    pub numa: i32,
    pub tx: TxId,
    pub plan: ArcSwap<Plan>,
    pub commands: ArrayQueue<Command>,
    pub stats: WorkerStats,
    pub base: Base,
    pub n_flows: AtomicUsize,
    pub n_masks: AtomicUsize,
    /// Cycles of the whole worker, and those of them that it was busy, in the same intervals as its queues.
    pub load: RxqLoad,
    pub busy: RxqLoad,
    pub perf: Perf,
    pub sleeper: Sleeper,
    stop: AtomicBool,
}

impl Shared {
    pub fn new(id: WorkerId, core: u32, numa: i32, tx: TxId) -> Shared {
        Shared {
            id,
            core,
            numa,
            tx,
            plan: ArcSwap::default(),
            commands: ArrayQueue::new(COMMANDS_MAX),
            stats: WorkerStats::default(),
            base: Base::default(),
            n_flows: AtomicUsize::new(0),
            n_masks: AtomicUsize::new(0),
            load: RxqLoad::default(),
            busy: RxqLoad::default(),
            perf: Perf::default(),
            sleeper: Sleeper::new(),
            stop: AtomicBool::new(false),
        }
    }

    pub fn is_main(&self) -> bool {
        self.id == WorkerId::MAIN
    }

    /// Queues a command; gives it back when the queue stays full for a moment.
    pub fn command(&self, command: Command) -> Result<(), Command> {
        const TRIES: u32 = 200;
        let mut command = command;
        for _ in 0..TRIES {
            match self.commands.push(command) {
                Ok(()) => {
                    self.sleeper.wake();
                    return Ok(());
                }
                Err(back) => command = back,
            }
            self.sleeper.wake();
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
        Err(command)
    }

    /// Asks the thread to end after its turn.
    pub fn stop(&self) {
        self.stop.store(true, Release);
        self.sleeper.wake();
    }
}

/// A worker's thread.
pub struct Worker {
    shared: Arc<Shared>,
    common: Arc<Common>,
    pipeline: Pipeline,
    reader: Reader,
    /// Upcalls and their cycles when the metrics looked last.
    upcalls_seen: (u64, u64),
}

impl Worker {
    /// Starts the thread; it is registered with the epoch when this returns.
    pub fn spawn(shared: Arc<Shared>, common: Arc<Common>) -> std::io::Result<std::thread::JoinHandle<()>> {
        let reader = common.epoch.register();
        let name = if shared.is_main() {
            "dp-main".to_owned()
        } else {
            format!("pmd-c{:02}/id:{}", shared.core, shared.tx.0)
        };
        std::thread::Builder::new().name(name).stack_size(4 << 20).spawn(move || {
            if !shared.is_main() {
                core_affinity::set_for_current(core_affinity::CoreId { id: shared.core as usize });
            }
            shared.base.clear(&shared.stats);
            let pipeline = Pipeline::new(shared.clone(), common.clone());
            let mut worker = Worker { shared, common, pipeline, reader, upcalls_seen: (0, 0) };
            worker.run();
            worker.pipeline.close();
        })
    }

    fn run(&mut self) {
        let (mut guard, mut told) = (None, false);
        loop {
            let plan = self.shared.plan.load_full();
            if let Some(handler) = self.common.handler.get().filter(|_| !told) {
                handler.worker_started(self.shared.id);
                told = true;
            }
            self.pipeline.adopt(&plan);
            if guard.is_none() {
                // DPDK may have started after this worker did.
                guard = crate::dpdk::eal::register_thread();
            }
            self.serve(&plan);
            if self.shared.stop.load(Acquire) {
                return;
            }
        }
    }

    /// Turns until something is published or the worker is to stop.
    fn serve(&mut self, plan: &Arc<Plan>) {
        let main = self.shared.is_main();
        let settings = &plan.snapshot.settings;
        let nap_us_max = if main { 0 } else { settings.nap_us_max };
        let (mut fair, mut nap) = (Fair::new(plan.polls.len()), Nap::default());
        let mut idle_turns = 0;
        let mut last = tsc::now();
        loop {
            let begin = last;
            if self.reader.quiesce() && !Arc::ptr_eq(plan, &*self.shared.plan.load()) {
                return;
            }
            let mut work = 0;
            if !self.shared.commands.is_empty() {
                work += self.commands(plan);
            } else if self.shared.stop.load(Relaxed) {
                return;
            }
            let (mut fullest, mut packets, mut batches) = (0, 0, 0);
            for (at, poll) in plan.polls.iter().enumerate() {
                if !fair.may_poll(at) {
                    fullest = BURST;
                    continue;
                }
                let n = self.pipeline.poll(plan, poll, last);
                let now = tsc::now();
                let spent = now.wrapping_sub(last);
                last = now;
                if n != 0 {
                    poll.load.cycles.add(spent);
                    poll.load.packets.add(n as u64);
                    self.shared.stats.busy_cycles.add(spent);
                    work += n;
                    fair.spent(at, spent);
                    (fullest, packets, batches) = (n.max(fullest), packets + n, batches + 1);
                } else {
                    self.shared.stats.idle_cycles.add(spent);
                    fair.spent(at, 0);
                }
            }
            fair.end_turn();
            work += self.pipeline.end_turn(plan, last);
            if settings.perf_metrics && !main {
                self.measure(plan, last.wrapping_sub(begin), packets, batches);
            }
            if nap_us_max != 0
                && let Some(length) = nap.after(fullest, nap_us_max)
            {
                self.nap(length);
                last = tsc::now();
                if !Arc::ptr_eq(plan, &*self.shared.plan.load()) {
                    return;
                }
            }
            if work != 0 {
                self.shared.stats.busy_turns.add(1);
                idle_turns = 0;
                continue;
            }
            self.shared.stats.idle_turns.add(1);
            if main || plan.polls.is_empty() {
                idle_turns += 1;
                if idle_turns > IDLE_TURNS_MAX {
                    self.sleep(plan);
                    last = tsc::now();
                    // What was published during the sleep is not announced again.
                    if !Arc::ptr_eq(plan, &*self.shared.plan.load()) {
                        return;
                    }
                }
            }
        }
    }

    /// Puts a turn into the metrics.
    #[cold]
    fn measure(&mut self, plan: &Plan, cycles: u64, packets: usize, batches: u64) {
        let stats = &self.shared.stats;
        let (misses, upcall_cycles) = (stats.misses.get() + stats.lost.get(), stats.upcall_cycles.get());
        let (old_misses, old_cycles) = std::mem::replace(&mut self.upcalls_seen, (misses, upcall_cycles));
        let backlog = plan.polls.iter().map(|p| p.port.device.backlog(p.queue)).max();
        self.shared.perf.turn(&Turn {
            cycles,
            packets: packets as u64,
            batches,
            upcalls: misses.wrapping_sub(old_misses),
            upcall_cycles: upcall_cycles.wrapping_sub(old_cycles),
            backlog: backlog.unwrap_or(0).into(),
            ..Turn::default()
        });
    }

    /// A load-based sleep; nobody waits for the thread meanwhile.
    fn nap(&mut self, length: std::time::Duration) {
        let before = tsc::now();
        self.reader.offline();
        std::thread::sleep(length);
        self.reader.online();
        let stats = &self.shared.stats;
        stats.sleep_turns.add(1);
        stats.sleep_cycles.add(tsc::now().wrapping_sub(before));
    }

    fn commands(&mut self, plan: &Plan) -> usize {
        let mut n = 0;
        while n < COMMANDS_PER_TURN {
            let Some(command) = self.shared.commands.pop() else { break };
            self.pipeline.command(plan, command);
            n += 1;
        }
        n
    }

    /// Sleeps until a port has something, or a control thread calls.
    fn sleep(&mut self, plan: &Plan) {
        let shared = &self.shared;
        shared.stats.sleep_turns.add(1);
        let before = tsc::now();
        self.reader.offline();
        shared.sleeper.sleep(&plan.polls, || {
            !shared.commands.is_empty()
                || shared.stop.load(Acquire)
                || !std::ptr::eq(plan, Arc::as_ptr(&shared.plan.load()))
        });
        self.reader.online();
        shared.stats.sleep_cycles.add(tsc::now().wrapping_sub(before));
    }
}
