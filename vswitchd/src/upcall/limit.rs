//! How many megaflows there may be: as many as a round over all of them can handle in a second. Doubles while megaflows
//! are refused and rounds are quick, so that a machine which can do it has 100,000 of them within a few rounds; shrinks
//! when rounds get slow.

/// Where the limit starts.
pub const FLOW_LIMIT_START: usize = 10_000;
const FLOW_LIMIT_MIN: usize = 1000;
const STEP: usize = 1000;
/// Rounds shorter than this let the limit grow, longer than the second shrink it, longer than the third shrink it fast.
const QUICK_MS: i64 = 1000;
const SLOW_MS: i64 = 1300;
const VERY_SLOW_MS: i64 = 2000;

/// The limit that moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowLimit {
    now: usize,
    max: usize,
}

impl FlowLimit {
    /// `max` is `other_config:flow-limit`.
    pub fn new(max: usize) -> Self {
        Self { now: max.min(FLOW_LIMIT_START), max }
    }

    pub fn get(self) -> usize {
        self.now
    }

    pub fn set_max(&mut self, max: usize) {
        self.max = max;
        self.now = self.now.min(max);
    }

    /// `upcall/set-flow-limit`.
    pub fn set(&mut self, now: usize) {
        self.now = now;
    }

    /// After a round over `n_flows` that took `took_ms`; `crowded`: megaflows were refused meanwhile.
    pub fn after_round(&mut self, took_ms: i64, n_flows: usize, crowded: bool) {
        let capacity = n_flows.saturating_mul(QUICK_MS as usize) / took_ms.max(1) as usize;
        if took_ms > VERY_SLOW_MS {
            self.now /= (took_ms / 1000) as usize;
        } else if took_ms > SLOW_MS {
            self.now = self.now * 3 / 4;
        } else if took_ms < QUICK_MS && self.now < capacity {
            self.now = if crowded { (self.now * 2).min(capacity).max(self.now) } else { self.now + STEP };
        }
        self.now = self.now.clamp(FLOW_LIMIT_MIN.min(self.max), self.max.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_when_quick_and_shrinks_when_slow() {
        let mut limit = FlowLimit::new(200_000);
        assert_eq!(limit.get(), 10_000);
        limit.after_round(10, 9000, false);
        assert_eq!(limit.get(), 11_000);
        limit.after_round(1400, 9000, false);
        assert_eq!(limit.get(), 8250);
        limit.after_round(4000, 9000, true);
        assert_eq!(limit.get(), 2062);
        limit.after_round(9000, 9000, false);
        assert_eq!(limit.get(), 1000);
        limit.set_max(500);
        limit.after_round(10, 9000, false);
        assert_eq!(limit.get(), 500);
    }

    #[test]
    fn a_crowd_is_let_in_within_a_few_rounds() {
        let mut limit = FlowLimit::new(200_000);
        for _ in 0..4 {
            // 100,000 megaflows a second is what this machine revalidates, and no more is promised.
            let n = limit.get();
            limit.after_round((n / 100).max(1) as i64, n, true);
        }
        assert_eq!(limit.get(), 100_000);
        limit.after_round(10, 100_000, true);
        assert_eq!(limit.get(), 200_000, "the configured limit");
    }

    #[test]
    fn stays_when_there_is_no_need() {
        let mut limit = FlowLimit::new(200_000);
        limit.after_round(1, 0, false);
        assert_eq!(limit.get(), 10_000);
    }
}
