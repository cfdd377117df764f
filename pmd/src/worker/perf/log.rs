//! `pmd-perf-log-set`: which turns are worth a line in the log.

use super::Turn;
use crate::tsc;

/// The settings; the same for all workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    pub on: bool,
    /// Turns shown before and after a suspicious one.
    pub before: u64,
    pub after: u64,
    /// A suspicious turn among those after the first prolongs the excerpt.
    pub extend: bool,
    /// Longest turn that is not suspicious.
    pub us: u64,
    /// Longest ring that is not suspicious.
    pub backlog: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { on: false, before: 5, after: 5, extend: false, us: 250, backlog: 128 }
    }
}

/// Turns shown before or after a suspicious one, at most.
const EXCERPT_MAX: u64 = 100;
pub const USAGE: &str = "Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]";

impl LogConfig {
    /// These settings with `args` applied.
    pub fn with(self, args: &[String]) -> Result<LogConfig, &'static str> {
        let mut new = self;
        let mut words = args.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|w| w.parse::<u64>().ok()).ok_or(USAGE);
            match word {
                "on" => new.on = true,
                "off" => new.on = false,
                "-e" => new.extend = true,
                "-ne" => new.extend = false,
                "-b" => new.before = number()?.min(EXCERPT_MAX),
                "-a" => new.after = number()?.min(EXCERPT_MAX),
                "-us" => new.us = number()?,
                "-q" => new.backlog = number()?,
                _ => return Err(USAGE),
            }
        }
        Ok(new)
    }

    pub(super) fn judge(&self, turn: &Turn) -> Option<Suspicion> {
        if !self.on {
            return None;
        }
        let cycles_max = u128::from(tsc::hz()) * u128::from(self.us) / 1_000_000;
        let reason = match turn {
            t if u128::from(t.cycles) > cycles_max => "Excessive total cycles",
            t if t.backlog > self.backlog => "Vhost RX queue full",
            _ => return None,
        };
        Some(Suspicion { turn: *turn, reason })
    }
}

/// A turn that will be logged once enough turns have followed it.
#[derive(Clone, Copy, Debug)]
pub struct Suspicion {
    pub turn: Turn,
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let with = |text: &str| {
            LogConfig::default().with(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(with(""), Ok(LogConfig::default()));
        let all = LogConfig { on: true, before: 7, after: 9, extend: true, us: 100, backlog: 10 };
        assert_eq!(with("on -b 7 -a 9 -e -us 100 -q 10"), Ok(all));
        assert_eq!(with("foo"), Err(USAGE));
        assert_eq!(with("-us"), Err(USAGE));
    }
}
