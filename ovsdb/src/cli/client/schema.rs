//! Commands about databases and schemas.

use std::path::Path;

use serde_json::{Value, json};

use super::{Done, Failure, Run};
use crate::cli::input;
use crate::cli::table::{Cell, Table};
use crate::schema::Schema;

pub(super) async fn list_dbs(run: &mut Run) -> Done {
    for name in run.connection.list_dbs().await? {
        println!("{name}");
    }
    Ok(0)
}

pub(super) async fn get_schema(run: &mut Run) -> Done {
    let json = run.connection.result("get_schema", json!([run.database])).await?;
    let schema = Schema::from_json(&json).map_err(|e| e.to_string())?;
    run.print_json(&schema.to_json());
    Ok(0)
}

/// Prints one member of the schema.
pub(super) async fn get_member(run: &mut Run, member: &str) -> Done {
    let json = run.connection.result("get_schema", json!([run.database])).await?;
    println!("{}", json.get(member).and_then(Value::as_str).unwrap_or(""));
    Ok(0)
}

pub(super) async fn list_tables(run: &mut Run) -> Done {
    let schema = run.connection.schema(&run.database.clone()).await?;
    let mut table = Table::new(&["Table"]);
    table.rows = schema.tables.iter().map(|t| vec![Cell::Text(t.name.clone())]).collect();
    run.print(&table);
    Ok(0)
}

pub(super) async fn list_columns(run: &mut Run) -> Done {
    let schema = run.connection.schema(&run.database.clone()).await?;
    let only = run.args.first().cloned();
    let mut table = match only {
        Some(_) => Table::new(&["Column", "Type"]),
        None => Table::new(&["Table", "Column", "Type"]),
    };
    for t in schema.tables.iter().filter(|t| only.as_ref().is_none_or(|o| *o == t.name)) {
        for c in &t.columns {
            let mut row = vec![Cell::Text(c.name.clone()), Cell::Json(c.ty.to_json())];
            if only.is_none() {
                row.insert(0, Cell::Text(t.name.clone()));
            }
            table.rows.push(row);
        }
    }
    run.print(&table);
    Ok(0)
}

/// Reads a schema file.
fn read_schema(path: &str) -> Result<(Schema, Value), Failure> {
    input::load_schema(Path::new(path))
}

pub(super) async fn needs_conversion(run: &mut Run) -> Done {
    let (wanted, _) = read_schema(&run.args[0])?;
    let actual = run.connection.schema(&wanted.name).await?;
    println!("{}", if same_schema(&actual, &wanted) { "no" } else { "yes" });
    Ok(0)
}

/// Equal but for the version and the checksum.
pub(super) fn same_schema(a: &Schema, b: &Schema) -> bool {
    a.name == b.name && a.tables == b.tables
}

pub(super) async fn convert(run: &mut Run) -> Done {
    let (schema, json) = read_schema(&run.args[0])?;
    let aware = run.connection.call("set_db_change_aware", json!([true])).await?;
    aware.map_err(|e| crate::json::to_string(&e))?;
    match run.connection.call("convert", json!([schema.name, json])).await? {
        Ok(_) => Ok(0),
        Err(e) => Err(format!("server returned error reply: {}", crate::json::to_string(&e))),
    }
}
