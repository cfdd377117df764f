//! Commands that make, rewrite and describe files.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::{Failure, Options};
use crate::cli::input;
use crate::error::{Error, tag};
use crate::schema::Schema;
use crate::storage::{self, Compaction, Mode, open, read_schema, write_database};

fn text(e: Error) -> Failure {
    e.to_string()
}

/// Reads a schema file.
pub(super) fn load_schema(path: &Path) -> Result<Schema, Failure> {
    input::load_schema(path).map(|(schema, _)| schema)
}

pub(super) fn create(options: &Options, args: &[String]) -> Result<i32, Failure> {
    let schema = load_schema(&options.schema(args, 1))?;
    storage::create(&options.db(args, 0), &schema).map_err(text)?;
    Ok(0)
}

pub(super) fn compact(options: &Options, args: &[String]) -> Result<i32, Failure> {
    let comment = "compacted by ovsdb-tool 3.1.0";
    rewrite(&options.db(args, 0), args.get(1), None, comment)
}

pub(super) fn convert(options: &Options, args: &[String]) -> Result<i32, Failure> {
    let schema = load_schema(&options.schema(args, 1))?;
    let comment = "converted by ovsdb-tool 3.1.0";
    rewrite(&options.db(args, 0), args.get(2), Some(schema), comment)
}

/// Writes the database anew: in its place (with its lock held), or to another file.
fn rewrite(path: &Path, to: Option<&String>, schema: Option<Schema>, comment: &str) -> Result<i32, Failure> {
    let mode = if to.is_none() { Mode::ReadWrite } else { Mode::Read };
    let mut opened = open(path, mode, schema.map(Arc::new)).map_err(text)?;
    if let Some(damage) = opened.damage {
        return Err(damage.to_string());
    }
    let snapshot = opened.db.snapshot();
    match to {
        None => {
            let compaction = Compaction::start(&opened.file, snapshot, comment);
            compaction.finish(&mut opened.file).map_err(text)?;
        }
        Some(to) if Path::new(to).exists() => {
            let e = std::io::Error::from_raw_os_error(libc::EEXIST);
            return Err(Error::io(format!("{to}: create failed"), &e).to_string());
        }
        Some(to) => drop(write_database(Path::new(to), &snapshot, comment).map_err(text)?),
    }
    Ok(0)
}

pub(super) fn needs_conversion(options: &Options, args: &[String]) -> Result<i32, Failure> {
    let actual = read_schema(&options.db(args, 0)).map_err(text)?;
    let wanted = load_schema(&options.schema(args, 1))?;
    let same = actual.name == wanted.name && actual.tables == wanted.tables;
    println!("{}", if same { "no" } else { "yes" });
    Ok(0)
}

pub(super) fn db_member(
    options: &Options,
    args: &[String],
    member: fn(&Schema) -> &String,
) -> Result<i32, Failure> {
    println!("{}", member(&read_schema(&options.db(args, 0)).map_err(text)?));
    Ok(0)
}

pub(super) fn schema_member(
    options: &Options,
    args: &[String],
    member: fn(&Schema) -> &String,
) -> Result<i32, Failure> {
    println!("{}", member(&load_schema(&options.schema(args, 0))?));
    Ok(0)
}

/// Status 0 if the file begins with `magic`, else 2.
/// How the kinds of database files begin.
const MAGICS: [&[u8]; 2] = [b"OVSDB JSON ", b"OVSDB CLUSTER "];
const HEAD_SIZE: u64 = 16;

pub(super) fn is_kind(args: &[String], magic: &[u8]) -> Result<i32, Failure> {
    let path = &args[0];
    let failed = |e: std::io::Error| Error::io(format!("{path}: open failed"), &e).to_string();
    let mut head = Vec::new();
    File::open(path).and_then(|f| f.take(HEAD_SIZE).read_to_end(&mut head)).map_err(failed)?;
    if !MAGICS.iter().any(|m| head.starts_with(m)) {
        let why = if head.is_empty() { "cannot identify file type" } else { "unexpected file format" };
        return Err(Error::new(tag::OVSDB, format!("{path}: {why}")).to_string());
    }
    Ok(if head.starts_with(magic) { 0 } else { 2 })
}

pub(super) fn not_clustered(_: &Options, args: &[String]) -> Result<i32, Failure> {
    Err(format!("{}: not a clustered database", args[0]))
}

pub(super) fn no_cluster(_: &Options, args: &[String]) -> Result<i32, Failure> {
    Err(format!("{}: clustered databases are not supported", args[0]))
}
