//! ovsdb-tool: the command line; what it does is `ovsdb::tool`.

use std::path::PathBuf;

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::{dirs, options, program, vlog};
use ovsdb::tool::{Options, run};

const OPTIONS: &[Opt] = &[
    Opt::both("more", 'm', Arg::None),
    Opt::long("rbac-role", Arg::Required),
    Opt::long("cid", Arg::Required),
    Opt::long("election-timer", Arg::Required),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    program::set_name(&args[0]);
    vlog::init(vlog::Level::Warn);
    let table = options::table(&[OPTIONS, options::HELP, options::VLOG]);
    let parsed = getopt::parse(&args[1..], &table, Order::Permute).unwrap_or_else(|e| program::fatal(e));
    let mut tool = Options {
        default_db: PathBuf::from(dirs::default_db()),
        default_schema: dirs::pkgdatadir().join("vswitch.ovsschema"),
        ..Options::default()
    };
    for (name, value) in &parsed.options {
        match *name {
            "help" => {
                print!("{}", usage(&tool));
                return;
            }
            "version" => {
                print!("{}", program::version_text());
                return;
            }
            "more" => tool.more += 1,
            "rbac-role" => tool.rbac_role = value.clone().unwrap_or_default(),
            "cid" | "election-timer" => {}
            _ => {
                options::apply_vlog(name, value.as_deref()).unwrap_or_else(|e| program::fatal(e));
            }
        }
    }
    if parsed.rest.len() == 1 && parsed.rest[0] == "help" {
        print!("{}", usage(&tool));
        return;
    }
    match run(&parsed.rest, &tool) {
        Ok(status) => std::process::exit(status),
        Err(e) => program::fatal(e),
    }
}

fn usage(tool: &Options) -> String {
    format!(
        "{name}: Open vSwitch database management utility
usage: {name} [OPTIONS] COMMAND [ARG...]
  create [DB [SCHEMA]]    create DB with the given SCHEMA
  [--election-timer=ms] create-cluster DB CONTENTS LOCAL
    (clustered databases are not supported)
  compact [DB [DST]]      compact DB in-place (or to DST)
  convert [DB [SCHEMA [DST]]]   convert DB to SCHEMA (to DST)
  needs-conversion [DB [SCHEMA]]  tell whether DB needs conversion
  db-name [DB]            report name of schema used by DB
  db-version [DB]         report version of schema used by DB
  db-cksum [DB]           report checksum of schema used by DB
  db-is-clustered DB      test whether DB is clustered
  db-is-standalone DB     test whether DB is standalone
  schema-name [SCHEMA]    report SCHEMA's name
  schema-version [SCHEMA] report SCHEMA's schema version
  schema-cksum [SCHEMA]   report SCHEMA's checksum
  compare-versions A OP B  compare OVSDB schema version numbers
  query [DB] TRNS         execute read-only transaction on DB
  transact [DB] TRNS      execute read/write transaction on DB
  [-m]... show-log [DB]   print DB's log entries
The default DB is {db}.
The default SCHEMA is {schema}.
{vlog}
Other options:
  -m, --more                  increase show-log verbosity
  --rbac-role=ROLE            RBAC role for transact and query commands
  -h, --help                  display this help message
  -V, --version               display version information
",
        name = program::name(),
        db = tool.default_db.display(),
        schema = tool.default_schema.display(),
        vlog = options::usage_vlog(&vlog::default_log_file().display().to_string()),
    )
}
