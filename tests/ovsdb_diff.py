#!/usr/bin/env python3
"""Random transactions through two OVSDB servers; replies, updates and contents must agree.

  ovsdb_diff.py --ours target/debug [--theirs DIR] [--txns 300] [--seed N]

DIR holds ovsdb-server and ovsdb-tool; without --theirs, Debian's are used.  At the end each server
opens the file that the other wrote.  The last line is `N passed, N failed, N skipped`; skipped if one
of the servers is not installed.
"""
import argparse, json, os, random, re, shutil, socket, subprocess, sys, tempfile, time

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
EMPTY = re.compile(r'"params": \["m3", (\{\}|\{"root": \{\}\})\]')
ROWS = re.compile(r"First row, with UUID.*?(?=\"|$)", re.S)

SCHEMA = {"name": "R", "version": "1.2.3", "tables": {
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
        "eph": {"type": {"key": "integer", "min": 0, "max": "unlimited"}, "ephemeral": True},
        "fixed": {"type": "string", "mutable": False}}},
    "kid": {"columns": {
        "n": {"type": "integer"},
        "next": {"type": {"key": {"type": "uuid", "refTable": "kid"}, "min": 0, "max": 1}},
        "must": {"type": {"key": "string", "min": 1, "max": 3}},
        "up": {"type": {"key": {"type": "uuid", "refTable": "root", "refType": "weak"}, "min": 0, "max": 1}}}}}}


class Closed(Exception):
    pass


def alike(a, b, ops):
    """Whether two replies agree, up to which of several errors in one row was found first."""
    if a == b:
        return True
    a, b = json.loads(a).get("result"), json.loads(b).get("result")
    if not (isinstance(a, list) and isinstance(b, list) and len(a) == len(b)):
        return False
    for x, y, op in zip(a, b, ops):
        both = isinstance(x, dict) and isinstance(y, dict) and "error" in x and "error" in y
        if x != y and not (both and (len(op.get("row", {})) > 1 or any(len(r) > 1 for r in op.get("rows", [])))):
            return False
    return True


class Server:
    def __init__(self, label, server, tool, db=None):
        self.label, self.dir = label, tempfile.mkdtemp(prefix="ovsdb-diff-")
        self.db = self.dir + "/r.db"
        if db:
            shutil.copy(db, self.db)
        else:
            with open(self.dir + "/r.ovsschema", "w") as f:
                json.dump(SCHEMA, f)
            subprocess.run([tool, "create", self.db, self.dir + "/r.ovsschema"], check=True)
        env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir)
        self.p = subprocess.Popen([server, self.db, "--remote=punix:%s/s" % self.dir, "--unixctl=%s/ctl" % self.dir,
                                   "-vconsole:off", "--log-file=%s/log" % self.dir], env=env)
        self.sock, self.buf, self.dec = socket.socket(socket.AF_UNIX), "", json.JSONDecoder()
        for _ in range(200):
            try:
                self.sock.connect(self.dir + "/s")
                break
            except OSError:
                time.sleep(0.02)
        self.real, self.names = {}, {}   # label -> uuid, uuid -> label

    def name(self, uuid, label):
        self.real[label], self.names[uuid] = uuid, label

    def concrete(self, v):
        if isinstance(v, str):
            return self.real.get(v, v) if v.startswith("#") else v
        if isinstance(v, list):
            return [self.concrete(x) for x in v]
        return {k: self.concrete(x) for k, x in v.items()} if isinstance(v, dict) else v

    def call(self, method, params, rid):
        """Sends a request; gives (updates before the reply, reply)."""
        self.sock.sendall(json.dumps({"method": method, "params": self.concrete(params), "id": rid}).encode())
        updates = []
        while True:
            try:
                msg, n = self.dec.raw_decode(self.buf)
                self.buf = self.buf[n:].lstrip()
            except ValueError:
                b = self.sock.recv(1 << 20)
                if not b:
                    raise Closed("%s: the server closed the connection at %s" % (self.label, json.dumps(params)))
                self.buf += b.decode()
                continue
            if msg.get("id") == rid:
                return updates, msg
            updates.append(msg)

    def normal(self, v):
        """As comparable text: known uuids by label, sets of rows sorted."""
        def walk(v):
            if isinstance(v, dict):
                v = {k: walk(x) for k, x in v.items()}
                # OVS also sends rows of which only columns of the condition changed, empty.
                v = {k: x for k, x in v.items() if x != {"modify": {}}}
                if isinstance(v.get("rows"), list):
                    v["rows"] = sorted(v["rows"], key=lambda r: json.dumps(r, sort_keys=True))
                return {self.names.get(k, k): x for k, x in v.items()}
            if isinstance(v, list):
                v = [walk(x) for x in v]
                if len(v) == 2 and v[0] in ("set", "map") and isinstance(v[1], list):
                    v[1] = sorted(v[1], key=json.dumps)
                return v
            if isinstance(v, float):
                return float("%.14g" % v)
            return self.label_text(v) if isinstance(v, str) else v
        return json.dumps(walk(v), sort_keys=True)

    def label_text(self, s):
        return ROWS.sub("ROWS", UUID.sub(lambda m: self.names.get(m[0], "?"), s))

    def stop(self):
        self.p.kill()
        self.p.wait()


class Generator:
    def __init__(self, rng):
        self.rng, self.n, self.known = rng, 0, {"root": [], "kid": []}

    def pick(self, *choices):
        return self.rng.choice(choices)

    def uuid(self, table, named):
        r = self.rng.random()
        if r < 0.1:
            return ["uuid", "00000000-0000-4000-8000-00000000000%d" % self.rng.randrange(3)]
        if named and r < 0.5:
            return ["named-uuid", self.rng.choice(named)]
        return ["uuid", self.rng.choice(self.known[table])] if self.known[table] else ["named-uuid", "nobody"]

    def atom(self, t, named):
        r = self.rng
        if t == "integer":
            return r.randrange(-6, 42) if r.random() < 0.97 else self.pick("x", 2.5, 1 << 65)
        if t == "real":
            return self.pick(r.randrange(100), round(r.random() * 100, 3), 0.1, -1e-7)
        if t == "boolean":
            return r.random() < 0.5
        if t == "color":
            return self.pick("red", "green", "blue", "blue", "mauve") if r.random() < 0.3 else self.pick("red", "green")
        if t in ("root", "kid"):
            return self.uuid(t, named)
        return self.pick("", "a", "b", "c", "dd", "eee", "ffff", "ggggg", "hhhhhh", "\u00e9\"\\\n")

    COLUMNS = {"root": {"name": ("string", 1), "i": ("integer", "?"), "r": ("real", "*"), "b": ("boolean", 1), "s": ("string", "*"),
                        "e": ("color", "*"), "m": ("string", "integer"), "kids": ("kid", "*"), "kidmap": ("integer", "kid"),
                        "weak": ("kid", "*"), "eph": ("integer", "*"), "fixed": ("string", 1)},
               "kid": {"n": ("integer", 1), "next": ("kid", "?"), "must": ("string", "*"), "up": ("root", "?")}}

    def value(self, table, column, named):
        t, kind = self.COLUMNS[table][column]
        n = self.rng.randrange(4)
        if kind == 1:
            return self.atom(t, named)
        if kind in ("?", "*"):
            n = self.rng.randrange(2) if kind == "?" else n
            return self.atom(t, named) if n == 1 else ["set", [self.atom(t, named) for _ in range(n)]]
        return ["map", [[self.atom(t, named), self.atom(kind, named)] for _ in range(n)]]

    def row(self, table, named, n):
        columns = self.rng.sample(sorted(self.COLUMNS[table]), n)
        return {c: self.value(table, c, named) for c in columns}

    def where(self, table, named):
        if self.rng.random() < 0.15:
            return []
        clauses = []
        for _ in range(self.rng.randrange(1, 3)):
            r = self.rng.random()
            if r < 0.4 and self.known[table]:
                clauses.append(["_uuid", self.pick("==", "==", "==", "!="), ["uuid", self.rng.choice(self.known[table])]])
            elif r < 0.45:
                clauses.append(self.rng.random() < 0.7)
            else:
                c = self.rng.choice(sorted(self.COLUMNS[table]))
                f = self.pick("==", "!=", "includes", "excludes", "<", "<=", ">", ">=")
                clauses.append([c, f, self.value(table, c, named)])
        return clauses

    def mutation(self, table, named):
        c = self.rng.choice(sorted(self.COLUMNS[table]))
        t, kind = self.COLUMNS[table][c]
        if t in ("integer", "real") and kind in (1, "?", "*") and self.rng.random() < 0.6:
            # OVS 3.1 aborts where a calculation makes two elements of a set equal.
            mutators = ("+=", "-=") if kind == "*" else ("+=", "-=", "*=", "/=", "%=")
            return [c, self.pick(*mutators), self.pick(0, 1, 2, 3, 0.5)]
        if kind not in (1, "?", "*") and self.rng.random() < 0.3:
            return [c, "delete", ["set", [self.atom(t, named) for _ in range(2)]]]
        return [c, self.pick("insert", "delete"), self.value(table, c, named)]

    def operation(self, named):
        table = self.pick("root", "root", "kid")
        op = self.pick("insert", "insert", "insert", "insert", "update", "mutate", "mutate", "delete", "select", "wait", "comment", "abort")
        if op == "abort" and self.rng.random() < 0.8:
            op = "insert"
        o = {"op": op}
        if op == "comment":
            o["comment"] = self.atom("string", [])
        elif op == "abort":
            pass
        else:
            o["table"] = table
            if op == "insert":
                row = self.row(table, named, self.rng.randrange(5))
                if table == "root":
                    row["name"] = "n%d" % self.rng.randrange(30)
                    row["i"] = self.rng.randrange(40)
                o["row"] = row
                if self.rng.random() < 0.6:
                    name = "x%d" % self.rng.randrange(3)
                    named.append(name)
                    o["uuid-name"] = name
            else:
                o["where"] = self.where(table, named)
            if op == "update":
                o["row"] = self.row(table, named, self.rng.randrange(3))
            if op == "mutate":
                o["mutations"] = [self.mutation(table, named) for _ in range(self.rng.randrange(3))]
            if op == "select":
                o["columns"] = sorted(self.rng.sample(sorted(self.COLUMNS[table]), 3))
            if op == "wait":
                c = self.rng.choice(sorted(self.COLUMNS[table]))
                o.update(columns=[c], until=self.pick("==", "!=", "!="), timeout=0, rows=[{c: self.value(table, c, named)} for _ in range(self.rng.randrange(2))])
        if self.rng.random() < 0.01:
            o[self.pick("x", "table", "where", "row")] = self.pick(5, "y", [])
        return o

    def transaction(self):
        named = []
        return [self.operation(named) for _ in range(self.rng.randrange(1, 6))]


def contents(s, rid):
    ops = [{"op": "select", "table": t, "where": [], "columns": ["_uuid"] + sorted(c for c in d["columns"])} for t, d in SCHEMA["tables"].items()]
    return s.normal(s.call("transact", ["R"] + ops, rid)[1]["result"])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--ours", default="target/debug")
    ap.add_argument("--theirs")
    ap.add_argument("--txns", type=int, default=300)
    ap.add_argument("--seed", type=int, default=int(time.time()))
    a = ap.parse_args()
    pairs = [(a.ours + "/ovsdb-server", a.ours + "/ovsdb-tool"),
             (a.theirs + "/ovsdb-server", a.theirs + "/ovsdb-tool") if a.theirs else (shutil.which("ovsdb-server", path="/usr/sbin:/usr/bin"), shutil.which("ovsdb-tool"))]
    if not all(x and os.path.exists(x) for p in pairs for x in p):
        print("ovsdb_diff: skipped: needs both servers (apt-get install openvswitch-switch)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    print("ovsdb_diff: seed %d" % a.seed)
    gen = Generator(random.Random(a.seed))
    servers = [Server("ours", *pairs[0]), Server("theirs", *pairs[1])]
    bad = committed = 0
    root, kid = sorted(Generator.COLUMNS["root"]), sorted(Generator.COLUMNS["kid"])
    monitors = [("monitor", ["R", "m1", {"root": {"columns": root}, "kid": {"columns": kid}}]),
                ("monitor_cond", ["R", "m2", {"root": {"columns": root}, "kid": [{"columns": kid, "select": {"modify": False}}]}]),
                ("monitor_cond", ["R", "m3", {"root": {"columns": ["i", "s", "kids"], "where": [["i", "<", 12], ["b", "==", True]]}}])]
    try:
        for method, params in monitors:
            for s in servers:
                s.call(method, params, "m")
        for n in range(a.txns):
            ops = gen.transaction()
            got = [s.call("transact", ["R"] + ops, n) for s in servers]
            results = [g[1].get("result") for g in got]
            for i, op in enumerate(ops):
                label = "#%d.%d" % (n, i)
                uuids = [r[i].get("uuid") if isinstance(r, list) and i < len(r) and isinstance(r[i], dict) else None for r in results]
                if op["op"] == "insert" and all(uuids):
                    for s, u in zip(servers, uuids):
                        s.name(u[1], label)
                    if not any(isinstance(x, dict) and "error" in x for x in results[0]):
                        gen.known[op["table"]].append(label)
            if isinstance(results[0], list) and not any(isinstance(x, dict) and "error" in x for x in results[0]):
                committed += 1
            texts = [(s.normal(g[1]), sorted(t for t in map(s.normal, g[0]) if not EMPTY.search(t))) for s, g in zip(servers, got)]
            if not alike(texts[0][0], texts[1][0], ops) or texts[0][1] != texts[1][1]:
                bad += 1
                print("transaction %d differs:\n  %s\n  ours:   %s\n  theirs: %s" % (n, json.dumps(ops), *texts))
            if n % 50 == 49:
                gen.known = {t: k[-30:] for t, k in gen.known.items()}
            if n % 7 == 6:
                change = ["m3", "m3", {"root": [{"where": gen.where("root", [])}]}]
                got = [s.call("monitor_cond_change", change, "c%d" % n) for s in servers]
                texts = [(s.normal(g[1]), sorted(t for t in map(s.normal, g[0]) if not EMPTY.search(t))) for s, g in zip(servers, got)]
                if texts[0] != texts[1]:
                    bad += 1
                    print("condition change %d differs:\n  %s\n  ours:   %s\n  theirs: %s" % (n, json.dumps(change), *texts))
            if bad > 5:
                break
        dumps = [contents(s, "end") for s in servers]
        if dumps[0] != dumps[1]:
            bad += 1
            print("contents differ:\n  ours:   %s\n  theirs: %s" % tuple(dumps))
        # Killed, each opens what the other wrote.
        for s in servers:
            s.stop()
        swapped = [Server("ours on their file", *pairs[0], db=servers[1].db), Server("theirs on our file", *pairs[1], db=servers[0].db)]
        for s, old in zip(swapped, reversed(servers)):
            s.real, s.names = old.real, old.names
        eph = re.compile(r'"eph": (\["set", \[[^\]]*\]\]|-?\d+)')
        again = [eph.sub("", contents(s, "again")) for s in swapped]
        if again != [eph.sub("", dumps[0])] * 2:
            bad += 1
            for x in swapped:
                print("".join(l for l in open(x.dir + "/log") if "|ERR|" in l or "|WARN|" in l))
            print("contents after a restart on the other's file differ:\n  before: %s\n  %s\n  %s" % (dumps[0], *again))
        servers += swapped
    except Closed as e:
        bad += 1
        print(e)
    finally:
        for s in servers:
            s.stop()
            shutil.rmtree(s.dir, ignore_errors=True)
    print("ovsdb_diff: %d transactions (%d committed), %d differences" % (n + 1, committed, bad))
    print("%d passed, %d failed, 0 skipped" % (not bad, bool(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
