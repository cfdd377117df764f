//! `dpdk` ports: any Ethernet device that DPDK can attach by `options:dpdk-devargs`.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use dpif::{PortError, PortSpec, PortStats, PortStatus};

use super::options::{flag, number};
use super::{Device, TXQS_MAX, TxId};
use crate::dpdk::ethdev::{DeviceInfo, EthConfig, EthDev, EthError};
use crate::dpdk::mempool::{Mempool, Mempools};
use crate::packet::{Batch, Packet};

/// Descriptors of a queue when nothing is configured.
const N_DESC_DEFAULT: u16 = 2048;
/// The largest `mtu_request`.
const MTU_MAX: u32 = 9702;
const MTU_DEFAULT: u32 = 1500;

/// Drivers whose transmit queue n is somebody's receive queue n: what is sent to more queues than are polled is lost or
/// refused.
const PAIRED: [&str; 3] = ["net_ring", "net_memif", "net_tap"];

/// An Ethernet device of DPDK.
pub struct Eth {
    dev: EthDev,
    info: DeviceInfo,
    devargs: String,
    pools: Arc<Mempools>,
    per_port_memory: bool,
    n_rxq: AtomicU16,
    n_txq: AtomicU16,
    config: Mutex<Option<EthConfig>>,
    requested: Mutex<(u16, u16)>,
    up: AtomicBool,
    link: Mutex<Option<bool>>,
    link_resets: AtomicU64,
}

impl From<EthError> for PortError {
    fn from(e: EthError) -> Self {
        PortError::Device(e.to_string())
    }
}

impl Eth {
    pub fn open(
        spec: &PortSpec,
        n_txq: u16,
        pools: &Arc<Mempools>,
        per_port_memory: bool,
    ) -> Result<Eth, PortError> {
        let devargs = spec.options.get("dpdk-devargs").filter(|d| !d.is_empty()).ok_or_else(|| {
            PortError::Invalid(format!(
                "'{}' is missing 'options:dpdk-devargs'. The old 'dpdk<port_id>' names are not supported",
                spec.name
            ))
        })?;
        if waits_for_guest(devargs) {
            return Err(PortError::Invalid(format!(
                "Error attaching device '{devargs}' to DPDK: with server=1 it would wait for its other end and hold up all \
                 other changes meanwhile; let the other end listen, or use a port of type dpdkvhostuserclient"
            )));
        }
        let dev = EthDev::open(devargs)?;
        let info = dev.info()?;
        let eth = Eth {
            dev,
            info,
            devargs: devargs.clone(),
            pools: pools.clone(),
            per_port_memory,
            n_rxq: AtomicU16::new(0),
            n_txq: AtomicU16::new(0),
            config: Mutex::new(None),
            requested: Mutex::new((1, 1)),
            up: AtomicBool::new(true),
            link: Mutex::new(None),
            link_resets: AtomicU64::new(0),
        };
        eth.reconfigure(spec, n_txq)?;
        Ok(eth)
    }

    /// DPDK's number of the device.
    pub fn dpdk_port(&self) -> u16 {
        self.dev.id()
    }

    fn wanted(&self, spec: &PortSpec, n_txq: u16) -> EthConfig {
        let n_rxq: u16 = number(&spec.options, "n_rxq", 1).max(1);
        let desc = |key: &str| {
            let n: u16 = number(&spec.options, key, N_DESC_DEFAULT);
            if n.is_power_of_two() && n <= 4096 { n } else { N_DESC_DEFAULT }
        };
        let n_rxq = n_rxq.min(self.info.max_rx_queues.max(1));
        let n_txq = if PAIRED.contains(&self.info.driver.as_str()) { n_rxq } else { n_txq };
        EthConfig {
            n_rxq,
            n_txq: n_txq.min(self.info.max_tx_queues.max(1)).min(TXQS_MAX as u16),
            n_rxq_desc: desc("n_rxq_desc"),
            n_txq_desc: desc("n_txq_desc"),
            mtu: spec.mtu_request.unwrap_or(MTU_DEFAULT),
            lsc_interrupt: flag(&spec.options, "dpdk-lsc-interrupt", false),
        }
    }

    fn pool(&self, mtu: u32) -> Result<Arc<Mempool>, PortError> {
        let device = |e: crate::dpdk::mempool::MempoolError| PortError::Device(e.to_string());
        if self.per_port_memory {
            let n = 64 * 1024;
            return Mempool::create(mtu, self.info.socket, n).map(Arc::new).map_err(device);
        }
        self.pools.shared(mtu, self.info.socket).map_err(device)
    }

    /// Replaces heap packets by copies in this device's buffers; a packet without a buffer moves to the end and fails.
    #[cold]
    fn adopt(&self, batch: &mut Batch) {
        let Some(pool) = self.dev.pool() else {
            batch.clear();
            return;
        };
        let taken: Batch = std::mem::take(batch);
        batch.extend(taken.into_iter().filter_map(|p| if p.is_heap() { p.copy_to(&pool) } else { Some(p) }));
    }
}

impl Device for Eth {
    fn is_pmd(&self) -> bool {
        true
    }

    fn numa(&self) -> i32 {
        self.info.socket
    }

    fn n_rxq(&self) -> u16 {
        self.n_rxq.load(Relaxed)
    }

    fn n_txq(&self) -> u16 {
        self.n_txq.load(Relaxed)
    }

    #[inline]
    fn rx(&self, queue: u16, batch: &mut Batch) {
        self.dev.rx_burst(queue, batch);
    }

    #[inline]
    fn tx(&self, queue: u16, _from: TxId, batch: &mut Batch) {
        if batch.iter().any(Packet::is_heap) {
            self.adopt(batch);
        }
        while !batch.is_empty() && self.dev.tx_burst(queue, batch) != 0 {}
    }

    fn reconfigure(&self, spec: &PortSpec, n_txq: u16) -> Result<(), PortError> {
        let mut config = self.wanted(spec, n_txq);
        if !(68..=MTU_MAX).contains(&config.mtu) || config.mtu > u32::from(self.info.mtu_max) {
            return Err(PortError::Invalid(format!(
                "{}: mtu_request={} is not possible; the device takes 68 to {}",
                spec.name,
                config.mtu,
                MTU_MAX.min(self.info.mtu_max.into())
            )));
        }
        let old = self.config.lock().unwrap_or_else(PoisonError::into_inner).take();
        if old.is_some() {
            self.dev.stop();
        }
        *self.requested.lock().unwrap_or_else(PoisonError::into_inner) =
            (number(&spec.options, "n_rxq", 1).max(1), config.n_txq);
        let pool = self.pool(config.mtu)?;
        let (rxd, txd) = match self.dev.configure(&config, pool.clone()) {
            // Some drivers (net_tap) want as many queues to send as to receive.
            Err(_) if config.n_txq != config.n_rxq => {
                config.n_txq = config.n_rxq;
                self.dev.configure(&config, pool)?
            }
            outcome => outcome?,
        };
        (config.n_rxq_desc, config.n_txq_desc) = (rxd, txd);
        self.dev.start()?;
        self.n_rxq.store(config.n_rxq, Relaxed);
        self.n_txq.store(config.n_txq, Relaxed);
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Some(config);
        self.adjust(spec);
        Ok(())
    }

    fn needs_restart(&self, spec: &PortSpec) -> bool {
        let Some(now) = *self.config.lock().unwrap_or_else(PoisonError::into_inner) else { return true };
        let mut want = self.wanted(spec, now.n_txq);
        // A driver may have wanted as many queues to send as to receive.
        want.n_txq = now.n_txq;
        // Descriptor counts were adjusted to what the device takes.
        want.n_rxq_desc =
            if spec.options.contains_key("n_rxq_desc") { want.n_rxq_desc } else { now.n_rxq_desc };
        want.n_txq_desc =
            if spec.options.contains_key("n_txq_desc") { want.n_txq_desc } else { now.n_txq_desc };
        want != now
    }

    fn adjust(&self, spec: &PortSpec) {
        let rx = flag(&spec.options, "rx-flow-ctrl", false);
        let tx = flag(&spec.options, "tx-flow-ctrl", false);
        // A device that cannot do it keeps forwarding; the log of DPDK says why.
        let _ = self.dev.set_flow_control(rx, tx, flag(&spec.options, "flow-ctrl-autoneg", false));
        if let Some(mac) = spec.mac {
            let _ = self.dev.set_mac(mac);
        }
    }

    fn set_admin_up(&self, up: bool) -> Result<(), PortError> {
        self.up.store(up, Relaxed);
        Ok(self.dev.set_link(up)?)
    }

    fn status(&self) -> PortStatus {
        let link = self.dev.link();
        {
            let mut last = self.link.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|up| up != link.up) {
                self.link_resets.fetch_add(1, Relaxed);
            }
            *last = Some(link.up);
        }
        let config = *self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let (requested_rxq, requested_txq) = *self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        let info = &self.info;
        let mut status: Vec<(&str, String)> = vec![
            ("port_no", self.dev.id().to_string()),
            ("numa_id", info.socket.to_string()),
            ("driver_name", info.driver.clone()),
            ("min_rx_bufsize", info.min_rx_bufsize.to_string()),
            ("max_rx_pktlen", config.map_or(info.max_rx_pktlen, |c| c.mtu + 18).to_string()),
            ("max_rx_queues", info.max_rx_queues.to_string()),
            ("max_tx_queues", info.max_tx_queues.to_string()),
            ("max_mac_addrs", info.max_mac_addrs.to_string()),
            ("max_hash_mac_addrs", info.max_hash_mac_addrs.to_string()),
            ("max_vfs", info.max_vfs.to_string()),
            ("max_vmdq_pools", info.max_vmdq_pools.to_string()),
            ("if_type", "6".to_owned()),
            ("if_descr", format!("{} {}", crate::dpdk::eal::version(), info.driver)),
            ("bus_info", info.bus.clone()),
        ];
        if link.up && link.speed_mbps != 0 {
            status.push(("link_speed", speed_text(link.speed_mbps)));
        }
        let c = config.unwrap_or(EthConfig {
            n_rxq: 0,
            n_txq: 0,
            n_rxq_desc: 0,
            n_txq_desc: 0,
            mtu: 0,
            lsc_interrupt: false,
        });
        let shown = [
            ("configured_rx_queues", c.n_rxq.to_string()),
            ("configured_rxq_descriptors", c.n_rxq_desc.to_string()),
            ("configured_tx_queues", c.n_txq.to_string()),
            ("configured_txq_descriptors", c.n_txq_desc.to_string()),
            ("lsc_interrupt_mode", c.lsc_interrupt.to_string()),
            ("mtu", c.mtu.to_string()),
            ("requested_rx_queues", requested_rxq.to_string()),
            ("requested_rxq_descriptors", c.n_rxq_desc.to_string()),
            ("requested_tx_queues", requested_txq.to_string()),
            ("requested_txq_descriptors", c.n_txq_desc.to_string()),
            ("rx_csum_offload", "false".to_owned()),
            ("tx_tso_offload", "false".to_owned()),
        ];
        PortStatus {
            mac: self.dev.mac(),
            mtu: c.mtu,
            ifindex: Some(info.if_index).filter(|&n| n != 0),
            admin_up: self.up.load(Relaxed),
            link_up: link.up,
            link_resets: self.link_resets.load(Relaxed),
            link_speed_bps: Some(u64::from(link.speed_mbps) * 1_000_000).filter(|&s| s != 0),
            full_duplex: Some(link.full_duplex),
            status: status.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            config: shown.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            shown_kind: "dpdk".to_owned(),
        }
    }

    fn stats(&self) -> PortStats {
        let raw = self.dev.stats();
        let custom = self.dev.xstats().into_iter().filter_map(shown_xstat).collect();
        PortStats {
            rx_packets: raw.ipackets,
            tx_packets: raw.opackets,
            rx_bytes: raw.ibytes,
            tx_bytes: raw.obytes,
            rx_dropped: raw.rx_nombuf + raw.imissed,
            tx_dropped: 0,
            rx_errors: raw.ierrors,
            tx_errors: raw.oerrors,
            rx_missed_errors: Some(raw.imissed),
            custom,
            ..PortStats::default()
        }
    }

    fn mempool(&self) -> Option<Arc<Mempool>> {
        self.dev.pool()
    }

    fn changes(&self) -> u64 {
        u64::from(self.dev.link().up)
    }
}

/// A virtio-user device that listens: probing it does not return before somebody connects.
fn waits_for_guest(devargs: &str) -> bool {
    let name = devargs.split(',').next().unwrap_or_default();
    let is_virtio = name.starts_with("net_virtio_user") || name.starts_with("virtio_user");
    is_virtio && devargs.split(',').any(|arg| arg.trim() == "server=1")
}

/// The extended counters that OVS shows: errors, drops, management frames, and those of single queues.
fn shown_xstat((name, value): (String, u64)) -> Option<(String, u64)> {
    let queue = name.starts_with("rx_q") || name.starts_with("tx_q");
    let wanted = name.contains("_errors")
        || name.contains("_dropped")
        || name.contains("_management_packets")
        || queue;
    let known = ["rx_errors", "tx_errors", "rx_missed_errors"];
    (wanted && !known.contains(&name.as_str())).then_some((name, value))
}

/// "10Gbps", "100Mbps".
fn speed_text(mbps: u32) -> String {
    if mbps >= 1000 && mbps.is_multiple_of(100) {
        let g = f64::from(mbps) / 1000.0;
        format!("{g}Gbps")
    } else {
        format!("{mbps}Mbps")
    }
}

/// The devargs of a port's device, for messages.
impl Eth {
    pub fn devargs(&self) -> &str {
        &self.devargs
    }
}
