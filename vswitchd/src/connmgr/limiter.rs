//! Packet-in rate limit of one connection: a bucket of credits, and a bounded queue for packets that find it empty.
//! A machine without a clock: it is told the time. Two of them per connection, for misses and for other packets.
//!
//! ```text
//!  packet --credit?--> send now (bypassed)
//!             | no
//!             +--room?--> queue --(a credit comes)--> send
//!                   | no
//!                   +--> drop
//! ```

use std::collections::VecDeque;

/// Credits are thousandths of a packet, so that one per millisecond and rate unit is exact.
const CREDIT: u64 = 1000;
/// Packets that wait at most, whatever the burst limit says.
const QUEUE_LEN_MAX: usize = 4096;

/// Columns `controller_rate_limit` and `controller_burst_limit`; a rate of 0 does not limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    pub packets_per_s: u32,
    /// 0 = a quarter of the rate.
    pub burst: u32,
}

impl Limit {
    fn burst(self) -> u32 {
        if self.burst == 0 { (self.packets_per_s / 4).max(1) } else { self.burst }
    }
}

/// What became of packets so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LimiterStats {
    pub bypassed: u64,
    pub queued: u64,
    pub dropped: u64,
    pub backlog: usize,
}

/// A bucket and its queue.
#[derive(Debug)]
pub struct Limiter<T> {
    limit: Limit,
    credits: u64,
    filled_ms: u64,
    queue: VecDeque<T>,
    pub stats: LimiterStats,
}

impl<T> Limiter<T> {
    pub fn new(limit: Limit, now_ms: u64) -> Self {
        let full = u64::from(limit.burst()) * CREDIT;
        Limiter { limit, credits: full, filled_ms: now_ms, queue: VecDeque::new(), stats: Default::default() }
    }

    /// Changes the limit; what waits stays.
    pub fn set_limit(&mut self, limit: Limit, now_ms: u64) {
        if self.limit != limit {
            self.fill(now_ms);
            self.limit = limit;
            self.credits = self.credits.min(self.credits_max());
        }
    }

    fn credits_max(&self) -> u64 {
        u64::from(self.limit.burst()) * CREDIT
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.filled_ms);
        self.filled_ms = now_ms.max(self.filled_ms);
        let more = passed.saturating_mul(self.limit.packets_per_s.into());
        self.credits = self.credits.saturating_add(more).min(self.credits_max());
    }

    fn take(&mut self) -> bool {
        let enough = self.credits >= CREDIT;
        if enough {
            self.credits -= CREDIT;
        }
        enough
    }

    /// A packet comes: given back when it may go at once.
    pub fn offer(&mut self, packet: T, now_ms: u64) -> Option<T> {
        if self.limit.packets_per_s == 0 && self.queue.is_empty() {
            return Some(packet);
        }
        self.fill(now_ms);
        if self.queue.is_empty() && self.take() {
            self.stats.bypassed += 1;
            return Some(packet);
        }
        if self.queue.len() >= (self.limit.burst() as usize).min(QUEUE_LEN_MAX) {
            self.stats.dropped += 1;
            return None;
        }
        self.stats.queued += 1;
        self.queue.push_back(packet);
        self.stats.backlog = self.queue.len();
        None
    }

    /// The next packet that may go.
    pub fn poll(&mut self, now_ms: u64) -> Option<T> {
        if self.queue.is_empty() {
            return None;
        }
        self.fill(now_ms);
        if self.limit.packets_per_s != 0 && !self.take() {
            return None;
        }
        let packet = self.queue.pop_front();
        self.stats.backlog = self.queue.len();
        packet
    }

    /// When `poll` may give something; `None` = nothing waits.
    pub fn deadline(&self) -> Option<u64> {
        if self.queue.is_empty() {
            return None;
        }
        let missing = CREDIT.saturating_sub(self.credits);
        let rate = u64::from(self.limit.packets_per_s.max(1));
        Some(self.filled_ms + missing.div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let mut l = Limiter::new(Limit { packets_per_s: 100, burst: 5 }, 0);
        let passed = (0..20).filter(|n| l.offer(*n, 0).is_some()).count();
        assert_eq!(passed, 5, "the burst");
        assert_eq!(l.stats, LimiterStats { bypassed: 5, queued: 5, dropped: 10, backlog: 5 });
        assert_eq!(l.deadline(), Some(10));
        assert_eq!((l.poll(9), l.poll(10), l.poll(10)), (None, Some(5), None), "one per 10 ms, in order");
        assert_eq!((l.poll(20), l.poll(30), l.poll(40)), (Some(6), Some(7), Some(8)));
        assert_eq!(l.poll(1000), Some(9));
        assert_eq!((l.poll(1000), l.deadline()), (None, None));
    }

    #[test]
    fn no_limit_lets_everything_through_and_releases_what_waited() {
        let mut l = Limiter::new(Limit { packets_per_s: 1, burst: 1 }, 0);
        assert_eq!(l.offer(1, 0), Some(1));
        assert_eq!(l.offer(2, 0), None);
        l.set_limit(Limit::default(), 0);
        assert_eq!(l.poll(0), Some(2));
        assert!((0..1000).all(|n| l.offer(n, 0) == Some(n)));
    }

    #[test]
    fn credits_do_not_grow_beyond_the_burst_nor_with_a_clock_that_goes_back() {
        let mut l = Limiter::new(Limit { packets_per_s: 1000, burst: 3 }, 1_000_000);
        assert_eq!((0..9).filter(|n| l.offer(*n, u64::MAX).is_some()).count(), 3);
        assert_eq!((0..9).filter(|n| l.offer(*n, 0).is_some()).count(), 0);
    }
}
