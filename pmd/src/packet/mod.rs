//! A packet and a burst of packets. Plane: hot; any thread may own one.
//!
//! A [`Packet`] owns one buffer: DPDK's from a mempool, or ours from the heap (`heap`), under the same header (`mbuf`).
//! Packets on the path are linear: a port linearises what arrives in several segments before it hands it on.

pub mod heap;
pub mod mbuf;
#[cfg(test)]
mod tests;

use std::ptr::NonNull;

use arrayvec::ArrayVec;

pub use mbuf::{HEADROOM, Mbuf};

/// Packets in a burst, at most.
pub const BURST: usize = 32;

/// A burst of packets.
pub type Batch = ArrayVec<Packet, BURST>;

/// An owned packet. Dropping it gives the buffer back.
#[repr(transparent)]
pub struct Packet(NonNull<Mbuf>);

// SAFETY: a packet is the only reference to its buffer; mempools and the heap may be given it back from any thread.
unsafe impl Send for Packet {}

impl Packet {
    /// A heap packet of `bytes`; `None` when they are too many (64 KiB less the headroom) or memory is out.
    pub fn from_bytes(bytes: &[u8]) -> Option<Packet> {
        let mut packet = Packet(heap::alloc_mbuf(bytes.len())?);
        packet.data_mut().copy_from_slice(bytes);
        Some(packet)
    }

    /// A heap packet of `len` bytes of any content.
    pub fn with_len(len: usize) -> Option<Packet> {
        let mut packet = Packet(heap::alloc_mbuf(len)?);
        packet.data_mut().fill(0);
        Some(packet)
    }

    /// # Safety
    /// `mbuf` is a valid buffer that nobody else uses.
    pub unsafe fn from_raw(mbuf: NonNull<Mbuf>) -> Packet {
        Packet(mbuf)
    }

    /// The buffer, given away.
    pub fn into_raw(self) -> NonNull<Mbuf> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    #[inline(always)]
    pub fn mbuf(&self) -> &Mbuf {
        // SAFETY: valid for as long as the packet lives.
        unsafe { self.0.as_ref() }
    }

    #[inline(always)]
    fn mbuf_mut(&mut self) -> &mut Mbuf {
        // SAFETY: valid for as long as the packet lives, and ours alone.
        unsafe { self.0.as_mut() }
    }

    /// Address of the first byte; for prefetching.
    #[inline(always)]
    pub fn data_ptr(&self) -> *const u8 {
        let m = self.mbuf();
        m.buf_addr.wrapping_add(m.data_off as usize)
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        self.mbuf().data_len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline(always)]
    pub fn data(&self) -> &[u8] {
        // SAFETY: DPDK and `heap` keep data_off + data_len within the buffer, and so do all methods here.
        unsafe { std::slice::from_raw_parts(self.data_ptr(), self.len()) }
    }

    #[inline(always)]
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`, and the packet is ours alone.
        unsafe { std::slice::from_raw_parts_mut(self.data_ptr().cast_mut(), self.len()) }
    }

    /// Readable bytes from the start of the data to the end of the buffer: a parser may load whole vectors when its
    /// header ends before this.
    #[inline(always)]
    pub fn readable_len(&self) -> usize {
        let m = self.mbuf();
        (m.buf_len as usize).saturating_sub(m.data_off as usize)
    }

    /// Bytes that `push_front` can still add.
    pub fn headroom(&self) -> usize {
        self.mbuf().data_off as usize
    }

    /// Bytes that `push_back` can still add.
    pub fn tailroom(&self) -> usize {
        let m = self.mbuf();
        (m.buf_len as usize).saturating_sub(m.data_off as usize + m.data_len as usize)
    }

    /// Grows the packet by `n` bytes in front (content undefined); false, and nothing done, without the headroom.
    #[must_use]
    pub fn push_front(&mut self, n: usize) -> bool {
        if n > self.headroom() || n > (u16::MAX - self.mbuf().data_len) as usize {
            return false;
        }
        let m = self.mbuf_mut();
        m.data_off -= n as u16;
        m.data_len += n as u16;
        m.pkt_len += n as u32;
        true
    }

    /// Cuts `n` bytes (at most all) off the front.
    pub fn pull_front(&mut self, n: usize) {
        let n = n.min(self.len());
        let m = self.mbuf_mut();
        m.data_off += n as u16;
        m.data_len -= n as u16;
        m.pkt_len -= n as u32;
    }

    /// Grows the packet by `n` zero bytes at the end; false without the tailroom.
    #[must_use]
    pub fn push_back(&mut self, n: usize) -> bool {
        if n > self.tailroom() {
            return false;
        }
        let old = self.len();
        let m = self.mbuf_mut();
        m.data_len += n as u16;
        m.pkt_len += n as u32;
        self.data_mut()[old..].fill(0);
        true
    }

    /// Shortens the packet to `len` bytes if it is longer.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            let m = self.mbuf_mut();
            m.data_len = len as u16;
            m.pkt_len = len as u32;
        }
    }

    /// A copy in a buffer of its own, from where this one came; `None` when there is none.
    pub fn duplicate(&self) -> Option<Packet> {
        if self.is_heap() {
            return Packet::from_bytes(self.data());
        }
        let mut copy = std::ptr::null_mut::<Mbuf>();
        // SAFETY: one valid packet in, room for one pointer out; the pool outlives its packets.
        let n = unsafe {
            let mut from = self.0.as_ptr();
            let pool = self.mbuf().pool.cast();
            dpdk_sys::vs_mbuf_copy_burst(pool, (&raw mut from).cast(), (&raw mut copy).cast(), 1)
        };
        if n == 1 { NonNull::new(copy).map(Packet) } else { None }
    }

    /// A copy in a buffer of `pool`; `None` when it has none free or they are too short.
    pub fn copy_to(&self, pool: &crate::dpdk::mempool::Mempool) -> Option<Packet> {
        let mut raw = std::ptr::null_mut::<Mbuf>();
        // SAFETY: asks for one buffer into one pointer.
        if unsafe { dpdk_sys::vs_mbuf_alloc_bulk(pool.as_raw(), (&raw mut raw).cast(), 1) } != 0 {
            return None;
        }
        let mut copy = Packet(NonNull::new(raw)?);
        if !copy.push_back(self.len()) {
            return None;
        }
        copy.data_mut().copy_from_slice(self.data());
        Some(copy)
    }

    /// Joins the segments into one; false when there is no room.
    pub fn linearize(&mut self) -> bool {
        // SAFETY: an owned packet of DPDK; heap packets have one segment and are left alone.
        self.is_heap() || unsafe { dpdk_sys::vs_mbuf_linearize(self.0.as_ptr().cast()) } == 0
    }

    /// True when the buffer is ours from the heap and no device of DPDK may have it.
    #[inline(always)]
    pub fn is_heap(&self) -> bool {
        self.mbuf().pool.is_null()
    }

    /// The device's flow hash, when it gave one.
    #[inline(always)]
    pub fn rss(&self) -> Option<u32> {
        let m = self.mbuf();
        (m.ol_flags & dpdk_sys::VS_RX_RSS_HASH != 0).then_some(m.rss)
    }

    /// More than one segment: to be linearised before anything reads it.
    #[inline(always)]
    pub fn is_chained(&self) -> bool {
        let m = self.mbuf();
        m.pkt_len != m.data_len as u32
    }

    /// Asks the CPU for the header line.
    #[inline(always)]
    pub fn prefetch_header(&self) {
        prefetch(self.0.as_ptr().cast());
    }

    /// Asks the CPU for the first line of the data; reads the header line.
    #[inline(always)]
    pub fn prefetch_data(&self) {
        prefetch(self.data_ptr());
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        if self.is_heap() {
            // SAFETY: a null pool marks a heap buffer, and the packet is its only owner.
            unsafe { heap::free_mbuf(self.0) }
        } else {
            // SAFETY: a buffer of a mempool, owned by us.
            unsafe { dpdk_sys::vs_mbuf_free(self.0.as_ptr().cast()) }
        }
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packet({} bytes)", self.len())
    }
}

/// Frees a burst at the price of one call when all its packets are plain buffers of one mempool.
pub fn free_burst(batch: &mut Batch) {
    if batch.iter().any(Packet::is_heap) {
        batch.clear();
        return;
    }
    let n = batch.len();
    // SAFETY: `n` owned buffers of mempools; the length is cleared first so that they are not freed twice.
    unsafe {
        batch.set_len(0);
        dpdk_sys::vs_mbuf_free_burst(batch.as_mut_ptr().cast(), n as u32);
    }
}

/// Asks the CPU for the line of `address`; harmless for any address.
#[inline(always)]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast())
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
