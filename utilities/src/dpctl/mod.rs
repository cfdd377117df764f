//! `ovs-dpctl`: looks into datapaths. There is one datapath provider, inside ovs-vswitchd, so
//! every command is the daemon's unixctl command `dpctl/COMMAND`.

use std::process::ExitCode;

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::{alarm, options, program, vlog};

use crate::appctl::{self, DEFAULT_TARGET};

/// Options that go to the daemon as they are.
const PASSED: &[Opt] = &[
    Opt::both("statistics", 's', Arg::None),
    Opt::both("more", 'm', Arg::None),
    Opt::long("names", Arg::None),
    Opt::long("no-names", Arg::None),
    Opt::both("clear", 'c', Arg::None),
    Opt::long("may-create", Arg::None),
    Opt::long("read-only", Arg::None),
];

const OWN: &[Opt] = &[Opt::both("timeout", 't', Arg::Required), Opt::both("target", 'T', Arg::Required)];

/// The program.
pub fn main() -> ExitCode {
    let args = program::start(vlog::Level::Warn);
    let opts = options::table(&[PASSED, OWN, options::HELP, options::VLOG]);
    let parsed = getopt::parse(&args, &opts, Order::StopAtFirst).unwrap_or_else(|e| program::bad_usage(e));
    let mut passed: Vec<String> = Vec::new();
    let mut target = DEFAULT_TARGET.to_owned();
    let mut timeout_s = alarm::from_env().unwrap_or(0);
    for (name, value) in &parsed.options {
        let value = value.as_deref();
        match *name {
            "timeout" => {
                let text = value.unwrap_or_default();
                timeout_s = text.parse().unwrap_or_else(|_| {
                    program::fatal(format!("value {text} on -t or --timeout is invalid"))
                });
            }
            "target" => target = value.unwrap_or_default().to_owned(),
            "help" => {
                print!("{}", usage());
                return ExitCode::SUCCESS;
            }
            "version" => {
                print!("{}", program::version_text());
                return ExitCode::SUCCESS;
            }
            name if PASSED.iter().any(|opt| opt.long == name) => passed.push(spelt(name)),
            _ => {
                options::apply_vlog(name, value).unwrap_or_else(|e| program::fatal(e));
            }
        }
    }
    let Some((command, args)) = parsed.rest.split_first() else {
        program::fatal("missing command name; use --help for help");
    };
    alarm::set(timeout_s);
    passed.extend(args.iter().cloned());
    run(&target, command, &passed)
}

/// The option as dpctl's unixctl commands know it.
fn spelt(name: &str) -> String {
    match name {
        "statistics" => "-s".to_owned(),
        "more" => "-m".to_owned(),
        "clear" => "-c".to_owned(),
        name => format!("--{name}"),
    }
}

/// The daemon's error texts stand alone; ours carry the program's name.
fn run(target: &str, command: &str, args: &[String]) -> ExitCode {
    match appctl::ask(target, &format!("dpctl/{command}"), args) {
        Ok(Err(text)) if text.contains("is not a valid command") => {
            program::fatal(format!("unknown command '{command}'; use --help for help"))
        }
        Ok(Err(text)) => {
            eprintln!("{}: {}", program::name(), text.trim_end());
            ExitCode::FAILURE
        }
        answer => appctl::report(target, answer, |text| print!("{text}")),
    }
}

fn usage() -> String {
    let name = program::name();
    format!(
        "{name}: Open vSwitch datapath management utility
usage: {name} [OPTIONS] COMMAND [ARG...]
Every command is answered by ovs-vswitchd, as `ovs-appctl dpctl/COMMAND`.
  dump-dps                 display names of all datapaths
  show [DP...]             show basic info on all datapaths, or on each DP
  add-dp DP [IFACE...]     add new datapath DP (with IFACEs)
  del-dp DP                delete local datapath DP
  add-if DP IFACE...       add each IFACE as a port on DP
  set-if DP IFACE...       reconfigure each IFACE within DP
  del-if DP IFACE...       delete each IFACE from DP
  dump-flows [DP]          display flows in DP
  add-flow [DP] FLOW ACTIONS  add FLOW with ACTIONS to DP
  mod-flow [DP] FLOW ACTIONS  change FLOW actions to ACTIONS in DP
  get-flow [DP] ufid:UFID  fetch flow corresponding to UFID
  del-flow [DP] FLOW       delete FLOW from DP
  del-flows [DP]           delete all flows from DP
  dump-conntrack [DP] [zone=ZONE]   display conntrack entries for ZONE
  flush-conntrack [DP] [zone=ZONE]  delete conntrack entries in ZONE
  ct-stats-show [DP] [zone=ZONE] [verbose]  CT connections grouped by protocol
Options:
  -s, --statistics         print statistics for port or flow
  -m, --more               increase verbosity of output
  --names                  use port names in output
  --may-create             create flow if it doesn't exist
  --clear                  reset existing stats to zero
  -t, --timeout=SECS       give up after SECS seconds
  -h, --help               display this help message
  -V, --version            display version information
"
    )
}
