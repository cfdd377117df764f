"""Active and backup databases: what the active acknowledged and the backup has is there after the promotion, whoever made either."""
import os
import re
import threading

from harness import test, until
from harness.proc import Daemon, run
from harness.switch import accepts
from hostile_db_test import Client

NEVER = "tcp:192.0.2.254:6641"  # where OVN's resource agent sends a server that shall wait


class Server:
    """An ovsdb-server of a flavour with a copy of the Open_vSwitch schema."""

    def __init__(self, t, flavour, name, *args):
        self.f, self.dir = flavour, t.path(name)
        os.makedirs(self.dir)
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir)
        self.sock, self.name = self.dir + "/s", name
        run([flavour.bin("ovsdb-tool"), "create", self.dir + "/conf.db", t.debian.schema()], env=self.env)
        t.logs.append(self.dir + "/log")
        self.start(*args)
        t.defer(lambda: self.d.kill())

    def start(self, *args):
        self.d = Daemon("ovsdb-server", [self.f.bin("ovsdb-server"), self.dir + "/conf.db", "--remote=punix:" + self.sock, "--unixctl=" + self.dir + "/ctl", "-vconsole:off",
                                         "--log-file=" + self.dir + "/log", *args], self.dir + "/out", env=self.env)
        until(lambda: self.d.alive() and accepts(self.sock), self.name + " listens")

    def appctl(self, *args, check=True):
        p = run([self.f.bin("ovs-appctl"), "-t", self.dir + "/ctl", *args], env=self.env, check=check)
        return p.stdout.strip() if check else p

    def status(self):
        return self.appctl("ovsdb-server/sync-status")

    def rows(self):
        c = Client(self.sock)
        got = c.call("transact", "Open_vSwitch", {"op": "select", "table": "Queue", "where": [], "columns": ["external_ids"]})
        c.close()
        return {r["external_ids"][1][0][1] for r in got["result"][0]["rows"]}


def insert(i):
    return {"op": "insert", "table": "Queue", "row": {"external_ids": ["map", [["n", str(i)]]]}}


class Writer(threading.Thread):
    """Inserts rows one after the other, at whichever server takes them; `acked` says what was taken and by whom."""

    def __init__(self, who, servers):
        super().__init__(daemon=True)
        self.who, self.servers, self.acked, self.end, self.client, self.at = who, servers, {}, False, None, 0

    def run(self):
        n = 0
        while not self.end:
            try:
                if not self.client:
                    self.client = Client(self.servers[self.at].sock, 10)
                n += 1
                got = self.client.call("transact", "Open_vSwitch", insert("%s.%d" % (self.who, n)))
                if got and "uuid" in got["result"][0]:
                    self.acked["%s.%d" % (self.who, n)] = self.at
                    continue
            except (OSError, TimeoutError):
                pass
            self.client, self.at = None, 1 - self.at
            threading.Event().wait(0.02)


def take_over(t, first, second):
    a = Server(t, first, "a-%s-%s" % (first.name, second.name))
    b = Server(t, second, "b-%s-%s" % (first.name, second.name), "--sync-from=unix:" + a.sock)
    until(lambda: "state: backup" in b.status() and "replicating: unix:" + a.sock in b.status(), "b replicates a")
    # A backup answers reads, and refuses to write.
    refused = Client(b.sock).call("transact", "Open_vSwitch", insert("x"))
    assert refused["result"][0]["error"] == "not allowed", refused
    writers = [Writer("w%d" % i, [a, b]) for i in range(4)]
    for w in writers:
        w.start()
    until(lambda: sum(len(w.acked) for w in writers) > 200, "two hundred rows at the active")
    replicated = b.rows()
    until(lambda: len(b.rows()) > len(replicated), "the backup follows")
    a.d.kill()
    replicated = b.rows()
    b.appctl("ovsdb-server/disconnect-active-ovsdb-server")
    assert b.status() == "state: active", b.status()
    until(lambda: all(1 in w.acked.values() for w in writers), "every client writes at the promoted one", 30)
    for w in writers:
        w.end = True
    for w in writers:
        w.join(20)
    have = b.rows()
    assert replicated <= have, "%d replicated rows are lost" % len(replicated - have)
    lost = {i for w in writers for i, at in w.acked.items() if at == 1} - have
    assert not lost, "acknowledged by the promoted server and lost: %s" % sorted(lost)[:5]
    # The old active comes back as the backup of the new one, and becomes its copy.
    a.start("--sync-from=unix:" + b.sock)
    until(lambda: "replicating" in a.status() and a.rows() == b.rows(), "the old active follows the new one")
    # And what was promoted is in the file.
    b.d.kill()
    b.start()
    assert b.rows() == have


@test(limit_s=120)
def the_backup_takes_over(t):
    take_over(t, t.ours, t.ours)


@test(limit_s=120)
def our_backup_of_debians_server(t):
    take_over(t, t.debian, t.ours)


@test(limit_s=120)
def debians_backup_of_our_server(t):
    take_over(t, t.ours, t.debian)


def agent_texts(t, f):
    """What OVN's resource agent and ovn-ctl read, in the order in which they do things."""
    s = Server(t, f, "texts-" + f.name, "--sync-from=" + NEVER)
    got = [s.status()]
    ask = lambda *a: got.append((lambda p: (p.returncode, p.stdout.strip(), re.sub(r"\S*ctl", "CTL", p.stderr.strip())))(s.appctl(*a, check=False)))  # noqa: E731
    ask("ovsdb-server/get-active-ovsdb-server")
    ask("ovsdb-server/set-sync-exclude-tables", "Open_vSwitch:Manager,Open_vSwitch:SSL")
    ask("ovsdb-server/get-sync-exclude-tables")
    ask("ovsdb-server/set-sync-exclude-tables", "nonsense")
    ask("ovsdb-server/set-active-ovsdb-server-probe-interval", "60000")
    ask("ovsdb-server/set-active-ovsdb-server-probe-interval", "soon")
    ask("ovsdb-server/disconnect-active-ovsdb-server")
    got.append(s.status())
    ask("ovsdb-server/connect-active-ovsdb-server")
    got.append(s.status())
    ask("ovsdb-server/set-active-ovsdb-server", "tcp:192.0.2.253:6641")
    ask("ovsdb-server/get-active-ovsdb-server")
    ask("ovsdb-server/set-active-ovsdb-server")
    s.appctl("exit")
    plain = Server(t, f, "plain-" + f.name)
    s = plain
    got.append(s.status())
    ask("ovsdb-server/connect-active-ovsdb-server")
    ask("ovsdb-server/get-active-ovsdb-server")
    return got


@test(limit_s=60)
def the_texts_that_the_resource_agent_reads(t):
    theirs = agent_texts(t, t.debian)
    assert theirs[0].startswith("state: backup")
    if t.ours.where:
        ours = agent_texts(t, t.ours)
        assert ours == theirs, [(a, b) for a, b in zip(ours, theirs) if a != b]
