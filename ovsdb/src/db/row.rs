//! Rows: one immutable, shared array of datums.

use std::sync::Arc;

use crate::schema::{COL_UUID, COL_VERSION, Table};
use crate::value::{Datum, Uuid};

/// A row. Cloning shares it; a changed row is a new row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Arc<[Datum]>);

impl Row {
    /// A row of `columns`, in the order of the table's columns.
    pub fn new(columns: Vec<Datum>) -> Self {
        Self(columns.into())
    }

    /// A row with the default value in every column.
    pub fn default_of(table: &Table, uuid: Uuid) -> Self {
        let mut columns: Vec<_> = table.columns.iter().map(|c| Datum::default_of(&c.ty)).collect();
        columns[COL_UUID] = uuid.into();
        Self::new(columns)
    }

    pub fn uuid(&self) -> Uuid {
        self.0[COL_UUID].as_uuid().unwrap_or_default()
    }

    pub fn column(&self, index: usize) -> &Datum {
        &self.0[index]
    }

    pub fn columns(&self) -> &[Datum] {
        &self.0
    }

    /// A copy to change and make a new row of.
    pub fn to_vec(&self) -> Vec<Datum> {
        self.0.to_vec()
    }

    /// The same row in a new version.
    pub fn with_version(&self, version: Uuid) -> Self {
        let mut row = self.clone();
        row.set_version(version);
        row
    }

    /// Gives the row a new version, in place where nobody shares it.
    pub fn set_version(&mut self, version: Uuid) {
        Arc::make_mut(&mut self.0)[COL_VERSION] = version.into();
    }

    /// Whether both agree in everything but the version.
    pub fn same_content(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.0.iter().zip(&*other.0).enumerate().all(|(i, (a, b))| i == COL_VERSION || a == b)
    }
}
