//! `lacp/show` and `lacp/show-stats`.

use std::fmt::Write as _;

use super::pdu::state;
use super::{Info, Lacp, RxState};
use crate::text::mac;

impl Lacp {
    pub fn show(&self) -> String {
        let c = &self.config;
        let mode = if c.active { "active" } else { "passive" };
        let negotiated = if self.negotiated { " negotiated" } else { "" };
        let mut out = format!("---- {} ----\n  status: {mode}{negotiated}\n", self.name);
        let _ = write!(
            out,
            "  sys_id: {}\n  sys_priority: {}\n  aggregation key: {}\n  lacp_time: {}\n",
            mac(c.system_id),
            c.system_priority,
            self.key(),
            if c.fast { "fast" } else { "slow" }
        );
        for member in self.members.values() {
            let rx_state = match member.rx_state {
                RxState::Current => "current",
                RxState::Expired => "expired",
                RxState::Defaulted => "defaulted",
            };
            let attached = if member.attached { "attached" } else { "detached" };
            let m = &member.config;
            let _ = write!(
                out,
                "\nmember: {}: {rx_state} {attached}\n  port_id: {}\n  port_priority: {}\n  may_enable: {}\n\n",
                m.name,
                m.port_id,
                m.port_priority,
                self.is_usable(member)
            );
            show_info(&mut out, "actor", &self.actor(member));
            out.push('\n');
            show_info(&mut out, "partner", &member.partner);
        }
        out
    }

    pub fn show_stats(&self) -> String {
        let mut out = format!("---- {} statistics ----\n", self.name);
        for member in self.members.values() {
            let c = &member.counters;
            let _ = write!(
                out,
                "\nmember: {}:\n  TX PDUs: {}\n  RX PDUs: {}\n  RX Bad PDUs: {}\n  RX Marker Request PDUs: {}\n  \
                 Link Expired: {}\n  Link Defaulted: {}\n  Carrier Status Changed: {}\n",
                member.config.name,
                c.tx,
                c.rx,
                c.rx_bad,
                c.rx_marker,
                c.expired,
                c.defaulted,
                c.carrier_changed
            );
        }
        out
    }
}

fn show_info(out: &mut String, who: &str, info: &Info) {
    let _ = write!(
        out,
        "  {who} sys_id: {}\n  {who} sys_priority: {}\n  {who} port_id: {}\n  {who} port_priority: {}\n  \
         {who} key: {}\n  {who} state:",
        mac(info.system_id),
        info.system_priority,
        info.port_id,
        info.port_priority,
        info.key
    );
    for (bit, name) in state::NAMES.iter().enumerate() {
        if info.state & (1 << bit) != 0 {
            let _ = write!(out, " {name}");
        }
    }
    out.push('\n');
}
