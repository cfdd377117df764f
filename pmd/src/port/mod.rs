//! Ports: a device of some kind under one face for the packet path ([`Port::rx`], [`Port::tx`]) and one for the control
//! plane. One file per kind; all kinds exchange the same [`Packet`]s.
//!
//! ```text
//!  worker --- Port::rx(queue) --> Device::rx                 control --- Device::{status, stats, reconfigure, ...}
//!  worker --- Port::tx(lane)  --> checks --> Device::tx
//! ```
//! A port that is being changed is taken out of the workers' poll lists and marked not running; after a grace period nobody
//! touches its device.

pub mod dummy;
pub mod eth;
pub mod kernel;
mod netlink;
pub mod offload;
pub mod options;
pub mod police;
pub mod shaper;
pub mod steer;
pub mod system;
pub mod tap;
pub mod vhost;

use std::os::fd::RawFd;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use dpif::{DpPort, DropReason, PortError, PortSpec, PortStats, PortStatus};

use crate::counter::SharedCounter;
use crate::packet::{Batch, free_burst};

/// Port numbers are below this.
pub const PORTS_MAX: u32 = 65_280;
/// Frame bytes that an MTU does not count: Ethernet header and two VLAN tags.
const FRAME_EXTRA: u32 = 22;
/// Transmit queues that a port may be asked to have.
pub const TXQS_MAX: usize = 64;

/// Who sends: workers have numbers from 0 (the main worker) so that each may have a queue of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxId(pub u16);

impl TxId {
    pub const MAIN: TxId = TxId(0);
}

/// One kind of port. `rx` and `tx` are the packet path; the rest may block and is called by control threads only.
pub trait Device: Send + Sync {
    /// Polled by PMD threads; otherwise by the main worker.
    fn is_pmd(&self) -> bool;
    fn numa(&self) -> i32 {
        0
    }
    fn n_rxq(&self) -> u16 {
        1
    }
    /// False while the other end keeps the queue closed.
    fn rxq_enabled(&self, _queue: u16) -> bool {
        true
    }
    /// Queues that different threads may send to at the same time; 0 = the device locks for itself.
    fn n_txq(&self) -> u16 {
        0
    }
    /// Receives up to a burst into the empty `batch`. One thread per queue.
    fn rx(&self, queue: u16, batch: &mut Batch);
    /// Sends from the front and takes what it sent out of `batch`; what is left could not be sent.
    fn tx(&self, queue: u16, from: TxId, batch: &mut Batch);
    /// Main worker: sends what other threads queued; returns how many packets that were.
    fn drain(&self) -> usize {
        0
    }
    /// The kernel refuses frames that are too long, by an MTU that may change without our knowing.
    fn checks_length(&self) -> bool {
        false
    }
    /// Packets that wait in `queue`, for the metrics; 0 when the device does not say.
    fn backlog(&self, _queue: u16) -> u32 {
        0
    }
    /// Becomes readable when `rx` has something, for ports without a PMD.
    fn poll_fd(&self) -> Option<RawFd> {
        None
    }
    /// Brings the device to `spec`. Called while nobody polls or sends. `n_txq` = senders there may be.
    fn reconfigure(&self, spec: &PortSpec, n_txq: u16) -> Result<(), PortError>;
    /// Whether `reconfigure` to `spec` would change anything that needs the port to be stopped.
    fn needs_restart(&self, spec: &PortSpec) -> bool;
    /// Settings that change under traffic (tx-retries-max, link options).
    fn adjust(&self, _spec: &PortSpec) {}
    fn set_admin_up(&self, up: bool) -> Result<(), PortError>;
    fn status(&self) -> PortStatus;
    /// Device counters; `Port::stats` adds the software ones.
    fn stats(&self) -> PortStats;
    /// The port leaves the configuration: what would outlast the daemon goes with it.
    fn release(&self) {}
    /// Grows when something about the device changed by itself.
    fn changes(&self) -> u64 {
        0
    }
    /// The pool that `netdev-dpdk/get-mempool-info` shows.
    fn mempool(&self) -> Option<std::sync::Arc<crate::dpdk::mempool::Mempool>> {
        None
    }
    /// For `netdev-dummy/receive`: queues a packet as if it had arrived on `queue`.
    fn inject(&self, _queue: u16, _packet: crate::Packet) -> Result<(), String> {
        Err("not a dummy port".to_owned())
    }
    /// For `netdev-dummy/conn-state`: whether the socket that the port connects to is; `None` = it has none.
    fn is_connected(&self) -> Option<bool> {
        None
    }
}

/// A port of the datapath.
pub struct Port {
    pub no: DpPort,
    pub name: String,
    pub kind: String,
    pub device: Box<dyn Device>,
    /// Packets dropped at or for this port, by reason.
    pub drops: [SharedCounter; DropReason::N],
    /// `other_config:emc-enable`.
    pub emc: AtomicBool,
    running: AtomicBool,
    /// Its queues belong into the workers' plans; read by control threads only.
    polled: AtomicBool,
    admin_up: AtomicBool,
    /// Longest frame to send.
    frame_max: AtomicU32,
    /// `other_config:tx-steering=hash`.
    steered: AtomicBool,
    /// More senders than queues: take the queue's lock.
    shared_tx: AtomicBool,
    n_txq: AtomicU32,
    locks: Box<[SpinLock]>,
    pub spec: std::sync::Mutex<PortSpec>,
    policer: police::Policer,
    pub shaper: shaper::Shaper,
}

impl Port {
    pub fn new(no: DpPort, spec: &PortSpec, device: Box<dyn Device>) -> Port {
        let port = Port {
            no,
            name: spec.name.clone(),
            kind: spec.kind.clone(),
            device,
            drops: Default::default(),
            emc: AtomicBool::new(true),
            running: AtomicBool::new(false),
            polled: AtomicBool::new(false),
            admin_up: AtomicBool::new(true),
            frame_max: AtomicU32::new(u32::MAX),
            steered: AtomicBool::new(false),
            shared_tx: AtomicBool::new(true),
            n_txq: AtomicU32::new(0),
            locks: std::iter::repeat_with(SpinLock::default).take(TXQS_MAX).collect(),
            spec: std::sync::Mutex::new(spec.clone()),
            policer: police::Policer::default(),
            shaper: shaper::Shaper::default(),
        };
        port.refresh();
        port
    }

    /// Takes over what the device says of itself after it was configured.
    pub fn refresh(&self) {
        let status = self.device.status();
        self.set_mtu(if self.device.checks_length() { 0 } else { status.mtu });
        self.n_txq.store(u32::from(self.device.n_txq()).min(TXQS_MAX as u32), Relaxed);
        let spec = self.spec.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.policer.set(&spec.policing);
        if let Err(e) = self.shaper.set(spec.qos.as_ref()) {
            tracing::error!(target: "netdev_dpdk", rl = 5, "Failed to set QoS on port {}: {e}", self.name);
            let _ = self.shaper.set(None);
        }
        self.steered.store(spec.other_config.get("tx-steering").is_some_and(|s| s == "hash"), Relaxed);
        self.emc.store(options::flag(&spec.other_config, "emc-enable", true), Relaxed);
    }

    pub fn set_mtu(&self, mtu: u32) {
        self.frame_max.store(if mtu == 0 { u32::MAX } else { mtu.saturating_add(FRAME_EXTRA) }, Relaxed);
    }

    /// Lets the packet path use the device, or no longer (the caller then waits for a grace period).
    /// Whether the next plans hold its queues.
    pub fn set_polled(&self, polled: bool) {
        self.polled.store(polled, Relaxed);
    }

    pub fn is_polled(&self) -> bool {
        self.polled.load(Relaxed)
    }

    pub fn set_running(&self, running: bool) {
        self.running.store(running, Release);
    }

    /// How many workers may send; raise it before a worker starts, lower it after one has ended.
    pub fn set_senders(&self, n: usize) {
        self.shared_tx.store(n > self.n_txq.load(Relaxed) as usize, Release);
    }

    pub fn set_admin_up(&self, up: bool) {
        self.admin_up.store(up, Release);
    }

    pub fn is_admin_up(&self) -> bool {
        self.admin_up.load(Acquire)
    }

    /// Receives up to a burst from `queue`.
    #[inline(always)]
    pub fn rx(&self, queue: u16, batch: &mut Batch) {
        if self.admin_up.load(Relaxed) {
            self.device.rx(queue, batch);
            if self.policer.is_on() {
                self.count_drop(DropReason::RxQos, self.policer.police(batch));
            }
        }
    }

    /// Sends all of `batch` or drops it with a reason; returns how many were dropped. The batch is empty afterwards.
    #[inline]
    pub fn tx(&self, from: TxId, batch: &mut Batch) -> usize {
        if !self.running.load(Acquire) || !self.admin_up.load(Relaxed) {
            return self.drop_batch(DropReason::TxPortDown, batch);
        }
        let mut dropped = 0;
        let frame_max = self.frame_max.load(Relaxed) as usize;
        if batch.iter().any(|p| p.len() > frame_max) {
            dropped = self.drop_long(frame_max, batch);
        }
        if self.shaper.is_on() {
            let n = self.shaper.police(batch);
            self.count_drop(DropReason::TxQos, n);
            dropped += n;
        }
        let n_txq = self.n_txq.load(Relaxed);
        if self.steered.load(Relaxed) {
            // Every queue may be meant by every sender now: always under its lock.
            let lanes = if n_txq == 0 { steer::LANES_MAX } else { n_txq as usize };
            steer::spread(batch, lanes, |lane, part| {
                let _held = self.locks[lane].lock();
                self.device.tx(lane as u16, TxId(lane as u16), part);
            });
        } else if n_txq == 0 {
            self.device.tx(0, from, batch);
        } else {
            let queue = (u32::from(from.0) % n_txq) as usize;
            if self.shared_tx.load(Relaxed) {
                let _held = self.locks[queue].lock();
                self.device.tx(queue as u16, from, batch);
            } else {
                self.device.tx(queue as u16, from, batch);
            }
        }
        if batch.is_empty() { dropped } else { dropped + self.drop_batch(DropReason::TxQueueFull, batch) }
    }

    #[cold]
    fn drop_long(&self, frame_max: usize, batch: &mut Batch) -> usize {
        let before = batch.len();
        batch.retain(|p| p.len() <= frame_max);
        let n = before - batch.len();
        self.count_drop(DropReason::TxMtuExceeded, n);
        n
    }

    #[cold]
    fn drop_batch(&self, reason: DropReason, batch: &mut Batch) -> usize {
        let n = batch.len();
        self.count_drop(reason, n);
        free_burst(batch);
        n
    }

    /// Counts `n` packets of this port as dropped.
    pub fn count_drop(&self, reason: DropReason, n: usize) {
        self.drops[reason as usize].add(n as u64);
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize].get()
    }

    /// All counters of the port, as `Interface.statistics` names them.
    pub fn stats(&self) -> PortStats {
        let mut stats = self.device.stats();
        let tx_failed = self.dropped(DropReason::TxQueueFull) + self.dropped(DropReason::TxPortDown);
        let mtu = self.dropped(DropReason::TxMtuExceeded);
        let (rx_qos, tx_qos) = (self.dropped(DropReason::RxQos), self.dropped(DropReason::TxQos));
        stats.tx_dropped += tx_failed + mtu + tx_qos;
        stats.rx_dropped += rx_qos;
        if self.device.is_pmd() {
            for (name, value) in [
                ("ovs_rx_qos_drops", rx_qos),
                ("ovs_tx_failure_drops", tx_failed),
                ("ovs_tx_invalid_hwol_drops", 0),
                ("ovs_tx_mtu_exceeded_drops", mtu),
                ("ovs_tx_qos_drops", tx_qos),
            ] {
                stats.custom.push((name.to_owned(), value));
            }
        }
        stats
    }
}

/// Packet and byte counters of one direction, for devices that do not count themselves.
#[derive(Default)]
pub struct Traffic {
    pub packets: AtomicU64,
    pub bytes: AtomicU64,
}

impl Traffic {
    #[inline(always)]
    pub fn add(&self, packets: usize, bytes: usize) {
        self.packets.fetch_add(packets as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts the first `n` packets of `batch`.
    #[inline(always)]
    pub fn count(&self, batch: &[crate::Packet]) {
        if !batch.is_empty() {
            self.add(batch.len(), batch.iter().map(crate::Packet::len).sum());
        }
    }

    pub fn get(&self) -> (u64, u64) {
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

/// A lock held for one burst: spinning costs less than sleeping would, and no holder sleeps.
#[derive(Default)]
#[repr(align(64))]
pub struct SpinLock(AtomicBool);

/// Unlocks on drop.
pub struct SpinGuard<'a>(&'a SpinLock);

impl SpinLock {
    #[inline(always)]
    pub fn lock(&self) -> SpinGuard<'_> {
        while self.0.swap(true, Acquire) {
            while self.0.load(Relaxed) {
                std::hint::spin_loop();
            }
        }
        SpinGuard(self)
    }
}

impl Drop for SpinGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.0.store(false, Release);
    }
}
