//! `ofproto/trace`, `bridge/dump-flows`, `upcall/*` and `revalidator/*`.

use std::fmt::Write as _;
use std::sync::Arc;

use flow::matching::DEFAULT_PRIORITY;
use openflow::text::actions::Parser;
use transport::unixctl::Registry;

use crate::bridge::switch::{LiveBridge, Switch};
use crate::ofproto::{Rule, World, match_of};
use crate::trace;
use crate::upcall::Revalidator;

const TRACE_USAGE: &str = "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]";
const TRACE_OUT_USAGE: &str =
    "[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet] actions";
const MANY: usize = 16;

pub(super) fn register(registry: &Registry, switch: &Arc<Switch>) {
    let s = switch.clone();
    registry.add("ofproto/trace", TRACE_USAGE, 1..=MANY, move |args| {
        let worlds = s.worlds();
        let request = trace::parse(&worlds, args)?;
        let world = worlds.iter().find(|w| w.bridge(request.bridge).is_some_and(|b| b.name == request.name));
        Ok(trace::run(world.ok_or("no such bridge")?, &request))
    });
    let s = switch.clone();
    registry.add("ofproto/trace-packet-out", TRACE_OUT_USAGE, 2..=MANY, move |args| trace_out(&s, args));
    let s = switch.clone();
    registry.add("bridge/dump-flows", "[--offload-stats] bridge", 1..=2, move |args| {
        let name = args.iter().find(|a| !a.starts_with("--")).ok_or("no such bridge")?;
        Ok(dump_flows(&*s.bridge(name).ok_or("Unknown bridge")?))
    });
    register_revalidators(registry, switch);
}

/// The last argument is actions, to be run in place of the tables; the rest is as for `ofproto/trace`.
fn trace_out(switch: &Switch, args: &[String]) -> Result<String, String> {
    let worlds = switch.worlds();
    let (text, args) = args.split_last().ok_or("no actions")?;
    let mut request = trace::parse(&worlds, args)?;
    let found = |w: &Arc<World>| w.snapshot_full().bridge_by_name(&request.name).cloned();
    let (world, bridge) =
        worlds.iter().find_map(|w| Some((w, found(w)?))).ok_or_else(|| "no such bridge".to_string())?;
    let names = trace::OfNames(&bridge);
    let actions = openflow::text::actions::parse(text, &mut Parser::new(Some(&names)));
    request.actions = Some(actions.map_err(|e| e.to_string())?);
    Ok(trace::run(world, &request))
}

/// Commands that every datapath's revalidator gets.
fn register_revalidators(registry: &Registry, switch: &Arc<Switch>) {
    let all = |name: &str, run: fn(&Revalidator)| {
        let s = switch.clone();
        registry.add(name, "", 0..=0, move |_| {
            revalidators(&s).iter().for_each(|r| run(r));
            Ok(String::new())
        });
    };
    all("revalidator/wait", Revalidator::wait);
    all("revalidator/purge", Revalidator::purge);
    all("revalidator/pause", Revalidator::pause);
    all("revalidator/resume", Revalidator::resume);
    let s = switch.clone();
    registry.add("upcall/show", "", 0..=0, move |_| {
        let shown = super::dpctl::used(&s).filter_map(|b| Some(b.world.revalidator()?.show(b.kind, b.name)));
        Ok(shown.collect())
    });
    for (name, on) in [("upcall/disable-megaflows", false), ("upcall/enable-megaflows", true)] {
        let s = switch.clone();
        registry.add(name, "", 0..=0, move |_| {
            revalidators(&s).iter().for_each(|r| r.set_megaflows(on));
            Ok(format!("megaflows {}\n", if on { "enabled" } else { "disabled" }))
        });
    }
    // Every dump has UFIDs here; the switch remembers nothing.
    for (name, text) in [("disable", "disabled"), ("enable", "enabled for supported datapaths")] {
        registry.add(&format!("upcall/{name}-ufid"), "", 0..=0, move |_| {
            Ok(format!("Datapath dumping tersely using UFID {text}\n"))
        });
    }
    let s = switch.clone();
    registry.add("upcall/set-flow-limit", "flow-limit-number", 1..=1, move |args| {
        let limit = args[0].parse().map_err(|_| "invalid flow limit".to_string())?;
        revalidators(&s).iter().for_each(|r| r.set_flow_limit(limit));
        Ok(format!("set flow_limit to {limit}\n"))
    });
}

fn revalidators(switch: &Switch) -> Vec<Arc<Revalidator>> {
    switch.worlds().iter().filter(|w| !w.bridges().is_empty()).filter_map(|w| w.revalidator()).collect()
}

fn dump_flows(bridge: &LiveBridge) -> String {
    let world = &bridge.ofproto.world;
    world.push_stats();
    let snapshot = world.snapshot_full();
    let Some(view) = snapshot.bridge(bridge.ofproto.id) else { return String::new() };
    let now_ms = world.clock.now_ms();
    let mut text = String::new();
    for (_, table) in view.tables.iter() {
        let mut rules: Vec<&Arc<Rule>> = table.rules.iter().collect();
        rules.sort_by_key(|r| (std::cmp::Reverse(r.priority), r.created_ms));
        rules.iter().for_each(|r| line(r, now_ms, &mut text));
    }
    text
}

fn line(rule: &Rule, now_ms: i64, text: &mut String) {
    if rule.table.0 != 0 {
        let _ = write!(text, "table_id={}, ", rule.table.0);
    }
    let priority = i32::try_from(rule.priority).unwrap_or(DEFAULT_PRIORITY);
    let _ = writeln!(
        text,
        "duration={}s, n_packets={}, n_bytes={}, {},actions={}",
        (now_ms - rule.created_ms).max(0) / 1000,
        rule.stats.packets(),
        rule.stats.bytes(),
        match_of(rule).format(priority, None),
        crate::text::actions(&rule.actions)
    );
}
