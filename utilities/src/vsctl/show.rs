//! The text of `ovs-vsctl show`: the rows below Open_vSwitch, each with the columns that say
//! something.

use std::collections::HashSet;
use std::fmt::Write as _;

use ovsdb::client::{Row, Transaction};
use ovsdb::value::{ColumnType, Uuid};

/// A column whose references are shown as rows: its name, the table they refer to.
enum Item {
    Rows(&'static str, &'static str),
    Value(&'static str),
}

use Item::{Rows, Value};

/// What is shown of a table: the column that names its rows, then the rest in order.
struct Layout {
    table: &'static str,
    name: Option<&'static str>,
    items: &'static [Item],
}

const LAYOUTS: &[Layout] = &[
    Layout {
        table: "Open_vSwitch",
        name: None,
        items: &[Rows("manager_options", "Manager"), Rows("bridges", "Bridge"), Value("ovs_version")],
    },
    Layout {
        table: "Bridge",
        name: Some("name"),
        items: &[
            Rows("controller", "Controller"),
            Value("fail_mode"),
            Value("datapath_type"),
            Rows("ports", "Port"),
        ],
    },
    Layout {
        table: "Port",
        name: Some("name"),
        items: &[Value("tag"), Value("trunks"), Rows("interfaces", "Interface")],
    },
    Layout {
        table: "Interface",
        name: Some("name"),
        items: &[Value("type"), Value("options"), Value("error"), Value("bfd_status")],
    },
    Layout { table: "Controller", name: Some("target"), items: &[Value("is_connected")] },
    Layout { table: "Manager", name: Some("target"), items: &[Value("is_connected")] },
];

/// The text, for every row of Open_vSwitch.
pub(super) fn show(txn: &Transaction<'_>) -> String {
    let mut show = Show { txn, seen: HashSet::new(), out: String::new() };
    if let Some(layout) = LAYOUTS.first() {
        for row in txn.rows(layout.table) {
            show.row(layout, &row, 0);
        }
    }
    show.out
}

struct Show<'t, 'a> {
    txn: &'t Transaction<'a>,
    /// Rows already shown: a row is shown once.
    seen: HashSet<Uuid>,
    out: String,
}

impl Show<'_, '_> {
    fn row(&mut self, layout: &Layout, row: &Row<'_>, level: usize) {
        if !self.seen.insert(row.uuid()) {
            return;
        }
        let indent = " ".repeat(level * 4);
        match layout.name {
            Some(column) => {
                let name = text(row, column).unwrap_or_default();
                let _ = writeln!(self.out, "{indent}{} {name}", layout.table);
            }
            None => {
                let _ = writeln!(self.out, "{indent}{}", row.uuid());
            }
        }
        for item in layout.items {
            match item {
                Rows(column, table) => self.rows(table, row, column, level + 1),
                Value(column) => {
                    if let Some(text) = text(row, column).filter(|_| !is_default(row, column)) {
                        let _ = writeln!(self.out, "{indent}    {column}: {text}");
                    }
                }
            }
        }
    }

    fn rows(&mut self, table: &str, row: &Row<'_>, column: &str, level: usize) {
        let Some(layout) = LAYOUTS.iter().find(|layout| layout.table == table) else { return };
        for uuid in row.references(column) {
            if let Some(row) = self.txn.row(table, uuid) {
                self.row(layout, &row, level);
            }
        }
    }
}

fn column_type<'r>(row: &Row<'r>, column: &str) -> Option<&'r ColumnType> {
    row.table().column(column).map(|column| &column.ty)
}

fn text(row: &Row<'_>, column: &str) -> Option<String> {
    Some(row.get(column).to_text(column_type(row, column)?))
}

fn is_default(row: &Row<'_>, column: &str) -> bool {
    column_type(row, column).is_some_and(|ty| row.get(column).is_default(ty))
}
