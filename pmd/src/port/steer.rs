//! `other_config:tx-steering=hash`: packets of one flow go out by one queue whichever worker sends them, and the flows of
//! one worker are spread over all queues. Off, each worker has its own queue.

use crate::packet::{BURST, Batch, Packet};

/// Queues that packets are spread over at most.
pub const LANES_MAX: usize = 64;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: [u16; 2] = [0x8100, 0x88a8];

/// A number that all packets of a flow share: addresses, protocol and ports of IP, the MAC addresses of anything else.
pub fn hash(frame: &[u8]) -> u32 {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let mut at = 12;
    while at < 20 && word(at).is_some_and(|t| VLAN.contains(&t)) {
        at += 4;
    }
    let network = at + 2;
    let part = |from: usize, len: usize| frame.get(network + from..network + from + len);
    let fields = match word(at) {
        // Ports only where the header has no options and the packet is no fragment: all of one flow or none.
        Some(IPV4)
            if part(0, 1) == Some(&[0x45]) && part(6, 2).is_some_and(|f| f[0] & 0x3f == 0 && f[1] == 0) =>
        {
            part(12, 12).or(part(12, 8))
        }
        Some(IPV4) => part(12, 8),
        Some(IPV6) => part(8, 36).or(part(8, 32)),
        _ => frame.get(..12),
    };
    let fold = |h: u32, b: &u8| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193);
    let h = fields.unwrap_or(frame).iter().fold(0x811c_9dc5, fold);
    h ^ h >> 15
}

/// Takes the packets out of `batch` and gives them to `send` lane by lane; what `send` leaves comes back.
#[cold]
pub fn spread(batch: &mut Batch, lanes: usize, mut send: impl FnMut(usize, &mut Batch)) {
    let lanes = lanes.clamp(1, LANES_MAX);
    let (mut slots, mut lane_of) = ([const { None::<Packet> }; BURST], [0usize; BURST]);
    let n = batch.len();
    for (at, packet) in batch.drain(..).enumerate() {
        lane_of[at] = hash(packet.data()) as usize % lanes;
        slots[at] = Some(packet);
    }
    let mut todo = n;
    for lane in 0..lanes {
        if todo == 0 {
            break;
        }
        let mut part = Batch::new();
        for at in (0..n).filter(|&at| lane_of[at] == lane) {
            part.extend(slots[at].take());
        }
        if !part.is_empty() {
            todo -= part.len();
            send(lane, &mut part);
            batch.extend(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(flow: u8, id: u8) -> Vec<u8> {
        let mut p =
            vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, id, 0, 0, 64 - id, 17, id, id];
        p.extend([10, 0, 0, 1, 10, 0, 0, 2, 4, flow, 0, 80, 0, 26, 0, 0]);
        p.resize(60, id);
        p
    }

    #[test]
    fn flows_stay_together_and_are_spread() {
        let lanes: std::collections::BTreeSet<u32> = (0..64).map(|flow| hash(&udp(flow, 0)) % 4).collect();
        assert_eq!(lanes.len(), 4);
        assert!((0..64).all(|flow| hash(&udp(flow, 0)) == hash(&udp(flow, 9))));
        let mut tagged = udp(1, 0);
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        assert_eq!(hash(&tagged), hash(&udp(1, 0)));
        for len in 0..60 {
            hash(&udp(1, 0)[..len]);
        }
    }

    #[test]
    fn every_packet_goes_once_and_what_is_left_comes_back() {
        let mut batch: Batch = (0..BURST as u8).map(|n| Packet::from_bytes(&udp(n, 0)).unwrap()).collect();
        let mut sent = 0;
        spread(&mut batch, 4, |lane, part| {
            assert!(part.iter().all(|p| hash(p.data()) as usize % 4 == lane));
            if lane != 2 {
                sent += part.len();
                part.clear();
            }
        });
        assert!(!batch.is_empty() && batch.iter().all(|p| hash(p.data()) % 4 == 2));
        assert_eq!(sent + batch.len(), BURST);
    }
}
