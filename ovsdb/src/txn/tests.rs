use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::schema::Schema;

fn database() -> Database {
    let j = json!({"name": "D", "tables": {
        "a": {"columns": {"n": {"type": {"key": "integer", "min": 0, "max": 1}}, "name": {"type": "string"},
              "c": {"type": {"key": {"type": "uuid", "refTable": "c"}, "min": 0, "max": "unlimited"}},
              "w": {"type": {"key": {"type": "uuid", "refTable": "c", "refType": "weak"}, "min": 0, "max": "unlimited"}},
              "fixed": {"type": "string", "mutable": false}},
              "isRoot": true, "indexes": [["name"]], "maxRows": 3},
        "c": {"columns": {"n": {"type": "string"}, "d": {"type": {"key": {"type": "uuid", "refTable": "c"}, "min": 0, "max": 1}}}}}});
    Database::new(Arc::new(Schema::from_json(&j).unwrap()))
}

/// Runs operations, applies what they commit, and gives the reply.
fn transact(db: &mut Database, operations: serde_json::Value) -> serde_json::Value {
    let mut params = vec!["D".into()];
    params.extend(operations.as_array().unwrap().iter().cloned());
    let locks = BTreeSet::new();
    let context = Context { locks: Some(&locks), ..Context::default() };
    match run(db, &params, &context) {
        Outcome::Done { reply, commit } => {
            if let Some(commit) = commit {
                db.apply(&commit.changes);
            }
            serde_json::from_str(&reply).unwrap()
        }
        Outcome::Wait { timeout_ms } => json!({ "wait": timeout_ms }),
    }
}

fn error(reply: &serde_json::Value) -> String {
    let last = reply.as_array().unwrap().iter().rev().find(|r| !r.is_null()).unwrap();
    Error::from_json(last).to_string()
}

#[test]
fn garbage_is_collected_through_chains() {
    let mut db = database();
    transact(
        &mut db,
        json!([
        {"op": "insert", "table": "c", "row": {"n": "2"}, "uuid-name": "two"},
        {"op": "insert", "table": "c", "row": {"n": "1", "d": ["named-uuid", "two"]}, "uuid-name": "one"},
        {"op": "insert", "table": "c", "row": {"n": "nobody's"}},
        {"op": "insert", "table": "a", "row": {"name": "x", "c": ["named-uuid", "one"]}}]),
    );
    assert_eq!(db.table(1).len(), 2);
    transact(&mut db, json!([{"op": "update", "table": "a", "where": [], "row": {"c": ["set", []]}}]));
    assert_eq!(db.table(1).len(), 0);
}

#[test]
fn a_row_that_is_referred_to_stays() {
    let mut db = database();
    transact(
        &mut db,
        json!([
        {"op": "insert", "table": "c", "row": {"n": "1"}, "uuid-name": "one"},
        {"op": "insert", "table": "a", "row": {"name": "x", "c": ["named-uuid", "one"]}}]),
    );
    let reply = transact(&mut db, json!([{"op": "delete", "table": "c", "where": []}]));
    assert!(error(&reply).contains("because of 1 remaining reference(s)"), "{reply}");
    assert_eq!(db.table(1).len(), 1);
}

#[test]
fn weak_references_go_with_their_row() {
    let mut db = database();
    transact(
        &mut db,
        json!([
        {"op": "insert", "table": "c", "row": {"n": "1"}, "uuid-name": "one"},
        {"op": "insert", "table": "a", "row": {"name": "x", "c": ["named-uuid", "one"]}},
        {"op": "insert", "table": "a", "row": {"name": "y", "w": ["named-uuid", "one"]}}]),
    );
    let w = |db: &mut Database| {
        transact(
            db,
            json!([{"op": "select", "table": "a", "where": [["name", "==", "y"]], "columns": ["w"]}]),
        )[0]["rows"][0]["w"]
            .clone()
    };
    assert_eq!(w(&mut db)[0], "uuid");
    transact(&mut db, json!([{"op": "delete", "table": "a", "where": [["name", "==", "x"]]}]));
    assert_eq!(w(&mut db), json!(["set", []]));
}

#[test]
fn indexes_and_max_rows_are_checked_at_the_end() {
    let mut db = database();
    let insert = |name: &str| json!({"op": "insert", "table": "a", "row": {"name": name}});
    transact(&mut db, json!([insert("x"), insert("y")]));
    assert!(
        error(&transact(&mut db, json!([insert("x")])))
            .contains("identical values (x) for index on column \"name\"")
    );
    let swap = json!([{"op": "delete", "table": "a", "where": [["name", "==", "x"]]}, insert("x")]);
    assert_eq!(transact(&mut db, swap)[0]["count"], 1);
    assert!(error(&transact(&mut db, json!([insert("z"), insert("q")]))).contains("limit of 3 row(s)"));
    assert_eq!(db.table(0).len(), 2);
}

#[test]
fn nothing_happens_after_an_error() {
    let mut db = database();
    let reply = transact(
        &mut db,
        json!([
        {"op": "insert", "table": "a", "row": {"name": "x"}},
        {"op": "update", "table": "a", "where": [], "row": {"fixed": "y"}},
        {"op": "comment", "comment": "never"}]),
    );
    assert_eq!(reply.as_array().unwrap().len(), 3);
    assert!(reply[2].is_null());
    assert!(error(&reply).contains("Cannot update immutable column fixed"));
    assert_eq!(db.n_rows(), 0);
}

#[test]
fn wait_waits_or_fails() {
    let mut db = database();
    let wait = |timeout: i64| json!([{"op": "wait", "table": "a", "where": [], "columns": ["name"], "until": "==", "rows": [{"name": "x"}], "timeout": timeout}]);
    assert_eq!(transact(&mut db, wait(100)), json!({"wait": 100}));
    assert!(error(&transact(&mut db, wait(0))).contains("\"where\" clause test failed"));
    transact(&mut db, json!([{"op": "insert", "table": "a", "row": {"name": "x"}}]));
    assert_eq!(transact(&mut db, wait(0)), json!([{}]));
}

#[test]
fn unchanged_rows_are_no_changes() {
    let mut db = database();
    transact(&mut db, json!([{"op": "insert", "table": "a", "row": {"name": "x"}}]));
    let params =
        [json!("D"), json!({"op": "mutate", "table": "a", "where": [], "mutations": [["n", "+=", 1]]})];
    match run(&db, &params, &Context::default()) {
        Outcome::Done { commit: Some(c), .. } => assert!(c.changes.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_extra_member_is_an_error_even_after_the_operation_ran() {
    let mut db = database();
    let reply =
        transact(&mut db, json!([{"op": "insert", "table": "a", "row": {}, "x": 1}, {"op": "abort"}]));
    assert!(error(&reply).contains("Member 'x' is present but not allowed here."), "{reply}");
    assert!(reply[1].is_null());
    assert_eq!(db.n_rows(), 0);
}

#[test]
fn a_row_does_not_keep_itself_alive() {
    let mut db = database();
    transact(
        &mut db,
        json!([
        {"op": "insert", "table": "c", "row": {"d": ["named-uuid", "me"]}, "uuid-name": "me"},
        {"op": "insert", "table": "a", "row": {"name": "x", "c": ["named-uuid", "me"]}}]),
    );
    assert_eq!(db.table(1).len(), 1);
    transact(&mut db, json!([{"op": "delete", "table": "a", "where": []}]));
    assert_eq!(db.table(1).len(), 0);
}
