//! Monitors in the server: groups of equal ones, announcing, lagging peers.

use std::sync::Arc;

use serde_json::Value;

use super::database::{Db, Group, Member};
use super::engine::{Engine, SessionId};
use crate::db::{Change, Database};
use crate::error::{Error, Result, tag};
use crate::json;
use crate::monitor::history::{Before, note};
use crate::monitor::update::{RowChange, write_changes, write_condition_change, write_initial};
use crate::monitor::{Spec, Version};
use crate::value::{Uuid, parse_uuid};

/// Rows that may wait, merged, for one monitor whose peer does not read.
pub const LAG_ROWS_MAX: usize = 1 << 20;

/// The three kinds of monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Cond,
    CondSince,
}

fn rows_of(changes: &[Change]) -> impl Iterator<Item = RowChange<'_>> + Clone {
    changes.iter().map(|c| RowChange {
        table: c.table,
        uuid: c.uuid,
        old: c.old.as_ref(),
        new: c.new.as_ref(),
    })
}

/// Appends what happened since `before` as one update; false if nothing shows.
fn write_since(spec: &Spec, db: &Database, before: &Before, out: &mut String) -> bool {
    let rows = before.iter().map(|(&(table, uuid), old)| RowChange {
        table,
        uuid,
        old: old.as_ref(),
        new: db.lookup(table, uuid),
    });
    write_changes(spec, db.schema(), rows, out)
}

impl Member {
    /// The notification around `body`.
    fn parts<'a>(&'a self, version: Version, txn_id: &'a str, body: &'a str) -> [&'a str; 6] {
        let head = match (version, self.since) {
            (Version::V1, _) => "{\"id\":null,\"method\":\"update\",\"params\":[",
            (Version::V2, false) => "{\"id\":null,\"method\":\"update2\",\"params\":[",
            (Version::V2, true) => "{\"id\":null,\"method\":\"update3\",\"params\":[",
        };
        if self.since {
            [head, &self.id, txn_id, body, "]}", ""]
        } else {
            [head, &self.id, ",", body, "]}", ""]
        }
    }
}

fn txn_id_text(id: Uuid) -> String {
    format!(",\"{id}\",")
}

impl Engine {
    /// `monitor`, `monitor_cond`, `monitor_cond_since`: the result as JSON text.
    pub(super) fn monitor(
        &mut self,
        session: SessionId,
        method: &str,
        kind: Kind,
        params: &[Value],
    ) -> Result<String> {
        let name = self.database_of(method, params)?.to_owned();
        let n_params = if kind == Kind::CondSince { 4 } else { 3 };
        if params.len() != n_params {
            return Err(Error::syntax(&params.into(), "invalid parameters"));
        }
        let id = json::to_string(&params[1]);
        if self.sessions.get(&session).is_none_or(|s| s.monitors.contains_key(&id)) {
            return Err(Error::syntax(&params[1], "duplicate monitor ID"));
        }
        let version = if kind == Kind::Plain { Version::V1 } else { Version::V2 };
        let Some(db) = self.dbs.get_mut(&name) else { return Err(Error::bare(tag::INTERNAL)) };
        let since = match kind {
            Kind::CondSince => Some(parse_last_id(&params[3])?),
            _ => None,
        };
        let spec = Spec::from_json(db.schema(), &params[2], version)?;
        let mut out = String::new();
        match since {
            None => write_initial(&spec, &db.database, &mut out),
            Some(last) => write_since_reply(db, &spec, last, &mut out),
        }
        let key = spec.key();
        let member = Member { session, id: id.clone(), since: since.is_some(), lag: None };
        db.join(key.clone(), spec, member);
        if let Some(s) = self.sessions.get_mut(&session) {
            s.monitors.insert(id, (name, key));
        }
        Ok(out)
    }

    /// `monitor_cond_change`.
    pub(super) fn monitor_cond_change(&mut self, session: SessionId, params: &[Value]) -> Result<String> {
        let [old_id, new_id, changes] = params else {
            return Err(Error::syntax(&params.into(), "invalid parameters"));
        };
        let (old_text, new_text) = (json::to_string(old_id), json::to_string(new_id));
        let Some(s) = self.sessions.get(&session) else { return Err(Error::bare(tag::INTERNAL)) };
        let Some((name, key)) = s.monitors.get(&old_text).cloned() else {
            return Err(Error::syntax(old_id, "unknown monitor session"));
        };
        if old_text != new_text && s.monitors.contains_key(&new_text) {
            return Err(Error::syntax(new_id, "duplicate monitor ID"));
        }
        // What the peer has not seen yet must be seen under the old conditions.
        self.force_catch_up(session);
        let Some(db) = self.dbs.get_mut(&name) else { return Err(Error::bare(tag::INTERNAL)) };
        let Some(old_spec) = db.groups.get(&key).map(|g| g.spec.clone()) else {
            return Err(Error::bare(tag::INTERNAL));
        };
        let new_spec = old_spec.with_conditions(db.schema(), changes)?;
        let mut body = String::new();
        let shows = write_condition_change(&old_spec, &new_spec, &db.database, &mut body);
        let Some(mut member) = db.leave(session, &old_text, &key) else {
            return Err(Error::bare(tag::INTERNAL));
        };
        member.id = new_text.clone();
        let new_key = new_spec.key();
        if shows && let Some(s) = self.sessions.get(&session) {
            let txn_id = txn_id_text(db.history.last());
            s.outbox.push(&member.parts(new_spec.version, &txn_id, &body));
        }
        db.join(new_key.clone(), new_spec, member);
        if let Some(s) = self.sessions.get_mut(&session) {
            s.monitors.remove(&old_text);
            s.monitors.insert(new_text, (name, new_key));
        }
        Ok("{}".to_owned())
    }

    /// `monitor_cancel`: whether there was such a monitor.
    pub(super) fn monitor_cancel(&mut self, session: SessionId, id: &Value) -> bool {
        let id = json::to_string(id);
        let gone = self.sessions.get_mut(&session).and_then(|s| s.monitors.remove(&id));
        let Some((db, key)) = gone else { return false };
        self.leave_group(session, &id, &db, &key);
        true
    }

    pub(super) fn leave_group(&mut self, session: SessionId, id: &str, db: &str, key: &str) {
        if let Some(db) = self.dbs.get_mut(db) {
            db.leave(session, id, key);
        }
    }

    /// Tells every monitor of what was committed to database `name`. `author` gets its own
    /// updates now even if it lags: they go before its reply.
    pub(super) fn announce(&mut self, name: &str, changes: Arc<[Change]>, author: Option<SessionId>) {
        self.changed = true;
        self.remotes.note(name, &changes);
        self.tls.note(name);
        self.log_changes(name, &changes);
        let Some(db) = self.dbs.get_mut(name) else { return };
        let txn_id = txn_id_text(db.history.push(changes.clone()));
        let mut body = String::new();
        let mut overrun = Vec::new();
        for group in db.groups.values_mut() {
            body.clear();
            let shows = write_changes(&group.spec, db.database.schema(), rows_of(&changes), &mut body);
            for m in &mut group.members {
                let Some(s) = self.sessions.get(&m.session) else { continue };
                let own = author == Some(m.session);
                if let Some(lag) = &mut m.lag {
                    note(lag, &changes);
                    self.counters.merged_updates += 1;
                    if own {
                        flush_lag(m, &group.spec, &db.database, &txn_id, s);
                    } else if lag.len() > LAG_ROWS_MAX {
                        overrun.push(m.session);
                    }
                } else if !shows {
                } else if s.outbox.is_full() && !own {
                    let mut lag = Before::new();
                    note(&mut lag, &changes);
                    m.lag = Some(lag);
                    s.outbox.set_lagging(true);
                } else {
                    s.outbox.push(&m.parts(group.spec.version, &txn_id, &body));
                    if !own {
                        self.pacer.wake(&s.outbox);
                    }
                }
            }
        }
        for id in overrun {
            tracing::warn!(target: "ovsdb_jsonrpc_server", "too many updates wait for a session that does not read, disconnecting");
            self.counters.dropped_sessions += 1;
            self.disconnect(id);
        }
    }

    /// Logs what was done to tables that `ovsdb-server/tlog-set` named.
    fn log_changes(&self, name: &str, changes: &[Change]) {
        if self.logged_tables.is_empty() {
            return;
        }
        let Some(schema) = self.dbs.get(name).map(Db::schema) else { return };
        for c in changes {
            let table = &schema.tables[c.table];
            if self.logged_tables.contains(&(name.to_owned(), table.name.clone())) {
                let what = match (&c.old, &c.new) {
                    (None, _) => "insert",
                    (_, None) => "delete",
                    _ => "modify",
                };
                tracing::info!(target: "transaction", "table={} uuid={} {what}", table.name, c.uuid);
            }
        }
    }

    /// Sends merged updates to a peer that has read everything.
    pub(super) fn catch_up(&mut self, session: SessionId) {
        if self.sessions.get(&session).is_some_and(|s| !s.outbox.is_full()) {
            self.force_catch_up(session);
        }
    }

    fn force_catch_up(&mut self, session: SessionId) {
        let Some(s) = self.sessions.get(&session) else { return };
        if !s.outbox.is_lagging() {
            return;
        }
        for (id, (name, key)) in &s.monitors {
            let Some(db) = self.dbs.get_mut(name) else { continue };
            let txn_id = txn_id_text(db.history.last());
            let Some(group) = db.groups.get_mut(key) else { continue };
            let member = group.members.iter_mut().find(|m| m.session == session && &m.id == id);
            if let Some(m) = member {
                flush_lag(m, &group.spec, &db.database, &txn_id, s);
            }
        }
        s.outbox.set_lagging(false);
        s.outbox.wake();
    }

    /// Tells sessions that their monitors of database `name` are no more.
    pub(super) fn cancel_monitors_of(&mut self, name: &str) {
        for s in self.sessions.values_mut() {
            let of_db = s.monitors.iter().filter(|(_, (db, _))| db == name);
            let gone: Vec<String> = of_db.map(|(id, _)| id.clone()).collect();
            for id in gone {
                s.monitors.remove(&id);
                if s.db_change_aware {
                    s.outbox.push(&["{\"id\":null,\"method\":\"monitor_canceled\",\"params\":[", &id, "]}"]);
                    s.outbox.wake();
                }
            }
        }
        if let Some(db) = self.dbs.get_mut(name) {
            db.groups.clear();
        }
    }
}

fn flush_lag(m: &mut Member, spec: &Spec, db: &Database, txn_id: &str, s: &super::session::Session) {
    let Some(before) = m.lag.take() else { return };
    let mut body = String::new();
    if write_since(spec, db, &before, &mut body) {
        s.outbox.push(&m.parts(spec.version, txn_id, &body));
    }
}

fn parse_last_id(json: &Value) -> Result<Uuid> {
    let text = json.as_str().ok_or_else(|| Error::syntax(json, "last-txn-id must be string"))?;
    parse_uuid(text).ok_or_else(|| Error::syntax(json, "last-txn-id must be UUID format."))
}

/// `[found, last-txn-id, updates]`.
fn write_since_reply(db: &Db, spec: &Spec, last: Uuid, out: &mut String) {
    let before = db.history.since(last);
    let found = if before.is_some() { "true" } else { "false" };
    out.push_str(&format!("[{found}{}", txn_id_text(db.history.last())));
    match before {
        None => write_initial(spec, &db.database, out),
        Some(before) => {
            if !write_since(spec, &db.database, &before, out) {
                out.push_str("{}");
            }
        }
    }
    out.push(']');
}

impl Db {
    fn join(&mut self, key: String, spec: Spec, member: Member) {
        let group = self.groups.entry(key);
        group.or_insert_with(|| Group { spec, members: Vec::new() }).members.push(member);
    }

    fn leave(&mut self, session: SessionId, id: &str, key: &str) -> Option<Member> {
        let group = self.groups.get_mut(key)?;
        let at = group.members.iter().position(|m| m.session == session && m.id == id)?;
        let member = group.members.swap_remove(at);
        if group.members.is_empty() {
            self.groups.remove(key);
        }
        Some(member)
    }
}
