//! `rstp/show`.

use std::fmt::Write as _;

use super::super::stp::BridgeId;
use super::{Rstp, Times, bridge_times};
use crate::text::mac;

fn id_block(out: &mut String, id: BridgeId, times: Times) {
    let _ = write!(
        out,
        "  stp-priority    {}\n  stp-system-id   {}\n  stp-hello-time  {}s\n  stp-max-age     {}s\n  \
         stp-fwd-delay   {}s\n",
        id.priority(),
        mac(id.mac()),
        times.hello_s,
        times.max_age_s,
        times.forward_delay_s
    );
}

/// `P.XXX.MMMMMMMMMMMM`: priority, extension, address.
pub fn id_text(id: BridgeId) -> String {
    format!("{:x}.{:03x}.{:012x}", id.0 >> 60, id.0 >> 48 & 0xfff, id.0 & 0xffff_ffff_ffff)
}

impl Rstp {
    pub fn show(&self) -> String {
        let mut out = format!("---- {} ----\nRoot ID:\n", self.name);
        id_block(&mut out, self.root.root, self.root_times);
        match self.root_port.and_then(|port| self.ports.get(&port)) {
            _ if self.is_root() => out.push_str("  This bridge is the root\n"),
            Some(port) => {
                let _ = writeln!(out, "  root-port       {}", port.config.name);
                let _ = writeln!(out, "  root-path-cost  {}", self.root.cost);
            }
            None => {}
        }
        out.push_str("\nBridge ID:\n");
        id_block(&mut out, self.config.id, bridge_times(&self.config));
        let _ = write!(
            out,
            "\n  {:<10} {:<10} {:<10} {:<8} {:<8}\n  {:-<10} {:-<10} {:-<10} {:-<8} {:-<7}\n",
            "Interface", "Role", "State", "Cost", "Pri.Nbr", "", "", "", "", ""
        );
        for port in self.ports.values() {
            let _ = writeln!(
                out,
                "  {:<10} {:<10} {:<10} {:<8} {}.{}",
                port.config.name,
                port.role.name(),
                port.state_name(),
                port.path_cost,
                port.config.priority,
                port.config.number
            );
        }
        out.push('\n');
        out
    }
}
