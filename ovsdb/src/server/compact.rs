//! When files are compacted, in the background and on request.

use std::time::{Duration, Instant};

use super::database::{COMPACT_INTERVAL, Db, jitter};
use super::engine::Engine;
use crate::error::{Error, Result, tag};
use crate::storage::Compaction;

/// Records and bytes below which compaction is not worth it.
const RECORDS_MIN: u64 = 100;
const SIZE_MIN: u64 = 10 << 20;
/// After this long, any record is reason enough.
const INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a running compaction is looked at.
const POLL: Duration = Duration::from_millis(10);

pub(super) const COMMENT: &str = "compacting database online";

impl Db {
    fn wants_compaction(&self, now: Instant) -> bool {
        let Some(file) = &self.file else { return false };
        let grown = file.log.len() > SIZE_MIN && file.log.len() > 2 * file.base_size;
        let old = now.duration_since(self.last_compact) >= INTERVAL_MAX;
        (file.n_records >= RECORDS_MIN && grown) || (old && file.n_records > 0)
    }

    fn start_compaction(&mut self) {
        if let (None, Some(file)) = (&self.compaction, &self.file) {
            self.compaction = Some(Compaction::start(file, self.database.snapshot(), COMMENT));
        }
    }

    fn finish_compaction(&mut self) -> Result<()> {
        let (Some(c), Some(file)) = (self.compaction.take(), &mut self.file) else { return Ok(()) };
        let done = c.finish(file);
        let now = Instant::now();
        self.next_compact = match done {
            Ok(()) => now + COMPACT_INTERVAL + jitter(),
            Err(_) => now + COMPACT_INTERVAL / 10 + jitter() / 10,
        };
        if done.is_ok() {
            self.last_compact = now;
        }
        done
    }
}

impl Engine {
    pub(super) fn compact_due(&mut self, now: Instant) {
        for (name, db) in &mut self.dbs {
            if db.compaction.as_ref().is_some_and(Compaction::is_done) {
                let done = db.finish_compaction();
                if let Err(e) = &done {
                    tracing::warn!(target: "ovsdb", "compacting database {name} failed: {e}");
                }
                db.last_outcome = done.map_err(|e| e.to_string());
            } else if db.compaction.is_none() && db.next_compact <= now {
                if db.wants_compaction(now) {
                    tracing::info!(target: "ovsdb", "compacting {name} database");
                    db.start_compaction();
                } else {
                    db.next_compact = now + COMPACT_INTERVAL / 10;
                }
            }
        }
    }

    pub(super) fn compact_deadline(&self) -> Option<Instant> {
        let of = |db: &Db| match (&db.compaction, &db.file) {
            (Some(_), _) => Some(Instant::now() + POLL),
            (None, Some(_)) => Some(db.next_compact),
            _ => None,
        };
        self.dbs.values().filter_map(of).min()
    }

    /// Starts to compact one database, or all that have files; gives their names, or `None` if
    /// there is no such database.
    pub fn start_compactions(&mut self, name: Option<&str>) -> Option<Vec<String>> {
        let chosen = self.dbs.iter_mut().filter(|(n, _)| name.is_none_or(|x| x == *n));
        let mut found = false;
        let mut started = Vec::new();
        for (n, db) in chosen {
            found = true;
            if db.file.is_some() {
                tracing::info!(target: "ovsdb", "compacting {n} database by user request");
                db.start_compaction();
                started.push(n.clone());
            }
        }
        found.then_some(started)
    }

    /// How the last compaction ended; `None` while one is running.
    pub fn compaction_outcome(&self, name: &str) -> Option<std::result::Result<(), String>> {
        match self.dbs.get(name) {
            None => Some(Err("the database was removed".to_owned())),
            Some(db) => db.compaction.is_none().then(|| db.last_outcome.clone()),
        }
    }

    /// Compacts one database, or all, now.
    ///
    /// # Errors
    /// There is no such database, or its file cannot be written.
    pub fn compact(&mut self, name: Option<&str>) -> Result<()> {
        let mut found = false;
        for (n, db) in self.dbs.iter_mut().filter(|(n, _)| name.is_none_or(|x| x == *n)) {
            found = true;
            if db.file.is_some() {
                tracing::info!(target: "ovsdb", "compacting {n} database by user request");
                db.start_compaction();
                db.finish_compaction()?;
            }
        }
        if found { Ok(()) } else { Err(Error::new(tag::UNKNOWN_DATABASE, "not a known database")) }
    }
}
