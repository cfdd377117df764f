//! `delete`: {table, where} -> {count}.

use super::query::where_member;
use super::{Kind, Run, Step};
use crate::parser::Parser;

pub(super) fn run(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let table = run.table(p)?;
    let clauses = where_member(p)?;
    let condition = run.condition(table, clauses)?;
    let schema = run.schema(table);
    let rows = run.txn.select(table, &condition);
    run.authorize(Kind::Delete, schema, &rows, &[])?;
    for row in &rows {
        run.txn.put(table, row.uuid(), None);
    }
    run.result("count", rows.len());
    Ok(())
}
