//! `upcall/show`.

use std::fmt::Write as _;

use super::Revalidator;

impl Revalidator {
    /// The text of `upcall/show` for the datapath of that type and name.
    pub fn show(&self, kind: &str, name: &str) -> String {
        let state = self.lock();
        let n = state.flows.len();
        let mut text = format!("{kind}@{name}:\n");
        let _ = writeln!(
            text,
            "  flows         : (current {n}) (avg {}) (max {}) (limit {})",
            state.n_flows_avg,
            state.n_flows_max,
            state.limit.get()
        );
        let _ = writeln!(text, "  dump duration : {}ms", state.round_ms);
        let ufid = self.upcalls.ufid.load(std::sync::atomic::Ordering::Relaxed);
        let _ = writeln!(text, "  ufid enabled : {ufid}\n");
        let _ = writeln!(text, "  0: (keys {n})");
        text
    }
}
