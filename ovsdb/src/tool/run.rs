//! `query` and `transact`: one transaction on a file.

use serde_json::Value;

use super::{Failure, Options};
use crate::storage::{Mode, encode_commit, frame, open};
use crate::txn::{self, Context, Outcome};

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
    let params = parse(text)?;
    let mut opened = open(&path, mode, None).map_err(|e| e.to_string())?;
    if let Some(damage) = opened.damage {
        return Err(damage.to_string());
    }
    let context = Context { read_only: mode == Mode::Read, ..Context::default() };
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

fn parse(text: &str) -> Result<Vec<Value>, Failure> {
    if !text.trim_start().starts_with(['[', '{']) {
        return Err(format!("\"{text}\": line 0, column 1, byte 1: syntax error at beginning of input"));
    }
    match crate::json::parse(text.as_bytes()) {
        Ok(Value::Array(params)) => Ok(params),
        Ok(other) => Ok(vec![other]),
        Err(e) => Err(format!("\"{text}\": {e}")),
    }
}
