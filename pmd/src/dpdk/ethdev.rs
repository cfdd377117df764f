//! One Ethernet device of DPDK: found or hot-plugged by devargs, configured, started, closed. The burst functions are for
//! the packet path; everything else is control plane.

use std::collections::BTreeSet;
use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

use dpdk_sys as sys;

use super::mempool::Mempool;
use super::{Errno, c_string, text};
use crate::packet::{BURST, Batch, Packet};

/// MTU + this = the frame length a device must take (Ethernet header, checksum, two VLAN tags).
pub const FRAME_OVERHEAD: u32 = 26;

#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum EthError {
    #[error("Error attaching device '{devargs}' to DPDK: {why}")]
    Attach { devargs: String, why: String },
    #[error("'{0}' cannot be attached: DPDK is not running; set other_config:dpdk-init=true")]
    NoDpdk(String),
    #[error("{step} failed on {device}: {cause}")]
    Step { step: &'static str, device: String, cause: Errno },
}

/// What a device can do; fixed while it is attached.
#[derive(Clone, Debug, Default)]
pub struct DeviceInfo {
    pub name: String,
    pub driver: String,
    pub bus: String,
    pub socket: i32,
    pub if_index: u32,
    pub min_rx_bufsize: u32,
    pub max_rx_pktlen: u32,
    pub max_rx_queues: u16,
    pub max_tx_queues: u16,
    pub max_mac_addrs: u32,
    pub max_hash_mac_addrs: u32,
    pub max_vfs: u16,
    pub max_vmdq_pools: u16,
    pub rx_offloads: u64,
    pub tx_offloads: u64,
    pub rss: u64,
    pub mtu_max: u16,
}

/// How to configure a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EthConfig {
    pub n_rxq: u16,
    pub n_txq: u16,
    pub n_rxq_desc: u16,
    pub n_txq_desc: u16,
    pub mtu: u32,
    pub lsc_interrupt: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Link {
    pub up: bool,
    pub speed_mbps: u32,
    pub full_duplex: bool,
}

/// An attached device. Closed and, when we plugged it in, removed on drop.
pub struct EthDev {
    id: u16,
    hotplugged: bool,
    pool: Mutex<Option<Arc<Mempool>>>,
}

/// The devices that some `EthDev` owns: closing one twice would stop its first owner's traffic.
fn claimed() -> std::sync::MutexGuard<'static, BTreeSet<u16>> {
    static CLAIMED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    CLAIMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl EthDev {
    /// Finds the device of `devargs` (a PCI address, a vdev string, `class=eth,mac=..`), probing it when it is new.
    pub fn open(devargs: &str) -> Result<EthDev, EthError> {
        if !super::eal::is_initialized() {
            return Err(EthError::NoDpdk(devargs.to_owned()));
        }
        let attach = |why: String| EthError::Attach { devargs: devargs.to_owned(), why };
        if let Some(id) = find(devargs) {
            if !claimed().insert(id) {
                return Err(attach(
                    "another port uses this device already; give each port its own".to_owned(),
                ));
            }
            return Ok(EthDev { id, hotplugged: false, pool: Mutex::default() });
        }
        if devargs.starts_with("class=eth,mac=") {
            return Err(attach("no device has this MAC address".to_owned()));
        }
        let c = c_string(devargs);
        // SAFETY: a terminated string.
        let status = unsafe { sys::rte_dev_probe(c.as_ptr()) };
        if status < 0 {
            return Err(attach(advice(devargs, Errno(-status))));
        }
        let id = find(devargs).ok_or_else(|| attach("it is not an Ethernet device".to_owned()))?;
        claimed().insert(id);
        Ok(EthDev { id, hotplugged: true, pool: Mutex::default() })
    }

    pub fn id(&self) -> u16 {
        self.id
    }

    fn step(&self, step: &'static str, status: i32) -> Result<(), EthError> {
        Errno::check(status).map_err(|cause| EthError::Step { step, device: self.name(), cause })
    }

    pub fn name(&self) -> String {
        let mut name = [0 as c_char; sys::RTE_ETH_NAME_MAX_LEN as usize];
        // SAFETY: the buffer has the length that the function requires.
        unsafe { sys::rte_eth_dev_get_name_by_port(self.id, name.as_mut_ptr()) };
        text(name.as_ptr())
    }

    pub fn info(&self) -> Result<DeviceInfo, EthError> {
        let mut raw = MaybeUninit::<sys::rte_eth_dev_info>::zeroed();
        // SAFETY: fills the structure; all-zero is valid for it.
        let status = unsafe { sys::rte_eth_dev_info_get(self.id, raw.as_mut_ptr()) };
        self.step("reading the device's limits", status)?;
        // SAFETY: as above.
        let raw = unsafe { raw.assume_init() };
        Ok(DeviceInfo {
            name: self.name(),
            driver: text(raw.driver_name),
            // SAFETY: returns a terminated string for every port.
            bus: text(unsafe { sys::vs_eth_bus_info(self.id) }),
            // SAFETY: plain query.
            socket: unsafe { sys::rte_eth_dev_socket_id(self.id) }.max(0),
            if_index: raw.if_index,
            min_rx_bufsize: raw.min_rx_bufsize,
            max_rx_pktlen: raw.max_rx_pktlen,
            max_rx_queues: raw.max_rx_queues,
            max_tx_queues: raw.max_tx_queues,
            max_mac_addrs: raw.max_mac_addrs,
            max_hash_mac_addrs: raw.max_hash_mac_addrs,
            max_vfs: raw.max_vfs,
            max_vmdq_pools: raw.max_vmdq_pools,
            rx_offloads: raw.rx_offload_capa,
            tx_offloads: raw.tx_offload_capa,
            rss: raw.flow_type_rss_offloads,
            mtu_max: raw.max_mtu,
        })
    }

    /// Configures a stopped device and its queues; it must not be polled. Returns the descriptors really used.
    pub fn configure(&self, config: &EthConfig, pool: Arc<Mempool>) -> Result<(u16, u16), EthError> {
        let info = self.info()?;
        let rss = if config.n_rxq > 1 { info.rss & sys::VS_ETH_RSS_IP_UDP_TCP } else { 0 };
        let wanted = if rss != 0 { sys::VS_RX_OFFLOAD_RSS_HASH } else { 0 }
            | if config.mtu > 1500 { sys::VS_RX_OFFLOAD_SCATTER } else { 0 };
        // Drivers without a maximum of their own (pcap, null) refuse an MTU setting; zero leaves theirs.
        let mut conf = MaybeUninit::<sys::rte_eth_conf>::zeroed();
        let (mut rxd, mut txd) = (config.n_rxq_desc, config.n_txq_desc);
        // SAFETY: the device is attached and stopped; all pointers are to locals.
        unsafe {
            sys::vs_eth_conf(
                conf.as_mut_ptr(),
                0,
                wanted & info.rx_offloads,
                0,
                rss,
                config.lsc_interrupt.into(),
            );
            let status = sys::rte_eth_dev_configure(self.id, config.n_rxq, config.n_txq, conf.as_ptr());
            self.step("configuring", status)?;
            if config.mtu != 1500 || info.mtu_max < u16::MAX {
                let status = sys::rte_eth_dev_set_mtu(self.id, config.mtu as u16);
                if status != -libc::ENOTSUP {
                    self.step("setting the MTU", status)?;
                }
            }
            sys::rte_eth_dev_adjust_nb_rx_tx_desc(self.id, &mut rxd, &mut txd);
            for q in 0..config.n_txq {
                let status =
                    sys::rte_eth_tx_queue_setup(self.id, q, txd, info.socket as u32, std::ptr::null());
                self.step("setting up a transmit queue", status)?;
            }
            for q in 0..config.n_rxq {
                let status = sys::rte_eth_rx_queue_setup(
                    self.id,
                    q,
                    rxd,
                    info.socket as u32,
                    std::ptr::null(),
                    pool.as_raw(),
                );
                self.step("setting up a receive queue", status)?;
            }
        }
        *self.pool.lock().unwrap_or_else(PoisonError::into_inner) = Some(pool);
        Ok((rxd, txd))
    }

    /// The pool that its receive queues take buffers from.
    pub fn pool(&self) -> Option<Arc<Mempool>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts the device with all packets accepted (a switch port is promiscuous).
    pub fn start(&self) -> Result<(), EthError> {
        // SAFETY: configured before; promiscuous mode may be unsupported and is not needed then.
        unsafe {
            self.step("starting", sys::rte_eth_dev_start(self.id))?;
            sys::rte_eth_promiscuous_enable(self.id);
            sys::rte_eth_allmulticast_enable(self.id);
        }
        Ok(())
    }

    /// Stops the device; nobody may poll it.
    pub fn stop(&self) {
        // SAFETY: plain call; an error means that it is stopped already.
        unsafe { sys::rte_eth_dev_stop(self.id) };
    }

    pub fn set_link(&self, up: bool) -> Result<(), EthError> {
        // SAFETY: plain calls.
        let status = unsafe {
            if up { sys::rte_eth_dev_set_link_up(self.id) } else { sys::rte_eth_dev_set_link_down(self.id) }
        };
        // Software devices have no link to set: being polled or not is their state.
        if status == -libc::ENOTSUP { Ok(()) } else { self.step("setting the link", status) }
    }

    pub fn link(&self) -> Link {
        let mut raw = sys::vs_link { speed_mbps: 0, full_duplex: 0, up: 0 };
        // SAFETY: fills the structure.
        unsafe { sys::vs_eth_link(self.id, &mut raw) };
        let speed_mbps = if raw.speed_mbps == u32::MAX { 0 } else { raw.speed_mbps };
        Link { up: raw.up != 0, speed_mbps, full_duplex: raw.full_duplex != 0 }
    }

    pub fn mac(&self) -> [u8; 6] {
        let mut mac = sys::rte_ether_addr { addr_bytes: [0; 6] };
        // SAFETY: fills the structure.
        unsafe { sys::rte_eth_macaddr_get(self.id, &mut mac) };
        mac.addr_bytes
    }

    pub fn set_mac(&self, mac: [u8; 6]) -> Result<(), EthError> {
        let mut raw = sys::rte_ether_addr { addr_bytes: mac };
        // SAFETY: reads the structure.
        let status = unsafe { sys::rte_eth_dev_default_mac_addr_set(self.id, &mut raw) };
        self.step("setting the MAC address", status)
    }

    pub fn mtu(&self) -> Option<u16> {
        let mut mtu = 0;
        // SAFETY: fills the integer.
        (unsafe { sys::rte_eth_dev_get_mtu(self.id, &mut mtu) } == 0).then_some(mtu)
    }

    pub fn stats(&self) -> sys::rte_eth_stats {
        let mut raw = MaybeUninit::<sys::rte_eth_stats>::zeroed();
        // SAFETY: fills the structure, for which all-zero is valid.
        unsafe {
            sys::rte_eth_stats_get(self.id, raw.as_mut_ptr());
            raw.assume_init()
        }
    }

    /// The driver's extended counters by name.
    pub fn xstats(&self) -> Vec<(String, u64)> {
        // SAFETY: the first call asks for the count, the others get arrays of that length.
        unsafe {
            let n = sys::rte_eth_xstats_get_names(self.id, std::ptr::null_mut(), 0);
            if n <= 0 {
                return Vec::new();
            }
            let mut names = vec![sys::rte_eth_xstat_name { name: [0; 64] }; n as usize];
            let mut values = vec![sys::rte_eth_xstat { id: 0, value: 0 }; n as usize];
            let n_names = sys::rte_eth_xstats_get_names(self.id, names.as_mut_ptr(), n as u32);
            let n_values = sys::rte_eth_xstats_get(self.id, values.as_mut_ptr(), n as u32);
            let n = n_names.min(n_values).clamp(0, n) as usize;
            let name = |id: u64| names.get(id as usize).map(|n| text(n.name.as_ptr()));
            values[..n].iter().filter_map(|x| Some((name(x.id)?, x.value))).collect()
        }
    }

    /// Sets Ethernet flow control; a device that has none ignores it.
    pub fn set_flow_control(&self, rx: bool, tx: bool, autoneg: bool) -> Result<(), EthError> {
        let mut conf = MaybeUninit::<sys::rte_eth_fc_conf>::zeroed();
        // SAFETY: fills, then reads the structure, for which all-zero is valid.
        let status = unsafe {
            let get = sys::rte_eth_dev_flow_ctrl_get(self.id, conf.as_mut_ptr());
            if get == -libc::ENOTSUP && !rx && !tx {
                return Ok(());
            }
            let conf = conf.assume_init_mut();
            conf.mode = match (rx, tx) {
                (false, false) => sys::RTE_ETH_FC_NONE,
                (true, false) => sys::RTE_ETH_FC_RX_PAUSE,
                (false, true) => sys::RTE_ETH_FC_TX_PAUSE,
                (true, true) => sys::RTE_ETH_FC_FULL,
            };
            conf.autoneg = autoneg.into();
            sys::rte_eth_dev_flow_ctrl_set(self.id, conf)
        };
        self.step("setting flow control", status)
    }

    /// Receives up to a burst. One thread per queue.
    #[inline(always)]
    pub fn rx_burst(&self, queue: u16, batch: &mut Batch) {
        debug_assert!(batch.is_empty());
        // SAFETY: a Batch is BURST packet pointers; those that the device filled in are owned by us from here on.
        unsafe {
            let n = sys::vs_eth_rx_burst(self.id, queue, batch.as_mut_ptr().cast(), BURST as u16);
            batch.set_len(n as usize);
        }
    }

    /// Sends from the front of `packets`; returns how many the device took. One thread per queue; no heap packets.
    #[inline(always)]
    pub fn tx_burst(&self, queue: u16, packets: &mut Batch) -> usize {
        let len = packets.len();
        debug_assert!(!packets.iter().any(Packet::is_heap));
        // SAFETY: the first `sent` packets belong to the device now; the rest moves to the front and stays ours.
        unsafe {
            let sent = sys::vs_eth_tx_burst(self.id, queue, packets.as_mut_ptr().cast(), len as u16) as usize;
            take_front(packets, sent);
            sent
        }
    }
}

/// Forgets the first `n` packets of `packets` and moves the others up.
///
/// # Safety
/// Somebody else owns the first `n` packets; `n` is at most the length.
pub(crate) unsafe fn take_front(packets: &mut Batch, n: usize) {
    let left = packets.len() - n;
    // SAFETY: both ranges lie in the batch; after the copy its first `left` elements are the ones still ours.
    unsafe {
        if left != 0 {
            let p = packets.as_mut_ptr();
            std::ptr::copy(p.add(n), p, left);
        }
        packets.set_len(left);
    }
}

impl Drop for EthDev {
    fn drop(&mut self) {
        let mut info = MaybeUninit::<sys::rte_eth_dev_info>::zeroed();
        // SAFETY: nobody polls the device any more (its owner waited for the workers); the device pointer outlives close.
        unsafe {
            let known = sys::rte_eth_dev_info_get(self.id, info.as_mut_ptr()) == 0;
            sys::rte_eth_dev_stop(self.id);
            sys::rte_eth_dev_close(self.id);
            let device = info.assume_init().device;
            if self.hotplugged && known && !device.is_null() {
                sys::rte_dev_remove(device);
            }
        }
        claimed().remove(&self.id);
    }
}

/// The port of a device that DPDK already has.
fn find(devargs: &str) -> Option<u16> {
    if let Some(mac) = devargs.strip_prefix("class=eth,mac=") {
        return find_mac(mac);
    }
    // A vdev is known by its name; a PCI device by its address.
    let name = c_string(devargs.split(',').next().unwrap_or(devargs));
    let mut id = 0;
    // SAFETY: a terminated string and an integer to fill.
    if unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &mut id) } == 0 {
        return Some(id);
    }
    let c = c_string(devargs);
    let mut iter = MaybeUninit::<sys::rte_dev_iterator>::zeroed();
    // SAFETY: the iterator is initialised by the first call and cleaned up when it did not reach its end.
    unsafe {
        if sys::rte_eth_iterator_init(iter.as_mut_ptr(), c.as_ptr()) != 0 {
            return None;
        }
        let id = sys::rte_eth_iterator_next(iter.as_mut_ptr());
        if u32::from(id) < sys::RTE_MAX_ETHPORTS {
            sys::rte_eth_iterator_cleanup(iter.as_mut_ptr());
            return Some(id);
        }
    }
    None
}

fn find_mac(mac: &str) -> Option<u16> {
    (0..sys::RTE_MAX_ETHPORTS as u16).find(|&id| {
        let mut raw = sys::rte_ether_addr { addr_bytes: [0; 6] };
        // SAFETY: plain queries; an invalid port answers with an error.
        unsafe {
            sys::rte_eth_dev_is_valid_port(id) != 0
                && sys::rte_eth_macaddr_get(id, &mut raw) == 0
                && super::ethdev::mac_text(&raw.addr_bytes).eq_ignore_ascii_case(mac)
        }
    })
}

/// `aa:bb:cc:dd:ee:ff`.
pub fn mac_text(mac: &[u8; 6]) -> String {
    let hex: Vec<String> = mac.iter().map(|b| format!("{b:02x}")).collect();
    hex.join(":")
}

/// What to do about a device that does not attach.
fn advice(devargs: &str, cause: Errno) -> String {
    let name = devargs.split(',').next().unwrap_or(devargs);
    let pci = name.contains(':') && name.contains('.');
    let todo = if pci {
        "check the address (lspci -D) and bind the device to vfio-pci (dpdk-devbind.py --bind=vfio-pci ADDRESS)"
    } else if name.starts_with("net_") || name.starts_with("virtio_user") || name.starts_with("eth_") {
        "check the driver's name and arguments (the daemon's log has the driver's own words)"
    } else {
        "expected a PCI address like 0000:01:00.0, a virtual device like net_tap0,iface=tap0, or class=eth,mac=.."
    };
    format!("{cause}; {todo}")
}

/// Removes an unused device (`netdev-dpdk/detach`).
pub fn detach(devargs: &str) -> Result<(), String> {
    let Some(id) = find(devargs) else {
        return Err(format!("Device '{devargs}' not found in DPDK"));
    };
    if !claimed().insert(id) {
        return Err(format!("Device '{devargs}' is being used by an interface. Remove it before detaching"));
    }
    drop(EthDev { id, hotplugged: true, pool: Mutex::default() });
    Ok(())
}

/// The port that DPDK has for `devargs`, if any.
pub fn port_of(devargs: &str) -> Option<u16> {
    find(devargs)
}
