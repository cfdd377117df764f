//! Referential integrity, garbage collection and unique indexes (RFC 7047 section 3.2).

use std::collections::{BTreeMap, HashMap, HashSet};

use rapidhash::fast::RandomState;

use super::Txn;
use super::overlay::TxnRow;
use crate::db::{RefColumn, Row};
use crate::error::{Error, Result, tag};
use crate::value::{Datum, Uuid};

/// By how much the transaction changes the number of strong references to rows.
type Deltas = HashMap<(usize, Uuid), i64, RandomState>;

impl Txn<'_> {
    /// Checks that strong references lead somewhere and that nobody refers to a deleted row;
    /// deletes rows of non-root tables that nobody refers to.
    pub(super) fn check_references(&mut self) -> Result<()> {
        let db = self.db();
        let mut deltas = Deltas::default();
        for row in &self.rows {
            let mut missing = None;
            db.refs(row.table).strong_changes(row.old.as_ref(), row.new.as_ref(), |r, t, u, delta| {
                *deltas.entry((t, u)).or_insert(0) += delta;
                if delta > 0 && self.lookup(t, u).is_none() {
                    missing.get_or_insert_with(|| self.nonexistent(row, r, t, u));
                }
            });
            if let Some(e) = missing {
                return Err(e);
            }
        }
        for row in self.rows.iter().filter(|r| r.old.is_some() && r.new.is_none()) {
            let n = self.n_refs(&deltas, row.table, row.uuid);
            if n > 0 {
                let table = &db.schema().tables[row.table].name;
                let text =
                    format!("cannot delete {table} row {} because of {n} remaining reference(s)", row.uuid);
                return Err(Error::new(tag::REFERENTIAL, text));
            }
        }
        self.collect_garbage(deltas);
        Ok(())
    }

    fn n_refs(&self, deltas: &Deltas, table: usize, uuid: Uuid) -> i64 {
        let before = self.db().table(table).n_refs(uuid);
        i64::from(before) + deltas.get(&(table, uuid)).copied().unwrap_or(0)
    }

    fn nonexistent(&self, row: &TxnRow, r: &RefColumn, table: usize, uuid: Uuid) -> Error {
        let schema = self.db().schema();
        let from = &schema.tables[row.table];
        let text = format!(
            "Table {} column {} row {} references nonexistent row {uuid} in table {}.",
            from.name, from.columns[r.column].name, row.uuid, schema.tables[table].name
        );
        Error::new(tag::REFERENTIAL, text)
    }

    fn collect_garbage(&mut self, mut deltas: Deltas) {
        let db = self.db();
        let is_root = |table: usize| db.schema().tables[table].is_root;
        let touched = self.rows.iter().filter(|r| r.new.is_some()).map(|r| (r.table, r.uuid));
        let released = deltas.iter().filter(|(_, d)| **d < 0).map(|(k, _)| *k);
        let mut suspects: Vec<_> = touched.chain(released).filter(|(t, _)| !is_root(*t)).collect();
        while let Some((table, uuid)) = suspects.pop() {
            if self.n_refs(&deltas, table, uuid) > 0 {
                continue;
            }
            let Some(row) = self.lookup(table, uuid).cloned() else { continue };
            self.put(table, uuid, None);
            db.refs(table).strong_changes(Some(&row), None, |_, t, u, delta| {
                *deltas.entry((t, u)).or_insert(0) += delta;
                if !is_root(t) {
                    suspects.push((t, u));
                }
            });
        }
    }

    /// Takes weak references to rows that are not there out of their columns.
    pub(super) fn prune_weak_references(&mut self) -> Result<()> {
        let db = self.db();
        let mut suspects: Vec<(usize, Uuid)> = Vec::new();
        for row in &self.rows {
            if row.new.is_none() && row.old.is_some() {
                suspects.extend(db.weak_sources(row.table, row.uuid));
            } else if row.new.is_some() && !db.refs(row.table).weak.is_empty() {
                suspects.push((row.table, row.uuid));
            }
        }
        suspects.sort_unstable();
        suspects.dedup();
        for (table, uuid) in suspects {
            for r in &db.refs(table).weak {
                self.prune_column(table, uuid, r)?;
            }
        }
        Ok(())
    }

    fn prune_column(&mut self, table: usize, uuid: Uuid, r: &RefColumn) -> Result<()> {
        let Some(row) = self.lookup(table, uuid) else { return Ok(()) };
        let value = row.column(r.column);
        let pruned = self.pruned(value, r);
        if pruned.len() == value.len() {
            return Ok(());
        }
        let column = &self.db().schema().tables[table].columns[r.column];
        if pruned.len() < column.ty.min as usize {
            return Err(self.must_not_be_empty(table, uuid, r, value));
        }
        let mut new = row.to_vec();
        new[r.column] = pruned;
        self.put(table, uuid, Some(Row::new(new)));
        Ok(())
    }

    fn pruned(&self, value: &Datum, r: &RefColumn) -> Datum {
        let lives = |table: Option<usize>, atom: &crate::value::Atom| match (table, atom.as_uuid()) {
            (Some(t), Some(u)) => self.lookup(t, u).is_some(),
            _ => true,
        };
        match value {
            Datum::Map(pairs) => {
                let kept = pairs.iter().filter(|(k, v)| lives(r.key, k) && lives(r.value, v));
                Datum::map(kept.cloned().collect())
            }
            _ => Datum::set(value.atoms().iter().filter(|a| lives(r.key, a)).cloned().collect()),
        }
    }

    fn must_not_be_empty(&self, table: usize, uuid: Uuid, r: &RefColumn, value: &Datum) -> Error {
        let schema = &self.db().schema().tables[table];
        let column = &schema.columns[r.column].name;
        let inserted = self.touched(table, uuid).is_some_and(|t| t.old.is_none());
        let zero = value.keys().any(|a| a.as_uuid().is_some_and(|u| u.is_nil()));
        let text = if zero && inserted {
            format!(
                "Weak reference column \"{column}\" in \"{}\" row {uuid} (inserted within this transaction) contained all-zeros UUID (probably as the default value for this column) but deleting this value caused a constraint volation because this column is not allowed to be empty.",
                schema.name
            )
        } else {
            format!(
                "Deletion of {} weak reference(s) to deleted (or never-existing) rows from column \"{column}\" in \"{}\" row {uuid} {}caused this column to become empty, but constraints on this column disallow an empty column.",
                value.len(),
                schema.name,
                if inserted { "(inserted within this transaction) " } else { "" }
            )
        };
        Error::new(tag::CONSTRAINT, text)
    }

    /// Checks that no two rows agree in the columns of a unique index.
    pub(super) fn check_indexes(&self) -> Result<()> {
        let mut seen: BTreeMap<(usize, usize), HashMap<Vec<Datum>, Uuid, RandomState>> = BTreeMap::new();
        for row in &self.rows {
            let Some(new) = &row.new else { continue };
            let schema = &self.db().schema().tables[row.table];
            for (i, columns) in schema.indexes.iter().enumerate() {
                let stored = self.db().table(row.table).lookup_all(i, new);
                let mut stored = stored.filter(|r| self.touched(row.table, r.uuid()).is_none());
                if let Some(other) = stored.next() {
                    return Err(self.duplicate(row.table, columns, new.uuid(), other.uuid()));
                }
                let key = columns.iter().map(|&c| new.column(c).clone()).collect();
                if let Some(other) = seen.entry((row.table, i)).or_default().insert(key, row.uuid) {
                    return Err(self.duplicate(row.table, columns, row.uuid, other));
                }
            }
        }
        Ok(())
    }

    fn duplicate(&self, table: usize, columns: &[usize], first: Uuid, second: Uuid) -> Error {
        let schema = &self.db().schema().tables[table];
        let names: HashSet<&str> = columns.iter().map(|&c| schema.columns[c].name.as_str()).collect();
        let quoted: Vec<_> = columns.iter().map(|&c| format!("\"{}\"", schema.columns[c].name)).collect();
        let values = |row: &Row| {
            let text = |&c: &usize| row.column(c).to_text(&schema.columns[c].ty);
            join(&columns.iter().map(text).collect::<Vec<_>>())
        };
        let shared = self.lookup(table, first).map(&values).unwrap_or_default();
        let describe = |title: &str, uuid: Uuid| {
            let history = match self.touched(table, uuid).map(|t| (&t.old, &t.new)) {
                Some((None, _)) => "was inserted by this transaction.".to_owned(),
                Some((Some(old), Some(new))) if !old.same_content(new) => {
                    if columns.iter().all(|&c| old.column(c) == new.column(c)) {
                        "existed in the database before this transaction, which modified some of the row's columns but not any columns in this index.".to_owned()
                    } else {
                        format!("had the following index values before the transaction: {}.", values(old))
                    }
                }
                _ => {
                    "existed in the database before this transaction and was not modified by the transaction."
                        .to_owned()
                }
            };
            format!("{title} row, with UUID {uuid}, {history}")
        };
        let text = format!(
            "Transaction causes multiple rows in \"{}\" table to have identical values ({shared}) for index on column{} {}.  {}  {}",
            schema.name,
            if names.len() > 1 { "s" } else { "" },
            join(&quoted),
            describe("First", first),
            describe("Second", second)
        );
        Error::new(tag::CONSTRAINT, text)
    }
}

/// `a`, `a and b`, `a, b, and c`.
fn join(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [a, b] => format!("{a} and {b}"),
        [most @ .., last] => format!("{}, and {last}", most.join(", ")),
    }
}
