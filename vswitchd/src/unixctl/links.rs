//! `bfd/*`, `cfm/*` and `autoattach/*`.

use std::sync::Arc;

use openflow::OfPort;
use transport::unixctl::Registry;

use crate::bridge::switch::{LiveBridge, Switch};
use crate::protocol::engine::Machines;
use crate::protocol::lldp::Lldp;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    autoattach(registry, switch, "autoattach/status", Lldp::show_status);
    autoattach(registry, switch, "autoattach/show-isid", Lldp::show_isid);
    autoattach(registry, switch, "autoattach/statistics", Lldp::show_statistics);
    show(registry, switch, "bfd/show", "no such bfd object", |m, port, is_named, now_ms| {
        let bfd = m.links.bfd.get(&port)?;
        let title = if is_named { String::new() } else { format!("---- {} ----\n", bfd.name) };
        Some(title + &bfd.show(now_ms))
    });
    show(registry, switch, "cfm/show", "no such CFM object", |m, port, _, now_ms| {
        Some(m.links.cfm.get(&port)?.show(now_ms))
    });
    set(
        registry,
        switch,
        "bfd/set-forwarding",
        ["unknown bfd forwarding string", "no such BFD object"],
        |m, port, value| m.links.bfd.get_mut(&port).map(|bfd| bfd.forwarding_override = value),
    );
    set(
        registry,
        switch,
        "cfm/set-fault",
        ["unknown fault string", "no such CFM object"],
        |m, port, value| m.links.cfm.get_mut(&port).map(|cfm| cfm.fault_override = value),
    );
}

/// `autoattach/*`: all ports with LLDP, whatever bridge is named.
fn autoattach(
    registry: &Registry,
    switch: &Arc<Switch>,
    command: &'static str,
    text_of: fn(&Lldp) -> String,
) {
    let s = switch.clone();
    registry.add(command, "[bridge]", 0..=1, move |_| {
        let of_bridge = |b: &Arc<LiveBridge>| -> String {
            b.ofproto.protocols.lock().links.lldp.values().map(text_of).collect()
        };
        Ok(s.bridges().iter().map(of_bridge).collect())
    });
}

/// Calls `visit` for each port called `name`, or for all.
fn each_port(
    switch: &Switch,
    name: Option<&String>,
    mut visit: impl FnMut(&LiveBridge, &mut Machines, OfPort),
) {
    for live in switch.bridges() {
        let mut machines = live.ofproto.protocols.lock();
        let ports = &machines.config.ports;
        let wanted: Vec<OfPort> =
            ports.iter().filter(|(_, p)| name.is_none_or(|n| *n == p.name)).map(|(n, _)| *n).collect();
        wanted.into_iter().for_each(|port| visit(&live, &mut machines, port));
    }
}

fn show(
    registry: &Registry,
    switch: &Arc<Switch>,
    command: &'static str,
    missing: &'static str,
    text_of: fn(&Machines, OfPort, bool, i64) -> Option<String>,
) {
    let s = switch.clone();
    registry.add(command, "[interface]", 0..=1, move |args| {
        let mut text = String::new();
        each_port(&s, args.first(), |live, machines, port| {
            let of_port = text_of(machines, port, !args.is_empty(), live.ofproto.now_ms());
            text.push_str(&of_port.unwrap_or_default());
        });
        if text.is_empty() && !args.is_empty() { Err(missing.into()) } else { Ok(text) }
    });
}

/// `[interface] normal|false|true`; `texts`: for another word, and for another interface.
fn set(
    registry: &Registry,
    switch: &Arc<Switch>,
    command: &'static str,
    texts: [&'static str; 2],
    change: fn(&mut Machines, OfPort, Option<bool>) -> Option<()>,
) {
    let s = switch.clone();
    registry.add(command, "[interface] normal|false|true", 1..=2, move |args| {
        let value = match args.last().map(|w| w.to_ascii_lowercase()).as_deref() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some("normal") => None,
            _ => return Err(texts[0].into()),
        };
        let name = args.first().filter(|_| args.len() == 2);
        let mut found = false;
        each_port(&s, name, |_, machines, port| found |= change(machines, port, value).is_some());
        if name.is_some() && !found {
            return Err(texts[1].into());
        }
        s.worlds().iter().for_each(|world| crate::protocol::runner::settle(world));
        Ok("OK".into())
    });
}
