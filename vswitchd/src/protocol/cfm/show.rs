//! `cfm/show`.

use std::fmt::Write as _;

use super::{Cfm, fault_names};

impl Cfm {
    pub fn show(&self, now_ms: i64) -> String {
        let c = &self.config;
        let mut out = format!("---- {} ----\nMPID {}:", self.name, c.mpid);
        for (on, word) in [
            (c.extended, "extended"),
            (self.fault_override.is_some(), "fault_override"),
            (c.demand, "demand"),
        ] {
            if on {
                let _ = write!(out, " {word}");
            }
        }
        out.push('\n');
        let faults = self.faults();
        if faults != 0 {
            let _ = writeln!(out, "  fault: {}", fault_names(faults).join(" "));
        }
        let up = |up: bool| if up { "up" } else { "down" };
        let health = self.health.map_or("undefined".to_string(), |h| h.to_string());
        let _ = write!(
            out,
            "  average health: {health}\n  opstate: {}\n  remote_opstate: {}\n  interval: {}ms\n  \
             next CCM tx: {}ms\n  next fault check: {}ms\n",
            up(c.opstate_up),
            up(self.remote_opstate_up),
            c.interval().1,
            self.next_tx_ms - now_ms,
            self.next_check_ms - now_ms
        );
        for (mpid, remote) in &self.remotes {
            let _ = write!(
                out,
                "Remote MPID {mpid}\n  recv since check: {}\n  opstate: {}\n",
                remote.heard,
                up(remote.opstate_up)
            );
        }
        out
    }
}
