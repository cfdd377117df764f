//! Table and cache against a list that is searched from end to end, under random operations.
use super::*;
use crate::emc::Cache;
use crate::hot::{Groups, Hot};
use dpif::{Megaflow as _, Ufid, WorkerId};

/// A small generator, so that a failing seed can be named.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        self.0 >> 33 ^ self.0
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn attributes(n: u128) -> Attributes {
    Attributes { ufid: Ufid(n), worker: WorkerId(1), actions: Arc::from([]), owner: None }
}

/// Non-overlapping megaflows need disjoint packets: the in_port tells which mask a packet falls under.
fn random_mask(port: u32) -> Mask {
    let mut mask = Mask::NONE;
    let m = &mut mask.0;
    m.in_port = u32::MAX;
    m.nw_dst = (u32::MAX << (port % 33 / 2)).into();
    if port & 1 != 0 {
        m.ipv6_dst = [0xff; 16];
    }
    if port & 2 != 0 {
        m.tp_dst = u16::MAX.into();
        m.ct_label[15] = 0x0f;
    }
    mask
}

fn random_key(random: &mut Random, spread: u64) -> (Flow, LineMap) {
    let mut key = Flow::ZERO;
    let mut lines = LineMap::BASE;
    // Half of the packets meet the few megaflows of one port.
    key.in_port = if random.below(2) == 0 { 4 } else { random.below(40) as u32 };
    key.nw_dst = (random.below(spread) as u32).into();
    key.tp_dst = (random.below(4) as u16).into();
    if random.below(2) == 0 {
        key.ipv6_dst[15] = random.below(3) as u8;
        lines.insert(1);
    }
    if random.below(2) == 0 {
        key.ct_label[15] = random.below(16) as u8;
        lines.insert(3);
    }
    (key, lines)
}

#[derive(Default)]
struct Model(Vec<Arc<Megaflow>>);

impl Model {
    fn lookup(&self, key: &Flow) -> Option<Ufid> {
        self.0.iter().find(|f| f.mask().matches(&f.key(), key)).map(|f| f.ufid())
    }
}

fn run(seed: u64, spread: u64, steps: usize) -> u64 {
    let mut random = Random(seed);
    let mut table: Table<u128> = Table::new(random.next());
    let mut cache = Cache::new(256, random.next());
    let (mut hot, mut n_hot) = (Hot::default(), 0);
    let mut model = Model::default();
    for step in 0..steps {
        match random.below(10) {
            0..=4 => {
                let (key, _) = random_key(&mut random, spread);
                let id = step as u128;
                let expected = model.lookup(&key);
                match table.insert(&key, &random_mask(key.in_port), Arc::new(id), attributes(id)) {
                    Ok(flow) => {
                        assert_eq!(expected, None, "seed {seed} step {step}");
                        assert!(flow.mask().covers(&random_mask(key.in_port)));
                        model.0.push(flow);
                    }
                    Err(e) => {
                        assert!(expected.is_some() && e == FlowError::Exists, "seed {seed} step {step}")
                    }
                }
            }
            5 if !model.0.is_empty() => {
                let flow = model.0.swap_remove(random.below(model.0.len() as u64) as usize);
                hot.forget(table.remove(&flow).unwrap());
                assert!(flow.is_dead() && table.remove(&flow).is_none());
            }
            6 => table.rank(),
            _ => {
                let mut keys = [Flow::ZERO; BURST];
                let mut hashes = [0; BURST];
                for (key, hash) in keys.iter_mut().zip(&mut hashes) {
                    let (fresh, mut lines) = random_key(&mut random, spread);
                    key.lines_mut().as_flattened_mut().fill(0x5555_5555_5555_5555);
                    for n in lines.iter() {
                        key.lines_mut()[n] = fresh.lines()[n];
                    }
                    *hash = cache.hash(key, lines);
                    table.prepare(key, &mut lines);
                    key.zero_except(lines);
                }
                let levels: Vec<_> = Level::all().collect();
                let level = levels[random.below(levels.len() as u64) as usize];
                let mut slots = [NO_SLOT; BURST];
                // First the hot ones, taught on what the table says; then the cache; then the table.
                let mut groups = Groups::new();
                let mut left = u32::MAX;
                if !hot.is_sampling() {
                    left = hot.lookup(level, &table, &keys, left, &mut groups);
                    n_hot += u64::from((!left).count_ones());
                }
                for &(slot, group) in &groups {
                    bits(group).for_each(|n| slots[n] = slot);
                }
                let cached = cache.lookup(level, &table, &keys, &hashes, left, &mut slots);
                let found = table.lookup_burst(level, &keys, left & !cached, &mut slots) | cached | !left;
                if hot.is_sampling() {
                    let groups = bits(found).map(|n| (slots[n], 1 << n)).collect();
                    hot.learn(&table, &groups);
                }
                for (n, key) in keys.iter().enumerate() {
                    let got = (found >> n & 1 != 0).then(|| table.get(slots[n]).unwrap().flow.ufid());
                    assert_eq!(got, model.lookup(key), "seed {seed} step {step} packet {n}");
                    if got.is_some() {
                        cache.insert(hashes[n], slots[n]);
                    }
                }
            }
        }
        assert_eq!(table.len(), model.0.len());
    }
    table.flush();
    assert!(table.is_empty() && model.0.iter().all(|f| f.is_dead()));
    n_hot
}

#[test]
fn agrees_with_a_list() {
    for seed in 1..=6 {
        run(seed, 40, 3000);
    }
}

#[test]
fn hot_megaflows_agree_with_a_list() {
    let n_hot: u64 = (1..=4).map(|seed| run(seed, 1, 3000)).sum();
    assert!(n_hot > 1000, "{n_hot}");
}

#[test]
fn agrees_with_a_list_when_it_grows() {
    run(99, 1 << 20, 6000);
}

#[test]
fn many_flows_of_one_mask() {
    let mut table: Table<u32> = Table::new(3);
    let mut mask = Mask::NONE;
    mask.0.nw_dst = u32::MAX.into();
    let key = |n: u32| {
        let mut key = Flow::ZERO;
        key.nw_dst = n.into();
        key
    };
    const N: u32 = 100_000;
    let flows: Vec<_> =
        (0..N).map(|n| table.insert(&key(n), &mask, Arc::new(n), attributes(n.into())).unwrap()).collect();
    assert_eq!((table.len(), table.n_masks()), (N as usize, 1));
    for n in (0..N).step_by(7) {
        assert!(table.remove(&flows[n as usize]).is_some());
    }
    for n in 0..N {
        let slot = table.lookup(&key(n)).and_then(|slot| table.get(slot)).map(|s| *s.program);
        assert_eq!(slot, (n % 7 != 0).then_some(n));
    }
}

#[test]
fn masks_are_bounded() {
    let mut table: Table<()> = Table::new(3);
    for n in 0..20_000u32 {
        let mut key = Flow::ZERO;
        (key.nw_src, key.nw_dst) = (n.wrapping_mul(0x9e37_79b9).into(), (!n).into());
        key.tp_dst = (n as u16).into();
        let mut mask = Mask::NONE;
        mask.0.nw_src = (u32::MAX << (n % 32)).into();
        mask.0.nw_dst = (u32::MAX << (n / 32 % 32)).into();
        mask.0.tp_dst = (u16::MAX << (n / 1024 % 16)).into();
        let _ = table.insert(&key, &mask, Arc::new(()), attributes(n.into()));
    }
    assert!(table.n_masks() <= MASKS_FREE + 100, "{}", table.n_masks());
    assert!(table.n_narrowed() > 0);
}

#[test]
fn counters_and_replacement() {
    let mut table: Table<u8> = Table::new(3);
    let flow = table.insert(&Flow::ZERO, &Mask::NONE, Arc::new(1), attributes(7)).unwrap();
    flow.count(3, 300, 0x12, 55);
    flow.count(1, 60, 0x01, 56);
    assert_eq!(flow.stats(), dpif::FlowStats { packets: 4, bytes: 360, used_ms: 56, tcp_flags: 0x13 });
    assert!(table.replace(&flow, Arc::new(2), Arc::from([Action::PopVlan])));
    assert_eq!(*table.get(0).unwrap().program, 2);
    assert_eq!(&*flow.actions(), &[Action::PopVlan]);
}
