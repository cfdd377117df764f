//! Remotes that stand in the database: their options, and what is written back.

mod fixture;

use fixture::{Client, Fixture, wait_for};
use serde_json::{Value, json};

/// A server whose remotes are the rows of table `c`, which column `g.remotes` refers to.
fn server() -> Fixture {
    let optional = json!({"type": {"key": "integer", "min": 0, "max": 1}});
    let map = json!({"key": "string", "value": "string", "min": 0, "max": "unlimited"});
    let refs = json!({"key": {"type": "uuid", "refTable": "c"}, "min": 0, "max": "unlimited"});
    let schema = json!({"name": "D", "version": "1.0.0", "tables": {
        "g": {"isRoot": true, "columns": {"remotes": {"type": refs}}},
        "c": {"columns": {"target": {"type": "string"}, "inactivity_probe": optional,
            "max_backoff": optional, "read_only": {"type": "boolean"}, "role": {"type": "string"},
            "is_connected": {"type": "boolean", "ephemeral": true},
            "status": {"type": map, "ephemeral": true}}}}});
    let dir = tempfile::tempdir().unwrap();
    Fixture::serving(dir, &schema, |c| c.remotes.push("db:D,g,remotes".to_owned()))
}

fn add_remote(admin: &mut Client, target: &str) {
    let c = json!({"op": "insert", "table": "c", "uuid-name": "c", "row": {"target": target}});
    let g = json!({"op": "insert", "table": "g", "row": {"remotes": ["named-uuid", "c"]}});
    assert!(admin.call("transact", json!(["D", c, g]))["result"][1]["uuid"].is_array());
}

fn set(admin: &mut Client, row: Value) {
    let update = json!({"op": "update", "table": "c", "where": [], "row": row});
    assert_eq!(admin.call("transact", json!(["D", update]))["result"][0]["count"], 1);
}

fn connect(path: &std::path::Path) -> Client {
    wait_for("the remote", || path.exists().then_some(()));
    let mut client = Client::new(path);
    client.call("echo", json!([]));
    client
}

#[test]
fn options_of_a_row_change_while_it_works() {
    let f = server();
    let mut admin = f.client();
    let path = f.path().join("c");
    add_remote(&mut admin, &format!("punix:{}", path.display()));
    let mut peer = connect(&path);
    // Local peers are not probed unless somebody says so; this one stays connected.
    set(&mut admin, json!({"inactivity_probe": 1000}));
    assert_eq!(peer.next().unwrap()["method"], "echo");
    set(&mut admin, json!({"inactivity_probe": 0}));
    assert_eq!(peer.call("echo", json!([1]))["result"], json!([1]));
    // What it may do is decided anew.
    set(&mut admin, json!({"read_only": true}));
    while let Some(message) = peer.next() {
        assert_eq!(message["method"], "echo");
    }
    let mut peer = connect(&path);
    let delete = json!(["D", {"op": "delete", "table": "g", "where": []}]);
    assert_eq!(peer.call("transact", delete.clone())["result"][0]["error"], "not allowed");
    assert_eq!(peer.call("lock", json!(["l"]))["error"]["error"], "syntax error");
    // Without a row there is no remote.
    assert_eq!(admin.call("transact", delete)["result"][0]["count"], 1);
    assert_eq!(peer.next(), None);
    wait_for("the socket's end", || (!path.exists()).then_some(()));
}

#[test]
fn the_state_of_remotes_is_written_back() {
    let f = server();
    let mut admin = f.client();
    let path = f.path().join("c");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    add_remote(&mut admin, &format!("unix:{}", path.display()));
    let (peer, _) = listener.accept().unwrap();
    let mut peer = Client::of(peer);
    assert_eq!(peer.call("lock", json!(["mine"]))["result"]["locked"], true);
    let mut status = |wanted: &str| {
        wait_for(wanted, || {
            let select =
                json!({"op": "select", "table": "c", "where": [], "columns": ["is_connected", "status"]});
            let reply = admin.call("transact", json!(["D", select]));
            let row = reply["result"][0]["rows"][0].clone();
            row.to_string().contains(wanted).then_some(row)
        })
    };
    let row = status("ACTIVE");
    assert_eq!(row["is_connected"], true);
    let row = status("locks_held");
    assert!(row.to_string().contains("[\"locks_held\",\"mine\"]"), "{row}");
    drop((peer, listener));
    let row = status("BACKOFF");
    assert_eq!(row["is_connected"], false);
    assert!(row.to_string().contains("sec_since_disconnect"), "{row}");
}
