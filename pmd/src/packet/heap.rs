//! Packet buffers from ordinary memory, for ports that work without DPDK (kernel interfaces, dummies, packet-outs). The same
//! `Mbuf` header with a null `pool`, so that every kind of port takes every packet; a DPDK device gets a copy.
//! Any thread may allocate and free.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::OnceLock;

use crossbeam::queue::ArrayQueue;

use super::mbuf::{HEADROOM, Mbuf};

/// Data room (headroom included) of the buffers that are kept for reuse.
const SMALL_LEN: usize = 2048 + HEADROOM;
/// The most that `buf_len` can say.
const LEN_MAX: usize = u16::MAX as usize;
/// Free small buffers kept; more are given back to the allocator.
const KEPT_MAX: usize = 8192;

struct Kept(NonNull<Mbuf>);
// SAFETY: a kept buffer is referenced by nobody but the queue that holds it.
unsafe impl Send for Kept {}

fn kept() -> &'static ArrayQueue<Kept> {
    static KEPT: OnceLock<ArrayQueue<Kept>> = OnceLock::new();
    KEPT.get_or_init(|| ArrayQueue::new(KEPT_MAX))
}

fn layout(buf_len: usize) -> Layout {
    // A multiple of the alignment below isize::MAX, as buf_len <= LEN_MAX: cannot fail.
    Layout::from_size_align(size_of::<Mbuf>() + buf_len, align_of::<Mbuf>()).expect("small layout")
}

/// A buffer for `len` bytes with `HEADROOM` in front; `None` when it is too long for a packet or memory is out.
pub(super) fn alloc_mbuf(len: usize) -> Option<NonNull<Mbuf>> {
    let buf_len = (len + HEADROOM).max(SMALL_LEN);
    if buf_len > LEN_MAX {
        return None;
    }
    let reused = if buf_len == SMALL_LEN { kept().pop() } else { None };
    let mbuf = match reused {
        Some(Kept(mbuf)) => mbuf,
        // SAFETY: the layout has a non-zero size.
        None => NonNull::new(unsafe { alloc(layout(buf_len)) }.cast::<Mbuf>())?,
    };
    // SAFETY: `mbuf` points to at least a header and `buf_len` bytes of our own memory; zero is valid for every field.
    unsafe {
        mbuf.write_bytes(0, 1);
        let m = &mut *mbuf.as_ptr();
        m.buf_addr = mbuf.as_ptr().cast::<u8>().add(size_of::<Mbuf>());
        m.buf_len = buf_len as u16;
        m.data_off = HEADROOM as u16;
        m.refcnt = 1;
        m.nb_segs = 1;
        m.data_len = len as u16;
        m.pkt_len = len as u32;
    }
    Some(mbuf)
}

/// # Safety
/// `mbuf` came from `alloc_mbuf` and is used by nobody any more.
pub(super) unsafe fn free_mbuf(mbuf: NonNull<Mbuf>) {
    // SAFETY: per the contract the header is still valid.
    let buf_len = unsafe { mbuf.as_ref().buf_len } as usize;
    if buf_len == SMALL_LEN && kept().push(Kept(mbuf)).is_ok() {
        return;
    }
    // SAFETY: allocated with this very layout.
    unsafe { dealloc(mbuf.as_ptr().cast(), layout(buf_len)) }
}
