//! `stp/show`.

use std::fmt::Write as _;

use super::{BridgeId, Stp};
use crate::text::mac;

fn id_block(out: &mut String, id: BridgeId, [hello, age, delay]: [i64; 3]) {
    let _ = write!(
        out,
        "  stp-priority  {}\n  stp-system-id   {}\n  stp-hello-time  {}s\n  stp-max-age     {}s\n  \
         stp-fwd-delay   {}s\n",
        id.priority(),
        mac(id.mac()),
        hello / 1000,
        age / 1000,
        delay / 1000
    );
}

impl Stp {
    pub fn show(&self) -> String {
        let mut out = format!("---- {} ----\nRoot ID:\n", self.name);
        id_block(&mut out, self.root, [self.hello_ms, self.max_age_ms, self.forward_delay_ms]);
        match self.root_port.and_then(|port| self.ports.get(&port)) {
            _ if self.is_root() => out.push_str("  This bridge is the root\n"),
            Some(port) => {
                let _ = writeln!(out, "  root-port       {}", port.config.name);
                let _ = writeln!(out, "  root-path-cost  {}", self.root_cost);
            }
            None => {}
        }
        out.push_str("\nBridge ID:\n");
        let c = &self.config;
        id_block(&mut out, c.id, [c.hello_ms, c.max_age_ms, c.forward_delay_ms]);
        let _ = write!(
            out,
            "\n  {:<10} {:<10} {:<10} {:<5} {:<8}\n  {:-<10} {:-<10} {:-<10} {:-<5} {:-<7}\n",
            "Interface", "Role", "State", "Cost", "Pri.Nbr", "", "", "", "", ""
        );
        for (number, port) in &self.ports {
            let _ = writeln!(
                out,
                "  {:<10} {:<10} {:<10} {:<5} {}.{}",
                port.config.name,
                self.role(*number).name(),
                port.state.name(),
                port.path_cost,
                port.config.priority,
                port.config.number
            );
        }
        out.push('\n');
        out
    }
}
