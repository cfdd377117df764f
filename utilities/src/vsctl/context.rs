//! One try at the transaction: what the commands see and what they leave behind.

use ovsdb::client::{Row, Transaction};
use ovsdb::table::Table;
use ovsdb::value::{Datum, SymbolTable, Uuid};

use super::model::Model;

/// Why a command did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fail {
    /// Print this and exit with status 1.
    Fatal(String),
    /// Exit with this status at once, without changes.
    Exit(u8),
    /// Run all commands again when the database has changed (`wait-until`).
    Wait,
}

impl From<String> for Fail {
    fn from(text: String) -> Self {
        Self::Fatal(text)
    }
}

impl From<&str> for Fail {
    fn from(text: &str) -> Self {
        Self::Fatal(text.to_owned())
    }
}

/// What a command prints, kept until the transaction has succeeded.
#[derive(Default)]
pub(super) struct Output {
    pub text: String,
    pub table: Option<Table>,
    /// The row `create` made: its real uuid is printed instead of `text`.
    pub created: Option<Uuid>,
}

/// The state the commands of a command line share.
pub(super) struct Context<'a> {
    pub txn: Transaction<'a>,
    /// The row of Open_vSwitch.
    pub root: Uuid,
    /// `@name` of `--id`.
    pub symbols: SymbolTable,
    /// Interfaces whose set-up is checked after the wait.
    pub expected: Vec<String>,
    /// Of the command that runs.
    pub output: Output,
    model: Option<Model>,
}

impl<'a> Context<'a> {
    pub(super) fn new(mut txn: Transaction<'a>) -> Self {
        let root = match txn.replica().first("Open_vSwitch") {
            Some(row) => row.uuid(),
            None => txn.insert("Open_vSwitch"),
        };
        Self {
            txn,
            root,
            symbols: SymbolTable::default(),
            expected: Vec::new(),
            output: Output::default(),
            model: None,
        }
    }

    /// The row of Open_vSwitch.
    pub(super) fn ovs(&self) -> Result<Row<'_>, Fail> {
        self.row("Open_vSwitch", self.root)
    }

    /// A row that must be there.
    pub(super) fn row(&self, table: &str, uuid: Uuid) -> Result<Row<'_>, Fail> {
        let row = self.txn.row(table, uuid);
        row.ok_or_else(|| Fail::Fatal(format!("row {uuid} of table {table} is gone")))
    }

    /// Appends a line to the output.
    pub(super) fn print(&mut self, line: impl AsRef<str>) {
        self.output.text.push_str(line.as_ref());
        self.output.text.push('\n');
    }

    /// Bridges, ports and interfaces by name.
    pub(super) fn model(&mut self) -> &mut Model {
        let txn = &self.txn;
        self.model.get_or_insert_with(|| Model::new(txn))
    }

    /// Forgets the names: call after edits that the model does not know of.
    pub(super) fn invalidate(&mut self) {
        self.model = None;
    }

    /// Forgets the names if `column` of `table` says what hangs where.
    pub(super) fn touch(&mut self, table: &str, column: &str) {
        let shapes = match table {
            "Bridge" => column == "ports",
            // A tag matters to those who have fake bridges.
            "Port" if column == "tag" => {
                let fake = |model: &Model| model.bridges.values().any(|b| b.fake.is_some());
                self.model.as_ref().is_some_and(fake)
            }
            "Port" => matches!(column, "interfaces" | "fake_bridge"),
            _ => false,
        };
        if shapes {
            self.invalidate();
        }
    }

    /// Replaces the references of a column by `rows`.
    pub(super) fn set_references(&mut self, table: &str, uuid: Uuid, column: &str, rows: Vec<Uuid>) {
        let atoms = rows.into_iter().map(ovsdb::value::Atom::Uuid).collect();
        self.txn.set(table, uuid, column, Datum::set(atoms));
    }
}
