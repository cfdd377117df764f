//! Commands about protocols that no port runs: they say so, in OVS's words.

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
}
