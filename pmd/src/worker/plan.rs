//! What control threads publish to workers: the port table with the settings, and each worker's list of queues to poll.
//! Immutable once published; a worker takes a new plan between two turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use dpif::DpPort;

use crate::counter::Counter;
use crate::port::Port;
use crate::worker::nap::NAP_US_MAX;

/// Intervals of queue load kept, and their length.
pub const INTERVALS_MAX: usize = 12;
pub const INTERVAL_S: u64 = 5;

/// Ports by number, and the settings of the packet path.
#[derive(Default)]
pub struct Snapshot {
    pub ports: Vec<Option<Arc<Port>>>,
    pub settings: Settings,
}

impl Snapshot {
    #[inline(always)]
    pub fn port(&self, no: DpPort) -> Option<&Arc<Port>> {
        self.ports.get(no.0 as usize)?.as_ref()
    }
}

/// `Open_vSwitch.other_config` as the packet path needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// One microflow in this many goes into the exact-match cache; 0 = none.
    pub emc_insert_inv_prob: u32,
    pub smc_enable: bool,
    /// How long packets may wait for a fuller transmit burst.
    pub tx_flush_interval_us: u32,
    pub perf_metrics: bool,
    /// The longest load-based sleep of a PMD thread; 0 = it polls always.
    pub nap_us_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            emc_insert_inv_prob: 100,
            smc_enable: false,
            tx_flush_interval_us: 0,
            perf_metrics: false,
            nap_us_max: 0,
        }
    }
}

impl Settings {
    pub fn from_config(config: &crate::port::options::Map) -> Settings {
        use crate::port::options::{flag, number};
        let default = Settings::default();
        let interval: u32 = number(config, "tx-flush-interval", 0);
        Settings {
            emc_insert_inv_prob: number(config, "emc-insert-inv-prob", default.emc_insert_inv_prob),
            smc_enable: flag(config, "smc-enable", false),
            tx_flush_interval_us: if interval <= 1_000_000 { interval } else { 0 },
            perf_metrics: flag(config, "pmd-perf-metrics", false),
            // The name of 3.1, and the one since 3.2.
            nap_us_max: number(config, "pmd-maxsleep", number(config, "pmd-sleep-max", 0)).min(NAP_US_MAX),
        }
    }
}

/// A receive queue to poll.
#[derive(Clone)]
pub struct Poll {
    pub port: Arc<Port>,
    pub queue: u16,
    pub load: Arc<RxqLoad>,
}

impl Poll {
    pub fn is_same(&self, other: &Poll) -> bool {
        Arc::ptr_eq(&self.port, &other.port) && self.queue == other.queue
    }
}

/// A worker's part of the work.
#[derive(Default)]
pub struct Plan {
    pub snapshot: Arc<Snapshot>,
    pub polls: Vec<Poll>,
    /// Polls pinned queues only (shown by `pmd-rxq-show`).
    pub isolated: bool,
}

/// Cycles that a queue took: a running counter of its worker, and the last intervals.
#[derive(Default)]
pub struct RxqLoad {
    pub cycles: Counter,
    pub packets: Counter,
    history: Mutex<History>,
}

#[derive(Default)]
struct History {
    last: u64,
    intervals: VecDeque<u64>,
}

impl RxqLoad {
    /// Ends an interval; called by one control thread every [`INTERVAL_S`] seconds.
    pub fn sample(&self) {
        let now = self.cycles.get();
        let mut h = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = now.wrapping_sub(h.last);
        h.last = now;
        if h.intervals.len() == INTERVALS_MAX {
            h.intervals.pop_front();
        }
        h.intervals.push_back(spent);
    }

    /// Cycles in the last `n` intervals, and how many of them there are.
    pub fn recent(&self, n: usize) -> (u64, usize) {
        let h = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let n = n.min(h.intervals.len());
        (h.intervals.iter().rev().take(n).sum(), n)
    }
}
