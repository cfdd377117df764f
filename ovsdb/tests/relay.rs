//! Relays: a server that serves another one's database.

mod fixture;

use fixture::{Client, Fixture, wait_for};
use serde_json::{Value, json};

fn relay_of(target: &str) -> Fixture {
    let text = format!("relay:D:{target}");
    Fixture::with(|c| c.files = vec![text.into()])
}

/// A session of the relay once it has rows.
fn connect(f: &Fixture) -> Client {
    wait_for("the relay's rows", || {
        let mut c = f.client();
        c.call("get_schema", json!(["D"]))["error"].is_null().then_some(c)
    })
}

#[test]
fn reads_are_served_here_and_writes_at_the_source() {
    let source = Fixture::new();
    source.client().insert(1, "x");
    let relay = relay_of(&source.target());
    let mut c = connect(&relay);
    assert_eq!(c.numbers(), [1]);
    c.call("monitor_cond", json!(["D", "m", {"t": [{"columns": ["n"]}]}]));
    c.send("transact", json!(["D", {"op": "insert", "table": "t", "row": {"n": 2}}]));
    // The update comes before the reply, as from any server.
    let update = c.next().unwrap();
    assert_eq!(update["method"], "update2");
    assert!(c.next().unwrap()["result"][0]["uuid"].is_array());
    assert_eq!(source.client().numbers(), [1, 2]);
    source.client().insert(3, "");
    assert_eq!(c.next().unwrap()["method"], "update2");
    assert_eq!(c.numbers(), [1, 2, 3]);
    let again = c.call("transact", json!(["D", {"op": "insert", "table": "t", "row": {"n": 2}}]));
    assert_eq!(again["result"][1]["error"], "constraint violation");
    let select = json!({"op": "select", "table": "Database", "where": [["name", "==", "D"]],
        "columns": ["model", "connected", "leader"]});
    let row = json!({"model": "relay", "connected": true, "leader": false});
    assert_eq!(c.call("transact", json!(["_Server", select]))["result"][0]["rows"], json!([row]));
}

#[test]
fn a_relay_outlives_its_source_and_follows_the_next() {
    let source = Fixture::new();
    source.client().insert(1, "");
    let file = source.file();
    let relay = relay_of(&source.target());
    let mut c = connect(&relay);
    let dir = source.keep();
    assert_eq!(c.numbers(), [1]);
    // A transaction waits for the source to come back.
    let insert = json!(["D", {"op": "insert", "table": "t", "row": {"n": 5}}]);
    wait_for("the end of the source", || {
        let is_up = |e: &mut ovsdb::server::Engine| e.dbs["D"].relay.as_ref().unwrap().is_up();
        (!relay.handle.call(is_up).unwrap()).then_some(())
    });
    c.send("transact", insert);
    std::fs::remove_file(&file).unwrap();
    let source = Fixture::within(dir, |_| {});
    source.client().insert(4, "");
    let reply = c.next().unwrap();
    assert!(reply["result"][0]["uuid"].is_array(), "{reply}");
    assert_eq!(c.numbers(), [4, 5]);
}

#[test]
fn a_relay_without_a_source_says_so() {
    let gone = Fixture::new();
    let target = gone.target();
    drop(gone);
    let relay = relay_of(&target);
    let mut c = relay.client();
    let error = |reply: Value| reply["error"]["error"].clone();
    assert_eq!(error(c.call("get_schema", json!(["D"]))), "database not available");
    assert_eq!(
        error(c.call("transact", json!(["D", {"op": "comment", "comment": "x"}]))),
        "database not available"
    );
    assert_eq!(c.call("list_dbs", json!([]))["result"], json!(["D", "_Server"]));
    for text in ["relay:D", "relay::unix:x", "relay:D:foo"] {
        let refused = relay.handle.call(move |e| e.open_relay(text).is_err()).unwrap();
        assert!(refused, "{text}");
    }
}
