//! Becoming a daemon: `--detach`, `--monitor`, `--pidfile`, `--user`, `--no-chdir`.
//!
//! ```text
//!  main: options -> Lifecycle::start() -> runtime, sockets, first work -> Startup::complete()
//!        (forks here, so no thread may exist yet)                         (parents exit 0 now)
//!
//!  shell waits for P0:  P0 --fork--> P1 monitor --fork--> P2 daemon
//!                          <- 1 byte --         <- 1 byte --
//! ```
//! A parent waits for one byte on a pipe; end of file instead means that the child died, and its
//! status is passed on. The monitor starts the daemon again when it died of a crash.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2, setsid};

use crate::pidfile::{Pidfile, PidfileError};
use crate::title::Title;
use crate::user::Identity;
use crate::vlog;

/// The monitor does not start a crashing daemon more often than this.
const RESTART_INTERVAL: Duration = Duration::from_secs(10);

/// Exit status of a Rust program whose main thread panicked.
const PANIC_STATUS: i32 = 101;

/// The options.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Run in the background.
    pub detach: bool,
    /// Keep a second process that restarts a crashed daemon.
    pub monitor: bool,
    /// The pidfile, if any.
    pub pidfile: Option<PathBuf>,
    /// Take the pidfile even from a living process.
    pub overwrite_pidfile: bool,
    /// Stay in the working directory.
    pub no_chdir: bool,
    /// Whom to become.
    pub user: Option<Identity>,
}

/// Why there is no daemon. `Display` is for `NAME: ...` on stderr.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Pidfile(#[from] PidfileError),
    #[error("{what} failed ({})", transport::strerror(.source))]
    System { what: &'static str, source: io::Error },
    #[error("fork child died before signaling startup ({0})")]
    Child(String),
}

fn system(what: &'static str) -> impl FnOnce(nix::Error) -> StartError {
    move |errno| StartError::System { what, source: errno.into() }
}

/// A daemon that is starting. Give it up by exiting: the waiting parent passes the status on.
#[derive(Debug)]
#[must_use = "the parent process waits for complete()"]
pub struct Startup {
    /// The pipe to the waiting parent.
    parent: Option<File>,
    pidfile: Option<Pidfile>,
    detach: bool,
    no_chdir: bool,
}

/// A started daemon; dropping it removes the pidfile.
#[derive(Debug)]
pub struct Running {
    _pidfile: Option<Pidfile>,
}

impl Lifecycle {
    /// Forks as asked and returns in the final process, with the pidfile held and the user
    /// assumed. Must run before any thread is started.
    pub fn start(&self) -> Result<Startup, StartError> {
        if let Some(path) = &self.pidfile
            && !self.overwrite_pidfile
            && let Ok(pid) = crate::pidfile::read(path)
        {
            return Err(PidfileError::Running { path: path.clone(), pid }.into());
        }
        if let Some(user) = &self.user {
            user.assume().map_err(|source| StartError::System { what: "--user", source })?;
        }
        let mut parent = None;
        if self.detach {
            match fork_and_wait()? {
                Forked::Child(pipe) => parent = Some(pipe),
                Forked::Parent(_) => std::process::exit(0),
            }
            setsid().map_err(system("setsid"))?;
        }
        if self.monitor {
            match fork_and_wait()? {
                Forked::Child(pipe) => parent = Some(pipe),
                Forked::Parent(child) => parent = Some(self.watch(child, parent)?),
            }
        }
        let pidfile = match &self.pidfile {
            Some(path) => Some(Pidfile::create(path, true)?),
            None => None,
        };
        Ok(Startup { parent, pidfile, detach: self.detach, no_chdir: self.no_chdir })
    }

    /// The monitor's life. Returns only in a restarted daemon.
    fn watch(&self, mut child: Pid, parent: Option<File>) -> Result<File, StartError> {
        release(parent);
        if self.detach {
            settle(self.no_chdir);
        }
        let title = Title::take();
        let mut n_crashes = 0u32;
        let mut restarted: Option<Instant> = None;
        loop {
            if let Some(title) = &title {
                let health = if n_crashes == 0 { "healthy".into() } else { format!("{n_crashes} crashes") };
                title.set(&format!("{}: monitoring pid {child} ({health})", crate::program::name()));
            }
            let status = wait(child).map_err(system("waitpid"))?;
            let text = describe(&status);
            if !is_crash(&status) {
                tracing::info!(target: "daemon", "pid {child} died, {text}, exiting");
                std::process::exit(exit_code(&status));
            }
            n_crashes += 1;
            tracing::error!(
                target: "daemon",
                "{n_crashes} crashes: pid {child} died, {text}, restarting"
            );
            if let Some(last) = restarted {
                std::thread::sleep(RESTART_INTERVAL.saturating_sub(last.elapsed()));
            }
            restarted = Some(Instant::now());
            match fork_and_wait() {
                Ok(Forked::Child(pipe)) => {
                    if let Some(title) = &title {
                        title.restore();
                    }
                    return Ok(pipe);
                }
                Ok(Forked::Parent(next)) => child = next,
                Err(error) => {
                    tracing::error!(target: "daemon", "could not restart: {error}");
                    return Err(error);
                }
            }
        }
    }
}

impl Startup {
    /// Tells the waiting parent that the daemon works; it exits with status 0. Detached, this
    /// also leaves the terminal (stdio to /dev/null, working directory `/`).
    pub fn complete(self) -> Running {
        release(self.parent);
        if self.detach {
            settle(self.no_chdir);
        }
        Running { _pidfile: self.pidfile }
    }
}

/// Writes the byte that a waiting parent waits for.
fn release(parent: Option<File>) {
    if let Some(mut pipe) = parent {
        let _ = pipe.write_all(&[0]);
    }
}

/// Leaves the terminal.
fn settle(no_chdir: bool) {
    if !no_chdir {
        let _ = std::env::set_current_dir("/");
    }
    vlog::set_levels(None, Some(vlog::Destination::Console), vlog::Level::Off);
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdin(&null);
        let _ = nix::unistd::dup2_stdout(&null);
        let _ = nix::unistd::dup2_stderr(&null);
    }
}

enum Forked {
    /// In the child: where to report.
    Child(File),
    /// In the parent: the child, which has reported.
    Parent(Pid),
}

fn fork_and_wait() -> Result<Forked, StartError> {
    let (reader, writer) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(system("pipe"))?;
    // SAFETY: called before any thread exists (see the module's text), so the child inherits no
    // lock that another thread holds.
    match unsafe { fork() }.map_err(system("fork"))? {
        ForkResult::Child => {
            drop(reader);
            Ok(Forked::Child(writer.into()))
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let mut byte = [0u8];
            if File::from(reader).read_exact(&mut byte).is_ok() {
                return Ok(Forked::Parent(child));
            }
            let status = wait(child).map_err(system("waitpid"))?;
            match status {
                // The child has said why.
                WaitStatus::Exited(_, code) if code != 0 => std::process::exit(code),
                _ => Err(StartError::Child(describe(&status))),
            }
        }
    }
}

fn wait(child: Pid) -> nix::Result<WaitStatus> {
    loop {
        match waitpid(child, None) {
            Err(nix::Error::EINTR) => {}
            other => return other,
        }
    }
}

fn is_crash(status: &WaitStatus) -> bool {
    match status {
        WaitStatus::Exited(_, code) => *code == PANIC_STATUS,
        WaitStatus::Signaled(_, signal, _) => matches!(
            signal,
            Signal::SIGABRT
                | Signal::SIGALRM
                | Signal::SIGBUS
                | Signal::SIGFPE
                | Signal::SIGILL
                | Signal::SIGPIPE
                | Signal::SIGSEGV
                | Signal::SIGXCPU
                | Signal::SIGXFSZ
        ),
        _ => false,
    }
}

fn exit_code(status: &WaitStatus) -> i32 {
    match status {
        WaitStatus::Exited(_, code) => *code,
        _ => 0,
    }
}

fn describe(status: &WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("exit status {code}"),
        WaitStatus::Signaled(_, signal, core) => {
            let core = if *core { ", core dumped" } else { "" };
            format!("killed ({signal}){core}")
        }
        other => format!("{other:?}"),
    }
}

/// Logs a panic where operators look, before the default report on stderr.
pub fn log_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tracing::error!(target: "panic", emer = true, "{info}");
        default(info);
    }));
}
