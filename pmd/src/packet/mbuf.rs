//! The layout of DPDK's `struct rte_mbuf`, for field access without a call. `pmd/dpdk-sys/shim.c` asserts every offset at
//! compile time; a test compares the readers with DPDK's own macros. Plane: hot. Nothing here owns a buffer.

use std::ffi::c_void;

/// Bytes kept free in front of a received packet (DPDK's default, `RTE_PKTMBUF_HEADROOM`).
pub const HEADROOM: usize = 128;

/// One packet buffer's header, two cache lines; the packet path touches the first.
#[repr(C, align(64))]
pub struct Mbuf {
    pub buf_addr: *mut u8,
    pub buf_iova: u64,
    pub data_off: u16,
    pub refcnt: u16,
    pub nb_segs: u16,
    pub port: u16,
    pub ol_flags: u64,
    pub packet_type: u32,
    pub pkt_len: u32,
    pub data_len: u16,
    pub vlan_tci: u16,
    pub rss: u32,
    pub hash_hi: u32,
    pub vlan_tci_outer: u16,
    pub buf_len: u16,
    /// The mempool it belongs to; null = our heap (see `heap`).
    pub pool: *mut c_void,
    // second line
    pub next: *mut Mbuf,
    pub tx_offload: u64,
    pub shinfo: *mut c_void,
    pub priv_size: u16,
    pub timesync: u16,
    pub dynfield1: [u32; 9],
}

const _: () = assert!(size_of::<Mbuf>() == 128);
const _: () = assert!(size_of::<Mbuf>() == size_of::<dpdk_sys::rte_mbuf>());
const _: () = assert!(HEADROOM == dpdk_sys::RTE_PKTMBUF_HEADROOM as usize);
const _: () = assert!(std::mem::offset_of!(Mbuf, pkt_len) == 36);
const _: () = assert!(std::mem::offset_of!(Mbuf, rss) == 44);
const _: () = assert!(std::mem::offset_of!(Mbuf, pool) == 56);
const _: () = assert!(std::mem::offset_of!(Mbuf, next) == 64);
