//! Starting a server, and talking to its engine from elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::database::Db;
use super::engine::{EVENTS_MAX, Engine, Event};
use super::relay;
use super::tls::{TlsOptions, TlsSettings};
use crate::error::{Error, Result, tag};
use crate::storage::{Mode, open};

/// Events handled before what they lead to is stored: the size of a group commit.
const BATCH_LEN_MAX: usize = 256;

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Database files, and `relay:DB:REMOTE`.
    pub files: Vec<PathBuf>,
    /// Targets and `db:DB,TABLE,COLUMN`.
    pub remotes: Vec<String>,
    /// Writes whole columns instead of differences.
    pub disable_diff: bool,
    /// Key and certificates.
    pub tls: TlsOptions,
    /// The active server to copy from (`--sync-from`).
    pub sync_from: Option<String>,
    /// `DB:TABLE,...` of tables that are not copied (`--sync-exclude-tables`).
    pub sync_exclude: String,
    /// Start as active although there is `sync_from` (`--active`).
    pub active: bool,
}

/// Talks to a running engine. Clones talk to the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    events: mpsc::Sender<Event>,
}

impl Handle {
    /// Runs `f` in the engine and waits. Not to be called on the engine's own thread.
    ///
    /// # Errors
    /// The engine is gone.
    pub fn call<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Engine) -> R + Send + 'static,
    ) -> std::result::Result<R, String> {
        let (tx, rx) = std::sync::mpsc::channel();
        let call = Event::Call(Box::new(move |engine| drop(tx.send(f(engine)))));
        let gone = |_| "server is shutting down".to_owned();
        self.events.blocking_send(call).map_err(|_| "server is shutting down".to_owned())?;
        rx.recv().map_err(gone)
    }

    /// As [`Handle::call`], from a task.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn call_async<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Engine) -> R + Send + 'static,
    ) -> std::result::Result<R, String> {
        let (tx, rx) = tokio::sync::oneshot::channel();
        let call = Event::Call(Box::new(move |engine| drop(tx.send(f(engine)))));
        let gone = || "server is shutting down".to_owned();
        self.events.send(call).await.map_err(|_| gone())?;
        rx.await.map_err(|_| gone())
    }
}

/// Opens the databases, starts the engine on the current runtime, and returns when the remotes
/// are listening.
///
/// # Errors
/// A database cannot be opened.
pub async fn start(config: Config) -> Result<Handle> {
    let (events, queue) = mpsc::channel(EVENTS_MAX);
    let mut engine = Engine::new(events.clone());
    for file in &config.files {
        engine.open_database(file, !config.disable_diff)?;
    }
    engine.replication.active = config.sync_from;
    engine.replication.set_excluded(&config.sync_exclude);
    if engine.replication.active.is_some() && !config.active {
        // There is an active server.
        let _ = engine.connect_active();
    }
    engine.tls = TlsSettings::new(config.tls);
    engine.tls_due();
    engine.remotes.configured = config.remotes;
    engine.reconfigure_remotes();
    let starting = engine.remotes.take_starting();
    tokio::spawn(engine.pacer.clone().run());
    tokio::spawn(run(engine, queue));
    for remote in starting {
        let _ = remote.await;
    }
    Ok(Handle { events })
}

async fn run(mut engine: Engine, mut queue: mpsc::Receiver<Event>) {
    let mut batch = Vec::with_capacity(BATCH_LEN_MAX);
    loop {
        let received = match engine.deadline() {
            None => queue.recv_many(&mut batch, BATCH_LEN_MAX).await,
            Some(at) => {
                let received = queue.recv_many(&mut batch, BATCH_LEN_MAX);
                match tokio::time::timeout_at(at.into(), received).await {
                    Ok(0) => return,
                    Ok(n) => n,
                    Err(_) => 0,
                }
            }
        };
        let _ = received;
        for event in batch.drain(..) {
            engine.handle(event);
        }
        engine.flush();
        engine.run_timers(Instant::now());
    }
}

impl Engine {
    /// Opens a database file and serves it; gives its name.
    ///
    /// # Errors
    /// It cannot be opened, or a database of that name or file is served already.
    pub fn open_database(&mut self, path: &Path, diff: bool) -> Result<String> {
        if let Some(text) = path.to_str().filter(|t| t.starts_with(relay::PREFIX)) {
            return self.open_relay(text);
        }
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.dbs.values().any(|db| db.path.as_ref() == Some(&real)) {
            return Err(Error::new(tag::OVSDB, format!("{}: already open", path.display())));
        }
        let opened = open(path, Mode::ReadWrite, None)?;
        if let Some(damage) = &opened.damage {
            tracing::error!(target: "ovsdb_server", "{damage}");
        }
        let name = opened.db.schema().name.clone();
        if self.dbs.contains_key(&name) {
            return Err(Error::new(tag::OVSDB, format!("{name}: duplicate database name")));
        }
        let mut db = Db::from_file(opened, real);
        db.diff = diff;
        self.dbs.insert(name.clone(), db);
        self.remotes.set_dirty();
        self.update_reserved();
        Ok(name)
    }

    /// Stops serving a database.
    ///
    /// # Errors
    /// There is no such database, or it is a reserved one.
    pub fn remove_database(&mut self, name: &str) -> std::result::Result<(), String> {
        if !self.dbs.contains_key(name) {
            return Err("Failed to find the database.".into());
        }
        if name.starts_with('_') {
            return Err("Cannot remove reserved database.".into());
        }
        self.cancel_waits_on(name);
        self.cancel_monitors_of(name);
        if let Some(mut db) = self.dbs.remove(name)
            && let (Some(c), Some(file)) = (db.compaction.take(), &mut db.file)
        {
            let _ = c.finish(file);
        }
        self.remotes.set_dirty();
        self.update_reserved();
        self.disconnect_unaware();
        Ok(())
    }

    /// The schemas served, by name; for `Arc`-sharing readers.
    pub fn schemas(&self) -> Vec<Arc<crate::schema::Schema>> {
        self.dbs.values().map(|db| db.schema().clone()).collect()
    }
}
