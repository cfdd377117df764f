//! Where the files of OVS live: one function per directory, each with its environment override
//! and Debian's default. Does not create anything.

use std::path::PathBuf;

pub use transport::rundir::{in_rundir, rundir};

fn from_env(variable: &str, default: impl FnOnce() -> PathBuf) -> PathBuf {
    match std::env::var_os(variable) {
        Some(dir) if !dir.is_empty() => dir.into(),
        _ => default(),
    }
}

/// `$OVS_LOGDIR` or `/var/log/openvswitch`.
pub fn logdir() -> PathBuf {
    from_env("OVS_LOGDIR", || "/var/log/openvswitch".into())
}

/// `$OVS_SYSCONFDIR` or `/etc`.
pub fn sysconfdir() -> PathBuf {
    from_env("OVS_SYSCONFDIR", || "/etc".into())
}

/// `$OVS_DBDIR` or `SYSCONFDIR/openvswitch`: where `conf.db` is.
pub fn dbdir() -> PathBuf {
    from_env("OVS_DBDIR", || sysconfdir().join("openvswitch"))
}

/// `$OVS_PKGDATADIR` or `/usr/share/openvswitch`: where `vswitch.ovsschema` is.
pub fn pkgdatadir() -> PathBuf {
    from_env("OVS_PKGDATADIR", || "/usr/share/openvswitch".into())
}

/// `$OVS_BINDIR` or `/usr/bin`.
pub fn bindir() -> PathBuf {
    from_env("OVS_BINDIR", || "/usr/bin".into())
}

/// `$OVS_SBINDIR` or `/usr/sbin`.
pub fn sbindir() -> PathBuf {
    from_env("OVS_SBINDIR", || "/usr/sbin".into())
}

/// `unix:RUNDIR/db.sock`: where every tool looks for the database by default.
pub fn default_db() -> String {
    format!("unix:{}", rundir().join("db.sock").display())
}
