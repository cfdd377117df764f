//! vhost-user sockets: registration, the callbacks of DPDK's vhost threads, and the burst functions.
//!
//! A [`Socket`] is one path. DPDK's threads set its state when a guest comes, goes or flips a queue; workers read the state
//! with plain loads. Before a guest's memory is unmapped, `destroy_device` takes the device id away and waits until every
//! worker has begun a new turn ([`set_grace`]).

use std::collections::HashMap;
use std::ffi::c_char;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU16, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dpdk_sys as sys;

use super::mempool::Mempool;
use super::{Errno, c_string, text};
use crate::packet::{BURST, Batch, Packet};

/// Queue pairs a guest may have here.
pub const QUEUE_PAIRS_MAX: usize = 64;
/// No guest.
const NO_DEVICE: i32 = -1;

/// How to register a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SocketConfig {
    /// The guest's end listens and we connect (dpdkvhostuserclient).
    pub client: bool,
    pub iommu: bool,
    pub postcopy: bool,
    /// Let guests hand over unfinished checksums and large segments.
    pub tso: bool,
}

#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum VhostError {
    #[error("vhost-user ports need DPDK; set other_config:dpdk-init=true")]
    NoDpdk,
    #[error("vhost-user socket {path}: another port of this switch uses it; give each port its own path")]
    InUse { path: String },
    #[error(
        "vhost-user socket {path} cannot be {step} ({cause}); check that its directory exists, that ovs-vswitchd may write there, and that nothing else owns the path"
    )]
    Register { path: String, step: &'static str, cause: String },
}

/// State of one socket, shared by DPDK's threads, workers and control threads.
pub struct State {
    path: String,
    vid: AtomicI32,
    /// Queue pairs that the guest set up.
    n_pairs: AtomicU16,
    /// Bit n: the guest enabled queue pair n's transmit ring (we receive from it).
    rx_enabled: AtomicU64,
    /// Bit n: the guest enabled queue pair n's receive ring (we send to it).
    tx_enabled: AtomicU64,
    numa: AtomicI32,
    /// Grows with each change that control threads should look at.
    changes: AtomicU64,
    /// Times that the guest came.
    connects: AtomicU64,
    link_resets: AtomicU64,
    seen: AtomicBool,
}

impl State {
    /// The connected guest.
    #[inline(always)]
    pub fn vid(&self) -> Option<i32> {
        let vid = self.vid.load(Acquire);
        (vid != NO_DEVICE).then_some(vid)
    }

    /// True when the guest wants packets to come from this pair.
    #[inline(always)]
    pub fn rx_enabled(&self, pair: u16) -> bool {
        self.rx_enabled.load(Relaxed) >> (pair & 63) & 1 != 0
    }

    /// Pairs that we may send to, bit by bit.
    #[inline(always)]
    pub fn tx_enabled(&self) -> u64 {
        self.tx_enabled.load(Relaxed)
    }

    pub fn n_pairs(&self) -> u16 {
        self.n_pairs.load(Relaxed)
    }

    pub fn numa(&self) -> i32 {
        self.numa.load(Relaxed)
    }

    pub fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    pub fn link_resets(&self) -> u64 {
        self.link_resets.load(Relaxed)
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// Negotiated features, MTU and ring sizes, for `Interface.status`.
    pub fn status(&self) -> Vec<(String, String)> {
        let Some(vid) = self.vid() else {
            return vec![("status".into(), "disconnected".into())];
        };
        let (mut features, mut mtu) = (0, 0);
        // SAFETY: plain queries on a device id; one that just went away answers with an error.
        let (n, rings) = unsafe {
            sys::rte_vhost_get_negotiated_features(vid, &mut features);
            sys::rte_vhost_get_mtu(vid, &mut mtu);
            let n = sys::rte_vhost_get_vring_num(vid);
            let rings: Vec<u16> = (0..n).map(|q| ring_len(vid, q)).collect();
            (n, rings)
        };
        let mut out: Vec<(String, String)> = vec![
            ("status".into(), "connected".into()),
            ("socket".into(), self.path.clone()),
            ("features".into(), format!("0x{features:016x}")),
            ("mtu".into(), mtu.to_string()),
            ("numa".into(), self.numa().to_string()),
            ("num_of_vrings".into(), n.to_string()),
        ];
        out.extend(rings.iter().enumerate().map(|(q, len)| (format!("vring_{q}_size"), len.to_string())));
        out
    }
}

fn ring_len(vid: i32, queue: u16) -> u16 {
    let mut vring = std::mem::MaybeUninit::<sys::rte_vhost_vring>::zeroed();
    // SAFETY: fills the structure, for which all-zero is valid.
    unsafe {
        sys::rte_vhost_get_vhost_vring(vid, queue, vring.as_mut_ptr());
        vring.assume_init().size
    }
}

type Registry = Mutex<HashMap<String, Arc<State>>>;

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::default)
}

fn lookup(vid: i32) -> Option<Arc<State>> {
    let mut path = [0 as c_char; 4096];
    // SAFETY: the buffer and its length belong together.
    if unsafe { sys::rte_vhost_get_ifname(vid, path.as_mut_ptr(), path.len()) } != 0 {
        return None;
    }
    registry().lock().unwrap_or_else(PoisonError::into_inner).get(&text(path.as_ptr())).cloned()
}

/// Waits until no worker uses what it read before the call.
pub type Grace = Box<dyn Fn() + Send + Sync>;
static GRACE: OnceLock<Grace> = OnceLock::new();

/// Tells how to wait for the workers; once per process, before the first socket.
pub fn set_grace(grace: Grace) {
    let _ = GRACE.set(grace);
}

/// A registered socket; unregistered on drop.
pub struct Socket {
    state: Arc<State>,
    client: bool,
}

impl Socket {
    /// Registers `path` and starts listening on it or connecting to it.
    pub fn open(path: &str, config: SocketConfig) -> Result<Socket, VhostError> {
        if !super::eal::is_initialized() {
            return Err(VhostError::NoDpdk);
        }
        let state = Arc::new(State {
            path: path.to_owned(),
            vid: AtomicI32::new(NO_DEVICE),
            n_pairs: AtomicU16::new(0),
            rx_enabled: AtomicU64::new(0),
            tx_enabled: AtomicU64::new(0),
            numa: AtomicI32::new(0),
            changes: AtomicU64::new(0),
            connects: AtomicU64::new(0),
            link_resets: AtomicU64::new(0),
            seen: AtomicBool::new(false),
        });
        {
            let mut all = registry().lock().unwrap_or_else(PoisonError::into_inner);
            if all.contains_key(path) {
                return Err(VhostError::InUse { path: path.to_owned() });
            }
            all.insert(path.to_owned(), state.clone());
        }
        match register(path, config) {
            Ok(()) => Ok(Socket { state, client: config.client }),
            Err(e) => {
                registry().lock().unwrap_or_else(PoisonError::into_inner).remove(path);
                Err(e)
            }
        }
    }

    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub fn is_client(&self) -> bool {
        self.client
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let c = c_string(&self.state.path);
        // SAFETY: a terminated string; unregistering disconnects the guest through `destroy_device`.
        unsafe { sys::rte_vhost_driver_unregister(c.as_ptr()) };
        registry().lock().unwrap_or_else(PoisonError::into_inner).remove(&self.state.path);
    }
}

fn register(path: &str, config: SocketConfig) -> Result<(), VhostError> {
    let mut flags = u64::from(sys::RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
    if config.client {
        flags |= u64::from(sys::RTE_VHOST_USER_CLIENT);
    }
    if config.iommu {
        flags |= u64::from(sys::RTE_VHOST_USER_IOMMU_SUPPORT);
    }
    if config.postcopy {
        flags |= u64::from(sys::RTE_VHOST_USER_POSTCOPY_SUPPORT);
    }
    // One linear buffer per packet, so that the packet path never walks a chain.
    flags |= u64::from(sys::RTE_VHOST_USER_LINEARBUF_SUPPORT);
    if config.tso {
        flags |= u64::from(sys::RTE_VHOST_USER_EXTBUF_SUPPORT);
    }
    let c = c_string(path);
    let fail = |step, cause: String| VhostError::Register { path: path.to_owned(), step, cause };
    // SAFETY: terminated strings; OPS lives for ever.
    unsafe {
        if sys::rte_vhost_driver_register(c.as_ptr(), flags) != 0 {
            return Err(fail("registered", last_os_error()));
        }
        let undo = |e| {
            sys::rte_vhost_driver_unregister(c.as_ptr());
            Err(e)
        };
        if sys::rte_vhost_driver_callback_register(c.as_ptr(), &OPS.0) != 0 {
            return undo(fail("set up", last_os_error()));
        }
        let no = if config.tso { NEVER_OFFLOADED } else { HOST_OFFLOADS };
        sys::rte_vhost_driver_disable_features(c.as_ptr(), no);
        if sys::rte_vhost_driver_start(c.as_ptr()) != 0 {
            return undo(fail(if config.client { "connected" } else { "listened on" }, last_os_error()));
        }
    }
    Ok(())
}

/// Checksums and segments that would reach us unfinished: CSUM (0), HOST_TSO4 (11), HOST_TSO6 (12), HOST_ECN (13), HOST_UFO (14).
const HOST_OFFLOADS: u64 = 1 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14;
/// Of those: segments with ECN (13) and UDP fragments (14), which nobody here finishes.
const NEVER_OFFLOADED: u64 = 1 << 13 | 1 << 14;

fn last_os_error() -> String {
    std::io::Error::last_os_error().to_string()
}

struct Ops(sys::rte_vhost_device_ops);
// SAFETY: a table of function pointers that nobody writes.
unsafe impl Sync for Ops {}

static OPS: Ops = Ops(sys::rte_vhost_device_ops {
    new_device: Some(new_device),
    destroy_device: Some(destroy_device),
    vring_state_changed: Some(vring_state_changed),
    features_changed: None,
    new_connection: None,
    destroy_connection: Some(destroy_connection),
    guest_notified: None,
    reserved: [std::ptr::null_mut(); 1],
});

extern "C" fn new_device(vid: i32) -> i32 {
    let Some(state) = lookup(vid) else { return -1 };
    // SAFETY: plain queries and settings on a live device.
    unsafe {
        let pairs = (sys::rte_vhost_get_vring_num(vid) / 2).min(QUEUE_PAIRS_MAX as u16);
        for queue in 0..pairs * 2 {
            // We poll: guests need not kick us.
            sys::rte_vhost_enable_guest_notification(vid, queue, 0);
        }
        state.n_pairs.store(pairs, Relaxed);
        state.numa.store(sys::rte_vhost_get_numa_node(vid).max(0), Relaxed);
    }
    state.connects.fetch_add(1, Relaxed);
    if state.seen.swap(true, Relaxed) {
        state.link_resets.fetch_add(1, Relaxed);
    }
    state.vid.store(vid, Release);
    state.changes.fetch_add(1, Release);
    0
}

extern "C" fn destroy_device(vid: i32) {
    let Some(state) = lookup(vid) else { return };
    state.vid.store(NO_DEVICE, Release);
    state.n_pairs.store(0, Relaxed);
    state.rx_enabled.store(0, Relaxed);
    state.tx_enabled.store(0, Relaxed);
    state.changes.fetch_add(1, Release);
    if let Some(grace) = GRACE.get() {
        grace();
    }
}

extern "C" fn destroy_connection(vid: i32) {
    if let Some(state) = lookup(vid) {
        state.changes.fetch_add(1, Release);
    }
}

extern "C" fn vring_state_changed(vid: i32, queue: u16, enable: i32) -> i32 {
    let Some(state) = lookup(vid) else { return 0 };
    // Even rings are the guest's receive rings, odd ones its transmit rings.
    let bits = if queue.is_multiple_of(2) { &state.tx_enabled } else { &state.rx_enabled };
    let bit = 1u64.checked_shl(u32::from(queue / 2)).unwrap_or(0);
    if enable != 0 {
        bits.fetch_or(bit, Relaxed)
    } else {
        bits.fetch_and(!bit, Relaxed)
    };
    state.changes.fetch_add(1, Release);
    0
}

/// Receives a burst that the guest sent on `pair`. One thread per pair.
#[inline(always)]
pub fn rx_burst(vid: i32, pair: u16, pool: &Mempool, batch: &mut Batch) {
    debug_assert!(batch.is_empty());
    // SAFETY: vid was read in this turn, so its memory stays mapped until the turn ends; a Batch is BURST packet pointers.
    unsafe {
        let n = sys::rte_vhost_dequeue_burst(
            vid,
            pair * 2 + 1,
            pool.as_raw(),
            batch.as_mut_ptr().cast(),
            BURST as u16,
        );
        batch.set_len(n as usize);
    }
}

/// Packets that the guest has sent on `pair` and nobody took yet.
pub fn backlog(vid: i32, pair: u16) -> u32 {
    // SAFETY: vid was read in this turn; a plain query.
    unsafe { sys::rte_vhost_rx_queue_count(vid, pair * 2 + 1) }
}

/// Copies packets to the guest's `pair` and returns how many; all stay ours. One thread per pair at a time.
#[inline(always)]
pub fn tx_burst(vid: i32, pair: u16, packets: &mut [Packet]) -> usize {
    // SAFETY: as above; enqueueing copies out of the packets.
    unsafe {
        sys::rte_vhost_enqueue_burst(vid, pair * 2, packets.as_mut_ptr().cast(), packets.len() as u16)
            as usize
    }
}

/// DPDK's last vhost error in words, for messages.
pub fn last_error() -> Errno {
    Errno::last()
}
