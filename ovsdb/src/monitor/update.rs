//! How changes look: `<table-updates>` (RFC 7047 section 4.1.6) and `<table-updates2>`.

use super::spec::{MonitoredTable, Spec, Version, select};
use crate::db::{Database, Row};
use crate::json;
use crate::schema::{Schema, Table};
use crate::value::{Uuid, write_uuid};

/// A row before and after, whatever lies between.
#[derive(Clone, Copy, Debug)]
pub struct RowChange<'a> {
    pub table: usize,
    pub uuid: Uuid,
    pub old: Option<&'a Row>,
    pub new: Option<&'a Row>,
}

/// Appends the updates that `spec` shows of `changes`; false if it shows nothing (and nothing was
/// appended).
pub fn write_changes<'a, I>(spec: &Spec, schema: &Schema, changes: I, out: &mut String) -> bool
where
    I: Iterator<Item = RowChange<'a>> + Clone,
{
    let mut w = Writer::new(out);
    for t in &spec.tables {
        for c in changes.clone().filter(|c| c.table == t.table) {
            let (old, new) = (t.visible(c.old), t.visible(c.new));
            let kind = match (old, new) {
                (None, None) => continue,
                (None, Some(_)) => select::INSERT,
                (Some(_), None) => select::DELETE,
                (Some(_), Some(_)) => select::MODIFY,
            };
            write_row(&mut w, spec.version, t, &schema.tables[t.table], kind, c.uuid, old, new);
        }
    }
    w.finish()
}

/// Appends all rows that `spec` shows, as initial contents; `{}` if there are none.
pub fn write_initial(spec: &Spec, db: &Database, out: &mut String) {
    let mut w = Writer::new(out);
    for t in &spec.tables {
        if t.select & select::INITIAL == 0 {
            continue;
        }
        let table = &db.schema().tables[t.table];
        for row in db.table(t.table).rows().filter(|r| t.condition.any(r)) {
            write_row(&mut w, spec.version, t, table, select::INITIAL, row.uuid(), None, Some(row));
        }
    }
    if !w.finish() {
        out.push_str("{}");
    }
}

/// Appends the rows that come and go because conditions changed from `old` to `new`; false if
/// there are none.
pub fn write_condition_change(old: &Spec, new: &Spec, db: &Database, out: &mut String) -> bool {
    let mut w = Writer::new(out);
    for (a, b) in old.tables.iter().zip(&new.tables) {
        if a.condition == b.condition {
            continue;
        }
        let table = &db.schema().tables[b.table];
        for row in db.table(b.table).rows() {
            let (before, after) = (a.visible(Some(row)), b.visible(Some(row)));
            let kind = match (before, after) {
                (None, Some(_)) => select::INSERT,
                (Some(_), None) => select::DELETE,
                _ => continue,
            };
            write_row(&mut w, new.version, b, table, kind, row.uuid(), before, after);
        }
    }
    w.finish()
}

impl MonitoredTable {
    fn visible<'a>(&self, row: Option<&'a Row>) -> Option<&'a Row> {
        row.filter(|r| self.condition.any(r))
    }
}

/// Writes `{"TABLE":{"UUID":...,...},...}` as rows come, table by table.
struct Writer<'a> {
    out: &'a mut String,
    open: Option<usize>,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut String) -> Self {
        Self { out, open: None }
    }

    fn start_row(&mut self, index: usize, table: &Table, uuid: Uuid) {
        if self.open == Some(index) {
            self.out.push(',');
        } else {
            self.out.push_str(if self.open.is_some() { "}," } else { "{" });
            json::write_str(&table.name, self.out);
            self.out.push_str(":{");
            self.open = Some(index);
        }
        self.out.push('"');
        write_uuid(&uuid, self.out);
        self.out.push_str("\":");
    }

    fn finish(self) -> bool {
        if self.open.is_some() {
            self.out.push_str("}}");
        }
        self.open.is_some()
    }
}

#[expect(clippy::too_many_arguments, reason = "one row of one update, with where it goes")]
fn write_row(
    w: &mut Writer<'_>,
    version: Version,
    t: &MonitoredTable,
    table: &Table,
    kind: u8,
    uuid: Uuid,
    old: Option<&Row>,
    new: Option<&Row>,
) {
    if t.select & kind == 0 {
        return;
    }
    if let (Some(old), Some(new)) = (old, new)
        && t.columns.iter().all(|&(c, _)| old.column(c) == new.column(c))
    {
        return;
    }
    w.start_row(t.table, table, uuid);
    match version {
        Version::V1 => write_v1(w.out, t, table, kind, old, new),
        Version::V2 => write_v2(w.out, t, table, kind, old, new),
    }
}

fn write_v1(
    out: &mut String,
    t: &MonitoredTable,
    table: &Table,
    kind: u8,
    old: Option<&Row>,
    new: Option<&Row>,
) {
    out.push('{');
    if let Some(old) = old {
        out.push_str("\"old\":{");
        write_columns(out, t, table, kind, old, |c| new.is_none_or(|new| old.column(c) != new.column(c)));
        out.push('}');
    }
    if let Some(new) = new {
        out.push_str(if old.is_some() { ",\"new\":{" } else { "\"new\":{" });
        write_columns(out, t, table, kind, new, |_| true);
        out.push('}');
    }
    out.push('}');
}

fn write_columns(
    out: &mut String,
    t: &MonitoredTable,
    table: &Table,
    kind: u8,
    row: &Row,
    shows: impl Fn(usize) -> bool,
) {
    let mut first = true;
    for &(c, select) in &t.columns {
        if select & kind != 0 && shows(c) {
            write_name(out, table, c, &mut first);
            row.column(c).write_json(&table.columns[c].ty, out);
        }
    }
}

fn write_name(out: &mut String, table: &Table, column: usize, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(',');
    }
    json::write_str(&table.columns[column].name, out);
    out.push(':');
}

fn write_v2(
    out: &mut String,
    t: &MonitoredTable,
    table: &Table,
    kind: u8,
    old: Option<&Row>,
    new: Option<&Row>,
) {
    let Some(new) = new else {
        out.push_str("{\"delete\":null}");
        return;
    };
    out.push_str(match kind {
        select::INITIAL => "{\"initial\":{",
        select::INSERT => "{\"insert\":{",
        _ => "{\"modify\":{",
    });
    match old {
        None => write_columns(out, t, table, kind, new, |c| !new.column(c).is_default(&table.columns[c].ty)),
        Some(old) => {
            let mut first = true;
            for &(c, select) in &t.columns {
                if select & kind != 0 && old.column(c) != new.column(c) {
                    write_name(out, table, c, &mut first);
                    let ty = &table.columns[c].ty;
                    old.column(c).diff(new.column(c), ty).write_json(ty, out);
                }
            }
        }
    }
    out.push_str("}}");
}
