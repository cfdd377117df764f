//! Cycles per packet of the pure parts of the hot path: parse, hash, index cache, megaflow table.
//!
//! `cargo run --release -p perf --bin micro [FILTER]`. All benches run in turn, round after round, so that a slow second of
//! the host hits them alike; the table shows the median and the best round in TSC cycles per packet.

use std::hint::black_box;
use std::sync::Arc;

use dpif::{Ufid, WorkerId};
use flow::parse::{Meta, parse_len};
use flow::{Flow, LineMap, Mask, Match};
use pmd::emc::Cache;
use pmd::megaflow::{Attributes, NO_SLOT, Table};
use pmd::packet::BURST;
use pmd::simd::Level;

const ROUNDS: usize = 31;

/// One bench: a name and a closure that handles some packets and says how many.
struct Bench {
    name: String,
    run: Box<dyn FnMut() -> usize>,
}

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let mut benches: Vec<Bench> = Vec::new();
    parse_benches(&mut benches);
    hash_benches(&mut benches);
    for n_flows in [1, 1_000, 10_000, 100_000] {
        lookup_benches(&mut benches, n_flows);
    }
    benches.retain(|b| b.name.contains(&filter));
    let mut samples = vec![Vec::new(); benches.len()];
    for _ in 0..ROUNDS {
        for (bench, samples) in benches.iter_mut().zip(&mut samples) {
            let begin = pmd::tsc::now();
            let n = (bench.run)();
            samples.push((pmd::tsc::now() - begin) as f64 / n as f64);
        }
    }
    println!("{:<44} {:>8} {:>8}", "cycles per packet", "median", "best");
    for (bench, samples) in benches.iter().zip(&mut samples) {
        samples.sort_by(f64::total_cmp);
        println!("{:<44} {:>8.1} {:>8.1}", bench.name, samples[ROUNDS / 2], samples[0]);
    }
}

fn flow_of(text: &str) -> Flow {
    Match::parse(text, None).expect("a match").flow
}

/// Buffers as a pool has them: 2 KiB apart, some headroom, so that cache sets are used as in life.
struct Pool {
    bytes: Vec<u8>,
    len: usize,
    n: usize,
}

const STRIDE: usize = 2176;

impl Pool {
    fn new(packets: &[Vec<u8>]) -> Self {
        let mut bytes = vec![0; STRIDE * packets.len()];
        for (n, packet) in packets.iter().enumerate() {
            bytes[n * STRIDE + 128..][..packet.len()].copy_from_slice(packet);
        }
        Self { bytes, len: packets[0].len(), n: packets.len() }
    }
    fn packet(&self, n: usize) -> &[u8] {
        &self.bytes[n * STRIDE + 128..][..self.len]
    }
}

fn parse_benches(benches: &mut Vec<Bench>) {
    for (name, text) in [
        ("eth/ipv4/udp", "udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2"),
        ("eth/ipv4/tcp", "tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2"),
        ("eth/vlan/ipv4/udp", "udp,dl_vlan=5,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2"),
        ("eth/ipv6/udp", "udp6,ipv6_src=1::2,ipv6_dst=3::4,tp_src=1,tp_dst=2"),
        ("eth/arp", "arp,arp_spa=1.2.3.4,arp_sha=02:00:00:00:00:01"),
    ] {
        let packets: Vec<_> = (0..BURST as u16)
            .map(|n| {
                let mut key = flow_of(text);
                key.tp_src = n.into();
                let mut packet = flow::packet::compose(&key, b"");
                packet.resize(packet.len().max(60), 0);
                packet
            })
            .collect();
        let pool = Pool::new(&packets);
        let mut keys = vec![Flow::ZERO; BURST];
        let run = move || {
            let meta = Meta::received(0, 3);
            for _ in 0..200 {
                for (n, key) in keys.iter_mut().enumerate() {
                    let packet = pool.packet(n);
                    black_box(parse_len(packet, packet.len(), &meta, key));
                }
                black_box(&keys);
            }
            200 * pool.n
        };
        benches.push(Bench { name: format!("parse {name}"), run: Box::new(run) });
    }
}

fn hash_benches(benches: &mut Vec<Bench>) {
    for (name, lines) in [("base", LineMap::BASE), ("base+l3", LineMap(3))] {
        let keys: Vec<_> = (0..BURST as u16)
            .map(|n| {
                let mut key = flow_of("udp,nw_src=10.0.0.1");
                key.tp_src = n.into();
                key
            })
            .collect();
        let run = move || {
            for _ in 0..500 {
                for key in &keys {
                    black_box(flow::hash::flow_hash(key, black_box(lines), 7));
                }
            }
            500 * keys.len()
        };
        benches.push(Bench { name: format!("hash {name}"), run: Box::new(run) });
    }
}

/// `n_flows` exact megaflows of `n_masks` masks in turn.
fn table(n_flows: usize, n_masks: usize) -> (Table<u32>, Vec<Flow>) {
    let mut table = Table::new(5);
    let mut keys = Vec::new();
    for n in 0..n_flows {
        let mut key = flow_of("udp,nw_src=10.0.0.1,tp_src=7,tp_dst=9");
        key.nw_dst = (n as u32).wrapping_mul(0x9e37_79b1).into();
        key.nw_tos = (n % n_masks) as u8;
        let mut mask = Mask::NONE;
        let m = &mut mask.0;
        (m.in_port, m.recirc_id, m.packet_type) = (u32::MAX, u32::MAX, u32::MAX.into());
        (m.dl_type, m.nw_frag, m.nw_dst) = (u16::MAX.into(), 3, u32::MAX.into());
        m.nw_tos = 0xff;
        // Different masks of the same megaflows: one more bit of the source each.
        m.nw_src = (!(u32::MAX >> (n % n_masks))).into();
        let attributes =
            Attributes { ufid: Ufid(n as u128), worker: WorkerId(0), actions: Arc::from([]), owner: None };
        if table.insert(&key, &mask, Arc::new(n as u32), attributes).is_ok() {
            keys.push(key);
        }
    }
    (table, keys)
}

/// What differs between the flows of `table`: so little that putting it into a key costs next to nothing.
fn part(key: &Flow) -> (flow::Be32, u8) {
    (key.nw_dst, key.nw_tos)
}

fn lookup_benches(benches: &mut Vec<Bench>, n_flows: usize) {
    // A random walk over the flows, so that the hardware does not guess the next one.
    let order = |len: usize| {
        let mut state = 1u64;
        move || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 33) as usize % len
        }
    };
    let (megaflows, keys) = table(n_flows, 1);
    let mut cache = Cache::new((2 * n_flows).max(pmd::emc::ENTRIES_DEFAULT), 9);
    for key in &keys {
        let slot = megaflows.lookup(key).expect("installed");
        cache.insert(cache.hash(key, LineMap::BASE), slot);
    }
    let mut next = order(keys.len());
    let walk: Vec<_> = (0..8192).map(|_| part(&keys[next()])).collect();
    let mut burst = [keys[0]; BURST];
    let run = move || {
        let (mut n, mut hits) = (0, 0);
        for chunk in walk.as_chunks::<BURST>().0 {
            for (key, from) in burst.iter_mut().zip(chunk) {
                (key.nw_dst, key.nw_tos) = *from;
            }
            let mut hashes = [0; BURST];
            for (hash, key) in hashes.iter_mut().zip(&burst) {
                *hash = cache.hash(key, LineMap::BASE);
                cache.prefetch(*hash);
            }
            let mut slots = [NO_SLOT; BURST];
            hits +=
                cache.lookup(Level::here(), &megaflows, &burst, &hashes, u32::MAX, &mut slots).count_ones();
            black_box(&slots);
            n += BURST;
        }
        assert!(hits as usize * 10 >= n * 9, "{hits} hits of {n}");
        n
    };
    benches.push(Bench { name: format!("hash+index cache, {n_flows} flows"), run: Box::new(run) });

    for n_masks in [1, 10, 30] {
        if n_flows < n_masks {
            continue;
        }
        let (mut megaflows, keys) = table(n_flows, n_masks);
        let mut next = order(keys.len());
        let walk: Vec<_> = (0..4096).map(|_| part(&keys[next()])).collect();
        let mut burst = [keys[0]; BURST];
        let run = move || {
            let (mut n, mut hits) = (0, 0);
            for chunk in walk.as_chunks::<BURST>().0 {
                for (key, from) in burst.iter_mut().zip(chunk) {
                    (key.nw_dst, key.nw_tos) = *from;
                }
                let mut slots = [NO_SLOT; BURST];
                hits += megaflows.lookup_burst(Level::here(), &burst, u32::MAX, &mut slots).count_ones();
                black_box(&slots);
                n += BURST;
            }
            assert_eq!(hits as usize, n);
            n
        };
        let name = format!("megaflow table, {n_flows} flows, {n_masks} masks");
        benches.push(Bench { name, run: Box::new(run) });
    }
}
