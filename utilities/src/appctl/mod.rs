//! `ovs-appctl`: sends one command to a daemon's control socket and prints the answer.
//!
//! Exit status: 0 done; 1 could not ask; 2 the daemon answered with an error.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use daemon::getopt::{self, Arg, Opt, Order};
use daemon::{alarm, dirs, options, pidfile, program, vlog};
use transport::strerror;
use transport::unixctl::{Client, ClientError};

const OWN: &[Opt] = &[Opt::both("target", 't', Arg::Required), Opt::both("timeout", 'T', Arg::Required)];

/// Whom `ovs-appctl` asks by default.
pub const DEFAULT_TARGET: &str = "ovs-vswitchd";

/// The program.
pub fn main() -> ExitCode {
    let args = program::start(vlog::Level::Warn);
    let opts = options::table(&[OWN, options::HELP, options::VLOG]);
    let parsed = getopt::parse(&args, &opts, Order::StopAtFirst).unwrap_or_else(|e| program::bad_usage(e));
    let mut target = DEFAULT_TARGET.to_owned();
    let mut timeout_s = alarm::from_env().unwrap_or(0);
    for (name, value) in &parsed.options {
        let value = value.as_deref();
        match *name {
            "target" => target = value.unwrap_or_default().to_owned(),
            "timeout" => timeout_s = parse_timeout(value.unwrap_or_default()),
            "help" => {
                print!("{}", usage());
                return ExitCode::SUCCESS;
            }
            "version" => {
                print!("{}", program::version_text());
                return ExitCode::SUCCESS;
            }
            _ => {
                options::apply_vlog(name, value).unwrap_or_else(|e| program::fatal(e));
            }
        }
    }
    let Some((command, args)) = parsed.rest.split_first() else {
        program::fatal("at least one non-option argument is required (use --help for help)");
    };
    alarm::set(timeout_s);
    report(&target, ask(&target, command, args), |text| print!("{text}"))
}

fn parse_timeout(text: &str) -> u64 {
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0)
        .unwrap_or_else(|| program::fatal(format!("value {text} on -T or --timeout is invalid")))
}

/// Why a daemon could not be asked. `Display` is OVS's text.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The target's pidfile is missing, stale or unreadable.
    #[error("cannot read pidfile \"{path}\" ({reason})")]
    Pidfile { path: String, reason: String },
    /// Nobody listens.
    #[error("cannot connect to \"{path}\" ({reason})")]
    Connect { path: String, reason: String },
    /// It hung up, or spoke nonsense.
    #[error("{target}: transaction error ({source})")]
    Transaction { target: String, source: ClientError },
}

/// Asks `target`: a program's name (found by its pidfile) or the absolute path of a socket.
pub fn ask(target: &str, command: &str, args: &[String]) -> Result<Result<String, String>, AskError> {
    let path = socket_of(target)?;
    let mut client = Client::connect(&path).map_err(|e| {
        tracing::warn!(target: "unixctl", "failed to connect to {}", path.display());
        AskError::Connect { path: path.display().to_string(), reason: strerror(&e) }
    })?;
    client
        .transact(command, args)
        .map_err(|source| AskError::Transaction { target: target.to_owned(), source })
}

fn socket_of(target: &str) -> Result<PathBuf, AskError> {
    if Path::new(target).is_absolute() {
        return Ok(PathBuf::from(target));
    }
    let path = dirs::in_rundir(format!("{target}.pid"));
    let pid = pidfile::read(&path).map_err(|e| {
        let reason = strerror(&e);
        let (path, pid) = (path.display().to_string(), e.raw_os_error());
        if pid == Some(libc::ESRCH) {
            tracing::warn!(target: "daemon_unix", "{path}: stale pidfile: its process is gone");
        } else {
            tracing::warn!(target: "daemon_unix", "{path}: open: {reason}");
        }
        AskError::Pidfile { path, reason }
    })?;
    Ok(dirs::in_rundir(format!("{target}.{pid}.ctl")))
}

/// Prints an answer (a result by `print`) and gives the exit status.
pub fn report(
    target: &str,
    answer: Result<Result<String, String>, AskError>,
    print: impl FnOnce(&str),
) -> ExitCode {
    match answer {
        Ok(Ok(text)) => {
            print(&with_newline(text));
            ExitCode::SUCCESS
        }
        Ok(Err(text)) => {
            eprint!("{}", with_newline(text));
            eprintln!("{}: {target}: server returned an error", program::name());
            ExitCode::from(2)
        }
        Err(error) => program::fatal(error),
    }
}

fn with_newline(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn usage() -> String {
    let name = program::name();
    format!(
        "{name}, for querying and controlling Open vSwitch daemon
usage: {name} [TARGET] COMMAND [ARG...]
Targets:
  -t, --target=TARGET  pidfile or socket to contact
Common commands:
  list-commands      List commands supported by the target
  version            Print version of the target
  vlog/list          List current logging levels
  vlog/list-pattern  List logging patterns for each destination.
  vlog/set [SPEC]
      Set log levels as detailed in SPEC, which may include:
      A valid module name (all modules, by default)
      'syslog', 'console', 'file' (all destinations, by default))
      'off', 'emer', 'err', 'warn', 'info', or 'dbg' ('dbg', by default)
  vlog/reopen        Make the program reopen its log file
Other options:
  --timeout=SECS     wait at most SECS seconds for a response
  -h, --help         Print this helpful information
  -V, --version      Display {name} version information
"
    )
}
