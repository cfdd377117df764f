//! The daemon that `top` and `drops` ask: its control socket, found as ovs-appctl finds it.

use std::path::{Path, PathBuf};

use transport::rundir::{in_rundir, rundir};
use transport::unixctl::Client;

/// Options that `top` and `drops` share.
#[derive(clap::Args)]
pub struct Options {
    /// ovs-vswitchd's control socket, or its name in $OVS_RUNDIR
    #[arg(short, long, default_value = "ovs-vswitchd")]
    target: String,
    /// How often to show [top: until stopped, drops: once]
    #[arg(short = 'n', long)]
    pub turns: Option<u64>,
}

impl Options {
    /// The control socket to ask.
    pub fn socket(&self) -> Result<PathBuf, String> {
        socket(&self.target)
    }
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
