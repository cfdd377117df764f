//! Edits over a replica: reads see the transaction's own writes; `finish` gives the operations.
//!
//! A whole-column `set` sends the new value; `insert_values`, `map_put` and the like send `mutate`
//! operations, which do not conflict with others' edits of the same column.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value, json};

use super::replica::{Replica, Row, RowData};
use super::request::Request;
use crate::schema::Table;
use crate::value::{Atom, ColumnType, Datum, Uuid, generate};

/// A transaction in the making. Unknown tables, columns and rows are ignored by every edit (an
/// older schema lacks some); edits of a deleted row too.
#[derive(Debug)]
pub struct Transaction<'a> {
    replica: &'a Replica,
    edits: BTreeMap<(usize, Uuid), Edit>,
    /// Inserted rows in their order.
    inserted: Vec<(usize, Uuid)>,
    /// The uuids of `inserted`.
    new: HashSet<Uuid>,
    comment: String,
    counter: Option<(usize, Uuid, usize)>,
}

#[derive(Debug)]
struct Edit {
    /// The row as this transaction sees it.
    data: RowData,
    exists: bool,
    inserted: bool,
    /// Columns given a whole new value.
    written: BTreeSet<usize>,
    /// Columns changed element by element: values to insert, and to delete (of maps: keys).
    mutated: BTreeMap<usize, (Datum, Datum)>,
    /// Columns that must still hold what the replica says.
    verified: BTreeSet<usize>,
}

impl<'a> Transaction<'a> {
    /// An empty transaction on the rows of `replica`.
    pub fn new(replica: &'a Replica) -> Self {
        Self {
            replica,
            edits: BTreeMap::new(),
            inserted: Vec::new(),
            new: HashSet::new(),
            comment: String::new(),
            counter: None,
        }
    }

    /// The rows below the edits.
    pub fn replica(&self) -> &'a Replica {
        self.replica
    }

    /// A row as the transaction sees it.
    pub fn row(&self, table: &str, uuid: Uuid) -> Option<Row<'_>> {
        let (index, schema) = self.replica.schema().lookup(table)?;
        match self.edits.get(&(index, uuid)) {
            Some(edit) if !edit.exists => None,
            Some(edit) => Some(Row { table: schema, uuid, data: &edit.data }),
            None => self.replica.row(table, uuid),
        }
    }

    /// The rows of `table` as the transaction sees them: the replica's, then the new ones.
    pub fn rows(&self, table: &str) -> Vec<Row<'_>> {
        let Some((index, _)) = self.replica.schema().lookup(table) else { return Vec::new() };
        let old = self.replica.rows(table).filter_map(|row| self.row(table, row.uuid()));
        let new = self.inserted.iter().filter(|(at, _)| *at == index);
        old.chain(new.filter_map(|(_, uuid)| self.row(table, *uuid))).collect()
    }

    /// Inserts a row; the uuid is provisional and may be used as a reference in this transaction.
    pub fn insert(&mut self, table: &str) -> Uuid {
        let uuid = generate();
        self.insert_as(table, uuid);
        uuid
    }

    /// Inserts a row under a provisional uuid made before.
    pub fn insert_as(&mut self, table: &str, uuid: Uuid) {
        let Some((index, schema)) = self.replica.schema().lookup(table) else { return };
        let data = schema.columns.iter().map(|c| Datum::default_of(&c.ty)).collect();
        self.edits.insert((index, uuid), Edit::new(data, true));
        self.inserted.push((index, uuid));
        self.new.insert(uuid);
    }

    /// Deletes a row. In a table that is not a root the server decides by the references left.
    pub fn delete(&mut self, table: &str, uuid: Uuid) {
        if let Some((_, edit)) = self.edit(table, uuid) {
            edit.exists = false;
        }
    }

    /// Gives a column a whole new value.
    pub fn set(&mut self, table: &str, uuid: Uuid, column: &str, value: impl Into<Datum>) {
        let Some((schema, edit)) = self.edit(table, uuid) else { return };
        let Some((index, _)) = schema.lookup(column) else { return };
        edit.data[index] = value.into();
        edit.mutated.remove(&index);
        edit.written.insert(index);
    }

    /// Adds elements to a set, or pairs to a map (replacing those of equal keys).
    pub fn insert_values(&mut self, table: &str, uuid: Uuid, column: &str, values: &Datum) {
        self.mutate(table, uuid, column, values, &Datum::Empty);
    }

    /// Removes elements from a set; from a map the pairs with the keys `values` (a set).
    pub fn delete_values(&mut self, table: &str, uuid: Uuid, column: &str, values: &Datum) {
        self.mutate(table, uuid, column, &Datum::Empty, values);
    }

    /// Adds one reference.
    pub fn add_reference(&mut self, table: &str, uuid: Uuid, column: &str, to: Uuid) {
        self.insert_values(table, uuid, column, &Datum::One(Atom::Uuid(to)));
    }

    /// Removes one reference.
    pub fn remove_reference(&mut self, table: &str, uuid: Uuid, column: &str, to: Uuid) {
        self.delete_values(table, uuid, column, &Datum::One(Atom::Uuid(to)));
    }

    /// Sets one key of a map of strings.
    pub fn map_put(&mut self, table: &str, uuid: Uuid, column: &str, key: &str, value: &str) {
        let pair = Datum::map(vec![(Atom::from(key), Atom::from(value))]);
        self.insert_values(table, uuid, column, &pair);
    }

    /// Removes one key of a map of strings.
    pub fn map_remove(&mut self, table: &str, uuid: Uuid, column: &str, key: &str) {
        self.delete_values(table, uuid, column, &Datum::One(Atom::from(key)));
    }

    /// The commit fails with `TryAgain` unless the column still holds what the replica says.
    pub fn verify(&mut self, table: &str, uuid: Uuid, column: &str) {
        let Some((schema, edit)) = self.edit(table, uuid) else { return };
        if let (Some((index, _)), false) = (schema.lookup(column), edit.inserted) {
            edit.verified.insert(index);
        }
    }

    /// Text for the database's log.
    pub fn comment(&mut self, text: &str) {
        if !self.comment.is_empty() {
            self.comment.push('\n');
        }
        self.comment.push_str(text);
    }

    /// If anything else changes, adds 1 to an integer column; [`super::Outcome::counter`] tells
    /// the new value.
    pub fn increment(&mut self, table: &str, uuid: Uuid, column: &str) {
        let found = self.replica.schema().lookup(table);
        if let Some((table, schema)) = found
            && let Some((column, _)) = schema.lookup(column)
        {
            self.counter = Some((table, uuid, column));
        }
    }

    /// Whether `uuid` is a row that this transaction inserts.
    pub fn is_inserted(&self, uuid: Uuid) -> bool {
        self.new.contains(&uuid)
    }

    fn edit(&mut self, table: &str, uuid: Uuid) -> Option<(&'a Table, &mut Edit)> {
        let (index, schema) = self.replica.schema().lookup(table)?;
        let edit = match self.edits.entry((index, uuid)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let data = self.replica.data(index, uuid)?.as_ref().clone();
                entry.insert(Edit::new(data, false))
            }
        };
        edit.exists.then_some((schema, edit))
    }

    fn mutate(&mut self, table: &str, uuid: Uuid, column: &str, add: &Datum, remove: &Datum) {
        let Some((schema, edit)) = self.edit(table, uuid) else { return };
        let Some((index, column)) = schema.lookup(column) else { return };
        let before = edit.data[index].clone();
        edit.data[index] = union(&without(&before, remove), add, &column.ty);
        // A whole value is being sent already, or is clearer. One that does not fit goes as a
        // mutation, so that the server says what is wrong.
        let small = column.ty.max == 1 && edit.data[index].fits(&column.ty);
        if edit.inserted || edit.written.contains(&index) || small {
            edit.written.insert(index);
            return;
        }
        let (added, removed) = edit.mutated.entry(index).or_default();
        // A replaced pair must go first: `insert` keeps the old value of a key.
        let replaced = keys(&add.pairs().iter().map(|(k, _)| k.clone()).collect::<Vec<_>>());
        *removed = removed.union(remove).union(&replaced);
        *added = union(&without(added, remove), add, &column.ty);
        if column.ty.value.is_none() {
            *removed = removed.without(add);
        }
    }
}

impl Edit {
    fn new(data: RowData, inserted: bool) -> Self {
        Self {
            data,
            exists: true,
            inserted,
            written: BTreeSet::new(),
            mutated: BTreeMap::new(),
            verified: BTreeSet::new(),
        }
    }
}

fn keys(keys: &[Atom]) -> Datum {
    Datum::set(keys.to_vec())
}

fn union(a: &Datum, b: &Datum, ty: &ColumnType) -> Datum {
    if ty.is_map() { a.union_replacing(b) } else { a.union(b) }
}

/// `from` without the elements `remove`; of a map, without those keys.
fn without(from: &Datum, remove: &Datum) -> Datum {
    if remove.is_empty() || from.pairs().is_empty() {
        return from.without(remove);
    }
    let kept = from.pairs().iter().filter(|(key, _)| !remove.contains(key));
    Datum::map(kept.cloned().collect())
}

impl Transaction<'_> {
    /// The operations: waits, deletes, updates and mutations, inserts, the counter, the comment.
    /// Empty when nothing differs from the replica.
    pub fn finish(self) -> Request {
        let mut request = Request::default();
        let schema = self.replica.schema().clone();
        let mut waits = Vec::new();
        for ((table, uuid), edit) in &self.edits {
            let Some(table) = schema.tables.get(*table) else { continue };
            if edit.inserted {
                continue;
            }
            self.push_wait(&mut waits, table, *uuid, edit);
            if edit.exists {
                self.push_changes(&mut request.ops, table, *uuid, edit);
            } else if table.is_root {
                let op = json!({"op": "delete", "table": table.name, "where": by_uuid(*uuid)});
                request.ops.insert(0, op);
            }
        }
        for (table, uuid) in &self.inserted {
            if let (Some(edit), Some(schema)) = (self.edits.get(&(*table, *uuid)), schema.tables.get(*table))
                && edit.exists
            {
                request.inserts.push((request.ops.len(), *uuid));
                request.ops.push(self.insert_op(schema, *uuid, edit));
            }
        }
        if request.ops.is_empty() {
            return Request::default();
        }
        for (op, _) in &mut request.inserts {
            *op += waits.len();
        }
        waits.append(&mut request.ops);
        request.ops = waits;
        self.push_counter(&mut request);
        if !self.comment.is_empty() {
            request.ops.push(json!({"op": "comment", "comment": self.comment}));
        }
        request
    }

    fn push_wait(&self, ops: &mut Vec<Value>, table: &Table, uuid: Uuid, edit: &Edit) {
        let index = self.replica.schema().lookup(&table.name).map(|(index, _)| index);
        let Some(old) = index.and_then(|index| self.replica.data(index, uuid)) else { return };
        if edit.verified.is_empty() {
            return;
        }
        let columns: Vec<&str> = edit.verified.iter().map(|c| table.columns[*c].name.as_str()).collect();
        let row: Map<String, Value> = edit
            .verified
            .iter()
            .map(|c| (table.columns[*c].name.clone(), old[*c].to_json(&table.columns[*c].ty)))
            .collect();
        ops.push(json!({
            "op": "wait", "timeout": 0, "table": table.name, "where": by_uuid(uuid),
            "columns": columns, "until": "==", "rows": [row],
        }));
    }

    fn push_changes(&self, ops: &mut Vec<Value>, table: &Table, uuid: Uuid, edit: &Edit) {
        let index = self.replica.schema().lookup(&table.name).map(|(index, _)| index);
        let old = index.and_then(|index| self.replica.data(index, uuid));
        let differs = |c: &usize| old.is_none_or(|old| old.get(*c) != edit.data.get(*c));
        let row: Map<String, Value> = edit
            .written
            .iter()
            .filter(|c| differs(c))
            .map(|c| self.member(table, *c, &edit.data[*c]))
            .collect();
        if !row.is_empty() {
            ops.push(json!({
                "op": "update", "table": table.name, "where": by_uuid(uuid), "row": row,
            }));
        }
        let mut mutations = Vec::new();
        for (c, (add, remove)) in edit.mutated.iter().filter(|(c, _)| differs(c)) {
            let column = &table.columns[*c];
            if !remove.is_empty() {
                mutations.push(json!([column.name, "delete", self.set_json(remove)]));
            }
            if !add.is_empty() {
                mutations.push(json!([
                    column.name,
                    "insert",
                    if column.ty.is_map() { self.json(&column.ty, add) } else { self.set_json(add) }
                ]));
            }
        }
        if !mutations.is_empty() {
            ops.push(json!({
                "op": "mutate", "table": table.name, "where": by_uuid(uuid),
                "mutations": mutations,
            }));
        }
    }

    fn insert_op(&self, table: &Table, uuid: Uuid, edit: &Edit) -> Value {
        let row: Map<String, Value> = edit
            .written
            .iter()
            .filter(|c| !edit.data[**c].is_default(&table.columns[**c].ty))
            .map(|c| self.member(table, *c, &edit.data[*c]))
            .collect();
        json!({"op": "insert", "table": table.name, "uuid-name": name_of(uuid), "row": row})
    }

    fn push_counter(&self, request: &mut Request) {
        let Some((table, uuid, column)) = self.counter else { return };
        let Some(table) = self.replica.schema().tables.get(table) else { return };
        let name = &table.columns[column].name;
        let row = if self.is_inserted(uuid) {
            json!([["_uuid", "==", ["named-uuid", name_of(uuid)]]])
        } else {
            by_uuid(uuid)
        };
        request.ops.push(json!({
            "op": "mutate", "table": table.name, "where": row, "mutations": [[name, "+=", 1]],
        }));
        request.counter = Some((request.ops.len(), name.clone()));
        request.ops.push(json!({
            "op": "select", "table": table.name, "where": row, "columns": [name],
        }));
    }

    fn member(&self, table: &Table, column: usize, value: &Datum) -> (String, Value) {
        let column = &table.columns[column];
        (column.name.clone(), self.json(&column.ty, value))
    }

    /// The JSON form, with rows of this transaction by their names.
    fn json(&self, ty: &ColumnType, value: &Datum) -> Value {
        let mut json = value.to_json(ty);
        if !self.inserted.is_empty() {
            self.rename(&mut json);
        }
        json
    }

    /// Always as a set, whatever the column's type: the form of mutations.
    fn set_json(&self, values: &Datum) -> Value {
        let items: Vec<Value> = values
            .atoms()
            .iter()
            .map(|atom| {
                let ty = ColumnType::scalar(atom.atomic_type());
                self.json(&ty, &Datum::One(atom.clone()))
            })
            .collect();
        json!(["set", items])
    }

    /// Replaces `["uuid", X]` of inserted rows by `["named-uuid", NAME]`.
    fn rename(&self, json: &mut Value) {
        let Value::Array(items) = json else { return };
        if let [Value::String(tag), Value::String(text)] = items.as_mut_slice()
            && tag == "uuid"
            && let Some(uuid) = crate::value::parse_uuid(text)
        {
            if self.is_inserted(uuid) {
                *tag = "named-uuid".to_owned();
                *text = name_of(uuid);
            }
            return;
        }
        items.iter_mut().for_each(|item| self.rename(item));
    }
}

fn by_uuid(uuid: Uuid) -> Value {
    json!([["_uuid", "==", ["uuid", uuid.to_string()]]])
}

/// The name of an inserted row within its transaction.
fn name_of(uuid: Uuid) -> String {
    format!("row{}", uuid.to_string().replace('-', "_"))
}
