//! The rows a client follows, and what changed in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::schema::{Schema, Table};
use crate::value::{Atom, Datum, Uuid};

/// The values of a row, indexed like [`Table::columns`]. Columns not followed hold their default.
pub type RowData = Vec<Datum>;

static EMPTY: Datum = Datum::Empty;

/// A copy of the followed part of one database.
#[derive(Clone, Debug)]
pub struct Replica {
    schema: Arc<Schema>,
    /// Indexed like [`Schema::tables`]; rows ascending by uuid.
    tables: Vec<BTreeMap<Uuid, Arc<RowData>>>,
}

impl Replica {
    pub(super) fn new(schema: Arc<Schema>) -> Self {
        let tables = schema.tables.iter().map(|_| BTreeMap::new()).collect();
        Self { schema, tables }
    }

    /// The server's schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The rows of `table`, ascending by uuid; none if there is no such table.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = Row<'_>> {
        let found = self.schema.lookup(table);
        found.into_iter().flat_map(move |(index, table)| {
            let rows = self.tables.get(index).into_iter().flatten();
            rows.map(move |(uuid, data)| Row { table, uuid: *uuid, data })
        })
    }

    /// The row `uuid` of `table`.
    pub fn row(&self, table: &str, uuid: Uuid) -> Option<Row<'_>> {
        let (index, table) = self.schema.lookup(table)?;
        let data = self.tables.get(index)?.get(&uuid)?;
        Some(Row { table, uuid, data })
    }

    /// The first row of `table`: the one of `Open_vSwitch`, of which there is one.
    pub fn first(&self, table: &str) -> Option<Row<'_>> {
        self.rows(table).next()
    }

    /// The first row of `table` whose string `column` is `value`.
    pub fn find(&self, table: &str, column: &str, value: &str) -> Option<Row<'_>> {
        self.rows(table).find(|row| row.str(column) == Some(value))
    }

    /// How many rows `table` has here.
    pub fn len(&self, table: &str) -> usize {
        let index = self.schema.lookup(table).map(|(index, _)| index);
        index.and_then(|index| self.tables.get(index)).map_or(0, BTreeMap::len)
    }

    /// Whether no table has a row.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(BTreeMap::is_empty)
    }

    pub(super) fn data(&self, table: usize, uuid: Uuid) -> Option<&Arc<RowData>> {
        self.tables.get(table)?.get(&uuid)
    }

    /// Puts (`Some`) or removes (`None`) a row; gives what was there.
    pub(super) fn replace(
        &mut self,
        table: usize,
        uuid: Uuid,
        data: Option<Arc<RowData>>,
    ) -> Option<Arc<RowData>> {
        let rows = self.tables.get_mut(table)?;
        match data {
            Some(data) => rows.insert(uuid, data),
            None => rows.remove(&uuid),
        }
    }

    /// The changes that turn `old` (of the same schema) into this.
    pub(super) fn since(&self, old: &Self, changes: &mut Changes) {
        for (table, (new_rows, old_rows)) in self.tables.iter().zip(&old.tables).enumerate() {
            for (uuid, old) in old_rows {
                changes.note(table, *uuid, Some(old), new_rows.get(uuid));
            }
            for (uuid, new) in new_rows.iter().filter(|(uuid, _)| !old_rows.contains_key(uuid)) {
                changes.note(table, *uuid, None, Some(new));
            }
        }
    }
}

/// One row, with typed access by column name. A column that the schema lacks reads as empty.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub(super) table: &'a Table,
    pub(super) uuid: Uuid,
    pub(super) data: &'a RowData,
}

impl<'a> Row<'a> {
    /// The row's identifier.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The schema of its table.
    pub fn table(&self) -> &'a Table {
        self.table
    }

    /// The value of `column`.
    pub fn get(&self, column: &str) -> &'a Datum {
        match self.table.lookup(column) {
            Some((index, _)) => self.data.get(index).unwrap_or(&EMPTY),
            None => &EMPTY,
        }
    }

    /// A string, or a set of at most one.
    pub fn str(&self, column: &str) -> Option<&'a str> {
        self.get(column).as_str()
    }

    /// An integer, or a set of at most one.
    pub fn integer(&self, column: &str) -> Option<i64> {
        self.get(column).as_integer()
    }

    /// A boolean, or a set of at most one.
    pub fn bool(&self, column: &str) -> Option<bool> {
        self.get(column).as_bool()
    }

    /// A reference, or a set of at most one.
    pub fn reference(&self, column: &str) -> Option<Uuid> {
        self.get(column).as_uuid()
    }

    /// A set of references.
    pub fn references(&self, column: &str) -> impl Iterator<Item = Uuid> + use<'a> {
        self.get(column).atoms().iter().filter_map(Atom::as_uuid)
    }

    /// A set of strings.
    pub fn strs(&self, column: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get(column).atoms().iter().filter_map(Atom::as_str)
    }

    /// A set of integers.
    pub fn integers(&self, column: &str) -> impl Iterator<Item = i64> + use<'a> {
        self.get(column).atoms().iter().filter_map(Atom::as_integer)
    }

    /// The pairs of a map of strings to strings.
    pub fn map(&self, column: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.get(column).pairs().iter().filter_map(|(k, v)| Some((k.as_str()?, v.as_str()?)))
    }

    /// The value of `key` in a map of strings to strings.
    pub fn map_str(&self, column: &str, key: &str) -> Option<&'a str> {
        self.get(column).lookup_str(key)
    }

    /// As OVS's `smap_get_bool`: only "true" is true when the default is false, only "false" is
    /// false when it is true.
    pub fn map_bool(&self, column: &str, key: &str, default: bool) -> bool {
        match self.map_str(column, key) {
            None => default,
            Some(text) if default => !text.eq_ignore_ascii_case("false"),
            Some(text) => text.eq_ignore_ascii_case("true"),
        }
    }

    /// An integer in a map of strings; `None` when missing or not a number.
    pub fn map_integer(&self, column: &str, key: &str) -> Option<i64> {
        self.map_str(column, key)?.trim().parse().ok()
    }
}

/// How a row differs from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// New.
    Inserted,
    /// Other values.
    Modified,
    /// Gone.
    Deleted,
}

/// One changed row.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    pub table: &'a str,
    pub uuid: Uuid,
    pub kind: ChangeKind,
    schema: &'a Table,
    old: Option<&'a RowData>,
    new: Option<&'a RowData>,
}

impl<'a> Change<'a> {
    /// The row as it was; `None` if it is new.
    pub fn old(&self) -> Option<Row<'a>> {
        self.old.map(|data| Row { table: self.schema, uuid: self.uuid, data })
    }

    /// The row as it is; `None` if it is gone.
    pub fn row(&self) -> Option<Row<'a>> {
        self.new.map(|data| Row { table: self.schema, uuid: self.uuid, data })
    }

    /// Whether `column` has another value (of a new or deleted row: always).
    pub fn has(&self, column: &str) -> bool {
        match (self.old, self.new, self.schema.lookup(column)) {
            (Some(old), Some(new), Some((index, _))) => old.get(index) != new.get(index),
            (_, _, found) => found.is_some(),
        }
    }
}

/// The changed rows since the last [`super::Client::take_changes`]: each once, first state
/// against last, ascending by table and uuid.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    schema: Option<Arc<Schema>>,
    rows: BTreeMap<(usize, Uuid), Delta>,
}

#[derive(Clone, Debug)]
struct Delta {
    old: Option<Arc<RowData>>,
    new: Option<Arc<RowData>>,
}

impl Changes {
    pub(super) fn new(schema: Arc<Schema>) -> Self {
        Self { schema: Some(schema), rows: BTreeMap::new() }
    }

    pub(super) fn note(
        &mut self,
        table: usize,
        uuid: Uuid,
        old: Option<&Arc<RowData>>,
        new: Option<&Arc<RowData>>,
    ) {
        let delta = self.rows.entry((table, uuid)).or_insert_with(|| Delta { old: old.cloned(), new: None });
        delta.new = new.cloned();
        if delta.old == delta.new {
            self.rows.remove(&(table, uuid));
        }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows changed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Every changed row.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        let schema = self.schema.as_deref();
        self.rows.iter().filter_map(move |((table, uuid), delta)| {
            let schema = schema?.tables.get(*table)?;
            let kind = match (&delta.old, &delta.new) {
                (None, _) => ChangeKind::Inserted,
                (_, None) => ChangeKind::Deleted,
                _ => ChangeKind::Modified,
            };
            let (old, new) = (delta.old.as_deref(), delta.new.as_deref());
            Some(Change { table: &schema.name, uuid: *uuid, kind, schema, old, new })
        })
    }

    /// The changed rows of one table.
    pub fn of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = Change<'a>> {
        self.iter().filter(move |change| change.table == table)
    }
}
