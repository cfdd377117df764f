//! The MAC learning table of one bridge: (VLAN, MAC) -> bundle, with age. Read by translation on workers and written
//! when learning effects are applied; sharded so that workers seldom meet. Entries go when old, evicted oldest first
//! when the table is full.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{
    AtomicI64, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use openflow::OfPort;

use crate::ofproto::config::BundleId;

const N_SHARDS: usize = 32;
/// Entries are watched for changes in so many groups.
const N_BUCKETS: usize = 256;
/// A gratuitous ARP reply locks its entry against moves for so long.
const GRAT_ARP_LOCK_MS: i64 = 5000;

type Key = (u16, [u8; 6]);

#[derive(Debug)]
pub struct MacEntry {
    pub bundle: BundleId,
    /// For texts.
    pub port: OfPort,
    /// Last seen.
    used_ms: AtomicI64,
    grat_arp_lock_ms: AtomicI64,
    /// Never ages (fdb/add).
    pub is_static: bool,
}

/// A row of `fdb/show`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MacRow {
    pub port: OfPort,
    pub vlan: u16,
    pub mac: [u8; 6],
    /// `None` for a static entry.
    pub age_s: Option<u32>,
}

/// Totals for `fdb/stats-show`.
#[derive(Default, Debug)]
pub struct MacStats {
    pub learned: AtomicU64,
    pub expired: AtomicU64,
    pub evicted: AtomicU64,
    pub moved: AtomicU64,
}

#[derive(Debug)]
pub struct MacTable {
    shards: [RwLock<HashMap<Key, MacEntry>>; N_SHARDS],
    len: AtomicUsize,
    len_max: AtomicUsize,
    age_s_max: AtomicI64,
    /// Grows with each change that may alter a translation.
    generation: AtomicU64,
    /// The generation in which an entry of the bucket changed last.
    changed_at: Box<[AtomicU64; N_BUCKETS]>,
    pub stats: MacStats,
}

/// What learning did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learned {
    New,
    Moved,
    Refreshed,
    Refused,
}

impl Default for MacTable {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            len: AtomicUsize::new(0),
            len_max: AtomicUsize::new(8192),
            age_s_max: AtomicI64::new(300),
            generation: AtomicU64::new(0),
            changed_at: Box::new([const { AtomicU64::new(0) }; N_BUCKETS]),
            stats: MacStats::default(),
        }
    }
}

fn shard_of(key: &Key) -> usize {
    let mac = key.1.iter().fold(usize::from(key.0), |h, b| h.wrapping_mul(31).wrapping_add((*b).into()));
    mac % N_SHARDS
}

fn is_multicast(mac: [u8; 6]) -> bool {
    mac[0] & 1 != 0
}

impl MacTable {
    fn read<R>(&self, key: &Key, f: impl FnOnce(&HashMap<Key, MacEntry>) -> R) -> R {
        f(&self.shards[shard_of(key)].read().unwrap_or_else(|e| e.into_inner()))
    }

    fn write<R>(&self, shard: usize, f: impl FnOnce(&mut HashMap<Key, MacEntry>) -> R) -> R {
        f(&mut self.shards[shard].write().unwrap_or_else(|e| e.into_inner()))
    }

    pub fn configure(&self, age_s_max: u32, len_max: usize) {
        self.age_s_max.store(age_s_max.into(), Relaxed);
        self.len_max.store(len_max, Relaxed);
        while self.len() > len_max && self.evict_one() {}
    }

    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn len_max(&self) -> usize {
        self.len_max.load(Relaxed)
    }
    pub fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }
    /// The group of an entry in [`MacTable::changed_at`].
    pub fn bucket(vlan: u16, mac: [u8; 6]) -> u8 {
        let [a, b, c, d, e, f] = mac;
        let word = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) ^ u64::from(vlan) << 48;
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }

    /// The generation in which an entry of `bucket` changed last.
    pub fn changed_at(&self, bucket: u8) -> u64 {
        self.changed_at[usize::from(bucket)].load(Acquire)
    }

    /// After an entry changed: who looked it up before must look again.
    fn changed(&self, (vlan, mac): Key) {
        let generation = self.generation.fetch_add(1, AcqRel) + 1;
        self.changed_at[usize::from(Self::bucket(vlan, mac))].fetch_max(generation, AcqRel);
    }

    /// Where `mac` was seen.
    pub fn lookup(&self, vlan: u16, mac: [u8; 6]) -> Option<(BundleId, OfPort)> {
        let key = (vlan, mac);
        self.read(&key, |shard| shard.get(&key).map(|e| (e.bundle, e.port)))
    }

    /// True while a gratuitous ARP packet locks the entry against moves.
    pub fn is_grat_arp_locked(&self, vlan: u16, mac: [u8; 6], now_ms: i64) -> bool {
        let key = (vlan, mac);
        self.read(&key, |shard| shard.get(&key).is_some_and(|e| now_ms < e.grat_arp_lock_ms.load(Relaxed)))
    }

    /// True when learning this would change the table (or a second has passed since the last refresh).
    pub fn needs_learning(
        &self,
        vlan: u16,
        mac: [u8; 6],
        bundle: BundleId,
        grat_arp: bool,
        now_ms: i64,
    ) -> bool {
        let key = (vlan, mac);
        !is_multicast(mac)
            && self.read(&key, |shard| match shard.get(&key) {
                None => true,
                Some(e) if e.is_static => false,
                Some(e) if grat_arp => e.bundle != bundle || now_ms >= e.used_ms.load(Relaxed) + 1000,
                Some(e) if e.bundle != bundle => now_ms >= e.grat_arp_lock_ms.load(Relaxed),
                Some(e) => now_ms >= e.used_ms.load(Relaxed) + 1000,
            })
    }

    /// Learns or refreshes an entry.
    pub fn learn(
        &self,
        vlan: u16,
        mac: [u8; 6],
        (bundle, port): (BundleId, OfPort),
        grat_arp: bool,
        now_ms: i64,
    ) -> Learned {
        let key = (vlan, mac);
        if is_multicast(mac) {
            return Learned::Refused;
        }
        if self.len() >= self.len_max() && self.lookup(vlan, mac).is_none() && !self.evict_one() {
            return Learned::Refused;
        }
        let lock_ms = if grat_arp { now_ms + GRAT_ARP_LOCK_MS } else { 0 };
        let outcome = self.write(shard_of(&key), |shard| match shard.get_mut(&key) {
            Some(e) if e.is_static => Learned::Refused,
            Some(e) if e.bundle == bundle => {
                e.used_ms.fetch_max(now_ms, Relaxed);
                e.grat_arp_lock_ms.fetch_max(lock_ms, Relaxed);
                e.port = port;
                Learned::Refreshed
            }
            Some(e) if !grat_arp && now_ms < e.grat_arp_lock_ms.load(Relaxed) => Learned::Refused,
            old => {
                let moved = old.is_some();
                let entry = MacEntry {
                    bundle,
                    port,
                    used_ms: now_ms.into(),
                    grat_arp_lock_ms: lock_ms.into(),
                    is_static: false,
                };
                shard.insert(key, entry);
                if moved { Learned::Moved } else { Learned::New }
            }
        });
        self.count(key, outcome);
        outcome
    }

    fn count(&self, key: Key, outcome: Learned) {
        match outcome {
            Learned::New => {
                self.len.fetch_add(1, Relaxed);
                self.stats.learned.fetch_add(1, Relaxed);
                self.changed(key);
            }
            Learned::Moved => {
                self.stats.moved.fetch_add(1, Relaxed);
                self.changed(key);
            }
            Learned::Refreshed | Learned::Refused => {}
        }
    }

    /// Puts a static entry (fdb/add).
    pub fn add_static(&self, vlan: u16, mac: [u8; 6], bundle: BundleId, port: OfPort) {
        let key = (vlan, mac);
        let entry = MacEntry { bundle, port, used_ms: 0.into(), grat_arp_lock_ms: 0.into(), is_static: true };
        if self.write(shard_of(&key), |shard| shard.insert(key, entry)).is_none() {
            self.len.fetch_add(1, Relaxed);
        }
        self.changed(key);
    }

    /// Removes an entry (fdb/del).
    pub fn remove(&self, vlan: u16, mac: [u8; 6]) -> bool {
        let key = (vlan, mac);
        let found = self.write(shard_of(&key), |shard| shard.remove(&key)).is_some();
        if found {
            self.len.fetch_sub(1, Relaxed);
            self.changed(key);
        }
        found
    }

    /// Removes what `gone` picks; returns how many.
    fn retain(&self, mut gone: impl FnMut(&Key, &MacEntry) -> bool) -> usize {
        let mut removed = Vec::new();
        for shard in 0..N_SHARDS {
            self.write(shard, |entries| {
                entries.retain(|k, e| {
                    let is_gone = gone(k, e);
                    removed.extend(is_gone.then_some(*k));
                    !is_gone
                });
            });
        }
        self.len.fetch_sub(removed.len(), Relaxed);
        removed.iter().for_each(|key| self.changed(*key));
        removed.len()
    }

    /// Removes everything that was learned.
    pub fn flush(&self) {
        self.retain(|_, e| !e.is_static);
    }

    /// Removes what points to `bundle`.
    pub fn flush_bundle(&self, bundle: BundleId) {
        self.retain(|_, e| e.bundle == bundle);
    }

    /// Removes entries that were not seen for the ageing time.
    pub fn expire(&self, now_ms: i64) {
        let limit_ms = self.age_s_max.load(Relaxed) * 1000;
        let n = self.retain(|_, e| !e.is_static && now_ms - e.used_ms.load(Relaxed) >= limit_ms);
        self.stats.expired.fetch_add(n as u64, Relaxed);
    }

    /// Removes the entry unseen for longest; false when all are static.
    fn evict_one(&self) -> bool {
        let mut oldest: Option<(i64, Key)> = None;
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(|e| e.into_inner());
            for (key, e) in shard.iter().filter(|(_, e)| !e.is_static) {
                let used_ms = e.used_ms.load(Relaxed);
                if oldest.is_none_or(|(o, _)| used_ms < o) {
                    oldest = Some((used_ms, *key));
                }
            }
        }
        let Some((_, (vlan, mac))) = oldest else { return false };
        self.stats.evicted.fetch_add(1, Relaxed);
        self.remove(vlan, mac)
    }

    pub fn n_static(&self) -> usize {
        self.rows(0).iter().filter(|r| r.age_s.is_none()).count()
    }

    /// All entries, most recently used first.
    pub fn rows(&self, now_ms: i64) -> Vec<MacRow> {
        let mut rows = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(|e| e.into_inner());
            for ((vlan, mac), e) in shard.iter() {
                let used_ms = e.used_ms.load(Relaxed);
                let age_s = (!e.is_static).then(|| ((now_ms - used_ms).max(0) / 1000) as u32);
                rows.push((used_ms, MacRow { port: e.port, vlan: *vlan, mac: *mac, age_s }));
            }
        }
        rows.sort_by_key(|(used_ms, r)| (*used_ms, r.vlan, r.mac));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    pub fn clear_stats(&self) {
        let s = &self.stats;
        for counter in [&s.learned, &s.expired, &s.evicted, &s.moved] {
            counter.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const AT1: (BundleId, OfPort) = (BundleId(1), OfPort(1));
    const AT2: (BundleId, OfPort) = (BundleId(2), OfPort(2));

    #[test]
    fn learns_moves_and_ages() {
        let t = MacTable::default();
        assert_eq!(t.learn(0, A, AT1, false, 1000), Learned::New);
        assert_eq!(t.lookup(0, A), Some(AT1));
        assert_eq!(t.lookup(1, A), None);
        assert!(!t.needs_learning(0, A, AT1.0, false, 1500));
        assert!(t.needs_learning(0, A, AT1.0, false, 2000));
        assert_eq!(t.learn(0, A, AT2, false, 2000), Learned::Moved);
        assert_eq!(t.lookup(0, A), Some(AT2));
        t.expire(301_999);
        assert_eq!(t.len(), 1);
        t.expire(302_000);
        assert_eq!((t.len(), t.lookup(0, A)), (0, None));
    }

    #[test]
    fn a_gratuitous_arp_locks_and_static_entries_stay() {
        let t = MacTable::default();
        t.learn(0, A, AT1, true, 0);
        assert_eq!(t.learn(0, A, AT2, false, 100), Learned::Refused);
        assert_eq!(t.learn(0, A, AT2, false, 5000), Learned::Moved);
        t.add_static(5, A, AT1.0, AT1.1);
        assert_eq!(t.learn(5, A, AT2, true, 9000), Learned::Refused);
        t.flush();
        assert_eq!(t.rows(0).len(), 1);
        assert_eq!(t.n_static(), 1);
    }

    #[test]
    fn the_oldest_goes_when_full() {
        let t = MacTable::default();
        t.configure(300, 10);
        for n in 0..11u8 {
            t.learn(0, [2, 0, 0, 0, 0, n], AT1, false, n.into());
        }
        assert_eq!(t.len(), 10);
        assert_eq!(t.lookup(0, [2, 0, 0, 0, 0, 0]), None);
        assert_eq!(t.lookup(0, [2, 0, 0, 0, 0, 10]), Some(AT1));
    }
}
