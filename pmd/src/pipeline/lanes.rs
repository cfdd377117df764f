//! Where packets go after actions: a batch per output port, and the queue of those that come back. Hot plane; one worker.

use std::collections::VecDeque;
use std::sync::Arc;

use dpif::{DpPort, DropReason};

use crate::action::Item;
use crate::megaflow::bits;
use crate::packet::{BURST, Batch, Packet};
use crate::port::{Port, TxId};
use crate::tsc;
use crate::worker::plan::{Plan, Snapshot};
use crate::worker::stats::WorkerStats;

/// Packets that may wait for recirculation.
const RECIRC_MAX: usize = 4096;

/// A packet on its way back, as actions left it.
pub struct Recirculated {
    pub item: Item,
    pub depth: u8,
}

/// See the module text.
pub struct Lanes {
    from: TxId,
    /// By port number.
    batches: Vec<Batch>,
    /// Ports with packets, in the order of their first one.
    dirty: Vec<u32>,
    /// When the oldest waiting packet was queued.
    since: u64,
    pub recirc: VecDeque<Recirculated>,
}

impl Lanes {
    pub fn new(from: TxId) -> Lanes {
        Lanes { from, batches: Vec::new(), dirty: Vec::new(), since: 0, recirc: VecDeque::new() }
    }

    /// Makes lanes for ports below `n`.
    pub fn resize(&mut self, n: usize) {
        if self.batches.len() < n {
            self.batches.resize_with(n, Batch::new);
        }
    }

    /// Queues packets for `no`; false, and nothing done, when there is no such port.
    #[inline(always)]
    pub fn output_all(
        &mut self,
        snapshot: &Snapshot,
        stats: &WorkerStats,
        no: DpPort,
        packets: impl Iterator<Item = Packet>,
    ) -> bool {
        let Some(port) = snapshot.port(no) else { return false };
        let Some(lane) = self.batches.get_mut(no.0 as usize) else { return false };
        if lane.is_empty() {
            if self.dirty.is_empty() {
                self.since = tsc_if_waiting(snapshot);
            }
            self.dirty.push(no.0);
        }
        for packet in packets {
            if lane.is_full() {
                send(self.from, Some(port), lane, stats);
            }
            lane.push(packet);
        }
        true
    }

    /// Queues the packets of `group` for `no`; false, and nothing done, when there is no such port.
    #[inline(always)]
    pub fn output_group(
        &mut self,
        snapshot: &Snapshot,
        stats: &WorkerStats,
        no: DpPort,
        packets: &mut [Option<Packet>; BURST],
        group: u32,
    ) -> bool {
        let room = self.batches.get(no.0 as usize).map_or(0, |lane| lane.remaining_capacity());
        if room < group.count_ones() as usize {
            // Also: no lane.
            let packets = bits(group).filter_map(|at| packets[at].take());
            return self.output_all(snapshot, stats, no, packets);
        }
        if snapshot.port(no).is_none() {
            return false;
        }
        let lane = &mut self.batches[no.0 as usize];
        if lane.is_empty() {
            if self.dirty.is_empty() {
                self.since = tsc_if_waiting(snapshot);
            }
            self.dirty.push(no.0);
        }
        for at in bits(group) {
            if let Some(packet) = packets[at].take() {
                // SAFETY: there is room for all of the group.
                unsafe { lane.push_unchecked(packet) };
            }
        }
        true
    }

    /// Queues a packet to come back; false when too many wait.
    pub fn recirculate(&mut self, item: Item, depth: u8) -> bool {
        if self.recirc.len() >= RECIRC_MAX {
            return false;
        }
        self.recirc.push_back(Recirculated { item, depth });
        true
    }

    pub fn is_due(&self, now: u64, interval_us: u32) -> bool {
        !self.dirty.is_empty()
            && now.wrapping_sub(self.since) >= tsc::hz() / 1_000_000 * u64::from(interval_us)
    }

    /// Sends everything; returns how many packets that were.
    #[inline]
    pub fn flush(&mut self, plan: &Plan, stats: &WorkerStats) -> usize {
        let mut n = 0;
        for no in self.dirty.drain(..) {
            if let Some(lane) = self.batches.get_mut(no as usize) {
                n += lane.len();
                send(self.from, plan.snapshot.port(DpPort(no)), lane, stats);
            }
        }
        n
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.batches.clear();
        self.dirty.clear();
        self.recirc.clear();
    }
}

/// Only lanes that may wait need to know since when.
#[inline(always)]
fn tsc_if_waiting(snapshot: &Snapshot) -> u64 {
    if snapshot.settings.tx_flush_interval_us != 0 { tsc::now() } else { 0 }
}

#[inline]
fn send(from: TxId, port: Option<&Arc<Port>>, lane: &mut Batch, stats: &WorkerStats) {
    let n = lane.len();
    let dropped = match port {
        Some(port) => port.tx(from, lane),
        None => {
            // The port went away while the lane waited.
            stats.drops[DropReason::InvalidPort as usize].add(n as u64);
            lane.clear();
            n
        }
    };
    stats.tx_packets.add((n - dropped) as u64);
    stats.tx_batches.add(1);
}
