//! The engine: every message of every session passes through here, one after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use transport::jsonrpc::Message;

use super::database::Db;
use super::outbox::{Outbox, Pacer};
use super::remote::Remotes;
use super::replication::Replication;
use super::session::Session;
use super::tls::TlsSettings;
use super::transact::{Pending, Waiting};
use super::upstream::{Heard, UpstreamId};
use crate::value::{Uuid, generate};

/// Numbers sessions in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Events that may wait for the engine.
pub const EVENTS_MAX: usize = 1024;

/// What comes to the engine.
pub enum Event {
    Opened {
        id: SessionId,
        session: Box<Session>,
    },
    Message(SessionId, Message),
    Closed(SessionId),
    /// A lagging peer has read everything.
    Drained(SessionId),
    /// News from a server that we copy.
    Upstream(UpstreamId, Heard),
    /// Something to be done between two messages.
    Call(Box<dyn FnOnce(&mut Engine) + Send>),
}

/// Counters for memory/show and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub transactions: u64,
    /// Updates that were merged because the peer did not read.
    pub merged_updates: u64,
    /// Sessions ended because too much waited for them.
    pub dropped_sessions: u64,
    pub failed_writes: u64,
}

/// The server's state.
pub struct Engine {
    pub dbs: BTreeMap<String, Db>,
    pub sessions: HashMap<SessionId, Session>,
    /// Lock -> owner, then those who wait.
    pub locks: HashMap<String, VecDeque<SessionId>>,
    pub remotes: Remotes,
    pub replication: Replication,
    pub tls: TlsSettings,
    pub server_id: Uuid,
    pub counters: Counters,
    pub pacer: Pacer,
    pub(super) events: mpsc::Sender<Event>,
    /// Transactions that are applied but neither stored nor answered.
    pub(super) pending: Vec<Pending>,
    /// Transactions with a `wait` that does not hold yet.
    pub(super) waiting: Vec<Waiting>,
    /// `monitor_cond` and its kin are unknown methods (`ovsdb-server/disable-monitor-cond`).
    pub(super) monitor_cond_disabled: bool,
    /// `DB:TABLE` of tables whose changes are logged (`ovsdb-server/tlog-set`).
    pub(super) logged_tables: BTreeSet<(String, String)>,
    /// Some database has changed since waits were last tried.
    pub(super) changed: bool,
}

impl Engine {
    pub fn new(events: mpsc::Sender<Event>) -> Self {
        let mut engine = Self {
            dbs: BTreeMap::new(),
            sessions: HashMap::new(),
            locks: HashMap::new(),
            remotes: Remotes::new(events.clone()),
            replication: Replication::default(),
            tls: TlsSettings::default(),
            events,
            server_id: generate(),
            counters: Counters::default(),
            pacer: Pacer::default(),
            pending: Vec::new(),
            waiting: Vec::new(),
            monitor_cond_disabled: false,
            logged_tables: BTreeSet::new(),
            changed: false,
        };
        engine.add_reserved();
        engine
    }

    /// Takes one event. What it leads to is complete only after [`Engine::flush`].
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Message(id, Message::Request { method, params, id: rid }) => {
                self.request(id, &method, params, rid);
            }
            Event::Message(id, Message::Notification { method, params }) => {
                self.flush();
                if method == "cancel" {
                    self.cancel(id, params.first());
                }
            }
            Event::Message(..) => {}
            Event::Opened { id, session } => {
                self.flush();
                self.remotes.opened(&session.remote);
                self.sessions.insert(id, *session);
            }
            Event::Closed(id) => {
                self.flush();
                self.close_session(id);
            }
            Event::Drained(id) => {
                self.flush();
                self.catch_up(id);
            }
            Event::Upstream(id, heard) => {
                self.flush();
                if self.replication.is_from(id) {
                    self.replication_heard(heard);
                } else {
                    self.relay_heard(id, heard);
                }
            }
            Event::Call(f) => {
                self.flush();
                f(self);
            }
        }
    }

    /// Stores, announces and answers everything that is pending, and what that sets free.
    pub fn flush(&mut self) {
        while !self.pending.is_empty() || self.changed {
            self.commit_pending();
            if std::mem::take(&mut self.changed) {
                self.retry_waiting(false);
            }
        }
    }

    /// Does what is due by time.
    pub fn run_timers(&mut self, now: Instant) {
        if self.waiting.iter().any(|w| w.deadline().is_some_and(|d| d <= now)) {
            self.retry_waiting(true);
            self.flush();
        }
        self.compact_due(now);
        self.remotes_due(now);
    }

    /// When [`Engine::run_timers`] has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        let waits = self.waiting.iter().filter_map(Waiting::deadline).min();
        let others = [self.compact_deadline(), Some(self.remotes.next_status)];
        others.into_iter().flatten().chain(waits).min()
    }

    pub fn outbox(&self, id: SessionId) -> Option<&Arc<Outbox>> {
        self.sessions.get(&id).map(|s| &s.outbox)
    }

    /// The most bytes that wait for any one peer.
    pub fn backlog_max(&self) -> usize {
        self.sessions.values().map(|s| s.outbox.len()).max().unwrap_or(0)
    }

    /// Sends one message to a session at once.
    pub(super) fn send(&self, id: SessionId, parts: &[&str]) {
        if let Some(outbox) = self.outbox(id) {
            outbox.push(parts);
            outbox.wake();
        }
    }

    /// Ends a session from our side.
    pub fn disconnect(&mut self, id: SessionId) {
        if let Some(outbox) = self.outbox(id) {
            outbox.close();
        }
        self.close_session(id);
    }

    fn close_session(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let monitors = std::mem::take(&mut session.monitors);
        let locks: Vec<String> = session.locks.iter().chain(&session.waits).cloned().collect();
        for (monitor, (db, group)) in monitors {
            self.leave_group(id, &monitor, &db, &group);
        }
        for lock in locks {
            self.release_lock(id, &lock);
        }
        self.waiting.retain(|w| w.session != id);
        if let Some(session) = self.sessions.remove(&id) {
            self.remotes.closed(&session.remote);
        }
    }

    /// Whether the session may change nothing: its remote is read-only, or we are a backup.
    pub(super) fn is_read_only(&self, id: SessionId) -> bool {
        self.replication.is_backup() || self.sessions.get(&id).is_some_and(|s| s.read_only)
    }

    /// Ends all sessions; their peers come back.
    pub fn disconnect_all(&mut self) {
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.disconnect(id);
        }
    }

    /// Ends sessions that did not ask to be told of what happened to the set of databases.
    pub fn disconnect_unaware(&mut self) {
        let unaware = self.sessions.iter().filter(|(_, s)| !s.db_change_aware);
        let ids: Vec<_> = unaware.map(|(id, _)| *id).collect();
        for id in ids {
            self.disconnect(id);
        }
    }
}
