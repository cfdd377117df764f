//! `delete`: {table, where} -> {count}.

use super::query::where_member;
use super::{Access, Run, Step};
use crate::parser::Parser;

pub(super) fn run(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let table = run.table(p)?;
    let clauses = where_member(p)?;
    let condition = run.condition(table, clauses)?;
    let schema = run.schema(table);
    let rows = run.txn.select(table, &condition);
    for row in &rows {
        run.authorize(Access::Delete { table: schema, row })?;
        run.txn.put(table, row.uuid(), None);
    }
    run.result("count", rows.len());
    Ok(())
}
