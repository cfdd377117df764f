//! `monitor`, `monitor-cond`, `monitor-cond-since`: prints changes as tables, one per change and
//! database table.

use serde_json::{Map, Value, json};

use super::{Done, Failure, Run, parse_argument};
use crate::cli::date;
use crate::cli::table::{Cell, Table};
use crate::json;
use crate::schema::{self, COL_UUID, Schema};
use crate::value::Datum;

/// A table to watch and the columns to print of it.
struct Watched {
    table: schema::Table,
    columns: Vec<usize>,
    requests: Vec<Value>,
}

const KINDS: [&str; 4] = ["initial", "insert", "delete", "modify"];

impl Watched {
    fn new(table: &schema::Table) -> Self {
        Self { table: table.clone(), columns: Vec::new(), requests: Vec::new() }
    }

    /// Adds one word `COLUMN,...,!KIND,...` of the command line.
    fn add(&mut self, word: &str, clauses: Option<&Value>, database: &str) -> Result<(), Failure> {
        let mut select = Map::new();
        let mut columns = Vec::new();
        for item in word.split(',').filter(|i| !i.is_empty()) {
            if let Some(kind) = item.strip_prefix('!').filter(|k| KINDS.contains(k)) {
                select.insert(kind.to_owned(), false.into());
                continue;
            }
            let (index, _) = self.table.lookup(item).ok_or_else(|| {
                format!("table \"{}\" in {database} does not have a column named \"{item}\"", self.table.name)
            })?;
            if columns.contains(&index) || self.columns.contains(&index) {
                return Err(format!("column \"{item}\" mentioned multiple times"));
            }
            columns.push(index);
        }
        if columns.is_empty() {
            let mut all: Vec<usize> = (0..self.table.columns.len()).filter(|&c| c != COL_UUID).collect();
            all.sort_by(|&a, &b| self.table.columns[a].name.cmp(&self.table.columns[b].name));
            // `_version` stands last.
            all.sort_by_key(|&c| c == schema::COL_VERSION);
            columns = all;
        }
        let names: Vec<&str> = columns.iter().map(|&c| self.table.columns[c].name.as_str()).collect();
        let mut request = json!({"columns": names, "select": select});
        if let Some(clauses) = clauses {
            request["where"] = clauses.clone();
        }
        self.requests.push(request);
        self.columns.extend(columns);
        Ok(())
    }

    fn row(&self, uuid: &str, action: &str, values: Option<&Value>) -> Result<Vec<Cell>, Failure> {
        let mut row = vec![Cell::Text(uuid.to_owned()), Cell::Text(action.to_owned())];
        for &c in &self.columns {
            let column = &self.table.columns[c];
            row.push(match values.and_then(|v| v.get(&column.name)) {
                None => Cell::Empty,
                Some(json) => {
                    let datum = Datum::from_json_unconstrained(&column.ty, json);
                    Cell::Datum(datum.map_err(|e| e.to_string())?, column.ty.clone())
                }
            });
        }
        Ok(row)
    }

    /// The rows to print of one `<row-update>` or `<row-update2>`.
    fn rows(&self, uuid: &str, update: &Value, initial: bool) -> Result<Vec<Vec<Cell>>, Failure> {
        let get = |n: &str| update.get(n);
        Ok(match (get("old"), get("new")) {
            (Some(old), Some(new)) => {
                vec![self.row(uuid, "old", Some(old))?, self.row("", "new", Some(new))?]
            }
            (Some(old), None) => vec![self.row(uuid, "delete", Some(old))?],
            (None, Some(new)) => {
                vec![self.row(uuid, if initial { "initial" } else { "insert" }, Some(new))?]
            }
            (None, None) => {
                let mut rows = Vec::new();
                for kind in KINDS {
                    if let Some(values) = get(kind) {
                        rows.push(self.row(uuid, kind, Some(values))?);
                    }
                }
                rows
            }
        })
    }
}

/// Prints `<table-updates>` of either form.
fn print(run: &mut Run, watched: &[Watched], updates: &Value, initial: bool) -> Result<(), Failure> {
    for w in watched {
        let Some(rows) = updates.get(&w.table.name).and_then(Value::as_object) else { continue };
        let names: Vec<&str> = w.columns.iter().map(|&c| w.table.columns[c].name.as_str()).collect();
        let mut table = Table::new(&[&["row", "action"], names.as_slice()].concat());
        table.caption = (watched.len() > 1).then(|| w.table.name.clone());
        table.timestamp = run.options.timestamp.then(date::now);
        for (uuid, update) in rows {
            table.rows.extend(w.rows(uuid, update, initial)?);
        }
        if !table.rows.is_empty() {
            run.print(&table);
        }
    }
    use std::io::Write;
    let _ = std::io::stdout().flush();
    Ok(())
}

fn table_of<'a>(schema: &'a Schema, name: &str) -> Result<&'a schema::Table, Failure> {
    schema.table(name).ok_or_else(|| format!("{} does not have a table named \"{name}\"", schema.name))
}

fn watch(schema: &Schema, name: &str, words: &[String], clauses: Option<&Value>) -> Result<Watched, Failure> {
    let mut w = Watched::new(table_of(schema, name)?);
    if words.is_empty() {
        w.add("", clauses, &schema.name)?;
    }
    for word in words {
        w.add(word, clauses, &schema.name)?;
    }
    Ok(w)
}

fn requests(watched: &[Watched]) -> Value {
    let of = |w: &Watched| (w.table.name.clone(), Value::Array(w.requests.clone()));
    Value::Object(watched.iter().map(of).collect())
}

pub(super) async fn plain(run: &mut Run) -> Done {
    let schema = run.connection.schema(&run.database.clone()).await?;
    let args = run.args.clone();
    let watched = if args == ["ALL"] {
        let all = schema.tables.iter().map(|t| watch(&schema, &t.name, &[], None));
        all.collect::<Result<Vec<_>, _>>()
    } else {
        watch(&schema, &args[0], &args[1..], None).map(|w| vec![w])
    };
    let watched = watched.map_err(|e| format!("{}: {e}", run.connection.name()))?;
    let params = json!([schema.name, null, requests(&watched)]);
    let initial = run.connection.result("monitor", params).await?;
    print(run, &watched, &initial, true)?;
    follow(run, &watched).await
}

pub(super) async fn conditional(run: &mut Run, since: bool) -> Done {
    let schema = run.connection.schema(&run.database.clone()).await?;
    let mut args = run.args.clone();
    let mut last = "00000000-0000-0000-0000-000000000000".to_owned();
    if since && crate::value::parse_uuid(&args[0]).is_some() {
        last = args.remove(0);
    }
    if args.len() < 2 {
        return Err("invalid syntax for 'monitor-cond-since' (use --help for help)".into());
    }
    let clauses = parse_argument(&args[0])?;
    if args[1] == "ALL" {
        return Err("ALL tables are not allowed with condition".into());
    }
    let watched = watch(&schema, &args[1], &args[2..], Some(&clauses));
    let watched = vec![watched.map_err(|e| format!("{}: {e}", run.connection.name()))?];
    let mut params = json!([schema.name, null, requests(&watched)]);
    if since && let Some(list) = params.as_array_mut() {
        list.push(last.into());
    }
    let method = if since { "monitor_cond_since" } else { "monitor_cond" };
    let initial = run.connection.result(method, params).await?;
    if since {
        let [found, last, updates] = initial.as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err("<result> should have 3 elements".into());
        };
        println!("found: {found}, last_id: {}", last.as_str().unwrap_or_default());
        print(run, &watched, updates, true)?;
    } else {
        print(run, &watched, &initial, true)?;
    }
    follow(run, &watched).await
}

async fn follow(run: &mut Run, watched: &[Watched]) -> Done {
    loop {
        let (method, params) = run.connection.notification().await?;
        match (method.as_str(), params.as_slice()) {
            ("update" | "update2", [Value::Null, updates]) => print(run, watched, updates, false)?,
            ("update3", [Value::Null, last, updates]) => {
                println!("\nlast_id: {}", last.as_str().unwrap_or(&json::to_string(last)));
                print(run, watched, updates, false)?;
            }
            ("monitor_canceled", _) => {
                return Err(format!("{} database was removed", run.database));
            }
            _ => {}
        }
    }
}
