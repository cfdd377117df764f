#!/usr/bin/env python3
"""Kills ovsdb-server under writing clients, again and again; then fills its disk.

  ovsdb_kill.py --ours target/debug [--rounds 20] [--clients 10] [--seed N]

After every kill -9 the server is started on the same file: each acknowledged transaction must be
there, and nothing that no client asked for.  With root, a last round runs on a small tmpfs: what is
acknowledged must be there after a restart, what was refused must not.  Exit status 0 if so.
"""
import argparse, json, os, random, selectors, shutil, socket, subprocess, sys, tempfile, time

SCHEMA = {"name": "K", "tables": {"t": {"isRoot": True, "indexes": [["id"]], "columns": {
    "id": {"type": "string"}, "pad": {"type": "string"}, "n": {"type": "integer"}}}}}


class Server:
    def __init__(self, bin, dir):
        self.bin, self.dir, self.db = bin, dir, dir + "/k.db"
        if not os.path.exists(self.db):
            with open(dir + "/k.ovsschema", "w") as f:
                json.dump(SCHEMA, f)
            subprocess.run([bin + "/ovsdb-tool", "create", self.db, dir + "/k.ovsschema"], check=True)

    def start(self):
        env = dict(os.environ, OVS_RUNDIR="/tmp", OVS_LOGDIR="/tmp")
        self.p = subprocess.Popen([self.bin + "/ovsdb-server", self.db, "--remote=punix:" + self.dir + "/s",
                                   "--unixctl=none", "-vconsole:off"], env=env)
        for _ in range(500):
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
    ops = [{"op": "insert", "table": "t", "row": {"id": ident, "pad": pad}}]
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


def stored(sock):
    sock.sendall(json.dumps({"method": "transact", "params": ["K", {"op": "select", "table": "t", "where": [], "columns": ["id"]}], "id": 0}).encode())
    buf = ""
    while True:
        b = sock.recv(1 << 20)
        buf += b.decode()
        msg, _ = messages(sock, buf)
        if msg:
            return {r["id"] for r in msg["result"][0]["rows"]}


def check(what, have, asked, acked, refused):
    problems = []
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
    results = [bad, full_disk(a, rng)]
    n_skipped, n_failed = results.count(None), sum(map(bool, results))
    print("%d passed, %d failed, %d skipped" % (2 - n_skipped - n_failed, n_failed, n_skipped))
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
