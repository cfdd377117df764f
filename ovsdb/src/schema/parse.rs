//! Reading a schema from JSON, with every check that OVS makes.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{COL_FIRST, Column, Schema, Table, is_valid_version};
use crate::error::{Error, Result, tag};
use crate::json;
use crate::parser::Parser;
use crate::value::{AtomicType, BaseType, ColumnType};

impl Schema {
    /// Reads and checks a schema.
    ///
    /// # Errors
    /// `syntax error` that says where.
    pub fn from_json(json: &Value) -> Result<Self> {
        let mut p = Parser::new(json, "database schema")?;
        let name = p.id("name")?.ok_or_else(|| p.missing("name"))?.to_owned();
        let version = p.string("version")?;
        let cksum = p.string("cksum")?.unwrap_or("").to_owned();
        let tables = p.object("tables")?.ok_or_else(|| p.missing("tables"))?;
        p.finish()?;
        if let Some(bad) = version.filter(|v| !is_valid_version(v)) {
            let text = format!("schema version \"{bad}\" not in format x.y.z");
            return Err(Error::syntax(json, text));
        }
        let version = version.unwrap_or("").to_owned();
        let mut tables = parse_tables(json, tables)?;
        if !tables.iter().any(|t| t.is_root) {
            tables.iter_mut().for_each(|t| t.is_root = true);
        }
        resolve_references(&mut tables)?;
        let by_name = tables.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        Ok(Self { name, version, cksum, tables, by_name })
    }

    /// Reads a schema from the text of a file.
    ///
    /// # Errors
    /// As [`Schema::from_json`], and bad JSON.
    pub fn from_text(text: &str) -> Result<Self> {
        let json = json::parse(text.as_bytes()).map_err(|e| Error::new(tag::SYNTAX, e.to_string()))?;
        Self::from_json(&json)
    }
}

fn check_name(json: &Value, name: &str) -> Result<()> {
    if name.starts_with('_') {
        Err(Error::syntax(json, "names beginning with \"_\" are reserved"))
    } else if !json::is_id(name) {
        Err(Error::syntax(json, "name must be a valid id"))
    } else {
        Ok(())
    }
}

fn parse_tables(json: &Value, tables: &Map<String, Value>) -> Result<Vec<Table>> {
    let mut out = Vec::with_capacity(tables.len());
    for (name, table) in tables {
        check_name(json, name)?;
        out.push(parse_table(name, table)?);
    }
    Ok(out)
}

fn parse_table(name: &str, json: &Value) -> Result<Table> {
    let mut p = Parser::new(json, format!("table schema for table {name}"))?;
    let columns_json = p.object("columns")?.ok_or_else(|| p.missing("columns"))?;
    let max_rows = p.integer("maxRows")?;
    let is_root = p.boolean("isRoot")?.unwrap_or(false);
    let indexes_json = p.array("indexes")?;
    p.finish()?;
    let max_rows = match max_rows {
        None => u32::MAX,
        Some(n) if n > 0 => u32::try_from(n).unwrap_or(u32::MAX),
        Some(_) => return Err(Error::syntax(json, "maxRows must be at least 1")),
    };
    if columns_json.is_empty() {
        return Err(Error::syntax(json, "table must have at least one column"));
    }
    let mut columns = builtin_columns();
    for (name, column) in columns_json {
        check_name(json, name)?;
        columns.push(parse_column(name, column)?);
    }
    let by_name = columns.iter().enumerate().map(|(i, c)| (c.name.clone(), i)).collect();
    let mut table = Table { name: name.to_owned(), columns, by_name, max_rows, is_root, indexes: vec![] };
    for index in indexes_json.into_iter().flatten() {
        let columns = parse_index(&table, index)?;
        table.indexes.push(columns);
    }
    Ok(table)
}

fn builtin_columns() -> Vec<Column> {
    let column = |name: &str, persistent| Column {
        name: name.to_owned(),
        ty: ColumnType::scalar(AtomicType::Uuid),
        mutable: false,
        persistent,
    };
    vec![column("_uuid", true), column("_version", false)]
}

fn parse_column(name: &str, json: &Value) -> Result<Column> {
    let mut p = Parser::new(json, format!("schema for column {name}"))?;
    let mutable = p.boolean("mutable")?.unwrap_or(true);
    let ephemeral = p.boolean("ephemeral")?.unwrap_or(false);
    let ty = p.required("type")?;
    p.finish()?;
    Ok(Column { name: name.to_owned(), ty: ColumnType::from_json(ty)?, mutable, persistent: !ephemeral })
}

fn parse_index(table: &Table, json: &Value) -> Result<Vec<usize>> {
    let columns = parse_column_set(table, json)?;
    if columns.is_empty() {
        return Err(Error::syntax(json, "index must have at least one column"));
    }
    for &c in &columns {
        let column = &table.columns[c];
        if !column.persistent {
            let text = format!("ephemeral columns (such as {}) may not be indexed", column.name);
            return Err(Error::syntax(json, text));
        }
    }
    Ok(columns)
}

/// Reads an array of distinct names of columns of `table` as column indexes.
///
/// # Errors
/// `syntax error`.
pub fn parse_column_set(table: &Table, json: &Value) -> Result<Vec<usize>> {
    let distinct = || Error::syntax(json, "array of distinct column names expected");
    let mut columns = Vec::new();
    for name in json.as_array().ok_or_else(distinct)? {
        let name = name.as_str().ok_or_else(distinct)?;
        let (index, _) = table
            .lookup(name)
            .ok_or_else(|| Error::syntax(json, format!("{name} is not a valid column name")))?;
        if columns.contains(&index) {
            return Err(distinct());
        }
        columns.push(index);
    }
    Ok(columns)
}

fn resolve_references(tables: &mut [Table]) -> Result<()> {
    let roots: HashMap<String, bool> = tables.iter().map(|t| (t.name.clone(), t.is_root)).collect();
    for table in tables {
        for column in &mut table.columns[COL_FIRST..] {
            let ends = [("key", Some(&column.ty.key)), ("value", column.ty.value.as_ref())];
            let mut keeps_alive = false;
            for (end, base) in ends {
                keeps_alive |= check_reference(&roots, &column.name, end, base)?;
                // A weak reference goes when its row goes, whatever the schema says.
                column.mutable |= base.is_some_and(|b| b.weak_ref().is_some());
            }
            // Rows that only this column keeps alive must still be there after a restart.
            column.persistent |= keeps_alive;
        }
    }
    Ok(())
}

/// Whether `base` keeps rows of a non-root table alive.
fn check_reference(
    roots: &HashMap<String, bool>,
    column: &str,
    end: &str,
    base: Option<&BaseType>,
) -> Result<bool> {
    let Some(reference) = base.and_then(BaseType::reference) else { return Ok(false) };
    let Some(&is_root) = roots.get(&reference.table) else {
        let text = format!("column {column} {end} refers to undefined table {}", reference.table);
        return Err(Error::new(tag::SYNTAX, text));
    };
    Ok(!is_root && reference.kind == crate::value::RefKind::Strong)
}
