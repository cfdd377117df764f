use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::db::Database;
use crate::schema::Schema;
use crate::txn::{Context, Outcome, run};

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ovsdb-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn schema() -> Schema {
    let j = json!({"name": "D", "version": "1.0.0", "tables": {"t": {"columns": {
        "s": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
        "m": {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"}},
        "n": {"type": "string"}, "e": {"type": "string", "ephemeral": true}}, "indexes": [["n"]]}}});
    Schema::from_json(&j).unwrap()
}

fn transact(db: &mut Database, log: &mut Log, operations: serde_json::Value) {
    let mut params = vec!["D".into()];
    params.extend(operations.as_array().unwrap().iter().cloned());
    let Outcome::Done { commit: Some(commit), reply } = run(db, &params, &Context::default()) else {
        panic!()
    };
    assert!(!reply.contains("error"), "{reply}");
    if let Some(record) = encode_commit(db.schema(), &commit, true) {
        let mut text = String::new();
        frame(&record, &mut text);
        log.append(text.as_bytes()).unwrap();
    }
    db.apply(&commit.changes);
}

/// A file with a few transactions; gives the rows after each record, as `name -> s,m`.
fn written(path: &Path) -> Vec<Vec<String>> {
    let mut log = create(path, &schema()).unwrap();
    let mut db = Database::new(Arc::new(schema()));
    let mut states = vec![contents(&db)];
    for i in 0..6 {
        let op = match i % 3 {
            0 => {
                json!([{"op": "insert", "table": "t", "row": {"n": format!("{i}"), "s": ["set", [1, i + 2]], "m": ["map", [["a", i]]], "e": "gone"}}])
            }
            1 => {
                json!([{"op": "mutate", "table": "t", "where": [], "mutations": [["s", "insert", i + 10], ["m", "insert", ["map", [[format!("k{i}"), 1]]]]]}])
            }
            _ => {
                json!([{"op": "update", "table": "t", "where": [["n", "==", "0"]], "row": {"m": ["map", [["a", i * 7]]], "s": ["set", []]}}, {"op": "comment", "comment": "x\ny"}])
            }
        };
        transact(&mut db, &mut log, op);
        states.push(contents(&db));
    }
    states
}

fn contents(db: &Database) -> Vec<String> {
    let t = &db.schema().tables[0];
    let text = |r: &crate::db::Row| {
        let column = |n: &str| {
            let (i, c) = t.lookup(n).unwrap();
            r.column(i).to_text(&c.ty)
        };
        format!("{} {} {} {}", r.uuid(), column("n"), column("s"), column("m"))
    };
    let mut rows: Vec<_> = db.table(0).rows().map(text).collect();
    rows.sort();
    rows
}

#[test]
fn what_was_written_is_read_back() {
    let dir = Folder::new("readback");
    let path = dir.0.join("db");
    let states = written(&path);
    let opened = open(&path, Mode::Read, None).unwrap();
    assert!(opened.damage.is_none());
    assert_eq!(&contents(&opened.db), states.last().unwrap());
    let e = opened.db.schema().tables[0].lookup("e").unwrap().0;
    assert!(opened.db.table(0).rows().all(|r| r.column(e).as_str() == Some("")));
}

#[test]
fn every_prefix_opens_as_a_state_that_existed() {
    let dir = Folder::new("prefix");
    let path = dir.0.join("db");
    let states = written(&path);
    let whole = std::fs::read(&path).unwrap();
    let first = read_end_of_first(&path);
    for len in first..=whole.len() {
        let cut = dir.0.join("cut");
        std::fs::write(&cut, &whole[..len]).unwrap();
        let opened = open(&cut, Mode::ReadWrite, None).unwrap();
        let state = contents(&opened.db);
        assert!(states.contains(&state), "cut at {len}");
        let (mut db, mut log) = (opened.db, opened.file.log);
        transact(&mut db, &mut log, json!([{"op": "insert", "table": "t", "row": {"n": "after"}}]));
        drop(log);
        let again = open(&cut, Mode::Read, None).unwrap();
        assert!(again.damage.is_none(), "cut at {len}: {:?}", again.damage);
        assert_eq!(contents(&again.db).len(), state.len() + 1);
    }
}

fn read_end_of_first(path: &Path) -> usize {
    let mut r = Log::open(path, Mode::Read).unwrap().reader().unwrap();
    r.next_record(&mut Vec::new()).unwrap();
    r.offset() as usize
}

#[test]
fn a_changed_byte_is_found() {
    let dir = Folder::new("byte");
    let path = dir.0.join("db");
    let states = written(&path);
    let whole = std::fs::read(&path).unwrap();
    for at in (read_end_of_first(&path)..whole.len()).step_by(7) {
        let mut bad = whole.clone();
        bad[at] ^= 0x20;
        let p = dir.0.join("bad");
        std::fs::write(&p, &bad).unwrap();
        let opened = open(&p, Mode::Read, None).unwrap();
        assert!(states.contains(&contents(&opened.db)), "byte {at}");
    }
}

#[test]
fn a_transaction_that_breaks_a_rule_ends_the_file() {
    let dir = Folder::new("rule");
    let path = dir.0.join("db");
    let mut log = create(&path, &schema()).unwrap();
    let mut text = String::new();
    for _ in 0..2 {
        frame(&json!({"t": {crate::value::generate().to_string(): {"n": "same"}}}).to_string(), &mut text);
    }
    log.append(text.as_bytes()).unwrap();
    let opened = open(&path, Mode::Read, None).unwrap();
    assert!(opened.damage.unwrap().to_string().contains("identical values (same)"));
    assert_eq!(opened.db.n_rows(), 1);
}

#[test]
fn a_second_writer_in_another_process_is_refused() {
    let dir = Folder::new("lock");
    let path = dir.0.join("db");
    let _log = create(&path, &schema()).unwrap();
    let lock = dir.0.join(".db.~lock~");
    let script = format!(
        "import fcntl,sys\nf=open('{}','r+')\ntry:\n fcntl.lockf(f, fcntl.LOCK_EX|fcntl.LOCK_NB)\nexcept OSError: sys.exit(7)\n",
        lock.display()
    );
    let status = std::process::Command::new("python3").args(["-c", &script]).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
fn compaction_keeps_what_was_appended_meanwhile() {
    let dir = Folder::new("compact");
    let path = dir.0.join("db");
    written(&path);
    let Opened { mut db, mut file, .. } = open(&path, Mode::ReadWrite, None).unwrap();
    let c = Compaction::start(&file, db.snapshot(), "compacting database online");
    transact(&mut db, &mut file.log, json!([{"op": "insert", "table": "t", "row": {"n": "meanwhile"}}]));
    c.finish(&mut file).unwrap();
    transact(&mut db, &mut file.log, json!([{"op": "insert", "table": "t", "row": {"n": "after"}}]));
    drop(file);
    let again = open(&path, Mode::Read, None).unwrap();
    assert_eq!(contents(&again.db), contents(&db));
    assert_eq!(again.file.n_records, 3);
    assert!(!dir.0.join("db.tmp").exists());
}

#[test]
fn other_files_are_refused() {
    let dir = Folder::new("other");
    let cases: [(&[u8], &str); 4] = [
        (b"", "cannot identify file type"),
        (b"\x7fELF rubbish", "unexpected file format"),
        (b"OVSDB CLUSTER 5 xx\n", "clustered"),
        (b"OVSDB JSON 0 x\n", "parse error at offset 0"),
    ];
    for (bytes, text) in cases {
        let p = dir.0.join("f");
        std::fs::write(&p, bytes).unwrap();
        let e = open(&p, Mode::Read, None).unwrap_err().to_string();
        assert!(e.contains(text), "{e}");
    }
}

#[test]
fn long_files_are_read_as_short_ones_are() {
    let dir = Folder::new("long");
    let path = dir.0.join("db");
    let mut log = create(&path, &schema()).unwrap();
    let mut text = String::new();
    let pad = "x".repeat(400);
    for n in 0..4000 {
        let row = json!({"t": {crate::value::generate().to_string(): {"n": format!("{n}{pad}")}}});
        frame(&row.to_string(), &mut text);
    }
    log.append(text.as_bytes()).unwrap();
    assert!(log.len() > 1 << 20);
    let opened = open(&path, Mode::Read, None).unwrap();
    assert!(opened.damage.is_none());
    assert_eq!((opened.db.n_rows(), opened.file.n_records), (4000, 4000));
    assert_eq!(opened.file.log.len(), log.len());
    // Cut in the last record, then broken in the middle: what comes before is there.
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let cut = open(&path, Mode::Read, None).unwrap();
    assert_eq!((cut.db.n_rows(), cut.damage.is_some()), (3999, true));
    let mut bad = whole.clone();
    let middle = whole.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(&path, &bad).unwrap();
    let half = open(&path, Mode::Read, None).unwrap();
    assert!((1990..2010).contains(&half.db.n_rows()) && half.damage.is_some());
}

/// OVS 3.1 loses the default's element of such a set when it applies a difference to it, and refuses a difference
/// of more elements than the column may have.
#[test]
fn what_ovs_cannot_read_as_a_difference_is_written_whole() {
    let j = json!({"name": "D", "tables": {"t": {"columns": {
        "min": {"type": {"key": "integer", "min": 1, "max": "unlimited"}},
        "max": {"type": {"key": "integer", "min": 0, "max": 3}}}}}});
    let schema = Schema::from_json(&j).unwrap();
    let folder = Folder::new("whole");
    let path = folder.0.join("d.db");
    let mut log = create(&path, &schema).unwrap();
    let mut db = Database::new(Arc::new(schema));
    let set = |column: &str, values: serde_json::Value| json!([{"op": "update", "table": "t", "where": [], "row": {column: ["set", values]}}]);
    transact(&mut db, &mut log, json!([{"op": "insert", "table": "t", "row": {}}]));
    transact(&mut db, &mut log, set("min", json!([0, 5])));
    transact(&mut db, &mut log, set("max", json!([1, 2])));
    transact(&mut db, &mut log, set("max", json!([3, 4])));
    transact(&mut db, &mut log, set("max", json!([4])));
    let text = std::fs::read_to_string(&path).unwrap();
    let marks: Vec<bool> =
        text.lines().filter(|l| l.starts_with("{\"_date\"")).map(|l| l.contains("_is_diff")).collect();
    assert_eq!(marks, [true, false, true, false, true]);
}
