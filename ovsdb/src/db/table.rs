//! The rows of one table, found by uuid and by unique index.
//!
//! Rows lie in pages of 64 that snapshots share: a snapshot copies one pointer per page, and a
//! change after it copies one page. The hash tables hold slot numbers only.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use rapidhash::fast::RandomState;

use super::Row;
use crate::value::Uuid;

const PAGE_LEN: usize = 64;

type Page = [Option<Row>; PAGE_LEN];

/// The rows of one table, with their indexes and strong reference counts.
#[derive(Debug)]
pub struct Table {
    pages: Vec<Arc<Page>>,
    free: Vec<u32>,
    len: usize,
    by_uuid: HashTable<u32>,
    indexes: Vec<Index>,
    /// Strong references to the row in each slot.
    n_refs: Vec<u32>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Index {
    columns: Vec<usize>,
    slots: HashTable<u32>,
}

/// The rows as they were when it was taken.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pages: Vec<Arc<Page>>,
}

impl Snapshot {
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.pages.iter().flat_map(|p| p.iter().flatten())
    }
}

fn row_in(pages: &[Arc<Page>], slot: u32) -> Option<&Row> {
    pages[slot as usize / PAGE_LEN][slot as usize % PAGE_LEN].as_ref()
}

fn key_hash(hasher: &RandomState, row: &Row, columns: &[usize]) -> u64 {
    let mut state = hasher.build_hasher();
    for &c in columns {
        row.column(c).hash(&mut state);
    }
    state.finish()
}

fn same_key(a: &Row, b: &Row, columns: &[usize]) -> bool {
    columns.iter().all(|&c| a.column(c) == b.column(c))
}

impl Table {
    /// An empty table with a unique index on each of `indexes` (sets of column indexes).
    pub fn new(indexes: &[Vec<usize>]) -> Self {
        let index = |columns: &Vec<usize>| Index { columns: columns.clone(), slots: HashTable::new() };
        Self {
            pages: Vec::new(),
            free: Vec::new(),
            len: 0,
            by_uuid: HashTable::new(),
            indexes: indexes.iter().map(index).collect(),
            n_refs: Vec::new(),
            hasher: RandomState::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.pages.iter().flat_map(|p| p.iter().flatten())
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot { pages: self.pages.clone() }
    }

    fn slot(&self, uuid: Uuid) -> Option<u32> {
        let pages = &self.pages;
        let is = |&slot: &u32| row_in(pages, slot).is_some_and(|r| r.uuid() == uuid);
        self.by_uuid.find(self.hasher.hash_one(uuid), is).copied()
    }

    pub fn lookup(&self, uuid: Uuid) -> Option<&Row> {
        self.slot(uuid).and_then(|slot| row_in(&self.pages, slot))
    }

    /// Strong references to the row.
    pub fn n_refs(&self, uuid: Uuid) -> u32 {
        self.slot(uuid).map_or(0, |slot| self.n_refs[slot as usize])
    }

    /// Adds `delta` to the strong references to the row, if it is there.
    pub fn adjust_refs(&mut self, uuid: Uuid, delta: i64) {
        if let Some(slot) = self.slot(uuid) {
            let n = &mut self.n_refs[slot as usize];
            *n = u32::try_from(i64::from(*n) + delta).unwrap_or(0);
        }
    }

    /// Sets every count of strong references to zero.
    pub fn forget_refs(&mut self) {
        self.n_refs.fill(0);
    }

    /// The row with the same values as `row` in unique index `index`, other than `row` itself.
    pub fn lookup_index<'a>(&'a self, index: usize, row: &'a Row) -> Option<&'a Row> {
        self.lookup_all(index, row).next()
    }

    /// Every row with those values (more than one only while a log is being loaded).
    pub fn lookup_all<'a>(&'a self, index: usize, row: &'a Row) -> impl Iterator<Item = &'a Row> {
        let index = &self.indexes[index];
        let found = index.slots.iter_hash(key_hash(&self.hasher, row, &index.columns));
        found
            .filter_map(|&slot| row_in(&self.pages, slot))
            .filter(|r| same_key(r, row, &index.columns) && r.uuid() != row.uuid())
    }

    /// Which unique index has exactly the columns `columns`.
    pub fn index_on(&self, columns: &[usize]) -> Option<usize> {
        self.indexes.iter().position(|i| i.columns == columns)
    }

    pub fn n_indexes(&self) -> usize {
        self.indexes.len()
    }

    /// Adds `row` or replaces the one with its uuid; gives the old one.
    pub fn put(&mut self, row: Row) -> Option<Row> {
        match self.slot(row.uuid()) {
            Some(slot) => {
                self.unindex(slot);
                let old = self.set(slot, Some(row));
                self.index(slot);
                old
            }
            None => {
                let slot = self.take_slot();
                let uuid = row.uuid();
                self.set(slot, Some(row));
                self.n_refs[slot as usize] = 0;
                self.len += 1;
                let (pages, hasher) = (&self.pages, &self.hasher);
                let rehash = |&s: &u32| hasher.hash_one(row_in(pages, s).map(Row::uuid).unwrap_or_default());
                self.by_uuid.insert_unique(hasher.hash_one(uuid), slot, rehash);
                self.index(slot);
                None
            }
        }
    }

    /// Takes the row away.
    pub fn remove(&mut self, uuid: Uuid) -> Option<Row> {
        let slot = self.slot(uuid)?;
        self.unindex(slot);
        if let Ok(entry) = self.by_uuid.find_entry(self.hasher.hash_one(uuid), |&s| s == slot) {
            entry.remove();
        }
        self.free.push(slot);
        self.len -= 1;
        self.set(slot, None)
    }

    fn take_slot(&mut self) -> u32 {
        if self.free.is_empty() {
            let first = self.pages.len() * PAGE_LEN;
            self.pages.push(Arc::new([const { None }; PAGE_LEN]));
            self.n_refs.resize(first + PAGE_LEN, 0);
            self.free.extend((first..first + PAGE_LEN).rev().map(|s| s as u32));
        }
        self.free.pop().unwrap_or_default()
    }

    fn set(&mut self, slot: u32, row: Option<Row>) -> Option<Row> {
        let page = Arc::make_mut(&mut self.pages[slot as usize / PAGE_LEN]);
        std::mem::replace(&mut page[slot as usize % PAGE_LEN], row)
    }

    fn index(&mut self, slot: u32) {
        let (pages, hasher) = (&self.pages, &self.hasher);
        let Some(row) = row_in(pages, slot) else { return };
        for index in &mut self.indexes {
            let columns = &index.columns;
            let hash = |&s: &u32| row_in(pages, s).map_or(0, |r| key_hash(hasher, r, columns));
            index.slots.insert_unique(key_hash(hasher, row, columns), slot, hash);
        }
    }

    fn unindex(&mut self, slot: u32) {
        let Some(row) = row_in(&self.pages, slot) else { return };
        for index in &mut self.indexes {
            let hash = key_hash(&self.hasher, row, &index.columns);
            if let Ok(entry) = index.slots.find_entry(hash, |&s| s == slot) {
                entry.remove();
            }
        }
    }
}
