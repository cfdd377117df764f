//! `query` and `transact`: one transaction on a file.

use serde_json::Value;

use super::{Failure, Options};
use crate::cli::input::parse_argument;
use crate::error::Error;
use crate::storage::{Mode, encode_commit, frame, open};
use crate::txn::{self, Authorize, Context, Outcome, Rbac};

pub(super) fn query(options: &Options, args: &[String]) -> Result<i32, Failure> {
    run(options, args, Mode::Read)
}

pub(super) fn transact(options: &Options, args: &[String]) -> Result<i32, Failure> {
    run(options, args, Mode::ReadWrite)
}

fn run(options: &Options, args: &[String], mode: Mode) -> Result<i32, Failure> {
    let (path, text) = match args {
        [text] => (options.default_db.clone(), text),
        _ => (options.db(args, 0), &args[1]),
    };
    let params = match parse_argument(text)? {
        Value::Array(params) => params,
        other => {
            println!("{}", crate::json::to_string(&Error::syntax(&other, "array expected").to_json()));
            return Ok(0);
        }
    };
    let mut opened = open(&path, mode, None).map_err(|e| e.to_string())?;
    if let Some(damage) = opened.damage {
        return Err(damage.to_string());
    }
    let rbac = Rbac::new(&opened.db, &options.rbac_role, None);
    let rbac = rbac.as_ref().map(|r| r as &dyn Authorize);
    let context = Context { read_only: mode == Mode::Read, rbac, ..Context::default() };
    let Outcome::Done { reply, commit } = txn::run(&opened.db, &params, &context) else {
        return Err("transaction would wait".into());
    };
    if let Some(record) = commit.and_then(|c| encode_commit(opened.db.schema(), &c, true)) {
        let mut record_text = String::new();
        frame(&record, &mut record_text);
        let log = &mut opened.file.log;
        log.append(record_text.as_bytes()).and_then(|()| log.sync()).map_err(|e| e.to_string())?;
    }
    // Names in the order that OVS prints.
    let sorted: Value = serde_json::from_str(&reply).unwrap_or_default();
    println!("{}", crate::json::to_string(&sorted));
    Ok(0)
}
