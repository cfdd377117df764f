//! What a log needs of its file. A trait, so that tests can make a disk fail.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// An open file, or something that behaves as badly as one.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Writes all of `bytes` at `offset`. On failure some of them may be there.
    ///
    /// # Errors
    /// The system's.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// The system's; the file ends too early.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Cuts the file off at `len`.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns when the contents are on the disk.
    ///
    /// # Errors
    /// The system's. What was written since the last success may be lost then, whatever a later
    /// call says.
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
