//! `dummy`, `dummy-internal` and `dummy-pmd` ports: packets come from `netdev-dummy/receive` or a socket (`options:stream`,
//! `options:pstream`) and leave into counters, the socket, and a capture file when `options:tx_pcap` or `options:pcap` names
//! one. For tests without hardware.

mod capture;
mod stream;

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU16, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use crossbeam::queue::ArrayQueue;
use dpif::{PortError, PortSpec, PortStats, PortStatus};

use self::capture::Capture;
use self::stream::{Link, Target};
use super::kernel::Wake;
use super::options::number;
use super::{Device, Traffic, TxId};
use crate::packet::{Batch, Packet};

/// Packets waiting to be received, per queue.
const QUEUE_MAX: usize = 1024;
/// Queues of a `dummy-pmd`.
const QUEUES_MAX: u16 = 1024;
const MTU_DEFAULT: u32 = 1500;

/// Packets that arrived, by receive queue.
type Arrivals = Vec<ArrayQueue<Packet>>;

pub struct Dummy {
    kind: &'static str,
    arrivals: Arc<ArcSwap<Arrivals>>,
    wake: Wake,
    mac: Mutex<[u8; 6]>,
    mtu: AtomicU32,
    n_txq: AtomicU16,
    numa: AtomicI32,
    up: AtomicBool,
    rx: Traffic,
    tx: Traffic,
    link: ArcSwap<Option<Link>>,
    tx_pcap: Capture,
    rx_pcap: Capture,
}

fn arrivals(n_rxq: u16) -> Arrivals {
    (0..n_rxq).map(|_| ArrayQueue::new(QUEUE_MAX)).collect()
}

impl Dummy {
    pub fn open(spec: &PortSpec, serial: u32, wake: Wake) -> Result<Dummy, PortError> {
        let kind = match spec.kind.as_str() {
            "dummy-internal" => "dummy-internal",
            "dummy-pmd" => "dummy-pmd",
            _ => "dummy",
        };
        // aa:55:aa:55:xx:xx as OVS numbers its dummies.
        let [.., a, b] = serial.to_be_bytes();
        let dummy = Dummy {
            kind,
            arrivals: Arc::new(ArcSwap::from_pointee(arrivals(1))),
            wake,
            mac: Mutex::new([0xaa, 0x55, 0xaa, 0x55, a, b]),
            mtu: AtomicU32::new(MTU_DEFAULT),
            n_txq: AtomicU16::new(1),
            numa: AtomicI32::new(0),
            up: AtomicBool::new(true),
            rx: Traffic::default(),
            tx: Traffic::default(),
            link: ArcSwap::default(),
            tx_pcap: Capture::of(spec, "tx_pcap")?,
            rx_pcap: Capture::of(spec, "rxq_pcap")?,
        };
        dummy.reconfigure(spec, 0)?;
        Ok(dummy)
    }

    /// What `spec` asks of a `dummy-pmd`: receive queues, transmit queues, NUMA node.
    fn shape(&self, spec: &PortSpec) -> (u16, u16, i32) {
        if !self.is_pmd() {
            return (1, 1, 0);
        }
        let queues = |key| number(&spec.options, key, 1u16).clamp(1, QUEUES_MAX);
        (queues("n_rxq"), queues("n_txq"), number(&spec.options, "numa_id", 0i32).max(0))
    }

    /// Connects, listens, or hangs up, as `spec` says.
    fn set_link(&self, spec: &PortSpec) -> Result<(), PortError> {
        let wanted = Target::of(&spec.options).map_err(PortError::Invalid)?;
        if self.link.load().as_ref().as_ref().map(Link::target) == wanted.as_ref() {
            return Ok(());
        }
        // The old one gives its socket's path free first.
        self.link.store(Arc::new(None));
        if let Some(target) = wanted {
            let (arrivals, wake) = (self.arrivals.clone(), self.wake.clone());
            let receive = move |frame: &[u8]| {
                if let (Some(packet), Some(queue)) = (Packet::from_bytes(frame), arrivals.load().first()) {
                    // A full queue loses packets as a wire does.
                    let _ = queue.push(packet);
                    wake();
                }
            };
            let link = Link::open(target, Box::new(receive))
                .map_err(|e| PortError::Device(format!("{}: {e}", spec.name)))?;
            self.link.store(Arc::new(Some(link)));
        }
        Ok(())
    }
}

impl Device for Dummy {
    fn is_pmd(&self) -> bool {
        self.kind == "dummy-pmd"
    }

    fn numa(&self) -> i32 {
        self.numa.load(Relaxed)
    }

    fn n_rxq(&self) -> u16 {
        self.arrivals.load().len() as u16
    }

    fn rx(&self, queue: u16, batch: &mut Batch) {
        let arrivals = self.arrivals.load();
        let Some(queue) = arrivals.get(usize::from(queue)) else { return };
        while !batch.is_full() {
            match queue.pop() {
                Some(packet) => batch.push(packet),
                None => break,
            }
        }
        self.rx.count(batch);
        self.rx_pcap.write(batch);
    }

    fn tx(&self, _queue: u16, _from: TxId, batch: &mut Batch) {
        self.tx.count(batch);
        self.tx_pcap.write(batch);
        if let Some(link) = self.link.load().as_ref() {
            batch.iter().for_each(|p| link.send(p.data()));
        }
        batch.clear();
    }

    fn reconfigure(&self, spec: &PortSpec, _n_txq: u16) -> Result<(), PortError> {
        self.mtu.store(spec.mtu_request.unwrap_or(MTU_DEFAULT), Relaxed);
        if let Some(mac) = spec.mac {
            *self.mac.lock().unwrap_or_else(PoisonError::into_inner) = mac;
        }
        let (n_rxq, n_txq, numa) = self.shape(spec);
        if self.n_rxq() != n_rxq {
            self.arrivals.store(Arc::new(arrivals(n_rxq)));
        }
        self.n_txq.store(n_txq, Relaxed);
        self.numa.store(numa, Relaxed);
        self.set_link(spec)
    }

    fn needs_restart(&self, spec: &PortSpec) -> bool {
        let now = (self.n_rxq(), self.n_txq.load(Relaxed), self.numa());
        let link = Target::of(&spec.options).ok().flatten();
        self.shape(spec) != now || self.link.load().as_ref().as_ref().map(Link::target) != link.as_ref()
    }

    fn adjust(&self, spec: &PortSpec) {
        let _ = self.reconfigure(spec, 0);
    }

    fn set_admin_up(&self, up: bool) -> Result<(), PortError> {
        self.up.store(up, Relaxed);
        Ok(())
    }

    fn status(&self) -> PortStatus {
        let (n_rxq, n_txq) = (self.n_rxq().to_string(), self.n_txq.load(Relaxed).to_string());
        let queues = [
            ("configured_rx_queues", n_rxq.clone()),
            ("configured_tx_queues", n_txq.clone()),
            ("requested_rx_queues", n_rxq),
            ("requested_tx_queues", n_txq),
        ];
        let shown = queues.into_iter().filter(|_| self.is_pmd());
        PortStatus {
            mac: *self.mac.lock().unwrap_or_else(PoisonError::into_inner),
            mtu: self.mtu.load(Relaxed),
            admin_up: self.up.load(Relaxed),
            link_up: true,
            config: shown.map(|(k, v)| (k.to_owned(), v)).collect(),
            shown_kind: self.kind.to_owned(),
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
            is_traffic_only: true,
            ..PortStats::default()
        }
    }

    fn inject(&self, queue: u16, packet: Packet) -> Result<(), String> {
        let arrivals = self.arrivals.load();
        let queue = arrivals.get(usize::from(queue)).ok_or("bad rx queue id.")?;
        queue.push(packet).map_err(|_| "the port's receive queue is full".to_owned())?;
        (self.wake)();
        Ok(())
    }

    fn is_connected(&self) -> Option<bool> {
        self.link.load().as_ref().as_ref().and_then(Link::is_connected)
    }
}
