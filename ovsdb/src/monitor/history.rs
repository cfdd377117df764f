//! The last transactions of a database, for `monitor_cond_since`.
//!
//! Identifiers live as long as the server's process: after a restart a client gets everything
//! again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::db::{Change, Row};
use crate::value::{Uuid, generate};

/// Transactions kept.
pub const HISTORY_LEN_MAX: usize = 1000;
/// Changed rows kept, over all transactions.
pub const HISTORY_ROWS_MAX: usize = 50_000;

/// The rows that differ between two moments: (table, uuid) -> the row at the earlier one.
pub type Before = BTreeMap<(usize, Uuid), Option<Row>>;

/// Transactions, oldest first.
#[derive(Debug)]
pub struct History {
    entries: VecDeque<(Uuid, Arc<[Change]>)>,
    n_rows: usize,
    last: Uuid,
    /// The state before the oldest entry.
    base: Uuid,
}

impl Default for History {
    fn default() -> Self {
        let now = generate();
        Self { entries: VecDeque::new(), n_rows: 0, last: now, base: now }
    }
}

impl History {
    /// Identifies the present state.
    pub fn last(&self) -> Uuid {
        self.last
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Changed rows kept.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Adds a transaction; gives the identifier of the state after it.
    pub fn push(&mut self, changes: Arc<[Change]>) -> Uuid {
        self.last = generate();
        self.n_rows += changes.len();
        self.entries.push_back((self.last, changes));
        while self.entries.len() > HISTORY_LEN_MAX || self.n_rows > HISTORY_ROWS_MAX {
            let Some((id, changes)) = self.entries.pop_front() else { break };
            self.n_rows -= changes.len();
            self.base = id;
        }
        self.last
    }

    /// What changed since the state `id`, if that is remembered.
    pub fn since(&self, id: Uuid) -> Option<Before> {
        let from = if id == self.base { 0 } else { self.entries.iter().position(|(e, _)| *e == id)? + 1 };
        let mut before = Before::new();
        for (_, changes) in self.entries.range(from..) {
            note(&mut before, changes);
        }
        Some(before)
    }
}

/// Adds `changes` to what is known to differ.
pub fn note(before: &mut Before, changes: &[Change]) {
    for c in changes {
        before.entry((c.table, c.uuid)).or_insert_with(|| c.old.clone());
    }
}
