//! `qos/*`: the egress QoS of an interface.

use std::fmt::Write as _;
use std::sync::Arc;

use dpif::port::{Qos, QueueStats};
use transport::unixctl::Registry;

use crate::bridge::desire::Backing;
use crate::bridge::switch::Switch;

/// The keys of the policers in the order in which they are told; others follow by name.
const KEYS: [&str; 4] = ["cir", "cbs", "eir", "ebs"];

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("qos/show", "interface", 1..=1, move |args| show(&s, &args[0]));
    let s = switch.clone();
    registry.add("qos/show-types", "interface", 1..=1, move |args| {
        let (_, _, types) = find(&s, &args[0])?;
        if types.is_empty() {
            return Ok(format!("No QoS types supported for interface: {}\n", args[0]));
        }
        Ok(types.iter().map(|t| format!("QoS type: {t}\n")).collect())
    });
}

type Found = (Option<Qos>, QueueStats, Vec<&'static str>);

/// What interface `name` has, its counters, and the types that it could have.
fn find(switch: &Switch, name: &str) -> Result<Found, String> {
    let missing = || "no such interface".to_string();
    let actual = switch.actual();
    let (bridge, attached) = actual.attached(name).ok_or_else(missing)?;
    let applied = actual.bridges.get(bridge).and_then(|b| b.interfaces.get(name)).ok_or_else(missing)?;
    let qos = match &applied.applied.backing {
        Ok(Backing::Datapath(spec)) => spec.qos.clone(),
        _ => None,
    };
    let live = switch.bridge(bridge).ok_or_else(missing)?;
    let (stats, types) =
        attached.dp_port.and_then(|port| live.backer.datapath.port_qos(port).ok()).unwrap_or_default();
    Ok((qos.filter(|q| types.contains(&q.kind.as_str())), stats, types))
}

fn show(switch: &Switch, name: &str) -> Result<String, String> {
    let (qos, stats, _) = find(switch, name)?;
    let Some(qos) = qos else { return Ok(format!("QoS not configured on {name}\n")) };
    let mut text = format!("QoS: {name} {}\n", qos.kind);
    settings(&mut text, "", &qos.config);
    for (id, queue) in &qos.queues {
        // Writing to a string cannot fail.
        let _ = match id {
            0 => writeln!(text, "\nDefault:"),
            id => writeln!(text, "\nQueue {id}:"),
        };
        settings(&mut text, "  ", queue);
        let of_it = if *id == 0 { stats } else { QueueStats::default() };
        for (what, n) in [("packets", of_it.packets), ("bytes", of_it.bytes), ("errors", of_it.errors)] {
            let _ = writeln!(text, "  tx_{what}: {n}");
        }
    }
    Ok(text)
}

fn settings(text: &mut String, indent: &str, config: &std::collections::BTreeMap<String, String>) {
    let known = KEYS.iter().filter_map(|k| config.get_key_value(*k));
    let others = config.iter().filter(|(k, _)| !KEYS.contains(&k.as_str()));
    for (key, value) in known.chain(others) {
        let _ = writeln!(text, "{indent}{key}: {value}");
    }
}
