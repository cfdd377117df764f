//! Workers: one thread per PMD core, and the main worker for ports without a PMD. The turn of a worker is [`Worker::run`]:
//! take what was published, do a bounded number of commands, poll every queue once, and again.
//!
//! Threads: each worker is one thread and the only one to touch its tables. Control threads see [`Shared`]: a mailbox for
//! plans, a bounded queue of commands, counters.

pub mod assign;
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
use crate::pipeline::Pipeline;
use crate::port::TxId;
use crate::registry::Registry;
use crate::tsc;
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
    /// Load of the whole worker, in the same intervals as its queues.
    pub load: RxqLoad,
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
            let mut worker = Worker { shared, common, pipeline, reader };
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
        let mut idle_turns = 0;
        let mut last = tsc::now();
        loop {
            if self.reader.quiesce() && !Arc::ptr_eq(plan, &*self.shared.plan.load()) {
                return;
            }
            let mut work = 0;
            if !self.shared.commands.is_empty() {
                work += self.commands(plan);
            } else if self.shared.stop.load(Relaxed) {
                return;
            }
            for poll in &plan.polls {
                let n = self.pipeline.poll(plan, poll, last);
                let now = tsc::now();
                let spent = now.wrapping_sub(last);
                last = now;
                if n != 0 {
                    poll.load.cycles.add(spent);
                    poll.load.packets.add(n as u64);
                    self.shared.stats.busy_cycles.add(spent);
                    work += n;
                } else {
                    self.shared.stats.idle_cycles.add(spent);
                }
            }
            work += self.pipeline.end_turn(plan, last);
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
