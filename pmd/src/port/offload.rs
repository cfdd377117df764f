//! Finishing in software what a kernel left to the device: VLAN tags kept beside the frame, checksums (TCP, UDP) and TCP
//! segmentation. Bytes in, finished packets out; no I/O. Input comes from guests and namespaces, so every length is checked.

use flow::parse::{Meta, parse_whole};
use flow::proto::{eth, ip};

use crate::packet::{HEADROOM, Packet};

/// `struct virtio_net_hdr` without the merged-buffer count.
pub const VNET_HDR_LEN: usize = 10;
const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_ECN: u8 = 0x80;
/// Segments that one frame may become.
const SEGMENTS_MAX: usize = 1024;

/// Turns `frame` with its virtio-net header and the VLAN tag (tpid, tci) beside it into finished packets. What cannot be
/// finished (a segmentation type other than TCP, offsets outside the frame) goes out as it is or not at all.
pub fn finish(
    header: &[u8; VNET_HDR_LEN],
    frame: &[u8],
    tag: Option<(u16, u16)>,
    out: &mut dyn FnMut(Packet),
) {
    let word = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    let (flags, gso) = (header[0], header[1] & !GSO_ECN);
    let (gso_size, csum_start, csum_offset) = (word(4), word(6), word(8));
    let mut emit = |mut packet: Packet| {
        if tag.is_none_or(|(tpid, tci)| push_tag(&mut packet, tpid, tci)) {
            out(packet);
        }
    };
    match gso {
        GSO_NONE => {
            let Some(mut packet) = Packet::from_bytes(frame) else { return };
            if flags & NEEDS_CSUM != 0 {
                fill_checksum(packet.data_mut(), csum_start, csum_offset);
            }
            emit(packet);
        }
        GSO_TCPV4 | GSO_TCPV6 => segment_tcp(frame, csum_start, gso_size, gso == GSO_TCPV6, &mut emit),
        _ => {}
    }
}

/// What a device left of a packet to be finished (`ol_flags` of a received buffer).
const RX_LRO: u64 = 1 << 16;
const RX_L4_CSUM_NONE: u64 = 1 << 3 | 1 << 8;
/// Where `tx_offload` has the payload bytes of a segment.
const SEGMENT_SHIFT: u32 = 24;

/// True when a guest handed `packet` over with its checksum unfinished or longer than a segment.
#[inline(always)]
pub fn is_unfinished(packet: &Packet) -> bool {
    let flags = packet.mbuf().ol_flags;
    flags & RX_LRO != 0 || flags & RX_L4_CSUM_NONE == RX_L4_CSUM_NONE
}

/// Finishes such a packet; what cannot be is dropped.
pub fn finish_received(packet: &Packet, out: &mut dyn FnMut(Packet)) {
    let (mbuf, data) = (packet.mbuf(), packet.data());
    let meta = Meta::received(data.len(), 0);
    let (key, parsed) = parse_whole(data, &meta);
    let offset: u16 = match key.nw_proto {
        ip::TCP => 16,
        ip::UDP => 6,
        _ => return out_as_is(data, out),
    };
    let is_large = mbuf.ol_flags & RX_LRO != 0;
    let gso = match (is_large, key.nw_proto, key.dl_type.get()) {
        (false, ..) => GSO_NONE,
        (true, ip::TCP, eth::IP) => GSO_TCPV4,
        (true, ip::TCP, eth::IPV6) => GSO_TCPV6,
        _ => return,
    };
    let mut header = [NEEDS_CSUM, gso, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..6].copy_from_slice(&((mbuf.tx_offload >> SEGMENT_SHIFT) as u16).to_ne_bytes());
    header[6..8].copy_from_slice(&parsed.l4_ofs.to_ne_bytes());
    header[8..10].copy_from_slice(&offset.to_ne_bytes());
    finish(&header, data, None, out);
}

fn out_as_is(data: &[u8], out: &mut dyn FnMut(Packet)) {
    if let Some(packet) = Packet::from_bytes(data) {
        out(packet);
    }
}

/// Adds an 802.1Q header after the addresses.
fn push_tag(packet: &mut Packet, tpid: u16, tci: u16) -> bool {
    if packet.len() < 12 || !packet.push_front(4) {
        return false;
    }
    let data = packet.data_mut();
    data.copy_within(4..16, 0);
    data[12..14].copy_from_slice(&tpid.to_be_bytes());
    data[14..16].copy_from_slice(&tci.to_be_bytes());
    true
}

/// The ones' complement sum of `bytes` on top of `start`, folded to 16 bits.
fn sum(start: u32, bytes: &[u8]) -> u32 {
    let mut total = u64::from(start);
    let (pairs, rest) = bytes.as_chunks::<2>();
    total += pairs.iter().map(|p| u64::from(u16::from_be_bytes(*p))).sum::<u64>();
    total += rest.first().map_or(0, |&b| u64::from(b) << 8);
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u32
}

/// Completes a partial checksum: the field holds the sum of the pseudo header, the rest is to be added.
fn fill_checksum(data: &mut [u8], start: usize, offset: usize) {
    let field = start + offset;
    if start >= data.len() || field + 2 > data.len() {
        return;
    }
    let mut csum = !(sum(0, &data[start..]) as u16);
    if csum == 0 {
        csum = 0xffff;
    }
    data[field..field + 2].copy_from_slice(&csum.to_be_bytes());
}

/// Cuts a TCP segment at `l4` of `frame` into pieces of `mss` payload bytes.
fn segment_tcp(frame: &[u8], l4: usize, mss: usize, v6: bool, emit: &mut dyn FnMut(Packet)) {
    let Some(plan) = Segments::new(frame, l4, mss, v6) else { return };
    for n in 0..plan.n_segments() {
        if let Some(packet) = plan.segment(n) {
            emit(packet);
        }
    }
}

/// A frame to be cut: where its headers are.
struct Segments<'a> {
    frame: &'a [u8],
    l3: usize,
    l4: usize,
    payload: usize,
    mss: usize,
    v6: bool,
}

impl<'a> Segments<'a> {
    fn new(frame: &'a [u8], l4: usize, mss: usize, v6: bool) -> Option<Self> {
        let l3 = network_offset(frame, v6)?;
        let data_offset = usize::from(frame.get(l4 + 12)? >> 4) * 4;
        let payload = l4 + data_offset;
        let network_len = if v6 { 40 } else { 20 };
        let ok = mss != 0 && data_offset >= 20 && l4 >= l3 + network_len && payload <= frame.len();
        let plan = Segments { frame, l3, l4, payload, mss, v6 };
        (ok && plan.n_segments() <= SEGMENTS_MAX).then_some(plan)
    }

    fn n_segments(&self) -> usize {
        (self.frame.len() - self.payload).div_ceil(self.mss).max(1)
    }

    fn segment(&self, n: usize) -> Option<Packet> {
        let from = self.payload + n * self.mss;
        let to = (from + self.mss).min(self.frame.len());
        let is_last = n + 1 == self.n_segments();
        let mut packet = Packet::with_len(self.payload + (to - from))?;
        debug_assert!(packet.headroom() >= HEADROOM);
        let data = packet.data_mut();
        data[..self.payload].copy_from_slice(&self.frame[..self.payload]);
        data[self.payload..].copy_from_slice(&self.frame[from..to]);
        self.fix_network(data, n);
        self.fix_tcp(data, n, is_last);
        Some(packet)
    }

    fn fix_network(&self, data: &mut [u8], n: usize) {
        let l3 = self.l3;
        if self.v6 {
            let len = (data.len() - l3 - 40) as u16;
            data[l3 + 4..l3 + 6].copy_from_slice(&len.to_be_bytes());
            return;
        }
        let len = (data.len() - l3) as u16;
        data[l3 + 2..l3 + 4].copy_from_slice(&len.to_be_bytes());
        let id = u16::from_be_bytes([data[l3 + 4], data[l3 + 5]]).wrapping_add(n as u16);
        data[l3 + 4..l3 + 6].copy_from_slice(&id.to_be_bytes());
        data[l3 + 10..l3 + 12].fill(0);
        let csum = !(sum(0, &data[l3..self.l4]) as u16);
        data[l3 + 10..l3 + 12].copy_from_slice(&csum.to_be_bytes());
    }

    fn fix_tcp(&self, data: &mut [u8], n: usize, is_last: bool) {
        const FIN_PSH: u8 = 0x09;
        const CWR: u8 = 0x80;
        let l4 = self.l4;
        let seq = u32::from_be_bytes([data[l4 + 4], data[l4 + 5], data[l4 + 6], data[l4 + 7]]);
        let seq = seq.wrapping_add((n * self.mss) as u32);
        data[l4 + 4..l4 + 8].copy_from_slice(&seq.to_be_bytes());
        if !is_last {
            data[l4 + 13] &= !FIN_PSH;
        }
        if n != 0 {
            data[l4 + 13] &= !CWR;
        }
        let len = (data.len() - l4) as u32;
        let addresses = if self.v6 { self.l3 + 8..self.l3 + 40 } else { self.l3 + 12..self.l3 + 20 };
        data[l4 + 16..l4 + 18].fill(0);
        let pseudo = sum(len.wrapping_add(6), &data[addresses]);
        let csum = !(sum(pseudo, &data[l4..]) as u16);
        data[l4 + 16..l4 + 18].copy_from_slice(&csum.to_be_bytes());
    }
}

/// Where the IP header starts, past up to two VLAN tags.
fn network_offset(frame: &[u8], v6: bool) -> Option<usize> {
    let mut at = 12;
    loop {
        match u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]) {
            0x8100 | 0x88a8 if at < 20 => at += 4,
            0x0800 if !v6 => return Some(at + 2),
            0x86dd if v6 => return Some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp4(payload: usize) -> Vec<u8> {
        let mut f = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        f.extend([0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        f.extend([0, 80, 1, 0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 0x50, 0x99, 1, 0, 0, 0, 0, 0]);
        f.extend((0..payload).map(|n| n as u8));
        f
    }

    fn run(header: [u8; VNET_HDR_LEN], frame: &[u8], tag: Option<(u16, u16)>) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        finish(&header, frame, tag, &mut |p| out.push(p.data().to_vec()));
        out
    }

    fn header(flags: u8, gso: u8, size: u16, start: u16, offset: u16) -> [u8; VNET_HDR_LEN] {
        let mut h = [flags, gso, 0, 0, 0, 0, 0, 0, 0, 0];
        h[4..6].copy_from_slice(&size.to_ne_bytes());
        h[6..8].copy_from_slice(&start.to_ne_bytes());
        h[8..10].copy_from_slice(&offset.to_ne_bytes());
        h
    }

    #[test]
    fn tcp_is_cut_into_valid_segments() {
        let frame = tcp4(3000);
        let out = run(header(NEEDS_CSUM, GSO_TCPV4, 1400, 34, 16), &frame, None);
        assert_eq!(out.iter().map(Vec::len).collect::<Vec<_>>(), [1454, 1454, 254]);
        let payload: Vec<u8> = out.iter().flat_map(|s| s[54..].to_vec()).collect();
        assert_eq!(payload, frame[54..]);
        for (n, s) in out.iter().enumerate() {
            assert_eq!(sum(0, &s[14..34]), 0xffff, "IP header checksum");
            assert_eq!(sum(s.len() as u32 - 34 + 6 + sum(0, &s[26..34]), &s[34..]), 0xffff, "TCP checksum");
            assert_eq!(u16::from_be_bytes([s[18], s[19]]), 7 + n as u16, "identification");
            let seq = u32::from_be_bytes([s[38], s[39], s[40], s[41]]);
            assert_eq!(seq, 0xffff_fff0u32.wrapping_add(1400 * n as u32));
            assert_eq!(s[47], [0x90, 0x10, 0x19][n], "CWR first, PSH and FIN last");
        }
    }

    #[test]
    fn partial_checksums_are_completed() {
        let mut frame = tcp4(10);
        let pseudo = sum(30 + 6, &frame[26..34]) as u16;
        frame[50..52].copy_from_slice(&pseudo.to_be_bytes());
        let out = run(header(NEEDS_CSUM, GSO_NONE, 0, 34, 16), &frame, None);
        assert_eq!(sum(30 + 6 + sum(0, &out[0][26..34]), &out[0][34..]), 0xffff);
    }

    #[test]
    fn the_tag_comes_back() {
        let frame = tcp4(0);
        let out = run(header(0, 0, 0, 0, 0), &frame, Some((0x88a8, 0x2064)));
        assert_eq!(out[0][..12], frame[..12]);
        assert_eq!(out[0][12..18], [0x88, 0xa8, 0x20, 0x64, 8, 0]);
    }

    #[test]
    fn nonsense_does_no_harm() {
        let frame = tcp4(100);
        for len in 0..frame.len() {
            for gso in [0, 1, 3, 4, 0x81] {
                for start in [0, 34, 60, u16::MAX] {
                    run(header(1, gso, start / 3, start, start), &frame[..len], Some((1, 2)));
                }
            }
        }
        assert!(run(header(1, GSO_TCPV4, 0, 34, 16), &frame, None).is_empty(), "no segment size");
        assert!(run(header(1, GSO_TCPV4, 1, 34, 16), &tcp4(SEGMENTS_MAX + 1), None).is_empty(), "too many");
    }
}
