//! Updates from another server as a commit of our own: for replication and relays.

use std::collections::HashSet;

use rapidhash::fast::RandomState;
use serde_json::{Map, Value};

use crate::db::{Database, Row};
use crate::error::{Error, Result, tag};
use crate::monitor::Version;
use crate::schema::{COL_FIRST, Table};
use crate::txn::{Commit, Txn};
use crate::value::{Datum, Uuid, parse_uuid};

/// What `updates` (of a `monitor` or a `monitor_cond`, as `version` says) change in `db`. The
/// tables in `whole` hold nothing else afterwards: it is their initial contents.
///
/// # Errors
/// The updates cannot be read, or the database would not be consistent with them.
pub fn commit_of(db: &Database, updates: &Value, version: Version, whole: &[usize]) -> Result<Commit> {
    let mut txn = Txn::new(db);
    let mut seen = HashSet::<(usize, Uuid), RandomState>::default();
    for (name, rows) in object(updates)? {
        let Some((t, table)) = db.schema().lookup(name) else {
            return Err(Error::new(tag::UNKNOWN_TABLE, format!("No table named {name}.")));
        };
        for (uuid, update) in object(rows)? {
            let uuid = parse_uuid(uuid)
                .ok_or_else(|| Error::syntax(rows, format!("\"{uuid}\" is not a valid UUID")))?;
            seen.insert((t, uuid));
            let old = txn.lookup(t, uuid);
            let new = match version {
                Version::V1 => row_v1(table, uuid, old, update)?,
                Version::V2 => row_v2(table, uuid, old, update)?,
            };
            if new.is_some() || old.is_some() {
                txn.put(t, uuid, new);
            }
        }
    }
    for &t in whole {
        for row in db.table(t).rows().filter(|r| !seen.contains(&(t, r.uuid()))) {
            txn.put(t, row.uuid(), None);
        }
    }
    Ok(Commit { changes: txn.commit()?, comment: String::new(), durable: false })
}

fn object(json: &Value) -> Result<&Map<String, Value>> {
    json.as_object().ok_or_else(|| Error::syntax(json, "update is not an object"))
}

/// `{old, new}`: the row as it is now, or `None` if it is gone.
fn row_v1(table: &Table, uuid: Uuid, old: Option<&Row>, update: &Value) -> Result<Option<Row>> {
    match update.get("new") {
        None | Some(Value::Null) => Ok(None),
        Some(new) => with_columns(table, uuid, old, new).map(Some),
    }
}

/// `{initial | insert | modify | delete}`.
fn row_v2(table: &Table, uuid: Uuid, old: Option<&Row>, update: &Value) -> Result<Option<Row>> {
    let member = object(update)?.iter().next();
    let (kind, values) = member.ok_or_else(|| Error::syntax(update, "row update is empty"))?;
    match (kind.as_str(), old) {
        ("initial" | "insert", _) => with_columns(table, uuid, None, values).map(Some),
        ("modify", Some(old)) => patched(table, old, values).map(Some),
        ("modify", None) => Err(Error::syntax(update, "modify of a row that is not here")),
        ("delete", _) => Ok(None),
        _ => Err(Error::syntax(update, "unknown kind of row update")),
    }
}

/// Each column of `values`, with its value's JSON.
fn columns<'a>(
    table: &'a Table,
    values: &'a Value,
) -> Result<impl Iterator<Item = Result<(usize, &'a Value)>>> {
    let unknown = |name: &str| {
        let text = format!("No column {name} in table {}.", table.name);
        Error::new(tag::UNKNOWN_COLUMN, text)
    };
    Ok(object(values)?
        .iter()
        .map(move |(name, json)| Ok((table.lookup(name).ok_or_else(|| unknown(name))?.0, json)))
        .filter(|c| c.as_ref().is_ok_and(|(i, _)| *i >= COL_FIRST) || c.is_err()))
}

fn with_columns(table: &Table, uuid: Uuid, old: Option<&Row>, values: &Value) -> Result<Row> {
    let mut row = old.map_or_else(|| Row::default_of(table, uuid).to_vec(), Row::to_vec);
    for column in columns(table, values)? {
        let (i, json) = column?;
        row[i] = Datum::from_json(&table.columns[i].ty, json, None)?;
    }
    Ok(Row::new(row))
}

fn patched(table: &Table, old: &Row, differences: &Value) -> Result<Row> {
    let mut row = old.to_vec();
    for column in columns(table, differences)? {
        let (i, json) = column?;
        let ty = &table.columns[i].ty;
        row[i] = row[i].patched(&Datum::from_json_any_len(ty, json, None)?, ty);
    }
    Ok(Row::new(row))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    const A: &str = "11111111-1111-1111-1111-111111111111";
    const B: &str = "22222222-2222-2222-2222-222222222222";

    fn db() -> Database {
        let set = json!({"key": "integer", "min": 0, "max": "unlimited"});
        let schema = json!({"name": "D", "tables": {"t": {"isRoot": true, "indexes": [["n"]],
            "columns": {"n": {"type": "integer"}, "s": {"type": set}}}}});
        Database::new(Arc::new(Schema::from_json(&schema).unwrap()))
    }

    fn apply(db: &mut Database, updates: &Value, version: Version, whole: &[usize]) -> Result<usize> {
        let commit = commit_of(db, updates, version, whole)?;
        db.apply(&commit.changes);
        Ok(commit.changes.len())
    }

    fn numbers(db: &Database) -> Vec<i64> {
        let (n, _) = db.schema().tables[0].lookup("n").unwrap();
        let mut all: Vec<_> = db.table(0).rows().map(|r| r.column(n).as_integer().unwrap()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn both_forms_of_updates_do_the_same() {
        for version in [Version::V1, Version::V2] {
            let v1 = version == Version::V1;
            let row = |n: i64| if v1 { json!({"new": {"n": n}}) } else { json!({"insert": {"n": n}}) };
            let mut db = db();
            assert_eq!(apply(&mut db, &json!({"t": {A: row(1), B: row(2)}}), version, &[0]), Ok(2));
            let update =
                if v1 { json!({"old": {"n": 1}, "new": {"n": 3}}) } else { json!({"modify": {"n": 3}}) };
            let gone = if v1 { json!({"old": {"n": 2}}) } else { json!({"delete": null}) };
            assert_eq!(apply(&mut db, &json!({"t": {A: update, B: gone}}), version, &[]), Ok(2));
            assert_eq!(numbers(&db), [3]);
        }
    }

    #[test]
    fn initial_contents_replace_what_was_there_and_touch_nothing_else() {
        let mut db = db();
        let both = json!({"t": {A: {"initial": {"n": 1}}, B: {"initial": {"n": 2}}}});
        assert_eq!(apply(&mut db, &both, Version::V2, &[0]), Ok(2));
        assert_eq!(apply(&mut db, &both, Version::V2, &[0]), Ok(0), "the same again changes nothing");
        let one = json!({"t": {B: {"initial": {"n": 2}}}});
        assert_eq!(apply(&mut db, &one, Version::V2, &[]), Ok(0));
        assert_eq!(apply(&mut db, &one, Version::V2, &[0]), Ok(1));
        assert_eq!(numbers(&db), [2]);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut db = db();
        let rows = json!({"t": {A: {"insert": {"n": 1}}}});
        apply(&mut db, &rows, Version::V2, &[]).unwrap();
        for (updates, tag) in [
            (json!({"t": {B: {"insert": {"n": 1}}}}), "constraint violation"),
            (json!({"x": {}}), "unknown table"),
            (json!({"t": {B: {"insert": {"x": 1}}}}), "unknown column"),
            (json!({"t": {B: {"modify": {"n": 2}}}}), "syntax error"),
            (json!({"t": {"x": {"insert": {}}}}), "syntax error"),
            (json!({"t": {A: {}}}), "syntax error"),
            (json!([]), "syntax error"),
        ] {
            assert_eq!(apply(&mut db, &updates, Version::V2, &[]).unwrap_err().tag(), tag, "{updates}");
        }
        assert_eq!(numbers(&db), [1]);
    }
}
