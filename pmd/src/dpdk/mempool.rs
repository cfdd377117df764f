//! Packet buffer pools: shared by the ports of one NUMA node and buffer size, or one per port (`per-port-memory`).
//! Control plane creates and frees them; the packet path allocates through its devices.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dpdk_sys as sys;

use super::Errno;

/// Buffers that a shared pool asks for first; halved while memory is short.
pub const N_MBUFS_MAX: u32 = 262_144;
/// Below this a pool is refused.
pub const N_MBUFS_MIN: u32 = 16_384;
/// Buffers that each thread keeps for itself.
const CACHE_LEN: u32 = 512;
/// Ethernet header, two VLAN tags and the checksum around an MTU.
const FRAME_OVERHEAD: u32 = 14 + 8 + 4;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "cannot allocate {n_mbufs} packet buffers of {buf_len} bytes ({need_mb} MB) on NUMA node {socket}: {cause}. Give DPDK more \
     memory: reserve huge pages on that node and raise other_config:dpdk-socket-mem or dpdk-socket-limit"
)]
pub struct MempoolError {
    n_mbufs: u32,
    buf_len: u32,
    need_mb: u32,
    socket: i32,
    cause: Errno,
}

/// A pool of packet buffers; freed with its last user, once all its buffers are back.
pub struct Mempool {
    raw: *mut sys::rte_mempool,
    pub name: String,
    pub n_mbufs: u32,
    /// Bytes of a buffer without the headroom.
    pub data_room: u32,
    pub socket: i32,
}

// SAFETY: mempools are multi-producer and multi-consumer.
unsafe impl Send for Mempool {}
// SAFETY: as above.
unsafe impl Sync for Mempool {}

/// Data room, headroom included, for frames of `mtu`: a whole number of KiB for the frame, as OVS sizes it.
pub fn buffer_len(mtu: u32) -> u32 {
    (mtu + FRAME_OVERHEAD).next_multiple_of(1024) + crate::packet::HEADROOM as u32
}

impl Mempool {
    /// A pool for `mtu` on NUMA node `socket`, as large as memory allows between the limits.
    pub fn create(mtu: u32, socket: i32, n_mbufs: u32) -> Result<Mempool, MempoolError> {
        let buf_len = buffer_len(mtu);
        let mut n = n_mbufs;
        loop {
            let name = unique_name(socket, mtu, n);
            let c_name = super::c_string(&name);
            // SAFETY: DPDK runs (devices and vhost ports require it); plain arguments.
            let raw = unsafe {
                sys::rte_pktmbuf_pool_create(c_name.as_ptr(), n, CACHE_LEN, 0, buf_len as u16, socket)
            };
            if !raw.is_null() {
                return Ok(Mempool {
                    raw,
                    name,
                    n_mbufs: n,
                    data_room: buf_len - crate::packet::HEADROOM as u32,
                    socket,
                });
            }
            let cause = Errno::last();
            if cause.0 != libc::ENOMEM || n / 2 < N_MBUFS_MIN {
                let need_mb = ((u64::from(n) * u64::from(buf_len + 256)) >> 20) as u32;
                return Err(MempoolError { n_mbufs: n, buf_len, need_mb, socket, cause });
            }
            n /= 2;
        }
    }

    pub fn as_raw(&self) -> *mut sys::rte_mempool {
        self.raw
    }

    /// Buffers in use by devices and packets.
    pub fn in_use(&self) -> u32 {
        // SAFETY: the pool is valid while self lives.
        unsafe { sys::rte_mempool_in_use_count(self.raw) }
    }

    /// The text of `netdev-dpdk/get-mempool-info`.
    pub fn dump(&self) -> String {
        // SAFETY: as above; prints to the stream given.
        super::printed(|f| unsafe { sys::rte_mempool_dump(f.cast(), self.raw) })
    }
}

/// Every pool that DPDK has, those of its drivers too.
pub fn dump_all() -> String {
    // SAFETY: prints to the stream given; DPDK runs (the caller made sure).
    super::printed(|f| unsafe { sys::rte_mempool_list_dump(f.cast()) })
}

impl Drop for Mempool {
    fn drop(&mut self) {
        if !super::eal::is_initialized() {
            return;
        }
        // A packet may still sit in another port's ring; leaking such a pool is right, freeing it is not.
        if self.in_use() == 0 {
            // SAFETY: no buffer is outside the pool and no device uses it (they hold an Arc).
            unsafe { sys::rte_mempool_free(self.raw) };
        } else {
            retire(self.raw);
        }
    }
}

struct Retired(*mut sys::rte_mempool);
// SAFETY: a retired pool is only looked at under the lock below.
unsafe impl Send for Retired {}

static RETIRED: Mutex<Vec<Retired>> = Mutex::new(Vec::new());

fn retire(pool: *mut sys::rte_mempool) {
    RETIRED.lock().unwrap_or_else(PoisonError::into_inner).push(Retired(pool));
}

/// Frees retired pools whose last buffer has come back; called whenever a pool is asked for.
pub fn sweep() {
    RETIRED.lock().unwrap_or_else(PoisonError::into_inner).retain(|Retired(pool)| {
        // SAFETY: a retired pool is valid until it is freed here, once.
        unsafe {
            let done = sys::rte_mempool_in_use_count(*pool) == 0;
            if done {
                sys::rte_mempool_free(*pool);
            }
            !done
        }
    });
}

fn unique_name(socket: i32, mtu: u32, n: u32) -> String {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("ovs{:08x}{socket:02}{mtu:05}{n:07}", NEXT.fetch_add(1, Relaxed))
}

/// The pools in use.
#[derive(Default)]
pub struct Mempools(Mutex<HashMap<(i32, u32), Weak<Mempool>>>);

impl Mempools {
    /// The shared pool for `mtu` on `socket`, made if there is none.
    pub fn shared(&self, mtu: u32, socket: i32) -> Result<Arc<Mempool>, MempoolError> {
        sweep();
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (socket, buffer_len(mtu));
        if let Some(pool) = pools.get(&key).and_then(Weak::upgrade) {
            return Ok(pool);
        }
        let pool = Arc::new(Mempool::create(mtu, socket, N_MBUFS_MAX)?);
        pools.insert(key, Arc::downgrade(&pool));
        Ok(pool)
    }

    /// All live shared pools.
    pub fn all(&self) -> Vec<Arc<Mempool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect()
    }
}
