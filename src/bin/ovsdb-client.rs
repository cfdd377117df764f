//! ovsdb-client: the command line and the process; what it does is `ovsdb::cli::client`.

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::options::{self, DaemonOptions};
use daemon::{program, vlog};
use ovsdb::cli::client::{Options, run};

const OPTIONS: &[Opt] = &[
    Opt::both("timeout", 't', Arg::Required),
    Opt::long("timestamp", Arg::None),
    Opt::long("force", Arg::None),
    Opt::long("db-change-aware", Arg::None),
    Opt::long("no-db-change-aware", Arg::None),
    Opt::long("leader-only", Arg::None),
    Opt::long("no-leader-only", Arg::None),
    Opt::both("format", 'f', Arg::Required),
    Opt::both("data", 'd', Arg::Required),
    Opt::long("no-headings", Arg::None),
    Opt::long("pretty", Arg::None),
    Opt::long("bare", Arg::None),
    Opt::long("max-column-width", Arg::Required),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    program::set_name(&args[0]);
    vlog::init(vlog::Level::Warn);
    let table = options::table(&[OPTIONS, options::HELP, options::DAEMON, options::VLOG, options::TLS]);
    let parsed = getopt::parse(&args[1..], &table, Order::Permute).unwrap_or_else(|e| program::fatal(e));
    let mut daemon = DaemonOptions::default();
    let server = format!("unix:{}", transport::rundir::in_rundir("db.sock").display());
    let mut client = Options { default_server: server, ..Options::default() };
    let mut timeout_s = 0;
    let mut tls = transport::tls::Config::default();
    for (name, value) in &parsed.options {
        let text = value.as_deref();
        match *name {
            "help" => {
                print!("{}", usage(&client));
                return;
            }
            "version" => {
                print!("{}", program::version_text());
                return;
            }
            "timeout" => match text.unwrap_or_default().parse::<u64>() {
                Ok(s) if s > 0 => timeout_s = s,
                _ => {
                    let text = text.unwrap_or_default();
                    program::fatal(format!("value {text} on -t or --timeout is invalid"))
                }
            },
            "timestamp" => client.timestamp = true,
            "force" => client.force = true,
            "db-change-aware" | "no-db-change-aware" | "leader-only" | "no-leader-only" => {}
            name if options::apply_tls(&mut tls, name, text) => {}
            _ => {
                let taken = client.style.apply(name, text).unwrap_or_else(|e| program::fatal(e));
                if !taken {
                    daemon.apply(name, text).unwrap_or_else(|e| program::fatal(e));
                }
            }
        }
    }
    transport::tls::configure(tls);
    if parsed.rest.first().is_some_and(|word| word == "help") {
        print!("{}", usage(&client));
        return;
    }
    let startup = daemon.lifecycle.start().unwrap_or_else(|e| program::fatal(e));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|e| program::fatal(e));
    let _running = startup.complete();
    let done = runtime.block_on(async {
        daemon::alarm::set(timeout_s);
        run(&parsed.rest, client).await
    });
    match done {
        Ok(status) => std::process::exit(status),
        Err(e) => program::fatal(e),
    }
}

fn usage(client: &Options) -> String {
    format!(
        "{name}: Open vSwitch database JSON-RPC client
usage: {name} [OPTIONS] COMMAND [ARG...]

Valid commands are:
  list-dbs [SERVER]
  get-schema [SERVER] [DATABASE]
  get-schema-version [SERVER] [DATABASE]
  get-schema-cksum [SERVER] [DATABASE]
  list-tables [SERVER] [DATABASE]
  list-columns [SERVER] [DATABASE] [TABLE]
  transact [SERVER] TRANSACTION
  query [SERVER] TRANSACTION
  monitor [SERVER] [DATABASE] TABLE [COLUMN,...]...
  monitor [SERVER] [DATABASE] ALL
  monitor-cond [SERVER] [DATABASE] CONDITION TABLE [COLUMN,...]...
  monitor-cond-since [SERVER] [DATABASE] [LASTID] CONDITION TABLE [COLUMN,...]...
  convert [SERVER] SCHEMA
  needs-conversion [SERVER] SCHEMA
  wait [SERVER] DATABASE STATE
  dump [SERVER] [DATABASE] [TABLE [COLUMN]...]
  backup [SERVER] [DATABASE] > SNAPSHOT
  [--force] restore [SERVER] [DATABASE] < SNAPSHOT
  lock [SERVER] LOCK
  steal [SERVER] LOCK
  unlock [SERVER] LOCK
The default SERVER is {server}.
The default DATABASE is Open_vSwitch.

Output formatting options:
  -f, --format=FORMAT         set output formatting to FORMAT
                              (\"table\", \"list\", \"html\", \"csv\", or \"json\")
  -d, --data=FORMAT           set table cell output formatting to
                              FORMAT (\"string\", \"bare\", or \"json\")
  --no-headings               omit table heading row
  --pretty                    pretty-print JSON in output
  --bare                      equivalent to \"--format=list --data=bare --no-headings\"
  --timestamp                 timestamp \"monitor\" output
  -t, --timeout=SECS          wait at most SECS seconds
{daemon}
Other options:
  -h, --help                  display this help message
  -V, --version               display version information
",
        name = program::name(),
        server = client.default_server,
        daemon = options::usage(),
    )
}
