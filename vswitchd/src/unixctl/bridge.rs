//! `bridge/*` and `ofproto/list`.

use std::sync::Arc;

use transport::unixctl::Registry;

use crate::bridge::switch::Switch;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("ofproto/list", "", 0..=0, move |_| {
        Ok(s.bridges().iter().map(|b| format!("{}\n", b.name)).collect())
    });
    let s = switch.clone();
    registry.add("bridge/reconnect", "[bridge]", 0..=1, move |args| {
        match args.first() {
            Some(name) => s.bridge(name).ok_or("Unknown bridge")?.controllers.reconnect(),
            None => s.bridges().iter().for_each(|b| b.controllers.reconnect()),
        }
        Ok(String::new())
    });
}
