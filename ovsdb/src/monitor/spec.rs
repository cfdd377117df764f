//! Monitor requests, read and checked.

use std::fmt::Write as _;

use serde_json::Value;

use crate::clause::Condition;
use crate::error::{Error, Result, tag};
use crate::json;
use crate::parser::Parser;
use crate::schema::{COL_UUID, Schema, Table};

/// The form of updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `monitor`: old and new rows.
    V1,
    /// `monitor_cond` and `monitor_cond_since`: differences.
    V2,
}

/// Kinds of changes, as bits.
pub mod select {
    pub const INITIAL: u8 = 1;
    pub const INSERT: u8 = 2;
    pub const DELETE: u8 = 4;
    pub const MODIFY: u8 = 8;
    pub const ALL: u8 = 15;
}

/// What is monitored of one table.
#[derive(Clone, Debug)]
pub struct MonitoredTable {
    /// Index of the table.
    pub table: usize,
    /// Column and the kinds of changes that show it.
    pub columns: Vec<(usize, u8)>,
    /// Kinds of changes that show at all.
    pub select: u8,
    pub condition: Condition,
    /// The condition's JSON, to tell specs apart.
    where_text: String,
}

/// What a monitor shows.
#[derive(Clone, Debug)]
pub struct Spec {
    pub version: Version,
    /// Ascending by table.
    pub tables: Vec<MonitoredTable>,
}

impl Spec {
    /// Reads `<monitor-requests>`.
    ///
    /// # Errors
    /// `syntax error`, `unknown column`.
    pub fn from_json(schema: &Schema, requests: &Value, version: Version) -> Result<Self> {
        let Value::Object(tables) = requests else {
            return Err(Error::syntax(requests, "monitor-requests must be object"));
        };
        let mut spec = Self { version, tables: Vec::with_capacity(tables.len()) };
        for (name, requests) in tables {
            let Some((index, table)) = schema.lookup(name) else {
                return Err(Error::new(tag::SYNTAX, format!("no table named {name}")));
            };
            spec.tables.push(parse_table(index, table, requests, version)?);
        }
        spec.tables.sort_by_key(|t| t.table);
        Ok(spec)
    }

    /// Equal for specs that show the same.
    pub fn key(&self) -> String {
        let mut key = format!("{:?}", self.version);
        for t in &self.tables {
            let _ = write!(key, ";{}:{:?}:{}", t.table, t.columns, t.where_text);
        }
        key
    }

    /// The spec with other conditions, as `monitor_cond_change` asks.
    ///
    /// # Errors
    /// `syntax error`, `unknown column`.
    pub fn with_conditions(&self, schema: &Schema, changes: &Value) -> Result<Self> {
        let Value::Object(tables) = changes else {
            let text = "monitor-cond-change-requests must be object";
            return Err(Error::new(tag::SYNTAX, text));
        };
        let mut spec = self.clone();
        for (name, requests) in tables {
            let index = schema.lookup(name).map(|(i, _)| i);
            let Some(t) = spec.tables.iter_mut().find(|t| Some(t.table) == index) else {
                let text = format!("no table named {name} in monitor session");
                return Err(Error::new(tag::SYNTAX, text));
            };
            let Value::Array(requests) = requests else {
                let text = format!("table {name} no monitor-cond-change JSON array");
                return Err(Error::new(tag::SYNTAX, text));
            };
            t.forget_condition();
            for request in requests {
                let mut p = Parser::new(request, format!("table {name}"))?;
                if p.array("columns")?.is_some() {
                    return Err(Error::syntax(request, "changing columns is unsupported"));
                }
                let clauses = p.array("where")?;
                p.finish()?;
                t.add_condition(&schema.tables[t.table], clauses.map(Vec::as_slice))?;
            }
        }
        Ok(spec)
    }
}

impl MonitoredTable {
    fn forget_condition(&mut self) {
        self.condition = Condition::default();
        self.where_text.clear();
    }

    fn add_condition(&mut self, table: &Table, clauses: Option<&[Value]>) -> Result<()> {
        let Some(clauses) = clauses else { return Ok(()) };
        self.condition.clauses.extend(Condition::from_json(table, clauses, None)?.clauses);
        for c in clauses {
            json::write(c, &mut self.where_text);
            self.where_text.push(',');
        }
        Ok(())
    }
}

fn parse_table(index: usize, table: &Table, requests: &Value, version: Version) -> Result<MonitoredTable> {
    let mut t = MonitoredTable {
        table: index,
        columns: Vec::new(),
        select: 0,
        condition: Condition::default(),
        where_text: String::new(),
    };
    match requests {
        Value::Array(requests) => {
            for r in requests {
                parse_request(&mut t, table, r, version)?;
            }
        }
        one => parse_request(&mut t, table, one, version)?,
    }
    t.columns.sort_unstable();
    Ok(t)
}

fn parse_request(t: &mut MonitoredTable, table: &Table, json: &Value, version: Version) -> Result<()> {
    let mut p = Parser::new(json, format!("table {}", table.name))?;
    let columns = p.array("columns")?;
    let clauses = if version == Version::V2 { p.array("where")? } else { None };
    let select = p.optional("select");
    if select.is_some_and(|s| !s.is_object()) {
        return Err(p.mismatch("select"));
    }
    p.finish()?;
    let select = select.map_or(Ok(select::ALL), |s| parse_select(table, s))?;
    t.select |= select;
    match columns {
        Some(names) => {
            let names_json = Value::Array(names.clone());
            for name in names {
                let Some(name) = name.as_str() else {
                    return Err(Error::syntax(&names_json, "array of column names expected"));
                };
                let Some((i, _)) = table.lookup(name) else {
                    let text = format!("{name} is not a valid column name");
                    return Err(Error::syntax(&names_json, text));
                };
                if t.columns.iter().any(|(c, _)| *c == i) {
                    let text = format!("column {name} mentioned more than once");
                    return Err(Error::syntax(&names_json, text));
                }
                t.columns.push((i, select));
            }
        }
        None => {
            for i in (0..table.columns.len()).filter(|&i| i != COL_UUID) {
                if t.columns.iter().any(|(c, _)| *c == i) {
                    let text = format!("column {} mentioned more than once", table.columns[i].name);
                    return Err(Error::new(tag::SYNTAX, text));
                }
                t.columns.push((i, select));
            }
        }
    }
    t.add_condition(table, clauses.map(Vec::as_slice))
}

fn parse_select(table: &Table, json: &Value) -> Result<u8> {
    let mut p = Parser::new(json, format!("table {} select", table.name))?;
    let mut bits = 0;
    for (name, bit) in [
        ("initial", select::INITIAL),
        ("insert", select::INSERT),
        ("delete", select::DELETE),
        ("modify", select::MODIFY),
    ] {
        if p.boolean(name)?.unwrap_or(true) {
            bits |= bit;
        }
    }
    p.finish()?;
    Ok(bits)
}
