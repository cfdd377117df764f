//! What the operations with a `where` share: finding rows, reading rows, writing rows.

use serde_json::{Map, Value};

use super::{Run, Txn};
use crate::clause::Condition;
use crate::db::Row;
use crate::error::{Error, Result, tag};
use crate::json;
use crate::parser::Parser;
use crate::schema::{COL_FIRST, Table, parse_column_set};
use crate::value::{Datum, SymbolTable};

impl Txn<'_> {
    /// The rows of `table` that satisfy `condition`; by uuid or unique index where it says so.
    pub(super) fn select(&self, table: usize, condition: &Condition) -> Vec<Row> {
        if let Some(uuid) = condition.only_uuid() {
            let row = self.lookup(table, uuid).filter(|r| condition.all(r));
            return row.cloned().into_iter().collect();
        }
        if let Some(rows) = self.select_by_index(table, condition) {
            return rows;
        }
        self.rows_of(table).filter(|r| condition.all(r)).cloned().collect()
    }

    fn select_by_index(&self, table: usize, condition: &Condition) -> Option<Vec<Row>> {
        let schema = &self.db().schema().tables[table];
        let index = schema
            .indexes
            .iter()
            .position(|columns| columns.iter().all(|&c| condition.demanded(c).is_some()))?;
        let mut probe = Row::default_of(schema, crate::value::Uuid::nil()).to_vec();
        for &c in &schema.indexes[index] {
            probe[c] = condition.demanded(c)?.clone();
        }
        let probe = Row::new(probe);
        let stored = self.db().table(table).lookup_all(index, &probe);
        let stored = stored.filter(|r| self.touched(table, r.uuid()).is_none());
        let touched = self.rows.iter().filter(|r| r.table == table).filter_map(|r| r.new.as_ref());
        Some(stored.chain(touched).filter(|r| condition.all(r)).cloned().collect())
    }
}

impl Run<'_> {
    /// Member `where` as a condition on `table`.
    pub(super) fn condition(&mut self, table: usize, json: &[Value]) -> Result<Condition> {
        Condition::from_json(self.schema(table), json, Some(&mut self.symbols))
    }
}

/// Member `where`.
pub(super) fn where_member<'b>(p: &mut Parser<'b>) -> Result<&'b Vec<Value>> {
    p.array("where")?.ok_or_else(|| p.missing("where"))
}

/// Member `columns`: column indexes, or all columns where it is left out.
pub(super) fn column_set(table: &Table, json: Option<&Vec<Value>>) -> Result<Vec<usize>> {
    match json {
        Some(names) => parse_column_set(table, &Value::Array(names.clone())),
        None => Ok((0..table.columns.len()).collect()),
    }
}

/// Reads a `<row>`: columns and values, in the order of the JSON.
pub(super) fn parse_row(
    table: &Table,
    json: &Map<String, Value>,
    symbols: &mut SymbolTable,
) -> Result<Vec<(usize, Datum)>> {
    let mut values = Vec::with_capacity(json.len());
    for (name, value) in json {
        let (index, column) = table.lookup(name).ok_or_else(|| {
            let text = format!("No column {name} in table {}.", table.name);
            Error::new(tag::UNKNOWN_COLUMN, text).about(&Value::Object(json.clone()))
        })?;
        values.push((index, Datum::from_json(&column.ty, value, Some(symbols))?));
    }
    Ok(values)
}

/// Appends `row` as a JSON object of `columns`.
pub fn write_row(table: &Table, row: &Row, columns: &[usize], out: &mut String) {
    out.push('{');
    for (i, &c) in columns.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::write_str(&table.columns[c].name, out);
        out.push(':');
        row.column(c).write_json(&table.columns[c].ty, out);
    }
    out.push('}');
}

/// Leaves out rows that agree with an earlier one in all of `columns`.
pub(super) fn distinct(rows: Vec<Row>, columns: &[usize]) -> Vec<Row> {
    if columns.contains(&crate::schema::COL_UUID) || rows.len() < 2 {
        return rows;
    }
    let mut seen = std::collections::HashSet::<Vec<Datum>, rapidhash::fast::RandomState>::default();
    let key = |r: &Row| columns.iter().map(|&c| r.column(c).clone()).collect::<Vec<_>>();
    rows.into_iter().filter(|r| seen.insert(key(r))).collect()
}

/// The row with `values` put in, and the columns that these name beside `_uuid` and `_version`.
pub(super) fn with_values(row: &Row, values: &[(usize, Datum)]) -> Row {
    let mut columns = row.to_vec();
    for (c, value) in values.iter().filter(|(c, _)| *c >= COL_FIRST) {
        columns[*c] = value.clone();
    }
    Row::new(columns)
}
