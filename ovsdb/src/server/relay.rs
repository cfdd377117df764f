//! Relays: a database that another server has. Its rows are copied and followed here and serve
//! reads and monitors; transactions that write go there, and their replies come back.
//!
//! ```text
//! connected -> get_schema -> monitor_cond_since -> update3 ... : commits of our own
//! transact (writes) -> upstream; the update comes before the reply, as the client expects it
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use transport::jsonrpc::Message;

use super::copy::commit_of;
use super::database::Db;
use super::engine::{Engine, SessionId};
use super::upstream::{Heard, Upstream, UpstreamId};
use crate::db::Database;
use crate::error::{Error, Result, tag};
use crate::monitor::{History, Version};
use crate::schema::{COL_FIRST, Schema};
use crate::txn::{self, Context, Outcome, Rbac};

/// Transactions that may wait for one source.
pub const FORWARDED_MAX: usize = 4096;
/// How long a relay that lost its source still counts as connected, as in OVS.
const GRACE: Duration = Duration::from_secs(30);
/// Begins the name of a relay where otherwise a file is named.
pub const PREFIX: &str = "relay:";

/// Stands for "nothing seen yet".
const NO_TXN: &str = "00000000-0000-0000-0000-000000000000";

/// A request that waits for its reply.
#[derive(Debug)]
enum Asked {
    Schema,
    Monitor,
    Transact { session: SessionId, id: Value },
}

/// The other end of a relayed database.
#[derive(Debug)]
pub struct Relay {
    upstream: Upstream,
    asked: HashMap<u64, Asked>,
    next_id: u64,
    /// Transactions that came while there was no connection.
    queued: VecDeque<(SessionId, Value, Vec<Value>)>,
    is_up: bool,
    lost: Instant,
    /// There are rows to serve.
    pub has_rows: bool,
    last_txn: Option<Value>,
}

impl Relay {
    /// Whether our rows are those of the source, or were a moment ago.
    pub fn is_connected(&self) -> bool {
        self.has_rows && (self.is_up || self.lost.elapsed() < GRACE)
    }

    /// Whether the source can be asked.
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    fn ask(&mut self, method: &str, params: Vec<Value>, asked: Asked) {
        self.asked.insert(self.next_id, asked);
        self.upstream.send(Message::request(method, params, self.next_id));
        self.next_id += 1;
    }

    fn forward(&mut self, session: SessionId, id: Value, params: Vec<Value>) {
        self.ask("transact", params, Asked::Transact { session, id });
    }

    /// Asks the source to end what a session no longer wants; its reply tells.
    pub fn cancel(&mut self, session: SessionId, id: &Value) -> bool {
        let found = self.asked.iter().find(|(_, a)| match a {
            Asked::Transact { session: s, id: i } => *s == session && i == id,
            Asked::Schema | Asked::Monitor => false,
        });
        let Some((&theirs, _)) = found else { return false };
        self.upstream.send(Message::notification("cancel", vec![theirs.into()]));
        true
    }
}

/// Whether a `transact` may change something.
fn writes(params: &[Value]) -> bool {
    let op = |o: &Value| o.get("op").and_then(Value::as_str).map(str::to_owned);
    let mut ops = params.iter().skip(1).filter_map(op);
    ops.any(|op| matches!(op.as_str(), "insert" | "update" | "mutate" | "delete"))
}

impl Engine {
    /// Serves `relay:DB:REMOTE[,REMOTE...]`; gives the database's name.
    ///
    /// # Errors
    /// That is no such text, or the database is served already.
    pub fn open_relay(&mut self, text: &str) -> Result<String> {
        let bad = || Error::new(tag::OVSDB, format!("{text}: invalid syntax"));
        let rest = text.strip_prefix(PREFIX).ok_or_else(bad)?;
        let (name, remotes) = rest.split_once(':').filter(|(n, _)| crate::json::is_id(n)).ok_or_else(bad)?;
        if self.dbs.contains_key(name) {
            return Err(Error::new(tag::OVSDB, format!("{name}: duplicate database name")));
        }
        let started = Upstream::start(remotes, None, self.events.clone());
        let upstream = started.map_err(|e| Error::new(tag::OVSDB, e.to_string()))?;
        let relay = Relay {
            upstream,
            asked: HashMap::new(),
            next_id: 0,
            queued: VecDeque::new(),
            is_up: false,
            lost: Instant::now(),
            has_rows: false,
            last_txn: None,
        };
        // Until the source tells its schema.
        let schema = Schema::from_json(&json!({"name": name, "tables": {}}))?;
        let mut db = Db::in_memory(Arc::new(schema));
        db.relay = Some(relay);
        self.dbs.insert(name.to_owned(), db);
        self.update_reserved();
        Ok(name.to_owned())
    }

    fn relay(&mut self, name: &str) -> Option<&mut Relay> {
        self.dbs.get_mut(name)?.relay.as_mut()
    }

    /// Takes a transaction on a relayed database that is to be run at its source; gives the
    /// others back.
    pub(super) fn forward(
        &mut self,
        session: SessionId,
        params: Vec<Value>,
        id: Value,
    ) -> std::result::Result<(), (Vec<Value>, Value)> {
        let read_only = self.is_read_only(session);
        let name = params.first().and_then(Value::as_str).unwrap_or_default();
        if read_only || !writes(&params) || self.dbs.get(name).is_none_or(|db| db.relay.is_none()) {
            return Err((params, id));
        }
        // The source does not know for whom we ask: our own rows tell what the role allows.
        if let Some(denial) = self.denial(session, name, &params) {
            self.reply(session, &id, &denial);
            return Ok(());
        }
        let Some(relay) = self.dbs.get_mut(name).and_then(|db| db.relay.as_mut()) else {
            return Err((params, id));
        };
        if relay.asked.len() + relay.queued.len() >= FORWARDED_MAX {
            let e = Error::new("resources exhausted", "too many transactions wait for the relay's source");
            self.reply_error(session, &id, &e.to_json());
        } else if relay.is_up {
            relay.forward(session, id, params);
        } else {
            relay.queued.push_back((session, id, params));
        }
        Ok(())
    }

    /// The reply to a transaction that the session's role forbids.
    fn denial(&self, session: SessionId, name: &str, params: &[Value]) -> Option<String> {
        let (s, db) = (self.sessions.get(&session)?, self.dbs.get(name)?);
        let rbac = Rbac::new(&db.database, &s.role, s.client.as_deref())?;
        let context = Context { locks: Some(&s.locks), rbac: Some(&rbac), ..Context::default() };
        let Outcome::Done { reply, .. } = txn::run(&db.database, params, &context) else { return None };
        let results: Vec<Value> = serde_json::from_str(&reply).unwrap_or_default();
        results.iter().any(|r| r.get("error").is_some_and(|e| e == tag::PERMISSION)).then_some(reply)
    }

    pub(super) fn relay_heard(&mut self, upstream: UpstreamId, heard: Heard) {
        let of = |db: &Db| db.relay.as_ref().is_some_and(|r| r.upstream.id == upstream);
        let Some(name) = self.dbs.iter().find(|(_, db)| of(db)).map(|(n, _)| n.clone()) else { return };
        let done = match heard {
            Heard::Connected => {
                if let Some(relay) = self.relay(&name) {
                    relay.ask("get_schema", vec![json!(name)], Asked::Schema);
                }
                Ok(())
            }
            Heard::Disconnected => {
                self.relay_lost(&name);
                Ok(())
            }
            Heard::Message(message) => self.relay_message(&name, message),
        };
        if let Err(e) = done {
            tracing::warn!(target: "relay", "{name}: {e}; copying anew");
            if let Some(relay) = self.relay(&name) {
                relay.last_txn = None;
                relay.upstream.reconnect("copying anew");
            }
        }
    }

    /// Nobody knows what became of transactions on their way: their sessions find out by
    /// connecting again.
    fn relay_lost(&mut self, name: &str) {
        let Some(relay) = self.relay(name) else { return };
        if std::mem::take(&mut relay.is_up) {
            relay.lost = Instant::now();
        }
        let asked = std::mem::take(&mut relay.asked).into_values();
        let sessions = asked.filter_map(|a| match a {
            Asked::Transact { session, .. } => Some(session),
            Asked::Schema | Asked::Monitor => None,
        });
        for session in sessions.collect::<Vec<_>>() {
            self.disconnect(session);
        }
    }

    fn relay_message(&mut self, name: &str, message: Message) -> Result<()> {
        let (id, reply) = match message {
            Message::Notification { method, params } => {
                return match (method.as_str(), &params[..]) {
                    ("update3", [_, last, updates]) => self.relay_rows(name, updates, last.clone(), false),
                    ("monitor_canceled", _) => Err(Error::bare("the source has another schema")),
                    _ => Ok(()),
                };
            }
            Message::Reply { result, id } => (id, Ok(result)),
            Message::Error { error, id } => (id, Err(error)),
            Message::Request { .. } => return Ok(()),
        };
        let Some(relay) = self.relay(name) else { return Ok(()) };
        let asked = id.as_u64().and_then(|id| relay.asked.remove(&id));
        match (asked, reply) {
            (Some(Asked::Transact { session, id }), Ok(result)) => {
                self.reply(session, &id, &crate::json::to_string(&result));
            }
            (Some(Asked::Transact { session, id }), Err(error)) => self.reply_error(session, &id, &error),
            (Some(Asked::Schema), Ok(schema)) => return self.relay_schema(name, &schema),
            (Some(Asked::Monitor), Ok(Value::Array(mut parts))) if parts.len() == 3 => {
                let (rows, last) = (parts.pop().unwrap_or_default(), parts.pop().unwrap_or_default());
                let whole = parts.first() != Some(&Value::Bool(true));
                self.relay_rows(name, &rows, last, whole)?;
                self.relay_up(name);
            }
            (Some(Asked::Monitor), Ok(other)) => return Err(Error::syntax(&other, "bad monitor reply")),
            (Some(Asked::Schema | Asked::Monitor), Err(error)) => return Err(Error::from_json(&error)),
            (None, _) => {}
        }
        Ok(())
    }

    fn relay_schema(&mut self, name: &str, json: &Value) -> Result<()> {
        let schema = Schema::from_json(json)?;
        let Some(db) = self.dbs.get_mut(name) else { return Ok(()) };
        if **db.schema() != schema {
            db.database = Database::new(Arc::new(schema));
            db.history = History::default();
            if let Some(relay) = &mut db.relay {
                (relay.has_rows, relay.last_txn) = (false, None);
            }
            self.cancel_waits_on(name);
            self.cancel_monitors_of(name);
            self.disconnect_unaware();
            self.update_reserved();
        }
        let Some(db) = self.dbs.get_mut(name) else { return Ok(()) };
        let mut requests = Map::new();
        for table in &db.database.schema().tables {
            let columns = table.columns[COL_FIRST..].iter();
            let columns: Vec<&str> = columns.map(|c| c.name.as_str()).collect();
            requests.insert(table.name.clone(), json!([{"columns": columns}]));
        }
        if let Some(relay) = &mut db.relay {
            let last = relay.last_txn.clone().unwrap_or_else(|| NO_TXN.into());
            let params = vec![json!(name), json!(name), Value::Object(requests), last];
            relay.ask("monitor_cond_since", params, Asked::Monitor);
        }
        Ok(())
    }

    fn relay_rows(&mut self, name: &str, rows: &Value, last: Value, whole: bool) -> Result<()> {
        let Some(db) = self.dbs.get(name) else { return Ok(()) };
        let n_tables = db.schema().tables.len();
        let all: Vec<usize> = if whole { (0..n_tables).collect() } else { vec![] };
        let commit = commit_of(&db.database, rows, Version::V2, &all)?;
        self.commit_copied(name, commit)?;
        if let Some(relay) = self.relay(name) {
            relay.last_txn = Some(last);
        }
        Ok(())
    }

    fn relay_up(&mut self, name: &str) {
        let Some(relay) = self.relay(name) else { return };
        relay.is_up = true;
        relay.has_rows = true;
        for (session, id, params) in std::mem::take(&mut relay.queued) {
            relay.forward(session, id, params);
        }
        self.update_reserved();
    }
}
