use std::collections::HashMap;

use serde_json::json;

use super::*;
use crate::value::{Datum, generate};

fn schema() -> Arc<Schema> {
    let j = json!({"name": "D", "tables": {
        "a": {"columns": {"n": {"type": "integer"},
              "s": {"type": {"key": {"type": "uuid", "refTable": "b"}, "min": 0, "max": "unlimited"}},
              "w": {"type": {"key": {"type": "uuid", "refTable": "b", "refType": "weak"}, "min": 0, "max": "unlimited"}}},
              "isRoot": true, "indexes": [["n"]]},
        "b": {"columns": {"n": {"type": "integer"}}}}});
    Arc::new(Schema::from_json(&j).unwrap())
}

fn row(db: &Database, table: usize, n: i64, strong: &[Uuid], weak: &[Uuid]) -> Row {
    let t = &db.schema().tables[table];
    let mut cols = Row::default_of(t, generate()).to_vec();
    let uuids = |u: &[Uuid]| Datum::set(u.iter().map(|&u| u.into()).collect());
    cols[t.lookup("n").unwrap().0] = n.into();
    if table == 0 {
        cols[t.lookup("s").unwrap().0] = uuids(strong);
        cols[t.lookup("w").unwrap().0] = uuids(weak);
    }
    Row::new(cols)
}

fn insert(table: usize, row: &Row) -> Change {
    Change { table, uuid: row.uuid(), old: None, new: Some(row.clone()) }
}

#[test]
fn rows_agree_with_a_naive_map() {
    let mut db = Database::new(schema());
    let mut model: HashMap<Uuid, Row> = HashMap::new();
    let mut seed = 12345u64;
    let mut random = |n: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n
    };
    for i in 0..3000 {
        if model.is_empty() || random(3) > 0 {
            let r = row(&db, 0, i, &[], &[]);
            db.apply(&[insert(0, &r)]);
            model.insert(r.uuid(), r);
        } else {
            let uuid = *model.keys().nth(random(model.len())).unwrap();
            let old = model.remove(&uuid);
            db.apply(&[Change { table: 0, uuid, old, new: None }]);
        }
    }
    assert_eq!(db.table(0).len(), model.len());
    assert_eq!(db.table(0).rows().count(), model.len());
    for (uuid, r) in &model {
        assert_eq!(db.lookup(0, *uuid), Some(r));
        let probe = {
            let mut cols = r.to_vec();
            cols[0] = generate().into();
            Row::new(cols)
        };
        assert_eq!(db.table(0).lookup_index(0, &probe), Some(r));
        assert_eq!(db.table(0).lookup_index(0, r), None);
    }
}

#[test]
fn snapshots_do_not_change() {
    let mut db = Database::new(schema());
    let rows: Vec<_> = (0..200).map(|i| row(&db, 0, i, &[], &[])).collect();
    db.apply(&rows.iter().map(|r| insert(0, r)).collect::<Vec<_>>());
    let before = db.snapshot();
    for r in &rows {
        db.apply(&[Change { table: 0, uuid: r.uuid(), old: Some(r.clone()), new: None }]);
    }
    assert_eq!(before.tables[0].rows().count(), 200);
    assert_eq!(db.n_rows(), 0);
}

#[test]
fn references_are_counted_and_come_back_on_revert() {
    let mut db = Database::new(schema());
    let b = row(&db, 1, 1, &[], &[]);
    let a = row(&db, 0, 1, &[b.uuid()], &[b.uuid()]);
    db.apply(&[insert(1, &b), insert(0, &a)]);
    assert_eq!(db.table(1).n_refs(b.uuid()), 1);
    assert_eq!(db.weak_sources(1, b.uuid()).collect::<Vec<_>>(), [(0, a.uuid())]);
    let gone = [
        Change { table: 0, uuid: a.uuid(), old: Some(a.clone()), new: None },
        Change { table: 1, uuid: b.uuid(), old: Some(b.clone()), new: None },
    ];
    db.apply(&gone);
    assert_eq!(db.weak_sources(1, b.uuid()).count(), 0);
    db.revert(&gone);
    assert_eq!(db.table(1).n_refs(b.uuid()), 1);
    assert_eq!(db.weak_sources(1, b.uuid()).count(), 1);
    db.recount();
    assert_eq!(db.weak_sources(1, b.uuid()).count(), 1);
}
