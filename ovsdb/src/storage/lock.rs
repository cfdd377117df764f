//! The lock file `.NAME.~lock~` beside a database: one writer at a time, also against OVS.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};

use crate::error::{Error, Result};

/// Holds the lock as long as it lives (and its process: children do not inherit it).
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The lock file of database `path`, symbolic links resolved.
fn lock_path(path: &Path) -> PathBuf {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    real.with_file_name(format!(".{name}.~lock~"))
}

/// Takes the lock of database `path`, or fails at once.
///
/// # Errors
/// `I/O error`: somebody has it, or the file cannot be made.
pub fn lock(path: &Path) -> Result<Lock> {
    let fail = |e: &std::io::Error| Error::io(format!("{}: failed to lock lockfile", path.display()), e);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(lock_path(path))
        .map_err(|e| fail(&e))?;
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_SETLK(&whole)).map_err(|e| fail(&e.into()))?;
    Ok(Lock { _file: file })
}
