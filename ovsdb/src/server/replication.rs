//! Active-backup: a backup copies the databases of an active server and serves them read-only.
//!
//! ```text
//! connected -> get_server_id -> list_dbs -> get_schema of each common database
//!           -> monitor of each (initial contents replace ours in one transaction) -> updates
//! ```
//!
//! Until the active server's rows are here our own stay as they are. Where nothing can be copied
//! (no database in common, ourselves, rows that break our constraints) we go on as active, as OVS
//! does; an update that does not fit is first answered with a fresh copy.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use transport::jsonrpc::Message;

use super::copy::commit_of;
use super::engine::Engine;
use super::upstream::{Heard, Upstream, UpstreamId};
use crate::error::{Error, Result, tag};
use crate::monitor::Version;
use crate::schema::{COL_FIRST, Schema};

/// Silence of the active server, in ms, after which it is probed.
const PROBE_MS: u64 = 60_000;

/// What the command line and unixctl say, and the copying if we are a backup.
#[derive(Debug)]
pub struct Replication {
    /// The active server.
    pub active: Option<String>,
    /// `DB:TABLE` of tables that are not copied.
    excluded: BTreeSet<String>,
    probe_ms: u64,
    backup: Option<Backup>,
}

/// Where the copying stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Replicating,
}

/// A request that waits for its reply.
#[derive(Debug)]
enum Asked {
    ServerId,
    Databases,
    Schema(String),
    Monitor(String),
}

#[derive(Debug)]
struct Backup {
    remote: String,
    /// `None` if the remote cannot be read.
    upstream: Option<Upstream>,
    phase: Phase,
    asked: HashMap<u64, Asked>,
    next_id: u64,
    /// Databases copied, and which of their tables.
    dbs: BTreeMap<String, Vec<usize>>,
    /// The last update did not fit and a fresh copy is on its way.
    resyncing: bool,
}

impl Default for Replication {
    fn default() -> Self {
        Self { active: None, excluded: BTreeSet::new(), probe_ms: PROBE_MS, backup: None }
    }
}

impl Replication {
    pub fn is_backup(&self) -> bool {
        self.backup.is_some()
    }

    /// Whether that is the connection to the active server.
    pub fn is_from(&self, id: UpstreamId) -> bool {
        self.backup.as_ref().and_then(|b| b.upstream.as_ref()).is_some_and(|u| u.id == id)
    }

    /// Takes `DB:TABLE,DB:TABLE...`.
    pub fn set_excluded(&mut self, text: &str) {
        let words = text.split([',', ' ', '\t']).filter(|w| !w.is_empty());
        self.excluded = words.map(|w| if w.contains(':') { w.to_owned() } else { format!("{w}:") }).collect();
    }

    /// What [`Replication::set_excluded`] took, sorted.
    pub fn excluded(&self) -> String {
        self.excluded.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }

    pub fn set_probe_interval(&mut self, ms: u64) {
        self.probe_ms = ms;
        if let Some(upstream) = self.backup.as_ref().and_then(|b| b.upstream.as_ref()) {
            upstream.set_probe_interval(ms);
        }
    }

    /// `ovsdb-server/sync-status`.
    pub fn status(&self) -> String {
        let Some(b) = &self.backup else { return "state: active\n".to_owned() };
        let mut text = "state: backup\n".to_owned();
        match b.phase {
            Phase::Connecting => text += &format!("connecting: {}\n", b.remote),
            Phase::Replicating => {
                let dbs: Vec<_> = b.dbs.keys().map(String::as_str).collect();
                text += &format!("replicating: {}\ndatabase: {}\n", b.remote, dbs.join(", "));
                if !self.excluded.is_empty() {
                    text += &format!("exclude: {}\n", self.excluded());
                }
            }
        }
        text
    }
}

impl Backup {
    fn ask(&mut self, method: &str, params: Vec<Value>, asked: Asked) {
        if let Some(upstream) = &self.upstream {
            self.asked.insert(self.next_id, asked);
            upstream.send(Message::request(method, params, self.next_id));
            self.next_id += 1;
        }
    }

    fn begin(&mut self) {
        self.phase = Phase::Connecting;
        self.asked.clear();
        self.dbs.clear();
        self.ask("get_server_id", vec![], Asked::ServerId);
    }

    fn is_waiting_for(&self, what: fn(&Asked) -> bool) -> bool {
        self.asked.values().any(what)
    }

    fn reconnect(&self, reason: &str) {
        if let Some(upstream) = &self.upstream {
            upstream.reconnect(reason);
        }
    }
}

impl Engine {
    /// Becomes a backup of [`Replication::active`], or begins anew if we are one.
    ///
    /// # Errors
    /// There is no active server.
    pub fn connect_active(&mut self) -> std::result::Result<(), &'static str> {
        let Some(remote) = self.replication.active.clone() else {
            return Err("Unable to connect: active server is not specified.");
        };
        let started = Upstream::start(&remote, Some(self.replication.probe_ms), self.events.clone());
        let upstream = match started {
            Ok(upstream) => Some(upstream),
            Err(e) => {
                tracing::warn!(target: "replication", "{e}");
                None
            }
        };
        let phase = Phase::Connecting;
        let (asked, dbs) = (HashMap::new(), BTreeMap::new());
        let backup = Backup { remote, upstream, phase, asked, next_id: 0, dbs, resyncing: false };
        if self.replication.backup.replace(backup).is_none() {
            self.disconnect_all();
        }
        Ok(())
    }

    /// Becomes active.
    pub fn disconnect_active(&mut self) {
        if self.replication.backup.take().is_some() {
            self.disconnect_all();
        }
    }

    /// Takes `DB:TABLE,...` of tables that are not copied.
    pub fn set_excluded_tables(&mut self, text: &str) {
        self.replication.set_excluded(text);
        self.restart_replication();
    }

    /// Begins anew, if we are a backup: what is to be copied has changed.
    pub(super) fn restart_replication(&mut self) {
        if self.replication.is_backup() {
            // A backup has an active server.
            let _ = self.connect_active();
        }
    }

    pub(super) fn replication_heard(&mut self, heard: Heard) {
        let Some(b) = &mut self.replication.backup else { return };
        let done = match heard {
            Heard::Connected => {
                b.begin();
                Ok(())
            }
            Heard::Disconnected => {
                b.asked.clear();
                Ok(())
            }
            Heard::Message(Message::Notification { method, params }) if method == "update" => {
                return self.replicated_update(&params);
            }
            Heard::Message(Message::Reply { result, id }) => {
                match id.as_u64().and_then(|id| b.asked.remove(&id)) {
                    Some(Asked::ServerId) => self.replicated_server_id(&result),
                    Some(Asked::Databases) => self.replicated_databases(&result),
                    Some(Asked::Schema(db)) => self.replicated_schema(&db, &result),
                    Some(Asked::Monitor(db)) => self.replicated_contents(&db, &result),
                    None => Ok(()),
                }
            }
            Heard::Message(Message::Error { error, .. }) => {
                let error = Error::from_json(&error);
                tracing::warn!(target: "replication", "the active server refused a request: {error}");
                b.reconnect("request refused");
                Ok(())
            }
            Heard::Message(_) => Ok(()),
        };
        match done {
            Ok(()) => {}
            // Not the active server's fault, and it may pass.
            Err(e) if e.tag() == tag::IO => self.resync(&e),
            Err(e) => self.give_up(&e),
        }
    }

    fn give_up(&mut self, e: &Error) {
        tracing::error!(target: "replication", "{e}; going on as active server");
        self.disconnect_active();
    }

    fn resync(&mut self, e: &Error) {
        tracing::warn!(target: "replication", "{e}; copying anew");
        if let Some(b) = &mut self.replication.backup {
            b.resyncing = true;
            b.reconnect("copying anew");
        }
    }

    fn replicated_server_id(&mut self, id: &Value) -> Result<()> {
        if id.as_str() == Some(self.server_id.to_string().as_str()) {
            let text = "Server ID check failed: Self replicating is not allowed";
            return Err(Error::new(tag::OVSDB, text));
        }
        if let Some(b) = &mut self.replication.backup {
            b.ask("list_dbs", vec![], Asked::Databases);
        }
        Ok(())
    }

    fn replicated_databases(&mut self, theirs: &Value) -> Result<()> {
        let theirs = theirs.as_array().into_iter().flatten().filter_map(Value::as_str);
        let common: Vec<&str> = theirs
            .filter(|n| !n.starts_with('_') && self.dbs.get(*n).is_some_and(|db| db.relay.is_none()))
            .collect();
        let Some(b) = &mut self.replication.backup else { return Ok(()) };
        for name in &common {
            b.ask("get_schema", vec![json!(name)], Asked::Schema((*name).to_owned()));
        }
        if common.is_empty() { Err(nothing()) } else { Ok(()) }
    }

    fn replicated_schema(&mut self, name: &str, schema: &Value) -> Result<()> {
        let theirs = Schema::from_json(schema)?;
        let ours = self.dbs.get(name).map(|db| db.schema().clone());
        let Some(b) = &mut self.replication.backup else { return Ok(()) };
        if let Some(ours) = ours.filter(|ours| can_hold(ours, &theirs)) {
            let excluded = |table: &str| self.replication.excluded.contains(&format!("{name}:{table}"));
            let tables = theirs.tables.iter().filter(|t| !excluded(&t.name));
            let mut requests = Map::new();
            let mut followed = Vec::new();
            for table in tables {
                let columns = table.columns[COL_FIRST..].iter();
                let columns: Vec<&str> = columns.map(|c| c.name.as_str()).collect();
                requests.insert(table.name.clone(), json!({"columns": columns}));
                followed.extend(ours.lookup(&table.name).map(|(i, _)| i));
            }
            b.dbs.insert(name.to_owned(), followed);
            let params = vec![json!(name), json!(name), Value::Object(requests)];
            b.ask("monitor", params, Asked::Monitor(name.to_owned()));
        }
        let asking = b.is_waiting_for(|a| matches!(a, Asked::Schema(_)));
        if b.dbs.is_empty() && !asking { Err(nothing()) } else { Ok(()) }
    }

    fn replicated_contents(&mut self, name: &str, rows: &Value) -> Result<()> {
        tracing::info!(target: "replication", "Monitor request received. Resetting the database");
        let tables = self.replication.backup.as_ref().and_then(|b| b.dbs.get(name));
        if let (Some(tables), Some(db)) = (tables, self.dbs.get(name)) {
            let commit = commit_of(&db.database, rows, Version::V1, tables)?;
            self.commit_copied(name, commit)?;
        }
        if let Some(b) = &mut self.replication.backup
            && !b.is_waiting_for(|_| true)
        {
            b.phase = Phase::Replicating;
        }
        Ok(())
    }

    fn replicated_update(&mut self, params: &[Value]) {
        let [Value::String(name), updates] = params else { return };
        let Some(b) = &self.replication.backup else { return };
        let Some(db) = self.dbs.get(name).filter(|_| b.dbs.contains_key(name)) else { return };
        let done = commit_of(&db.database, updates, Version::V1, &[])
            .and_then(|commit| self.commit_copied(name, commit));
        let Some(b) = &mut self.replication.backup else { return };
        match done {
            Ok(()) => b.resyncing = false,
            Err(e) if b.resyncing && e.tag() != tag::IO => self.give_up(&e),
            Err(e) => self.resync(&e),
        }
    }
}

fn nothing() -> Error {
    Error::new(tag::OVSDB, "Nothing to replicate.")
}

/// Whether rows of schema `theirs` fit into `ours`.
fn can_hold(ours: &Schema, theirs: &Schema) -> bool {
    if ours.version == theirs.version {
        return true;
    }
    let name = &ours.name;
    let info = |text: String| tracing::info!(target: "replication", "{text}");
    info(format!("Schema version mismatch, checking if {name} can still be replicated or not."));
    let mut fits = true;
    for table in &theirs.tables {
        let Some((_, our_table)) = ours.lookup(&table.name) else {
            info(format!("Table {} not present in the local db schema", table.name));
            fits = false;
            continue;
        };
        for column in table.columns.iter().filter(|c| our_table.lookup(&c.name).is_none()) {
            let table = &table.name;
            info(format!("Column {} not present in the local db schema table {table}.", column.name));
            fits = false;
        }
    }
    info(format!("{name} can{} be replicated.", if fits { "" } else { "not" }));
    fits
}
