//! Transactions as records: what the log says about changed rows.
//!
//! A new row is written whole without its default values; a changed row as differences
//! (`_is_diff`); a deleted row as null. Ephemeral columns are never written.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::db::{Change, Database, Row, Snapshot};
use crate::error::{Error, Result, tag};
use crate::json;
use crate::schema::{COL_FIRST, Schema, Table};
use crate::txn::Commit;
use crate::value::{Datum, UNLIMITED, Uuid, parse_uuid, write_uuid};

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// The JSON text of `commit`, or `None` if it changes nothing that is kept.
pub fn encode_commit(schema: &Schema, commit: &Commit, diff: bool) -> Option<String> {
    let mut changes: Vec<&Change> = commit.changes.iter().filter(|c| is_kept(schema, c)).collect();
    if changes.is_empty() {
        return None;
    }
    changes.sort_by_key(|c| c.table);
    let diff = diff && changes.iter().all(|c| differences_fit(schema, c));
    let mut out = String::with_capacity(256);
    write_head(&mut out);
    if diff {
        out.push_str(",\"_is_diff\":true");
    }
    write_comment(&commit.comment, &mut out);
    let mut open = None;
    for c in changes {
        let table = &schema.tables[c.table];
        open_table(table, &mut open, c.table, &mut out);
        write_key(c.uuid, &mut out);
        match (&c.old, &c.new) {
            (_, None) => out.push_str("null"),
            (None, Some(new)) => write_whole(table, new, &mut out),
            (Some(old), Some(new)) => write_changes(table, old, new, diff, &mut out),
        }
    }
    out.push_str("}}");
    Some(out)
}

/// The JSON text of one transaction that makes all rows of `snapshot`.
pub fn encode_snapshot(snapshot: &Snapshot, comment: &str) -> String {
    let mut out = String::with_capacity(1 << 16);
    write_head(&mut out);
    write_comment(comment, &mut out);
    let mut open = None;
    for (i, (table, rows)) in snapshot.schema.tables.iter().zip(&snapshot.tables).enumerate() {
        for row in rows.rows() {
            open_table(table, &mut open, i, &mut out);
            write_key(row.uuid(), &mut out);
            write_whole(table, row, &mut out);
        }
    }
    out.push_str(if open.is_some() { "}}" } else { "}" });
    out
}

fn write_head(out: &mut String) {
    out.push_str("{\"_date\":");
    json::write_integer(now_ms(), out);
}

fn write_comment(comment: &str, out: &mut String) {
    if !comment.is_empty() {
        out.push_str(",\"_comment\":");
        json::write_str(comment, out);
    }
}

fn open_table(table: &Table, open: &mut Option<usize>, index: usize, out: &mut String) {
    if *open == Some(index) {
        out.push(',');
        return;
    }
    out.push_str(if open.is_some() { "}," } else { "," });
    json::write_str(&table.name, out);
    out.push_str(":{");
    *open = Some(index);
}

fn write_key(uuid: Uuid, out: &mut String) {
    out.push('"');
    write_uuid(&uuid, out);
    out.push_str("\":");
}

fn is_kept(schema: &Schema, c: &Change) -> bool {
    match (&c.old, &c.new) {
        (Some(old), Some(new)) => {
            let columns = schema.tables[c.table].columns.iter().enumerate().skip(COL_FIRST);
            columns.into_iter().any(|(i, col)| col.persistent && old.column(i) != new.column(i))
        }
        (old, new) => old.is_some() || new.is_some(),
    }
}

/// Whether OVS 3.1 would read the change back from a record of differences.
///
/// It refuses a difference with more elements than its column may have, and loses the element of a set's default
/// value when it applies a difference to it.
fn differences_fit(schema: &Schema, c: &Change) -> bool {
    let (Some(old), Some(new)) = (&c.old, &c.new) else { return true };
    let columns = schema.tables[c.table].columns.iter().enumerate().skip(COL_FIRST);
    columns.filter(|(_, col)| col.persistent && col.ty.max > 1).all(|(i, col)| {
        let (a, b) = (old.column(i), new.column(i));
        let from_default = col.ty.min > 0 && a.is_default(&col.ty);
        let too_long = || col.ty.max < UNLIMITED && a.diff(b, &col.ty).len() > col.ty.max as usize;
        a == b || !(from_default || too_long())
    })
}

fn write_whole(table: &Table, row: &Row, out: &mut String) {
    write_columns(table, out, |i| {
        let value = row.column(i);
        (!value.is_default(&table.columns[i].ty)).then(|| value.clone())
    });
}

fn write_changes(table: &Table, old: &Row, new: &Row, diff: bool, out: &mut String) {
    write_columns(table, out, |i| {
        let (a, b) = (old.column(i), new.column(i));
        let value = || if diff { a.diff(b, &table.columns[i].ty) } else { b.clone() };
        (a != b).then(value)
    });
}

fn write_columns(table: &Table, out: &mut String, value: impl Fn(usize) -> Option<Datum>) {
    out.push('{');
    let mut first = true;
    for (i, column) in table.columns.iter().enumerate().skip(COL_FIRST) {
        if !column.persistent {
            continue;
        }
        if let Some(value) = value(i) {
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            json::write_str(&column.name, out);
            out.push(':');
            value.write_json(&column.ty, out);
        }
    }
    out.push('}');
}

/// Puts the rows of one record into `db`, without checking or counting references. With
/// `converting`, tables and columns that the schema does not have are left out.
///
/// # Errors
/// The record does not fit the schema or the rows.
pub fn apply_record(db: &mut Database, record: &Value, converting: bool) -> Result<()> {
    let Value::Object(tables) = record else { return Err(Error::syntax(record, "object expected")) };
    let diff = tables.get("_is_diff").is_some_and(|v| v == &Value::Bool(true));
    let schema = db.schema().clone();
    for (name, rows) in tables {
        let Some((index, table)) = schema.lookup(name) else {
            if converting || matches!(name.as_str(), "_date" | "_comment" | "_is_diff") {
                continue;
            }
            return Err(Error::new(tag::UNKNOWN_TABLE, format!("No table named {name}.")).about(record));
        };
        let Value::Object(rows) = rows else { return Err(Error::syntax(rows, "object expected")) };
        for (uuid, row) in rows {
            let uuid = parse_uuid(uuid)
                .ok_or_else(|| Error::syntax(record, format!("\"{uuid}\" is not a valid UUID")))?;
            let row = match row {
                Value::Null => None,
                Value::Object(values) => {
                    Some(patched_row(table, db.lookup(index, uuid), uuid, values, diff, converting)?)
                }
                _ => return Err(Error::syntax(row, "row must be JSON object")),
            };
            if row.is_none() && db.lookup(index, uuid).is_none() {
                let text = format!("transaction deletes row {uuid} that does not exist");
                return Err(Error::new(tag::SYNTAX, text));
            }
            db.load(index, uuid, row);
        }
    }
    Ok(())
}

fn patched_row(
    table: &Table,
    old: Option<&Row>,
    uuid: Uuid,
    values: &Map<String, Value>,
    diff: bool,
    converting: bool,
) -> Result<Row> {
    let mut columns = match old {
        Some(row) => row.to_vec(),
        None => {
            let mut columns: Vec<_> = table.columns.iter().map(|c| Datum::default_of(&c.ty)).collect();
            columns[crate::schema::COL_UUID] = uuid.into();
            columns[crate::schema::COL_VERSION] = crate::value::generate().into();
            columns
        }
    };
    for (name, value) in values {
        let Some((i, column)) = table.lookup(name).filter(|(i, _)| *i >= COL_FIRST) else {
            if converting {
                continue;
            }
            let text = format!("No column {name} in table {}.", table.name);
            return Err(Error::new(tag::UNKNOWN_COLUMN, text).about(&Value::Object(values.clone())));
        };
        columns[i] = if diff && old.is_some() {
            let diff = Datum::from_json_any_len(&column.ty, value, None)?;
            let new = columns[i].patched(&diff, &column.ty);
            if !new.fits(&column.ty) {
                return Err(Error::new(tag::OVSDB, "Datum created by diff has size error"));
            }
            new
        } else {
            Datum::from_json(&column.ty, value, None)?
        };
    }
    Ok(Row::new(columns))
}
