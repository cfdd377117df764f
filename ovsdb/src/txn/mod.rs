//! Transactions: `transact` from its JSON to a reply and a list of changes.
//!
//! ```text
//! [DB, op, op, ...] -> run -> (reply, Commit) -> the engine stores, applies and announces it
//! ```
//!
//! A transaction sees the database and its own changes on top of it; nothing is written to the
//! database here. One file per operation; what is checked at the end is in `commit` and `integrity`.

mod commit;
mod control;
mod delete;
mod insert;
mod integrity;
mod mutate;
mod overlay;
mod query;
mod rbac;
mod select;
mod update;
mod wait;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

pub use self::overlay::Txn;
pub use self::rbac::Rbac;

use crate::db::{Change, Database, Row};
use crate::error::{Error, Result, tag};
use crate::json;
use crate::parser::Parser;
use crate::schema::Table;
use crate::value::SymbolTable;

/// Who asks, and how long it has been waiting.
#[derive(Debug, Default)]
pub struct Context<'a> {
    /// Locks that the session owns; `None` where there are no sessions (ovsdb-tool).
    pub locks: Option<&'a BTreeSet<String>>,
    /// Only operations that change nothing.
    pub read_only: bool,
    /// Since the transaction was received.
    pub elapsed_ms: u64,
    pub rbac: Option<&'a dyn Authorize>,
}

/// Decides what a session may change (role-based access control).
pub trait Authorize: std::fmt::Debug {
    /// Whether the operation may go on.
    ///
    /// # Errors
    /// `permission error`.
    fn check(&self, access: Access<'_>) -> Result<()>;
}

/// Kinds of operations that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Insert,
    Update,
    Mutate,
    Delete,
}

/// What an operation is about to do.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    pub kind: Kind,
    pub table: &'a Table,
    /// As it is before, or as it is inserted; `None` when the operation begins.
    pub row: Option<&'a Row>,
    /// Columns that are written.
    pub columns: &'a [usize],
}

/// A transaction that is to be stored, applied and announced.
#[derive(Debug, Default)]
pub struct Commit {
    pub changes: Vec<Change>,
    /// The `comment` operations, one per line.
    pub comment: String,
    /// To be on the disk before the reply.
    pub durable: bool,
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Outcome {
    /// The reply's result, and what to commit if all went well.
    Done { reply: String, commit: Option<Commit> },
    /// A `wait` is not satisfied: try again after a change, or this long after the start.
    Wait { timeout_ms: u64 },
}

/// What stopped an operation.
enum Stop {
    Error(Error),
    Wait { timeout_ms: u64 },
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

type Step = std::result::Result<(), Stop>;

/// What every operation works on.
struct Run<'a> {
    txn: Txn<'a>,
    context: &'a Context<'a>,
    symbols: SymbolTable,
    comment: String,
    durable: bool,
    /// Results of the operations so far, as JSON text.
    out: String,
}

impl<'a> Run<'a> {
    /// The table that member `table` names.
    fn table(&self, p: &mut Parser<'_>) -> Result<usize> {
        let name = p.id("table")?.ok_or_else(|| p.missing("table"))?;
        let found = self.txn.db().schema().lookup(name);
        found.map(|(i, _)| i).ok_or_else(|| p.fail(format!("No table named {name}.")))
    }

    fn schema(&self, table: usize) -> &'a Table {
        &self.txn.db().schema().tables[table]
    }

    /// Whether an operation may write `columns` of `rows`.
    fn authorize(&self, kind: Kind, table: &Table, rows: &[Row], columns: &[usize]) -> Result<()> {
        let Some(rbac) = self.context.rbac else { return Ok(()) };
        let rows = rows.iter().map(Some);
        let mut all = std::iter::once(None).chain(rows);
        all.try_for_each(|row| rbac.check(Access { kind, table, row, columns }))
    }

    /// Whether operation `name`, which writes, may.
    fn may_write(&self, name: &str) -> Step {
        let db = &self.txn.db().schema().name;
        let text = if self.context.read_only {
            format!("{name} operation not allowed when database server is in read only mode")
        } else if db.starts_with('_') {
            format!("{name} operation not allowed on table in reserved database {db}")
        } else {
            return Ok(());
        };
        Err(Error::new(tag::NOT_ALLOWED, text).into())
    }

    fn result(&mut self, member: &str, n: usize) {
        self.out.push_str("{\"");
        self.out.push_str(member);
        self.out.push_str("\":");
        json::write_integer(n as i64, &mut self.out);
        self.out.push('}');
    }
}

type Operation = for<'a, 'b> fn(&mut Run<'a>, &mut Parser<'b>) -> Step;

/// Name, whether it leaves the database as it is, and what it does.
const OPERATIONS: [(&str, bool, Operation); 10] = [
    ("insert", false, insert::run),
    ("select", true, select::run),
    ("update", false, update::run),
    ("mutate", false, mutate::run),
    ("delete", false, delete::run),
    ("wait", true, wait::run),
    ("commit", true, control::commit),
    ("abort", true, control::abort),
    ("comment", true, control::comment),
    ("assert", true, control::assert),
];

/// Runs a transaction of `[DB, op, ...]` against `db`.
pub fn run(db: &Database, params: &[Value], context: &Context<'_>) -> Outcome {
    match params.first().and_then(Value::as_str) {
        Some(name) if name == db.schema().name => {}
        _ => {
            let e = Error::syntax(&params.into(), "database name expected as first parameter");
            return Outcome::Done { reply: json::to_string(&e.to_json()), commit: None };
        }
    }
    let mut run = Run {
        txn: Txn::new(db),
        context,
        symbols: SymbolTable::default(),
        comment: String::new(),
        durable: false,
        out: String::with_capacity(64),
    };
    let operations = &params[1..];
    run.out.push('[');
    for (i, operation) in operations.iter().enumerate() {
        if i > 0 {
            run.out.push(',');
        }
        match execute(&mut run, operation, i + 1, operations.len()) {
            Ok(()) => {}
            Err(Stop::Wait { timeout_ms }) => return Outcome::Wait { timeout_ms },
            Err(Stop::Error(e)) => {
                json::write(&e.to_json(), &mut run.out);
                run.out.push_str(&",null".repeat(operations.len() - i - 1));
                run.out.push(']');
                return Outcome::Done { reply: run.out, commit: None };
            }
        }
    }
    finish(run, operations.is_empty())
}

fn execute(run: &mut Run<'_>, operation: &Value, n: usize, of: usize) -> Step {
    let mut p = Parser::new(operation, format!("ovsdb operation {n} of {of}"))?;
    let start = run.out.len();
    let done = dispatch(run, &mut p);
    // A bad member outweighs what else went wrong.
    let done = p.finish().map_err(Stop::from).and(done);
    if done.is_err() {
        run.out.truncate(start);
    }
    done
}

fn dispatch(run: &mut Run<'_>, p: &mut Parser<'_>) -> Step {
    let name = p.id("op")?.ok_or_else(|| p.missing("op"))?;
    let Some((_, reads, operation)) = OPERATIONS.iter().find(|(n, ..)| *n == name) else {
        return Err(p.fail(format!("No operation \"{name}\"")).into());
    };
    let mut done = operation(run, p);
    if done.is_ok() && !reads {
        done = run.may_write(name);
    }
    done
}

fn finish(run: Run<'_>, empty: bool) -> Outcome {
    let Run { txn, comment, durable, mut out, .. } = run;
    match txn.commit() {
        Ok(changes) => {
            out.push(']');
            Outcome::Done { reply: out, commit: Some(Commit { changes, comment, durable }) }
        }
        Err(e) => {
            if !empty {
                out.push(',');
            }
            json::write(&e.to_json(), &mut out);
            out.push(']');
            Outcome::Done { reply: out, commit: None }
        }
    }
}
