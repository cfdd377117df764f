"""Random OVSDB schemas: valid ones, changed ones for conversion, and broken ones.

A schema is the JSON object of RFC 7047.  `Column` is the generator's reading of one column's type.
"""

STRINGS = ["", "a", "b", "c", "dd", "eee", "ffff", "ggggg", "hhhhhh", "\u00e9\"\\\n"]


class Column:
    """A column's type in parts: key and value are dicts with "type", value may be None."""

    def __init__(self, name, json):
        t = json["type"]
        t = t if isinstance(t, dict) else {"key": t}
        base = lambda b: b if isinstance(b, dict) or b is None else {"type": b}  # noqa: E731
        self.name, self.key, self.value = name, base(t["key"]), base(t.get("value"))
        self.min, self.max = t.get("min", 1), t.get("max", 1)
        self.limit = 4 if self.max == "unlimited" else self.max
        self.mutable, self.ephemeral = json.get("mutable", True), json.get("ephemeral", False)

    def scalar(self):
        return self.value is None and self.max == 1


def columns(schema):
    """{table: {column: Column}}"""
    return {t: {c: Column(c, j) for c, j in d["columns"].items()} for t, d in schema["tables"].items()}


def base_type(r, tables):
    kind = r.choice(["integer", "real", "boolean", "string", "uuid", "uuid", "string", "integer"])
    b = {"type": kind}
    if kind == "uuid" and r.random() < 0.9:
        b["refTable"] = r.choice(tables)
        if r.random() < 0.4:
            b["refType"] = r.choice(["weak", "weak", "strong"])
    elif kind == "string" and r.random() < 0.3:
        b[r.choice(["minLength", "maxLength"])] = r.choice([0, 1, 3, 5])
    elif kind == "integer" and r.random() < 0.4:
        b["minInteger"] = r.choice([-5, 0, 1])
        if r.random() < 0.7:
            b["maxInteger"] = r.choice([10, 40, 1 << 40])
    elif kind == "real" and r.random() < 0.3:
        b["minReal"] = r.choice([-2.5, 0, 0.25])
        if r.random() < 0.7:
            b["maxReal"] = r.choice([99.5, 1000])
    elif r.random() < 0.2 and kind != "uuid":
        pool = {"integer": [1, 2, 3, 7, 40], "real": [0.5, 1, 2.25, 99], "boolean": [True, False], "string": STRINGS[1:7]}[kind]
        chosen = r.sample(pool, r.randrange(1, len(pool)))
        b["enum"] = ["set", chosen] if r.random() < 0.9 or len(chosen) > 1 else chosen[0]
    return b if len(b) > 1 or r.random() < 0.5 else kind


def column(r, tables):
    shape = r.random()
    key = base_type(r, tables)
    if shape < 0.35:
        t = key if isinstance(key, str) and r.random() < 0.5 else {"key": key}
    elif shape < 0.55:
        t = {"key": key, "min": 0}
    elif shape < 0.8:
        t = {"key": key, "min": r.choice([0, 0, 0, 1]), "max": r.choice([2, 3, "unlimited", "unlimited"])}
    else:
        t = {"key": key, "value": base_type(r, tables), "min": r.choice([0, 0, 0, 1]), "max": r.choice([1, 3, "unlimited", "unlimited"])}
        ends = [b for b in (key, t["value"]) if isinstance(b, dict) and "refTable" in b]
        if len(ends) == 2:  # OVS 3.1 forgets the strong end of a pair that its weak end takes away
            ends[0].pop("refType", None), ends[1].pop("refType", None)
    c = {"type": t}
    if r.random() < 0.08:
        c["mutable"] = False
    parsed = Column("", c)
    # A reference that must be there, and is not kept, makes a file that no server can read.
    if r.random() < 0.1 and not (parsed.min and "uuid" in (parsed.key["type"], (parsed.value or parsed.key)["type"])):
        c["ephemeral"] = True
    return c


def table(r, names):
    t = {"columns": {"c%d" % i: column(r, names) for i in range(r.randrange(1, 9))}}
    if r.random() < 0.6:
        t["isRoot"] = True
    if r.random() < 0.15:
        t["maxRows"] = r.choice([1, 3, 12])
    stored = [c for c, d in t["columns"].items() if not d.get("ephemeral")]
    if stored and r.random() < 0.4:
        t["indexes"] = [r.sample(stored, min(len(stored), r.randrange(1, 4))) for _ in range(r.randrange(1, 3))]
    return t


def random_schema(r, name="R"):
    names = ["t%d" % i for i in range(r.randrange(1, 6))]
    s = {"name": name, "version": "%d.%d.%d" % (r.randrange(9), r.randrange(9), r.randrange(9)), "tables": {n: table(r, names) for n in names}}
    if r.random() < 0.3:
        s["cksum"] = "1234 5678"
    return s


# Every kind of column at once, so that even a short run meets each of them.
EVERYTHING = {"name": "R", "version": "1.2.3", "tables": {
    "root": {"isRoot": True, "maxRows": 12, "indexes": [["name"], ["i", "s"]], "columns": {
        "name": {"type": "string"},
        "i": {"type": {"key": {"type": "integer", "minInteger": -5, "maxInteger": 40}, "min": 0, "max": 1}},
        "r": {"type": {"key": {"type": "real", "maxReal": 99.5}, "min": 0, "max": 3}},
        "b": {"type": "boolean"},
        "s": {"type": {"key": {"type": "string", "maxLength": 5}, "min": 0, "max": 4}},
        "e": {"type": {"key": {"type": "string", "enum": ["set", ["red", "green", "blue"]]}, "min": 0, "max": 2}},
        "m": {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"}},
        "kids": {"type": {"key": {"type": "uuid", "refTable": "kid"}, "min": 0, "max": "unlimited"}},
        "kidmap": {"type": {"key": "integer", "value": {"type": "uuid", "refTable": "kid"}, "min": 0, "max": 3}},
        "weak": {"type": {"key": {"type": "uuid", "refTable": "kid", "refType": "weak"}, "min": 0, "max": "unlimited"}},
        "weakmap": {"type": {"key": "string", "value": {"type": "uuid", "refTable": "kid", "refType": "weak"}, "min": 0, "max": "unlimited"}},
        "eph": {"type": {"key": "integer", "min": 0, "max": "unlimited"}, "ephemeral": True},
        "fixed": {"type": "string", "mutable": False}}},
    "kid": {"columns": {
        "n": {"type": "integer"},
        "next": {"type": {"key": {"type": "uuid", "refTable": "kid"}, "min": 0, "max": 1}},
        "must": {"type": {"key": "string", "min": 1, "max": 3}},
        "up": {"type": {"key": {"type": "uuid", "refTable": "root", "refType": "weak"}, "min": 0, "max": 1}}}},
    "tied": {"isRoot": True, "columns": {
        "n": {"type": {"key": "integer", "min": 0, "max": 1}},
        "to": {"type": {"key": {"type": "uuid", "refTable": "kid", "refType": "weak"}, "min": 1, "max": 2}}}}}}


def changed(r, schema):
    """The schema with one or two things changed, as an upgrade would; not always one that the data fit."""
    import copy
    s = copy.deepcopy(schema)
    names = sorted(s["tables"])
    s["version"] = "%d.%d.%d" % (r.randrange(9), r.randrange(9), r.randrange(9))
    for _ in range(r.randrange(1, 3)):
        t = s["tables"][r.choice(sorted(s["tables"]))]
        what = r.randrange(6)
        if what == 0:
            t["columns"]["new%d" % r.randrange(3)] = column(r, sorted(s["tables"]))
        elif what == 1 and len(t["columns"]) > 1:
            c = r.choice(sorted(t["columns"]))
            if not any(c in i for i in t.get("indexes", [])):
                del t["columns"][c]
        elif what == 2:
            t["isRoot"] = not t.get("isRoot", False)
        elif what == 3:
            t["maxRows"] = r.choice([1, 5, 100])
        elif what == 4:
            s["tables"]["extra"] = table(r, names)
        else:  # OVS 3.1 ends at some columns whose values do not fit their new type: only wider ones
            c = r.choice(sorted(t["columns"]))
            wide = t["columns"][c]["type"]
            if isinstance(wide, dict) and "value" not in wide and wide.get("min", 1) == 0 and "enum" not in Column(c, t["columns"][c]).key:
                wide["max"] = "unlimited"
    return s


def broken(r, schema):
    """The schema with one thing that is wrong, or at least odd."""
    import copy
    s = copy.deepcopy(schema)
    odd = lambda: r.choice([5, -1, 1.5, "x", None, True, [], {}, ["set", []], ["set", [1, 1]], "", "integer", 1 << 70])  # noqa: E731
    at = [s]
    while True:  # walk down to some object
        inner = [v for v in at[-1].values() if isinstance(v, dict)]
        if not inner or r.random() < 0.25:
            break
        at.append(r.choice(inner))
    o = at[-1]
    what = r.random()
    known = ["name", "version", "tables", "columns", "isRoot", "maxRows", "indexes", "type", "key", "value", "min", "max", "enum", "refTable", "refType", "minInteger", "maxInteger", "minReal", "maxReal", "minLength", "maxLength", "ephemeral", "mutable"]
    if what < 0.45 and o:
        o[r.choice(sorted(o))] = odd()
    elif what < 0.6 and o:
        del o[r.choice(sorted(o))]
    elif what < 0.85:
        o[r.choice(known)] = odd()
    else:
        o[r.choice(["_x", "9", "a b", "type", "x", "_uuid", "", "a-b"])] = r.choice([{"type": "integer"}, {"columns": {}}, 1, {"columns": {"a": {"type": "string"}}}])
    return s
