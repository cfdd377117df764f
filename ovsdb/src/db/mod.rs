//! The database in memory: rows, unique indexes, reference counts, immutable snapshots.
//!
//! The cost of a change depends on the rows that it changes, never on the size of a table. Only the
//! engine writes; snapshots may go to other threads.

mod refs;
mod row;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::refs::{RefColumn, RefColumns};
pub use self::row::Row;
pub use self::table::{Snapshot as TableSnapshot, Table};

use crate::schema::Schema;
use crate::value::Uuid;

/// What one transaction did to one row.
#[derive(Clone, Debug)]
pub struct Change {
    /// Index of the table.
    pub table: usize,
    pub uuid: Uuid,
    pub old: Option<Row>,
    pub new: Option<Row>,
}

/// A database: a schema and the rows of its tables.
#[derive(Debug)]
pub struct Database {
    schema: Arc<Schema>,
    refs: Vec<RefColumns>,
    tables: Vec<Table>,
    /// (table, row referred to, referring table, referring row) -> number of weak references.
    weak: BTreeMap<(usize, Uuid, usize, Uuid), i64>,
}

/// A database as it was when the snapshot was taken.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub schema: Arc<Schema>,
    /// In the order of the schema's tables.
    pub tables: Vec<TableSnapshot>,
}

impl Database {
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            refs: RefColumns::of(&schema),
            tables: schema.tables.iter().map(|t| Table::new(&t.indexes)).collect(),
            weak: BTreeMap::new(),
            schema,
        }
    }

    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    pub fn table(&self, index: usize) -> &Table {
        &self.tables[index]
    }

    pub fn refs(&self, table: usize) -> &RefColumns {
        &self.refs[table]
    }

    pub fn lookup(&self, table: usize, uuid: Uuid) -> Option<&Row> {
        self.tables[table].lookup(uuid)
    }

    /// Rows in all tables.
    pub fn n_rows(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// Copies one pointer per 64 rows.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { schema: self.schema.clone(), tables: self.tables.iter().map(Table::snapshot).collect() }
    }

    /// The rows that refer weakly to that row.
    pub fn weak_sources(&self, table: usize, uuid: Uuid) -> impl Iterator<Item = (usize, Uuid)> {
        let from = (table, uuid, 0, Uuid::nil());
        let to = (table, uuid, usize::MAX, Uuid::max());
        self.weak.range(from..=to).map(|(k, _)| (k.2, k.3))
    }

    /// Weak references between rows.
    pub fn n_weak_refs(&self) -> usize {
        self.weak.len()
    }

    /// Makes changes that were checked.
    pub fn apply(&mut self, changes: &[Change]) {
        for c in changes {
            self.put(c.table, c.uuid, c.new.as_ref());
        }
        for c in changes {
            self.count(c.table, c.uuid, c.old.as_ref(), c.new.as_ref());
        }
    }

    /// Undoes changes that were the last to be applied.
    pub fn revert(&mut self, changes: &[Change]) {
        for c in changes {
            self.put(c.table, c.uuid, c.old.as_ref());
        }
        for c in changes {
            self.count(c.table, c.uuid, c.new.as_ref(), c.old.as_ref());
        }
    }

    fn put(&mut self, table: usize, uuid: Uuid, row: Option<&Row>) {
        match row {
            Some(row) => drop(self.tables[table].put(row.clone())),
            None => drop(self.tables[table].remove(uuid)),
        }
    }

    fn count(&mut self, table: usize, uuid: Uuid, old: Option<&Row>, new: Option<&Row>) {
        let Self { refs, tables, weak, .. } = self;
        refs[table].strong_changes(old, new, |_, t, u, delta| tables[t].adjust_refs(u, delta));
        for r in &refs[table].weak {
            r.changes(old, new, |t, u, delta| {
                let key = (t, u, table, uuid);
                let n = weak.entry(key).or_insert(0);
                *n += delta;
                if *n == 0 {
                    weak.remove(&key);
                }
            });
        }
    }

    /// Puts a row in place without counting references: for loading a log, with
    /// [`Database::recount`] at the end.
    pub fn load(&mut self, table: usize, uuid: Uuid, row: Option<Row>) {
        match row {
            Some(row) => drop(self.tables[table].put(row)),
            None => drop(self.tables[table].remove(uuid)),
        }
    }

    /// Counts all references anew, after rows were loaded.
    pub fn recount(&mut self) {
        self.tables.iter_mut().for_each(Table::forget_refs);
        self.weak.clear();
        for table in 0..self.tables.len() {
            if self.refs[table].strong.is_empty() && self.refs[table].weak.is_empty() {
                continue;
            }
            let snapshot = self.tables[table].snapshot();
            for row in snapshot.rows() {
                self.count(table, row.uuid(), None, Some(row));
            }
        }
    }
}
