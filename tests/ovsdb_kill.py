#!/usr/bin/env python3
"""Kills ovsdb-server under writing clients, again and again; then its disk fails, and fills.

  ovsdb_kill.py --ours target/debug [--rounds 20] [--clients 10] [--seed N]

After every kill -9 the server is started on the same file: each acknowledged transaction must be there, nothing that no
client asked for, of each client's transactions the first ones without a gap, and the counter that each transaction raises
must agree with the rows.  Then the disk refuses writes, writes in part, and fails to sync; and with root, a last round runs
on a small tmpfs: what is acknowledged must be there after a restart, what was refused must not.  Exit status 0 if so.
"""
import argparse, json, os, random, selectors, shutil, socket, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ovsdb.faults import Faults, compiler  # noqa: E402
from ovsdb.peer import die_with_parent  # noqa: E402

SCHEMA = {"name": "K", "tables": {
    "t": {"isRoot": True, "indexes": [["id"]], "columns": {"id": {"type": "string"}, "pad": {"type": "string"}, "n": {"type": "integer"}}},
    "count": {"isRoot": True, "maxRows": 1, "columns": {"n": {"type": "integer"}}}}}
FAULT_ROUNDS = 4  # of each kind


class Server:
    def __init__(self, bin, dir):
        self.bin, self.dir, self.db = bin, dir, dir + "/k.db"
        if not os.path.exists(self.db):
            with open(dir + "/k.ovsschema", "w") as f:
                json.dump(SCHEMA, f)
            subprocess.run([bin + "/ovsdb-tool", "create", self.db, dir + "/k.ovsschema"], check=True)
            sock = self.start()
            transact(sock, {"op": "insert", "table": "count", "row": {}})
            sock.close()
            self.kill()

    def start(self, more={}):
        env = dict(os.environ, OVS_RUNDIR="/tmp", OVS_LOGDIR="/tmp", **more)
        self.p = subprocess.Popen([self.bin + "/ovsdb-server", self.db, "--remote=punix:" + self.dir + "/s",
                                   "--unixctl=none", "-vconsole:off"], env=env, preexec_fn=die_with_parent)
        for _ in range(3000):
            try:
                return self.connect()
            except OSError:
                if self.p.poll() is not None:
                    sys.exit("ovsdb_kill: the server does not start")
                time.sleep(0.01)
        sys.exit("ovsdb_kill: the server does not listen")

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.dir + "/s")
        return s

    def kill(self):
        self.p.kill()
        self.p.wait()


def request(ident, pad, durable):
    ops = [{"op": "insert", "table": "t", "row": {"id": ident, "pad": pad}}, {"op": "mutate", "table": "count", "where": [], "mutations": [["n", "+=", 1]]}]
    if durable:
        ops.append({"op": "commit", "durable": True})
    return json.dumps({"method": "transact", "params": ["K"] + ops, "id": ident}).encode()


def messages(sock, buf):
    dec = json.JSONDecoder()
    while True:
        try:
            msg, n = dec.raw_decode(buf)
        except ValueError:
            return None, buf
        yield_buf = buf[n:].lstrip()
        return msg, yield_buf


def write(server, clients, tag, rng, until, pad=""):
    """Writes with `clients` pipelining clients until `until(acked)`; gives (asked, acked, refused)."""
    sel, asked, acked, refused = selectors.DefaultSelector(), set(), set(), set()
    state = []
    for c in range(clients):
        s = server.connect()
        s.setblocking(False)
        state.append({"s": s, "n": 0, "out": b"", "in": "", "open": 0})
        sel.register(s, selectors.EVENT_READ | selectors.EVENT_WRITE, c)
    alive = clients
    while alive:
        if until(acked, refused):
            break
        for key, ev in sel.select(1):
            c = state[key.data]
            try:
                if ev & selectors.EVENT_WRITE:
                    while c["open"] < 8:
                        ident = "%s.%d.%d" % (tag, key.data, c["n"])
                        c["n"] += 1
                        c["open"] += 1
                        asked.add(ident)
                        c["out"] += request(ident, pad, rng.random() < 0.1)
                    if c["out"]:
                        c["out"] = c["out"][c["s"].send(c["out"]):]
                if ev & selectors.EVENT_READ:
                    b = c["s"].recv(1 << 16)
                    if not b:
                        raise OSError("closed")
                    c["in"] += b.decode()
                    while True:
                        msg, c["in"] = messages(c["s"], c["in"])
                        if msg is None:
                            break
                        c["open"] -= 1
                        bad = any(isinstance(r, dict) and "error" in r for r in msg.get("result") or [{"error": 1}])
                        (refused if bad else acked).add(msg["id"])
            except BlockingIOError:
                pass
            except OSError:
                sel.unregister(c["s"])
                alive -= 1
    for c in state:
        c["s"].close()
    return asked, acked, refused


def transact(sock, *ops):
    sock.sendall(json.dumps({"method": "transact", "params": ["K", *ops], "id": 0}).encode())
    buf = ""
    while True:
        b = sock.recv(1 << 20)
        if not b:
            sys.exit("ovsdb_kill: the server closed the connection")
        buf += b.decode()
        msg, _ = messages(sock, buf)
        if msg:
            return msg["result"]


def stored(sock):
    """(ids of the rows, the counter)"""
    rows, count = transact(sock, {"op": "select", "table": "t", "where": [], "columns": ["id"]}, {"op": "select", "table": "count", "where": [], "columns": ["n"]})
    return {r["id"] for r in rows["rows"]}, count["rows"][0]["n"]


def gaps(have):
    """Clients of whose transactions a later one is there and an earlier one is not."""
    last, n = {}, {}
    for i in have:
        who, _, k = i.rpartition(".")
        last[who], n[who] = max(last.get(who, 0), int(k)), n.get(who, 0) + 1
    return [who for who in last if last[who] + 1 != n[who]]


def check(what, state, asked, acked, refused):
    have, count = state
    problems = []
    if count != len(have):
        problems.append("%d rows, but the counter says %d" % (len(have), count))
    if not refused and gaps(have):
        problems.append("a gap in the transactions of %s" % gaps(have)[0])
    if acked - have:
        problems.append("%d acknowledged are lost, such as %s" % (len(acked - have), sorted(acked - have)[0]))
    if have - asked:
        problems.append("%d that nobody asked for" % len(have - asked))
    if have & refused:
        problems.append("%d refused are there" % len(have & refused))
    for p in problems:
        print("%s: %s" % (what, p))
    return len(problems)


def kill_rounds(server, a, rng):
    asked, acked, bad = set(), set(), 0
    server.start().close()
    for n in range(a.rounds):
        limit = time.monotonic() + rng.uniform(0.02, 0.25)

        def until(done, _):
            if time.monotonic() > limit:
                server.kill()
                return True
            return False
        more, done, _ = write(server, a.clients, "r%d" % n, rng, until)
        asked |= more
        acked |= done
        sock = server.start()
        bad += check("round %d" % n, stored(sock), asked, acked, set())
        sock.close()
    server.kill()
    print("ovsdb_kill: %d rounds, %d acknowledged, %d problems" % (a.rounds, len(acked), bad))
    return bad


def faulty_disk(a, rng):
    """Rounds in which the disk fails half of the time, and a kill -9 at the end of each."""
    if not compiler():
        print("ovsdb_kill: failing disk: skipped: needs cc")
        return None
    dir, bad, n_refused, n_acked = tempfile.mkdtemp(prefix="ovsdb-fault-"), 0, 0, 0
    try:
        faults, server = Faults(dir), Server(a.ours, dir)
        asked, acked, refused = set(), set(), set()
        for n in range(FAULT_ROUNDS * 3):
            mode = ("write", "short", "sync")[n % 3]
            server.start(faults.env()).close()
            step, limit = [0, 0], time.monotonic() + 60

            def until(done, no):
                """The disk fails after 20 answers, heals after 20 refusals, and a hundred answers later all ends."""
                if not step[0] and len(done) > 20:
                    faults.on(mode)
                    step[0] = 1
                elif step[0] == 1 and (len(no) > 20 or len(done) > 3000):
                    faults.off()
                    step[0], step[1] = 2, len(done)
                return step[0] == 2 and len(done) > step[1] + 100 or time.monotonic() > limit
            more, done, no = write(server, 4, "f%d" % n, rng, until)
            asked, acked, refused = asked | more, acked | done, refused | no
            sock = server.connect()
            bad += check("%s round %d, running" % (mode, n), stored(sock), asked, acked, refused)
            sock.close()
            server.kill()
            faults.off()
            sock = server.start()
            bad += check("%s round %d, restarted" % (mode, n), stored(sock), asked, acked, refused)
            sock.close()
            server.kill()
            n_refused, n_acked = n_refused + len(no), n_acked + len(done)
            if not no:
                bad += 1
                print("%s round %d: nothing was refused" % (mode, n))
        print("ovsdb_kill: failing disk: %d rounds, %d acknowledged, %d refused, %d problems" % (FAULT_ROUNDS * 3, n_acked, n_refused, bad))
        return bad
    finally:
        server.p.poll() is None and server.kill()
        shutil.rmtree(dir, ignore_errors=True)


def full_disk(a, rng):
    if os.geteuid():
        print("ovsdb_kill: full disk: skipped: needs root to mount a tmpfs")
        return None
    dir = tempfile.mkdtemp(prefix="ovsdb-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir]).returncode:
        print("ovsdb_kill: full disk: skipped: cannot mount a tmpfs")
        return None
    try:
        server = Server(a.ours, dir)
        server.start().close()
        end = time.monotonic() + 20
        asked, acked, refused = write(server, 4, "full", rng, lambda _, no: len(no) > 50 or time.monotonic() > end, "x" * 2000)
        sock = server.connect()
        bad = check("full disk, running", stored(sock), asked, acked, refused)
        server.kill()
        sock = server.start()
        bad += check("full disk, restarted", stored(sock), asked, acked, refused)
        server.kill()
        if not refused:
            print("full disk: nothing was refused")
            bad += 1
        print("ovsdb_kill: full disk: %d acknowledged, %d refused, %d problems" % (len(acked), len(refused), bad))
        return bad
    finally:
        subprocess.run(["umount", dir])
        os.rmdir(dir)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--ours", default="target/debug")
    ap.add_argument("--rounds", type=int, default=20)
    ap.add_argument("--clients", type=int, default=10)
    ap.add_argument("--seed", type=int, default=int(time.time()))
    a = ap.parse_args()
    print("ovsdb_kill: seed %d" % a.seed)
    rng = random.Random(a.seed)
    dir = tempfile.mkdtemp(prefix="ovsdb-kill-")
    try:
        bad = kill_rounds(Server(a.ours, dir), a, rng)
    finally:
        shutil.rmtree(dir, ignore_errors=True)
    results = [bad, faulty_disk(a, rng), full_disk(a, rng)]
    n_skipped, n_failed = results.count(None), sum(map(bool, results))
    print("%d passed, %d failed, %d skipped" % (3 - n_skipped - n_failed, n_failed, n_skipped))
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
