//! Fail-open: what a bridge in fail mode `standalone` does while no controller answers. A machine without clock or
//! sockets: it is told of connections and of the time.
//!
//! ```text
//!  connected <----(a controller connects)---- open: NORMAL is installed
//!      |                                        ^
//!      +--(none for 3 probe intervals)----------+      only in standalone; secure never opens
//! ```

use crate::bridge::desire::FailMode;

/// Silent probe intervals before the bridge acts on its own.
const PROBES_MAX: i64 = 3;
/// Probe interval assumed when probes are off.
const PROBE_MS_DEFAULT: i64 = 5000;

/// What the bridge has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailOpenChange {
    /// Add the NORMAL rule above all others.
    Open,
    /// Remove it: a controller is back.
    Close,
}

#[derive(Debug)]
pub struct FailOpen {
    mode: FailMode,
    probe_ms: i64,
    has_controllers: bool,
    last_contact_ms: i64,
    open: bool,
}

impl FailOpen {
    pub fn new(now_ms: i64) -> Self {
        FailOpen {
            mode: FailMode::Standalone,
            probe_ms: PROBE_MS_DEFAULT,
            has_controllers: false,
            last_contact_ms: now_ms,
            open: false,
        }
    }

    /// New configuration: the largest probe interval of the primary controllers counts.
    pub fn configure(&mut self, mode: FailMode, probe_ms_max: Option<i64>, now_ms: i64) {
        let has_controllers = probe_ms_max.is_some();
        if has_controllers && !self.has_controllers {
            self.last_contact_ms = now_ms;
        }
        self.mode = mode;
        self.has_controllers = has_controllers;
        self.probe_ms = probe_ms_max.filter(|&ms| ms > 0).unwrap_or(PROBE_MS_DEFAULT);
    }

    /// The time, and whether a primary controller is connected now.
    pub fn run(&mut self, now_ms: i64, connected: bool) -> Option<FailOpenChange> {
        if connected {
            self.last_contact_ms = now_ms;
        }
        let silent = now_ms - self.last_contact_ms >= PROBES_MAX * self.probe_ms;
        let want = self.mode == FailMode::Standalone && self.has_controllers && silent;
        let change = match (self.open, want) {
            (false, true) => FailOpenChange::Open,
            (true, false) => FailOpenChange::Close,
            _ => return None,
        };
        self.open = want;
        Some(change)
    }

    pub fn is_open(&self) -> bool {
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_three_probes_and_closes_on_contact() {
        let mut f = FailOpen::new(0);
        f.configure(FailMode::Standalone, Some(5000), 1000);
        assert_eq!(f.run(15_999, false), None);
        assert_eq!(f.run(16_000, false), Some(FailOpenChange::Open));
        assert_eq!(f.run(17_000, false), None);
        assert_eq!(f.run(18_000, true), Some(FailOpenChange::Close));
        assert_eq!(f.run(32_999, false), None);
        assert_eq!(f.run(33_000, false), Some(FailOpenChange::Open));
    }

    #[test]
    fn secure_never_opens_and_a_change_to_it_closes() {
        let mut f = FailOpen::new(0);
        f.configure(FailMode::Secure, Some(1000), 0);
        assert_eq!(f.run(1_000_000, false), None);
        f.configure(FailMode::Standalone, Some(1000), 1_000_000);
        assert_eq!(f.run(1_000_000, false), Some(FailOpenChange::Open));
        f.configure(FailMode::Secure, Some(1000), 1_000_001);
        assert_eq!(f.run(1_000_001, false), Some(FailOpenChange::Close));
    }

    #[test]
    fn without_controllers_there_is_nothing_to_fail() {
        let mut f = FailOpen::new(0);
        f.configure(FailMode::Standalone, None, 0);
        assert_eq!(f.run(1_000_000, false), None);
    }
}
