//! What the host offers a polling switch: huge pages, NUMA nodes, processors, VFIO.
//!
//! Responsibility: find, reserve and check; texts that say what is missing and the command that mends it.
//! Plane: control, at start and on request. Imports nothing of ours. Reads below one root directory
//! ([`Host::new`]), so that tests can show it another machine.

pub mod cpu;
mod pages;
mod vfio;

#[cfg(test)]
mod tests;

pub use pages::{Mount, Pool, ReserveError};
pub use vfio::{Nic, Vfio};

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The machine, seen through `/proc`, `/sys` and `/dev`.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self::new("/")
    }
}

impl Host {
    /// The machine whose root directory is `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// A file's text without surrounding white space; empty if it is not there.
    fn read(&self, below: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(below)).map(|t| t.trim().to_string()).unwrap_or_default()
    }

    fn read_u64(&self, below: impl AsRef<Path>) -> Option<u64> {
        self.read(below).parse().ok()
    }

    fn write(&self, below: impl AsRef<Path>, text: &str) -> io::Result<()> {
        fs::write(self.path(below), text)
    }

    /// Names in a directory, sorted; none if it is not there.
    fn names(&self, below: impl AsRef<Path>) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path(below))
            .into_iter()
            .flatten()
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Memory that a process could still get, in MiB (`MemAvailable`).
    pub fn memory_free_mib(&self) -> u64 {
        self.read("proc/meminfo")
            .lines()
            .find_map(|l| l.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
            / 1024
    }
}
