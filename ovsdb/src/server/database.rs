//! One database of the server: its rows, its file, its history and its monitors.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::SessionId;
use super::relay::Relay;
use crate::db::{Change, Database};
use crate::monitor::history::Before;
use crate::monitor::{History, Spec};
use crate::schema::Schema;
use crate::storage::{Compaction, File, Opened};

/// A database that is served.
#[derive(Debug)]
pub struct Db {
    pub database: Database,
    /// `None` for databases that live in memory only.
    pub file: Option<File>,
    pub path: Option<PathBuf>,
    pub history: History,
    /// Monitors that show the same, by [`Spec::key`].
    pub groups: HashMap<String, Group>,
    pub compaction: Option<Compaction>,
    /// How the last compaction ended.
    pub last_outcome: std::result::Result<(), String>,
    /// The rows are another server's.
    pub relay: Option<Relay>,
    /// When compaction is next thought of.
    pub next_compact: Instant,
    pub last_compact: Instant,
    /// Writes differences of columns (`--disable-file-column-diff` turns it off).
    pub diff: bool,
}

/// Sessions that see the same of a database.
#[derive(Debug)]
pub struct Group {
    pub spec: Spec,
    pub members: Vec<Member>,
}

/// One monitor of one session.
#[derive(Debug)]
pub struct Member {
    pub session: SessionId,
    /// The monitor's id as JSON text.
    pub id: String,
    /// Gets `update3` instead of `update2`.
    pub since: bool,
    /// Changes that wait, merged, until the peer has read what it was sent.
    pub lag: Option<Before>,
}

/// The soonest that a file is compacted after it was.
pub const COMPACT_INTERVAL: Duration = Duration::from_secs(10 * 60);

impl Db {
    pub fn in_memory(schema: Arc<Schema>) -> Self {
        Self::new(Database::new(schema), None, None)
    }

    pub fn from_file(opened: Opened, path: PathBuf) -> Self {
        Self::new(opened.db, Some(opened.file), Some(path))
    }

    fn new(database: Database, file: Option<File>, path: Option<PathBuf>) -> Self {
        let now = Instant::now();
        Self {
            database,
            file,
            path,
            history: History::default(),
            groups: HashMap::new(),
            compaction: None,
            last_outcome: Ok(()),
            relay: None,
            next_compact: now + COMPACT_INTERVAL + jitter(),
            last_compact: now,
            diff: true,
        }
    }

    /// Whether there is something to serve: a relay begins without.
    pub fn is_available(&self) -> bool {
        self.relay.as_ref().is_none_or(|r| r.has_rows)
    }

    pub fn schema(&self) -> &Arc<Schema> {
        self.database.schema()
    }

    /// Whether any of `changes` is in that table.
    pub fn touches(changes: &[Change], table: usize) -> bool {
        changes.iter().any(|c| c.table == table)
    }
}

/// Up to ten minutes, so that the servers of a cluster of hosts do not compact at once.
pub fn jitter() -> Duration {
    let random = crate::value::generate().as_u64_pair().0;
    Duration::from_millis(random % 600_000)
}
