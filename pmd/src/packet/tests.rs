//! Heap packets, and the accessors against DPDK's own macros.

use super::*;

fn view(packet: &Packet) -> dpdk_sys::vs_mbuf_view {
    let mut out = std::mem::MaybeUninit::zeroed();
    // SAFETY: reads a valid header and writes the view.
    unsafe {
        dpdk_sys::vs_mbuf_view(std::ptr::from_ref(packet.mbuf()).cast(), out.as_mut_ptr());
        out.assume_init()
    }
}

#[test]
fn accessors_agree_with_dpdk() {
    let mut p = Packet::from_bytes(&[7; 300]).unwrap();
    for step in 0..40usize {
        match step % 4 {
            0 => assert!(p.push_front(step % 3)),
            1 => p.pull_front(step),
            2 => assert!(p.push_back(step)),
            _ => p.truncate(p.len() - 1),
        }
        p.mbuf_mut().rss = step as u32;
        p.mbuf_mut().ol_flags = if step % 2 == 0 { dpdk_sys::VS_RX_RSS_HASH } else { 0 };
        let v = view(&p);
        assert_eq!(v.data.cast_const().cast(), p.data_ptr());
        assert_eq!((v.data_len as usize, v.pkt_len as usize), (p.len(), p.len()));
        assert_eq!((v.headroom as usize, v.tailroom as usize), (p.headroom(), p.tailroom()));
        assert_eq!((v.nb_segs, v.refcnt, v.rss), (1, 1, step as u32));
        assert_eq!(p.rss().is_some(), step % 2 == 0);
        assert!(v.pool.is_null() && p.is_heap() && !p.is_chained());
    }
}

#[test]
fn bounds_are_kept() {
    let mut p = Packet::from_bytes(&[1, 2, 3]).unwrap();
    assert!(!p.push_front(HEADROOM + 1));
    assert!(p.push_front(HEADROOM));
    assert_eq!(p.len(), HEADROOM + 3);
    p.pull_front(usize::MAX);
    assert!(p.is_empty());
    assert!(!p.push_back(p.tailroom() + 1));
    assert!(Packet::with_len(65536).is_none());
    let big = Packet::with_len(65000).unwrap();
    assert_eq!(big.duplicate().unwrap().len(), 65000);
}

#[test]
fn bursts_of_heap_packets_are_freed() {
    let mut batch = Batch::new();
    for n in 0..BURST {
        batch.push(Packet::with_len(n * 100).unwrap());
    }
    free_burst(&mut batch);
    assert!(batch.is_empty());
}
