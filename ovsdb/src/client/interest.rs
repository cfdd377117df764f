//! Which tables, columns and rows to follow.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::schema::{COL_FIRST, Schema};

/// What a client wants to follow. Tables and columns that the server's schema lacks are skipped,
/// so that a newer client works with an older database.
#[derive(Clone, Debug)]
pub struct Interest {
    /// `None`: every table.
    tables: Option<BTreeMap<String, Wanted>>,
}

#[derive(Clone, Debug, Default)]
struct Wanted {
    /// `None`: every column.
    columns: Option<Vec<String>>,
    /// A monitor condition; `None`: every row.
    condition: Option<Value>,
}

impl Interest {
    /// Everything.
    pub fn all() -> Self {
        Self { tables: None }
    }

    /// Nothing yet.
    pub fn none() -> Self {
        Self { tables: Some(BTreeMap::new()) }
    }

    /// Adds a table with every column.
    #[must_use]
    pub fn table(mut self, table: &str) -> Self {
        self.wanted(table).columns = None;
        self
    }

    /// Adds columns of a table.
    #[must_use]
    pub fn columns(mut self, table: &str, columns: &[&str]) -> Self {
        let known = self.tables.as_ref().is_none_or(|tables| tables.contains_key(table));
        let wanted = self.wanted(table);
        match &mut wanted.columns {
            Some(list) => list.extend(columns.iter().map(|c| (*c).to_owned())),
            None if known => {}
            None => wanted.columns = Some(columns.iter().map(|c| (*c).to_owned()).collect()),
        }
        self
    }

    /// Follows only rows that satisfy `condition`, as in `monitor_cond`'s `where`. A server
    /// without `monitor_cond` sends all rows.
    #[must_use]
    pub fn condition(mut self, table: &str, condition: Value) -> Self {
        self.wanted(table).condition = Some(condition);
        self
    }

    fn wanted(&mut self, table: &str) -> &mut Wanted {
        self.tables.get_or_insert_default().entry(table.to_owned()).or_default()
    }

    /// The `monitor` requests for `schema`; `conditional` adds the `where` members.
    pub(super) fn requests(&self, schema: &Schema, conditional: bool) -> Value {
        let mut requests = Map::new();
        for table in schema.tables.iter().filter(|table| !table.name.starts_with('_')) {
            let wanted = match &self.tables {
                None => &Wanted::default(),
                Some(tables) => match tables.get(&table.name) {
                    Some(wanted) => wanted,
                    None => continue,
                },
            };
            let columns: Vec<&str> = table.columns[COL_FIRST..]
                .iter()
                .map(|column| column.name.as_str())
                .filter(|name| match &wanted.columns {
                    None => true,
                    Some(list) => list.iter().any(|c| c == name),
                })
                .collect();
            let mut request = Map::new();
            request.insert("columns".into(), columns.into());
            if let (true, Some(condition)) = (conditional, &wanted.condition) {
                request.insert("where".into(), condition.clone());
            }
            requests.insert(table.name.clone(), json!([request]));
        }
        Value::Object(requests)
    }
}
