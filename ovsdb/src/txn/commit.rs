//! The end of a transaction: what changed, and may it stay so?

use super::Txn;
use super::overlay::TxnRow;
use crate::db::Change;
use crate::error::{Error, Result, tag};
use crate::value::generate;

impl Txn<'_> {
    /// Checks the transaction as a whole and gives its changes, the garbage collected.
    ///
    /// # Errors
    /// `referential integrity violation`, `constraint violation`.
    pub fn commit(mut self) -> Result<Vec<Change>> {
        if !self.rows.iter().any(TxnRow::is_changed) {
            return Ok(vec![]);
        }
        self.check_references()?;
        self.check_max_rows()?;
        self.prune_weak_references()?;
        self.check_indexes()?;
        Ok(self.rows.into_iter().filter(TxnRow::is_changed).map(TxnRow::into_change).collect())
    }

    fn check_max_rows(&self) -> Result<()> {
        for (i, table) in self.db().schema().tables.iter().enumerate() {
            if table.max_rows == u32::MAX || !self.rows.iter().any(|r| r.table == i && r.new.is_some()) {
                continue;
            }
            let n = self.len_of(i);
            if n > table.max_rows as usize {
                let text = format!(
                    "transaction causes \"{}\" table to contain {n} rows, greater than the schema-defined limit of {} row(s)",
                    table.name, table.max_rows
                );
                return Err(Error::new(tag::CONSTRAINT, text));
            }
        }
        Ok(())
    }
}

impl TxnRow {
    fn is_changed(&self) -> bool {
        match (&self.old, &self.new) {
            (None, None) => false,
            (Some(old), Some(new)) => !old.same_content(new),
            _ => true,
        }
    }

    fn into_change(mut self) -> Change {
        if let Some(new) = &mut self.new {
            new.set_version(generate());
        }
        Change { table: self.table, uuid: self.uuid, old: self.old, new: self.new }
    }
}
