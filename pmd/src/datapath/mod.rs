//! The datapath as the control plane holds it: [`Datapath`] implements `dpif`'s traits over workers, ports and the registry
//! of megaflows. Control plane only; every method may be called by any control thread, and none makes a worker wait.
//!
//! ```text
//!  ports.rs    port_add / remove / reconfigure, status, statistics
//!  flows.rs    megaflows, packets to execute
//!  control.rs  settings, DPDK's start, PMD cores
//!  publish.rs  plans: which worker polls what; threads come and go
//!  housekeeper.rs  every 100 ms: guests that changed, load samples, reports of workers
//! ```

mod control;
mod flows;
mod housekeeper;
mod ports;
mod publish;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use dpif::{Clock, DropReason, UpcallHandler, WorkerId};

use crate::dpdk::mempool::Mempools;
use crate::epoch::Epoch;
use crate::port::{Port, TxId};
use crate::registry::Registry;
use crate::worker::assign::Core;
use crate::worker::perf::log::LogConfig;
use crate::worker::plan::{Poll, RxqLoad, Settings, Snapshot};
use crate::worker::{Common, Shared, Worker};

/// Megaflows per worker until the control plane says otherwise.
const FLOW_LIMIT_DEFAULT: usize = 200_000;

/// From a flow in text to packet bytes.
pub type Compose = fn(&str) -> Result<Vec<u8>, String>;

/// What the daemon gives the datapath when it starts.
pub struct Options {
    pub clock: Clock,
    /// Run-time directory (vhost server sockets are below it).
    pub rundir: String,
    /// Where DPDK's log lines go.
    pub dpdk_log: crate::dpdk::eal::LogSink,
    /// Offers the dummy kinds.
    pub dummy: bool,
    /// `--dummy-numa`: the NUMA node of each CPU that shall seem to exist; empty = those of the machine.
    pub dummy_numa: Vec<i32>,
    /// Another way to make a packet of a flow in text (`netdev-dummy/receive`) than ours.
    pub compose: Option<Compose>,
}

/// See the module text. Cheap to clone.
#[derive(Clone)]
pub struct Datapath(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub options: Options,
    pub common: Arc<Common>,
    pub pools: Arc<Mempools>,
    pub main: Arc<Shared>,
    state: Mutex<State>,
    /// The published ports and workers, for questions that must not wait for a change in progress.
    pub snapshot: ArcSwap<Snapshot>,
    workers: ArcSwap<Vec<Arc<Shared>>>,
    changes: AtomicU64,
    serial: AtomicU64,
    stopped: AtomicBool,
    /// The daemon ends and will come back: ports close, but what outlasts them stays.
    keep_devices: AtomicBool,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
    /// Counters of workers that have ended, so that totals never go back.
    pub retired: Mutex<crate::worker::stats::Values>,
    /// CPUs that may poll.
    pub cores: Vec<Core>,
    /// `pmd-perf-log-set`, also for PMD threads to come.
    pub perf_log: ArcSwap<LogConfig>,
    pub choices: Mutex<crate::text::choices::Choices>,
}

/// Everything that control operations change, under one lock.
#[derive(Default)]
pub(crate) struct State {
    pub ports: Vec<Option<Arc<Port>>>,
    pub loads: BTreeMap<(u32, u16), Arc<RxqLoad>>,
    pub other_config: BTreeMap<String, String>,
    pub settings: Settings,
    pub workers: Vec<PmdThread>,
    reported: report::Reported,
    /// The settings have been told: with the first port, before which nobody uses them.
    is_reported: bool,
}

pub(crate) struct PmdThread {
    pub shared: Arc<Shared>,
    pub thread: Option<std::thread::JoinHandle<()>>,
    pub polls: Vec<Poll>,
}

impl Datapath {
    /// A datapath with its main worker running and no ports. `set_handler` must follow before ports are added.
    pub fn new(options: Options) -> std::io::Result<Datapath> {
        let cores = publish::cores(&options.dummy_numa);
        let common = Arc::new(Common {
            epoch: Arc::new(Epoch::default()),
            handler: OnceLock::new(),
            registry: Registry::default(),
            clock: options.clock.clone(),
            flow_limit: AtomicUsize::new(FLOW_LIMIT_DEFAULT),
            meters: Default::default(),
        });
        let main = Arc::new(Shared::new(WorkerId::MAIN, u32::MAX, 0, TxId::MAIN));
        let epoch = common.epoch.clone();
        crate::dpdk::vhost::set_grace(Box::new(move || epoch.wait()));
        let inner = Arc::new(Inner {
            options,
            common: common.clone(),
            pools: Arc::default(),
            main: main.clone(),
            state: Mutex::default(),
            snapshot: ArcSwap::default(),
            workers: ArcSwap::from_pointee(vec![main.clone()]),
            changes: AtomicU64::new(0),
            serial: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            keep_devices: AtomicBool::new(false),
            threads: Mutex::default(),
            retired: Mutex::default(),
            cores,
            perf_log: ArcSwap::default(),
            choices: Mutex::default(),
        });
        let worker = Worker::spawn(main, common)?;
        let keeper = housekeeper::spawn(Arc::downgrade(&inner))?;
        inner.threads.lock().unwrap_or_else(PoisonError::into_inner).extend([worker, keeper]);
        Ok(Datapath(inner))
    }

    /// Who answers upcalls; once.
    pub fn set_handler(&self, handler: Arc<dyn UpcallHandler>) {
        let _ = self.0.common.handler.set(handler);
        // The main worker, which runs already, takes notice with its next plan.
        self.0.publish(&mut self.0.state());
    }

    /// The accounts of all workers that there are and have been. While one ends it may be missing for a moment.
    pub(crate) fn totals(&self) -> crate::worker::stats::Values {
        let mut total = *self.0.retired.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in self.0.workers().iter() {
            total.add(&worker.stats.values());
        }
        total
    }

    /// Packets that workers dropped for the reasons that Open vSwitch counts under `coverage`.
    pub fn dropped(&self, coverage: &str) -> u64 {
        let drops = self.totals().drops;
        let counts = |r: &&DropReason| r.coverage() == Some(coverage);
        DropReason::ALL.iter().filter(counts).map(|r| drops[*r as usize]).sum()
    }

    /// From here on a port that is removed closes its device but leaves what a restart takes up again (taps).
    pub fn keep_devices(&self) {
        self.0.keep_devices.store(true, Relaxed);
    }

    /// Stops all workers and closes all ports. Nothing forwards afterwards.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the control plane to look at ports again.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Relaxed);
    }

    fn stop(&self) {
        if self.stopped.swap(true, Relaxed) {
            return;
        }
        let mut state = self.state();
        for port in state.ports.iter().flatten() {
            port.set_running(false);
        }
        for worker in state.workers.iter_mut() {
            worker.shared.stop();
        }
        for worker in state.workers.iter_mut() {
            if let Some(thread) = worker.thread.take() {
                // A worker that panicked has said so itself.
                let _ = thread.join();
            }
        }
        self.main.stop();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let me = std::thread::current().id();
        for thread in threads.into_iter().filter(|t| t.thread().id() != me) {
            let _ = thread.join();
        }
        state.workers.clear();
        let ports: Vec<_> = state.ports.drain(..).flatten().collect();
        state.loads.clear();
        drop(state);
        self.main.plan.store(Arc::default());
        self.snapshot.store(Arc::default());
        self.workers.store(Arc::new(vec![self.main.clone()]));
        drop(ports);
    }

    /// The PMD workers, lowest core first, then the main worker.
    pub(crate) fn workers(&self) -> Arc<Vec<Arc<Shared>>> {
        self.workers.load_full()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}
