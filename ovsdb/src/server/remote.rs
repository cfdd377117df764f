//! Remotes: where the server listens and whom it calls, from the command line, from unixctl, or
//! from a column of a database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use transport::Target;

use super::database::Db;
use super::endpoint::{Options, Report, SessionMaker, call, listen};
use super::engine::{Engine, Event};
use super::status::STATUS_INTERVAL;
use crate::db::{Change, Database, Row};
use crate::schema::Table;
use crate::value::Datum;

/// The port of OVSDB.
pub const PORT: u16 = 6640;

/// One remote at work.
#[derive(Debug)]
pub struct Remote {
    options: watch::Sender<Options>,
    pub report: Arc<Report>,
    pub is_passive: bool,
    task: JoinHandle<()>,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All remotes.
#[derive(Debug)]
pub struct Remotes {
    events: mpsc::Sender<Event>,
    next_session: Arc<AtomicU64>,
    /// As on the command line: targets and `db:DB,TABLE,COLUMN`.
    pub configured: Vec<String>,
    pub active: HashMap<String, Remote>,
    pub next_status: Instant,
    dirty: bool,
    starting: Vec<oneshot::Receiver<()>>,
}

/// A parsed `db:DB,TABLE,COLUMN`.
#[derive(Clone, Copy, Debug)]
pub struct ColumnName<'a> {
    pub db: &'a str,
    pub table: &'a str,
    pub column: &'a str,
}

impl<'a> ColumnName<'a> {
    /// Reads the form; `None` if `text` is no such thing.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("db:")?.splitn(3, ',');
        Some(Self { db: parts.next()?, table: parts.next()?, column: parts.next()? })
    }
}

impl Remotes {
    pub fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            events,
            next_session: Arc::default(),
            configured: Vec::new(),
            active: HashMap::new(),
            next_status: Instant::now() + STATUS_INTERVAL,
            dirty: true,
            starting: Vec::new(),
        }
    }

    /// Notes that database `name` changed: it may hold remotes.
    pub fn note(&mut self, name: &str, _changes: &[Change]) {
        self.dirty |= self.configured.iter().any(|r| ColumnName::parse(r).is_some_and(|c| c.db == name));
    }

    pub fn set_dirty(&mut self) {
        self.dirty = true;
    }

    pub fn opened(&mut self, target: &str) {
        if let Some(r) = self.active.get(target) {
            r.report.n_sessions.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn closed(&mut self, target: &str) {
        if let Some(r) = self.active.get(target) {
            let n = r.report.n_sessions.load(Ordering::Relaxed);
            r.report.n_sessions.store(n.saturating_sub(1), Ordering::Relaxed);
        }
    }

    /// Receivers that end when the remotes started so far are listening (or have failed).
    pub fn take_starting(&mut self) -> Vec<oneshot::Receiver<()>> {
        std::mem::take(&mut self.starting)
    }

    fn start(&mut self, text: &str, options: Options) {
        let target = match Target::parse(text, Some(PORT)) {
            Ok(target) => target,
            Err(e) => {
                tracing::error!(target: "ovsdb_jsonrpc_server", "{text}: {e}");
                return;
            }
        };
        let report = Arc::<Report>::default();
        let (up, started) = oneshot::channel();
        let (options, watched) = watch::channel(options);
        let maker = SessionMaker {
            events: self.events.clone(),
            next: self.next_session.clone(),
            remote: text.to_owned(),
            options: watched,
            is_local: target.is_local(),
        };
        let is_passive = target.is_passive();
        let task = if is_passive {
            self.starting.push(started);
            tokio::spawn(listen(target, maker, report.clone(), up))
        } else {
            tokio::spawn(call(target, maker, report.clone()))
        };
        self.active.insert(text.to_owned(), Remote { options, report, is_passive, task });
    }
}

/// Finds the column that `db:DB,TABLE,COLUMN` names.
///
/// # Errors
/// OVS's sentence for what is missing.
pub(super) fn resolve_column<'a>(
    dbs: &'a BTreeMap<String, Db>,
    name: ColumnName<'_>,
) -> Result<(&'a Database, usize, usize), String> {
    let db = dbs.get(name.db).ok_or_else(|| format!("no database named {}", name.db))?;
    let (table, schema) =
        db.schema().lookup(name.table).ok_or_else(|| format!("no table named {}", name.table))?;
    let (column, _) = schema
        .lookup(name.column)
        .ok_or_else(|| format!("table \"{}\" has no column \"{}\"", name.table, name.column))?;
    Ok((&db.database, table, column))
}

impl Engine {
    /// What remotes there should be now.
    fn desired_remotes(&self) -> BTreeMap<String, Options> {
        let mut desired = BTreeMap::new();
        for configured in &self.remotes.configured {
            match ColumnName::parse(configured) {
                None => drop(desired.insert(configured.clone(), Options::default())),
                Some(name) => {
                    if let Err(e) = self.remotes_in_column(name, &mut desired) {
                        tracing::warn!(target: "ovsdb_server", "\"{configured}\": {e}");
                    }
                }
            }
        }
        desired
    }

    fn remotes_in_column(
        &self,
        name: ColumnName<'_>,
        desired: &mut BTreeMap<String, Options>,
    ) -> Result<(), String> {
        let (db, table, column) = resolve_column(&self.dbs, name)?;
        let schema = &db.schema().tables[table];
        for row in db.table(table).rows() {
            let value = row.column(column);
            let Some(target_table) = schema.columns[column].ty.key.strong_ref() else {
                for target in value.keys().filter_map(|a| a.as_str()) {
                    desired.entry(target.to_owned()).or_default();
                }
                continue;
            };
            let Some((t, target_schema)) = db.schema().lookup(target_table) else { continue };
            for uuid in value.keys().filter_map(crate::value::Atom::as_uuid) {
                if let Some(row) = db.lookup(t, uuid)
                    && let Some(target) = get(target_schema, row, "target").and_then(Datum::as_str)
                {
                    desired.insert(target.to_owned(), options_of(target_schema, row));
                }
            }
        }
        Ok(())
    }

    /// Starts and stops remotes until they are what is wanted.
    pub fn reconfigure_remotes(&mut self) {
        self.remotes.dirty = false;
        let desired = self.desired_remotes();
        let active = self.remotes.active.keys();
        let gone: Vec<String> = active.filter(|t| !desired.contains_key(*t)).cloned().collect();
        for target in gone {
            tracing::info!(target: "ovsdb_jsonrpc_server", "{target}: remote deconfigured");
            self.remotes.active.remove(&target);
            self.disconnect_remote(&target);
        }
        for (target, options) in desired {
            match self.remotes.active.get(&target) {
                None => self.remotes.start(&target, options),
                Some(remote) => {
                    let old = remote.options.send_replace(options.clone());
                    if (old.read_only, &old.role) != (options.read_only, &options.role) {
                        // What its sessions may do is decided when they begin.
                        self.disconnect_remote(&target);
                    }
                }
            }
        }
    }

    fn disconnect_remote(&mut self, target: &str) {
        let of = self.sessions.iter().filter(|(_, s)| s.remote == target);
        for id in of.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.disconnect(id);
        }
    }

    pub(super) fn remotes_due(&mut self, now: Instant) {
        self.tls_due();
        if self.remotes.dirty {
            self.reconfigure_remotes();
        }
        if now >= self.remotes.next_status {
            self.remotes.next_status = now + STATUS_INTERVAL;
            self.write_remote_status();
            if self.dbs.values().any(|db| db.relay.is_some()) {
                // Whether a relay counts as connected depends on the time.
                self.update_reserved();
            }
        }
    }
}

pub(super) fn get<'a>(table: &Table, row: &'a Row, column: &str) -> Option<&'a Datum> {
    table.lookup(column).map(|(i, _)| row.column(i))
}

fn options_of(table: &Table, row: &Row) -> Options {
    let ms = |column: &str| {
        get(table, row, column).and_then(Datum::as_integer).and_then(|i| u64::try_from(i).ok())
    };
    Options {
        probe_ms: ms("inactivity_probe"),
        max_backoff_ms: ms("max_backoff"),
        read_only: get(table, row, "read_only").and_then(Datum::as_bool).unwrap_or(false),
        role: get(table, row, "role").and_then(Datum::as_str).unwrap_or_default().to_owned(),
    }
}
