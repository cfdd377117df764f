"""What two servers said, in a form that is equal when the meaning is: rows by label, sets and rows sorted."""
import json
import re

# Which of several rows a violated constraint names first follows from the order of uuids.
FIRST_ROW = re.compile(r"First row, with UUID.*", re.S)
MS = re.compile(r"after \d+ ms")
TWICE = re.compile(r"column \S+ mentioned more than once")


def sort_key(x):
    return json.dumps(x, sort_keys=True)


def unchanged(row):
    return list(row.get("modify", ())) == ["_version"] or "new" in row and list(row.get("old", ("x",))) in (["_version"], [])


def walk(v):
    if isinstance(v, dict):
        v = {k: walk(x) for k, x in v.items()}
        # OVS also sends rows of which only columns of the condition changed, empty; and, as changed, rows
        # that the end of the transaction put back as they were, with another _version.
        v = {k: x for k, x in v.items() if not (isinstance(x, dict) and (x == {"modify": {}} or unchanged(x)))}
        if isinstance(v.get("rows"), list):
            v["rows"] = sorted(v["rows"], key=sort_key)
        return v
    if isinstance(v, list):
        v = [walk(x) for x in v]
        if len(v) == 2 and v[0] in ("set", "map") and isinstance(v[1], list):
            v[1] = sorted(v[1], key=sort_key)
        return v
    if isinstance(v, float):
        return float("%.14g" % v)
    if isinstance(v, str):
        return TWICE.sub("column X mentioned more than once", MS.sub("after N ms", FIRST_ROW.sub("FIRST ROW", v)))
    return v


def normal(server, text):
    """A message's text as comparable text."""
    msg = walk(json.loads(server.labelled(text)))
    if str(msg.get("method", "")).startswith("update") and isinstance(msg["params"][-1], dict):
        msg["params"][-1] = {t: rows for t, rows in msg["params"][-1].items() if rows}  # OVS names tables without rows
    return json.dumps(msg, sort_keys=True)


def says_nothing(text):
    """An update without rows, which only OVS sends."""
    msg = json.loads(text)
    return str(msg.get("method", "")).startswith("update") and not any((msg["params"][-1] or {}).values())


def updates(server, texts):
    """Comparable texts of the messages before a reply, whose order among monitors means nothing."""
    return sorted(t for t in (normal(server, x) for x in texts) if not says_nothing(t))


def ambiguous(op):
    """Whether an operation can be wrong in several places, of which each server may find another one first."""
    if not isinstance(op, dict):
        return False
    rows = [op.get("row")] + (op["rows"] if isinstance(op.get("rows"), list) else [])
    return op.get("op") in ("insert", "mutate") or any(isinstance(r, dict) and len(r) > 1 for r in rows)


def is_error(x):
    return isinstance(x, dict) and "error" in x


def agree(a, b, ops, many=False):
    """"same", "alike" (both refuse, but name another of several mistakes) or None.  many: a request of many parts."""
    if a == b:
        return "same"
    a, b = json.loads(a), json.loads(b)
    if many and a.get("error") and b.get("error"):
        return "alike"  # another of several mistakes
    a, b = a.get("result"), b.get("result")
    if not (isinstance(a, list) and isinstance(b, list) and len(a) == len(b)):
        return None
    for i, (x, y) in enumerate(zip(a, b)):
        if x == y:
            continue
        if not (is_error(x) and is_error(y)):
            return None
        at_commit = i == len(ops)
        if not (x["error"] == y["error"] if at_commit else ambiguous(ops[i])):
            return None
    return "alike"


def drop_empty(record, seen, differences):
    """Takes out what changes nothing: where weak references come and go, OVS writes it.  seen: the rows so far."""
    for table, rows in list(record.items()):
        if not isinstance(rows, dict):
            continue
        for row, columns in list(rows.items()):
            new = (table, row) not in seen
            seen.add((table, row))
            if columns is None:
                seen.discard((table, row))
            if new or columns is None or not differences:
                continue
            for c in [c for c, v in columns.items() if v in (["map", []], ["set", []])]:
                del columns[c]
            if not columns:
                del rows[row]
        if not rows:
            del record[table]


def records(server, path):
    """The records of a database file as comparable texts; dates left out, the schema first."""
    out, seen = [], set()
    with open(path, "rb") as f:
        while header := f.readline():
            body = f.read(int(header.split()[2]))
            record = json.loads(server.labelled(body.decode()))
            record.pop("_date", None)
            if record.get("_comment") == "converted by ovsdb-server":
                record.pop("_is_diff", None)
            if out:
                differences = "_is_diff" in record
                drop_empty(record, seen, differences)
                if differences and len(record) == 1:
                    continue
            out.append(json.dumps(walk(record), sort_keys=True))
    return out
