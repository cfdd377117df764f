//! `mutate`: {table, where, mutations} -> {count}.

use super::query::where_member;
use super::{Kind, Run, Step};
use crate::clause::parse_mutations;
use crate::db::Row;
use crate::parser::Parser;

pub(super) fn run(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let table = run.table(p)?;
    let mutations = p.array("mutations")?.ok_or_else(|| p.missing("mutations"))?;
    let clauses = where_member(p)?;
    let schema = run.schema(table);
    let mutations = parse_mutations(schema, mutations, &mut run.symbols)?;
    let condition = run.condition(table, clauses)?;
    let rows = run.txn.select(table, &condition);
    let columns: Vec<_> = mutations.iter().map(|m| m.column).collect();
    run.authorize(Kind::Mutate, schema, &rows, &columns)?;
    for old in &rows {
        let mut new = old.to_vec();
        for m in &mutations {
            new[m.column] = m.apply(&new[m.column], &schema.columns[m.column].ty)?;
        }
        if new != old.columns() {
            run.txn.put(table, old.uuid(), Some(Row::new(new)));
        }
    }
    run.result("count", rows.len());
    Ok(())
}
