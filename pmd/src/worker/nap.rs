//! Load-based sleeping of PMD threads (`pmd-maxsleep`, later `pmd-sleep-max`): a turn in which no queue had half a burst
//! makes the next sleep a microsecond longer, up to the configured length; any other turn ends sleeping at once.

use std::time::Duration;

use crate::packet::BURST;

/// Packets of a queue in one turn from which on the thread is needed.
const BUSY_MIN: usize = BURST / 2;
const STEP_US: u64 = 1;
/// The longest sleep that can be configured.
pub const NAP_US_MAX: u64 = 10_000;

/// How long a thread would sleep next.
#[derive(Default)]
pub struct Nap(u64);

impl Nap {
    /// After a turn whose fullest queue gave `n` packets; the sleep that follows, if any.
    #[inline]
    pub fn after(&mut self, n: usize, us_max: u64) -> Option<Duration> {
        self.0 = if n >= BUSY_MIN { 0 } else { (self.0 + STEP_US).min(us_max) };
        (self.0 != 0).then(|| Duration::from_micros(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_grow_and_end() {
        let mut nap = Nap::default();
        let us = |d: Option<Duration>| d.map_or(0, |d| d.as_micros());
        let naps: Vec<_> = [0, 3, 15, 1, 16, 0].iter().map(|n| us(nap.after(*n, 3))).collect();
        assert_eq!(naps, [1, 2, 3, 3, 0, 1]);
        assert_eq!(nap.after(0, 0), None);
    }
}
