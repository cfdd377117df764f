//! The session and the transaction without sockets, and once against Debian's server.

use std::process::{Child, Command};

use serde_json::{Value, json};
use transport::jsonrpc::Message;

use super::*;
use crate::value::{Atom, Datum, Uuid, parse_uuid};

const A: &str = "00000000-0000-4000-8000-00000000000a";
const B: &str = "00000000-0000-4000-8000-00000000000b";

fn uuid(text: &str) -> Uuid {
    parse_uuid(text).unwrap()
}

fn schema() -> Value {
    json!({"name": "D", "version": "1.0.0", "tables": {
        "R": {"isRoot": true, "columns": {
            "n": {"type": "integer"},
            "m": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
            "kids": {"type": {"key": {"type": "uuid", "refTable": "K"}, "min": 0, "max": "unlimited"}}}},
        "K": {"columns": {"name": {"type": "string"}}}}})
}

/// Answers the session's next request.
fn answer(session: &mut Session, result: Result<Value, Value>) -> Value {
    let Some(Message::Request { method, params, id }) = session.poll_transmit() else {
        panic!("no request");
    };
    let reply = match result {
        Ok(result) => Message::Reply { result, id },
        Err(error) => Message::Error { error, id },
    };
    session.on_message(reply).unwrap();
    json!([method, params])
}

/// A session with one row A in R.
fn live() -> Session {
    let mut session = Session::new("D", Interest::all(), None);
    session.on_connected();
    answer(&mut session, Ok(schema()));
    let row = json!({"n": 1, "m": ["map", [["k", "v"]]], "kids": ["uuid", B]});
    let rows = json!({"R": {A: {"initial": row}}, "K": {B: {"initial": {"name": "b"}}}});
    answer(&mut session, Ok(json!([false, A, rows])));
    session
}

#[test]
fn monitors_fall_back() {
    let mut session = Session::new("D", Interest::none().columns("R", &["n", "nosuch"]), None);
    session.on_connected();
    answer(&mut session, Ok(schema()));
    let unknown = || Err(json!({"error": "unknown method"}));
    assert_eq!(
        answer(&mut session, unknown())[1],
        json!(["D", ["monid", "D"], {"R": [{"columns": ["n"]}]}, "00000000-0000-0000-0000-000000000000"])
    );
    assert_eq!(answer(&mut session, unknown())[0], "monitor_cond");
    assert_eq!(answer(&mut session, Ok(json!({"R": {A: {"new": {"n": 7}}}})))[0], "monitor");
    assert!(session.is_live());
    assert_eq!(session.replica().unwrap().first("R").unwrap().integer("n"), Some(7));
}

#[test]
fn changes_are_the_net_difference() {
    let mut session = live();
    assert_eq!(session.take_changes().len(), 2);
    let update = |session: &mut Session, rows: Value| {
        let params = vec![json!(["monid", "D"]), json!(A), rows];
        session.on_message(Message::notification("update3", params)).unwrap();
    };
    update(&mut session, json!({"R": {A: {"modify": {"n": 2, "m": ["map", [["k", "w"], ["x", "y"]]]}}}}));
    let changes = session.take_changes();
    let change = changes.iter().next().unwrap();
    assert_eq!((changes.len(), change.kind), (1, ChangeKind::Modified));
    assert!(change.has("n") && change.has("m") && !change.has("kids"));
    let map: Vec<_> = change.row().unwrap().map("m").collect();
    assert_eq!(map, [("k", "w"), ("x", "y")]);
    update(&mut session, json!({"R": {A: {"modify": {"n": 3}}}}));
    update(&mut session, json!({"R": {A: {"modify": {"n": 2}}}}));
    assert!(session.take_changes().is_empty());

    // After a reconnect without history, only the difference is a change.
    session.on_disconnected("test");
    session.on_connected();
    answer(&mut session, Ok(schema()));
    let rows = json!({"R": {A: {"initial": {"n": 9}}}, "K": {B: {"initial": {"name": "b"}}}});
    let request = answer(&mut session, Ok(json!([false, B, rows])));
    assert_eq!(request[1][3], A);
    let changes = session.take_changes();
    assert_eq!(changes.iter().map(|c| c.table).collect::<Vec<_>>(), ["R"]);
}

#[test]
fn transactions_become_operations() {
    let session = live();
    let replica = session.replica().unwrap();
    let mut txn = Transaction::new(replica);
    let root = uuid(A);
    txn.verify("R", root, "n");
    txn.set("R", root, "n", Datum::One(Atom::Integer(5)));
    txn.map_put("R", root, "m", "k", "2");
    txn.map_remove("R", root, "m", "gone");
    let kid = txn.insert("K");
    txn.set("K", kid, "name", "new");
    txn.add_reference("R", root, "kids", kid);
    txn.delete("K", uuid(B));
    txn.increment("R", root, "n");
    txn.comment("why");
    assert_eq!(txn.rows("K").len(), 1);
    assert_eq!(txn.row("R", root).unwrap().map_str("m", "k"), Some("2"));

    let request = txn.finish();
    let name = format!("row{}", kid.to_string().replace('-', "_"));
    let by_a = json!([["_uuid", "==", ["uuid", A]]]);
    let expect = json!([
        {"op": "wait", "timeout": 0, "table": "R", "where": by_a, "columns": ["n"], "until": "==", "rows": [{"n": 1}]},
        {"op": "update", "table": "R", "where": by_a, "row": {"n": 5}},
        {"op": "mutate", "table": "R", "where": by_a, "mutations": [
            ["kids", "insert", ["set", [["named-uuid", name]]]],
            ["m", "delete", ["set", ["gone", "k"]]], ["m", "insert", ["map", [["k", "2"]]]]]},
        {"op": "insert", "table": "K", "uuid-name": name, "row": {"name": "new"}},
        {"op": "mutate", "table": "R", "where": by_a, "mutations": [["n", "+=", 1]]},
        {"op": "select", "table": "R", "where": by_a, "columns": ["n"]},
        {"op": "comment", "comment": "why"},
    ]);
    let mut got = Value::from(request.ops.clone());
    // The order of mutations of different columns does not matter.
    if let Some(list) = got[2]["mutations"].as_array_mut() {
        list.sort_by_key(|m| m[0].to_string());
    }
    assert_eq!(got, expect);
    let reply = json!([{}, {"count": 1}, {"count": 1}, {"uuid": ["uuid", B]}, {"count": 1}, {"rows": [{"n": 6}]}, {}]);
    let CommitStatus::Success(outcome) = request.outcome(&reply) else { panic!() };
    assert_eq!((outcome.counter, outcome.inserted[&kid]), (Some(6), uuid(B)));
    assert_eq!(request.outcome(&json!([{"error": "timed out"}])), CommitStatus::TryAgain);
    let refused = json!([{}, {"error": "constraint violation", "details": "d"}]);
    let text = "{\"details\":\"d\",\"error\":\"constraint violation\"}".to_owned();
    assert_eq!(request.outcome(&refused), CommitStatus::Error(text));
}

#[test]
fn edits_without_effect_send_nothing() {
    let session = live();
    let mut txn = Transaction::new(session.replica().unwrap());
    txn.set("R", uuid(A), "n", Datum::One(Atom::Integer(1)));
    txn.map_put("R", uuid(A), "m", "k", "v");
    txn.verify("R", uuid(A), "n");
    txn.increment("R", uuid(A), "n");
    txn.comment("nothing");
    assert!(txn.finish().ops.is_empty());
}

/// Debian's server, killed at the end.
struct Server(Child, tempfile::TempDir);

impl Server {
    fn start() -> Option<Self> {
        if !std::path::Path::new("/usr/sbin/ovsdb-server").exists() {
            eprintln!("SKIPPED: Debian's ovsdb-server is not installed");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("conf.db");
        let tool = Command::new("ovsdb-tool")
            .arg("create")
            .arg(&db)
            .arg("/usr/share/openvswitch/vswitch.ovsschema")
            .status();
        assert!(tool.unwrap().success());
        let child = Command::new("/usr/sbin/ovsdb-server")
            .arg(format!("--remote=punix:{}", dir.path().join("s").display()))
            .arg("--unixctl=none")
            .arg(&db)
            .env("OVS_RUNDIR", dir.path())
            .spawn()
            .unwrap();
        Some(Self(child, dir))
    }

    fn remote(&self) -> String {
        format!("unix:{}", self.1.path().join("s").display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn debians_server_takes_it_all() {
    let Some(server) = Server::start() else { return };
    let new = || Client::new(&server.remote(), "Open_vSwitch", Interest::all()).unwrap();
    let mut client = new().with_lock("test");
    let deadline = std::time::Duration::from_secs(30);
    let work = async {
        client.ready().await.unwrap();
        while !client.has_lock() {
            client.next().await;
        }
        let status = client
            .commit_with(|txn| {
                let root = txn.insert("Open_vSwitch");
                let bridge = txn.insert("Bridge");
                txn.set("Bridge", bridge, "name", "br0");
                txn.map_put("Bridge", bridge, "external_ids", "a", "b");
                txn.add_reference("Open_vSwitch", root, "bridges", bridge);
                txn.increment("Open_vSwitch", root, "next_cfg");
            })
            .await;
        let CommitStatus::Success(outcome) = status else { panic!("{status:?}") };
        assert_eq!((outcome.inserted.len(), outcome.counter), (2, Some(1)));

        let mut other = new();
        let bridge = other.ready().await.unwrap().find("Bridge", "name", "br0").unwrap();
        assert_eq!(bridge.map_str("external_ids", "a"), Some("b"));
        let row = bridge.uuid();
        other.take_changes();
        // Two clients edit different keys of one map at once: both edits stay.
        other.commit_with(|txn| txn.map_put("Bridge", row, "external_ids", "c", "d")).await;
        client.commit_with(|txn| txn.map_put("Bridge", row, "external_ids", "a", "z")).await;
        while other.replica().unwrap().row("Bridge", row).unwrap().map_str("external_ids", "a") != Some("z") {
            other.next().await;
        }
        let changes = other.take_changes();
        let change = changes.of("Bridge").next().unwrap();
        assert_eq!(change.row().unwrap().map("external_ids").collect::<Vec<_>>(), [("a", "z"), ("c", "d")]);

        // A stale read is noticed, and the second try sees the new value.
        let mut tries = 0;
        let replica = client.replica().unwrap().clone();
        let mut stale = Transaction::new(&replica);
        stale.verify("Bridge", row, "fail_mode");
        stale.set("Bridge", row, "fail_mode", "secure");
        other.commit_with(|txn| txn.set("Bridge", row, "fail_mode", "standalone")).await;
        assert_eq!(client.commit(stale.finish()).await, CommitStatus::TryAgain);
        client
            .commit_with(|txn| {
                tries += 1;
                txn.verify("Bridge", row, "fail_mode");
                txn.set("Bridge", row, "fail_mode", "secure");
            })
            .await;
        assert!(tries >= 1);
    };
    tokio::time::timeout(deadline, work).await.expect("timed out");
}
