//! `stp/*` and `rstp/*`.

use std::sync::Arc;

use transport::unixctl::Registry;

use crate::bridge::switch::{LiveBridge, Switch};
use crate::protocol::engine::Machines;

const NO_STP: &str = "no such stp object";
const NO_RSTP: &str = "No such RSTP object";

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    add(registry, switch, "stp/show", NO_STP, |m, _| Some(m.stp.as_ref()?.show()));
    add(registry, switch, "rstp/show", NO_RSTP, |m, _| Some(m.rstp.as_ref()?.show()));
    add(registry, switch, "stp/tcn", NO_STP, |m, live| {
        m.stp.as_mut()?.detect_topology_change(live.ofproto.now_ms());
        Some("OK".into())
    });
    add(registry, switch, "rstp/tcn", NO_RSTP, |m, _| {
        m.rstp.as_mut()?.force_topology_change();
        Some("OK".into())
    });
}

/// A command for one bridge, or for all that have such a tree.
fn add(
    registry: &Registry,
    switch: &Arc<Switch>,
    name: &'static str,
    missing: &'static str,
    act: fn(&mut Machines, &LiveBridge) -> Option<String>,
) {
    let s = switch.clone();
    registry.add(name, "[bridge]", 0..=1, move |args| {
        let mut text = String::new();
        for live in s.bridges().iter().filter(|b| args.first().is_none_or(|name| *name == b.name)) {
            let answer = act(&mut live.ofproto.protocols.lock(), live);
            live.ofproto.protocols.publish(&live.ofproto);
            match answer {
                // Said once, however many bridges there are.
                Some(answer) if answer == "OK" => text = answer,
                Some(answer) => text.push_str(&answer),
                None => {}
            }
        }
        match (args.first(), text.as_str(), name) {
            (Some(_), "", _) => Err(missing.into()),
            (None, "", "stp/tcn" | "rstp/tcn") => Ok("OK".into()),
            _ => Ok(text),
        }
    });
}
