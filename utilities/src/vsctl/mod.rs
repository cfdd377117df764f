//! `ovs-vsctl`: queries and configures ovs-vswitchd through its database.
//!
//! ```text
//!  options  argv -> Options and what is left      syntax   the table of commands
//!  cmdline  what is left -> [Command]             run      connect, commands, commit, wait
//!  context  one try at the transaction            model    bridges, ports, interfaces by name
//!  cmd/*    the commands of the Open_vSwitch schema
//!  db/*     the commands of any schema (get, set, list, ...)
//! ```
//! Exit status: 0 done; 1 error; 2 `br-exists` of no bridge.

mod cmd;
mod cmdline;
mod context;
mod db;
mod help;
mod model;
mod options;
mod post;
mod run;
mod show;
mod syntax;

use std::process::ExitCode;

use daemon::{program, vlog};

/// The program.
pub fn main() -> ExitCode {
    let args = program::start(vlog::Level::Warn);
    // What the machinery below reports is for its own logs, unless it went wrong.
    vlog::set_levels(Some("reconnect"), None, vlog::Level::Warn);
    let options = options::parse(&args);
    let commands =
        cmdline::parse(&options.rest, &options.first_command).unwrap_or_else(|e| program::fatal(e));
    let called = run::quoted_command_line(&args);
    if commands.iter().any(|command| command.syntax.writes) {
        tracing::info!(target: "vsctl", "Called as {called}");
    } else {
        tracing::debug!(target: "vsctl", "Called as {called}");
    }
    daemon::alarm::set(options.timeout_s);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|e| program::fatal(e));
    ExitCode::from(runtime.block_on(run::run(&options, &commands, &called)))
}
