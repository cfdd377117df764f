//! ovsdb-server: the command line and the process; what it does is `ovsdb::server`.

use std::path::PathBuf;

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::memory::Memory;
use daemon::options::{self, DaemonOptions};
use daemon::{dirs, lifecycle, program, service, vlog};
use ovsdb::server::{Config, register_commands, start};

const OPTIONS: &[Opt] = &[
    Opt::long("remote", Arg::Required),
    Opt::long("run", Arg::Required),
    Opt::long("no-dbs", Arg::None),
    Opt::long("disable-file-column-diff", Arg::None),
    Opt::long("sync-from", Arg::Required),
    Opt::long("sync-exclude-tables", Arg::Required),
    Opt::long("active", Arg::None),
    Opt::long("record", Arg::Optional),
    Opt::long("replay", Arg::Optional),
];

struct CommandLine {
    daemon: DaemonOptions,
    config: Config,
    run: Option<String>,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    program::set_name(&args[0]);
    vlog::init(vlog::Level::Info);
    lifecycle::log_panics();
    let CommandLine { daemon, config, run } = parse(&args[1..]);
    raise_file_limit();
    let startup = daemon.lifecycle.start().unwrap_or_else(|e| program::fatal(e));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(16)
        .build()
        .unwrap_or_else(|e| program::fatal(e));
    let status = runtime.block_on(async {
        let memory = Memory::default();
        let registry = options::registry(&memory);
        let exit = service::Exit::register(&registry, "");
        let handle = start(config).await.unwrap_or_else(|e| program::fatal(e));
        register_commands(&registry, &handle);
        let engine = handle.clone();
        memory.add(move || engine.call(|e| e.memory()).unwrap_or_default());
        service::spawn(&daemon, registry).unwrap_or_else(|e| program::fatal(e));
        tracing::info!(target: "ovsdb_server", "{}", program::version_text().lines().next().unwrap_or_default());
        let _running = startup.complete();
        match run {
            Some(command) => run_child(&command).await,
            None => {
                exit.wait().await;
                0
            }
        }
    });
    runtime.shutdown_background();
    std::process::exit(status);
}

fn parse(args: &[String]) -> CommandLine {
    let table = options::table(&[OPTIONS, options::HELP, options::DAEMON, options::VLOG, options::TLS]);
    let parsed = getopt::parse(args, &table, Order::Permute).unwrap_or_else(|e| program::bad_usage(e));
    let mut daemon = DaemonOptions::default();
    let mut config = Config::default();
    let (mut run, mut no_dbs) = (None, false);
    for (name, value) in &parsed.options {
        let text = value.clone().unwrap_or_default();
        match *name {
            "help" => program::answer(&usage()),
            "version" => program::answer(&program::version_text()),
            "remote" => config.remotes.push(text),
            "run" => run = Some(text),
            "no-dbs" => no_dbs = true,
            "disable-file-column-diff" => config.disable_diff = true,
            "sync-from" => config.sync_from = Some(text),
            "sync-exclude-tables" => config.sync_exclude = text,
            "active" => config.active = true,
            "record" | "replay" => {}
            "private-key" => config.tls.private_key = value.clone(),
            "certificate" => config.tls.certificate = value.clone(),
            "ca-cert" => (config.tls.ca_cert, config.tls.bootstrap) = (value.clone(), false),
            "bootstrap-ca-cert" => (config.tls.ca_cert, config.tls.bootstrap) = (value.clone(), true),
            "peer-ca-cert" => config.tls.peer_ca_cert = value.clone(),
            // TLS 1.2 and 1.3 with their strong ciphers are what there is.
            "ssl-protocols" | "ssl-ciphers" => {}
            _ => {
                daemon.apply(name, value.as_deref()).unwrap_or_else(|e| program::fatal(e));
            }
        }
    }
    config.files = parsed.rest.iter().map(PathBuf::from).collect();
    if config.files.is_empty() && !no_dbs {
        config.files.push(PathBuf::from(dirs::default_db()));
    }
    // Daemons leave their working directory.
    if let Ok(here) = std::env::current_dir() {
        let files = config.files.iter_mut().filter(|f| !f.to_string_lossy().starts_with("relay:"));
        files.for_each(|f| *f = here.join(&f));
    }
    CommandLine { daemon, config, run }
}

/// Every peer takes a descriptor: as many as the system lets us have.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // What we have stays, if this is refused.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Runs the command of `--run` and gives its exit status.
async fn run_child(command: &str) -> i32 {
    let child = tokio::process::Command::new("/bin/sh").args(["-c", command]).status().await;
    match child {
        Ok(status) => status.code().unwrap_or(1),
        Err(e) => program::fatal(format!("{command}: process failed to start ({e})")),
    }
}

fn usage() -> String {
    format!(
        "{name}: Open vSwitch database server
usage: {name} [OPTIONS] [DATABASE...]
where each DATABASE is a database file in ovsdb format, or
relay:DB:REMOTE to relay a database of another server.
The default DATABASE, if none is given, is
{db}.

JSON-RPC options (may be specified any number of times):
  --remote=REMOTE         connect or listen to REMOTE
                          (punix:FILE ptcp:PORT[:IP] unix:FILE tcp:HOST:PORT
                          db:DB,TABLE,COLUMN)
{daemon}
Syncing options:
  --sync-from=SERVER      sync DATABASE from active SERVER and start in
                          backup mode (except with --active)
  --sync-exclude-tables=DB:TABLE,...
                          exclude the TABLE in DB from syncing
  --active                with --sync-from, start in active mode

Other options:
  --run COMMAND           run COMMAND as subprocess then exit
  --unixctl=SOCKET        override default control socket name
  --disable-file-column-diff
                          don't use column diff in database file
  -h, --help              display this help message
  -V, --version           display version information
",
        name = program::name(),
        db = dirs::default_db(),
        daemon = options::usage(),
    )
}
