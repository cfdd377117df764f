//! Schemas: tables, columns, indexes; their JSON form, versions and checksum.
//!
//! A schema is immutable once parsed and is shared (`Arc`) by whoever needs it.

mod cksum;
mod parse;
mod version;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Map, Value};

pub use self::cksum::cksum;
pub use self::parse::parse_column_set;
pub use self::version::{Version, is_valid_version};

use crate::value::ColumnType;

/// Index of `_uuid` in every table.
pub const COL_UUID: usize = 0;
/// Index of `_version` in every table.
pub const COL_VERSION: usize = 1;
/// Index of the first column that the schema names.
pub const COL_FIRST: usize = 2;

/// A database schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    pub name: String,
    pub version: String,
    /// As written in the file; not computed.
    pub cksum: String,
    /// Ascending by name.
    pub tables: Vec<Table>,
    by_name: HashMap<String, usize>,
}

/// A table of a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: String,
    /// `_uuid`, `_version`, then the schema's columns ascending by name.
    pub columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    pub max_rows: u32,
    /// Rows live without being referred to.
    pub is_root: bool,
    /// Column indexes of each unique index.
    pub indexes: Vec<Vec<usize>>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub ty: ColumnType,
    pub mutable: bool,
    /// Kept in the file.
    pub persistent: bool,
}

impl Schema {
    /// Index and table of that name.
    pub fn lookup(&self, table: &str) -> Option<(usize, &Table)> {
        self.by_name.get(table).map(|&i| (i, &self.tables[i]))
    }

    pub fn table(&self, name: &str) -> Option<&Table> {
        self.lookup(name).map(|(_, t)| t)
    }

    pub fn to_json(&self) -> Value {
        let mut m = Map::new();
        m.insert("name".into(), self.name.clone().into());
        if !self.version.is_empty() {
            m.insert("version".into(), self.version.clone().into());
        }
        if !self.cksum.is_empty() {
            m.insert("cksum".into(), self.cksum.clone().into());
        }
        // A schema without any isRoot treats every table as root: then none says so.
        let default_root = self.tables.iter().all(|t| t.is_root || t.name.starts_with('_'));
        let tables = self.tables.iter().map(|t| (t.name.clone(), t.to_json(default_root)));
        m.insert("tables".into(), Value::Object(tables.collect()));
        Value::Object(m)
    }
}

impl Table {
    /// Index and column of that name.
    pub fn lookup(&self, column: &str) -> Option<(usize, &Column)> {
        self.by_name.get(column).map(|&i| (i, &self.columns[i]))
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.lookup(name).map(|(_, c)| c)
    }

    fn to_json(&self, default_root: bool) -> Value {
        let mut m = Map::new();
        if self.is_root && !default_root {
            m.insert("isRoot".into(), true.into());
        }
        let columns = self.columns[COL_FIRST..].iter().map(|c| (c.name.clone(), c.to_json()));
        m.insert("columns".into(), Value::Object(columns.collect()));
        if self.max_rows != u32::MAX {
            m.insert("maxRows".into(), self.max_rows.into());
        }
        if !self.indexes.is_empty() {
            let names = |index: &Vec<usize>| -> Value {
                index.iter().map(|&c| self.columns[c].name.clone()).collect()
            };
            m.insert("indexes".into(), self.indexes.iter().map(names).collect());
        }
        Value::Object(m)
    }
}

impl Column {
    fn to_json(&self) -> Value {
        let mut m = Map::new();
        if !self.mutable {
            m.insert("mutable".into(), false.into());
        }
        if !self.persistent {
            m.insert("ephemeral".into(), true.into());
        }
        m.insert("type".into(), self.ty.to_json());
        Value::Object(m)
    }
}
