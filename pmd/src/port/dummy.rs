//! `dummy`, `dummy-internal` and `dummy-pmd` ports: packets come from `netdev-dummy/receive` and leave into counters, and
//! into a capture file when `options:tx_pcap` or `options:pcap` names one. For tests without hardware.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crossbeam::queue::ArrayQueue;
use dpif::{PortError, PortSpec, PortStats, PortStatus};

use super::kernel::Wake;
use super::options::number;
use super::{Device, Traffic, TxId};
use crate::packet::{Batch, Packet};

/// Packets waiting to be received.
const QUEUE_MAX: usize = 1024;
const MTU_DEFAULT: u32 = 1500;

pub struct Dummy {
    kind: &'static str,
    arrivals: ArrayQueue<Packet>,
    wake: Wake,
    mac: Mutex<[u8; 6]>,
    mtu: AtomicU32,
    up: AtomicBool,
    rx: Traffic,
    tx: Traffic,
    tx_pcap: Mutex<Option<File>>,
    rx_pcap: Mutex<Option<File>>,
    has_pcap: AtomicBool,
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
            arrivals: ArrayQueue::new(QUEUE_MAX),
            wake,
            mac: Mutex::new([0xaa, 0x55, 0xaa, 0x55, a, b]),
            mtu: AtomicU32::new(MTU_DEFAULT),
            up: AtomicBool::new(true),
            rx: Traffic::default(),
            tx: Traffic::default(),
            tx_pcap: Mutex::new(None),
            rx_pcap: Mutex::new(None),
            has_pcap: AtomicBool::new(false),
        };
        let both = spec.options.get("pcap");
        for (key, slot) in [("tx_pcap", &dummy.tx_pcap), ("rxq_pcap", &dummy.rx_pcap)] {
            if let Some(path) = spec.options.get(key).or(both) {
                let file = create_pcap(path).map_err(|e| PortError::Device(format!("{path}: {e}")))?;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
                dummy.has_pcap.store(true, Relaxed);
            }
        }
        dummy.reconfigure(spec, 0)?;
        Ok(dummy)
    }

    fn capture(&self, slot: &Mutex<Option<File>>, packets: &[Packet]) {
        if !self.has_pcap.load(Relaxed) {
            return;
        }
        if let Some(file) = slot.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            for p in packets {
                let len = (p.len() as u32).to_ne_bytes();
                let record = [&[0; 8], &len[..], &len[..], p.data()].concat();
                // A full disk ends the capture, not the port.
                let _ = file.write_all(&record);
            }
        }
    }
}

fn create_pcap(path: &str) -> std::io::Result<File> {
    let mut file = File::create(path)?;
    let mut head = Vec::new();
    for word in [0xa1b2_c3d4u32, 2 | 4 << 16, 0, 0, 65535, 1] {
        head.extend(word.to_ne_bytes());
    }
    file.write_all(&head)?;
    Ok(file)
}

impl Device for Dummy {
    fn is_pmd(&self) -> bool {
        self.kind == "dummy-pmd"
    }

    fn rx(&self, _queue: u16, batch: &mut Batch) {
        while !batch.is_full() {
            match self.arrivals.pop() {
                Some(packet) => batch.push(packet),
                None => break,
            }
        }
        self.rx.count(batch);
        self.capture(&self.rx_pcap, batch);
    }

    fn tx(&self, _queue: u16, _from: TxId, batch: &mut Batch) {
        self.tx.count(batch);
        self.capture(&self.tx_pcap, batch);
        batch.clear();
    }

    fn reconfigure(&self, spec: &PortSpec, _n_txq: u16) -> Result<(), PortError> {
        self.mtu.store(spec.mtu_request.unwrap_or(MTU_DEFAULT), Relaxed);
        if let Some(mac) = spec.mac {
            *self.mac.lock().unwrap_or_else(PoisonError::into_inner) = mac;
        }
        Ok(())
    }

    fn needs_restart(&self, _spec: &PortSpec) -> bool {
        false
    }

    fn adjust(&self, spec: &PortSpec) {
        let _ = self.reconfigure(spec, 0);
    }

    fn set_admin_up(&self, up: bool) -> Result<(), PortError> {
        self.up.store(up, Relaxed);
        Ok(())
    }

    fn status(&self) -> PortStatus {
        let spec_rxq =
            if self.is_pmd() { vec![("configured_rx_queues".to_owned(), "1".to_owned())] } else { vec![] };
        PortStatus {
            mac: *self.mac.lock().unwrap_or_else(PoisonError::into_inner),
            mtu: self.mtu.load(Relaxed),
            admin_up: self.up.load(Relaxed),
            link_up: true,
            config: spec_rxq,
            shown_kind: self.kind.to_owned(),
            ..PortStatus::default()
        }
    }

    fn stats(&self) -> PortStats {
        let (rx_packets, rx_bytes) = self.rx.get();
        let (tx_packets, tx_bytes) = self.tx.get();
        PortStats { rx_packets, rx_bytes, tx_packets, tx_bytes, ..PortStats::default() }
    }

    fn inject(&self, packet: Packet) -> Result<(), String> {
        self.arrivals.push(packet).map_err(|_| "the port's receive queue is full".to_owned())?;
        (self.wake)();
        Ok(())
    }
}

/// `options:n_rxq` of a dummy-pmd, for texts.
pub fn n_rxq(spec: &PortSpec) -> u16 {
    number(&spec.options, "n_rxq", 1)
}
