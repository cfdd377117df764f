//! `dpdkvhostuserclient` and `dpdkvhostuser` ports: a virtio guest behind a vhost-user socket.
//!
//! The guest's rings come and go with the guest; the port stays. A worker reads the device id once per burst; DPDK's
//! `destroy_device` waits for the workers before it unmaps the guest's memory (`dpdk::vhost`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use dpif::{PortError, PortSpec, PortStats, PortStatus};

use super::options::number;
use super::{Device, SpinLock, Traffic, TxId, offload};
use crate::counter::SharedCounter;
use crate::dpdk::mempool::{Mempool, Mempools};
use crate::dpdk::vhost::{QUEUE_PAIRS_MAX, Socket, SocketConfig, State, rx_burst, tx_burst};
use crate::packet::{BURST, Batch, Packet, free_burst};

/// `tx-retries-max`: default and limit.
const RETRIES_DEFAULT: u32 = 8;
const RETRIES_MAX: u32 = 32;
const MTU_DEFAULT: u32 = 1500;

/// Settings of the whole switch that vhost ports use.
#[derive(Clone, Debug, Default)]
pub struct VhostSettings {
    /// Directory of server-mode sockets.
    pub socket_dir: String,
    pub iommu: bool,
    pub postcopy: bool,
    pub tso: bool,
}

pub struct Vhost {
    /// `None` until a client port is told its path.
    socket: Mutex<Option<Socket>>,
    state: arc_swap::ArcSwapOption<State>,
    settings: VhostSettings,
    client: bool,
    name: String,
    pools: Arc<Mempools>,
    pool: arc_swap::ArcSwapOption<Mempool>,
    mtu: AtomicU32,
    retries_max: AtomicU32,
    up: AtomicBool,
    tx_locks: Box<[SpinLock]>,
    rx: Traffic,
    tx: Traffic,
    retries: SharedCounter,
    /// With `userspace-tso-enable`: finished packets that wait for the next bursts, by queue. Only its poller locks one.
    finished: Option<Box<[Mutex<VecDeque<Packet>>]>>,
}

impl Vhost {
    pub fn open(
        spec: &PortSpec,
        settings: &VhostSettings,
        pools: &Arc<Mempools>,
    ) -> Result<Vhost, PortError> {
        let vhost = Vhost {
            socket: Mutex::new(None),
            state: Default::default(),
            settings: settings.clone(),
            client: spec.kind == "dpdkvhostuserclient",
            name: spec.name.clone(),
            pools: pools.clone(),
            pool: Default::default(),
            mtu: AtomicU32::new(0),
            retries_max: AtomicU32::new(RETRIES_DEFAULT),
            up: AtomicBool::new(true),
            tx_locks: std::iter::repeat_with(SpinLock::default).take(QUEUE_PAIRS_MAX).collect(),
            rx: Traffic::default(),
            tx: Traffic::default(),
            retries: SharedCounter::default(),
            finished: settings
                .tso
                .then(|| std::iter::repeat_with(Mutex::default).take(QUEUE_PAIRS_MAX).collect()),
        };
        vhost.reconfigure(spec, 0)?;
        Ok(vhost)
    }

    fn path(&self, spec: &PortSpec) -> Result<Option<String>, PortError> {
        if self.client {
            let path = spec.options.get("vhost-server-path").filter(|p| !p.is_empty());
            let parent = path.and_then(|p| std::path::Path::new(p).parent());
            if let Some(dir) = parent.filter(|d| d.is_absolute() && !d.is_dir()) {
                return Err(PortError::Device(format!(
                    "options:vhost-server-path: there is no directory {}; make it (mkdir -p) or name the one where the \
                     guest's socket will be",
                    dir.display()
                )));
            }
            return Ok(path.cloned());
        }
        if self.name.contains(['/', '\\']) {
            return Err(PortError::Invalid(format!(
                "\"{}\" is not a valid name for a vhost-user port. A valid name must not include '/' or '\\'",
                self.name
            )));
        }
        Ok(Some(format!("{}/{}", self.settings.socket_dir, self.name)))
    }

    /// The worker's sending pair among those that the guest opened; 0 pairs = nowhere to send.
    #[inline(always)]
    fn pair(enabled: u64, from: TxId) -> Option<u16> {
        match enabled.count_ones() {
            0 => None,
            1 => Some(enabled.trailing_zeros() as u16),
            n => {
                let mut rest = enabled;
                for _ in 0..u32::from(from.0) % n {
                    rest &= rest - 1;
                }
                Some(rest.trailing_zeros() as u16)
            }
        }
    }
}

/// Receives from a guest that may leave checksums and segmentation to us; both are done here, in software.
#[cold]
fn rx_finished(vid: i32, queue: u16, pool: &Mempool, waiting: &Mutex<VecDeque<Packet>>, batch: &mut Batch) {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.is_empty() {
        rx_burst(vid, queue, pool, batch);
        if !batch.iter().any(offload::is_unfinished) {
            return;
        }
        for packet in std::mem::take(batch) {
            if offload::is_unfinished(&packet) {
                offload::finish_received(&packet, &mut |piece| waiting.push_back(piece));
            } else {
                waiting.push_back(packet);
            }
        }
    }
    let n = waiting.len().min(BURST);
    batch.extend(waiting.drain(..n));
}

impl Device for Vhost {
    fn is_pmd(&self) -> bool {
        true
    }

    fn numa(&self) -> i32 {
        self.state.load().as_ref().map_or(0, |s| s.numa())
    }

    fn n_rxq(&self) -> u16 {
        self.state.load().as_ref().map_or(1, |s| s.n_pairs().max(1))
    }

    fn rxq_enabled(&self, queue: u16) -> bool {
        self.state.load().as_ref().is_none_or(|s| s.vid().is_none() || s.rx_enabled(queue))
    }

    #[inline]
    fn rx(&self, queue: u16, batch: &mut Batch) {
        let state = self.state.load();
        let Some(state) = state.as_ref() else { return };
        let Some(vid) = state.vid() else { return };
        if !state.rx_enabled(queue) {
            return;
        }
        let pool = self.pool.load();
        let Some(pool) = pool.as_ref() else { return };
        match &self.finished {
            None => rx_burst(vid, queue, pool, batch),
            Some(queues) => {
                if let Some(waiting) = queues.get(usize::from(queue)) {
                    rx_finished(vid, queue, pool, waiting, batch);
                }
            }
        }
        self.rx.count(batch);
    }

    #[inline]
    fn tx(&self, _queue: u16, from: TxId, batch: &mut Batch) {
        let state = self.state.load();
        let Some(state) = state.as_ref() else { return };
        let Some(vid) = state.vid() else { return };
        let Some(pair) = Self::pair(state.tx_enabled(), from) else { return };
        let mut sent = 0;
        {
            let _held = self.tx_locks[pair as usize & (QUEUE_PAIRS_MAX - 1)].lock();
            let mut retries = 0;
            loop {
                let n = tx_burst(vid, pair, &mut batch[sent..]);
                sent += n;
                if sent == batch.len() || n == 0 || retries == self.retries_max.load(Relaxed) {
                    break;
                }
                retries += 1;
            }
            if retries != 0 {
                self.retries.add(u64::from(retries));
            }
        }
        self.tx.count(&batch[..sent]);
        if sent == batch.len() {
            free_burst(batch);
        } else {
            batch.drain(..sent);
        }
    }

    fn reconfigure(&self, spec: &PortSpec, _n_txq: u16) -> Result<(), PortError> {
        let device = |e: &dyn std::fmt::Display| PortError::Device(e.to_string());
        let mtu = spec.mtu_request.unwrap_or(MTU_DEFAULT);
        if !(68..=9702).contains(&mtu) {
            return Err(PortError::Invalid(format!(
                "{}: mtu_request={mtu} is not possible; 68 to 9702 is",
                self.name
            )));
        }
        if !crate::dpdk::eal::is_initialized() {
            return Err(device(&crate::dpdk::vhost::VhostError::NoDpdk));
        }
        if self.mtu.load(Relaxed) != mtu || self.pool.load().is_none() {
            let pool = self.pools.shared(mtu, self.numa()).map_err(|e| device(&e))?;
            self.pool.store(Some(pool));
            self.mtu.store(mtu, Relaxed);
        }
        self.adjust(spec);
        let path = self.path(spec)?;
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if socket.as_ref().map(|s| s.state().path().to_owned()) != path {
            self.state.store(None);
            *socket = None;
            if let Some(path) = path {
                if !self.client {
                    // A socket that a dead switch left behind.
                    let _ = std::fs::remove_file(&path);
                }
                let config = SocketConfig {
                    client: self.client,
                    iommu: self.settings.iommu && self.client,
                    postcopy: self.settings.postcopy && self.client,
                    tso: self.settings.tso,
                };
                let new = Socket::open(&path, config).map_err(|e| device(&e))?;
                self.state.store(Some(new.state().clone()));
                *socket = Some(new);
            }
        }
        Ok(())
    }

    fn needs_restart(&self, spec: &PortSpec) -> bool {
        let path = self.state.load().as_ref().map(|s| s.path().to_owned());
        self.path(spec).ok().flatten() != path
            || spec.mtu_request.unwrap_or(MTU_DEFAULT) != self.mtu.load(Relaxed)
    }

    fn adjust(&self, spec: &PortSpec) {
        let retries: u32 = number(&spec.options, "tx-retries-max", RETRIES_DEFAULT);
        self.retries_max.store(if retries <= RETRIES_MAX { retries } else { RETRIES_DEFAULT }, Relaxed);
    }

    fn set_admin_up(&self, up: bool) -> Result<(), PortError> {
        self.up.store(up, Relaxed);
        Ok(())
    }

    fn status(&self) -> PortStatus {
        let state = self.state.load();
        let connected = state.as_ref().is_some_and(|s| s.vid().is_some());
        let mut status: std::collections::BTreeMap<String, String> = match state.as_ref() {
            Some(s) => s.status().into_iter().collect(),
            None => [("status".to_owned(), "disconnected".to_owned())].into(),
        };
        status.insert("mode".into(), if self.client { "client" } else { "server" }.into());
        let n = self.n_rxq().to_string();
        let config = [
            ("configured_rx_queues", n.clone()),
            ("configured_tx_queues", n.clone()),
            ("mtu", self.mtu.load(Relaxed).to_string()),
            ("requested_rx_queues", n.clone()),
            ("requested_tx_queues", n),
        ];
        PortStatus {
            mac: [0; 6],
            mtu: self.mtu.load(Relaxed),
            admin_up: self.up.load(Relaxed),
            link_up: connected,
            link_resets: state.as_ref().map_or(0, |s| s.link_resets()),
            status,
            config: config.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            shown_kind: if self.client { "dpdkvhostuserclient" } else { "dpdkvhostuser" }.to_owned(),
            ..PortStatus::default()
        }
    }

    fn stats(&self) -> PortStats {
        let (rx_packets, rx_bytes) = self.rx.get();
        let (tx_packets, tx_bytes) = self.tx.get();
        PortStats {
            rx_packets,
            rx_bytes,
            tx_packets,
            tx_bytes,
            custom: vec![("ovs_tx_retries".to_owned(), self.retries.get())],
            ..PortStats::default()
        }
    }

    fn backlog(&self, queue: u16) -> u32 {
        let state = self.state.load();
        state.as_ref().and_then(|s| s.vid()).map_or(0, |vid| crate::dpdk::vhost::backlog(vid, queue))
    }

    fn changes(&self) -> u64 {
        self.state.load().as_ref().map_or(0, |s| s.changes())
    }

    fn mempool(&self) -> Option<Arc<Mempool>> {
        self.pool.load_full()
    }
}
