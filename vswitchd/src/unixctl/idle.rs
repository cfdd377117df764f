//! Commands about protocols that no port runs, and QoS that no port has: they say so, in OVS's words.

use std::sync::Arc;

use transport::unixctl::Registry;

use super::find;
use crate::bridge::switch::Switch;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    for (name, what, missing) in [
        ("lacp/show", "[port]", "no such lacp object"),
        ("lacp/show-stats", "[port]", "no such lacp object"),
        ("bfd/show", "[interface]", "no such bfd object"),
        ("cfm/show", "[interface]", "no such CFM object"),
    ] {
        registry.add(name, what, 0..=1, move |args| match args.first() {
            Some(_) => Err(missing.to_string()),
            None => Ok(String::new()),
        });
    }
    for name in ["stp/show", "rstp/show"] {
        let s = switch.clone();
        registry.add(name, "[bridge]", 0..=1, move |args| {
            args.first().map_or(Ok(()), |bridge| find(&s, bridge).map(drop))?;
            Ok(String::new())
        });
    }
    for name in ["stp/tcn", "rstp/tcn"] {
        let s = switch.clone();
        registry.add(name, "[bridge]", 0..=1, move |args| {
            args.first().map_or(Ok(()), |bridge| find(&s, bridge).map(drop))?;
            Ok("OK".into())
        });
    }
    let s = switch.clone();
    registry.add("mdb/show", "bridge", 1..=1, move |args| {
        find(&s, &args[0])?;
        Err("multicast snooping is disabled".into())
    });
    let s = switch.clone();
    registry.add("mdb/flush", "[bridge]", 0..=1, move |args| {
        args.first().map_or(Ok(()), |bridge| find(&s, bridge).map(drop))?;
        Ok("table successfully flushed".into())
    });
    let s = switch.clone();
    registry.add("qos/show", "interface", 1..=1, move |args| {
        interface(&s, &args[0])?;
        Ok(format!("QoS not configured on {}\n", args[0]))
    });
    let s = switch.clone();
    registry.add("qos/show-types", "interface", 1..=1, move |args| {
        interface(&s, &args[0])?;
        Ok(format!("No QoS types supported for interface: {}\n", args[0]))
    });
}

fn interface(switch: &Switch, name: &str) -> Result<(), String> {
    switch.actual().attached(name).map(drop).ok_or_else(|| "no such interface".to_string())
}
