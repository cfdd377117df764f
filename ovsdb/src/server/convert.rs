//! `convert`: another schema for a database while it is served.

use std::sync::Arc;

use serde_json::Value;

use super::engine::{Engine, SessionId};
use crate::db::{Database, Row};
use crate::error::{Error, Result, tag};
use crate::schema::{COL_FIRST, Schema};
use crate::storage::Compaction;
use crate::txn::Txn;
use crate::value::Datum;

/// The rows of `old` under `schema`: columns and tables that it lacks are dropped, values that do
/// not fit are errors.
///
/// # Errors
/// `constraint violation`, `syntax error`, `referential integrity violation`.
pub fn convert_database(old: &Database, schema: Arc<Schema>) -> Result<Database> {
    let mut new = Database::new(schema.clone());
    let mut txn = Txn::new(&new);
    for (t, from) in old.schema().tables.iter().enumerate() {
        let Some((index, to)) = schema.lookup(&from.name) else { continue };
        for row in old.table(t).rows() {
            let mut columns = Row::default_of(to, row.uuid()).to_vec();
            for (i, column) in to.columns.iter().enumerate().skip(COL_FIRST) {
                let Some((j, source)) = from.lookup(&column.name) else { continue };
                columns[i] = if source.ty == column.ty {
                    row.column(j).clone()
                } else {
                    Datum::from_json(&column.ty, &row.column(j).to_json(&source.ty), None)?
                };
            }
            txn.put(index, row.uuid(), Some(Row::new(columns)));
        }
    }
    let changes = txn.commit()?;
    new.apply(&changes);
    Ok(new)
}

impl Engine {
    pub(super) fn convert(&mut self, session: SessionId, params: &[Value]) -> Result<String> {
        let name = self.database_of("convert", params)?.to_owned();
        let [_, json] = params else { return Err(Error::syntax(&params.into(), "array expected")) };
        let schema = Schema::from_json(json)?;
        if self.is_read_only(session) || name.starts_with('_') {
            return Err(Error::new(tag::NOT_ALLOWED, "convert operation not allowed"));
        }
        if let Some(s) = self.sessions.get(&session).filter(|s| !s.role.is_empty()) {
            let (client, role) = (s.client.as_deref().unwrap_or("(null)"), &s.role);
            let text = format!(
                "RBAC rules for client \"{client}\" role \"{role}\" prohibit \"convert\" of database {name} (only the root role may convert databases)"
            );
            return Err(Error::new(tag::PERMISSION, text));
        }
        if self.dbs.get(&name).is_some_and(|db| db.relay.is_some()) {
            return Err(Error::new(
                tag::NOT_ALLOWED,
                "a relay's schema is that of its source: convert there",
            ));
        }
        if schema.name != name {
            let text = format!("new schema name ({}) does not match database name ({name})", schema.name);
            return Err(Error::new("invalid parameters", text));
        }
        let Some(db) = self.dbs.get_mut(&name) else { return Err(Error::bare(tag::INTERNAL)) };
        let new = convert_database(&db.database, Arc::new(schema))?;
        if let Some(file) = &mut db.file {
            if let Some(running) = db.compaction.take() {
                let _ = running.finish(file);
            }
            Compaction::start(file, new.snapshot(), "converted by ovsdb-server").finish(file)?;
        }
        db.database = new;
        db.history = crate::monitor::History::default();
        self.cancel_waits_on(&name);
        self.cancel_monitors_of(&name);
        self.update_reserved();
        let unaware: Vec<_> = self
            .sessions
            .iter()
            .filter(|(id, s)| !s.db_change_aware && **id != session)
            .map(|(id, _)| *id)
            .collect();
        for id in unaware {
            self.disconnect(id);
        }
        Ok("{}".to_owned())
    }
}
