//! A burst as parallel arrays, and its parsing. Plane: hot.

use dpif::DpPort;
use flow::packet::Offsets;
use flow::parse::{Malformed, Meta};
use flow::{Flow, LineMap};

use crate::megaflow::{NO_SLOT, Slots, bits};
use crate::packet::{BURST, Batch, Packet};
use crate::simd::{Level, Simd, leveled};

/// See the module text. A packet's bit in a set of packets is its place in the arrays.
pub struct Burst {
    pub packets: [Option<Packet>; BURST],
    pub keys: [Flow; BURST],
    pub offsets: [Offsets; BURST],
    pub lines: [LineMap; BURST],
    pub hashes: [u32; BURST],
    pub slots: Slots,
    /// Times that the packets came back.
    pub depth: u8,
    /// Bytes and TCP flags of all packets in `totals`, so that a burst of one megaflow need not be summed up again.
    totals: (u32, u64, u16),
}

/// What became of a received burst.
pub struct Sorted {
    /// Packets to classify, bit by bit.
    pub todo: u32,
    /// Dropped: shorter than an Ethernet header.
    pub invalid: u32,
    /// Dropped: several segments and no room to join them.
    pub chained: u32,
}

impl Burst {
    pub fn new() -> Box<Burst> {
        let nowhere = Offsets { l2_5: 0, l3: 0, l4: 0, l2_pad: 0 };
        Box::new(Burst {
            packets: [const { None }; BURST],
            keys: [Flow::ZERO; BURST],
            offsets: [nowhere; BURST],
            lines: [LineMap::BASE; BURST],
            hashes: [0; BURST],
            slots: [NO_SLOT; BURST],
            depth: 0,
            totals: (0, 0, 0),
        })
    }

    /// Parses a burst that `in_port` received. Lines of `looked_at` that a packet does not have are zeroed.
    #[inline(always)]
    pub fn receive(&mut self, level: Level, looked_at: LineMap, in_port: DpPort, batch: Batch) -> Sorted {
        self.depth = 0;
        received(level, self, looked_at, in_port.0, batch)
    }

    /// Takes a packet that came back; its key is parsed already.
    pub fn totals_unknown(&mut self) {
        self.totals.0 = 0;
    }

    /// Bytes and TCP flags of a group.
    #[inline(always)]
    pub fn sums(&self, group: u32) -> (u64, u16) {
        let (of, bytes, flags) = self.totals;
        if group == of {
            return (bytes, flags);
        }
        let (mut bytes, mut flags) = (0, 0);
        for at in bits(group) {
            bytes += self.packets[at].as_ref().map_or(0, Packet::len) as u64;
            flags |= self.keys[at].tcp_flags.0;
        }
        (bytes, u16::from_be(flags))
    }
}

leveled! {
    fn received(burst: &mut Burst, looked_at: LineMap, in_port: u32, batch: Batch) -> Sorted = received_with;
}

#[inline(always)]
fn received_with<S: Simd>(burst: &mut Burst, looked_at: LineMap, in_port: u32, batch: Batch) -> Sorted {
    for packet in &batch {
        packet.prefetch_data();
    }
    let meta = Meta::received(0, in_port);
    let shared = S::shared(&meta);
    let mut sorted = Sorted { todo: 0, invalid: 0, chained: 0 };
    let (mut bytes, mut flags) = (0, 0);
    for (at, mut packet) in batch.into_iter().enumerate() {
        if packet.is_chained() && !packet.linearize() {
            sorted.chained += 1;
            continue;
        }
        let data = packet.data();
        let key = &mut burst.keys[at];
        let parsed = S::parse(data, data.len(), &meta, &shared, key, &mut burst.offsets[at]);
        if parsed.malformed == Malformed::Ethernet {
            sorted.invalid += 1;
            continue;
        }
        bytes += data.len() as u64;
        flags |= parsed.tcp_flags.0;
        let missing = LineMap(looked_at.0 & !parsed.lines.0);
        if missing.0 != 0 {
            zero(key, missing);
        }
        burst.lines[at] = LineMap(parsed.lines.0 | missing.0);
        // Nothing was there; to look costs a load and a branch.
        std::mem::forget(burst.packets[at].replace(packet));
        sorted.todo |= 1 << at;
    }
    burst.totals = (sorted.todo, bytes, u16::from_be(flags));
    sorted
}

/// Zeroes `lines` of `key`.
#[inline(always)]
pub fn zero(key: &mut Flow, lines: LineMap) {
    for n in lines.iter() {
        key.lines_mut()[n] = [0; 8];
    }
}
