//! The texts of the datapath's unixctl commands, as Open vSwitch prints them, plus our own `vswitch/*`. Control plane.
//!
//! `pmd` may not know the unixctl server: [`commands`] lists plain descriptions, main registers them.

pub(crate) mod choices;
mod drops;
pub(crate) mod metrics;
mod netdev;
mod perf;
mod rxq;
mod stats;

use crate::Datapath;

/// A command's body: arguments in, text or error text out.
pub type Run = Box<dyn Fn(&[String]) -> Result<String, String> + Send + Sync>;

/// One unixctl command.
pub struct Command {
    pub name: &'static str,
    /// As `list-commands` shows it.
    pub usage: &'static str,
    pub args_min: usize,
    pub args_max: usize,
    pub run: Run,
}

type Body = fn(&Datapath, &[String]) -> Result<String, String>;

/// Every command of the datapath.
pub fn commands(datapath: &Datapath) -> Vec<Command> {
    const ALL: &[(&str, &str, usize, usize, Body)] = &[
        ("dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", 0, 3, stats::show),
        ("dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", 0, 3, stats::clear),
        (
            "dpif-netdev/pmd-perf-show",
            "[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]",
            0,
            8,
            perf::show,
        ),
        (
            "dpif-netdev/pmd-perf-log-set",
            "on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]",
            0,
            10,
            metrics::log_set,
        ),
        ("dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5, rxq::show),
        ("dpif-netdev/pmd-rxq-rebalance", "[dp]", 0, 1, rxq::rebalance),
        ("dpif-netdev/bond-show", "[dp]", 0, 1, netdev::bond_show),
        ("dpif-netdev/subtable-lookup-prio-get", "", 0, 0, choices::lookup_show),
        ("dpif-netdev/subtable-lookup-info-get", "", 0, 0, choices::lookup_show),
        ("dpif-netdev/subtable-lookup-prio-set", "[lookup_func] [prio]", 2, 2, choices::lookup_set),
        ("dpif-netdev/miniflow-parser-get", "", 0, 0, choices::parser_show),
        (
            "dpif-netdev/miniflow-parser-set",
            "[-pmd core] miniflow_implementation_name [study_pkt_cnt]",
            1,
            5,
            choices::parser_set,
        ),
        ("dpif-netdev/dpif-impl-get", "", 0, 0, choices::interface_show),
        ("dpif-netdev/dpif-impl-set", "dpif_implementation_name", 1, 1, choices::interface_set),
        ("odp-execute/action-impl-show", "", 0, 0, choices::actions_show),
        ("odp-execute/action-impl-set", "name", 1, 1, choices::actions_set),
        ("netdev-dpdk/get-mempool-info", "[netdev]", 0, 1, netdev::mempool_info),
        ("netdev-dpdk/detach", "pci address of device", 1, 1, netdev::detach),
        ("netdev-dpdk/set-admin-state", "[netdev] up/down", 1, 2, netdev::set_dpdk_admin_state),
        ("netdev-dummy/conn-state", "[netdev]", 0, 1, netdev::conn_state),
        ("netdev-dummy/set-admin-state", "[netdev] up/down", 1, 2, netdev::set_dummy_admin_state),
        (
            "netdev-dummy/receive",
            "name [--qid queue_id] packet/flow [--len packet_len]",
            2,
            usize::MAX,
            netdev::receive,
        ),
        ("dpdk/log-list", "", 0, 0, netdev::log_list),
        ("dpdk/log-set", "{level | pattern:level}", 0, 32, netdev::log_set),
        ("dpdk/lcore-list", "", 0, 0, netdev::lcore_list),
        ("dpdk/get-malloc-stats", "", 0, 0, netdev::malloc_stats),
        ("vswitch/drops", "[-r reason]", 0, 2, drops::drops),
        ("vswitch/stages", "", 0, 0, drops::stages),
    ];
    ALL.iter()
        .map(|&(name, usage, args_min, args_max, body)| {
            let datapath = datapath.clone();
            let run: Run = Box::new(move |args| body(&datapath, args));
            Command { name, usage, args_min, args_max, run }
        })
        .collect()
}

/// What the `[-pmd core] [dp]` commands were asked.
#[derive(Default)]
struct Filter {
    core: Option<u32>,
    secs: Option<u64>,
    /// Turns and milliseconds to show, and whether to leave out the histograms.
    turns: usize,
    milliseconds: usize,
    no_histograms: bool,
}

/// Parses `[-pmd core] [-secs secs] [dp]` and the options that have no effect here.
fn filter(args: &[String]) -> Result<Filter, String> {
    let mut out = Filter::default();
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-pmd" => out.core = Some(words.next().and_then(|w| w.parse().ok()).ok_or("Invalid core id")?),
            "-secs" => out.secs = words.next().and_then(|w| w.parse().ok()),
            "-it" => out.turns = history(words.next()),
            "-ms" => out.milliseconds = history(words.next()),
            "-nh" => out.no_histograms = true,
            // There is one datapath: whatever it is called, it is meant.
            _ => {}
        }
    }
    Ok(out)
}

/// How much of a history is wanted; what is no number means none.
fn history(word: Option<&str>) -> usize {
    word.and_then(|w| w.parse().ok()).unwrap_or(0)
}

impl Filter {
    fn wants(&self, worker: &crate::worker::Shared) -> bool {
        self.core.is_none_or(|core| worker.core == core)
    }
}

/// "main thread" or "pmd thread numa_id N core_id C".
fn heading(worker: &crate::worker::Shared) -> String {
    if worker.is_main() {
        "main thread".to_owned()
    } else {
        format!("pmd thread numa_id {} core_id {}", worker.numa, worker.core)
    }
}

/// `a / b`, 0 when there is nothing to divide by.
fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}
