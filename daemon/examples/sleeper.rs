//! The smallest daemon: it does nothing but what every daemon does. `tests/lifecycle.rs` runs it.

use daemon::memory::Memory;
use daemon::options::{self, DaemonOptions};
use daemon::{getopt, lifecycle, program, service, vlog};

daemon::coverage_counter!(STARTED, "sleeper_started");

fn main() {
    let args: Vec<String> = std::env::args().collect();
    program::set_name(args.first().map_or("sleeper", String::as_str));
    vlog::init(vlog::Level::Info);
    lifecycle::log_panics();
    let opts = options::table(&[options::HELP, options::DAEMON, options::VLOG]);
    let parsed =
        getopt::parse(&args[1..], &opts, getopt::Order::Permute).unwrap_or_else(|e| program::bad_usage(e));
    let mut daemon = DaemonOptions::default();
    for (name, value) in &parsed.options {
        match *name {
            "version" => {
                print!("{}", program::version_text());
                return;
            }
            "help" => {
                print!("{}", options::usage());
                return;
            }
            _ => {
                daemon.apply(name, value.as_deref()).unwrap_or_else(|e| program::fatal(e));
            }
        }
    }
    let startup = daemon.lifecycle.start().unwrap_or_else(|e| program::fatal(e));
    if parsed.rest.first().is_some_and(|word| word == "fail") {
        program::fatal("told to fail");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap_or_else(|e| program::fatal(e));
    runtime.block_on(async {
        let registry = options::registry(&Memory::default());
        let exit = service::Exit::register(&registry, "");
        registry.add("abort", "", 0..=0, |_| std::process::abort());
        service::spawn(&daemon, registry).unwrap_or_else(|e| program::fatal(e));
        STARTED.inc();
        let _running = startup.complete();
        exit.wait().await;
    });
}
