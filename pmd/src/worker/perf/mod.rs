//! `pmd-perf-metrics`: histograms and a history of a worker's turns, kept only while the setting is on. The worker writes
//! under a lock that it only tries for: a turn that ends while somebody reads is not counted, and nobody waits.

pub mod histogram;
pub mod log;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::histogram::{Bounds, Histogram};
use self::log::{LogConfig, Suspicion};
use crate::tsc;

/// Turns and milliseconds remembered.
pub const HISTORY_LEN: usize = 1000;

/// One turn, or the turns of one millisecond.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its number, or the millisecond.
    pub at: u64,
    pub turns: u64,
    pub cycles: u64,
    pub packets: u64,
    pub batches: u64,
    pub upcalls: u64,
    pub upcall_cycles: u64,
    /// Most packets that waited in a vhost ring.
    pub backlog: u64,
}

impl Turn {
    fn add(&mut self, other: &Turn) {
        self.turns += other.turns;
        self.cycles += other.cycles;
        self.packets += other.packets;
        self.batches += other.batches;
        self.upcalls += other.upcalls;
        self.upcall_cycles += other.upcall_cycles;
        self.backlog = self.backlog.max(other.backlog);
    }
}

/// A worker's metrics; see the module text.
#[derive(Default)]
pub struct Perf(Mutex<Inner>);

/// What is known, for the one who holds the lock.
pub struct Inner {
    pub cycles: Histogram,
    pub packets: Histogram,
    pub cycles_per_packet: Histogram,
    pub packets_per_batch: Histogram,
    pub backlog: Histogram,
    pub upcalls: Histogram,
    pub cycles_per_upcall: Histogram,
    pub total: Turn,
    /// Newest last.
    pub turns: VecDeque<Turn>,
    pub milliseconds: VecDeque<Turn>,
    pub log: LogConfig,
    pub suspicion: Option<Suspicion>,
    number: u64,
}

impl Default for Inner {
    fn default() -> Self {
        Inner {
            cycles: Histogram::new(Bounds::Cycles),
            packets: Histogram::new(Bounds::Packets),
            cycles_per_packet: Histogram::new(Bounds::CyclesPerPacket),
            packets_per_batch: Histogram::new(Bounds::PacketsPerBatch),
            backlog: Histogram::new(Bounds::Backlog),
            upcalls: Histogram::new(Bounds::Upcalls),
            cycles_per_upcall: Histogram::new(Bounds::CyclesPerUpcall),
            total: Turn::default(),
            turns: VecDeque::new(),
            milliseconds: VecDeque::new(),
            log: LogConfig::default(),
            suspicion: None,
            number: 0,
        }
    }
}

impl Perf {
    /// From the worker, after a turn.
    pub fn turn(&self, turn: &Turn) {
        match self.0.try_lock() {
            Ok(mut inner) => inner.turn(turn, tsc::now() / (tsc::hz() / 1000).max(1)),
            Err(std::sync::TryLockError::Poisoned(e)) => e.into_inner().turn(turn, 0),
            Err(std::sync::TryLockError::WouldBlock) => {}
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts anew (`pmd-stats-clear`); the log's settings stay.
    pub fn clear(&self) {
        let mut inner = self.lock();
        let (log, number) = (inner.log, inner.number);
        *inner = Inner { log, number, ..Inner::default() };
    }
}

fn push(ring: &mut VecDeque<Turn>, turn: Turn) {
    if ring.len() == HISTORY_LEN {
        ring.pop_front();
    }
    ring.push_back(turn);
}

impl Inner {
    fn turn(&mut self, turn: &Turn, now_ms: u64) {
        self.number += 1;
        let turn = Turn { at: self.number, turns: 1, ..*turn };
        self.cycles.add(turn.cycles);
        self.packets.add(turn.packets);
        let per = |all: u64, n: u64| all.checked_div(n);
        per(turn.cycles, turn.packets).into_iter().for_each(|n| self.cycles_per_packet.add(n));
        per(turn.packets, turn.batches).into_iter().for_each(|n| self.packets_per_batch.add(n));
        self.backlog.add(turn.backlog);
        self.upcalls.add(turn.upcalls);
        per(turn.upcall_cycles, turn.upcalls).into_iter().for_each(|n| self.cycles_per_upcall.add(n));
        self.total.add(&turn);
        push(&mut self.turns, turn);
        match self.milliseconds.back_mut().filter(|ms| ms.at == now_ms) {
            Some(ms) => ms.add(&turn),
            None => push(&mut self.milliseconds, Turn { at: now_ms, ..turn }),
        }
        if self.suspicion.is_none() {
            self.suspicion = self.log.judge(&turn);
        }
    }

    /// Turns since the suspicious one; `None` without one.
    pub fn since_suspicion(&self) -> Option<u64> {
        self.suspicion.map(|s| self.number - s.turn.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_summed_by_millisecond_and_forgotten_in_the_end() {
        let perf = Perf::default();
        let turn = Turn { cycles: 1000, packets: 10, batches: 1, ..Turn::default() };
        for ms in 0..2 * HISTORY_LEN as u64 {
            for _ in 0..3 {
                perf.lock().turn(&turn, ms);
            }
        }
        let inner = perf.lock();
        assert_eq!((inner.turns.len(), inner.milliseconds.len()), (HISTORY_LEN, HISTORY_LEN));
        let last = inner.milliseconds.back().unwrap();
        assert_eq!((last.at, last.turns, last.packets), (1999, 3, 30));
        assert_eq!(inner.total.packets, 60_000);
        assert_eq!(inner.packets.total(), 6000);
    }

    #[test]
    fn a_long_turn_is_remembered_for_the_log() {
        let perf = Perf::default();
        perf.lock().log = LogConfig { on: true, us: 1, ..LogConfig::default() };
        let long = tsc::hz() / 1000;
        for cycles in [1, long, 1, 1, long] {
            perf.turn(&Turn { cycles, ..Turn::default() });
        }
        assert_eq!(perf.lock().suspicion.map(|s| s.turn.at), Some(2));
        assert_eq!(perf.lock().since_suspicion(), Some(3));
    }
}
