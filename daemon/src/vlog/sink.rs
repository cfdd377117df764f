//! The destinations: stderr, one log file, syslog. Each has a pattern. A destination that fails
//! is skipped: logging never stops the program.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use super::modules::{Destination, Level};
use super::pattern::{Line, expand};

/// The prefix that makes a syslog datagram; the pattern follows it.
const SYSLOG_PREFIX: &str = "<%B>%d{%b %e %T} %A: ";

const DEFAULT_PATTERNS: [&str; 3] = [
    "ovs|%05N|%c%T|%p|%m",
    "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m",
    "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m",
];

/// syslog's facility "daemon".
const FACILITY_DAEMON: u8 = 3;

/// Where syslog listens, by the method `libc`.
const DEV_LOG: &str = "/dev/log";

enum Syslog {
    /// Connected at the first message, and again after the syslog daemon has gone and come back.
    Unix(PathBuf, Option<UnixDatagram>),
    Udp(UdpSocket),
    Null,
}

struct Sinks {
    patterns: [String; 3],
    file: Option<(PathBuf, File)>,
    syslog: Syslog,
    facility: u8,
    n_lines: u32,
}

fn sinks() -> MutexGuard<'static, Sinks> {
    static SINKS: OnceLock<Mutex<Sinks>> = OnceLock::new();
    SINKS
        .get_or_init(|| {
            Mutex::new(Sinks {
                patterns: DEFAULT_PATTERNS.map(str::to_owned),
                file: None,
                syslog: Syslog::Unix(DEV_LOG.into(), None),
                facility: FACILITY_DAEMON,
                n_lines: 0,
            })
        })
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Writes one message to each destination whose `levels` entry admits it.
pub(super) fn write(module: &str, level: Level, levels: [Level; 3], message: &str) {
    let thread = std::thread::current();
    let thread = match thread.name() {
        Some(name) if name != "main" && !name.starts_with("tokio-") => name,
        _ => "",
    };
    let mut sinks = sinks();
    sinks.n_lines = sinks.n_lines.wrapping_add(1);
    let (number, facility) = (sinks.n_lines, sinks.facility);
    let now = SystemTime::now();
    // Each line of a message is a log line of its own, so that no peer can forge one.
    for message in message.trim_end_matches('\n').split('\n') {
        let line = Line { number, module, level, message, thread, facility, now };
        for destination in Destination::ALL {
            if level <= levels[destination as usize] {
                sinks.emit(destination, &line);
            }
        }
    }
}

impl Sinks {
    fn emit(&mut self, destination: Destination, line: &Line<'_>) {
        let pattern = &self.patterns[destination as usize];
        match destination {
            Destination::Console => {
                let text = expand(pattern, line) + "\n";
                let _ = std::io::stderr().write_all(text.as_bytes());
            }
            Destination::File => {
                if let Some((_, file)) = &mut self.file {
                    let text = expand(pattern, line) + "\n";
                    let _ = file.write_all(text.as_bytes());
                }
            }
            Destination::Syslog => {
                if !matches!(self.syslog, Syslog::Null) {
                    let text = expand(SYSLOG_PREFIX, line) + &expand(pattern, line);
                    self.syslog.send(text.as_bytes());
                }
            }
        }
    }
}

impl Syslog {
    fn send(&mut self, datagram: &[u8]) {
        let _ = match self {
            Self::Null => return,
            Self::Udp(socket) => socket.send(datagram),
            Self::Unix(path, socket) => {
                if socket.is_none() {
                    *socket = unix_datagram(path).ok();
                }
                match socket {
                    Some(open) => {
                        let sent = open.send(datagram);
                        if matches!(&sent, Err(e) if e.kind() != std::io::ErrorKind::WouldBlock) {
                            *socket = None;
                        }
                        sent
                    }
                    None => return,
                }
            }
        };
    }
}

fn unix_datagram(path: &Path) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(super) fn set_syslog_method(method: &str) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("{method}: {}", transport::strerror(&e));
    let syslog = match method.split_once(':') {
        None if method == "libc" => Syslog::Unix(DEV_LOG.into(), None),
        None if method == "null" => Syslog::Null,
        Some(("unix", path)) => Syslog::Unix(path.into(), None),
        Some(("udp", addr)) => {
            let socket = UdpSocket::bind("0.0.0.0:0").map_err(fail)?;
            socket.connect(addr).map_err(fail)?;
            socket.set_nonblocking(true).map_err(fail)?;
            Syslog::Udp(socket)
        }
        _ => return Err(format!("unsupported syslog method '{method}'")),
    };
    sinks().syslog = syslog;
    Ok(())
}

/// Sets a destination's pattern.
pub(super) fn set_pattern(destination: Destination, pattern: &str) {
    sinks().patterns[destination as usize] = pattern.to_owned();
}

/// The destinations' patterns, with the prefix of each.
pub(super) fn patterns() -> [(Destination, &'static str, String); 3] {
    let sinks = sinks();
    Destination::ALL.map(|destination| {
        let prefix = match destination {
            Destination::Syslog => "<%B> %D{%h %e %T} %E %A: ",
            Destination::Console | Destination::File => "none",
        };
        (destination, prefix, sinks.patterns[destination as usize].clone())
    })
}

/// Sets the facility by syslog's name for it.
pub(super) fn set_facility(name: &str) -> Result<(), String> {
    const NAMES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "clock", "authpriv",
        "ftp", "ntp", "audit", "alert", "clock2", "local0", "local1", "local2", "local3", "local4", "local5",
        "local6", "local7",
    ];
    let number = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
    let number = number.and_then(|n| u8::try_from(n).ok()).ok_or("invalid facility")?;
    sinks().facility = number;
    Ok(())
}

/// Opens (and appends to) a log file in place of any other.
pub fn open_log_file(path: &Path) -> Result<(), String> {
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(path).map_err(|e| {
        let text = transport::strerror(&e);
        tracing::warn!(target: "vlog", "failed to open {} for logging: {text}", path.display());
        text
    })?;
    sinks().file = Some((path.to_owned(), file));
    tracing::callsite::rebuild_interest_cache();
    tracing::info!(target: "vlog", "opened log file {}", path.display());
    Ok(())
}

/// Opens the log file anew (after logrotate moved it).
pub fn reopen_log_file() -> Result<(), String> {
    let path = sinks().file.as_ref().map(|(path, _)| path.clone());
    match path {
        Some(path) => open_log_file(&path),
        None => Err("Logging to file not configured".to_owned()),
    }
}

/// Closes the log file.
pub fn close_log_file() {
    sinks().file = None;
}
