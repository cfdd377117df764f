//! `fdb/*`: the MAC learning table.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use openflow::OfPort;
use transport::unixctl::Registry;

use super::find;
use crate::bridge::desire::parse_mac;
use crate::bridge::status::format_mac;
use crate::bridge::switch::{LiveBridge, Switch};

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("fdb/show", "bridge", 1..=1, move |args| Ok(show(&*find(&s, &args[0])?)));
    let s = switch.clone();
    registry.add("fdb/stats-show", "bridge", 1..=1, move |args| Ok(stats(&*find(&s, &args[0])?)));
    let s = switch.clone();
    registry.add("fdb/flush", "[bridge]", 0..=1, move |args| {
        each(&s, args, |b| b.ofproto.macs.flush())?;
        Ok("table successfully flushed".into())
    });
    let s = switch.clone();
    registry.add("fdb/stats-clear", "[bridge]", 0..=1, move |args| {
        each(&s, args, |b| b.ofproto.macs.clear_stats())?;
        Ok("statistics successfully cleared".into())
    });
    let s = switch.clone();
    registry.add("fdb/add", "bridge port vlan mac", 4..=4, move |args| {
        let live = find(&s, &args[0])?;
        let port = live.ofproto.ports().into_iter().find(|p| p.name == args[1]).ok_or("no such port")?;
        let bundle = port.bundle.ok_or("no such port")?;
        let (vlan, mac) = entry(&args[2], &args[3])?;
        live.ofproto.macs.add_static(vlan, mac, bundle, port.number);
        Ok(String::new())
    });
    let s = switch.clone();
    registry.add("fdb/del", "bridge vlan mac", 3..=3, move |args| {
        let live = find(&s, &args[0])?;
        let (vlan, mac) = entry(&args[1], &args[2])?;
        if live.ofproto.macs.remove(vlan, mac) { Ok(String::new()) } else { Err("entry not found".into()) }
    });
}

fn entry(vlan: &str, mac: &str) -> Result<(u16, [u8; 6]), String> {
    let vlan = vlan.parse().ok().filter(|v| *v < 4096).ok_or("invalid vlan")?;
    Ok((vlan, parse_mac(mac).ok_or("bad MAC address")?))
}

/// The named bridge, or all.
fn each(switch: &Switch, args: &[String], act: impl Fn(&LiveBridge)) -> Result<(), String> {
    match args.first() {
        Some(name) => act(&*find(switch, name)?),
        None => switch.bridges().iter().for_each(|b| act(b)),
    }
    Ok(())
}

fn show(live: &LiveBridge) -> String {
    let mut text = String::from(" port  VLAN  MAC                Age\n");
    for row in live.ofproto.macs.rows(live.ofproto.now_ms()) {
        let port = if row.port == OfPort::LOCAL { "LOCAL".into() } else { row.port.to_string() };
        let age = row.age_s.map_or_else(|| "static".to_string(), |age| format!("{age:3}"));
        let _ = writeln!(text, "{port:>5}  {:>4}  {}  {age}", row.vlan, format_mac(row.mac));
    }
    text
}

fn stats(live: &LiveBridge) -> String {
    let macs = &live.ofproto.macs;
    let line = |name: &str, n: u64| format!("  {name:<40}: {n}\n");
    format!("Statistics for bridge \"{}\":\n", live.name)
        + &format!("  Current/maximum MAC entries in the table: {}/{}\n", macs.len(), macs.len_max())
        + &line("Current static MAC entries in the table", macs.n_static() as u64)
        + &line("Total number of learned MAC entries", macs.stats.learned.load(Relaxed))
        + &line("Total number of expired MAC entries", macs.stats.expired.load(Relaxed))
        + &line("Total number of evicted MAC entries", macs.stats.evicted.load(Relaxed))
        + &line("Total number of port moved MAC entries", macs.stats.moved.load(Relaxed))
}
