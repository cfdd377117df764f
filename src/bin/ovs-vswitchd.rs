//! ovs-vswitchd: the composition root, the only code that names both the datapath (`pmd`) and the control plane
//! (`vswitchd`). Options, the process, and which thread runs where; nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::memory::Memory;
use daemon::options::{self, DaemonOptions};
use daemon::{dirs, lifecycle, program, service, vlog};
use dpif::Clock;
use hugepages::Host;
use ovsdb::client::Client;
use transport::unixctl::{FnCommand, Registry};
use vswitchd::bridge::desire::Dummy;
use vswitchd::bridge::load::interest;
use vswitchd::bridge::run::{LOCK, Runner, Setup};
use vswitchd::bridge::switch::{Backer, Switch};
use vswitchd::ofproto::World;
use vswitchd::upcall::{Revalidator, Upcalls};

const OPTIONS: &[Opt] = &[
    Opt::long("mlockall", Arg::None),
    Opt::long("enable-dummy", Arg::Optional),
    Opt::long("disable-system", Arg::None),
    Opt::long("disable-system-route", Arg::None),
    Opt::long("dummy-numa", Arg::Required),
    Opt::long("hw-rawio-access", Arg::None),
    Opt::long("dpdk", Arg::None),
];

/// Threads of the control plane.
const RUNTIME_THREADS: usize = 2;

#[derive(Default)]
struct CommandLine {
    daemon: DaemonOptions,
    database: Option<String>,
    dummy: Dummy,
    mlockall: bool,
    disable_system: bool,
    /// Nodes of the CPUs that shall seem to exist.
    dummy_numa: Vec<i32>,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    program::set_name(&args[0]);
    vlog::init(vlog::Level::Info);
    lifecycle::log_panics();
    let line = parse(&args[1..]);
    let startup = line.daemon.lifecycle.start().unwrap_or_else(|e| program::fatal(e));
    if line.mlockall {
        use nix::sys::mman::{MlockAllFlags, mlockall};
        if let Err(e) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
            tracing::error!(target: "vswitchd", "mlockall failed: {}", e.desc());
        }
    }
    say_cpus(&Host::new("/"), &line.dummy_numa);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        // As OVS's main thread: the log names other threads only.
        .thread_name("main")
        .enable_all()
        .build()
        .unwrap_or_else(|e| program::fatal(e));
    runtime.block_on(run(line, startup));
    runtime.shutdown_background();
    std::process::exit(0);
}

async fn run(line: CommandLine, startup: lifecycle::Startup) {
    let clock = Clock::default();
    let world = World::new(clock.clone());
    let datapath = pmd::Datapath::new(pmd::Options {
        clock: clock.clone(),
        rundir: dirs::rundir().display().to_string(),
        dpdk_log,
        dummy: line.dummy != Dummy::Off,
        dummy_numa: line.dummy_numa.clone(),
        compose: None,
    })
    .unwrap_or_else(|e| program::fatal(format_args!("could not start the datapath: {e}")));
    let shared: Arc<dyn dpif::Datapath> = Arc::new(datapath.clone());
    world.set_datapath(shared.clone());
    let upcalls = Upcalls::new(world.clone());
    datapath.set_handler(upcalls.clone());
    for name in dpif::drop_reason::COVERAGE {
        let datapath = datapath.clone();
        daemon::coverage::probe(name, move || datapath.dropped(name));
    }
    let revalidator = Revalidator::start(upcalls, shared.clone())
        .unwrap_or_else(|e| program::fatal(format_args!("could not start the revalidator: {e}")));

    let protocols = vswitchd::protocol::runner::Runner::start(world.clone())
        .unwrap_or_else(|e| program::fatal(format_args!("could not start the protocols: {e}")));
    let memory = Memory::default();
    let registry = options::registry(&memory);
    let exit = service::Exit::register(&registry, "[--cleanup]");
    let backer = |kind, name| Backer { kind, name, datapath: shared.clone(), world: world.clone() };
    let mut backers = vec![backer("netdev", "ovs-netdev")];
    if line.dummy != Dummy::Off {
        backers.push(backer("dummy", "ovs-dummy"));
    }
    let switch = Switch::new(clock, tokio::runtime::Handle::current(), backers);
    let s = switch.clone();
    memory.add(move || vswitchd::bridge::status::memory(&s));
    vswitchd::unixctl::register(&registry, &switch, line.dummy != Dummy::Off);
    add_datapath_commands(&registry, &datapath, line.dummy != Dummy::Off);
    service::spawn(&line.daemon, registry).unwrap_or_else(|e| program::fatal(e));

    let database = line.database.unwrap_or_else(|| format!("unix:{}/db.sock", dirs::rundir().display()));
    let client = Client::new(&database, "Open_vSwitch", interest())
        .unwrap_or_else(|e| program::fatal(e))
        .with_lock(LOCK);
    let running = Arc::new(Mutex::new(None));
    let guard = running.clone();
    let ready = Box::new(move || {
        // Keeps the pidfile for as long as the process runs.
        if let Ok(mut guard) = guard.lock() {
            *guard = Some(startup.complete());
        }
    });
    let setup = Setup {
        switch,
        dummy: line.dummy,
        datapath_types: datapath_types(&line.dummy, line.disable_system),
        configured: Box::new(keep_off_pmd_cores),
    };
    let asked = async {
        if !exit.wait().await.iter().any(|arg| arg == "--cleanup") {
            datapath.keep_devices();
        }
    };
    Runner::new(setup, client, ready).run(asked).await;
    protocols.stop();
    revalidator.stop();
    datapath.stop();
    drop(running);
}

fn datapath_types(dummy: &Dummy, disable_system: bool) -> Vec<String> {
    let mut types = vec!["netdev".to_string()];
    if *dummy != Dummy::Off {
        types.push("dummy".into());
    }
    if !disable_system {
        types.push("system".into());
    }
    types
}

/// The datapath's crate may not know the unixctl server, so it only describes its commands.
fn add_datapath_commands(registry: &Registry, datapath: &pmd::Datapath, dummy: bool) {
    let offered = |c: &pmd::text::Command| dummy || !c.name.starts_with("netdev-dummy/");
    for command in pmd::text::commands(datapath).into_iter().filter(offered) {
        let max = command.args_max;
        let run = command.run;
        registry.register(FnCommand::new(command.name, command.usage, command.args_min..=max, move |args| {
            run(args)
        }));
    }
}

/// DPDK's log lines; `level` is the one of syslog plus one, as DPDK counts.
fn dpdk_log(level: u8, line: &str) {
    match level {
        0..=4 => tracing::error!(target: "dpdk", "{line}"),
        5 => tracing::warn!(target: "dpdk", "{line}"),
        6 | 7 => tracing::info!(target: "dpdk", "{line}"),
        _ => tracing::debug!(target: "dpdk", "{line}"),
    }
}

/// Moves every thread but the pollers away from the cores of `pmd-cpu-mask`, if that leaves any.
fn keep_off_pmd_cores(other_config: &BTreeMap<String, String>) {
    let Some(pmd) = other_config.get("pmd-cpu-mask").and_then(|mask| hugepages::cpu::parse_mask(mask).ok())
    else {
        return;
    };
    let mut set = nix::sched::CpuSet::new();
    let mut n_left = 0;
    for cpu in Host::new("/").online().difference(&pmd) {
        n_left += usize::from(set.set(*cpu as usize).is_ok());
    }
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return };
    for thread in threads.flatten().filter(|_| n_left > 0) {
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        let tid = thread.file_name().to_str().and_then(|t| t.parse().ok());
        if let (Some(tid), false) = (tid, name.starts_with("pmd")) {
            let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(tid), &set);
        }
    }
}

/// The lines that tests and scripts wait for.
fn say_cpus(host: &Host, dummy_numa: &[i32]) {
    let mut nodes: std::collections::BTreeMap<i64, usize> = Default::default();
    for node in host.nodes().iter().filter(|_| dummy_numa.is_empty()) {
        nodes.insert((*node).into(), host.node_cpus(*node).len());
    }
    for node in dummy_numa {
        *nodes.entry((*node).into()).or_default() += 1;
    }
    if nodes.is_empty() {
        nodes.insert(0, host.online().len());
    }
    for (node, n) in &nodes {
        tracing::info!(target: "ovs_numa", "Discovered {n} CPU cores on NUMA node {node}");
    }
    let cpus = if dummy_numa.is_empty() { host.online().len() } else { dummy_numa.len() };
    tracing::info!(target: "ovs_numa", "Discovered {} NUMA nodes and {cpus} CPU cores", nodes.len());
}

fn parse(args: &[String]) -> CommandLine {
    let table = options::table(&[OPTIONS, options::HELP, options::DAEMON, options::VLOG, options::TLS]);
    let parsed = getopt::parse(args, &table, Order::Permute).unwrap_or_else(|e| program::bad_usage(e));
    let mut line = CommandLine::default();
    for (name, value) in &parsed.options {
        match *name {
            "help" => program::answer(&usage()),
            "version" => {
                program::answer(&format!("{}{}\n", program::version_text(), pmd::dpdk::eal::version()))
            }
            "mlockall" => line.mlockall = true,
            "disable-system" => line.disable_system = true,
            "enable-dummy" => {
                line.dummy = match value.as_deref() {
                    None | Some("") => Dummy::On,
                    Some("system") => Dummy::System,
                    Some("override") => Dummy::Override,
                    Some(other) => {
                        program::fatal(format_args!("--enable-dummy={other}: use system or override"))
                    }
                }
            }
            "disable-system-route" | "hw-rawio-access" => {}
            "dummy-numa" => {
                let nodes = value.as_deref().unwrap_or_default().split(',').map(|n| n.trim().parse());
                line.dummy_numa = nodes.collect::<Result<_, _>>().unwrap_or_else(|_| {
                    program::fatal("--dummy-numa: give the NUMA node of each CPU, like 0,0,1,1")
                });
            }
            "dpdk" => {
                program::fatal("--dpdk was removed: set other_config:dpdk-init=true in table Open_vSwitch")
            }
            _ => {
                line.daemon.apply(name, value.as_deref()).unwrap_or_else(|e| program::fatal(e));
            }
        }
    }
    match parsed.rest.as_slice() {
        [] => {}
        [database] => line.database = Some(database.clone()),
        _ => program::fatal("at most one non-option argument accepted; use --help for usage"),
    }
    line
}

fn usage() -> String {
    format!(
        "{name}: Open vSwitch daemon
usage: {name} [OPTIONS] [DATABASE]
where DATABASE is a socket on which ovsdb-server is listening
      (default: \"unix:{rundir}/db.sock\").
{daemon}
DPDK options:
DPDK is set up in the database: other_config:dpdk-init=true and the like.

Other options:
  --unixctl=SOCKET          override default control socket name
  --enable-dummy[=override|system]
                            offer dummy datapaths and ports for tests
  --mlockall                lock all memory
  -h, --help                display this help message
  -V, --version             display version information
",
        name = program::name(),
        rundir = dirs::rundir().display(),
        daemon = options::usage(),
    )
}
