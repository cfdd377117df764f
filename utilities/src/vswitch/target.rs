//! The daemon that `top` and `drops` ask: its control socket, found as ovs-appctl finds it.

use std::path::{Path, PathBuf};

use transport::rundir::{in_rundir, rundir};
use transport::unixctl::Client;

/// Options that `top` and `drops` share.
pub struct Options {
    /// The control socket.
    pub socket: PathBuf,
    /// How often to show; None: until stopped.
    pub turns: Option<u64>,
}

/// Parses `[-t TARGET] [-n TURNS]`.
pub fn options(args: &[String]) -> Result<Options, String> {
    let (mut target, mut turns) = (None, None);
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(|| format!("option '{option}' needs an argument"))?;
        match option.as_str() {
            "-t" | "--target" => target = Some(value.clone()),
            "-n" => turns = Some(value.parse().map_err(|_| format!("'{value}' is not a number of turns"))?),
            _ => return Err(format!("unknown option '{option}'")),
        }
    }
    Ok(Options { socket: socket(target.as_deref().unwrap_or("ovs-vswitchd"))?, turns })
}

/// `TARGET` is a socket, or a daemon with a pidfile in the run directory.
fn socket(target: &str) -> Result<PathBuf, String> {
    if target.contains('/') || in_rundir(target).exists() {
        return Ok(in_rundir(target));
    }
    let pidfile = in_rundir(format!("{target}.pid"));
    let pid = std::fs::read_to_string(&pidfile).map_err(|e| {
        format!(
            "cannot read {} ({e}); is {target} running? Name its control socket with -t",
            pidfile.display()
        )
    })?;
    Ok(rundir().join(format!("{target}.{}.ctl", pid.trim())))
}

/// Runs one command in the daemon and gives its text.
pub fn ask(socket: &Path, command: &str, args: &[&str]) -> Result<String, String> {
    let args: Vec<String> = args.iter().map(|a| a.to_string()).collect();
    let mut client =
        Client::connect(socket).map_err(|e| format!("cannot connect to \"{}\" ({e})", socket.display()))?;
    client
        .transact(command, &args)
        .map_err(|e| format!("{command}: {e}"))?
        .map_err(|e| format!("{command}: {e}"))
}
