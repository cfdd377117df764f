//! `insert`: {table, row, uuid-name?, uuid?} -> {uuid}.

use super::query::{parse_row, with_values};
use super::{Kind, Run, Step};
use crate::db::Row;
use crate::error::Error;
use crate::parser::Parser;
use crate::schema::{COL_FIRST, Table};
use crate::value::{Datum, generate, parse_uuid, write_uuid};

pub(super) fn run(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let table = run.table(p)?;
    let uuid = p.string("uuid")?;
    let name = p.id("uuid-name")?;
    let row = p.object("row")?.ok_or_else(|| p.missing("row"))?;
    let schema = run.schema(table);

    let given = match uuid {
        None => None,
        Some(text) => {
            let uuid = parse_uuid(text).ok_or_else(|| Error::syntax(&text.into(), "bad uuid"))?;
            if !run.txn.may_insert(table, uuid) {
                let why = "This UUID would duplicate a UUID already present within the table or deleted within the same transaction.";
                return Err(Error::new("duplicate uuid", why).about(&text.into()).into());
            }
            Some(uuid)
        }
    };
    let uuid = match name {
        None => given.unwrap_or_else(generate),
        Some(name) => {
            let symbol = run.symbols.entry(name);
            if symbol.created {
                let why = "This \"uuid-name\" appeared on an earlier \"insert\" operation.";
                return Err(Error::new("duplicate uuid-name", why).about(&name.into()).into());
            }
            symbol.created = true;
            symbol.uuid = given.unwrap_or(symbol.uuid);
            symbol.uuid
        }
    };
    let values = parse_row(schema, row, &mut run.symbols)?;
    let row = with_values(&Row::default_of(schema, uuid), &values);
    check_defaults(schema, &row, &values)?;
    run.authorize(Kind::Insert, schema, std::slice::from_ref(&row), &[])?;
    run.txn.put(table, uuid, Some(row));

    run.out.push_str("{\"uuid\":[\"uuid\",\"");
    write_uuid(&uuid, &mut run.out);
    run.out.push_str("\"]}");
    Ok(())
}

/// A default value may be one that the column does not allow.
fn check_defaults(schema: &Table, row: &Row, values: &[(usize, Datum)]) -> Result<(), Error> {
    for (i, column) in schema.columns.iter().enumerate().skip(COL_FIRST) {
        if row.column(i).len() == 1 && !values.iter().any(|(c, _)| *c == i) {
            row.column(i).check(&column.ty)?;
        }
    }
    Ok(())
}
