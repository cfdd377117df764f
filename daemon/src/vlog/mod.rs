//! OVS's log: levels per module and destination, its line format, its rate limits.
//!
//! # How a crate logs
//! With the `tracing` crate and nothing of ours; the event's target is the vlog module:
//! ```
//! tracing::info!(target: "bridge", "bridge {}: added interface {} on port {}", "br0", "p0", 1);
//! // `rl = N`: at most N messages a minute on average (bursts of 4N) from this line of code.
//! tracing::warn!(target: "dpif", rl = 5, "failed to put flow: {}", "no space");
//! ```
//! `error!` is ERR (with a field `emer = true`: EMER), `warn!` WARN, `info!` INFO, `debug!` and
//! `trace!` DBG. An event without an explicit target gets the module after the crate's name
//! (`vswitchd::bridge::apply` is `bridge`). Names are OVS's where OVS has one ([`modules::KNOWN`];
//! `-v` refuses names it does not know: add yours there). Disabled events cost one load.
//!
//! This module is the subscriber. A program calls [`init`] first thing; `-v`, `--log-file` and
//! the `vlog/*` commands do the rest. Control plane; callable from any thread but a PMD's loop.
//!
//! ```text
//!  tracing event -> subscriber (level? rate limit?) -> pattern -> sink: console, file, syslog
//! ```

pub mod commands;
mod limit;
pub mod modules;
mod pattern;
mod sink;
mod spec;
mod subscriber;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use modules::{Destination, Level};
pub use sink::{close_log_file, open_log_file, reopen_log_file};
pub use spec::set;

/// Becomes the process's tracing subscriber. Idempotent. `console`: the level on stderr (INFO
/// for daemons, WARN for tools).
pub fn init(console: Level) {
    modules::set_levels(None, Some(Destination::Console), console);
    let _ = tracing::subscriber::set_global_default(subscriber::Subscriber);
}

/// Sets `module`'s level (`None`: all modules') at a destination (`None`: all).
pub fn set_levels(module: Option<&str>, destination: Option<Destination>, level: Level) {
    modules::set_levels(module, destination, level);
    tracing::callsite::rebuild_interest_cache();
}

/// How syslog is reached (`--syslog-method`, `$OVS_SYSLOG_METHOD`): `libc`, `null`, `unix:FILE`,
/// `udp:IP:PORT`. `Err` is the text for the operator.
pub fn set_syslog_method(method: &str) -> Result<(), String> {
    sink::set_syslog_method(method)
}

/// The default file for `--log-file` without a name: `LOGDIR/PROGRAM.log`.
pub fn default_log_file() -> PathBuf {
    crate::dirs::logdir().join(format!("{}.log", crate::program::name()))
}
