//! Which columns refer to which tables, and what references one change adds and removes.

use super::Row;
use crate::schema::Schema;
use crate::value::{Atom, BaseType, Datum, RefKind, Uuid};

/// A column with references.
#[derive(Clone, Debug)]
pub struct RefColumn {
    pub column: usize,
    /// Index of the table that keys refer to.
    pub key: Option<usize>,
    /// Index of the table that values refer to.
    pub value: Option<usize>,
}

/// The columns of one table that hold references.
#[derive(Clone, Debug, Default)]
pub struct RefColumns {
    pub strong: Vec<RefColumn>,
    pub weak: Vec<RefColumn>,
}

impl RefColumns {
    /// Those of each table of `schema`.
    pub fn of(schema: &Schema) -> Vec<Self> {
        let columns = |table: usize, kind: RefKind| {
            let target = |base: Option<&BaseType>| {
                let r = base.and_then(BaseType::reference).filter(|r| r.kind == kind)?;
                schema.lookup(&r.table).map(|(i, _)| i)
            };
            let all = schema.tables[table].columns.iter().enumerate();
            let refs = all.map(|(column, c)| RefColumn {
                column,
                key: target(Some(&c.ty.key)),
                value: target(c.ty.value.as_ref()),
            });
            refs.filter(|r| r.key.is_some() || r.value.is_some()).collect()
        };
        let of = |t| Self { strong: columns(t, RefKind::Strong), weak: columns(t, RefKind::Weak) };
        (0..schema.tables.len()).map(of).collect()
    }
}

impl RefColumns {
    /// Calls `f(column, table, row, +1 or -1)` for each strong reference that comes or goes. A
    /// row's reference to itself does not keep it alive and is left out.
    pub fn strong_changes(
        &self,
        old: Option<&Row>,
        new: Option<&Row>,
        mut f: impl FnMut(&RefColumn, usize, Uuid, i64),
    ) {
        let own = old.or(new).map(Row::uuid);
        for r in &self.strong {
            r.changes(old, new, |table, uuid, delta| {
                if Some(uuid) != own {
                    f(r, table, uuid, delta);
                }
            });
        }
    }
}

impl RefColumn {
    /// Calls `f(table, row, +1 or -1)` for each reference that is in `new` but not in `old`, or the
    /// other way round.
    pub fn changes(&self, old: Option<&Row>, new: Option<&Row>, mut f: impl FnMut(usize, Uuid, i64)) {
        let empty = Datum::Empty;
        let old = old.map_or(&empty, |r| r.column(self.column));
        let new = new.map_or(&empty, |r| r.column(self.column));
        if old == new {
            return;
        }
        if let Some(table) = self.key {
            for a in old.keys().filter(|a| !new.contains(a)) {
                f(table, a.as_uuid().unwrap_or_default(), -1);
            }
            for a in new.keys().filter(|a| !old.contains(a)) {
                f(table, a.as_uuid().unwrap_or_default(), 1);
            }
        }
        if let Some(table) = self.value {
            let uuid = |pair: &(Atom, Atom)| pair.1.as_uuid().unwrap_or_default();
            for p in old.pairs().iter().filter(|p| new.lookup(&p.0) != Some(&p.1)) {
                f(table, uuid(p), -1);
            }
            for p in new.pairs().iter().filter(|p| old.lookup(&p.0) != Some(&p.1)) {
                f(table, uuid(p), 1);
            }
        }
    }
}
