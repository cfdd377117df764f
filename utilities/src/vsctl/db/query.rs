//! get, list, find, wait-until.

use ovsdb::client::Row;
use ovsdb::schema::Table as SchemaTable;
use ovsdb::table::{Cell, Table};
use ovsdb::value::{Atom, Datum, Uuid};

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};
use super::{argument, condition, names, record};

pub(in super::super) fn get(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    let must_exist = !command.has("--if-exists");
    let name = command.arg(1);
    let uuid = match record::find(ctx, table, name)? {
        Some(uuid) => uuid,
        None if must_exist => {
            return Err(format!("no row \"{name}\" in table {}", table.name).into());
        }
        None => return Ok(()),
    };
    if let Some(id) = command.value("--id") {
        if ctx.symbols.lookup(id).is_some_and(|symbol| !symbol.created) {
            return Err(format!(
                "row id \"{id}\" specified on \"get\" command was used before it was defined"
            )
            .into());
        }
        let symbol = super::edit::new_symbol(ctx, id)?;
        symbol.uuid = uuid;
        symbol.strong_ref = true;
    }
    for word in command.tail(2) {
        let line = {
            let row = ctx.row(&table.name, uuid)?;
            value_of(table, &row, word, name, must_exist)?
        };
        ctx.print(line);
    }
    Ok(())
}

/// The text of one `COLUMN[:KEY]`.
fn value_of(
    table: &SchemaTable,
    row: &Row<'_>,
    word: &str,
    record: &str,
    must_exist: bool,
) -> Result<String, Fail> {
    if word.eq_ignore_ascii_case("_uuid") {
        return Ok(row.uuid().to_string());
    }
    let argument = argument::parse(table, word, &[])?;
    let column = argument.column;
    let datum = row.get(&column.name);
    let Some(key_text) = &argument.key else { return Ok(datum.to_text(&column.ty)) };
    if !column.ty.is_map() {
        let name = &column.name;
        return Err(format!("cannot specify key to get for non-map column {name}").into());
    }
    let key = argument.key_atom(None)?;
    match key.and_then(|key| datum.lookup(&key).map(Atom::to_text)) {
        Some(text) => Ok(text),
        None if must_exist => {
            Err(format!("no key \"{key_text}\" in {} record \"{record}\" column {}", table.name, column.name)
                .into())
        }
        None => Ok(String::new()),
    }
}

/// The columns of `--columns`, or all: `_uuid` first, then by name.
fn columns(table: &SchemaTable, command: &Command) -> Result<Vec<usize>, Fail> {
    let Some(list) = command.value("--columns") else {
        let all = table.columns.iter().enumerate();
        return Ok(all.filter(|(_, c)| c.name != "_version").map(|(at, _)| at).collect());
    };
    let mut columns = Vec::new();
    for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
        columns.push(names::column_or_uuid(table, word)?.0);
    }
    match columns.is_empty() {
        true => Err("must specify at least one column name".into()),
        false => Ok(columns),
    }
}

fn output(ctx: &mut Context<'_>, table: &SchemaTable, columns: &[usize], rows: &[Uuid]) -> Result<(), Fail> {
    let headings: Vec<&str> = columns.iter().map(|at| table.columns[*at].name.as_str()).collect();
    let mut out = Table::new(&headings);
    for uuid in rows {
        let row = ctx.row(&table.name, *uuid)?;
        let cell = |at: &usize| {
            let column = &table.columns[*at];
            let datum = match column.name.as_str() {
                "_uuid" => Datum::One(Atom::Uuid(*uuid)),
                name => row.get(name).clone(),
            };
            Cell::Datum(datum, column.ty.clone())
        };
        out.rows.push(columns.iter().map(cell).collect());
    }
    ctx.output.table = Some(out);
    Ok(())
}

pub(in super::super) fn list(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    let columns = columns(table, command)?;
    let rows: Vec<Uuid> = if command.args.len() > 1 {
        let mut rows = Vec::new();
        for name in command.tail(1) {
            match record::find(ctx, table, name)? {
                Some(uuid) => rows.push(uuid),
                None if command.has("--if-exists") => {}
                None => return Err(format!("no row \"{name}\" in table {}", table.name).into()),
            }
        }
        rows
    } else {
        ctx.txn.rows(&table.name).iter().map(|row| row.uuid()).collect()
    };
    output(ctx, table, &columns, &rows)
}

pub(in super::super) fn find(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    let columns = columns(table, command)?;
    // A bad condition is an error even where there is no row to try it on.
    for word in command.tail(1) {
        condition::check(table, word)?;
    }
    let mut rows = Vec::new();
    for row in ctx.txn.rows(&table.name) {
        let mut satisfied = true;
        for word in command.tail(1) {
            satisfied &= condition::is_satisfied(table, &row, word, &mut ctx.symbols)?;
        }
        if satisfied {
            rows.push(row.uuid());
        }
    }
    output(ctx, table, &columns, &rows)
}

pub(in super::super) fn wait_until(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    for word in command.tail(2) {
        condition::check(table, word)?;
    }
    let found = record::find(ctx, table, command.arg(1))?;
    let Some(row) = found.and_then(|uuid| ctx.txn.row(&table.name, uuid)) else {
        return Err(Fail::Wait);
    };
    for word in command.tail(2) {
        if !condition::is_satisfied(table, &row, word, &mut ctx.symbols)? {
            return Err(Fail::Wait);
        }
    }
    Ok(())
}
