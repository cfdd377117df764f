//! Rate limits: a token bucket per line of code, and the line that says what it dropped.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use tracing::callsite::Identifier;

/// Bursts of this many times the rate per minute pass.
const BURST_FACTOR: u64 = 4;

/// Tokens are counted in 1/60000 of a message, so that one ms earns `rate` of them.
const TOKEN: u64 = 60_000;

/// The bucket of one callsite.
#[derive(Debug)]
pub(super) struct Bucket {
    rate_per_min: u64,
    tokens: u64,
    filled_ms: u64,
    n_dropped: u64,
    first_dropped_ms: u64,
    last_dropped_ms: u64,
}

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Drop,
    /// Pass, after this line about those dropped before.
    PassAfter(String),
}

impl Bucket {
    pub(super) fn new(rate_per_min: u64, now_ms: u64) -> Self {
        let rate_per_min = rate_per_min.max(1);
        Self {
            rate_per_min,
            tokens: rate_per_min * BURST_FACTOR * TOKEN,
            filled_ms: now_ms,
            n_dropped: 0,
            first_dropped_ms: 0,
            last_dropped_ms: 0,
        }
    }

    pub(super) fn take(&mut self, now_ms: u64) -> Verdict {
        let earned = now_ms.saturating_sub(self.filled_ms).saturating_mul(self.rate_per_min);
        let full = self.rate_per_min * BURST_FACTOR * TOKEN;
        self.tokens = self.tokens.saturating_add(earned).min(full);
        self.filled_ms = now_ms;
        if self.tokens < TOKEN {
            if self.n_dropped == 0 {
                self.first_dropped_ms = now_ms;
            }
            self.last_dropped_ms = now_ms;
            self.n_dropped += 1;
            return Verdict::Drop;
        }
        self.tokens -= TOKEN;
        if self.n_dropped == 0 {
            return Verdict::Pass;
        }
        let text = format!(
            "Dropped {} log messages in last {} seconds (most recently, {} seconds ago) due to excessive rate",
            self.n_dropped,
            (now_ms - self.first_dropped_ms) / 1000,
            (now_ms - self.last_dropped_ms) / 1000,
        );
        self.n_dropped = 0;
        Verdict::PassAfter(text)
    }
}

/// Milliseconds since the program started logging.
pub(super) fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Takes a token of the callsite's bucket.
pub(super) fn check(callsite: Identifier, rate_per_min: u64) -> Verdict {
    static BUCKETS: OnceLock<Mutex<HashMap<Identifier, Bucket>>> = OnceLock::new();
    let mut buckets =
        BUCKETS.get_or_init(Mutex::default).lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let now = now_ms();
    buckets.entry(callsite).or_insert_with(|| Bucket::new(rate_per_min, now)).take(now)
}
