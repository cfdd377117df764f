//! Oracle tests: random rules and packets against a linear model; the seed is printed on failure.

use std::sync::Arc;

use flow::{Be16, Be32, Flow, Mask};

use super::{Classifier, Conjunction, Entry, MiniMatch, View};

struct R {
    matching: MiniMatch,
    priority: u32,
    conj: Vec<Conjunction>,
    serial: u64,
}

impl Entry for R {
    fn matching(&self) -> &MiniMatch {
        &self.matching
    }
    fn priority(&self) -> u32 {
        self.priority
    }
    fn conjunctions(&self) -> &[Conjunction] {
        &self.conj
    }
}

/// xorshift: enough for tests, reproducible from the seed.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

const IPS: [u32; 8] =
    [0x0a000001, 0x0a000002, 0x0a000101, 0x0a010000, 0xc0a80001, 0xc0a80101, 0x0, 0xffff_ffff];
const PORTS: [u16; 6] = [0, 80, 81, 443, 8080, 65535];

fn random_flow(rng: &mut Rng) -> Flow {
    let mut f = Flow::ZERO;
    f.in_port = rng.below(3) as u32;
    f.dl_src[5] = rng.below(3) as u8;
    f.dl_dst[5] = rng.below(3) as u8;
    f.dl_type = Be16::new(rng.pick(&[0x0800, 0x86dd, 0x0806]));
    f.nw_proto = rng.pick(&[6, 17, 1]);
    f.nw_src = Be32::new(rng.pick(&IPS));
    f.nw_dst = Be32::new(rng.pick(&IPS));
    f.ipv6_src[rng.below(16) as usize] = rng.below(3) as u8;
    f.tp_src = Be16::new(rng.pick(&PORTS));
    f.tp_dst = Be16::new(rng.pick(&PORTS));
    f.regs[0] = rng.below(2) as u32;
    f
}

fn random_mask(rng: &mut Rng) -> Mask {
    let mut m = Mask::NONE;
    let prefix = |len: u64| Be32::new(u32::MAX.checked_shl(32 - len as u32).unwrap_or(0));
    let mut on = |n| rng.below(n) == 0;
    let (port, mac, l3, src, dst, v6, l4, reg) = (on(3), on(4), on(2), on(2), on(2), on(5), on(3), on(6));
    if port {
        m.0.in_port = u32::MAX;
    }
    if mac {
        m.0.dl_dst = [0xff; 6];
    }
    if l3 || src || dst || l4 {
        m.0.dl_type = Be16::MAX;
    }
    if src {
        m.0.nw_src = prefix(rng.pick(&[8, 16, 24, 31, 32]));
    }
    if dst {
        m.0.nw_dst =
            if rng.below(8) == 0 { Be32::new(0xff00_00ff) } else { prefix(rng.pick(&[8, 16, 24, 32])) };
    }
    if v6 {
        m.0.ipv6_src[..8].fill(0xff);
    }
    if l4 {
        m.0.nw_proto = 0xff;
        m.0.tp_dst = Be16::new(rng.pick(&[0xffff, 0xfff0, 0xff00, 0x00ff]));
    }
    if reg {
        m.0.regs[0] = u32::MAX;
    }
    m
}

fn random_rule(rng: &mut Rng, cls: &Classifier<R>, serial: u64) -> Arc<R> {
    let mask = random_mask(rng);
    let flow = random_flow(rng).masked(&mask);
    // Distinct priorities for overlapping rules of different masks: the winner is then defined.
    let priority = (rng.below(40) * 4096 + serial % 4096) as u32;
    Arc::new(R { matching: MiniMatch::new(cls.intern_mask(&mask), &flow), priority, conj: vec![], serial })
}

fn oracle<'a>(rules: &'a [Arc<R>], flow: &Flow) -> Option<&'a Arc<R>> {
    rules.iter().filter(|r| r.matching.matches(flow)).max_by_key(|r| r.priority)
}

/// A packet that agrees with `flow` in `mask` and is random elsewhere.
fn sibling(rng: &mut Rng, flow: &Flow, mask: &Mask) -> Flow {
    let mut other = random_flow(rng);
    let words = super::mini::words_mut(&mut other);
    for ((w, f), m) in words.iter_mut().zip(super::mini::words(flow)).zip(super::mini::words(&mask.0)) {
        *w = (*w & !m) | (f & m);
    }
    other
}

fn check_lookup(rng: &mut Rng, view: &View<R>, rules: &[Arc<R>], seed: u64) {
    let flow = random_flow(rng);
    let mut mask = Mask::NONE;
    let got = view.lookup(&flow, &mut mask).map(|r| r.serial);
    assert_eq!(got, oracle(rules, &flow).map(|r| r.serial), "seed {seed}: winner of {flow:?}");
    for _ in 0..8 {
        let other = sibling(rng, &flow, &mask);
        let want = oracle(rules, &other).map(|r| r.serial);
        assert_eq!(got, want, "seed {seed}: mask {mask:?} covers {other:?} but its winner differs");
    }
}

#[test]
fn random_rules_agree_with_linear_search() {
    for seed in 1..=30u64 {
        let mut rng = Rng(seed * 0x1234_5677);
        let mut cls = Classifier::<R>::default();
        let mut rules: Vec<Arc<R>> = Vec::new();
        for serial in 0..300 {
            if rng.below(3) == 0 && !rules.is_empty() {
                let victim = rules.swap_remove(rng.below(rules.len() as u64) as usize);
                assert!(cls.remove(&victim).is_some(), "seed {seed}");
            } else {
                let rule = random_rule(&mut rng, &cls, serial);
                let replaced = cls.insert(rule.clone());
                rules.retain(|r| replaced.as_ref().is_none_or(|old| !Arc::ptr_eq(old, r)));
                rules.push(rule);
            }
            assert_eq!(cls.view().len(), rules.len(), "seed {seed}");
            check_lookup(&mut rng, cls.view(), &rules, seed);
        }
        for rule in rules.drain(..) {
            cls.remove(&rule);
        }
        assert_eq!((cls.view().len(), cls.view().n_subtables()), (0, 0));
        assert!(cls.view().tries.iter().all(super::Trie::is_empty), "seed {seed}: a trie kept a prefix");
    }
}

#[test]
fn an_old_view_does_not_change() {
    let mut rng = Rng(7);
    let mut cls = Classifier::<R>::default();
    for serial in 0..100 {
        cls.insert(random_rule(&mut rng, &cls, serial));
    }
    let old = cls.view().clone();
    let before: Vec<u64> = old.iter().map(|r| r.serial).collect();
    let all: Vec<_> = old.iter().cloned().collect();
    all.iter().for_each(|r| drop(cls.remove(r)));
    assert!(cls.view().is_empty());
    assert_eq!(before, old.iter().map(|r| r.serial).collect::<Vec<_>>());
}

#[test]
fn loose_selection_agrees_with_linear_search() {
    let mut rng = Rng(99);
    let mut cls = Classifier::<R>::default();
    for serial in 0..500 {
        cls.insert(random_rule(&mut rng, &cls, serial));
    }
    for _ in 0..200 {
        let mask = random_mask(&mut rng);
        let flow = random_flow(&mut rng).masked(&mask);
        let mut got: Vec<u64> = Vec::new();
        cls.view().for_each_within(&flow, &mask, |r| got.push(r.serial));
        let inside = |r: &&Arc<R>| r.matching.is_at_least_as_specific(&flow, &mask);
        let mut want: Vec<u64> = cls.view().iter().filter(inside).map(|r| r.serial).collect();
        got.sort_unstable();
        want.sort_unstable();
        assert_eq!(got, want);
    }
}

#[test]
fn mixed_prefixes_leave_most_bits_wild() {
    let mut cls = Classifier::<R>::default();
    for (n, len) in [8u32, 16, 24, 32].into_iter().enumerate() {
        let mut mask = Mask::NONE;
        mask.0.dl_type = Be16::MAX;
        mask.0.nw_dst = Be32::new(u32::MAX << (32 - len));
        let mut flow = Flow::ZERO;
        flow.dl_type = Be16::new(0x0800);
        flow.nw_dst = Be32::new(0x0a01_0203);
        let matching = MiniMatch::new(cls.intern_mask(&mask), &flow.masked(&mask));
        cls.insert(Arc::new(R { matching, priority: len, conj: vec![], serial: n as u64 }));
    }
    let mut flow = Flow::ZERO;
    flow.dl_type = Be16::new(0x0800);
    flow.nw_dst = Be32::new(0xc0a8_0001);
    let mut mask = Mask::NONE;
    assert!(cls.view().lookup(&flow, &mut mask).is_none());
    assert_eq!(mask.0.nw_dst, Be32::new(0x8000_0000), "one bit tells 192/8 from 10/8");
}

#[test]
fn a_conjunction_wins_when_all_clauses_match() {
    let mut cls = Classifier::<R>::default();
    let mut add = |set: &dyn Fn(&mut Flow, &mut Flow), priority, conj: Vec<Conjunction>, serial| {
        let (mut flow, mut mask) = (Flow::ZERO, Mask::NONE);
        set(&mut flow, &mut mask.0);
        let matching = MiniMatch::new(cls.intern_mask(&mask), &flow);
        cls.insert(Arc::new(R { matching, priority, conj, serial }));
    };
    let clause = |id, clause| vec![Conjunction { id, clause, n_clauses: 2 }];
    let src = |ip| {
        move |f: &mut Flow, m: &mut Flow| {
            f.nw_src = Be32::new(ip);
            m.nw_src = Be32::MAX;
        }
    };
    let port = |p| {
        move |f: &mut Flow, m: &mut Flow| {
            f.tp_dst = Be16::new(p);
            m.tp_dst = Be16::MAX;
        }
    };
    add(&src(1), 100, clause(9, 0), 1);
    add(&src(2), 100, clause(9, 0), 2);
    add(&port(80), 100, clause(9, 1), 3);
    add(
        &|f, m| {
            f.conj_id = 9;
            m.conj_id = u32::MAX;
        },
        50,
        vec![],
        4,
    );
    add(&|_, _| (), 1, vec![], 5);
    let winner = |ip, p| {
        let mut f = Flow::ZERO;
        f.nw_src = Be32::new(ip);
        f.tp_dst = Be16::new(p);
        cls.view().lookup(&f, &mut Mask::default()).map(|r| r.serial)
    };
    assert_eq!(winner(1, 80), Some(4));
    assert_eq!(winner(2, 80), Some(4));
    assert_eq!(winner(3, 80), Some(5));
    assert_eq!(winner(1, 81), Some(5));
}

/// Prints the times of loading and looking up at size; run by hand with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement of minutes, not a check"]
fn a_million_rules_over_a_thousand_masks() {
    let mut rng = Rng(5);
    let mut cls = Classifier::<R>::default();
    let masks: Vec<Mask> = (0..1000u32)
        .map(|n| {
            let mut m = Mask::NONE;
            m.0.dl_type = Be16::MAX;
            m.0.nw_src = Be32::new(u32::MAX << (n % 25));
            m.0.nw_dst = Be32::new(u32::MAX << (n / 25 % 25));
            m.0.tp_dst = if n >= 625 { Be16::MAX } else { Be16::ZERO };
            m
        })
        .collect();
    let random = |rng: &mut Rng| {
        let mut f = Flow::ZERO;
        f.dl_type = Be16::new(0x0800);
        (f.nw_src, f.nw_dst) = (Be32::new(rng.next() as u32), Be32::new(rng.next() as u32));
        f.tp_dst = Be16::new(rng.below(1000) as u16);
        f
    };
    let begin = std::time::Instant::now();
    let mut published = cls.view().clone();
    for serial in 0..1_000_000u64 {
        let mask = &masks[(serial % 1000) as usize];
        let flow = random(&mut rng).masked(mask);
        let priority = rng.below(60_000) as u32;
        let matching = MiniMatch::new(cls.intern_mask(mask), &flow);
        cls.insert(Arc::new(R { matching, priority, conj: vec![], serial }));
        published = cls.view().clone();
    }
    println!("{} rules, {} masks in {:?}", published.len(), published.n_subtables(), begin.elapsed());
    let known: Vec<Flow> = published.iter().step_by(97).take(5000).map(|r| r.matching.to_flow()).collect();
    for (what, flows) in
        [("random packets", (0..5000).map(|_| random(&mut rng)).collect()), ("packets of rules", known)]
    {
        let mut times: Vec<u128> = flows
            .iter()
            .map(|flow| {
                let begin = std::time::Instant::now();
                std::hint::black_box(published.lookup(flow, &mut Mask::default()));
                begin.elapsed().as_nanos()
            })
            .collect();
        times.sort_unstable();
        println!("{what}: p50 {} ns, p99 {} ns", times[times.len() / 2], times[times.len() * 99 / 100]);
    }
}
