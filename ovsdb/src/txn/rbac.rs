//! Role-based access control: what tables RBAC_Role and RBAC_Permission of the database itself let
//! a client with a role change. Reading is not restricted, and neither are clients without a role.

use super::{Access, Authorize, Kind};
use crate::db::{Database, Row};
use crate::error::{Error, Result, tag};
use crate::schema::Table;
use crate::value::{Atom, Datum};

const ROLES: &str = "RBAC_Role";

/// A client with a role.
#[derive(Clone, Copy, Debug)]
pub struct Rbac<'a> {
    db: &'a Database,
    role: &'a str,
    /// The common name of its certificate.
    client: Option<&'a str>,
}

impl<'a> Rbac<'a> {
    /// The restrictions on `client`; `None` if there are none.
    pub fn new(db: &'a Database, role: &'a str, client: Option<&'a str>) -> Option<Self> {
        let restricted = !role.is_empty() && db.schema().lookup(ROLES).is_some();
        restricted.then_some(Self { db, role, client })
    }

    /// The row of permissions on `table`.
    fn permissions(&self, table: &Table) -> Option<Permissions<'a>> {
        let (roles, roles_schema) = self.db.schema().lookup(ROLES)?;
        let (name, _) = roles_schema.lookup("name")?;
        let (permissions, column) = roles_schema.lookup("permissions")?;
        let role =
            self.db.table(roles).rows().find(|r| r.column(name).as_str() == Some(self.role)).or_else(|| {
                let role = self.role;
                tracing::info!(target: "ovsdb_rbac", rl = 20, "rbac: role \"{role}\" not found in rbac roles table");
                None
            })?;
        let uuid = role.column(permissions).lookup(&table.name.as_str().into())?.as_uuid()?;
        let (of, schema) = self.db.schema().lookup(column.ty.value.as_ref()?.reference()?.table.as_str())?;
        Some(Permissions { table: schema, row: self.db.lookup(of, uuid)? })
    }

    fn allows(&self, access: Access<'_>) -> bool {
        let (Some(client), Some(permissions)) = (self.client, self.permissions(access.table)) else {
            return false;
        };
        let Some(row) = access.row else { return true };
        let rows_too = matches!(access.kind, Kind::Insert | Kind::Delete);
        (!rows_too || permissions.insert_delete())
            && permissions.authorize(client, access.table, row)
            && access.columns.iter().all(|&c| permissions.may_change(&access.table.columns[c].name))
    }
}

impl Authorize for Rbac<'_> {
    fn check(&self, access: Access<'_>) -> Result<()> {
        if self.allows(access) {
            return Ok(());
        }
        let what = match access.kind {
            Kind::Insert => "row insertion into",
            Kind::Update => "modification of",
            Kind::Mutate => "mutate operation on",
            Kind::Delete => "row deletion from",
        };
        let (client, role) = (self.client.unwrap_or("(null)"), self.role);
        let text = format!(
            "RBAC rules for client \"{client}\" role \"{role}\" prohibit {what} table \"{}\".",
            access.table.name
        );
        Err(Error::new(tag::PERMISSION, text))
    }
}

/// A row of RBAC_Permission.
struct Permissions<'a> {
    table: &'a Table,
    row: &'a Row,
}

impl Permissions<'_> {
    fn column(&self, name: &str) -> Option<&Datum> {
        self.table.lookup(name).map(|(i, _)| self.row.column(i))
    }

    fn strings(&self, name: &str) -> impl Iterator<Item = &str> {
        self.column(name).into_iter().flat_map(Datum::keys).filter_map(Atom::as_str)
    }

    fn insert_delete(&self) -> bool {
        self.column("insert_delete").and_then(Datum::as_bool).unwrap_or(false)
    }

    fn may_change(&self, column: &str) -> bool {
        self.strings("update").any(|name| name == column)
    }

    /// Whether a column (or `COLUMN:KEY`) of `row` that "authorization" names holds the client's
    /// name. An empty name there authorizes everybody.
    fn authorize(&self, client: &str, table: &Table, row: &Row) -> bool {
        self.strings("authorization").any(|name| {
            let (column, key) = match name.split_once(':') {
                Some((column, key)) => (column, Some(key)),
                None => (name, None),
            };
            let value = table.lookup(column).map(|(i, _)| row.column(i));
            name.is_empty()
                || match (value, key) {
                    (None, _) => false,
                    (Some(value), None) => value.as_str() == Some(client),
                    (Some(value), Some(key)) => {
                        value.lookup(&key.into()).and_then(Atom::as_str) == Some(client)
                    }
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::super::{Context, Outcome, run};
    use super::*;
    use crate::schema::Schema;

    fn transact(db: &mut Database, who: Option<(&str, Option<&str>)>, operation: &Value) -> Value {
        let params = ["D".into(), operation.clone()];
        let outcome = {
            let rbac = who.and_then(|(role, client)| Rbac::new(db, role, client));
            let rbac = rbac.as_ref().map(|r| r as &dyn Authorize);
            run(db, &params, &Context { rbac, ..Context::default() })
        };
        let Outcome::Done { reply, commit } = outcome else { panic!("waits") };
        db.apply(&commit.map(|c| c.changes).unwrap_or_default());
        serde_json::from_str::<Value>(&reply).unwrap()[0].clone()
    }

    /// A table of things with owners, and role `r`: its clients may change `n` of their own.
    fn database() -> Database {
        let strings = json!({"type": {"key": "string", "min": 0, "max": "unlimited"}});
        let map = json!({"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}});
        let weak = json!({"type": "uuid", "refTable": "RBAC_Permission", "refType": "weak"});
        let permissions = json!({"type": {"key": "string", "value": weak, "min": 0, "max": "unlimited"}});
        let schema = json!({"name": "D", "tables": {
            "RBAC_Role": {"isRoot": true, "columns": {"name": {"type": "string"}, "permissions": permissions}},
            "RBAC_Permission": {"isRoot": true, "columns": {"table": {"type": "string"},
                "authorization": strings, "insert_delete": {"type": "boolean"}, "update": strings}},
            "thing": {"isRoot": true, "columns": {"owner": {"type": "string"}, "n": {"type": "integer"},
                "m": {"type": "integer"}, "ids": map}},
            "other": {"isRoot": true, "columns": {"n": {"type": "integer"}}}}});
        let mut db = Database::new(Arc::new(Schema::from_json(&schema).unwrap()));
        let row = json!({"table": "thing", "authorization": ["set", ["owner", "ids:owner"]],
            "insert_delete": true, "update": ["set", ["n", "ids"]]});
        let reply = transact(&mut db, None, &json!({"op": "insert", "table": "RBAC_Permission", "row": row}));
        let row = json!({"name": "r", "permissions": ["map", [["thing", reply["uuid"]]]]});
        transact(&mut db, None, &json!({"op": "insert", "table": "RBAC_Role", "row": row}));
        db
    }

    #[test]
    fn a_client_changes_what_is_its_own() {
        let mut db = database();
        let own = Some(("r", Some("me")));
        let insert = |owner: &str| json!({"op": "insert", "table": "thing", "row": {"owner": owner}});
        let update = |row: Value| json!({"op": "update", "table": "thing", "where": [["owner", "==", "me"]], "row": row});
        let add = json!([["n", "+=", 1]]);
        let mutate = json!({"op": "mutate", "table": "thing", "where": [], "mutations": add});
        assert!(transact(&mut db, own, &insert("me"))["uuid"].is_array());
        assert_eq!(transact(&mut db, own, &update(json!({"n": 1})))["count"], 1);
        assert_eq!(transact(&mut db, own, &mutate)["count"], 1);
        let denied = "RBAC rules for client \"me\" role \"r\" prohibit modification of table \"thing\".";
        let reply = transact(&mut db, own, &update(json!({"m": 1})));
        assert_eq!(reply, json!({"error": "permission error", "details": denied}));
        assert!(transact(&mut db, None, &insert("you"))["uuid"].is_array());
        for operation in
            [insert("you"), mutate.clone(), json!({"op": "delete", "table": "thing", "where": []})]
        {
            assert_eq!(transact(&mut db, own, &operation)["error"], "permission error", "{operation}");
        }
        // Also by a key of a map.
        let claim = json!({"op": "update", "table": "thing", "where": [], "row": {"ids": ["map", [["owner", "me"]]]}});
        assert_eq!(transact(&mut db, None, &claim)["count"], 2);
        assert_eq!(transact(&mut db, own, &mutate)["count"], 2);
        assert_eq!(
            transact(&mut db, own, &json!({"op": "delete", "table": "thing", "where": []}))["count"],
            2
        );
    }

    #[test]
    fn who_is_unknown_and_what_is_not_named_is_refused() {
        let mut db = database();
        let insert = json!({"op": "insert", "table": "thing", "row": {"owner": "me"}});
        for who in [("r", None), ("s", Some("me")), ("r", Some("you"))] {
            assert_eq!(transact(&mut db, Some(who), &insert)["error"], "permission error", "{who:?}");
        }
        // A table that the role does not name, even if no row is touched.
        let delete = json!({"op": "delete", "table": "other", "where": []});
        assert_eq!(transact(&mut db, Some(("r", Some("me"))), &delete)["error"], "permission error");
        let select = json!({"op": "select", "table": "other", "where": []});
        assert_eq!(transact(&mut db, Some(("r", Some("me"))), &select)["rows"], json!([]));
        assert_eq!(transact(&mut db, Some(("", None)), &delete)["count"], 0);
    }
}
