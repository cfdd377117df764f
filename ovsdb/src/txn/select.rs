//! `select`: {table, where, columns?, sort?} -> {rows}, distinct in the columns asked for.

use serde_json::Value;

use super::query::{column_set, distinct, where_member, write_row};
use super::{Run, Step};
use crate::parser::Parser;
use crate::schema::parse_column_set;

pub(super) fn run(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let table = run.table(p)?;
    let clauses = where_member(p)?;
    let columns = p.array("columns")?;
    let sort = p.array("sort")?;
    let condition = run.condition(table, clauses)?;
    let schema = run.schema(table);
    let columns = column_set(schema, columns)?;
    let sort = match sort {
        Some(names) => parse_column_set(schema, &Value::Array(names.clone()))?,
        None => vec![],
    };
    let mut rows = distinct(run.txn.select(table, &condition), &columns);
    if !sort.is_empty() {
        rows.sort_by(|a, b| {
            let key = |r: &crate::db::Row| -> Vec<_> {
                sort.iter().map(|&c| (r.column(c).atoms().to_vec(), r.column(c).pairs().to_vec())).collect()
            };
            key(a).cmp(&key(b))
        });
    }
    run.out.push_str("{\"rows\":[");
    for (i, row) in rows.iter().enumerate() {
        if i > 0 {
            run.out.push(',');
        }
        write_row(schema, row, &columns, &mut run.out);
    }
    run.out.push_str("]}");
    Ok(())
}
