//! `transact` in the server: running, group commit, waiting, cancelling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::compact;
use super::engine::{Engine, SessionId};
use crate::db::Database;
use crate::error::{Error, Result, tag};
use crate::json;
use crate::storage::{Compaction, File, encode_commit, frame};
use crate::txn::{self, Authorize, Commit, Context, Outcome, Rbac};

/// A transaction that ran and waits to be stored and answered.
#[derive(Debug)]
pub struct Pending {
    session: SessionId,
    id: Value,
    params: Vec<Value>,
    reply: String,
    commit: Option<Commit>,
    received: Instant,
}

impl Pending {
    fn db(&self) -> &str {
        self.params.first().and_then(Value::as_str).unwrap_or_default()
    }
}

/// A transaction whose `wait` does not hold.
#[derive(Debug)]
pub struct Waiting {
    pub session: SessionId,
    id: Value,
    params: Vec<Value>,
    received: Instant,
    timeout_ms: u64,
}

impl Waiting {
    /// When it gives up.
    pub fn deadline(&self) -> Option<Instant> {
        self.received.checked_add(Duration::from_millis(self.timeout_ms))
    }
}

impl Engine {
    /// Takes a `transact` request.
    pub(super) fn transact(&mut self, session: SessionId, params: Vec<Value>, id: Value) {
        if let Err(e) = self.database_of("transact", &params) {
            self.flush();
            return self.reply_error(session, &id, &e.to_json());
        }
        if self.waiting.iter().any(|w| w.session == session && w.id == id) {
            let e = Error::syntax(&params.into(), "transact: duplicate request ID");
            return self.reply_error(session, &id, &e.to_json());
        }
        self.counters.transactions += 1;
        let (params, id) = match self.forward(session, params, id) {
            Ok(()) => return,
            Err(local) => local,
        };
        self.run(session, params, id, Instant::now());
    }

    fn run(&mut self, session: SessionId, params: Vec<Value>, id: Value, received: Instant) {
        let read_only = self.is_read_only(session);
        let Some(s) = self.sessions.get(&session) else { return };
        let name = params.first().and_then(Value::as_str).unwrap_or_default();
        let Some(db) = self.dbs.get_mut(name) else { return };
        let elapsed_ms = received.elapsed().as_millis() as u64;
        let rbac = Rbac::new(&db.database, &s.role, s.client.as_deref());
        let rbac = rbac.as_ref().map(|r| r as &dyn Authorize);
        let context = Context { locks: Some(&s.locks), read_only, elapsed_ms, rbac };
        match txn::run(&db.database, &params, &context) {
            Outcome::Done { reply, commit } => {
                if let Some(c) = &commit {
                    db.database.apply(&c.changes);
                }
                self.pending.push(Pending { session, id, params, reply, commit, received });
            }
            Outcome::Wait { timeout_ms } => {
                self.waiting.push(Waiting { session, id, params, received, timeout_ms });
            }
        }
    }

    /// Tries waiting transactions again: those of changed databases, or those whose time is up.
    pub(super) fn retry_waiting(&mut self, due_only: bool) {
        let now = Instant::now();
        let all = std::mem::take(&mut self.waiting);
        let (tried, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|w| !due_only || w.deadline().is_some_and(|d| d <= now));
        self.waiting = rest;
        for w in tried {
            self.run(w.session, w.params, w.id, w.received);
        }
    }

    /// The `cancel` notification.
    pub(super) fn cancel(&mut self, session: SessionId, id: Option<&Value>) {
        let Some(id) = id else { return };
        if let Some(at) = self.waiting.iter().position(|w| w.session == session && &w.id == id) {
            let w = self.waiting.swap_remove(at);
            self.reply_error(session, &w.id, &"canceled".into());
        } else {
            // Perhaps it is on its way to the source of a relay.
            let mut relays = self.dbs.values_mut().filter_map(|db| db.relay.as_mut());
            let _ = relays.any(|r| r.cancel(session, id));
        }
    }

    /// Ends all waits on a database that goes away or changes its schema.
    pub(super) fn cancel_waits_on(&mut self, name: &str) {
        let of = |w: &Waiting| w.params.first().and_then(Value::as_str) == Some(name);
        let (gone, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(of);
        self.waiting = rest;
        for w in gone {
            self.reply_error(w.session, &w.id, &"canceled".into());
        }
    }

    /// Stores what is pending with one write for each database; then announces and answers.
    pub(super) fn commit_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let mut failed = Vec::new();
        let names: Vec<String> = self.dbs.keys().cloned().collect();
        for name in &names {
            let ours = pending.iter().filter(|p| p.db() == name);
            let commits: Vec<_> = ours.filter_map(|p| p.commit.as_ref()).collect();
            if let Err(e) = self.store(name, &commits) {
                tracing::error!(target: "ovsdb_server", "{e}");
                failed.push(name.as_str());
            }
        }
        for p in pending {
            let name = p.db().to_owned();
            if failed.contains(&name.as_str()) {
                self.store_alone(&name, p);
            } else {
                self.complete(&name, p.session, &p.id, &p.reply, p.commit);
            }
        }
    }

    /// Writes commits that are applied to one database. If that fails, they are undone in memory.
    fn store(&mut self, name: &str, commits: &[&Commit]) -> Result<()> {
        let Some(db) = self.dbs.get_mut(name) else { return Ok(()) };
        let Some(file) = &mut db.file else { return Ok(()) };
        let mut records = String::new();
        let mut n_records = 0;
        for c in commits {
            if let Some(record) = encode_commit(db.database.schema(), c, db.diff) {
                frame(&record, &mut records);
                n_records += 1;
            }
        }
        let durable = commits.iter().any(|c| c.durable);
        let done = if file.log.is_suspect() && !commits.is_empty() {
            // The commits are applied already, and so a part of the new file.
            rewrite(file, db.compaction.take(), &db.database)
        } else {
            append(file, &records, durable).map(|()| file.n_records += n_records)
        };
        match done {
            Ok(()) => {}
            Err(_) => {
                self.counters.failed_writes += 1;
                for c in commits.iter().rev() {
                    db.database.revert(&c.changes);
                }
            }
        }
        done
    }

    /// Applies, stores and announces a commit that no session asked for.
    ///
    /// # Errors
    /// It could not be stored; nothing happened.
    pub(super) fn commit_copied(&mut self, name: &str, commit: Commit) -> Result<()> {
        self.flush();
        let Some(db) = self.dbs.get_mut(name) else { return Ok(()) };
        if commit.changes.is_empty() {
            return Ok(());
        }
        db.database.apply(&commit.changes);
        self.store(name, &[&commit])?;
        self.announce(name, Arc::from(commit.changes), None);
        self.flush();
        Ok(())
    }

    /// Runs and stores one transaction of a batch that could not be stored as a whole.
    fn store_alone(&mut self, name: &str, p: Pending) {
        let before = self.pending.len();
        self.run(p.session, p.params, p.id, p.received);
        if self.pending.len() == before {
            return;
        }
        let Some(p) = self.pending.pop() else { return };
        let commits: Vec<_> = p.commit.iter().collect();
        match self.store(name, &commits) {
            Ok(()) => self.complete(name, p.session, &p.id, &p.reply, p.commit),
            Err(e) => {
                let reply = with_error(&p.reply, &e);
                self.reply(p.session, &p.id, &reply);
            }
        }
    }

    fn complete(&mut self, name: &str, session: SessionId, id: &Value, reply: &str, commit: Option<Commit>) {
        if let Some(c) = commit.filter(|c| !c.changes.is_empty()) {
            self.announce(name, Arc::from(c.changes), Some(session));
        }
        self.reply(session, id, reply);
    }
}

fn append(file: &mut File, records: &str, durable: bool) -> Result<()> {
    let before = file.log.len();
    if !records.is_empty() {
        file.log.append(records.as_bytes())?;
    }
    if durable && let Err(e) = file.log.sync() {
        // What may not be on the disk must not come back after it was refused.
        file.log.take_back(before);
        return Err(e);
    }
    Ok(())
}

/// Writes the database to a new file, since the present one cannot be trusted.
fn rewrite(file: &mut File, running: Option<Compaction>, db: &Database) -> Result<()> {
    if let Some(running) = running {
        running.cancel();
    }
    Compaction::start(file, db.snapshot(), compact::COMMENT).finish(file)
}

/// `reply` with one more element: the error that came at commit.
fn with_error(reply: &str, e: &Error) -> String {
    let body = reply.strip_suffix(']').unwrap_or(reply);
    let comma = if body == "[" { "" } else { "," };
    let e = if e.tag() == tag::IO { e.to_json() } else { Error::new(tag::IO, e.to_string()).to_json() };
    format!("{body}{comma}{}]", json::to_string(&e))
}
