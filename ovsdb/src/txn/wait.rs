//! `wait`: {table, where, columns?, until, rows, timeout?} -> {}, now or after a change.

use std::collections::HashSet;

use rapidhash::fast::RandomState;
use serde_json::Value;

use super::query::{column_set, parse_row, where_member, with_values};
use super::{Run, Step, Stop};
use crate::db::Row;
use crate::error::Error;
use crate::parser::Parser;
use crate::value::{Datum, Uuid};

pub(super) fn run(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let timeout = p.optional("timeout");
    if timeout.is_some_and(|t| !t.is_number()) {
        return Err(p.mismatch("timeout").into());
    }
    let table = run.table(p)?;
    let clauses = where_member(p)?;
    let columns = p.array("columns")?;
    let until = p.string("until")?.ok_or_else(|| p.missing("until"))?;
    let rows = p.array("rows")?.ok_or_else(|| p.missing("rows"))?;
    let condition = run.condition(table, clauses)?;
    let columns = column_set(run.schema(table), columns)?;
    let timeout_ms = match timeout {
        Some(t) => parse_timeout(t)?,
        None => u64::MAX,
    };
    let equal = match until {
        "==" => true,
        "!=" => false,
        _ => return Err(Error::syntax(&until.into(), "\"until\" must be \"==\" or \"!=\"").into()),
    };
    let expected = expected_rows(run, table, rows, &columns)?;
    let actual: Keys = run.txn.select(table, &condition).iter().map(|r| key(r, &columns)).collect();
    if (expected == actual) == equal {
        run.out.push_str("{}");
        return Ok(());
    }
    let elapsed = run.context.elapsed_ms;
    if elapsed < timeout_ms && run.context.locks.is_some() {
        return Err(Stop::Wait { timeout_ms });
    }
    Err(match timeout_ms {
        0 => Error::new("timed out", "\"where\" clause test failed"),
        _ if run.context.locks.is_none() => Error::new("not supported", "triggers not supported"),
        _ => Error::new("timed out", format!("\"wait\" timed out after {elapsed} ms")),
    }
    .into())
}

type Keys = HashSet<Vec<Datum>, RandomState>;

fn key(row: &Row, columns: &[usize]) -> Vec<Datum> {
    columns.iter().map(|&c| row.column(c).clone()).collect()
}

fn parse_timeout(json: &Value) -> Result<u64, Error> {
    let ms = json.as_f64().unwrap_or(0.0);
    if ms < 0.0 {
        return Err(Error::syntax(json, "timeout must be nonnegative"));
    }
    Ok(ms as u64)
}

fn expected_rows(run: &mut Run<'_>, table: usize, rows: &[Value], columns: &[usize]) -> Result<Keys, Error> {
    let schema = run.schema(table);
    let blank = Row::default_of(schema, Uuid::nil());
    let mut keys = Keys::default();
    for json in rows {
        let row = json.as_object().ok_or_else(|| Error::syntax(json, "row must be JSON object"))?;
        let values = parse_row(schema, row, &mut run.symbols)?;
        let row = with_values(&blank, &values);
        let mut key = key(&row, columns);
        // Here, unlike in other operations, `_uuid` and `_version` are values to compare.
        for (c, value) in values {
            if let Some(at) = columns.iter().position(|&x| x == c) {
                key[at] = value;
            }
        }
        keys.insert(key);
    }
    Ok(keys)
}
