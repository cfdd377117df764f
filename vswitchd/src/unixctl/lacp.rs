//! `lacp/show` and `lacp/show-stats`.

use std::sync::Arc;

use transport::unixctl::Registry;

use crate::bridge::switch::Switch;
use crate::protocol::lacp::Lacp;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    for command in ["lacp/show", "lacp/show-stats"] {
        let show = if command == "lacp/show" { Lacp::show } else { Lacp::show_stats };
        let s = switch.clone();
        registry.add(command, "[port]", 0..=1, move |args| {
            let mut text = String::new();
            for live in s.bridges() {
                let machines = live.ofproto.protocols.lock();
                let wanted = |l: &&Lacp| args.first().is_none_or(|name| *name == l.name);
                machines.lacp.values().filter(wanted).for_each(|lacp| text.push_str(&show(lacp)));
            }
            if text.is_empty() && !args.is_empty() { Err("no such lacp object".into()) } else { Ok(text) }
        });
    }
}
