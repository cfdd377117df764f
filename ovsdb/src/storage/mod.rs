//! The database file: OVS's log format, byte-compatible both ways.
//!
//! ```text
//! OVSDB JSON <bytes of the next line> <its SHA-1>\n
//! <one JSON object>\n            record 0: the schema; each later record: one transaction
//! ```
//!
//! Append-only. A damaged tail is ignored by readers and cut off by the first write. A write that
//! fails is taken back, so that the file never holds what was refused. After a failed sync the file
//! is not trusted any more (the system may have dropped what it could not write): the database is
//! written to a new one.

mod compact;
mod disk;
mod file;
mod lock;
mod log;
mod record;

#[cfg(test)]
mod tests;

pub use self::compact::{Compaction, write_database};
pub use self::disk::Disk;
pub use self::file::{File, Mode, Opened, create, open, read_schema};
pub use self::log::{Log, Reader, frame, open_reader};
pub use self::record::{apply_record, encode_commit, encode_snapshot};
