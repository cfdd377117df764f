//! Peers that mean no good: each is told or dropped, and all others are served.

mod fixture;

use std::io::{Read, Write};

use fixture::{Client, Fixture};
use serde_json::{Value, json};

fn assert_served(c: &mut Client) {
    assert_eq!(c.call("echo", json!(["still", "here"]))["result"], json!(["still", "here"]));
}

/// Sends bytes that may not all be taken, and waits for the server to hang up.
fn is_dropped(f: &Fixture, chunks: impl Iterator<Item = Vec<u8>>) {
    let mut bad = f.client();
    for chunk in chunks {
        if bad.stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut rest = Vec::new();
    let _ = bad.stream.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

#[test]
fn a_million_keys_are_just_many() {
    let f = Fixture::new();
    let mut good = f.client();
    let keys: Vec<String> = (0..1_000_000).map(|i| format!("\"{i}\":0")).collect();
    let row = format!("{{{}}}", keys.join(","));
    let mut c = f.client();
    let text = format!(
        "{{\"method\":\"transact\",\"id\":\"x\",\"params\":[\"D\",{{\"op\":\"insert\",\"table\":\"t\",\"row\":{row}}}]}}"
    );
    c.stream.set_read_timeout(Some(fixture::LIMIT)).unwrap();
    c.stream.write_all(text.as_bytes()).unwrap();
    assert_eq!(c.next().unwrap()["result"][0]["error"], "unknown column");
    assert_served(&mut good);
    assert_served(&mut c);
}

#[test]
fn numbers_and_names_as_ovs_takes_them() {
    let f = Fixture::new();
    let mut good = f.client();
    is_dropped(&f, std::iter::once(b"{\"method\":\"echo\",\"id\":1,\"params\":[1e400]}".to_vec()));
    let mut c = f.client();
    let text = "{\"method\":\"echo\",\"id\":\"x\",\"params\":[9223372036854775808,{\"a\":1,\"a\":2}]}";
    c.stream.write_all(text.as_bytes()).unwrap();
    let reply = c.next().unwrap();
    // Reals have 15 digits, as OVS writes them.
    assert_eq!(reply["result"][0].as_f64(), Some(9.223_372_036_854_78e18));
    assert_eq!(reply["result"][1], json!({"a": 2}));
    let huge = json!({"op": "insert", "table": "t", "row": {"n": 9_223_372_036_854_775_808_u64}});
    assert_eq!(good.call("transact", json!(["D", huge]))["result"][0]["error"], "syntax error");
    assert_served(&mut good);
}

#[test]
fn hundreds_of_peers_that_say_nothing_or_half_a_word() {
    let f = Fixture::new();
    let peers: Vec<Client> = (0..300)
        .map(|i| {
            let mut c = f.client();
            if i % 2 == 0 {
                c.stream.write_all(b"{\"method\":\"tran").unwrap();
            }
            c
        })
        .collect();
    let mut good = f.client();
    good.insert(1, "");
    drop(peers);
    assert_eq!(good.numbers(), [1]);
}

#[test]
fn odd_requests_get_an_error_each() {
    let f = Fixture::new();
    let mut c = f.client();
    for (method, params) in [
        ("transact", json!([])),
        ("transact", json!([1])),
        ("transact", json!(["X"])),
        ("monitor", json!(["D"])),
        ("monitor", json!(["D", null, {"t": {"columns": ["x"]}}])),
        ("monitor_cond_since", json!(["D", "m", {}, "no uuid"])),
        ("monitor_cond_change", json!([1, 2, 3])),
        ("monitor_cancel", json!([[[]]])),
        ("lock", json!([7])),
        ("unlock", json!(["never"])),
        ("get_schema", json!(["X"])),
        ("convert", json!(["D", {"name": "D"}])),
        ("set_db_change_aware", json!([1])),
        ("no such method", json!([])),
    ] {
        let reply: Value = c.call(method, params.clone());
        assert!(!reply["error"].is_null(), "{method} {params}: {reply}");
    }
    assert_served(&mut c);
}
