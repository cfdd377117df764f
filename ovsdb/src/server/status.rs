//! Writes the state of remotes into the rows that they come from (`is_connected`, `status`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::engine::{Engine, SessionId};
use super::remote::{ColumnName, Remote, get, resolve_column};
use super::session::Session;
use crate::db::{Change, Row};
use crate::schema::Table;
use crate::txn::Txn;
use crate::value::{Atom, Datum};

/// How often.
pub const STATUS_INTERVAL: Duration = Duration::from_millis(2500);

impl Engine {
    pub(super) fn write_remote_status(&mut self) {
        let columns: Vec<String> =
            self.remotes.configured.iter().filter(|r| r.starts_with("db:")).cloned().collect();
        for configured in columns {
            let Some(name) = ColumnName::parse(&configured) else { continue };
            let db = name.db.to_owned();
            let changes = self.status_changes(name);
            self.apply_internal(&db, changes);
            self.flush();
        }
    }

    fn status_changes(&self, name: ColumnName<'_>) -> Vec<Change> {
        // A relay's rows are its source's: differences that come would not fit ours.
        if self.dbs.get(name.db).is_some_and(|db| db.relay.is_some()) {
            return vec![];
        }
        let Ok((db, table, column)) = resolve_column(&self.dbs, name) else { return vec![] };
        let Some(target_table) = db.schema().tables[table].columns[column].ty.key.strong_ref() else {
            return vec![];
        };
        let Some((t, schema)) = db.schema().lookup(target_table) else { return vec![] };
        let mut txn = Txn::new(db);
        for row in db.table(table).rows() {
            for uuid in row.column(column).keys().filter_map(Atom::as_uuid) {
                if let Some(new) = db.lookup(t, uuid).and_then(|r| self.with_status(schema, r)) {
                    txn.put(t, uuid, Some(new));
                }
            }
        }
        txn.commit().unwrap_or_default()
    }

    fn with_status(&self, schema: &Table, row: &Row) -> Option<Row> {
        let target = get(schema, row, "target").and_then(Datum::as_str)?;
        let remote = self.remotes.active.get(target);
        let sessions = self.sessions.iter().filter(|(_, s)| s.remote == target);
        let first = sessions.min_by_key(|(id, _)| **id);
        let mut columns = row.to_vec();
        if let Some((i, _)) = schema.lookup("is_connected") {
            columns[i] = first.is_some().into();
        }
        if let Some((i, _)) = schema.lookup("status") {
            columns[i] = status_map(remote, first);
        }
        let new = Row::new(columns);
        (!new.same_content(row)).then_some(new)
    }
}

fn status_map(remote: Option<&Remote>, first: Option<(&SessionId, &Session)>) -> Datum {
    let mut pairs: Vec<(Atom, Atom)> = Vec::new();
    let mut add = |key: &str, value: String| pairs.push((key.into(), value.into()));
    let Some(remote) = remote else { return Datum::Empty };
    if remote.is_passive {
        let port = remote.report.bound_port.load(Ordering::Relaxed);
        if port != 0 {
            add("bound_port", port.to_string());
        }
        let n = remote.report.n_sessions.load(Ordering::Relaxed);
        if n > 1 {
            add("n_connections", n.to_string());
        }
        // As OVS says it of whoever listens.
        add("sec_since_connect", "0".into());
        add("sec_since_disconnect", "0".into());
        return Datum::map(pairs);
    }
    let progress = remote.report.progress();
    add("state", progress.state.into());
    if let Some(at) = progress.connected {
        add("sec_since_connect", at.elapsed().as_secs().to_string());
    }
    if let Some(at) = progress.disconnected {
        add("sec_since_disconnect", at.elapsed().as_secs().to_string());
    }
    if let Some((_, s)) = first {
        let list =
            |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        if !s.locks.is_empty() {
            add("locks_held", list(&s.locks));
        }
        if !s.waits.is_empty() {
            add("locks_waiting", list(&s.waits));
        }
        if s.locks_lost > 0 {
            add("locks_lost", s.locks_lost.to_string());
        }
    }
    Datum::map(pairs)
}
