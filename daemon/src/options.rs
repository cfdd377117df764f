//! The options every daemon shares, and those every program shares (`-v`, `--log-file`): one
//! table each to append to a program's own, and one `apply` that takes what belongs to it.

use std::path::PathBuf;

use transport::tls;
use transport::unixctl::{Registry, Version};

use crate::getopt::{Arg, Opt};
use crate::lifecycle::Lifecycle;
use crate::memory::Memory;
use crate::user::Identity;
use crate::{program, vlog};

/// Logging options: of daemons and tools.
pub const VLOG: &[Opt] = &[
    Opt::both("verbose", 'v', Arg::Optional),
    Opt::long("log-file", Arg::Optional),
    Opt::long("syslog-method", Arg::Required),
    Opt::long("syslog-target", Arg::Required),
];

/// Daemon options.
pub const DAEMON: &[Opt] = &[
    Opt::long("detach", Arg::None),
    Opt::long("no-chdir", Arg::None),
    Opt::long("pidfile", Arg::Optional),
    Opt::long("overwrite-pidfile", Arg::None),
    Opt::long("monitor", Arg::None),
    Opt::long("user", Arg::Required),
    Opt::long("no-self-confinement", Arg::None),
    Opt::long("unixctl", Arg::Required),
];

/// TLS options.
pub const TLS: &[Opt] = &[
    Opt::both("private-key", 'p', Arg::Required),
    Opt::both("certificate", 'c', Arg::Required),
    Opt::both("ca-cert", 'C', Arg::Required),
    Opt::long("bootstrap-ca-cert", Arg::Required),
    Opt::long("peer-ca-cert", Arg::Required),
    Opt::long("ssl-protocols", Arg::Required),
    Opt::long("ssl-ciphers", Arg::Required),
];

/// `-h` and `-V`.
pub const HELP: &[Opt] = &[Opt::both("help", 'h', Arg::None), Opt::both("version", 'V', Arg::None)];

/// One table of several.
pub fn table(parts: &[&[Opt]]) -> Vec<Opt> {
    parts.iter().flat_map(|part| part.iter().copied()).collect()
}

/// Applies a logging option at once. `Ok(false)`: not one of [`VLOG`].
pub fn apply_vlog(name: &str, value: Option<&str>) -> Result<bool, String> {
    match name {
        "verbose" => match value {
            None => vlog::set_levels(None, None, vlog::Level::Dbg),
            Some(spec) => {
                vlog::set(spec).map_err(|e| format!("processing \"{spec}\": {e}"))?;
            }
        },
        "log-file" => {
            let path = value.map_or_else(vlog::default_log_file, PathBuf::from);
            if vlog::open_log_file(&path).is_err() {
                // It has been reported.
                std::process::exit(1);
            }
        }
        "syslog-method" => vlog::set_syslog_method(value.unwrap_or_default())?,
        "syslog-target" => vlog::set_syslog_method(&format!("udp:{}", value.unwrap_or_default()))?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Takes a TLS option into `config`; [`transport::tls::configure`] makes it count. `false`: not
/// one of [`TLS`]. A value of the form `db:...` is for the program to look up.
pub fn apply_tls(config: &mut tls::Config, name: &str, value: Option<&str>) -> bool {
    let file = value.map(PathBuf::from);
    match name {
        "private-key" => config.private_key = file,
        "certificate" => config.certificate = file,
        "ca-cert" => (config.ca_cert, config.bootstrap) = (file, false),
        "bootstrap-ca-cert" => (config.ca_cert, config.bootstrap) = (file, true),
        "peer-ca-cert" => config.peer_ca_cert = file,
        // TLS 1.2 and 1.3 with their strong ciphers are what there is.
        "ssl-protocols" | "ssl-ciphers" => {}
        _ => return false,
    }
    true
}

/// What the daemon options say.
#[derive(Clone, Debug, Default)]
pub struct DaemonOptions {
    /// For [`Lifecycle::start`].
    pub lifecycle: Lifecycle,
    /// `--unixctl`: a path, `none`, or the default.
    pub unixctl: Option<String>,
}

impl DaemonOptions {
    /// Takes a daemon or logging option. `Ok(false)`: neither of [`DAEMON`] nor of [`VLOG`].
    pub fn apply(&mut self, name: &str, value: Option<&str>) -> Result<bool, String> {
        let lifecycle = &mut self.lifecycle;
        match name {
            "detach" => lifecycle.detach = true,
            "no-chdir" => lifecycle.no_chdir = true,
            "pidfile" => lifecycle.pidfile = Some(crate::pidfile::path_for(value)),
            "overwrite-pidfile" => lifecycle.overwrite_pidfile = true,
            "monitor" => lifecycle.monitor = true,
            "user" => lifecycle.user = Some(Identity::parse(value.unwrap_or_default())?),
            "no-self-confinement" => {}
            "unixctl" => self.unixctl = value.map(str::to_owned),
            _ => return apply_vlog(name, value),
        }
        Ok(true)
    }

    /// Where the control socket goes; `None` for `--unixctl=none`.
    pub fn unixctl_path(&self) -> Option<PathBuf> {
        match self.unixctl.as_deref() {
            Some("none") => None,
            Some(path) => Some(crate::dirs::in_rundir(path)),
            None => Some(transport::unixctl::default_path(program::name())),
        }
    }
}

/// A registry with what every daemon has: `version`, `list-commands`, `vlog/*`, `coverage/*`,
/// `memory/show`.
pub fn registry(memory: &Memory) -> Registry {
    let registry = Registry::new(Version(program::version_text()));
    vlog::commands::register(&registry);
    crate::coverage::register(&registry);
    memory.register(&registry);
    registry
}

/// The help text of the daemon and logging options, as OVS lays it out.
pub fn usage() -> String {
    let pidfile = crate::pidfile::path_for(None);
    let log_file = vlog::default_log_file();
    format!(
        "\nDaemon options:
  --detach                run in background as daemon
  --monitor               creates a process to monitor this daemon
  --user=username[:group] changes the effective daemon user:group
  --no-chdir              do not chdir to '/'
  --pidfile[=FILE]        create pidfile (default: {})
  --overwrite-pidfile     with --pidfile, start even if already running
{}",
        pidfile.display(),
        usage_vlog(&log_file.display().to_string())
    )
}

/// The help text of the logging options.
pub fn usage_vlog(log_file: &str) -> String {
    format!(
        "\nLogging options:
  -vSPEC, --verbose=SPEC   set logging levels
  -v, --verbose            set maximum verbosity level
  --log-file[=FILE]        enable logging to specified FILE
                           (default: {log_file})
  --syslog-method=(libc|unix:file|udp:ip:port)
                           specify how to send messages to syslog daemon
  --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP
"
    )
}
