//! `mdb/*`: the multicast snooping table.

use std::fmt::Write as _;
use std::sync::Arc;

use openflow::OfPort;
use transport::unixctl::Registry;

use super::find;
use crate::bridge::switch::{LiveBridge, Switch};
use crate::protocol::mcast::Table;

const DISABLED: &str = "multicast snooping is disabled";

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("mdb/show", "bridge", 1..=1, move |args| {
        let live = find(&s, &args[0])?;
        Ok(show(&*table(&live).ok_or(DISABLED)?, live.ofproto.now_ms()))
    });
    let s = switch.clone();
    registry.add("mdb/flush", "[bridge]", 0..=1, move |args| {
        match args.first() {
            Some(name) => table(&*find(&s, name)?).ok_or(DISABLED)?.flush(),
            None => s.bridges().iter().filter_map(|b| table(b)).for_each(|t| t.flush()),
        }
        Ok("table successfully flushed".into())
    });
}

fn table(live: &LiveBridge) -> Option<Arc<Table>> {
    live.ofproto.protocols.lock().snooping.as_ref().map(|s| s.0.clone())
}

fn show(table: &Table, now_ms: i64) -> String {
    let mut text = String::from(" port  VLAN  GROUP                Age\n");
    for row in table.rows(now_ms) {
        let port = if row.port == OfPort::LOCAL { "LOCAL".into() } else { row.port.to_string() };
        let group = row.group.map(|g| g.to_ipv4_mapped().map_or(g.to_string(), |v4| v4.to_string()));
        let _ = match group {
            Some(group) => writeln!(text, "{port:>5}  {:>4}  {group}         {:3}", row.vlan, row.age_s),
            None => writeln!(text, "{port:>5}  {:>4}  querier             {:3}", row.vlan, row.age_s),
        };
    }
    text
}
