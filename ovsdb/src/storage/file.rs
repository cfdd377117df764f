//! Opening and creating whole database files, and appending to an open one.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use serde_json::Value;

use super::log::{Log, Reader, frame};
use super::record::apply_record;
use crate::db::{Database, Row};
use crate::error::{Error, Result, tag};
use crate::json;
use crate::schema::Schema;
use crate::txn::Txn;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Read,
    /// To append; takes the lock.
    ReadWrite,
    /// The file must not be there yet; takes the lock.
    Create,
}

/// An open file with what is needed to decide when to compact it.
#[derive(Debug)]
pub struct File {
    pub log: Log,
    /// Transaction records since the file was written as a whole.
    pub n_records: u64,
    /// Bytes when the file was written as a whole, or opened.
    pub base_size: u64,
}

/// A database file and its contents.
#[derive(Debug)]
pub struct Opened {
    pub db: Database,
    pub file: File,
    /// Why reading stopped before the end of the file.
    pub damage: Option<Error>,
}

/// Makes a file that holds `schema` and no rows.
///
/// # Errors
/// `I/O error`.
pub fn create(path: &Path, schema: &Schema) -> Result<Log> {
    let mut log = Log::open(path, Mode::Create)?;
    let mut record = String::new();
    frame(&json::to_string(&schema.to_json()), &mut record);
    let done = log.append(record.as_bytes()).and_then(|()| log.sync());
    if let Err(e) = done {
        let _ = std::fs::remove_file(path);
        return Err(e);
    }
    Ok(log)
}

fn next_schema(reader: &mut Reader, path: &Path) -> Result<Schema> {
    let json = reader
        .next_json(&mut Vec::new())?
        .ok_or_else(|| Error::eof(format!("{}: unexpected end of file reading schema", path.display())))?;
    Schema::from_json(&json).map_err(|e| {
        let text = format!("failed to parse \"{}\" as ovsdb schema", path.display());
        Error::new(tag::SYNTAX, format!("{text}: {e}"))
    })
}

/// The schema of the database file `path`.
///
/// # Errors
/// It cannot be read.
pub fn read_schema(path: &Path) -> Result<Schema> {
    next_schema(&mut Log::open(path, Mode::Read)?.reader()?, path)
}

/// Opens a database file and reads it. With `schema`, reads its rows into that schema instead of
/// the file's own, leaving out what does not fit.
///
/// # Errors
/// No schema can be read. Damage after it is no error: see [`Opened::damage`].
pub fn open(path: &Path, mode: Mode, schema: Option<Arc<Schema>>) -> Result<Opened> {
    let mut log = Log::open(path, mode)?;
    let converting = schema.is_some();
    let mut loaded = load(&log, schema.clone(), u64::MAX)?;
    if !converting && loaded.damage.is_none() && !is_consistent(&loaded.db) {
        // Somewhere is a transaction that should never have been written: find the first.
        loaded = load_checking(&log)?;
    }
    log.set_end(loaded.offset, loaded.damage.is_some());
    let base_size = loaded.offset;
    let file = File { log, n_records: loaded.n_records, base_size };
    Ok(Opened { db: loaded.db, file, damage: loaded.damage })
}

struct Loaded {
    db: Database,
    offset: u64,
    n_records: u64,
    damage: Option<Error>,
}

fn load(log: &Log, schema: Option<Arc<Schema>>, n_records_max: u64) -> Result<Loaded> {
    let mut reader = log.reader()?;
    let file_schema = next_schema(&mut reader, log.path())?;
    let converting = schema.is_some();
    let mut db = Database::new(schema.unwrap_or_else(|| Arc::new(file_schema)));
    let (mut n_records, mut bad) = (0, None);
    let mut good = reader.offset();
    let damage = each_record(reader, |record, end| {
        if n_records == n_records_max {
            return ControlFlow::Break(());
        }
        if let Err(e) = apply_record(&mut db, record, converting) {
            bad = Some(e);
            return ControlFlow::Break(());
        }
        (n_records, good) = (n_records + 1, end);
        ControlFlow::Continue(())
    });
    match bad {
        Some(e) if converting => return Err(e),
        Some(e) => {
            // The record may be half applied: read again up to the one before.
            let mut again = load(log, None, n_records)?;
            again.damage = Some(e);
            return Ok(again);
        }
        None => {}
    }
    db.recount();
    Ok(Loaded { db, offset: good, n_records, damage })
}

/// Files at least this long are parsed on another thread than the one that makes rows of them.
const PARALLEL_SIZE_MIN: u64 = 1 << 20;
/// Records handed over at once, and handovers that may wait.
const BATCH_LEN: usize = 256;
const BATCHES_MAX: usize = 8;

/// Calls `f` with each record and the offset behind it; gives the damage that ended the file, if
/// `f` has not ended it before.
fn each_record(mut reader: Reader, mut f: impl FnMut(&Value, u64) -> ControlFlow<()>) -> Option<Error> {
    let mut buf = Vec::new();
    if reader.size() < PARALLEL_SIZE_MIN {
        loop {
            match reader.next_json(&mut buf) {
                Ok(Some(record)) if f(&record, reader.offset()).is_continue() => {}
                Ok(_) => return None,
                Err(e) => return Some(e),
            }
        }
    }
    std::thread::scope(|scope| {
        let (tx, rx) = sync_channel::<Vec<Result<(Value, u64)>>>(BATCHES_MAX);
        scope.spawn(move || {
            let mut more = true;
            while more {
                let mut batch = Vec::with_capacity(BATCH_LEN);
                while more && batch.len() < BATCH_LEN {
                    let next = reader.next_json(&mut buf).transpose();
                    more = matches!(next, Some(Ok(_)));
                    batch.extend(next.map(|r| r.map(|json| (json, reader.offset()))));
                }
                if tx.send(batch).is_err() {
                    return;
                }
            }
        });
        for item in rx.into_iter().flatten() {
            match item {
                Ok((record, end)) if f(&record, end).is_continue() => {}
                Ok(_) => return None,
                Err(e) => return Some(e),
            }
        }
        None
    })
}

/// Checks everything that commits check, of all rows at once.
fn is_consistent(db: &Database) -> bool {
    let schema = db.schema();
    for (t, table) in schema.tables.iter().enumerate() {
        let rows = db.table(t);
        if rows.len() > table.max_rows as usize {
            return false;
        }
        let refs = db.refs(t);
        for row in rows.rows() {
            let mut ok = true;
            for r in refs.strong.iter().chain(&refs.weak) {
                r.changes(None, Some(row), |t, u, _| ok &= db.lookup(t, u).is_some());
            }
            ok &= (0..rows.n_indexes()).all(|i| rows.lookup_index(i, row).is_none());
            ok &= table.is_root || rows.n_refs(row.uuid()) > 0;
            if !ok {
                return false;
            }
        }
    }
    true
}

/// Loads record by record, each as a transaction with all checks, up to the first bad one.
fn load_checking(log: &Log) -> Result<Loaded> {
    let mut reader = log.reader()?;
    let schema = Arc::new(next_schema(&mut reader, log.path())?);
    let mut db = Database::new(schema.clone());
    let mut buf = Vec::new();
    let (mut n_records, mut damage) = (0, None);
    let mut good = reader.offset();
    loop {
        match reader.next_json(&mut buf) {
            Ok(None) => break,
            Ok(Some(record)) => match replay(&mut db, &record) {
                Ok(()) => (n_records, good) = (n_records + 1, reader.offset()),
                Err(e) => {
                    damage = Some(e);
                    break;
                }
            },
            Err(e) => {
                damage = Some(e);
                break;
            }
        }
    }
    Ok(Loaded { db, offset: good, n_records, damage })
}

fn replay(db: &mut Database, record: &Value) -> Result<()> {
    let schema = db.schema().clone();
    let mut txn = Txn::new(db);
    // Applied to a scratch database of the touched rows, then put into a transaction.
    let mut scratch = Database::new(schema.clone());
    let mut touched = Vec::new();
    for (name, rows) in record.as_object().into_iter().flatten() {
        let Some((t, _)) = schema.lookup(name) else { continue };
        for uuid in rows.as_object().into_iter().flat_map(|r| r.keys()) {
            let Some(uuid) = crate::value::parse_uuid(uuid) else { continue };
            scratch.load(t, uuid, txn.lookup(t, uuid).cloned());
            touched.push((t, uuid));
        }
    }
    apply_record(&mut scratch, record, false)?;
    for (t, uuid) in touched {
        let row: Option<Row> = scratch.lookup(t, uuid).cloned();
        txn.put(t, uuid, row);
    }
    let changes = txn.commit()?;
    db.apply(&changes);
    Ok(())
}
