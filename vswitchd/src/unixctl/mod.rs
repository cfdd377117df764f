//! Commands of ovs-vswitchd for `ovs-appctl`, with OVS's words. They read the live switch; the few that change
//! something do what an operator asked for and nothing else.

mod bond;
mod bridge;
mod dpctl;
mod dpif;
mod fdb;
mod flows;
mod idle;
mod lacp;
mod links;
mod mdb;
mod ofproto;
mod qos;
mod time;
mod tree;

use std::sync::Arc;

use transport::unixctl::Registry;

use crate::bridge::switch::{LiveBridge, Switch};

/// Adds every command. `dummy`: those of `--enable-dummy` too.
pub fn register(registry: &Registry, switch: &Arc<Switch>, dummy: bool) {
    bond::register(registry, switch);
    bridge::register(registry, switch);
    dpctl::register(registry, switch);
    dpif::register(registry, switch);
    fdb::register(registry, switch);
    idle::register(registry, switch);
    lacp::register(registry, switch);
    links::register(registry, switch);
    mdb::register(registry, switch);
    ofproto::register(registry, switch);
    tree::register(registry, switch);
    qos::register(registry, switch);
    if dummy {
        time::register(registry, switch);
    }
}

/// The bridge `name`, or OVS's error.
fn find(switch: &Switch, name: &str) -> Result<Arc<LiveBridge>, String> {
    switch.bridge(name).ok_or_else(|| "no such bridge".to_string())
}
