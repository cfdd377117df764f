use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::history::{Before, note};
use super::update::{RowChange, write_changes, write_initial};
use super::*;
use crate::db::{Change, Database, Row};
use crate::schema::Schema;
use crate::value::{Datum, Uuid, generate};

fn database() -> Database {
    let j = json!({"name": "D", "tables": {"t": {"columns": {
        "n": {"type": "integer"}, "s": {"type": {"key": "integer", "min": 0, "max": "unlimited"}}}}}});
    Database::new(Arc::new(Schema::from_json(&j).unwrap()))
}

fn row(db: &Database, uuid: Uuid, n: i64, s: &[i64]) -> Row {
    let mut cols = Row::default_of(&db.schema().tables[0], uuid).to_vec();
    cols[2] = n.into();
    cols[3] = Datum::set(s.iter().map(|&i| i.into()).collect());
    Row::new(cols)
}

fn show(spec: &Spec, db: &Database, old: Option<&Row>, new: Option<&Row>) -> Option<Value> {
    let uuid = old.or(new).unwrap().uuid();
    let change = RowChange { table: 0, uuid, old, new };
    let mut out = String::new();
    write_changes(spec, db.schema(), std::iter::once(change), &mut out).then(|| {
        let v: Value = serde_json::from_str(&out).unwrap();
        v["t"][uuid.to_string()].clone()
    })
}

fn spec(db: &Database, requests: Value, version: Version) -> Spec {
    Spec::from_json(db.schema(), &requests, version).unwrap()
}

#[test]
fn both_forms_of_each_kind_of_change() {
    let db = database();
    let (a, b) = (row(&db, generate(), 1, &[1, 2]), row(&db, generate(), 1, &[2, 3]));
    let cases = [
        (
            Version::V1,
            json!({"new": {"n": 1, "s": ["set", [1, 2]]}}),
            json!({"old": {"s": ["set", [1, 2]]}, "new": {"n": 1, "s": ["set", [2, 3]]}}),
            json!({"old": {"n": 1, "s": ["set", [1, 2]]}}),
        ),
        (
            Version::V2,
            json!({"insert": {"n": 1, "s": ["set", [1, 2]]}}),
            json!({"modify": {"s": ["set", [1, 3]]}}),
            json!({"delete": null}),
        ),
    ];
    for (version, insert, modify, delete) in cases {
        let s = spec(&db, json!({"t": {"columns": ["n", "s"]}}), version);
        assert_eq!(show(&s, &db, None, Some(&a)), Some(insert));
        assert_eq!(show(&s, &db, Some(&a), Some(&b)), Some(modify));
        assert_eq!(show(&s, &db, Some(&a), None), Some(delete));
    }
}

#[test]
fn conditions_turn_modify_into_insert_and_delete() {
    let db = database();
    let s =
        spec(&db, json!({"t": {"columns": ["n"], "where": [["n", "==", 1], ["n", "==", 2]]}}), Version::V2);
    let uuid = generate();
    let rows: Vec<_> = (0..3).map(|n| row(&db, uuid, n, &[])).collect();
    assert_eq!(show(&s, &db, Some(&rows[0]), Some(&rows[1])), Some(json!({"insert": {"n": 1}})));
    assert_eq!(show(&s, &db, Some(&rows[1]), Some(&rows[2])), Some(json!({"modify": {"n": 2}})));
    assert_eq!(show(&s, &db, Some(&rows[2]), Some(&rows[0])), Some(json!({"delete": null})));
    assert_eq!(show(&s, &db, None, Some(&rows[0])), None);
}

#[test]
fn select_and_unmonitored_columns_hide_changes() {
    let db = database();
    let (a, b) = (row(&db, generate(), 1, &[]), row(&db, generate(), 1, &[5]));
    let s = spec(&db, json!({"t": [{"columns": ["n"], "select": {"delete": false}}]}), Version::V2);
    assert_eq!(show(&s, &db, Some(&a), Some(&b)), None);
    assert_eq!(show(&s, &db, Some(&a), None), None);
    let mut out = String::new();
    write_initial(&s, &db, &mut out);
    assert_eq!(out, "{}");
}

#[test]
fn equal_requests_have_equal_keys() {
    let db = database();
    let key = |j: Value| spec(&db, j, Version::V2).key();
    assert_eq!(key(json!({"t": {"columns": ["n", "s"]}})), key(json!({"t": [{"columns": ["s", "n"]}]})));
    assert_ne!(
        key(json!({"t": {"columns": ["n"]}})),
        key(json!({"t": {"columns": ["n"], "where": [["n", "==", 1]]}}))
    );
}

#[test]
fn history_finds_what_it_keeps() {
    let db = database();
    let mut h = History::default();
    let start = h.last();
    let uuid = generate();
    let states: Vec<_> = (0..5).map(|n| row(&db, uuid, n, &[])).collect();
    let mut ids = vec![start];
    for w in states.windows(2) {
        let c = Change { table: 0, uuid, old: Some(w[0].clone()), new: Some(w[1].clone()) };
        ids.push(h.push(vec![c].into()));
    }
    for (i, id) in ids.iter().enumerate() {
        let before = h.since(*id).unwrap();
        let expected: Before =
            if i == 4 { BTreeMap::new() } else { [((0, uuid), Some(states[i].clone()))].into() };
        assert_eq!(before, expected);
    }
    assert!(h.since(generate()).is_none());
    for _ in 0..history::HISTORY_LEN_MAX {
        h.push(vec![].into());
    }
    assert!(h.since(start).is_none());
    let mut b = Before::new();
    note(&mut b, &[]);
    assert!(b.is_empty());
}
