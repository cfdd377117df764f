//! `pmd-auto-lb`: when queues should be given to PMD threads anew. Pure: loads and times in, a decision out. Control plane.
//!
//! A thread that was overloaded all through the last minute makes a dry run of the assignment due at the next check; the
//! outcome is taken only if it evens out the loads enough.

use std::collections::BTreeMap;

use super::assign::Rxq;
use crate::port::options::{Map, flag, number};

/// Intervals in a row that a thread must have been overloaded for.
const OVERLOADED_MIN: u32 = 12;
const INTERVAL_MIN_DEFAULT: u64 = 1;
const INTERVAL_MIN_MAX: u64 = 20_000;
const LOAD_DEFAULT: u8 = 95;
const IMPROVEMENT_DEFAULT: u8 = 25;

/// `other_config:pmd-auto-lb*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    pub on: bool,
    /// Minutes between two checks.
    pub interval_min: u64,
    /// Percent of its time that an overloaded thread is busy.
    pub load: u8,
    /// Percent by which the variance of the loads must fall.
    pub improvement: u8,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            on: false,
            interval_min: INTERVAL_MIN_DEFAULT,
            load: LOAD_DEFAULT,
            improvement: IMPROVEMENT_DEFAULT,
        }
    }
}

impl Config {
    pub fn from_config(config: &Map) -> Config {
        let percent =
            |key, default| Some(number(config, key, default)).filter(|n| *n <= 100).unwrap_or(default);
        let interval = number(config, "pmd-auto-lb-rebal-interval", INTERVAL_MIN_DEFAULT);
        Config {
            on: flag(config, "pmd-auto-lb", false),
            interval_min: if interval == 0 || interval > INTERVAL_MIN_MAX {
                INTERVAL_MIN_DEFAULT
            } else {
                interval
            },
            load: percent("pmd-auto-lb-load-threshold", LOAD_DEFAULT),
            improvement: percent("pmd-auto-lb-improvement-threshold", IMPROVEMENT_DEFAULT),
        }
    }
}

/// A PMD thread in the interval that just ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thread {
    pub core: u32,
    /// Percent of its time that it was busy.
    pub busy: u8,
    pub n_rxq: usize,
    pub isolated: bool,
}

/// The memory of the balancer.
#[derive(Default)]
pub struct AutoLb {
    overloaded: BTreeMap<u32, u32>,
    check_at_s: u64,
}

impl AutoLb {
    /// Ends an interval; true when a dry run is due.
    pub fn tick(&mut self, now_s: u64, config: &Config, threads: &[Thread]) -> bool {
        if !config.on {
            *self = AutoLb::default();
            return false;
        }
        self.overloaded.retain(|core, _| threads.iter().any(|t| t.core == *core));
        for t in threads {
            let n = self.overloaded.entry(t.core).or_default();
            *n = if t.busy >= config.load { *n + 1 } else { 0 };
        }
        if self.check_at_s == 0 {
            self.check_at_s = now_s + config.interval_min * 60;
        }
        if now_s < self.check_at_s {
            return false;
        }
        self.check_at_s = now_s + config.interval_min * 60;
        let open: Vec<&Thread> = threads.iter().filter(|t| !t.isolated).collect();
        let is_long = |t: &&&Thread| self.overloaded.get(&t.core).is_some_and(|n| *n >= OVERLOADED_MIN);
        open.len() > 1 && open.iter().any(|t| t.n_rxq > 1) && open.iter().find(is_long).is_some()
    }
}

/// Percent by which the variance of the cores' loads falls from one assignment of `rxqs` to the other.
pub fn improvement(rxqs: &[Rxq], cores: &[u32], before: &[Option<u32>], after: &[Option<u32>]) -> u64 {
    let variance = |assignment: &[Option<u32>]| {
        let load = |core: &u32| {
            let mine = rxqs.iter().zip(assignment).filter(|(_, at)| **at == Some(*core));
            mine.map(|(r, _)| u128::from(r.cycles)).sum::<u128>()
        };
        let loads: Vec<u128> = cores.iter().map(load).collect();
        let mean = loads.iter().sum::<u128>() / loads.len().max(1) as u128;
        loads.iter().map(|l| l.abs_diff(mean).pow(2) / loads.len().max(1) as u128).sum::<u128>()
    };
    let (then, now) = (variance(before), variance(after));
    if then == 0 || now >= then { 0 } else { ((then - now) * 100 / then) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        Config::from_config(&pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    #[test]
    fn settings() {
        assert_eq!(config(&[]), Config::default());
        let c = config(&[
            ("pmd-auto-lb", "true"),
            ("pmd-auto-lb-rebal-interval", "0"),
            ("pmd-auto-lb-load-threshold", "101"),
            ("pmd-auto-lb-improvement-threshold", "50"),
        ]);
        assert_eq!(c, Config { on: true, improvement: 50, ..Config::default() });
    }

    #[test]
    fn a_minute_of_overload_makes_a_dry_run_due() {
        let config = Config { on: true, interval_min: 2, ..Config::default() };
        let busy = |busy| {
            [
                Thread { core: 1, busy, n_rxq: 2, isolated: false },
                Thread { core: 2, busy: 10, n_rxq: 1, isolated: false },
            ]
        };
        let mut lb = AutoLb::default();
        let due: Vec<u64> = (0..100).map(|n| n * 5).filter(|s| lb.tick(*s, &config, &busy(97))).collect();
        assert_eq!(due, [120, 240, 360, 480]);
        let mut lb = AutoLb::default();
        assert!((0..100).all(|n| !lb.tick(n * 5, &config, &busy(if n % 10 == 0 { 50 } else { 99 }))));
        let alone = [Thread { core: 1, busy: 100, n_rxq: 2, isolated: false }];
        assert!((0..100).all(|n| !lb.tick(n * 5, &config, &alone)), "nowhere to go");
    }

    #[test]
    fn improvement_is_of_the_variance() {
        let rxq = |cycles| Rxq { port: "p".into(), queue: 0, numa: 0, cycles, pinned: None };
        let rxqs = [rxq(50), rxq(50), rxq(0)];
        let (one, two) = ([Some(1), Some(1), Some(2)], [Some(1), Some(2), Some(2)]);
        assert_eq!(improvement(&rxqs, &[1, 2], &one, &two), 100);
        assert_eq!(improvement(&rxqs, &[1, 2], &two, &one), 0);
        assert_eq!(improvement(&rxqs, &[1, 2], &one, &one), 0);
    }
}
