//! The way of a packet through the switch, one burst at a time:
//!
//! ```text
//!  rx -> parse -> hot megaflows -> index cache -> megaflow table -> (miss: upcall) -> actions by group -> lanes -> tx
//!           ^                                                                            |
//!           +------------------------------- recirculation (bounded) <-------------------+
//! ```
//! Read [`Pipeline::poll`] first. Plane: hot; one pipeline per worker, used by its thread alone. Nothing here locks, makes a
//! system call, formats text or reads a clock per packet; the upcall allocates, hits do not.

mod burst;
pub mod lanes;
mod miss;
mod run;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use dpif::{DpPort, DropReason, UpcallReply};
use flow::Flow;
use flow::packet::Offsets;
use flow::parse::{VLAN_LIMIT_DEFAULT, parse};

use crate::action::{self, Item, Program};
use crate::emc::{Cache, ENTRIES_DEFAULT, ENTRIES_MAX};
use crate::hot::{Groups, Hot};
use crate::megaflow::{Slots, Table, bits};
use crate::packet::{BURST, Batch};
use crate::port::Port;
use crate::registry::Event;
use crate::simd::{Level, Simd, leveled};
use crate::tsc;
use crate::worker::plan::{Plan, Poll};
use crate::worker::stats::{STAGE_SAMPLE, Stage};
use crate::worker::{Command, Common, Shared};
use burst::{Burst, Sorted};
use lanes::{Lanes, Recirculated};

/// Times that a packet may come back into the pipeline.
const RECIRC_DEPTH_MAX: u8 = 6;
/// Masks from which on the index cache is used.
const CACHE_MASKS_MIN: usize = 3;
/// Lists of hot megaflows; ports share them by number.
const HOT_LISTS: usize = 16;
/// How old the time that megaflows are stamped with may be.
const CLOCK_PERIOD_MS: u64 = 1;

/// A worker's packet machinery.
pub struct Pipeline {
    shared: Arc<Shared>,
    common: Arc<Common>,
    level: Level,
    table: Table<Program>,
    hot: Box<[Hot; HOT_LISTS]>,
    cache: Cache,
    burst: Box<Burst>,
    lanes: Lanes,
    /// Packets on their way through a program, and where it left them.
    items: Vec<Item>,
    out: action::Lanes,
    reply: UpcallReply,
    programs: miss::Programs,
    clock: TurnClock,
    stages: StageTimer,
    large_cache: bool,
    /// The cache is used for this burst: packets that no hot megaflow had have their hashes.
    hashed: bool,
    /// One new microflow in this many is cached; 0 = none.
    insert_inv_prob: u32,
    insert_seed: u32,
    next_rank: u64,
}

/// Milliseconds for megaflows, taken from the daemon's clock about once a millisecond.
#[derive(Default)]
struct TurnClock {
    now_ms: i64,
    next: u64,
    period: u64,
}

/// Cycles by stage, on sampled bursts.
#[derive(Default)]
struct StageTimer {
    countdown: u32,
    on: bool,
    last: u64,
}

impl Pipeline {
    pub fn new(shared: Arc<Shared>, common: Arc<Common>) -> Pipeline {
        let seed = random_seed();
        Pipeline {
            level: Level::here(),
            table: Table::new(seed),
            hot: Default::default(),
            cache: Cache::new(ENTRIES_DEFAULT, seed.rotate_left(32)),
            burst: Burst::new(),
            lanes: Lanes::new(shared.tx),
            items: Vec::with_capacity(BURST),
            out: action::Lanes::default(),
            reply: UpcallReply::default(),
            programs: miss::Programs::default(),
            clock: TurnClock { period: tsc::hz() / 1000 * CLOCK_PERIOD_MS, ..TurnClock::default() },
            stages: StageTimer::default(),
            large_cache: false,
            hashed: false,
            insert_inv_prob: 1,
            insert_seed: seed as u32 | 1,
            next_rank: 0,
            shared,
            common,
        }
    }

    /// Takes over a new plan.
    pub fn adopt(&mut self, plan: &Plan) {
        let settings = &plan.snapshot.settings;
        self.lanes.resize(plan.snapshot.ports.len());
        // An index entry costs 8 bytes and no key copy, so up to the default of 1/100 every microflow is worth one.
        self.insert_inv_prob = match settings.emc_insert_inv_prob {
            0 if settings.smc_enable => 1,
            n if n <= 100 => n.min(1),
            n => n,
        };
        if settings.smc_enable != self.large_cache {
            self.large_cache = settings.smc_enable;
            let n = if self.large_cache { ENTRIES_MAX } else { ENTRIES_DEFAULT };
            self.cache = Cache::new(n, random_seed());
        }
        if settings.emc_insert_inv_prob == 0 {
            self.cache.clear();
        }
    }

    /// One turn for one queue: receives a burst and takes it all the way. Returns how many packets came.
    #[inline]
    pub fn poll(&mut self, plan: &Plan, poll: &Poll, now: u64) -> usize {
        self.stages.begin(now);
        let mut batch = Batch::new();
        poll.port.rx(poll.queue, &mut batch);
        let n = batch.len();
        if n == 0 {
            return 0;
        }
        self.clock.tick(now, &self.common.clock);
        self.stages.end(&self.shared, Stage::Rx);
        self.shared.stats.rx_packets.add(n as u64);
        self.receive(plan, &poll.port, batch);
        self.recirculate(plan);
        if plan.snapshot.settings.tx_flush_interval_us == 0 {
            self.lanes.flush(plan, &self.shared.stats);
        }
        self.stages.end(&self.shared, Stage::Tx);
        self.stages.packets(&self.shared, n);
        n
    }

    /// A burst from a port: parse, classify, act.
    #[inline]
    fn receive(&mut self, plan: &Plan, port: &Port, batch: Batch) {
        let looked_at = self.table.lines();
        let Sorted { todo, invalid, chained } = self.burst.receive(self.level, looked_at, port.no, batch);
        if invalid | chained != 0 {
            drop_packets(Some(port), &self.shared, DropReason::RxInvalid, invalid as usize);
            drop_packets(Some(port), &self.shared, DropReason::NoBuffer, chained as usize);
        }
        self.stages.end(&self.shared, Stage::Parse);
        self.classify(plan, Some(port), todo);
    }

    /// With few masks the table itself is quicker than the cache in front of it.
    #[inline(always)]
    fn uses_cache(&self, port: Option<&Port>) -> bool {
        self.insert_inv_prob != 0
            && self.table.n_masks() >= CACHE_MASKS_MIN
            && port.is_none_or(|p| p.emc.load(Relaxed))
    }

    /// Packets that actions sent back.
    fn recirculate(&mut self, plan: &Plan) {
        while let Some(first) = self.lanes.recirc.front() {
            let (depth, in_port) = (first.depth, first.item.meta.in_port);
            let port = plan.snapshot.port(DpPort(in_port)).map(Arc::as_ref);
            let alike = |r: &&Recirculated| r.depth == depth && r.item.meta.in_port == in_port;
            let n = self.lanes.recirc.iter().take(BURST).take_while(alike).count();
            if depth > RECIRC_DEPTH_MAX {
                self.lanes.recirc.drain(..n);
                drop_packets(port, &self.shared, DropReason::Recirc, n);
                continue;
            }
            self.shared.stats.recirculated.add(n as u64);
            let todo = self.parse_again(n, depth);
            self.classify(plan, port, todo);
        }
    }

    /// Parses the first `n` packets of the recirculation queue into the burst.
    fn parse_again(&mut self, n: usize, depth: u8) -> u32 {
        let burst = &mut *self.burst;
        burst.depth = depth;
        burst.totals_unknown();
        for (at, Recirculated { item, .. }) in self.lanes.recirc.drain(..n).enumerate() {
            let data = item.packet.data();
            let parsed = parse(data, &item.meta.meta(data.len(), VLAN_LIMIT_DEFAULT), &mut burst.keys[at]);
            burst.offsets[at] = Offsets::from(&parsed);
            burst.lines[at] = parsed.lines;
            self.table.prepare(&mut burst.keys[at], &mut burst.lines[at]);
            burst.packets[at] = Some(item.packet);
        }
        u32::MAX >> (BURST - n)
    }

    /// Finds the megaflow of every packet in `todo`, asking for those that have none, and runs their actions.
    #[inline]
    fn classify(&mut self, plan: &Plan, port: Option<&Port>, todo: u32) {
        let mut groups = Groups::new();
        let which = port.map_or(0, |p| p.no.0 as usize) + usize::from(self.burst.depth) * 5;
        let hot = &mut self.hot[which % HOT_LISTS];
        let sampling = hot.is_sampling();
        let mut left = todo;
        if !sampling {
            left = hot.lookup(self.level, &self.table, &self.burst.keys, todo, &mut groups);
            self.shared.stats.simple_hits.add(u64::from((todo & !left).count_ones()));
        }
        self.stages.end(&self.shared, Stage::Emc);
        let mut missing = 0;
        if left != 0 {
            missing = self.search(port, left, &mut groups);
            if sampling {
                self.hot[which % HOT_LISTS].learn(&self.table, &groups);
            }
            self.stages.end(&self.shared, Stage::Megaflow);
        }
        for (slot, group) in groups {
            self.run_hits(plan, port, slot, group);
        }
        self.stages.end(&self.shared, Stage::Actions);
        if missing != 0 {
            self.miss(plan, port, missing);
            self.stages.end(&self.shared, Stage::Upcall);
        }
    }

    /// Looks `todo` up in the cache and the table; adds what they hit to `groups` and returns what they do not have.
    #[inline(never)]
    fn search(&mut self, port: Option<&Port>, todo: u32, groups: &mut Groups) -> u32 {
        self.hashed = self.uses_cache(port);
        let burst = &mut *self.burst;
        let stats = &self.shared.stats;
        let mut hits = 0;
        if self.hashed {
            for at in bits(todo) {
                let key = &burst.keys[at];
                burst.hashes[at] = self.cache.hash(key, burst.lines[at]) ^ recirc_salt(key);
                self.cache.prefetch(burst.hashes[at]);
            }
            hits = self.cache.lookup(
                self.level,
                &self.table,
                &burst.keys,
                &burst.hashes,
                todo,
                &mut burst.slots,
            );
            // One cache stands for both of OVS's: it is the large one when `smc-enable` asks for that.
            let counter = if self.large_cache { &stats.smc_hits } else { &stats.emc_hits };
            counter.add(u64::from(hits.count_ones()));
        }
        let mut missing = todo & !hits;
        if missing != 0 {
            let probes = self.table.n_probes;
            let found = self.table.lookup_burst(self.level, &burst.keys, missing, &mut burst.slots);
            stats.subtable_lookups.add(self.table.n_probes - probes);
            stats.megaflow_hits.add(u64::from(found.count_ones()));
            if self.hashed {
                for at in bits(found) {
                    if self.insert_inv_prob == 1
                        || random(&mut self.insert_seed).is_multiple_of(self.insert_inv_prob)
                    {
                        self.cache.insert(burst.hashes[at], burst.slots[at]);
                    }
                }
            }
            missing &= !found;
            hits |= found;
        }
        group(self.level, &burst.slots, hits, groups);
        missing
    }

    /// Once per turn, after all queues: flushes lanes that waited long enough. Returns how much work that was.
    pub fn end_turn(&mut self, plan: &Plan, now: u64) -> usize {
        let interval_us = plan.snapshot.settings.tx_flush_interval_us;
        let mut work = 0;
        if self.shared.is_main() {
            for poll in &plan.polls {
                work += poll.port.device.drain();
            }
        }
        if interval_us != 0 && self.lanes.is_due(now, interval_us) {
            work += self.lanes.flush(plan, &self.shared.stats);
        }
        if now >= self.next_rank {
            self.next_rank = now + tsc::hz();
            self.table.rank();
        }
        work
    }

    /// Does what a control thread asked for.
    pub fn command(&mut self, plan: &Plan, command: Command) {
        self.clock.tick(tsc::now(), &self.common.clock);
        match command {
            Command::Put(put) => self.put(*put),
            Command::Modify(flow, actions) => {
                let (actions, program) = self.programs.compile(&actions);
                self.table.replace(&flow, program, actions);
            }
            Command::Delete(flow) => {
                if let Some(slot) = self.table.remove(&flow) {
                    self.hot.iter_mut().for_each(|hot| hot.forget(slot));
                    self.common.registry.report(Event::Removed(flow));
                    self.sizes();
                }
            }
            Command::Flush => self.flush_table(),
            Command::Execute(job) => {
                self.execute(plan, *job);
                self.recirculate(plan);
                self.lanes.flush(plan, &self.shared.stats);
            }
        }
    }

    fn flush_table(&mut self) {
        for slot in self.table.iter() {
            self.common.registry.report(Event::Removed(slot.flow.clone()));
        }
        self.table.flush();
        *self.hot = Default::default();
        self.cache.clear();
        self.sizes();
    }

    fn sizes(&self) {
        self.shared.n_flows.store(self.table.len(), Relaxed);
        self.shared.n_masks.store(self.table.n_masks(), Relaxed);
    }

    /// The worker ends: gives back what it holds.
    pub fn close(&mut self) {
        self.lanes.clear();
        self.flush_table();
    }
}

leveled! {
    /// Adds the packets of `hits` to `groups`, by slot.
    fn group(slots: &Slots, hits: u32, groups: &mut Groups) = group_with;
}

#[inline(always)]
fn group_with<S: Simd>(slots: &Slots, hits: u32, groups: &mut Groups) {
    let mut left = hits;
    while left != 0 {
        let slot = slots[left.trailing_zeros() as usize & (BURST - 1)];
        let same = left & S::equal(slots, slot);
        left &= !same;
        groups.push((slot, same));
    }
}

/// Counts `n` packets as dropped, at the port and at the worker.
fn drop_packets(port: Option<&Port>, shared: &Shared, reason: DropReason, n: usize) {
    if let Some(port) = port {
        port.count_drop(reason, n);
    }
    shared.stats.drops[reason as usize].add(n as u64);
}

/// A pseudo-random number; good enough for sampling.
fn random(seed: &mut u32) -> u32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    *seed
}

/// Keeps the passes of one packet apart in the cache: the hash itself covers header fields only.
#[inline(always)]
fn recirc_salt(key: &Flow) -> u32 {
    key.recirc_id.wrapping_mul(0x9e37_79b1)
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

impl TurnClock {
    #[inline(always)]
    fn tick(&mut self, now: u64, clock: &dpif::Clock) {
        if now >= self.next {
            self.now_ms = clock.now_ms();
            self.next = now + self.period;
        }
    }
}

impl StageTimer {
    #[inline(always)]
    fn begin(&mut self, now: u64) {
        self.on = self.countdown == 0;
        self.last = now;
    }

    #[inline(always)]
    fn end(&mut self, shared: &Shared, stage: Stage) {
        if self.on {
            let now = tsc::now();
            shared.stats.stage_cycles[stage as usize].add(now.wrapping_sub(self.last));
            self.last = now;
        }
    }

    #[inline(always)]
    fn packets(&mut self, shared: &Shared, n: usize) {
        if self.on {
            shared.stats.stage_packets.add(n as u64);
            self.countdown = STAGE_SAMPLE;
        }
        self.countdown -= 1;
    }
}
