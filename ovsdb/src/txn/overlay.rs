//! The database as one transaction sees it: its own changes on top.

use std::collections::HashMap;

use rapidhash::fast::RandomState;

use crate::db::{Database, Row};
use crate::value::Uuid;

/// One row that the transaction touched.
#[derive(Debug)]
pub(super) struct TxnRow {
    pub table: usize,
    pub uuid: Uuid,
    /// Before the transaction.
    pub old: Option<Row>,
    /// Now.
    pub new: Option<Row>,
}

/// A transaction in progress.
#[derive(Debug)]
pub struct Txn<'a> {
    db: &'a Database,
    /// In the order of the first touch.
    pub(super) rows: Vec<TxnRow>,
    by_uuid: HashMap<(usize, Uuid), usize, RandomState>,
}

impl<'a> Txn<'a> {
    pub fn new(db: &'a Database) -> Self {
        Self { db, rows: Vec::new(), by_uuid: HashMap::default() }
    }

    pub fn db(&self) -> &'a Database {
        self.db
    }

    pub(super) fn touched(&self, table: usize, uuid: Uuid) -> Option<&TxnRow> {
        if self.rows.is_empty() {
            return None;
        }
        self.by_uuid.get(&(table, uuid)).map(|&i| &self.rows[i])
    }

    /// The row as it is now.
    pub fn lookup(&self, table: usize, uuid: Uuid) -> Option<&Row> {
        match self.touched(table, uuid) {
            Some(row) => row.new.as_ref(),
            None => self.db.lookup(table, uuid),
        }
    }

    /// Whether a row of that uuid may be inserted: there is none and none was deleted.
    pub fn may_insert(&self, table: usize, uuid: Uuid) -> bool {
        self.touched(table, uuid).is_none() && self.db.lookup(table, uuid).is_none()
    }

    /// Makes the row be `new`, or not be.
    pub fn put(&mut self, table: usize, uuid: Uuid, new: Option<Row>) {
        if let Some(&i) = self.by_uuid.get(&(table, uuid)) {
            self.rows[i].new = new;
            return;
        }
        let old = self.db.lookup(table, uuid).cloned();
        self.by_uuid.insert((table, uuid), self.rows.len());
        self.rows.push(TxnRow { table, uuid, old, new });
    }

    /// Rows of `table` as they are now.
    pub fn rows_of(&self, table: usize) -> impl Iterator<Item = &Row> {
        let untouched = self.db.table(table).rows();
        let untouched = untouched.filter(move |r| self.touched(table, r.uuid()).is_none());
        let touched = self.rows.iter().filter(move |r| r.table == table);
        untouched.chain(touched.filter_map(|r| r.new.as_ref()))
    }

    /// Rows that `table` has now.
    pub(super) fn len_of(&self, table: usize) -> usize {
        let delta = |r: &TxnRow| i64::from(r.new.is_some()) - i64::from(r.old.is_some());
        let delta: i64 = self.rows.iter().filter(|r| r.table == table).map(delta).sum();
        (self.db.table(table).len() as i64 + delta) as usize
    }
}
