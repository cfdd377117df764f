//! Remotes: where the server listens and whom it calls, from the command line, from unixctl, or
//! from a column of a database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use transport::{Listener, Stream, Target};

use super::engine::{Engine, Event, SessionId};
use super::outbox::Outbox;
use super::session::{Link, Session, serve};
use super::status::STATUS_INTERVAL;
use crate::db::{Change, Row};
use crate::schema::Table;
use crate::value::Datum;

/// The port of OVSDB.
pub const PORT: u16 = 6640;
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX_MS: u64 = 8000;
const PROBE_MS: u64 = 5000;
/// Pause after a listener failed, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a remote is to be treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub probe_ms: Option<u64>,
    pub max_backoff_ms: Option<u64>,
    pub read_only: bool,
    pub role: String,
}

/// What the tasks of a remote report.
#[derive(Debug, Default)]
pub struct Report {
    /// After `ptcp:0`.
    pub bound_port: AtomicU16,
    pub n_sessions: AtomicUsize,
}

/// One remote at work.
#[derive(Debug)]
pub struct Remote {
    options: Options,
    pub report: Arc<Report>,
    pub since: Instant,
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
        let maker = SessionMaker {
            events: self.events.clone(),
            next: self.next_session.clone(),
            remote: text.to_owned(),
            options: options.clone(),
            is_local: target.is_local(),
        };
        let task = if target.is_passive() {
            self.starting.push(started);
            tokio::spawn(listen(target, maker, report.clone(), up))
        } else {
            tokio::spawn(call(target, maker))
        };
        let remote = Remote { options, report, since: Instant::now(), task };
        self.active.insert(text.to_owned(), remote);
    }
}

/// Makes sessions of one remote.
struct SessionMaker {
    events: mpsc::Sender<Event>,
    next: Arc<AtomicU64>,
    remote: String,
    options: Options,
    is_local: bool,
}

impl SessionMaker {
    async fn make(&self, stream: &Stream) -> Option<Link> {
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::<Outbox>::default();
        let session = Box::new(Session {
            outbox: outbox.clone(),
            remote: self.remote.clone(),
            db_change_aware: false,
            read_only: self.options.read_only,
            role: self.options.role.clone(),
            locks: Default::default(),
            waits: Default::default(),
            monitors: HashMap::new(),
            locks_lost: 0,
        });
        self.events.send(Event::Opened { id, session }).await.ok()?;
        let name = if self.is_local { format!("unix#{}", id.0) } else { stream.peer() };
        let probe_ms = self.options.probe_ms.unwrap_or(if self.is_local { 0 } else { PROBE_MS });
        // As OVS: shorter than a second means a second.
        let probe_ms = if probe_ms == 0 { 0 } else { probe_ms.max(1000) };
        Some(Link { id, engine: self.events.clone(), outbox, probe_ms, name })
    }
}

async fn listen(target: Target, maker: SessionMaker, report: Arc<Report>, up: oneshot::Sender<()>) {
    let mut up = Some(up);
    let listener = loop {
        match Listener::bind(&target).await {
            Ok(listener) => break listener,
            Err(e) => {
                let text = transport::strerror(&e);
                tracing::error!(target: "ovsdb_jsonrpc_server", rl = 5, "{}: listen failed: {text}", maker.remote);
                drop(up.take());
                tokio::time::sleep(BACKOFF_MIN).await;
            }
        }
    };
    report.bound_port.store(listener.local_port().unwrap_or(0), Ordering::Relaxed);
    if let Some(up) = up {
        let _ = up.send(());
    }
    loop {
        match listener.accept().await {
            Ok(stream) => {
                let Some(link) = maker.make(&stream).await else { return };
                tokio::spawn(serve(stream, link));
            }
            Err(e) => {
                tracing::warn!(target: "stream", "{}: accept failed: {}", maker.remote, transport::strerror(&e));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn call(target: Target, maker: SessionMaker) {
    let max = Duration::from_millis(maker.options.max_backoff_ms.unwrap_or(BACKOFF_MAX_MS));
    let mut backoff = BACKOFF_MIN.min(max);
    loop {
        tracing::info!(target: "reconnect", "{}: connecting...", maker.remote);
        let connected = tokio::time::timeout(backoff, Stream::connect(&target)).await;
        match connected {
            Ok(Ok(stream)) => {
                tracing::info!(target: "reconnect", "{}: connected", maker.remote);
                let Some(link) = maker.make(&stream).await else { return };
                let begun = Instant::now();
                serve(stream, link).await;
                if begun.elapsed() > backoff {
                    backoff = BACKOFF_MIN.min(max);
                }
            }
            Ok(Err(e)) => {
                let text = transport::strerror(&e);
                tracing::info!(target: "reconnect", "{}: connection attempt failed ({text})", maker.remote);
            }
            Err(_) => {
                tracing::info!(target: "reconnect", "{}: connection attempt timed out", maker.remote);
            }
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(max);
    }
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
        let (db, table, column) = self.resolve_column(name)?;
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

    /// Finds the column that `db:DB,TABLE,COLUMN` names.
    ///
    /// # Errors
    /// OVS's sentence for what is missing.
    pub(super) fn resolve_column(
        &self,
        name: ColumnName<'_>,
    ) -> Result<(&crate::db::Database, usize, usize), String> {
        let db = self.dbs.get(name.db).ok_or_else(|| format!("no database named {}", name.db))?;
        let (table, schema) =
            db.schema().lookup(name.table).ok_or_else(|| format!("no table named {}", name.table))?;
        let (column, c) = schema
            .lookup(name.column)
            .ok_or_else(|| format!("table \"{}\" has no column \"{}\"", name.table, name.column))?;
        let is_string = c.ty.key.ty == crate::value::AtomicType::String;
        if c.ty.is_map() || !(is_string || c.ty.key.reference().is_some()) {
            return Err(format!(
                "table \"{}\" column \"{}\" is not string or set of strings",
                name.table, name.column
            ));
        }
        Ok((&db.database, table, column))
    }

    /// Starts and stops remotes until they are what is wanted.
    pub fn reconfigure_remotes(&mut self) {
        self.remotes.dirty = false;
        let desired = self.desired_remotes();
        let gone: Vec<String> = self
            .remotes
            .active
            .iter()
            .filter(|(target, r)| desired.get(*target) != Some(&r.options))
            .map(|(target, _)| target.clone())
            .collect();
        for target in gone {
            if !desired.contains_key(&target) {
                tracing::info!(target: "ovsdb_jsonrpc_server", "{target}: remote deconfigured");
            }
            self.remotes.active.remove(&target);
            let of = self.sessions.iter().filter(|(_, s)| s.remote == target);
            for id in of.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.disconnect(id);
            }
        }
        for (target, options) in desired {
            if !self.remotes.active.contains_key(&target) {
                self.remotes.start(&target, options);
            }
        }
    }

    pub(super) fn remotes_due(&mut self, now: Instant) {
        if self.remotes.dirty {
            self.reconfigure_remotes();
        }
        if now >= self.remotes.next_status {
            self.remotes.next_status = now + STATUS_INTERVAL;
            self.write_remote_status();
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
