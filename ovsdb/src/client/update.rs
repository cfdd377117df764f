//! Applying what a server sends about monitored rows: RFC 7047 table-updates (`monitor`) and
//! OVS's table-updates2 (`monitor_cond`, `monitor_cond_since`).

use std::sync::Arc;

use serde_json::Value;

use super::replica::{Changes, Replica, RowData};
use crate::error::{Error, Result};
use crate::schema::Table;
use crate::value::{Datum, parse_uuid};

/// The form of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `{old, new}` with whole values.
    V1,
    /// `{initial | insert | modify | delete}` with differences.
    V2,
}

/// Applies `updates` to `replica`, noting what changed.
pub(super) fn apply(replica: &mut Replica, changes: &mut Changes, updates: &Value, form: Form) -> Result<()> {
    let schema = replica.schema().clone();
    for (name, rows) in object(updates)? {
        let (index, table) = schema
            .lookup(name)
            .ok_or_else(|| Error::syntax(updates, format!("update of unknown table {name}")))?;
        for (uuid, update) in object(rows)? {
            let uuid = parse_uuid(uuid)
                .ok_or_else(|| Error::syntax(rows, format!("\"{uuid}\" is not a valid UUID")))?;
            let old = replica.data(index, uuid).cloned();
            let new = match form {
                Form::V1 => row_v1(table, update)?,
                Form::V2 => row_v2(table, old.as_deref(), update)?,
            }
            .map(Arc::new);
            replica.replace(index, uuid, new.clone());
            changes.note(index, uuid, old.as_ref(), new.as_ref());
        }
    }
    Ok(())
}

fn object(json: &Value) -> Result<&serde_json::Map<String, Value>> {
    json.as_object().ok_or_else(|| Error::syntax(json, "update is not an object"))
}

/// The new state of a row, `None` when deleted.
fn row_v1(table: &Table, update: &Value) -> Result<Option<RowData>> {
    match update.get("new") {
        None | Some(Value::Null) => Ok(None),
        Some(new) => filled(table, defaults(table), new).map(Some),
    }
}

fn row_v2(table: &Table, old: Option<&RowData>, update: &Value) -> Result<Option<RowData>> {
    let (kind, row) =
        object(update)?.iter().next().ok_or_else(|| Error::syntax(update, "row update is empty"))?;
    match (kind.as_str(), old) {
        ("initial" | "insert", _) => filled(table, defaults(table), row).map(Some),
        ("modify", Some(old)) => patched(table, old.clone(), row).map(Some),
        ("modify", None) => Err(Error::syntax(update, "modify of a row that is not here")),
        ("delete", _) => Ok(None),
        _ => Err(Error::syntax(update, "unknown kind of row update")),
    }
}

fn defaults(table: &Table) -> RowData {
    table.columns.iter().map(|column| Datum::default_of(&column.ty)).collect()
}

/// Calls `set` with each column of `row` that we know.
fn each_column(
    table: &Table,
    data: &mut RowData,
    row: &Value,
    set: impl Fn(&mut Datum, Datum, &crate::value::ColumnType),
) -> Result<()> {
    for (name, value) in object(row)? {
        let Some((index, column)) = table.lookup(name) else { continue };
        let value = Datum::from_json_unconstrained(&column.ty, value)?;
        if let Some(slot) = data.get_mut(index) {
            set(slot, value, &column.ty);
        }
    }
    Ok(())
}

fn filled(table: &Table, mut data: RowData, row: &Value) -> Result<RowData> {
    each_column(table, &mut data, row, |slot, value, _| *slot = value)?;
    Ok(data)
}

fn patched(table: &Table, mut data: RowData, row: &Value) -> Result<RowData> {
    each_column(table, &mut data, row, |slot, diff, ty| *slot = slot.patched(&diff, ty))?;
    Ok(data)
}
