//! `bfd/show`.

use std::fmt::Write as _;

use super::Bfd;
use super::packet::flag;

fn flags(bits: u8) -> String {
    const NAMES: [(u8, &str); 6] = [
        (flag::MULTIPOINT, "multipoint"),
        (flag::DEMAND, "demand"),
        (flag::AUTHENTICATION, "auth"),
        (flag::CONTROL_PLANE, "ctl"),
        (flag::FINAL, "final"),
        (flag::POLL, "poll"),
    ];
    let set: Vec<&str> = NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "none".into() } else { set.join(" ") }
}

impl Bfd {
    pub fn show(&self, now_ms: i64) -> String {
        let mut out = String::new();
        let since = |ms: i64| ms - now_ms;
        let _ = write!(
            out,
            "  Forwarding: {}\n  Detect Multiplier: {}\n  Concatenated Path Down: {}\n  TX Interval: Approx {}ms\n  \
             RX Interval: Approx {}ms\n  Detect Time: now {:+}ms\n  Next TX Time: now {:+}ms\n  \
             Last TX Time: now {:+}ms\n\n",
            self.is_forwarding(),
            self.config.mult,
            self.config.cpath_down,
            self.tx_interval_ms(),
            self.rx_interval_ms(),
            since(self.detect_ms),
            since(self.next_tx_ms),
            since(self.last_tx_ms)
        );
        let _ = write!(
            out,
            "  Local Flags: {}\n  Local Session State: {}\n  Local Diagnostic: {}\n  Local Discriminator: 0x{:x}\n  \
             Local Minimum TX Interval: {}ms\n  Local Minimum RX Interval: {}ms\n\n",
            flags(self.flags),
            self.state.name(),
            self.diagnostic.name(),
            self.discriminator,
            self.min_tx_ms,
            self.min_rx_ms
        );
        let r = &self.remote;
        let _ = write!(
            out,
            "  Remote Flags: {}\n  Remote Session State: {}\n  Remote Diagnostic: {}\n  \
             Remote Discriminator: 0x{:x}\n  Remote Minimum TX Interval: {}ms\n  \
             Remote Minimum RX Interval: {}ms\n  Remote Detect Multiplier: {}\n",
            flags(r.flags),
            r.state.name(),
            r.diagnostic.name(),
            r.discriminator,
            r.min_tx_ms,
            r.min_rx_ms,
            r.mult
        );
        out
    }
}
