//! Compaction: a new file with the schema and all rows takes the place of the log.
//!
//! ```text
//! engine                       worker thread
//!   Compaction::start ----------> writes NAME.tmp from a snapshot, syncs it
//!   goes on appending to NAME
//!   poll: done? copies what was appended meanwhile, syncs, renames over NAME, syncs the folder
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use super::file::File;
use super::log::frame;
use super::record::encode_snapshot;
use crate::db::Snapshot;
use crate::error::{Error, Result};
use crate::json;

/// A compaction that a thread works on.
#[derive(Debug)]
pub struct Compaction {
    tmp: PathBuf,
    /// End of the log when the snapshot was taken.
    from: u64,
    worker: JoinHandle<Result<u64>>,
}

/// Writes schema and rows to a new file and puts it on the disk; gives its size in bytes.
///
/// # Errors
/// `I/O error`.
pub fn write_database(path: &Path, snapshot: &Snapshot, comment: &str) -> Result<u64> {
    let mut text = String::new();
    frame(&json::to_string(&snapshot.schema.to_json()), &mut text);
    if snapshot.tables.iter().any(|t| t.rows().next().is_some()) || !comment.is_empty() {
        frame(&encode_snapshot(snapshot, comment), &mut text);
    }
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o660).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    };
    write().map_err(|e| Error::io(format!("{}: write failed", path.display()), &e))?;
    Ok(text.len() as u64)
}

impl Compaction {
    /// Starts to write `snapshot`, which is what `file` holds now.
    pub fn start(file: &File, snapshot: Snapshot, comment: &str) -> Self {
        let tmp = PathBuf::from(format!("{}.tmp", real_path(file.log.path()).display()));
        let (path, comment) = (tmp.clone(), comment.to_owned());
        let worker = std::thread::spawn(move || write_database(&path, &snapshot, &comment));
        Self { tmp, from: file.log.len(), worker }
    }

    pub fn is_done(&self) -> bool {
        self.worker.is_finished()
    }

    /// Waits for the worker and throws away what it wrote.
    pub fn cancel(self) {
        let _ = self.worker.join();
        let _ = std::fs::remove_file(&self.tmp);
    }

    /// Waits for the worker and puts the new file in the place of the old one.
    ///
    /// # Errors
    /// `I/O error`; the old file stays.
    pub fn finish(self, file: &mut File) -> Result<()> {
        let Self { tmp, from, worker } = self;
        let gone = |_| Error::new(crate::error::tag::INTERNAL, "compaction thread panicked");
        let done = worker.join().map_err(gone).and_then(|r| r).and_then(|size| {
            replace(file, &tmp, from, size)
                .map_err(|e| Error::io(format!("{}: compaction failed", tmp.display()), &e))
        });
        if done.is_err() {
            let _ = std::fs::remove_file(&tmp);
        }
        done
    }
}

fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn replace(file: &mut File, tmp: &Path, from: u64, size: u64) -> std::io::Result<()> {
    let appended = file.log.read_from(from)?;
    let new = OpenOptions::new().read(true).write(true).open(tmp)?;
    if !appended.is_empty() {
        std::os::unix::fs::FileExt::write_all_at(&new, &appended, size)?;
        new.sync_data()?;
    }
    let target = real_path(file.log.path());
    std::fs::rename(tmp, &target)?;
    if let Some(folder) = target.parent().filter(|p| !p.as_os_str().is_empty()) {
        // The rename is done: if the folder cannot be synced, the new file is still the right one.
        let _ = std::fs::File::open(folder).and_then(|f| f.sync_all());
    }
    let end = size + appended.len() as u64;
    file.log.replace_file(new, end);
    file.n_records = u64::from(!appended.is_empty());
    file.base_size = end;
    Ok(())
}
