#!/usr/bin/env python3
"""Compares two OVSDB schemas by meaning: exit 0 if every table, column, type and constraint agrees.

  schema_compare.py vswitchd/vswitch.ovsschema /usr/share/openvswitch/vswitch.ovsschema
"""
import json
import sys


def base(b):
    b = {"type": b} if isinstance(b, str) else dict(b)
    if "enum" in b:
        e = b["enum"]
        b["enum"] = sorted(e[1]) if isinstance(e, list) and e[0] == "set" else [e]
    if "refTable" in b:
        b.setdefault("refType", "strong")
    return b


def column(c):
    t = c["type"]
    t = {"key": t} if isinstance(t, str) else dict(t)
    return {
        "key": base(t["key"]),
        "value": base(t["value"]) if "value" in t else None,
        "min": t.get("min", 1),
        "max": t.get("max", 1),
        "ephemeral": c.get("ephemeral", False),
        "mutable": c.get("mutable", True),
    }


def meaning(schema):
    return {
        "name": schema["name"],
        "version": schema["version"],
        "tables": {
            name: {
                "columns": {n: column(c) for n, c in t["columns"].items()},
                "isRoot": t.get("isRoot", False),
                "maxRows": t.get("maxRows"),
                "indexes": sorted(sorted(i) for i in t.get("indexes", [])),
            }
            for name, t in schema["tables"].items()
        },
    }


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for k in sorted(a.keys() | b.keys()):
            yield from differences(a.get(k), b.get(k), f"{path}/{k}")
    elif a != b:
        yield f"{path}: {a!r} != {b!r}"


if __name__ == "__main__":
    ours, theirs = (meaning(json.load(open(p))) for p in sys.argv[1:3])
    found = list(differences(ours, theirs))
    print("\n".join(found) or "the schemas agree")
    sys.exit(bool(found))
