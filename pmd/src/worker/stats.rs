//! A worker's account: packets by the way they took, cycles busy and idle, cycles by stage, drops. Written by the worker
//! with plain stores, read by anybody.

use std::sync::Mutex;

use dpif::DropReason;

use crate::counter::Counter;

/// Stages of a packet's way whose cycles are counted (on one burst in [`STAGE_SAMPLE`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Stage {
    Rx,
    Parse,
    Emc,
    Megaflow,
    Upcall,
    Actions,
    Tx,
}

impl Stage {
    pub const ALL: [(Stage, &'static str); 7] = [
        (Stage::Rx, "rx"),
        (Stage::Parse, "parse"),
        (Stage::Emc, "emc+index"),
        (Stage::Megaflow, "megaflow"),
        (Stage::Upcall, "upcall"),
        (Stage::Actions, "actions"),
        (Stage::Tx, "tx"),
    ];
    pub const N: usize = Self::ALL.len();
}

/// One burst in this many has its stages timed: seven clock reads cost 5 cycles per packet when made for every burst.
pub const STAGE_SAMPLE: u32 = 16;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counters of a worker.
        #[derive(Default)]
        #[repr(align(128))]
        pub struct WorkerStats {
            $($(#[$doc])* pub $name: Counter,)*
            /// Packets and cycles of the bursts whose stages were timed.
            pub stage_cycles: [Counter; Stage::N],
            pub stage_packets: Counter,
            pub drops: [Counter; DropReason::N],
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
        pub struct Values {
            $(pub $name: u64,)*
            pub stage_cycles: [u64; Stage::N],
            pub stage_packets: u64,
            pub drops: [u64; DropReason::N],
        }

        impl WorkerStats {
            pub fn values(&self) -> Values {
                Values {
                    $($name: self.$name.get(),)*
                    stage_cycles: std::array::from_fn(|n| self.stage_cycles[n].get()),
                    stage_packets: self.stage_packets.get(),
                    drops: std::array::from_fn(|n| self.drops[n].get()),
                }
            }
        }

        impl Values {
            /// Adds another account.
            pub fn add(&mut self, other: &Values) {
                $(self.$name = self.$name.wrapping_add(other.$name);)*
                for (n, c) in self.stage_cycles.iter_mut().enumerate() {
                    *c = c.wrapping_add(other.stage_cycles[n]);
                }
                self.stage_packets = self.stage_packets.wrapping_add(other.stage_packets);
                for (n, c) in self.drops.iter_mut().enumerate() {
                    *c = c.wrapping_add(other.drops[n]);
                }
            }

            /// What was counted since `base`.
            pub fn since(&self, base: &Values) -> Values {
                Values {
                    $($name: self.$name.wrapping_sub(base.$name),)*
                    stage_cycles: std::array::from_fn(|n| self.stage_cycles[n].wrapping_sub(base.stage_cycles[n])),
                    stage_packets: self.stage_packets.wrapping_sub(base.stage_packets),
                    drops: std::array::from_fn(|n| self.drops[n].wrapping_sub(base.drops[n])),
                }
            }
        }
    };
}

counters! {
    rx_packets,
    recirculated,
    simple_hits,
    emc_hits,
    smc_hits,
    megaflow_hits,
    /// Subtables searched for the megaflow hits.
    subtable_lookups,
    misses,
    /// Misses that got no verdict and were dropped.
    lost,
    upcall_cycles,
    tx_packets,
    tx_batches,
    busy_cycles,
    idle_cycles,
    busy_turns,
    idle_turns,
    sleep_turns,
    sleep_cycles,
    /// Installs refused because the table was at its limit.
    limit_reached,
}

/// Counter values when the account was last cleared (`pmd-stats-clear`), and when that was.
#[derive(Default)]
pub struct Base(Mutex<(Values, u64)>);

impl Base {
    /// Starts a new account.
    pub fn clear(&self, stats: &WorkerStats) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            (stats.values(), crate::tsc::now());
    }

    /// The account since the last clearing, and the cycles that have passed since.
    pub fn since(&self, stats: &WorkerStats) -> (Values, u64) {
        let base = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (stats.values().since(&base.0), crate::tsc::now().wrapping_sub(base.1))
    }
}
