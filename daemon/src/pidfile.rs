//! The pidfile: `PID\n`, locked by the process it names for as long as that lives.
//!
//! It is written under a temporary name, locked, and renamed into place, so a reader that finds
//! a lock can trust the number. Locks are POSIX record locks: they end with the process and are
//! not inherited by `fork`, so take it in the final process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use nix::fcntl::{FcntlArg, fcntl};
use transport::strerror;

/// The pidfile this process holds, for [`remove_held`].
static HELD: Mutex<Option<(u32, PathBuf)>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<(u32, PathBuf)>> {
    HELD.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Removes this process's pidfile before an exit that runs no destructors.
pub(crate) fn remove_held() {
    if let Some((pid, path)) = held().take()
        && pid == std::process::id()
    {
        let _ = std::fs::remove_file(path);
    }
}

/// A held pidfile; removed when dropped.
#[derive(Debug)]
pub struct Pidfile {
    path: PathBuf,
    /// Closing it would drop the lock.
    _file: File,
}

/// Why there is no pidfile. `Display` is OVS's text.
#[derive(Debug, thiserror::Error)]
pub enum PidfileError {
    /// Its process lives.
    #[error("{}: already running as pid {pid}, aborting", .path.display())]
    Running { path: PathBuf, pid: i32 },
    /// The system refused.
    #[error("{}: {what} failed ({})", .path.display(), strerror(.source))]
    Io { path: PathBuf, what: &'static str, source: io::Error },
}

/// `NAME.pid` below the run directory; relative names are below it too.
pub fn path_for(name: Option<&str>) -> PathBuf {
    match name {
        Some(name) => crate::dirs::in_rundir(name),
        None => crate::dirs::in_rundir(format!("{}.pid", crate::program::name())),
    }
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

impl Pidfile {
    /// Writes and locks `path` for this process. With `overwrite`, even when the old one's
    /// process lives.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self, PidfileError> {
        if !overwrite && let Ok(pid) = read(path) {
            return Err(PidfileError::Running { path: path.to_owned(), pid });
        }
        let pid = std::process::id();
        let mut tmp = path.as_os_str().to_owned();
        tmp.push(format!(".tmp{pid}"));
        let tmp = PathBuf::from(tmp);
        let fail = |what| {
            let path = path.to_owned();
            move |source: io::Error| PidfileError::Io { path, what, source }
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o644)
            .open(&tmp)
            .map_err(fail("create"))?;
        file.write_all(format!("{pid}\n").as_bytes()).map_err(fail("write"))?;
        fcntl(&file, FcntlArg::F_SETLK(&whole_file(libc::F_WRLCK)))
            .map_err(io::Error::from)
            .map_err(fail("fcntl(F_SETLK)"))?;
        std::fs::rename(&tmp, path).map_err(fail("rename"))?;
        *held() = Some((pid, path.to_owned()));
        Ok(Self { path: path.to_owned(), _file: file })
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        *held() = None;
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The process that holds the pidfile at `path`. `NotFound` when there is none or it is stale
/// (`ESRCH`), as `ovs-appctl` reports it.
pub fn read(path: &Path) -> io::Result<i32> {
    let mut file = File::open(path)?;
    let mut lock = whole_file(libc::F_WRLCK);
    fcntl(&file, FcntlArg::F_GETLK(&mut lock))?;
    if lock.l_type == libc::F_UNLCK as libc::c_short {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    let mut text = String::new();
    Read::by_ref(&mut file).take(64).read_to_string(&mut text)?;
    let pid: i32 = text.trim_end().parse().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // The lock's owner is unknown (0, -1) across pid namespaces; else both must agree.
    if lock.l_pid > 0 && lock.l_pid != pid {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(pid)
}
