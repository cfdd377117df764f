//! `update`: {table, where, row} -> {count}.

use super::query::{parse_row, where_member, with_values};
use super::{Kind, Run, Step};
use crate::error::{Error, tag};
use crate::parser::Parser;

pub(super) fn run(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let table = run.table(p)?;
    let row = p.object("row")?.ok_or_else(|| p.missing("row"))?;
    let clauses = where_member(p)?;
    let schema = run.schema(table);
    let values = parse_row(schema, row, &mut run.symbols)?;
    if let Some((c, _)) = values.iter().find(|(c, _)| !schema.columns[*c].mutable) {
        let name = &schema.columns[*c].name;
        let text = format!("Cannot update immutable column {name} in table {}.", schema.name);
        return Err(Error::new(tag::CONSTRAINT, text).about(p.json()).into());
    }
    let condition = run.condition(table, clauses)?;
    let rows = run.txn.select(table, &condition);
    let columns: Vec<_> = values.iter().map(|(c, _)| *c).collect();
    run.authorize(Kind::Update, schema, &rows, &columns)?;
    for old in &rows {
        if values.iter().any(|(c, v)| old.column(*c) != v) {
            run.txn.put(table, old.uuid(), Some(with_values(old, &values)));
        }
    }
    run.result("count", rows.len());
    Ok(())
}
