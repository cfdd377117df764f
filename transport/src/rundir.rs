//! Where sockets live: `$OVS_RUNDIR`, and names relative to it. Does not create directories.

use std::path::{Path, PathBuf};

/// Debian's run directory.
const DEFAULT: &str = "/var/run/openvswitch";

/// The directory of sockets and pidfiles: `$OVS_RUNDIR`, or Debian's.
pub fn rundir() -> PathBuf {
    match std::env::var_os("OVS_RUNDIR") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(DEFAULT),
    }
}

/// `path` itself when absolute, else below [`rundir`]: the rule for `unix:` and `punix:` names.
pub fn in_rundir(path: impl AsRef<Path>) -> PathBuf {
    rundir().join(path)
}
