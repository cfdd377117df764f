//! `show-log`: the records of a file in words; `-m` adds rows, `-mm` columns.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::{Failure, Options};
use crate::cli::date;
use crate::schema::{Schema, Table};
use crate::storage::{Log, Mode};
use crate::value::Datum;

pub(super) fn show(options: &Options, args: &[String]) -> Result<i32, Failure> {
    let path = options.db(args, 0);
    show_file(&path, options.more).map(|()| 0)
}

fn show_file(path: &Path, more: u32) -> Result<(), Failure> {
    let text = |e: crate::Error| e.to_string();
    let mut reader = Log::open(path, Mode::Read).map_err(text)?.reader().map_err(text)?;
    let mut buf = Vec::new();
    let mut schema = None;
    let mut names = HashMap::new();
    for n in 0u64.. {
        let Some(record) = reader.next_json(&mut buf).map_err(text)? else { break };
        print!("record {n}:");
        if n == 0 {
            let s = Schema::from_json(&record).map_err(text)?;
            println!(" \"{}\" schema, version=\"{}\", cksum=\"{}\"", s.name, s.version, s.cksum);
            println!();
            schema = Some(s);
            continue;
        }
        show_head(&record);
        if more > 0 {
            if let Some(s) = &schema {
                show_rows(s, &record, more, &mut names);
            }
            println!();
        }
    }
    Ok(())
}

fn show_head(record: &Value) {
    if let Some(d) = record.get("_date").and_then(Value::as_i64) {
        // Old files count seconds.
        let ms = if d < 1 << 32 { d * 1000 } else { d };
        print!(" {}", date::format_ms(ms));
    }
    if let Some(c) = record.get("_comment").and_then(Value::as_str) {
        print!(" \"{c}\"");
    }
    println!();
}

fn show_rows(schema: &Schema, record: &Value, more: u32, names: &mut HashMap<String, String>) {
    let diff = record.get("_is_diff") == Some(&Value::Bool(true));
    for (table_name, rows) in record.as_object().into_iter().flatten() {
        let table = schema.table(table_name);
        for (uuid, row) in rows.as_object().into_iter().flatten() {
            let short = &uuid[..uuid.len().min(8)];
            let new = !names.contains_key(uuid);
            if let Some(name) = row.get("name").and_then(Value::as_str) {
                names.insert(uuid.clone(), name.to_owned());
            }
            print!("  table {table_name}");
            let known = names.get(uuid).filter(|n| !n.is_empty());
            if new && !row.is_null() {
                match known {
                    Some(name) => println!(" insert row {name} ({short}):"),
                    None => println!(" insert row {short}:"),
                }
                names.entry(uuid.clone()).or_default();
            } else {
                let name = known.map_or(short, String::as_str);
                let diff = if diff { " diff" } else { "" };
                println!(" row {name} ({short}){diff}:");
            }
            if row.is_null() {
                println!("    delete row");
                names.remove(uuid);
            } else if more > 1 {
                show_columns(table, row);
            }
        }
    }
}

fn show_columns(table: Option<&Table>, row: &Value) {
    for (name, value) in row.as_object().into_iter().flatten() {
        let column = table.and_then(|t| t.column(name));
        let text = column.and_then(|c| {
            let datum = Datum::from_json_unconstrained(&c.ty, value).ok()?;
            Some(datum.to_text(&c.ty))
        });
        println!("    {name}={}", text.unwrap_or_else(|| crate::json::to_string(value)));
    }
}
