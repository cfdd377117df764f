//! The server on real sockets: what a peer sees, and what it does to the others.

mod fixture;

use std::io::{Read, Write};

use fixture::Fixture;
use ovsdb::storage;
use serde_json::{Value, json};

#[test]
fn bad_input_ends_only_the_peer_that_sent_it() {
    let f = Fixture::new();
    let mut good = f.client();
    let nested = [b"[".repeat(2000), b"]".repeat(2000)].concat();
    let inputs: [Vec<u8>; 6] = [
        b"{\"method\":\"echo\",\"id\":1,\"params\":[\"\xff\xfe\"]}".to_vec(),
        b"[".repeat(1_000_000),
        [b"{\"method\":\"echo\",\"id\":1,\"params\":", &nested[..], b"}"].concat(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"{\"method\":\"echo\",\"id\":1,\"params\":[\"\\u0000\"]}".to_vec(),
        b"{}{}{}".to_vec(),
    ];
    for input in inputs {
        let mut bad = f.client();
        // The server may close before it has taken everything.
        let _ = bad.stream.write_all(&input);
        let mut rest = Vec::new();
        let _ = bad.stream.read_to_end(&mut rest);
        assert_eq!(good.call("echo", json!([1]))["result"], json!([1]));
    }
}

#[test]
fn a_peer_that_does_not_read_gets_merged_updates() {
    let f = Fixture::new();
    let mut slow = f.client();
    slow.call("monitor_cond", json!(["D", "m", {"t": [{"columns": ["n", "pad"]}]}]));
    let mut writer = f.client();
    let pad = "x".repeat(60_000);
    for n in 0..200 {
        writer.insert(n, &pad);
    }
    let counters = f.handle.call(|e| e.counters).unwrap();
    assert!(counters.merged_updates > 0, "{counters:?}");
    let waiting = f.handle.call(|e| e.backlog_max()).unwrap();
    assert!(waiting < 5 << 20, "{waiting} bytes wait");
    // Once it reads, it has seen every row.
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 200 {
        let v = slow.next().expect("the server closed the connection");
        for row in v["params"][1]["t"].as_object().unwrap().values() {
            seen.insert(row["insert"]["n"].as_i64().unwrap_or(0));
        }
    }
}

#[test]
fn history_spares_a_client_that_comes_back_the_whole() {
    let f = Fixture::new();
    let requests = json!({"t": [{"columns": ["n"]}]});
    let zero = "00000000-0000-0000-0000-000000000000";
    let mut c = f.client();
    c.insert(1, "");
    let first = c.call("monitor_cond_since", json!(["D", "m", requests, zero]))["result"].clone();
    assert_eq!(first[0], false);
    assert_eq!(first[2]["t"].as_object().unwrap().len(), 1);
    drop(c);
    let mut c = f.client();
    c.insert(2, "");
    let delete = json!({"op": "delete", "table": "t", "where": [["n", "==", 1]]});
    c.call("transact", json!(["D", delete]));
    let again = c.call("monitor_cond_since", json!(["D", "m", requests, first[1]]))["result"].clone();
    assert_eq!(again[0], true);
    let rows: Vec<&Value> = again[2]["t"].as_object().unwrap().values().collect();
    assert_eq!(rows.len(), 2);
    assert!(rows.contains(&&json!({"delete": null})));
    assert!(rows.contains(&&json!({"insert": {"n": 2}})));
}

#[test]
fn waits_end_with_the_change_they_wait_for() {
    let f = Fixture::new();
    let (mut a, mut b) = (f.client(), f.client());
    let wait = json!({"op": "wait", "table": "t", "where": [], "columns": ["n"], "until": "==",
        "rows": [{"n": 7}]});
    a.send("transact", json!(["D", wait]));
    b.insert(7, "");
    assert_eq!(a.next().unwrap()["result"], json!([{}]));
}

#[test]
fn a_lock_goes_on_to_the_next_when_its_owner_leaves() {
    let f = Fixture::new();
    let (mut a, mut b) = (f.client(), f.client());
    assert_eq!(a.call("lock", json!(["l"]))["result"]["locked"], true);
    assert_eq!(b.call("lock", json!(["l"]))["result"]["locked"], false);
    let assert = json!(["D", {"op": "assert", "lock": "l"}]);
    assert_eq!(b.call("transact", assert.clone())["result"][0]["error"], "not owner");
    drop(a);
    let notice = b.next().unwrap();
    assert_eq!((&notice["method"], &notice["params"]), (&json!("locked"), &json!(["l"])));
    assert_eq!(b.call("transact", assert)["result"], json!([{}]));
}

#[test]
fn what_was_stolen_twice_does_not_come_back() {
    let f = Fixture::new();
    let (mut a, mut b) = (f.client(), f.client());
    let mut twice = |first: &str| {
        assert_eq!(a.call(first, json!(["l"]))["result"]["locked"], true);
        assert_eq!(b.call("steal", json!(["l"]))["result"]["locked"], true);
        assert_eq!(a.next().unwrap()["method"], "stolen");
        b.call("unlock", json!(["l"]));
        a.send("echo", json!([]));
        let next = a.next().unwrap()["method"].as_str().map(str::to_owned);
        if next.is_some() {
            a.next().unwrap();
        }
        a.call("unlock", json!(["l"]));
        next
    };
    assert_eq!(twice("lock").as_deref(), Some("locked"));
    assert_eq!(twice("steal"), None);
}

#[test]
fn a_converted_database_keeps_what_fits_and_survives_a_restart() {
    let f = Fixture::new();
    let mut aware = f.client();
    aware.call("set_db_change_aware", json!([true]));
    aware.call("monitor", json!(["D", "m", {"t": {"columns": ["n"]}}]));
    let mut unaware = f.client();
    unaware.insert(5, "kept");
    let schema = json!({"name": "D", "version": "2.0.0", "tables": {"t": {"isRoot": true, "columns": {
        "n": {"type": {"key": "integer", "min": 0, "max": 9}}, "pad": {"type": "string"},
        "new": {"type": "boolean"}}}}});
    let mut admin = f.client();
    assert_eq!(admin.call("convert", json!(["D", schema]))["result"], json!({}));
    assert_eq!(aware.next().unwrap()["method"], "update");
    assert_eq!(aware.next().unwrap()["method"], "monitor_canceled");
    assert_eq!(unaware.next(), None);
    let columns = ["n", "pad", "new"];
    let select = json!(["D", {"op": "select", "table": "t", "where": [], "columns": columns}]);
    let rows = json!([{"rows": [{"n": 5, "pad": "kept", "new": false}]}]);
    assert_eq!(admin.call("transact", select)["result"], rows);
    let opened = storage::open(&f.file(), storage::Mode::Read, None).unwrap();
    assert_eq!(opened.db.schema().version, "2.0.0");
    assert_eq!(opened.db.n_rows(), 1);
}

#[test]
fn compaction_by_command_leaves_clients_served() {
    let f = Fixture::new();
    let mut c = f.client();
    let pad = "x".repeat(1 << 20);
    (0..30).for_each(|n| c.insert(n, &pad));
    assert_eq!(f.handle.call(|e| e.start_compactions(Some("nope"))).unwrap(), None);
    let started = f.handle.call(|e| e.start_compactions(None)).unwrap();
    assert_eq!(started, Some(vec!["D".to_owned()]));
    // Written while it runs, or just after: in the new file either way.
    c.insert(30, "y");
    fixture::wait_for("the compaction", || f.handle.call(|e| e.compaction_outcome("D")).unwrap()).unwrap();
    c.insert(31, "z");
    let opened = storage::open(&f.file(), storage::Mode::Read, None).unwrap();
    assert!(opened.damage.is_none());
    assert_eq!(opened.db.n_rows(), 32);
    assert!(opened.file.n_records <= 3, "{} records", opened.file.n_records);
}

#[test]
fn compaction_under_writes_loses_nothing() {
    let f = Fixture::new();
    let mut c = f.client();
    for n in 0..50 {
        c.insert(n, "a");
        if n % 10 == 0 {
            f.handle.call(|e| e.compact(None)).unwrap().unwrap();
        }
    }
    let opened = storage::open(&f.file(), storage::Mode::Read, None).unwrap();
    assert!(opened.damage.is_none());
    assert_eq!(opened.db.n_rows(), 50);
}
