//! Meters: token buckets that drop what exceeds their rate. Any worker may charge one; a spin lock is held for one burst.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use dpif::flows::{MeterConfig, MeterStats};

use crate::port::SpinLock;

/// Bits (or thousandths of a packet) that one unit of rate earns in a millisecond.
const UNIT: u64 = 1;

/// A packet's price in a packets-per-second meter.
const PACKET_COST: u64 = 1000;

/// All meters; readers never wait.
#[derive(Default)]
pub struct Meters {
    table: ArcSwap<BTreeMap<u32, Arc<Meter>>>,
    writer: Mutex<()>,
}

impl Meters {
    /// Replaces meter `id`, with fresh counters; `None` deletes it.
    pub fn set(&self, id: u32, config: Option<MeterConfig>) {
        let _one = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = BTreeMap::clone(&self.table.load());
        match config {
            Some(config) => drop(table.insert(id, Arc::new(Meter::new(config)))),
            None => drop(table.remove(&id)),
        }
        self.table.store(Arc::new(table));
    }

    pub fn get(&self, id: u32) -> Option<Arc<Meter>> {
        self.table.load().get(&id).cloned()
    }
}

/// One meter.
pub struct Meter {
    config: MeterConfig,
    lock: SpinLock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used_ms: i64,
    buckets: Vec<u64>,
    stats: MeterStats,
}

impl Meter {
    fn new(config: MeterConfig) -> Meter {
        let buckets = config.bands.iter().map(|&(rate, burst)| capacity(rate, burst)).collect();
        let stats = MeterStats { bands: vec![(0, 0); config.bands.len()], ..MeterStats::default() };
        Meter { config, lock: SpinLock::default(), state: Mutex::new(State { used_ms: 0, buckets, stats }) }
    }

    pub fn stats(&self) -> MeterStats {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stats.clone()
    }

    /// Charges one packet of `len` bytes; false when a band says to drop it.
    pub fn charge(&self, len: usize, now_ms: i64) -> bool {
        // The spin lock keeps workers from sleeping in the mutex; control threads hold the mutex for a copy only.
        let _held = self.lock.lock();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.refill(&self.config, now_ms);
        state.stats.packets_in += 1;
        state.stats.bytes_in += len as u64;
        let cost = if self.config.pktps { PACKET_COST } else { len as u64 * 8 };
        let mut hit: Option<(u32, usize)> = None;
        for (n, &(rate, _)) in self.config.bands.iter().enumerate() {
            match state.buckets[n].checked_sub(cost) {
                Some(left) => state.buckets[n] = left,
                None if hit.is_none_or(|(best, _)| rate > best) => hit = Some((rate, n)),
                None => {}
            }
        }
        if let Some((_, n)) = hit {
            state.stats.bands[n].0 += 1;
            state.stats.bands[n].1 += len as u64;
        }
        hit.is_none()
    }
}

/// A bucket's size: the burst, or one second of the rate when none is given.
fn capacity(rate: u32, burst: u32) -> u64 {
    u64::from(if burst != 0 { burst } else { rate }) * 1000
}

impl State {
    fn refill(&mut self, config: &MeterConfig, now_ms: i64) {
        let passed = if self.used_ms == 0 { 0 } else { now_ms.saturating_sub(self.used_ms).max(0) as u64 };
        self.used_ms = now_ms;
        for (bucket, &(rate, burst)) in self.buckets.iter_mut().zip(&config.bands) {
            let earned = passed.saturating_mul(u64::from(rate)).saturating_mul(UNIT);
            *bucket = bucket.saturating_add(earned).min(capacity(rate, burst));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept() {
        let meter = Meter::new(MeterConfig { pktps: true, bands: vec![(100, 10)] });
        let sent = (1..=1000).filter(|&ms| (0..3).filter(|_| meter.charge(64, ms)).count() > 0).count();
        // 10 at once, then one each 10 ms.
        let passed = meter.stats().packets_in - meter.stats().bands[0].0;
        assert!((105..=112).contains(&passed), "{passed} {sent}");
        assert_eq!(meter.stats().packets_in, 3000);
    }

    #[test]
    fn bytes_and_the_highest_band() {
        let meter = Meter::new(MeterConfig { pktps: false, bands: vec![(8, 8), (16, 8)] });
        assert!((0..10).all(|_| meter.charge(100, 1)));
        assert!(!meter.charge(100, 1));
        assert_eq!(meter.stats().bands, [(0, 0), (1, 100)]);
        assert!(meter.charge(100, 101), "100 ms at 8 kbit/s are 100 bytes");
    }
}
