"""Random transactions for a schema: mostly right, sometimes wrong in every way that a client can be wrong.

Rows are named by labels ("#5.0": the row that operation 0 of transaction 5 inserted); the driver puts each
server's own uuid in their place.
"""
from .schemas import STRINGS, columns

NOBODY = ["00000000-0000-4000-8000-00000000000%d" % i for i in range(3)]
CHOSEN = ["11111111-1111-4111-8111-0000000000%02x" % i for i in range(24)]


class Generator:
    """rng decides everything; known: {table: labels of rows that were committed}."""

    def __init__(self, rng, schema):
        self.rng, self.known = rng, {}
        self.use(schema)

    def use(self, schema):
        self.columns = columns(schema)
        self.tables = sorted(self.columns)
        self.known = {t: self.known.get(t, []) for t in self.tables}

    def chance(self, p):
        return self.rng.random() < p

    # ---- values
    def uuid(self, base, names):
        """names: (names of this transaction by table, tables of which a row is still wanted) or None."""
        table = base.get("refTable")
        r = self.rng.random()
        if r < 0.04:
            return self.rng.choice([["uuid", self.rng.choice(NOBODY)], ["named-uuid", "nobody"], ["uuid", "x"], ["named-uuid", 3], "x"])
        if not table:
            return ["uuid", self.rng.choice(NOBODY + CHOSEN[:4])]
        if names is not None:
            mine, wanted = names
            if mine.get(table) and r < 0.4:
                return ["named-uuid", self.rng.choice(mine[table])]
            if len(wanted) < 3 and (r < 0.6 or not self.known.get(table)):
                name = "w%d" % len(wanted)
                wanted.append((table, name))
                return ["named-uuid", name]
        if self.known.get(table):
            return ["uuid", self.rng.choice(self.known[table])]
        return ["uuid", self.rng.choice(NOBODY)]

    def atom(self, base, names=None):
        r, kind = self.rng, base["type"]
        if kind == "uuid":
            return self.uuid(base, names)
        if self.chance(0.015):
            return r.choice(["x", 2.5, 1 << 65, None, True, 7, -1, {"a": 1}, [1], ["uuid", NOBODY[0]], ["set", []], -(1 << 63), 1e300])
        if "enum" in base and not self.chance(0.03):
            e = base["enum"]
            return r.choice(e[1]) if isinstance(e, list) else e
        if kind == "integer":
            lo, hi = base.get("minInteger", -6), base.get("maxInteger", 42)
            return r.randrange(lo - 1, lo + 1) if self.chance(0.03) else r.randrange(max(lo, -6), min(hi, 42) + 1)
        if kind == "real":
            return r.choice([r.randrange(100), round(r.random() * 100, 3), 0.1, 0.5, 99.5, 2, 1]) if self.chance(0.97) else r.choice([-1e-7, 1e300, -5, 1000.5])
        if kind == "boolean":
            return self.chance(0.5)
        lo, hi = base.get("minLength", 0), base.get("maxLength", 9)
        fitting = [s for s in STRINGS if lo <= len(s) <= hi]
        return r.choice(fitting) if fitting and self.chance(0.96) else r.choice(STRINGS)

    def value(self, c, names=None, n=None):
        if n is None:
            lo = 0 if self.chance(0.03) else c.min
            n = self.rng.randrange(lo, (c.limit if not self.chance(0.02) else 4) + 1) if c.limit >= lo else lo
        if c.value:
            pairs = [[self.atom(c.key, names), self.atom(c.value, names)] for _ in range(n)]
            return ["map", pairs if self.chance(0.02) else distinct(pairs, lambda p: p[0])]
        atoms = [self.atom(c.key, names) for _ in range(n)]
        if n == 1 and (c.scalar() or self.chance(0.7)):
            return atoms[0]
        return ["set", atoms if self.chance(0.02) else distinct(atoms, lambda a: a)]

    def row(self, table, names, p):
        cs = self.columns[table]
        row = {c: self.value(cs[c], names) for c in cs if self.chance(p)}
        if self.chance(0.01):
            row[self.rng.choice(["nosuch", "_uuid", "_version", "*"])] = 1
        return row

    # ---- conditions, mutations
    def clause(self, table, names=None):
        r = self.rng.random()
        if r < 0.35 and self.known[table]:
            return ["_uuid", self.rng.choice(["==", "==", "==", "!=", "includes", "excludes"]), ["uuid", self.rng.choice(self.known[table])]]
        if r < 0.4:
            return self.chance(0.7)
        if r < 0.42:
            return self.rng.choice([["nosuch", "==", 1], ["_uuid", "<", 1], ["_uuid", "=="], 5, "x", ["_version", "==", ["uuid", NOBODY[0]]], [[], "==", 1], ["_uuid", "===", ["uuid", NOBODY[0]]]])
        c = self.rng.choice(list(self.columns[table].values()))
        optional = c.value is None and c.max == 1
        if optional and c.key["type"] in ("integer", "real") and self.chance(0.6):
            f = self.rng.choice(["<", "<=", ">", ">="])
            return [c.name, f, self.value(c, names, 1 if self.chance(0.95) else 0)]
        f = self.rng.choice(["==", "!=", "includes", "excludes"]) if self.chance(0.96) else self.rng.choice(["<", "<=", ">", ">=", "="])
        return [c.name, f, self.value(c, names)]

    def where(self, table, names=None):
        if self.chance(0.1):
            return []
        return [self.clause(table, names) for _ in range(self.rng.choice([1, 1, 1, 2, 3]))]

    def mutation(self, table, names):
        r = self.rng
        c = r.choice(list(self.columns[table].values()))
        if self.chance(0.02):
            return r.choice([["nosuch", "+=", 1], [c.name, "+="], [c.name, "=+", 1], 5, ["_uuid", "insert", ["uuid", NOBODY[0]]], ["_version", "delete", ["uuid", NOBODY[0]]]])
        if c.value is None and c.key["type"] in ("integer", "real") and (c.max == 1 or self.chance(0.5)):
            # OVS 3.1 aborts where a calculation makes two elements of a set equal: only sums for sets.
            f = r.choice(["+=", "-=", "*=", "/=", "%="] if c.max == 1 else ["+=", "-="])
            zero = 1 if f == "*=" else 0  # and where an integer is multiplied by 0
            n = r.choice([zero, 1, 1, 2, 3]) if c.key["type"] == "integer" else r.choice([zero, 1, 0.5, 2.5])
            return [c.name, f, n if self.chance(0.96) else r.choice([0.5, "x", 1 << 62, ["set", [1, 2]], ["set", []], -1])]
        if c.value and self.chance(0.35):
            return [c.name, "delete", ["set", distinct([self.atom(c.key, names) for _ in range(r.randrange(3))], lambda a: a)]]
        if c.scalar() and c.min == 1 and self.chance(0.8):
            return self.mutation(table, names) if self.chance(0.9) else [c.name, "insert", self.value(c, names)]
        return [c.name, r.choice(["insert", "insert", "delete"]), self.value(c, names, r.randrange(0, 3))]

    # ---- operations
    def insert(self, table, names, name=None):
        cs = self.columns[table]
        o = {"op": "insert", "table": table, "row": self.row(table, names, 0.6)}
        for c in cs.values():  # values whose defaults do not fit
            if c.name not in o["row"] and (c.min > 0 and (c.key["type"] == "uuid" or "enum" in c.key or len(c.key) > 1)) and self.chance(0.95):
                o["row"][c.name] = self.value(c, names)
        if name or self.chance(0.4):
            name = name or "x%d" % self.rng.randrange(4)
            names[0].setdefault(table, []).append(name)
            o["uuid-name"] = name
        if self.chance(0.05):
            o["uuid"] = self.rng.choice(CHOSEN)
        return o

    def operation(self, names):
        r = self.rng
        table = r.choice(self.tables)
        op = r.choices(["insert", "update", "mutate", "delete", "select", "wait", "comment", "abort", "commit", "assert", "nonsense"], [30, 14, 22, 8, 8, 6, 2, 0.7, 2, 1, 0.3])[0]
        o = {"op": op, "table": table}
        if op == "insert":
            o = self.insert(table, names)
        elif op in ("update", "mutate", "delete", "select", "wait"):
            o["where"] = self.where(table, names)
        else:
            del o["table"]
        if op == "update":
            o["row"] = self.row(table, names, 0.35)
        elif op == "mutate":
            o["mutations"] = [self.mutation(table, names) for _ in range(r.randrange(4))]
        elif op == "select" and self.chance(0.8):
            # Not of no column: OVS 3.1 then sorts rows by nothing, and sometimes crashes.
            o["columns"] = r.sample(sorted(self.columns[table]) + ["_uuid"], r.randrange(1, 2 + min(3, len(self.columns[table]))))
        elif op == "wait":
            cs = r.sample(sorted(self.columns[table]), min(len(self.columns[table]), r.randrange(1, 3)))
            o.update(columns=cs, until=r.choice(["==", "!=", "!=", "!="]), timeout=0, rows=[{c: self.value(self.columns[table][c], names) for c in cs} for _ in range(r.randrange(3))])
        elif op == "comment":
            o["comment"] = r.choice(STRINGS)
        elif op == "commit":
            o["durable"] = self.chance(0.2)
        elif op == "assert":
            o["lock"] = r.choice(["l1", "l2", "nobody's", "bad lock"])
        return self.spoiled(o) if self.chance(0.008) else o

    def spoiled(self, o):
        """An operation with a member wrong, missing or of no meaning."""
        r = self.rng
        what = r.random()
        if what < 0.35:
            o[r.choice(sorted(o))] = r.choice([5, "y", [], {}, None, True, ["set", []]])
        elif what < 0.6:
            del o[r.choice(sorted(o))]
        else:
            o[r.choice(["x", "where", "row", "columns", "uuid", "uuid-name", "until", "rows", "timeout", "mutations", "lock"])] = r.choice([5, "y", [], {}, -1, "00000000-0000-4000-8000-000000000001"])
        return o if not self.chance(0.05) else r.choice([5, [], "x", None])

    def transaction(self):
        names = ({}, [])
        ops = [self.operation(names) for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3, 4, 6]))]
        late, done = [], 0
        while done < len(names[1]):  # rows that a value asked for, and those that these ask for
            table, name = names[1][done]
            if self.chance(0.97):
                late.append(self.insert(table, names, name))
            done += 1
        return late + ops if self.chance(0.5) else ops + late

    # ---- monitors
    def monitor(self, conditions):
        """The request object of a monitor over some tables."""
        r, request = self.rng, {}
        for table in r.sample(self.tables, r.randrange(1, len(self.tables) + 1)):
            left = sorted(self.columns[table])
            r.shuffle(left)
            parts = []
            for _ in range(r.choice([1, 1, 1, 2]) if not conditions else 1):
                part = {}
                take = r.randrange(1, len(left) + 1) if left else 0
                if take and self.chance(0.85):
                    part["columns"], left = left[:take], left[take:]
                else:
                    left = []
                if self.chance(0.3):
                    part["select"] = {k: self.chance(0.6) for k in r.sample(["initial", "insert", "delete", "modify"], r.randrange(1, 4))}
                if conditions and self.chance(0.6):
                    part["where"] = self.safe_where(table)
                parts.append(part)
                if not left:
                    break
            request[table] = parts if self.chance(0.85) or len(parts) > 1 else parts[0]
        return request

    def safe_where(self, table):
        """A condition without mistakes."""
        out = []
        for _ in range(self.rng.randrange(3)):
            c = self.rng.choice(list(self.columns[table].values()))
            if self.chance(0.2):
                out.append(self.chance(0.6))
            elif self.known[table] and self.chance(0.3):
                out.append(["_uuid", self.rng.choice(["==", "!="]), ["uuid", self.rng.choice(self.known[table])]])
            elif c.key["type"] == "uuid" or (c.value or {}).get("type") == "uuid":
                out.append(True)
            else:
                out.append([c.name, self.rng.choice(["==", "!=", "includes", "excludes"]), self.value(c)])
        return out


def distinct(items, key):
    seen, out = [], []
    for i in items:
        if key(i) not in seen:
            seen.append(key(i))
            out.append(i)
    return out
