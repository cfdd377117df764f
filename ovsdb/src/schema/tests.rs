use serde_json::json;

use super::*;

#[test]
fn checksum_is_posix_cksum_without_its_own_line() {
    // cksum(1) of "hello\n" is 3015617425 6.
    assert_eq!(cksum("hello\n \"cksum\": \"1 2\",\n"), "3015617425 6");
}

#[test]
fn versions_compare_by_number() {
    let v = |s: &str| s.parse::<Version>().unwrap();
    assert!(v("8.3.1") < v("8.10.0"));
    assert_eq!(v("1.2.3").to_string(), "1.2.3");
    for bad in ["1.2", "1.2.3.4", "a.b.c", "1..2", "+1.2.3", ""] {
        assert!(!is_valid_version(bad), "{bad}");
    }
}

#[test]
fn schema_survives_json() {
    let j = json!({"name": "D", "version": "1.0.0", "tables": {
        "A": {"columns": {"n": {"type": "string", "mutable": false}, "e": {"type": "integer", "ephemeral": true},
              "b": {"type": {"key": {"type": "uuid", "refTable": "B"}, "min": 0, "max": "unlimited"}}},
              "isRoot": true, "maxRows": 3, "indexes": [["n", "b"]]},
        "B": {"columns": {"x": {"type": "integer"}}}}});
    let s = Schema::from_json(&j).unwrap();
    assert_eq!(s.to_json(), j);
    let a = s.table("A").unwrap();
    assert_eq!(a.columns[COL_UUID].name, "_uuid");
    assert!(a.is_root && !s.table("B").unwrap().is_root);
    assert!(!a.column("e").unwrap().persistent);
}

#[test]
fn every_table_is_root_if_none_is_said_to_be() {
    let j = json!({"name": "D", "tables": {"A": {"columns": {"n": {"type": "string"}}}}});
    let s = Schema::from_json(&j).unwrap();
    assert!(s.table("A").unwrap().is_root);
    assert_eq!(s.to_json(), j);
}

#[test]
fn bad_schemas_are_refused() {
    let table = |t: serde_json::Value| json!({"name": "D", "tables": {"A": t}});
    let cases = [
        (json!({"name": "D"}), "Required 'tables' member is missing."),
        (json!({"name": "9", "tables": {}}), "Type mismatch for member 'name'."),
        (json!({"name": "D", "version": "1", "tables": {}}), "not in format x.y.z"),
        (json!({"name": "D", "version": "", "tables": {}}), "schema version \"\" not in format x.y.z"),
        (table(json!({"columns": {}})), "table must have at least one column"),
        (table(json!({"columns": {"_x": {"type": "string"}}})), "are reserved"),
        (table(json!({"columns": {"x": {"type": "string"}}, "maxRows": 0})), "maxRows must be at least 1"),
        (
            table(json!({"columns": {"x": {"type": "string"}}, "indexes": [[]]})),
            "index must have at least one column",
        ),
        (
            table(json!({"columns": {"x": {"type": "string", "ephemeral": true}}, "indexes": [["x"]]})),
            "may not be indexed",
        ),
        (
            table(json!({"columns": {"x": {"type": {"key": {"type": "uuid", "refTable": "Z"}}}}})),
            "column x key refers to undefined table Z",
        ),
    ];
    for (j, text) in cases {
        let e = Schema::from_json(&j).unwrap_err().to_string();
        assert!(e.contains(text), "{j}: {e}");
    }
}

#[test]
fn a_column_of_weak_references_is_mutable() {
    let column = |kind: &str| json!({"type": {"key": {"type": "uuid", "refTable": "A", "refType": kind}, "min": 0}, "mutable": false});
    let j = json!({"name": "D", "tables": {"A": {"columns": {"w": column("weak"), "s": column("strong")}}}});
    let s = Schema::from_json(&j).unwrap();
    let a = s.table("A").unwrap();
    assert!(a.column("w").unwrap().mutable && !a.column("s").unwrap().mutable);
}
