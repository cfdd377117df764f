//! `bond/show` and a line of `bond/list`.

use std::fmt::Write as _;

use super::{Bond, Mode, N_BUCKETS};
use crate::protocol::NEVER;
use crate::text::mac;

impl Bond {
    /// `recirc`: the recirculation id of a balancing bond.
    pub fn show(&self, recirc: Option<u32>, now_ms: i64) -> String {
        let c = &self.config;
        let mut out = format!("---- {} ----\nbond_mode: {}\n", self.name, c.mode.name());
        let recirc = recirc.filter(|_| c.mode == Mode::BalanceTcp);
        let (may, id) = recirc.map_or(("no", -1), |id| ("yes", i64::from(id)));
        let _ = write!(
            out,
            "bond may use recirculation: {may}, Recirc-ID : {id}\nbond-hash-basis: {}\n\
             lb_output action: disabled, bond-id: -1\n",
            c.basis
        );
        if c.mode == Mode::BalanceSlb {
            let _ = writeln!(out, "all members active: {}", c.all_members_active);
        }
        let _ = write!(out, "updelay: {} ms\ndowndelay: {} ms\n", c.up_delay_ms, c.down_delay_ms);
        if let Some(next_ms) = self.next_rebalance_ms() {
            let _ = writeln!(out, "next rebalance: {} ms", next_ms - now_ms);
        }
        let _ = write!(
            out,
            "lacp_status: {}\nlacp_fallback_ab: {}\nactive-backup primary: ",
            self.lacp.name(),
            c.fallback_ab
        );
        match &c.primary {
            None => out.push_str("<none>\n"),
            Some(name) if self.members.values().any(|m| m.name == *name) => {
                let _ = writeln!(out, "{name}");
            }
            Some(name) => {
                let _ = writeln!(out, "{name} (no such member)");
            }
        }
        let active = self.active.and_then(|port| self.members.get(&port));
        let (address, name) = active.map_or(([0; 6], "none"), |m| (m.mac, m.name.as_str()));
        let _ = writeln!(out, "active member mac: {}({name})", mac(address));
        for port in self.members.keys() {
            self.show_member(*port, now_ms, &mut out);
        }
        out.push('\n');
        out
    }

    fn show_member(&self, port: openflow::OfPort, now_ms: i64, out: &mut String) {
        let member = &self.members[&port];
        let _ = writeln!(
            out,
            "\nmember {}: {}",
            member.name,
            if member.enabled { "enabled" } else { "disabled" }
        );
        if self.active == Some(port) {
            out.push_str("  active member\n");
        }
        let _ = writeln!(out, "  may_enable: {}", member.may_enable);
        if member.delay_ms != NEVER {
            let which = if member.enabled { "downdelay" } else { "updelay" };
            let _ = writeln!(out, "  {which} expires in {} ms", member.delay_ms - now_ms);
        }
        if self.config.mode == Mode::ActiveBackup {
            return;
        }
        for n in (0..N_BUCKETS).filter(|n| self.buckets.member(*n) == Some(port)) {
            let kb = self.buckets.bytes(n) / 1024;
            if kb > 0 {
                let _ = writeln!(out, "  hash {n}: {kb} kB load");
            }
        }
    }

    /// `bond/list`: name, mode, recirculation id, members.
    pub fn list_line(&self, recirc: Option<u32>) -> String {
        let names: Vec<&str> = self.members.values().map(|m| m.name.as_str()).collect();
        let mode = self.config.mode.name();
        format!("{}\t{mode}\t{}\t{}\n", self.name, recirc.unwrap_or(0), names.join(", "))
    }
}
