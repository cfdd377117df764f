//! The `_Server` database: which databases there are and how they are.

use std::sync::Arc;

use serde_json::json;

use super::database::Db;
use super::engine::Engine;
use crate::db::{Change, Row};
use crate::json;
use crate::schema::Schema;
use crate::txn::Txn;
use crate::value::{Datum, generate};

pub const NAME: &str = "_Server";

/// The schema, version 1.2.0.
fn schema() -> Schema {
    let optional = |ty: &str| json!({"type": {"key": ty, "min": 0, "max": 1}});
    let model =
        json!({"type": {"key": {"type": "string", "enum": ["set", ["clustered", "relay", "standalone"]]}}});
    let schema = json!({
        "name": NAME, "version": "1.2.0", "cksum": "3009684573 744",
        "tables": {"Database": {"isRoot": true, "columns": {
            "name": {"type": "string"},
            "model": model,
            "connected": {"type": "boolean"},
            "leader": {"type": "boolean"},
            "schema": optional("string"),
            "cid": optional("uuid"),
            "sid": optional("uuid"),
            "index": optional("integer")}}}});
    // A constant: it parses, as a test shows.
    Schema::from_json(&schema).expect("the _Server schema is a valid schema")
}

impl Engine {
    pub(super) fn add_reserved(&mut self) {
        self.dbs.insert(NAME.to_owned(), Db::in_memory(Arc::new(schema())));
        self.update_reserved();
    }

    /// Makes the rows of `_Server` say what databases there are.
    pub(super) fn update_reserved(&mut self) {
        let Some(server) = self.dbs.get(NAME) else { return };
        let schema = server.schema().clone();
        let Some((table, t)) = schema.lookup("Database") else { return };
        let index = |name: &str| t.lookup(name).map_or(0, |(i, _)| i);
        let existing: Vec<Row> = server.database.table(table).rows().cloned().collect();
        let mut txn = Txn::new(&server.database);
        for row in &existing {
            let name = row.column(index("name")).as_str().unwrap_or_default();
            if !self.dbs.contains_key(name) {
                txn.put(table, row.uuid(), None);
            }
        }
        for (name, db) in &self.dbs {
            let old = existing.iter().find(|r| r.column(index("name")).as_str() == Some(name));
            let uuid = old.map_or_else(generate, Row::uuid);
            let blank = Row::default_of(t, uuid);
            let mut columns = old.unwrap_or(&blank).to_vec();
            let schema = || json::to_string(&db.schema().to_json()).into();
            let (model, connected) = match &db.relay {
                None => ("standalone", true),
                Some(relay) => ("relay", relay.is_connected()),
            };
            let values: [(&str, Datum); 5] = [
                ("name", name.as_str().into()),
                ("model", model.into()),
                ("connected", connected.into()),
                ("leader", db.relay.is_none().into()),
                ("schema", if db.is_available() { schema() } else { Datum::Empty }),
            ];
            for (column, value) in values {
                columns[index(column)] = value;
            }
            txn.put(table, uuid, Some(Row::new(columns)));
        }
        // Nothing in this schema can be violated by these rows.
        let changes = txn.commit().unwrap_or_default();
        self.apply_internal(NAME, changes);
    }

    /// Applies changes that the server itself makes to a database, and announces them.
    pub(super) fn apply_internal(&mut self, name: &str, changes: Vec<Change>) {
        let Some(db) = self.dbs.get_mut(name) else { return };
        if changes.is_empty() {
            return;
        }
        db.database.apply(&changes);
        self.announce(name, Arc::from(changes), None);
    }
}

#[cfg(test)]
#[test]
fn the_schema_is_valid() {
    assert_eq!(schema().name, NAME);
}
