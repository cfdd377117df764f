//! set, add, remove, clear, create, destroy.

use ovsdb::schema::{Column, Table};
use ovsdb::value::{Atom, ColumnType, Datum, Symbol, UNLIMITED, Uuid};

use super::super::cmdline::Command;
use super::super::context::{Context, Fail};
use super::{argument, names, record};

/// Declares `@name` of `--id`.
pub(super) fn new_symbol<'c>(ctx: &'c mut Context<'_>, id: &str) -> Result<&'c mut Symbol, Fail> {
    if !id.starts_with('@') {
        return Err(format!("row id \"{id}\" does not begin with \"@\"").into());
    }
    let symbol = ctx.symbols.entry(id);
    if symbol.created {
        return Err(format!("row id \"{id}\" may only be specified on one --id option").into());
    }
    symbol.created = true;
    Ok(symbol)
}

/// The row that the command's first two arguments name, `None` if it is missing and may be.
fn target(ctx: &mut Context<'_>, table: &Table, command: &Command) -> Result<Option<Uuid>, Fail> {
    let name = command.arg(1);
    match record::find(ctx, table, name)? {
        Some(uuid) => Ok(Some(uuid)),
        None if command.has("--if-exists") => Ok(None),
        None => Err(format!("no row \"{name}\" in table {}", table.name).into()),
    }
}

fn check_mutable(ctx: &Context<'_>, table: &Table, uuid: Uuid, column: &Column) -> Result<(), Fail> {
    if column.mutable || ctx.txn.is_inserted(uuid) {
        return Ok(());
    }
    Err(format!("cannot modify read-only column {} in table {}", column.name, table.name).into())
}

/// Applies `COLUMN[:KEY]=VALUE` to a row.
pub(in super::super) fn set_column(
    ctx: &mut Context<'_>,
    table: &str,
    uuid: Uuid,
    word: &str,
) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, table)?;
    let argument = argument::parse(table, word, &["="])?;
    let column = argument.column;
    let Some((_, value)) = argument.value else { return Ok(()) };
    check_mutable(ctx, table, uuid, column)?;
    ctx.touch(&table.name, &column.name);
    if argument.key.is_some() {
        let Some(value_type) = &column.ty.value else {
            let name = &column.name;
            return Err(format!("cannot specify key to set for non-map column {name}").into());
        };
        let Some(key) = argument.key_atom(Some(&mut ctx.symbols))? else { return Ok(()) };
        let value = Atom::from_text(value_type, value, Some(&mut ctx.symbols))?;
        let pair = Datum::map(vec![(key, value)]);
        ctx.txn.insert_values(&table.name, uuid, &column.name, &pair);
    } else {
        let datum = Datum::from_text(&column.ty, value, Some(&mut ctx.symbols))?;
        ctx.txn.set(&table.name, uuid, &column.name, datum);
    }
    Ok(())
}

pub(in super::super) fn set(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    for word in command.tail(2) {
        argument::parse(table, word, &["="])?;
    }
    let Some(uuid) = target(ctx, table, command)? else { return Ok(()) };
    command.tail(2).iter().try_for_each(|word| set_column(ctx, &table.name, uuid, word))
}

/// The column's type with any number of elements.
fn unbounded(ty: &ColumnType, min: u32) -> ColumnType {
    ColumnType { min, max: UNLIMITED, ..ty.clone() }
}

pub(in super::super) fn add(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    let (_, column) = names::column(table, command.arg(2))?;
    let Some(uuid) = target(ctx, table, command)? else { return Ok(()) };
    check_mutable(ctx, table, uuid, column)?;
    let ty = unbounded(&column.ty, 1);
    for word in command.tail(3) {
        let values = Datum::from_text(&ty, word, Some(&mut ctx.symbols))?;
        ctx.txn.insert_values(&table.name, uuid, &column.name, &values);
    }
    ctx.touch(&table.name, &column.name);
    Ok(())
}

pub(in super::super) fn remove(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    let (_, column) = names::column(table, command.arg(2))?;
    let Some(uuid) = target(ctx, table, command)? else { return Ok(()) };
    check_mutable(ctx, table, uuid, column)?;
    for word in command.tail(3) {
        let have = ctx.row(&table.name, uuid)?.get(&column.name).clone();
        let gone = to_remove(ctx, &column.ty, word, &have)?;
        if !gone.is_empty() {
            ctx.txn.delete_values(&table.name, uuid, &column.name, &gone);
        }
    }
    ctx.touch(&table.name, &column.name);
    Ok(())
}

/// The elements of a set, or keys of a map, that `word` removes and that are there. For a map,
/// `KEY=VALUE` removes the key only if it has that value.
fn to_remove(ctx: &mut Context<'_>, ty: &ColumnType, word: &str, have: &Datum) -> Result<Datum, Fail> {
    let ty = unbounded(ty, 1);
    if ty.is_map()
        && let Ok(pairs) = Datum::from_text(&ty, word, Some(&mut ctx.symbols))
    {
        let gone = pairs.pairs().iter().filter(|(key, value)| have.lookup(key) == Some(value));
        return Ok(Datum::set(gone.map(|(key, _)| key.clone()).collect()));
    }
    let keys = ColumnType { value: None, ..ty };
    let gone = Datum::from_text(&keys, word, Some(&mut ctx.symbols))?;
    let there = |atom: &&Atom| have.keys().any(|key| key == *atom);
    Ok(Datum::set(gone.atoms().iter().filter(there).cloned().collect()))
}

pub(in super::super) fn clear(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    for word in command.tail(2) {
        names::column(table, word)?;
    }
    let Some(uuid) = target(ctx, table, command)? else { return Ok(()) };
    for word in command.tail(2) {
        let (_, column) = names::column(table, word)?;
        check_mutable(ctx, table, uuid, column)?;
        if column.ty.min > 0 {
            return Err(format!(
                "\"clear\" operation cannot be applied to column {} of table {}, which is not allowed to be empty",
                column.name, table.name
            )
            .into());
        }
        ctx.txn.set(&table.name, uuid, &column.name, Datum::Empty);
        ctx.touch(&table.name, &column.name);
    }
    Ok(())
}

pub(in super::super) fn create(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    let uuid = match command.value("--id") {
        Some(id) => {
            let symbol = new_symbol(ctx, id)?;
            // Rows of a root table stay without a reference.
            symbol.strong_ref |= table.is_root;
            symbol.uuid
        }
        None => {
            if !table.is_root {
                tracing::warn!(
                    target: "db_ctl_base",
                    "applying \"create\" command to table {} without --id option will have no effect",
                    table.name
                );
            }
            ovsdb::value::generate()
        }
    };
    ctx.txn.insert_as(&table.name, uuid);
    for word in command.tail(1) {
        set_column(ctx, &table.name, uuid, word)?;
    }
    ctx.output.created = Some(uuid);
    Ok(())
}

pub(in super::super) fn destroy(ctx: &mut Context<'_>, command: &Command) -> Result<(), Fail> {
    let schema = ctx.txn.replica().schema().clone();
    let table = names::table(&schema, command.arg(0))?;
    let (all, names) = (command.has("--all"), command.tail(1));
    if all && !names.is_empty() {
        return Err("--all and records argument should not be specified together".into());
    }
    if all && command.has("--if-exists") {
        return Err("--all and --if-exists should not be specified together".into());
    }
    if !all && names.is_empty() {
        tracing::warn!(
            target: "db_ctl_base",
            "either --all or records argument should be specified"
        );
        return Ok(());
    }
    let mut gone: Vec<Uuid> = Vec::new();
    if all {
        gone.extend(ctx.txn.rows(&table.name).iter().map(|row| row.uuid()));
    }
    for name in names {
        match record::find(ctx, table, name)? {
            Some(uuid) => gone.push(uuid),
            None if command.has("--if-exists") => {}
            None => return Err(format!("no row \"{name}\" in table {}", table.name).into()),
        }
    }
    for uuid in gone {
        ctx.txn.delete(&table.name, uuid);
    }
    ctx.invalidate();
    Ok(())
}
