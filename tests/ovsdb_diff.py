#!/usr/bin/env python3
"""The same random schemas, transactions, conditions and monitors through two OVSDB servers: all must agree.

  ovsdb_diff.py --ours target/debug [--theirs DIR] [--worlds 12] [--txns 150] [--seed N] [--only WORLD]

A world is a random schema and `txns` transactions over it, with two sessions of which one only watches.
Replies, updates, the contents, and the records in the file are compared; then each server opens
the file that the other wrote.  DIR holds ovsdb-server and ovsdb-tool; without --theirs, Debian's are used.
The last line is `N passed, N failed, N skipped`: one per world, and one for the broken schemas.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ovsdb import normal, schemas  # noqa: E402
from ovsdb.peer import UUID, Closed, Make, Server  # noqa: E402
from ovsdb.transactions import Generator  # noqa: E402

LABELS_KEPT = 30  # rows per table that later transactions may name
DIED_MAX = 0.1  # of the worlds may end because OVS 3.1 crashed where we answered, or kept a reference to a deleted row
ALIKE_MAX = 0.2  # of the replies may name another of several mistakes


class Differ(Exception):
    """The servers disagree; what was asked and what they said."""


class TheirsDied(Exception):
    """Debian's server crashed at something that ours answered."""


class World:
    """One schema, two servers, the same sessions with both."""

    def __init__(self, seed, makes, first):
        self.rng = random.Random(seed)
        self.schema = schemas.EVERYTHING if first else self.valid_schema(makes)
        self.gen = Generator(self.rng, self.schema)
        self.committed = self.alike = self.asked = self.serial = 0
        self.servers = []
        for m in makes:
            dir = tempfile.mkdtemp(prefix="ovsdb-diff-")
            status, error = m.create(dir + "/r.db", self.schema)
            if status:
                raise Differ("%s refuses a schema: %s\n  %s" % (m.label, error, json.dumps(self.schema)))
            self.servers.append(Server(m, [dir + "/r.db"], dir))
        self.connect()

    def valid_schema(self, makes):
        while True:
            s = schemas.random_schema(self.rng)
            if check_schema(makes, s):
                return s

    def connect(self):
        self.writers = [s.session() for s in self.servers]
        self.watchers = [s.session() for s in self.servers]
        self.monitors = {}
        self.locks = {"l1": [], "l2": []}  # whoever holds it, then the waiting
        for i in range(3):
            self.add_monitor()
        self.both("monitor", ["R", "w0", {t: {} for t in self.gen.tables}], who=self.watchers)
        self.both("monitor_cond_since", ["R", "w1", self.gen.monitor(True), "00000000-0000-0000-0000-000000000000"], who=self.watchers)

    # ---- asking both
    def both(self, method, params, who=None, ops=()):
        """Asks both; gives the two replies.  Raises Differ."""
        self.serial += 1
        self.asked += 1
        rid = self.serial
        who = who or self.writers
        for s in who:
            s.send(method, params, rid)
        return self.compare([self.reply(s, rid) for s in who], [s.server for s in who], "%s %s" % (method, json.dumps(params)), ops)

    def reply(self, session, rid):
        try:
            return session.until_reply(rid)
        except Closed as e:
            return [], {"closed": str(e)}, '{"closed":1}'

    def compare(self, got, servers, what, ops=()):
        self.learn([g[1].get("result") for g in got], ops)
        replies = [normal.normal(s, g[2]) for s, g in zip(servers, got)]
        verdict = normal.agree(*replies, ops, what.startswith(("convert", "monitor_cond_change")))
        self.alike += verdict == "alike"
        ups = [normal.updates(s, g[0]) for s, g in zip(servers, got)]
        if "closed" in got[1][1] and "closed" not in got[0][1] and self.servers[0].p.poll() is None:
            if self.died(1):
                raise TheirsDied(what)
        if not verdict or ups[0] != ups[1]:
            said = replies if not verdict else ["\n".join(u for u in ups[i] if u not in ups[1 - i]) or "(less)" for i in (0, 1)]
            raise Differ("%s\n  ours:   %s\n  theirs: %s" % (what, *said))
        if "closed" in got[0][1]:
            if self.servers[0].p.poll() is not None:
                raise Differ("%s\n  ours died, and theirs" % what)
            for s in self.writers + self.watchers:
                s.close()
            self.connect()
        return [g[1] for g in got]

    def learn(self, results, ops):
        """Names the rows that both inserted."""
        if not all(isinstance(r, list) for r in results):
            return
        fine = not any(normal.is_error(x) for x in results[0])
        self.committed += fine and bool(ops)
        for i, op in enumerate(ops):
            uuids = [r[i].get("uuid") if i < len(r) and isinstance(r[i], dict) else None for r in results]
            if isinstance(op, dict) and op.get("op") == "insert" and all(uuids):
                label = "#%d.%d" % (self.serial, i)
                for s, u in zip(self.servers, uuids):
                    s.name(u[1], label)
                if fine:
                    known = self.gen.known[op["table"]]
                    known.append(label)
                    del known[:-LABELS_KEPT]

    # ---- one turn
    def turn(self):
        ops = self.gen.transaction()
        self.both("transact", ["R", *ops], ops=ops)
        if self.rng.random() < 0.5:
            self.both("echo", [], who=self.watchers)
        if self.rng.random() < 0.12:
            self.rng.choice([self.change_condition, self.change_condition, self.change_monitor, self.lock, self.pending, self.nonsense])()

    def add_monitor(self):
        name = self.rng.choice(["m1", "m2", ["m", 3], 4, {"m": 5}])
        method = self.rng.choice(["monitor", "monitor_cond", "monitor_cond", "monitor_cond_since"])
        request = self.gen.monitor(method != "monitor")
        more = ["00000000-0000-0000-0000-000000000000"] if method == "monitor_cond_since" else []
        result = self.both(method, ["R", name, request, *more])
        if result[0].get("error") is None:
            self.monitors[json.dumps(name)] = (method, sorted(t for t in request))

    def change_monitor(self):
        if self.monitors and self.rng.random() < 0.6:
            name = self.rng.choice(sorted(self.monitors))
            del self.monitors[name]
            self.both("monitor_cancel", [json.loads(name)])
        else:
            self.add_monitor()

    def change_condition(self):
        conditional = [n for n, (m, _) in sorted(self.monitors.items()) if m != "monitor"]
        if not conditional:
            return self.add_monitor()
        name = self.rng.choice(conditional)
        method, tables = self.monitors[name]
        change = {t: [{"where": self.gen.safe_where(t)}] for t in self.rng.sample(tables, self.rng.randrange(1, len(tables) + 1))}
        renamed = json.loads(name) if self.rng.random() < 0.8 else "n%d" % self.serial
        result = self.both("monitor_cond_change", [json.loads(name), renamed, change])
        del self.monitors[name]
        if result[0].get("error") is not None:
            self.both("monitor_cancel", [json.loads(name)])  # OVS keeps the half before the mistake, ours nothing
        else:
            self.monitors[json.dumps(renamed)] = (method, tables)

    def lock(self):
        lock = self.rng.choice(["l1", "l2"])
        who = self.rng.choice([self.writers, self.watchers])
        method, queue = self.rng.choice(["lock", "lock", "steal", "unlock"]), self.locks[lock]
        if method == "unlock" and who in queue[1:]:
            method = "lock"  # where a waiter gives up, OVS tells the owner once more that it is the owner
        self.both(method, [lock], who=who)
        if method == "unlock":
            queue[:] = [w for w in queue if w is not who]
        elif who not in queue:
            queue.insert(0 if method == "steal" else len(queue), who)
        self.both("echo", ["settle"], who=self.writers)
        self.both("echo", ["settle"], who=self.watchers)

    def pending(self):
        """A wait that cannot end at once: canceled, timed out, or fulfilled by the other session."""
        table = self.rng.choice(self.gen.tables)
        column = self.rng.choice(sorted(self.gen.columns[table]))
        uuid = "22222222-2222-4222-8222-%012x" % self.serial
        wait = {"op": "wait", "table": table, "where": [["_uuid", "==", ["uuid", uuid]]], "columns": [column], "until": "!=", "rows": []}
        how = self.rng.choice(["cancel", "timeout", "fulfil"])
        if how == "timeout":
            wait["timeout"] = 1
            return self.both("transact", ["R", wait], ops=[wait])
        ops = [wait, {"op": "comment", "comment": "done"}]
        self.serial += 1
        rid = self.serial
        for s in self.writers:
            s.send("transact", ["R", *ops], rid)
        if how == "fulfil":
            self.both("echo", ["queued"])
            insert = self.gen.insert(table, ({}, []))
            insert["uuid"] = uuid
            made = self.both("transact", ["R", insert], who=self.watchers, ops=[insert])
            self.serial += 1
            self.both("echo", ["done"], who=self.watchers)
            if not any(normal.is_error(x) for x in made[0]["result"]) and self.exists(table, uuid):
                self.compare([self.reply(s, rid) for s in self.writers], self.servers, "fulfilled wait", ops)
                drop = {"op": "delete", "table": table, "where": wait["where"]}
                self.both("transact", ["R", drop], ops=[drop])
                return
        # OVS 3.1 takes a cancel without a word, and the transaction stays; ours answers as RFC 7047 says.
        self.writers[0].send_text(json.dumps({"method": "cancel", "params": [rid], "id": None}))
        reply = self.reply(self.writers[0], rid)[1]
        if reply.get("error") != "canceled":
            raise Differ("canceled wait\n  ours: %s" % reply)

    def exists(self, table, uuid):
        """A row to which nobody refers may not outlive its transaction."""
        op = {"op": "select", "table": table, "where": [["_uuid", "==", ["uuid", uuid]]], "columns": ["_uuid"]}
        return bool(self.both("transact", ["R", op], who=self.watchers, ops=[op])[0]["result"][0]["rows"])

    def nonsense(self):
        """Requests that are wrong as a whole."""
        gen, r = self.gen, self.rng
        method, params = r.choice([
            ("no_such_method", []), ("transact", []), ("transact", {}), ("transact", ["nosuch", {"op": "abort"}]), ("transact", [5]), ("transact", ["R"]), ("transact", None), ("transact", "x"),
            ("get_schema", []), ("get_schema", ["nosuch"]), ("get_schema", [5]), ("get_schema", ["R"]), ("list_dbs", []), ("list_dbs", [1]),
            ("monitor", []), ("monitor", ["R", "z", 5]), ("monitor", ["R", "z", {"nosuch": {}}]), ("monitor", ["R", "z", {gen.tables[0]: 7}]),
            ("monitor", ["R", "z", {gen.tables[0]: {"columns": ["nosuch"]}}]), ("monitor", ["R", "z", {gen.tables[0]: {"columns": 3}}]), ("monitor", ["R", "z", {gen.tables[0]: {"select": 3}}]),
            ("monitor", ["R", "z", {gen.tables[0]: {"select": {"initial": 3}}}]), ("monitor", ["R", "z", {gen.tables[0]: {"x": 3}}]), ("monitor", ["R", "z", {gen.tables[0]: [{"columns": ["c0"]}, {"columns": ["c0"]}]}]),
            ("monitor", ["R", "z", {gen.tables[0]: {"where": []}}]), ("monitor_cond", ["R", "z", {gen.tables[0]: {"where": 5}}]), ("monitor_cond", ["R", "z", {gen.tables[0]: {"where": [["nosuch", "==", 1]]}}]),
            ("monitor_cond", ["R", "z", {gen.tables[0]: {"where": [["_uuid", "<", 1]]}}]), ("monitor_cond_since", ["R", "z", {}]), ("monitor_cond_since", ["R", "z", {}, 5]), ("monitor_cond_since", ["R", "z", {}, "x"]),
            ("monitor_cancel", []), ("monitor_cancel", ["nosuch"]), ("monitor_cancel", ["a", "b"]), ("monitor_cond_change", []), ("monitor_cond_change", ["nosuch", "x", {}]),
            ("monitor_cond_change", ["w0", "w0", {}]), ("monitor_cond_change", [1, 2]), ("lock", []), ("lock", [5]), ("lock", ["bad lock"]), ("lock", ["a", "b"]), ("unlock", ["never"]), ("unlock", []), ("steal", [""]),
            ("echo", {"x": 1}), ("echo", None), ("set_db_change_aware", [5]), ("set_db_change_aware", []), ("convert", []), ("convert", ["nosuch", {}]), ("convert", ["R", 5]), ("convert", ["R", {"name": "other", "tables": {}}]),
            ("transact", ["_Server", {"op": "insert", "table": "Database", "row": {}}]), ("transact", ["_Server", {"op": "select", "table": "Database", "where": [], "columns": ["name", "model", "connected", "leader"]}])])
        self.both(method, params, ops=params[1:] if method == "transact" and isinstance(params, list) else ())

    def convert(self):
        """The database gets another schema while it is open; sessions that are not aware of changes end."""
        for _ in range(20):
            new = schemas.changed(self.rng, self.schema)
            if check_schema([s.make for s in self.servers], new):
                break
        else:
            return
        for who in (self.writers, self.watchers):
            self.both("set_db_change_aware", [True], who=who)
        result = self.both("convert", ["R", new])
        self.both("echo", ["converted"])
        self.both("echo", ["converted"], who=self.watchers)
        if result[0].get("error") is None:
            self.schema, self.monitors = new, {}
            self.gen.use(new)
            self.both("monitor", ["R", "w0", {t: {} for t in self.gen.tables}], who=self.watchers)

    # ---- the end
    def contents(self, server, session):
        ops = [{"op": "select", "table": t, "where": [], "columns": ["_uuid"] + sorted(self.schema["tables"][t]["columns"])} for t in self.gen.tables]
        return normal.normal(server, session.call("transact", ["R", *ops], "all")[2])

    def finish(self):
        """Schema, contents, files, and each other's files."""
        self.both("get_schema", ["R"])
        dumps = [self.contents(s, w) for s, w in zip(self.servers, self.writers)]
        if dumps[0] != dumps[1]:
            raise Differ("contents\n  ours:   %s\n  theirs: %s" % tuple(dumps))
        for s in self.servers:
            s.kill()
        logs = [normal.records(s, s.dbs[0]) for s in self.servers]
        for i, (a, b) in enumerate(zip(*logs)):
            # The schema: OVS keeps the spelling of who converted it; get_schema was compared.  A record of whole
            # values where OVS has differences: those that OVS 3.1 cannot read back itself.
            if a != b and i and ("_is_diff" in a or "_is_diff" not in b):
                raise Differ("record %d of the file\n  ours:   %s\n  theirs: %s" % (i, a, b))
        if len(logs[0]) != len(logs[1]):
            raise Differ("records in the file\n  ours:   %d, last %s\n  theirs: %d, last %s" % tuple(x for log in logs for x in (len(log), log[-1])))
        kept = strip_ephemeral(self.schema, dumps[0], self.gen.tables)
        ours, theirs = self.servers
        self.must_read(ours, theirs, kept)
        self.must_read(theirs, ours, kept)

    def must_read(self, reader, writer, expected):
        got = self.opened(reader, writer)
        if got != expected:
            raise Differ("contents after %s opened the file of %s\n  expected: %s\n  read:     %s" % (reader.label, writer.label, expected, got))

    def opened(self, reader, writer):
        """The contents when `reader` opens the file that `writer` wrote."""
        dir = tempfile.mkdtemp(prefix="ovsdb-diff-")
        shutil.copy(writer.dbs[0], dir + "/r.db")
        s = Server(reader.make, [dir + "/r.db"], dir)
        s.real, s.names = writer.real, writer.names
        try:
            return strip_ephemeral(self.schema, self.contents(s, s.session()), self.gen.tables)
        finally:
            s.remove()

    def dangling(self, which):
        """Whether a server keeps a weak reference to a row that is gone, as OVS 3.1 sometimes does."""
        server, session = self.servers[which], self.servers[which].session()
        rows = {t: session.transact("R", {"op": "select", "table": t, "where": []})[0]["rows"] for t in self.gen.tables}
        there = {t: {r["_uuid"][1] for r in rs} for t, rs in rows.items()}
        weak = lambda b: (b or {}).get("refType") == "weak" and b["refTable"]  # noqa: E731
        for t, cs in self.gen.columns.items():
            for c in cs.values():
                for table in filter(None, (weak(c.key), weak(c.value))):
                    for r in rows[t]:
                        named = set(UUID.findall(json.dumps(r[c.name])))
                        if named - there[table] and not (c.value and "uuid" == c.key["type"] == c.value["type"]):
                            return True
        return False

    def died(self, which):
        """Whether a server, which had a moment to end, ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.servers[which].p.wait(1)
        return self.servers[which].p.poll() not in (None, -9)

    def remove(self):
        for s in self.servers:
            s.remove()


def strip_ephemeral(schema, contents, tables):
    """Contents without the ephemeral columns."""
    dump = json.loads(contents)
    for t, rows in zip(tables, dump["result"]):
        drop = [c for c, d in schema["tables"][t]["columns"].items() if d.get("ephemeral")]
        for row in rows["rows"]:
            for c in drop:
                row.pop(c)
        rows["rows"].sort(key=normal.sort_key)
    return json.dumps(dump, sort_keys=True)


def check_schema(makes, schema):
    """Whether both take a schema; Differ if they do not agree, up to which mistake is found first."""
    dir = tempfile.mkdtemp(prefix="ovsdb-schema-")
    try:
        got = [m.create("%s/%d.db" % (dir, i), schema) for i, m in enumerate(makes)]
    finally:
        shutil.rmtree(dir)
    if (got[0][0] == 0) != (got[1][0] == 0):
        raise Differ("schema %s\n  ours:   %s\n  theirs: %s" % (json.dumps(schema), *got))
    return got[0][0] == 0


def broken_schemas(makes, seed, n):
    rng = random.Random(seed)
    for _ in range(n):
        check_schema(makes, schemas.broken(rng, schemas.random_schema(rng)))


def run_world(seed, makes, txns, first):
    """(transactions, committed, replies, alike, whether theirs failed, text of the difference or None)"""
    world, n = None, 0
    try:
        world = World(seed, makes, first)
        for n in range(1, txns + 1):
            world.turn()
            if n % 100 == 99:
                world.convert()
        world.finish()
        if world.alike > 3 + ALIKE_MAX * world.asked:
            raise Differ("%d of %d replies only alike" % (world.alike, world.asked))
        return n, world.committed, world.asked, world.alike, 0, None
    except TheirsDied:
        return n, world.committed, world.asked, world.alike, 1, None
    except (Differ, Closed) as e:
        if isinstance(e, Closed) and world and len(world.servers) == 2 and world.died(1) and not world.died(0):
            return n, world.committed, world.asked, world.alike, 1, None
        if world and all(s.p.poll() is None for s in world.servers) and world.dangling(1) and not world.dangling(0):
            return n, world.committed, world.asked, world.alike, 1, None
        for s in world.servers if world else ():
            print("".join("  %s: %s\n" % (s.label, l[:300]) for l in s.log().splitlines() if "|EMER|" in l or "panicked" in l or "|ERR|" in l), end="")
        w = world
        return (n, w.committed if w else 0, w.asked if w else 0, w.alike if w else 0, 0, "transaction %d: %s" % (n, e))
    finally:
        if world:
            world.remove()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--ours", default="target/debug")
    ap.add_argument("--theirs")
    ap.add_argument("--worlds", type=int, default=12)
    ap.add_argument("--txns", type=int, default=150, help="transactions in each world")
    ap.add_argument("--schemas", type=int, default=60, help="broken schemas")
    ap.add_argument("--seed", type=int, default=int(time.time()))
    ap.add_argument("--only", type=int, help="run one world only, as the difference printed it")
    a = ap.parse_args()
    makes = [Make("ours", a.ours), Make("theirs", a.theirs)]
    if not all(m.present() for m in makes):
        print("ovsdb_diff: skipped: needs both servers (apt-get install openvswitch-switch)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    print("ovsdb_diff: seed %d" % a.seed)
    total, passed, failed = [0] * 5, 0, 0
    t0 = time.monotonic()
    for i in range(a.worlds) if a.only is None else [a.only]:
        *counts, difference = run_world("%d/%d" % (a.seed, i), makes, a.txns, i == 0)
        total = [x + y for x, y in zip(total, counts)]
        passed, failed = passed + (not difference), failed + bool(difference)
        if difference:
            print("world %d (--seed %d --txns %d --only %d) differs at %s" % (i, a.seed, a.txns, i, difference), flush=True)
    if a.only is None:
        try:
            broken_schemas(makes, a.seed, a.schemas)
            passed += 1
        except Differ as e:
            failed += 1
            print("broken schemas differ: %s" % e)
    if total[4] > 1 + DIED_MAX * a.worlds:
        failed += 1
        print("theirs failed in %d of %d worlds: that is no comparison" % (total[4], a.worlds))
    print("ovsdb_diff: %d transactions (%d committed), %d replies compared (%d only alike), theirs failed in %d worlds, %d worlds differ, %.0f s" % (*total, failed, time.monotonic() - t0))
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
