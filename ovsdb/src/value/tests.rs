use serde_json::json;

use super::*;

fn ty(j: serde_json::Value) -> ColumnType {
    ColumnType::from_json(&j).unwrap()
}

fn datum(t: &ColumnType, j: serde_json::Value) -> Datum {
    Datum::from_json(t, &j, None).unwrap()
}

#[test]
fn english_types() {
    let cases = [
        (json!("string"), "string"),
        (json!({"key": "string", "min": 0, "max": 2}), "set of up to 2 strings"),
        (json!({"key": "string", "min": 1, "max": 3}), "set of 1 to 3 strings"),
        (json!({"key": "integer", "min": 0, "max": "unlimited"}), "set of integers"),
        (json!({"key": "integer", "min": 1, "max": "unlimited"}), "set of 1 or more integers"),
        (
            json!({"key": "string", "value": "uuid", "min": 0, "max": "unlimited"}),
            "map of (string, uuid) pairs",
        ),
    ];
    for (j, text) in cases {
        assert_eq!(ty(j).to_string(), text);
    }
}

#[test]
fn types_survive_json() {
    for j in [
        json!("real"),
        json!({"key": {"type": "integer", "minInteger": 1, "maxInteger": 9}, "min": 0}),
        json!({"key": {"type": "string", "enum": ["set", ["a", "b"]]}, "value": {"type": "uuid", "refTable": "T", "refType": "weak"}, "min": 0, "max": "unlimited"}),
    ] {
        assert_eq!(ty(j.clone()).to_json(), j);
    }
}

#[test]
fn bad_types_are_refused() {
    for j in [
        json!("text"),
        json!(5),
        json!({"key": "string", "min": 2}),
        json!({"key": "string", "zz": 1}),
        json!({}),
        json!({"key": {"type": "integer", "minInteger": 5, "maxInteger": 4}}),
    ] {
        assert!(ColumnType::from_json(&j).is_err(), "{j}");
    }
}

#[test]
fn sets_and_maps_are_sorted_and_distinct() {
    let set = ty(json!({"key": "string", "min": 0, "max": "unlimited"}));
    assert_eq!(datum(&set, json!(["set", ["b", "a"]])), Datum::set(vec!["a".into(), "b".into()]));
    assert_eq!(datum(&set, json!(["set", ["b"]])), Datum::from("b"));
    let err = Datum::from_json(&set, &json!(["set", ["a", "a"]]), None).unwrap_err();
    assert_eq!(err.to_string(), "ovsdb error: set contains duplicate");
}

#[test]
fn symmetric_difference_is_its_own_inverse() {
    let set = ty(json!({"key": "integer", "min": 0, "max": "unlimited"}));
    let map = ty(json!({"key": "integer", "value": "integer", "min": 0, "max": "unlimited"}));
    let sets = [json!(["set", []]), json!(1), json!(["set", [1, 2]]), json!(["set", [2, 3, 9]])];
    let maps = [
        json!(["map", []]),
        json!(["map", [[1, 1]]]),
        json!(["map", [[1, 2], [3, 4]]]),
        json!(["map", [[3, 4], [5, 6]]]),
    ];
    for (t, values) in [(set, sets), (map, maps)] {
        for a in &values {
            for b in &values {
                let (a, b) = (datum(&t, a.clone()), datum(&t, b.clone()));
                assert_eq!(a.patched(&a.diff(&b, &t), &t), b);
            }
        }
    }
}

#[test]
fn union_and_without() {
    let map = ty(json!({"key": "string", "value": "integer", "min": 0, "max": "unlimited"}));
    let (a, b) = (
        datum(&map, json!(["map", [["x", 1], ["y", 2]]])),
        datum(&map, json!(["map", [["y", 3], ["z", 4]]])),
    );
    assert_eq!(a.union(&b), datum(&map, json!(["map", [["x", 1], ["y", 2], ["z", 4]]])));
    assert_eq!(a.union_replacing(&b), datum(&map, json!(["map", [["x", 1], ["y", 3], ["z", 4]]])));
    assert_eq!(a.without(&b), a);
    assert_eq!(a.without(&Datum::from("y")), datum(&map, json!(["map", [["x", 1]]])));
}

#[test]
fn text_is_what_ovs_vsctl_prints() {
    let cases = [
        ("eth0", "eth0"),
        ("a-b", "a-b"),
        ("true", "\"true\""),
        ("9a", "\"9a\""),
        ("a.b", "a.b"),
        ("-", "\"-\""),
        ("a b", "\"a b\""),
        ("", "\"\""),
        ("é", "\"é\""),
        ("ac0ffee0-0000-4000-8000-000000000000", "\"ac0ffee0-0000-4000-8000-000000000000\""),
    ];
    for (s, text) in cases {
        assert_eq!(Atom::from(s).to_text(), text);
    }
    let set = ty(json!({"key": "string", "min": 0, "max": "unlimited"}));
    assert_eq!(datum(&set, json!(["set", ["a", "b"]])).to_text(&set), "[a, b]");
    assert_eq!(datum(&set, json!("a")).to_text(&set), "[a]");
    let optional = ty(json!({"key": "string", "min": 0, "max": 1}));
    assert_eq!(datum(&optional, json!("a")).to_text(&optional), "a");
    assert_eq!(Datum::Empty.to_text(&optional), "[]");
}

#[test]
fn text_errors_are_what_ovs_vsctl_prints() {
    let ints =
        ty(json!({"key": {"type": "integer", "minInteger": 0, "maxInteger": 4095}, "min": 0, "max": 4096}));
    let strs = ty(json!({"key": "string", "min": 0, "max": "unlimited"}));
    let map = ty(json!({"key": "string", "value": "string", "min": 0, "max": "unlimited"}));
    let scalar = ty(json!("integer"));
    let cases = [
        (&map, "{a}", "a}: syntax error at \"}\" expecting \"=\""),
        (&map, "{a=b", "{a=b: missing \"}\" at end of data"),
        (&map, "{a=b}x", "{a=b}x: trailing garbage after \"}\""),
        (&map, "{a=b,a=c}", "{a=b,a=c}: map contains duplicate key"),
        (&map, "[]", "[]: unexpected \"[\" parsing map of (string, string) pairs"),
        (&map, "5", "5: syntax error at \""),
        (&scalar, "x", "\"x\" is not a valid integer or range"),
        (&scalar, "[1,2]", "[1,2]: 2 value(s) specified but the maximum number is 1"),
        (&scalar, "[]", "[]: 0 value(s) specified but the minimum number is 1"),
        (&scalar, "1-3", "1-3: 3 value(s) specified but the maximum number is 1"),
        (&strs, "[a,a]", "[a,a]: set contains duplicate value"),
        (&strs, "\"a", "\"a: quoted string extends past end of argument"),
        (&strs, "a=b", "a=b: unexpected \"=\" parsing set of strings"),
        (&strs, "\"a\\q\"", "\"a\\q\": bad escape \\q"),
        (&ints, "3-1", "\"3-1\" is not a valid range. Range end cannot be before start."),
        (&ints, "1-x", "\"1-x\" is not a valid integer or range"),
        (&ints, "4090-5000", "constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)"),
        (&ints, "-1", "constraint violation: -1 is not in the valid range 0 to 4095 (inclusive)"),
    ];
    for (t, text, error) in cases {
        assert_eq!(Datum::from_text(t, text, None).unwrap_err(), error, "{text}");
    }
    assert_eq!(Datum::from_text(&ints, "1-3", None).unwrap().len(), 3);
    assert_eq!(Datum::from_text(&strs, "[a b]", None).unwrap().len(), 2);
    assert_eq!(Datum::from_text(&strs, "a,", None).unwrap().len(), 1);
}

#[test]
fn named_uuids_are_one_uuid_per_name() {
    let t = ty(json!({"key": {"type": "uuid", "refTable": "T"}, "min": 0, "max": "unlimited"}));
    let mut symbols = SymbolTable::default();
    let a = Datum::from_json(&t, &json!(["named-uuid", "x"]), Some(&mut symbols)).unwrap();
    let b = Datum::from_json(&t, &json!(["set", [["named-uuid", "x"]]]), Some(&mut symbols)).unwrap();
    assert_eq!(a, b);
    assert!(symbols.lookup("x").unwrap().strong_ref);
    assert!(Datum::from_json(&t, &json!(["named-uuid", "x"]), None).is_err());
}

#[test]
fn uuids_differ_and_parse_strictly() {
    let (a, b) = (generate(), generate());
    assert_ne!(a, b);
    assert_eq!(parse_uuid(&a.to_string()), Some(a));
    assert_eq!(parse_uuid(&a.simple().to_string()), None);
    assert_eq!(parse_uuid("{5f0a3b44-0d65-4ad5-a53f-7e41e8ee1a1}"), None);
}
