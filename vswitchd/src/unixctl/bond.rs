//! `bond/*`: state of bonds, and moving their traffic by hand.

use std::sync::Arc;

use transport::unixctl::Registry;

use crate::bridge::desire::parse_mac;
use crate::bridge::switch::{LiveBridge, Switch};
use crate::protocol::bond::{Bond, hash_mac};

const BUCKET_MAX: u32 = 255;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("bond/list", "", 0..=0, move |_| {
        let mut text = String::from("bond\ttype\trecircID\tmembers\n");
        each(&s, |_, bond, recirc| text.push_str(&bond.list_line(recirc)));
        Ok(text)
    });
    let s = switch.clone();
    registry.add("bond/show", "[port]", 0..=1, move |args| {
        let mut text = String::new();
        each(&s, |live, bond, recirc| {
            if args.first().is_none_or(|name| *name == bond.name) {
                text.push_str(&bond.show(recirc, live.ofproto.now_ms()));
            }
        });
        if text.is_empty() && !args.is_empty() { Err("no such bond".into()) } else { Ok(text) }
    });
    let s = switch.clone();
    registry.add("bond/migrate", "port hash member", 3..=3, move |args| {
        with(&s, &args[0], |bond| {
            let is_bucket = |n: &u32| *n <= BUCKET_MAX;
            let hash = args[1].parse().ok().filter(is_bucket).ok_or("bad hash")?;
            bond.migrate(hash, &args[2])
        })
    });
    for name in ["bond/set-active-member", "bond/set-active-slave"] {
        let s = switch.clone();
        add(registry, name, move |args| with(&s, &args[0], |bond| bond.set_active(&args[1])));
    }
    for (name, on) in [
        ("bond/enable-member", true),
        ("bond/disable-member", false),
        ("bond/enable-slave", true),
        ("bond/disable-slave", false),
    ] {
        let s = switch.clone();
        add(registry, name, move |args| with(&s, &args[0], |bond| bond.set_enabled(&args[1], on)));
    }
    registry.add("bond/hash", "mac [vlan] [basis]", 1..=3, move |args| {
        let vlan = match args.get(1) {
            Some(text) => text.parse().map_err(|_| "invalid vlan")?,
            None => 0,
        };
        let basis = match args.get(2) {
            Some(text) => text.parse().map_err(|_| "invalid basis")?,
            None => 0,
        };
        let mac = parse_mac(&args[0]).ok_or("invalid mac")?;
        Ok((hash_mac(mac, vlan, basis) & BUCKET_MAX).to_string())
    });
}

/// The names with "slave" work, but are not listed.
fn add(
    registry: &Registry,
    name: &'static str,
    run: impl Fn(&[String]) -> Result<String, String> + Send + Sync + 'static,
) {
    registry.add(name, if name.ends_with("slave") { "" } else { "port member" }, 2..=2, run);
}

/// Calls `visit` with each bond, by name, and its recirculation id.
fn each(switch: &Switch, mut visit: impl FnMut(&LiveBridge, &Bond, Option<u32>)) {
    for live in switch.bridges() {
        let machines = live.ofproto.protocols.lock();
        for bond in machines.bonds.values() {
            visit(&live, bond, machines.recircs.get(&bond.name).map(|r| r.id));
        }
    }
}

/// Lets `act` change the bond called `name`; the machine runs at once.
fn with(
    switch: &Switch,
    name: &str,
    act: impl FnOnce(&mut Bond) -> Result<&'static str, &'static str>,
) -> Result<String, String> {
    for live in switch.bridges() {
        let mut machines = live.ofproto.protocols.lock();
        if let Some(bond) = machines.bonds.get_mut(name) {
            let answer = act(bond)?;
            drop(machines);
            live.ofproto.protocols.publish(&live.ofproto);
            return Ok(answer.to_string());
        }
    }
    Err("no such bond".into())
}
