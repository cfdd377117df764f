//! Commands that read and write rows.

use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use serde_json::{Map, Value, json};

use super::{Done, Failure, Run, parse_argument};
use crate::cli::table::{Cell, Table};
use crate::error::Error;
use crate::schema::{self, COL_FIRST, COL_UUID, COL_VERSION};
use crate::storage::frame;
use crate::value::Datum;

pub(super) async fn transact(run: &mut Run) -> Done {
    let params = parse_argument(&run.args[0])?;
    if !params.get(0).is_some_and(Value::is_string) {
        return Err("not a valid OVSDB query".into());
    }
    let result = run.connection.result("transact", params).await?;
    run.print_json(&result);
    Ok(0)
}

/// `transact` that is aborted at its end.
pub(super) async fn query(run: &mut Run) -> Done {
    let mut params = parse_argument(&run.args[0])?;
    let named = params.as_array().and_then(|a| a.first()).is_some_and(Value::is_string);
    let Some(list) = params.as_array_mut().filter(|_| named) else {
        return Err("not a valid OVSDB query".into());
    };
    list.push(json!({"op": "abort"}));
    let mut result = run.connection.result("transact", params).await?;
    let Some(results) = result.as_array_mut().filter(|r| !r.is_empty()) else {
        return Err("result is not array".into());
    };
    let last = results.pop().unwrap_or_default();
    let aborted = last.get("error").and_then(Value::as_str) == Some("aborted");
    run.print_json(&result);
    if aborted || last.is_null() { Ok(0) } else { Err("transaction failed".into()) }
}

/// The rows of tables, as `select` gives them; `columns` as indexes.
async fn select(
    run: &mut Run,
    schema: &schema::Schema,
    tables: &[(&schema::Table, Vec<usize>)],
) -> Result<Vec<Vec<Vec<Datum>>>, Failure> {
    let mut params = vec![Value::from(schema.name.as_str())];
    for (t, columns) in tables {
        let names: Vec<&str> = columns.iter().map(|&c| t.columns[c].name.as_str()).collect();
        params.push(json!({"op": "select", "table": t.name, "where": [], "columns": names}));
    }
    let reply = run.connection.result("transact", params.into()).await?;
    let mut all = Vec::new();
    for (i, (t, columns)) in tables.iter().enumerate() {
        let rows = reply.get(i).and_then(|r| r.get("rows")).and_then(Value::as_array).ok_or_else(|| {
            format!("{} table reply is not an object with a \"rows\" member array: {}", t.name, reply)
        })?;
        let mut parsed = Vec::with_capacity(rows.len());
        for row in rows {
            let value = |&c: &usize| {
                let column = &t.columns[c];
                let json = row.get(&column.name).unwrap_or(&Value::Null);
                Datum::from_json_unconstrained(&column.ty, json).map_err(|e| e.to_string())
            };
            parsed.push(columns.iter().map(value).collect::<Result<Vec<_>, _>>()?);
        }
        all.push(parsed);
    }
    Ok(all)
}

pub(super) async fn dump(run: &mut Run) -> Done {
    let schema = run.connection.schema(&run.database.clone()).await?;
    let args = run.args.clone();
    let mut tables = Vec::new();
    match args.split_first() {
        None => {
            for t in &schema.tables {
                let columns = (0..t.columns.len()).filter(|&c| c != COL_VERSION).collect();
                tables.push((t, columns));
            }
        }
        Some((name, names)) => {
            let t = schema.table(name).ok_or_else(|| format!("No table \"{name}\" found."))?;
            let mut columns = Vec::new();
            for n in names {
                let (c, _) = t.lookup(n).ok_or_else(|| format!("Table \"{name}\" has no column {n}."))?;
                columns.push(c);
            }
            if names.is_empty() {
                columns = (0..t.columns.len()).filter(|&c| c != COL_VERSION).collect();
            }
            tables.push((t, columns));
        }
    }
    for (t, columns) in &mut tables {
        columns.sort_by(|&a, &b| t.columns[a].name.cmp(&t.columns[b].name));
    }
    let rows = select(run, &schema, &tables).await?;
    for ((t, columns), mut rows) in tables.into_iter().zip(rows) {
        let key = |r: &Vec<Datum>| -> Vec<_> {
            r.iter().map(|d| (d.atoms().to_vec(), d.pairs().to_vec())).collect()
        };
        rows.sort_by_cached_key(key);
        let names: Vec<&str> = columns.iter().map(|&c| t.columns[c].name.as_str()).collect();
        let mut table = Table::new(&names);
        table.caption = Some(format!("{} table", t.name));
        for row in rows {
            let cells = row.into_iter().zip(&columns);
            table.rows.push(cells.map(|(d, &c)| Cell::Datum(d, t.columns[c].ty.clone())).collect());
        }
        run.print(&table);
    }
    Ok(0)
}

pub(super) async fn backup(run: &mut Run) -> Done {
    if std::io::stdout().is_terminal() {
        return Err("not writing backup to a terminal; please redirect stdout to a file".into());
    }
    let schema = run.connection.schema(&run.database.clone()).await?;
    let tables: Vec<_> = schema
        .tables
        .iter()
        .map(|t| {
            let kept = (COL_FIRST..t.columns.len()).filter(|&c| t.columns[c].persistent);
            (t, std::iter::once(COL_UUID).chain(kept).collect::<Vec<_>>())
        })
        .collect();
    let rows = select(run, &schema, &tables).await?;
    let mut txn = Map::new();
    for ((t, columns), rows) in tables.iter().zip(rows) {
        let mut by_uuid = Map::new();
        for row in rows {
            let uuid = row[0].as_uuid().unwrap_or_default().to_string();
            let values = columns.iter().zip(&row).skip(1);
            let values = values.filter(|(c, d)| !d.is_default(&t.columns[**c].ty));
            let object = values.map(|(&c, d)| (t.columns[c].name.clone(), d.to_json(&t.columns[c].ty)));
            by_uuid.insert(uuid, Value::Object(object.collect()));
        }
        if !by_uuid.is_empty() {
            txn.insert(t.name.clone(), Value::Object(by_uuid));
        }
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    txn.insert("_date".into(), now.map_or(0, |d| d.as_millis() as u64).into());
    txn.insert("_comment".into(), "produced by \"ovsdb-client backup\"".into());
    let mut text = String::new();
    frame(&crate::json::to_string(&schema.to_json()), &mut text);
    frame(&crate::json::to_string(&Value::Object(txn)), &mut text);
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|e| format!("write to stdout failed ({})", transport::strerror(&e)))?;
    Ok(0)
}

pub(super) async fn restore(run: &mut Run) -> Done {
    if std::io::stdin().is_terminal() {
        return Err("not reading backup from a terminal; please redirect stdin from a file".into());
    }
    let database = read_backup()?;
    let schema = database.schema().clone();
    let actual = run.connection.schema(&run.database.clone()).await?;
    if !run.options.force {
        check_restorable(&schema, &actual)?;
    }
    let mut params = vec![Value::from(actual.name.as_str())];
    for t in &actual.tables {
        params.push(json!({"op": "delete", "table": t.name, "where": []}));
    }
    for (i, t) in schema.tables.iter().enumerate() {
        for row in database.table(i).rows() {
            let mut values = Map::new();
            for (c, column) in t.columns.iter().enumerate().skip(COL_FIRST) {
                if column.persistent && !row.column(c).is_default(&column.ty) {
                    values.insert(column.name.clone(), with_names(row.column(c).to_json(&column.ty)));
                }
            }
            let name = row_name(&row.uuid().to_string());
            params.push(json!({"op": "insert", "table": t.name, "uuid-name": name, "row": values}));
        }
    }
    params.push(json!({"op": "comment", "comment": "restored by \"ovsdb-client restore\""}));
    let reply = run.connection.result("transact", params.into()).await?;
    for result in reply.as_array().into_iter().flatten() {
        if result.get("error").is_some() {
            return Err(Error::from_json(result).to_string());
        }
    }
    Ok(0)
}

fn read_backup() -> Result<crate::db::Database, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| transport::strerror(&e))?;
    let dir = std::env::temp_dir().join(format!(
        "ovsdb-restore-{}-{}",
        std::process::id(),
        crate::value::generate()
    ));
    let mut file = std::fs::OpenOptions::new();
    let file = file.write(true).create_new(true).mode(0o600).open(&dir);
    file.and_then(|mut f| f.write_all(&bytes)).map_err(|e| transport::strerror(&e))?;
    let opened = crate::storage::open(&dir, crate::storage::Mode::Read, None);
    let _ = std::fs::remove_file(&dir);
    let shown = |e: crate::error::Error| e.to_string().replace(&*dir.to_string_lossy(), "/dev/stdin");
    let opened = opened.map_err(shown)?;
    match opened.damage {
        Some(e) => Err(shown(e)),
        None => Ok(opened.db),
    }
}

fn check_restorable(backup: &schema::Schema, actual: &schema::Schema) -> Result<(), Failure> {
    let problem = if backup.version != actual.version {
        format!(
            "backup schema has version \"{}\" but database schema has version \"{}\"",
            backup.version, actual.version
        )
    } else if !super::schema::same_schema(backup, actual) {
        format!("backup schema and database schema are both version {} but still differ", actual.version)
    } else {
        return Ok(());
    };
    Err(format!(
        "{problem} (use --force to override differences, or \"ovsdb-client convert\" to change the schema)"
    ))
}

fn row_name(uuid: &str) -> String {
    format!("row{}", uuid.replace('-', "_"))
}

/// Replaces uuids by the names under which their rows are inserted.
fn with_names(json: Value) -> Value {
    match json {
        Value::Array(a) => match a.as_slice() {
            [Value::String(k), Value::String(u)] if k == "uuid" => json!(["named-uuid", row_name(u)]),
            _ => Value::Array(a.into_iter().map(with_names).collect()),
        },
        other => other,
    }
}
