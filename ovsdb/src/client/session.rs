//! One database session, sans-IO: JSON-RPC messages in, messages and events out. It knows nothing
//! of sockets and time.
//!
//! ```text
//!  on_connected -> get_schema -> monitor_cond_since -> live
//!                                  |unknown method: monitor_cond, then monitor
//! ```
//! After a reconnect the old rows stay until the new ones are complete; only what really differs
//! becomes a change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use transport::jsonrpc::Message;

use super::interest::Interest;
use super::replica::{Changes, Replica};
use super::request::{CommitStatus, Request};
use super::update::{self, Form};
use crate::error::Error;
use crate::schema::Schema;

/// Transactions on their way at once; more are answered with `TryAgain`.
pub const TRANSACTIONS_MAX: usize = 4096;

/// Identifies a submitted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxnId(u64);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection stands; rows may be old until `Updated`.
    Connected,
    /// The initial contents arrived, or rows changed: see [`Session::take_changes`].
    Updated,
    /// A submitted transaction is over.
    Committed(TxnId, CommitStatus),
    /// The lock is ours (true), or was refused or lost.
    Lock(bool),
    /// The connection is gone, for this reason.
    Disconnected(String),
}

/// How the rows are monitored, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    CondSince,
    Cond,
    Plain,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::CondSince => "monitor_cond_since",
            Self::Cond => "monitor_cond",
            Self::Plain => "monitor",
        }
    }

    fn form(self) -> Form {
        if self == Self::Plain { Form::V1 } else { Form::V2 }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::CondSince => Some(Self::Cond),
            Self::Cond => Some(Self::Plain),
            Self::Plain => None,
        }
    }
}

/// A request that waits for its reply.
#[derive(Debug)]
enum Pending {
    Schema,
    Monitor(Method),
    Lock,
    Transact(TxnId, Request),
    /// An echo, or something nobody waits for.
    Ignored,
}

/// The session.
#[derive(Debug)]
pub struct Session {
    db: String,
    interest: Interest,
    lock: Option<String>,
    lock_owned: bool,
    connected: bool,
    /// The monitor's reply came in this connection.
    live: bool,
    schema: Option<Arc<Schema>>,
    replica: Option<Replica>,
    changes: Changes,
    last_txn: Option<String>,
    seqno: u64,
    next_id: u64,
    pending: BTreeMap<u64, Pending>,
    output: VecDeque<Message>,
    events: VecDeque<Event>,
}

impl Session {
    /// A session for the database `db`.
    pub fn new(db: &str, interest: Interest, lock: Option<String>) -> Self {
        Self {
            db: db.to_owned(),
            interest,
            lock,
            lock_owned: false,
            connected: false,
            live: false,
            schema: None,
            replica: None,
            changes: Changes::default(),
            last_txn: None,
            seqno: 0,
            next_id: 0,
            pending: BTreeMap::new(),
            output: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Takes this lock from the next connection on.
    pub fn set_lock_name(&mut self, name: &str) {
        self.lock = Some(name.to_owned());
    }

    /// A connection stands.
    pub fn on_connected(&mut self) {
        self.connected = true;
        self.events.push_back(Event::Connected);
        self.send("get_schema", vec![json!(self.db)], Pending::Schema);
        if let Some(lock) = self.lock.clone() {
            self.send("lock", vec![json!(lock)], Pending::Lock);
        }
    }

    /// The connection is gone.
    pub fn on_disconnected(&mut self, reason: &str) {
        (self.connected, self.live) = (false, false);
        self.output.clear();
        self.set_lock(false);
        for pending in std::mem::take(&mut self.pending).into_values() {
            if let Pending::Transact(id, _) = pending {
                self.events.push_back(Event::Committed(id, CommitStatus::TryAgain));
            }
        }
        self.events.push_back(Event::Disconnected(reason.to_owned()));
    }

    /// Takes a message. `Err`: the server broke the protocol; drop the connection.
    pub fn on_message(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Request { method, params, id } if method == "echo" => {
                self.output.push_back(Message::Reply { result: params.into(), id });
                Ok(())
            }
            Message::Request { method, id, .. } => {
                let error = json!({"error": "unknown method", "details": method});
                self.output.push_back(Message::Error { error, id });
                Ok(())
            }
            Message::Notification { method, params } => self.on_notification(&method, params),
            Message::Reply { result, id } => self.on_reply(&id, Ok(result)),
            Message::Error { error, id } => self.on_reply(&id, Err(error)),
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Message> {
        self.output.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends an echo request (a probe).
    pub fn probe(&mut self) {
        self.send("echo", Vec::new(), Pending::Ignored);
    }

    /// Submits a transaction. One that has no operations is over at once.
    pub fn submit(&mut self, request: Request) -> TxnId {
        let id = TxnId(self.next_id);
        let verdict = if request.ops.is_empty() {
            Some(CommitStatus::Unchanged)
        } else if !self.connected || self.pending.len() >= TRANSACTIONS_MAX {
            Some(CommitStatus::TryAgain)
        } else if self.lock.is_some() && !self.lock_owned {
            Some(CommitStatus::NotLocked)
        } else {
            None
        };
        match verdict {
            Some(status) => {
                self.next_id += 1;
                self.events.push_back(Event::Committed(id, status));
            }
            None => {
                let params = request.params(&self.db, self.lock.as_deref());
                self.send("transact", params, Pending::Transact(id, request));
            }
        }
        id
    }

    /// The rows, once the initial contents have arrived. They stay during a reconnect.
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let empty = match &self.schema {
            Some(schema) => Changes::new(schema.clone()),
            None => Changes::default(),
        };
        std::mem::replace(&mut self.changes, empty)
    }

    /// Grows with every update of the rows.
    pub fn seqno(&self) -> u64 {
        self.seqno
    }

    /// Whether the rows are those of a standing connection.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether the lock is ours (also when none was asked for).
    pub fn has_lock(&self) -> bool {
        self.lock.is_none() || self.lock_owned
    }

    fn send(&mut self, method: &str, params: Vec<Value>, pending: Pending) {
        self.output.push_back(Message::request(method, params, self.next_id));
        self.pending.insert(self.next_id, pending);
        self.next_id += 1;
    }

    fn set_lock(&mut self, owned: bool) {
        if self.lock_owned != owned {
            self.lock_owned = owned;
            self.events.push_back(Event::Lock(owned));
        }
    }

    /// One `Updated` however many messages came.
    fn updated(&mut self) {
        self.seqno += 1;
        if self.events.back() != Some(&Event::Updated) {
            self.events.push_back(Event::Updated);
        }
    }

    fn monitor(&mut self, method: Method) {
        let Some(schema) = &self.schema else { return };
        let requests = self.interest.requests(schema, method != Method::Plain);
        let mut params = vec![json!(self.db), json!(["monid", self.db]), requests];
        if method == Method::CondSince {
            let nil = "00000000-0000-0000-0000-000000000000";
            let since = self.last_txn.as_deref().filter(|_| self.replica.is_some());
            params.push(json!(since.unwrap_or(nil)));
        }
        self.send(method.name(), params, Pending::Monitor(method));
    }

    fn on_reply(&mut self, id: &Value, reply: Result<Value, Value>) -> Result<(), Error> {
        let pending = id.as_u64().and_then(|id| self.pending.remove(&id));
        match (pending, reply) {
            (Some(Pending::Schema), Ok(schema)) => self.on_schema(&schema),
            (Some(Pending::Schema), Err(error)) => Err(Error::from_json(&error)),
            (Some(Pending::Monitor(method)), Ok(reply)) => self.on_monitor(method, reply),
            (Some(Pending::Monitor(method)), Err(error)) => match method.next() {
                Some(next) if Error::from_json(&error).tag() == "unknown method" => {
                    self.monitor(next);
                    Ok(())
                }
                _ => Err(Error::from_json(&error)),
            },
            (Some(Pending::Lock), Ok(reply)) => {
                match reply.get("locked").and_then(Value::as_bool) {
                    Some(true) => self.set_lock(true),
                    _ => self.events.push_back(Event::Lock(false)),
                }
                Ok(())
            }
            (Some(Pending::Transact(id, request)), reply) => {
                let status = match reply {
                    Ok(reply) => request.outcome(&reply),
                    Err(error) => CommitStatus::Error(crate::json::to_string(&error)),
                };
                self.events.push_back(Event::Committed(id, status));
                Ok(())
            }
            (Some(Pending::Lock), Err(error)) => Err(Error::from_json(&error)),
            (Some(Pending::Ignored) | None, _) => Ok(()),
        }
    }

    fn on_schema(&mut self, schema: &Value) -> Result<(), Error> {
        let schema = Schema::from_json(schema)?;
        if self.schema.as_deref() != Some(&schema) {
            // Another schema: the old rows have no meaning in it.
            let schema = Arc::new(schema);
            self.changes = Changes::new(schema.clone());
            self.schema = Some(schema);
            self.replica = None;
            self.last_txn = None;
        }
        self.monitor(Method::CondSince);
        Ok(())
    }

    fn on_monitor(&mut self, method: Method, reply: Value) -> Result<(), Error> {
        let Some(schema) = self.schema.clone() else { return Ok(()) };
        let (found, updates) = match (method, reply) {
            (Method::CondSince, Value::Array(mut parts)) if parts.len() == 3 => {
                let updates = parts.pop().unwrap_or_default();
                self.last_txn = parts.get(1).and_then(Value::as_str).map(str::to_owned);
                (parts.first() == Some(&Value::Bool(true)), updates)
            }
            (Method::CondSince, reply) => {
                return Err(Error::syntax(&reply, "bad reply to monitor_cond_since"));
            }
            (_, reply) => (false, reply),
        };
        match &mut self.replica {
            Some(replica) if found => {
                update::apply(replica, &mut self.changes, &updates, method.form())?;
            }
            old => {
                let mut replica = Replica::new(schema.clone());
                let mut ignored = Changes::default();
                update::apply(&mut replica, &mut ignored, &updates, method.form())?;
                let none = Replica::new(schema);
                replica.since(old.as_ref().unwrap_or(&none), &mut self.changes);
                self.replica = Some(replica);
            }
        }
        self.live = true;
        self.updated();
        Ok(())
    }

    fn on_notification(&mut self, method: &str, params: Vec<Value>) -> Result<(), Error> {
        match (method, params.as_slice()) {
            ("update", [_, updates]) => self.on_update(updates, Form::V1),
            ("update2", [_, updates]) => self.on_update(updates, Form::V2),
            ("update3", [_, last, updates]) => {
                self.last_txn = last.as_str().map(str::to_owned);
                self.on_update(updates, Form::V2)
            }
            ("locked" | "stolen", [name]) => {
                if name.as_str() == self.lock.as_deref() {
                    self.set_lock(method == "locked");
                }
                Ok(())
            }
            ("monitor_canceled", _) => Err(Error::new("canceled", "the server canceled the monitor")),
            _ => Ok(()),
        }
    }

    fn on_update(&mut self, updates: &Value, form: Form) -> Result<(), Error> {
        if let Some(replica) = &mut self.replica {
            update::apply(replica, &mut self.changes, updates, form)?;
            self.updated();
        }
        Ok(())
    }
}
