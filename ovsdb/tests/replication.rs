//! Active and backup servers.

mod fixture;

use fixture::{Fixture, wait_for};
use serde_json::json;

fn backup_of(target: &str) -> Fixture {
    Fixture::with(|c| c.sync_from = Some(target.to_owned()))
}

fn status(f: &Fixture) -> String {
    f.handle.call(|e| e.replication.status()).unwrap()
}

fn wait_for_status(f: &Fixture, text: &str) {
    wait_for(text, || status(f).contains(text).then_some(()));
}

fn wait_for_numbers(f: &Fixture, numbers: &[i64]) {
    // A change of roles ends sessions: ask with a new one.
    wait_for("the rows", || (f.client().numbers() == numbers).then_some(()));
}

#[test]
fn a_backup_copies_and_is_read_only_until_it_is_promoted() {
    let active = Fixture::new();
    let mut writer = active.client();
    (0..3).for_each(|n| writer.insert(n, "x"));
    let backup = backup_of(&active.target());
    assert!(status(&backup).starts_with("state: backup\n"));
    wait_for_status(&backup, "replicating");
    assert_eq!(backup.client().numbers(), [0, 1, 2]);
    writer.insert(3, "x");
    writer.call("transact", json!(["D", {"op": "delete", "table": "t", "where": [["n", "==", 0]]}]));
    wait_for_numbers(&backup, &[1, 2, 3]);

    let mut c = backup.client();
    let insert = json!(["D", {"op": "insert", "table": "t", "row": {"n": 9}}]);
    let reply = c.call("transact", insert.clone());
    let text = "insert operation not allowed when database server is in read only mode";
    assert_eq!(reply["result"], json!([{"error": "not allowed", "details": text}]));
    assert!(!c.call("lock", json!(["l"]))["error"].is_null());

    drop(active);
    backup.handle.call(|e| e.disconnect_active()).unwrap();
    assert_eq!(c.next(), None, "promotion ends sessions");
    let mut c = backup.client();
    assert!(c.call("transact", insert)["result"][0]["uuid"].is_array());
    assert_eq!(c.numbers(), [1, 2, 3, 9]);
    let opened = ovsdb::storage::open(&backup.file(), ovsdb::storage::Mode::Read, None).unwrap();
    assert_eq!(opened.db.n_rows(), 4, "what was copied is in the file");
}

#[test]
fn rows_stay_until_the_active_server_is_there_and_then_give_way() {
    let gone = Fixture::new();
    let target = gone.target();
    drop(gone);
    let f = Fixture::new();
    f.client().insert(7, "own");
    let mut session = f.client();
    session.call("echo", json!([]));
    f.handle
        .call(move |e| {
            e.replication.active = Some(target);
            e.connect_active()
        })
        .unwrap()
        .unwrap();
    assert_eq!(session.next(), None, "demotion ends sessions");
    assert!(status(&f).contains("\nconnecting: "), "{}", status(&f));
    assert_eq!(f.client().numbers(), [7]);

    let other = Fixture::new();
    other.client().insert(8, "theirs");
    let target = other.target();
    f.handle
        .call(move |e| {
            e.replication.active = Some(target);
            e.connect_active()
        })
        .unwrap()
        .unwrap();
    wait_for_status(&f, "replicating");
    assert_eq!(f.client().numbers(), [8]);
}

#[test]
fn an_active_server_that_comes_back_is_copied_again() {
    let first = Fixture::new();
    first.client().insert(1, "");
    let file = first.file();
    let backup = backup_of(&first.target());
    wait_for_numbers(&backup, &[1]);
    // The same socket served by a server with other rows.
    let dir = first.keep();
    std::fs::remove_file(&file).unwrap();
    let second = Fixture::within(dir, |_| {});
    second.client().insert(2, "");
    wait_for_numbers(&backup, &[2]);
}

#[test]
fn excluded_tables_are_left_alone() {
    let active = Fixture::new();
    active.client().insert(1, "");
    let target = active.target();
    let backup = Fixture::with(|c| {
        c.sync_from = Some(target);
        c.sync_exclude = "D:t, D:u".to_owned();
    });
    wait_for_status(&backup, "exclude: D:t,D:u");
    assert_eq!(backup.client().numbers(), [0; 0]);
    backup.handle.call(|e| e.set_excluded_tables("")).unwrap();
    wait_for_numbers(&backup, &[1]);
}

#[test]
fn nobody_copies_himself() {
    let f = Fixture::new();
    f.client().insert(1, "");
    let target = f.target();
    f.handle
        .call(move |e| {
            e.replication.active = Some(target);
            e.connect_active()
        })
        .unwrap()
        .unwrap();
    wait_for_status(&f, "state: active");
    assert_eq!(f.client().numbers(), [1]);
    f.handle.call(|e| e.replication.active = None).unwrap();
    let complaint = f.handle.call(|e| e.connect_active()).unwrap();
    assert_eq!(complaint, Err("Unable to connect: active server is not specified."));
}
