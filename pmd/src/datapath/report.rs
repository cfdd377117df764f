//! What the log says of settings and of the assignment of queues, in Open vSwitch's words: tests and operators look for them.
//! Only changes are said.

use std::collections::BTreeMap;

use super::State;
use crate::port::options::{Map, flag};
use crate::worker::assign::{Algorithm, Assignment, Core, Rxq};
use crate::worker::balance;
use crate::worker::plan::Settings;

macro_rules! say {
    ($($text:tt)*) => { tracing::info!(target: "dpif_netdev", $($text)*) };
}

/// The last report about queues: the algorithm, and the core of each queue.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Reported {
    algorithm: Algorithm,
    queues: Vec<(String, u16, Option<u32>, Option<u32>)>,
}

/// Says what changed from `old` (`None`: the first settings) to `new`.
pub(super) fn settings(old: Option<&Map>, new: &Map) {
    let algorithm = |map: &Map| Algorithm::from_text(map.get("pmd-rxq-assign").map(String::as_str));
    let (before, now) = (old.map(algorithm).unwrap_or_default(), algorithm(new));
    if let Some(text) =
        new.get("pmd-rxq-assign").filter(|t| !["cycles", "roundrobin", "group"].contains(&t.as_str()))
        && old.is_none_or(|o| o.get("pmd-rxq-assign") != Some(text))
    {
        tracing::warn!(target: "dpif_netdev", "Unsupported rx queue to PMD assignment mode in pmd-rxq-assign. Defaulting to 'cycles'.");
    }
    if before != now {
        say!("Rxq to PMD assignment mode changed to: '{}'.", now.name());
    }
    let isolates = |map: &Map| flag(map, "pmd-rxq-isolate", true) || algorithm(map) != Algorithm::Group;
    if old.is_none_or(|o| isolates(o) != isolates(new)) {
        if isolates(new) && !flag(new, "pmd-rxq-isolate", true) {
            tracing::warn!(target: "dpif_netdev", "pmd-rxq-isolate can only be set false when using pmd-rxq-assign=group");
        }
        say!("pmd-rxq-affinity {} PMD core", if isolates(new) { "isolates" } else { "does not isolate" });
    }
    auto_lb(old.map(balance::Config::from_config), balance::Config::from_config(new));
    let nap = |map: &Map| Settings::from_config(map).nap_us_max;
    if old.is_none_or(|o| nap(o) != nap(new)) {
        say!("PMD max sleep request is {} usecs.", nap(new));
        say!("PMD load based sleeps are {}.", if nap(new) == 0 { "disabled" } else { "enabled" });
    }
}

fn auto_lb(old: Option<balance::Config>, new: balance::Config) {
    if old == Some(new) {
        return;
    }
    if old.is_none_or(|o| o.interval_min != new.interval_min) {
        say!("PMD auto load balance interval set to {} mins", new.interval_min);
    }
    if old.is_none_or(|o| o.improvement != new.improvement) {
        say!("PMD auto load balance improvement threshold set to {}%", new.improvement);
    }
    if old.is_none_or(|o| o.load != new.load) {
        say!("PMD auto load balance load threshold set to {}%", new.load);
    }
    if new.on {
        say!(
            "PMD auto load balance is enabled, interval {} mins, pmd load threshold {}%, improvement threshold {}%.",
            new.interval_min,
            new.load,
            new.improvement
        );
    } else if old.is_none_or(|o| o.on) {
        say!("PMD auto load balance is disabled.");
    }
}

/// PMD threads came or went.
pub(super) fn threads(created: &[Core], destroyed: &[Core], all: &[Core]) {
    for core in created {
        say!("PMD thread on numa_id: {}, core id: {:2} created.", core.numa, core.id);
    }
    for core in destroyed {
        say!("PMD thread on numa_id: {}, core id: {:2} destroyed.", core.numa, core.id);
    }
    if created.is_empty() && destroyed.is_empty() {
        return;
    }
    let mut nodes = BTreeMap::<i32, usize>::new();
    all.iter().for_each(|c| *nodes.entry(c.numa).or_default() += 1);
    for (numa, n) in nodes {
        say!("There are {n} pmd threads on numa node {numa}");
    }
}

/// Which core polls which queue, if that is news.
pub(super) fn queues(
    state: &mut State,
    rxqs: &[Rxq],
    cores: &[Core],
    algorithm: Algorithm,
    outcome: &Assignment,
) {
    let queues = rxqs.iter().zip(&outcome.cores).map(|(r, core)| (r.port.clone(), r.queue, r.pinned, *core));
    let report = Reported { algorithm, queues: queues.collect() };
    if state.reported == report {
        return;
    }
    state.reported = report;
    let numa = |id: u32| cores.iter().find(|c| c.id == id).map_or(0, |c| c.numa);
    let is_pinned = |r: &Rxq| r.pinned.filter(|id| cores.iter().any(|c| c.id == *id));
    for r in rxqs.iter().filter(|r| r.pinned.is_some()) {
        let (port, queue, cycles) = (&r.port, r.queue, r.cycles);
        match (is_pinned(r), r.pinned) {
            (Some(id), _) => say!(
                "Core {id:2} on numa node {} is pinned with port '{port}' rx queue {queue} (measured processing cycles {cycles})",
                numa(id)
            ),
            (None, id) => {
                let id = id.unwrap_or(0);
                tracing::warn!(
                    target: "dpif_netdev",
                    "Core {id:2} cannot be pinned with port '{port}' rx queue {queue}. Use pmd-cpu-mask to enable a pmd on core {id}. An alternative core will be assigned."
                );
            }
        }
    }
    if outcome.order.is_empty() || cores.is_empty() {
        return;
    }
    say!("Performing pmd to rx queue assignment using {} algorithm.", algorithm.name());
    for &n in &outcome.order {
        let r = &rxqs[n];
        let Some(id) = outcome.cores[n] else {
            tracing::warn!(
                target: "dpif_netdev",
                "No non-isolated pmd on any numa available for port '{}' rx queue {}. This rx queue will not be polled.",
                r.port,
                r.queue
            );
            continue;
        };
        let node = numa(id);
        if node != r.numa {
            say!(
                "There's no available (non-isolated) pmd thread on numa node {}. Port '{}' rx queue {} will be assigned to a pmd on numa node {node}. This may lead to reduced performance.",
                r.numa,
                r.port,
                r.queue
            );
        }
        let measured = match algorithm {
            Algorithm::RoundRobin => String::new(),
            _ => format!(" (measured processing cycles {})", r.cycles),
        };
        say!("Core {id:2} on numa node {node} assigned port '{}' rx queue {}{measured}.", r.port, r.queue);
    }
}
