//! The level of each module at each destination.

use std::collections::BTreeMap;
use std::sync::{OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Severity; a destination takes messages up to its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Off,
    Emer,
    Err,
    Warn,
    Info,
    Dbg,
}

impl Level {
    const ALL: [Self; 6] = [Self::Off, Self::Emer, Self::Err, Self::Warn, Self::Info, Self::Dbg];

    /// OVS's upper-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Emer => "EMER",
            Self::Err => "ERR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Dbg => "DBG",
        }
    }

    /// By name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// The syslog severity.
    pub(super) fn severity(self) -> u8 {
        match self {
            Self::Off | Self::Emer => 1,
            Self::Err => 3,
            Self::Warn => 4,
            Self::Info => 6,
            Self::Dbg => 7,
        }
    }
}

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    Syslog,
    Console,
    File,
}

impl Destination {
    /// All, in OVS's order.
    pub const ALL: [Self; 3] = [Self::Syslog, Self::Console, Self::File];

    /// OVS's upper-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syslog => "SYSLOG",
            Self::Console => "CONSOLE",
            Self::File => "FILE",
        }
    }

    /// By name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dest| dest.name().eq_ignore_ascii_case(name))
    }
}

/// The state of one module. `levels` is indexed by `Destination as usize`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Module {
    pub levels: [Level; 3],
    pub rate_limited: bool,
}

/// Every module name that `-v` accepts from the start: OVS 3.1's in ovs-vswitchd, ovsdb-server
/// and the tools, because scripts and test suites name them. Others join when they first log.
pub const KNOWN: &str = "backtrace bfd bond bridge bundle bundles cfm collectors command_line \
    connmgr conntrack conntrack_tp coverage ct_dpif daemon daemon_unix db_ctl_base dns_resolve \
    dpctl dpdk dpif dpif_lookup_autovalidator dpif_lookup_generic dpif_mfex_extract_study \
    dpif_netdev dpif_netdev_extract dpif_netdev_impl dpif_netdev_lookup dpif_netlink \
    dpif_netlink_rtnl entropy fail_open fatal_signal file flow hmap hugepages in_band ipf ipfix \
    jsonrpc lacp lldp lldpd lldpd_structs lockfile main memory meta_flow monitor native_tnl \
    netdev netdev_afxdp netdev_dpdk netdev_dummy netdev_linux netdev_offload \
    netdev_offload_dpdk netdev_offload_tc netdev_vport netflow netlink netlink_conntrack \
    netlink_notifier netlink_socket nx_match odp_execute odp_execute_impl odp_util ofctl \
    ofp_actions ofp_bundle ofp_connection ofp_errors ofp_flow ofp_group ofp_match ofp_meter \
    ofp_monitor ofp_msgs ofp_packet ofp_port ofp_protocol ofp_queue ofp_table ofp_util ofproto \
    ofproto_dpif ofproto_dpif_mirror ofproto_dpif_monitor ofproto_dpif_rid ofproto_dpif_upcall \
    ofproto_dpif_xlate ofproto_xlate_cache ovs_lldp ovs_numa ovs_rcu ovs_replay ovs_router \
    ovs_thread ovsdb ovsdb_client ovsdb_cs ovsdb_error ovsdb_file ovsdb_idl \
    ovsdb_jsonrpc_server ovsdb_log ovsdb_monitor ovsdb_rbac ovsdb_server ovsdb_tool ovsdb_util \
    ox_stat panic pcap pmd_perf poll_loop process raft raft_rpc rconn reconnect relay \
    replication route_table rstp rstp_sm sflow sha1 signals socket_util socket_util_unix \
    storage stp stream stream_fd stream_replay stream_ssl stream_tcp stream_unix svec \
    system_stats tc timeval transaction transaction_forward trigger tunnel unixctl \
    userspace_tso util uuid vconn vconn_stream vlog vsctl vswitchd";

/// Modules beyond the known ones that may join by logging; more share one entry.
const MODULES_MAX: usize = 512;

struct Modules {
    by_name: BTreeMap<String, Module>,
    /// What a module gets that joins later.
    default: Module,
}

fn modules() -> &'static RwLock<Modules> {
    static MODULES: OnceLock<RwLock<Modules>> = OnceLock::new();
    MODULES.get_or_init(|| {
        let default = Module { levels: [Level::Info; 3], rate_limited: true };
        let by_name = KNOWN.split_whitespace().map(|name| (name.to_owned(), default)).collect();
        RwLock::new(Modules { by_name, default })
    })
}

fn read() -> RwLockReadGuard<'static, Modules> {
    modules().read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn write() -> RwLockWriteGuard<'static, Modules> {
    modules().write().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The vlog module of a tracing target.
pub(super) fn of_target(target: &str) -> &str {
    let mut parts = target.split("::");
    let first = parts.next().unwrap_or(target);
    parts.next().unwrap_or(first)
}

/// A module's state; joins it to the list when it is new.
pub(super) fn lookup(name: &str) -> Module {
    {
        let modules = read();
        if let Some(module) = modules.by_name.get(name) {
            return *module;
        }
        if modules.by_name.len() >= MODULES_MAX {
            return modules.default;
        }
    }
    let mut modules = write();
    let default = modules.default;
    *modules.by_name.entry(name.to_owned()).or_insert(default)
}

/// The name of a module as it is spelt, for a word in any case.
pub(super) fn find(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase();
    read().by_name.keys().find(|name| name.to_ascii_lowercase() == word).cloned()
}

/// The highest level at which any module logs anywhere.
pub(super) fn max_level() -> Level {
    let modules = read();
    let all = modules.by_name.values().chain([&modules.default]);
    all.flat_map(|module| module.levels).max().unwrap_or(Level::Off)
}

/// Changes every module that `select`s, and the default when all are meant.
fn update(module: Option<&str>, change: impl Fn(&mut Module)) {
    let mut modules = write();
    match module {
        Some(name) => {
            if let Some(module) = modules.by_name.get_mut(name) {
                change(module);
            }
        }
        None => {
            modules.by_name.values_mut().for_each(&change);
            change(&mut modules.default);
        }
    }
}

pub(super) fn set_levels(module: Option<&str>, destination: Option<Destination>, level: Level) {
    update(module, |module| match destination {
        Some(destination) => module.levels[destination as usize] = level,
        None => module.levels = [level; 3],
    });
}

pub(super) fn set_rate_limited(module: Option<&str>, rate_limited: bool) {
    update(module, |module| module.rate_limited = rate_limited);
}

/// Every module in the order of its name.
pub(super) fn all() -> Vec<(String, Module)> {
    read().by_name.iter().map(|(name, module)| (name.clone(), *module)).collect()
}
