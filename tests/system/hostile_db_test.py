"""Bad input to ovsdb-server: whoever sends it gets an error or loses the connection; memory stays bounded, all others are served."""
import contextlib
import json
import os
import resource
import socket
import time

from harness import test, until
from harness.core import Skip
from harness.proc import Daemon, run

MEMORY_MIB = 400  # what any of this may cost at most
MANY = 10_000
UPDATES = 200  # of a quarter megabyte


class Client:
    """A raw connection; messages go out as bytes."""

    def __init__(self, path, timeout=30):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)  # without a limit: it may have to wait for its turn in the backlog
        self.s.settimeout(timeout)

    def send(self, data):
        """False when the server ends the connection meanwhile."""
        try:
            self.s.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def answer(self, limit=1 << 26):
        """The first message, or None at the end of the connection."""
        buf = b""
        while len(buf) < limit:
            try:
                b = self.s.recv(1 << 16)
            except ConnectionResetError:
                b = b""
            if not b:
                return None
            buf += b
            if buf.endswith(b"}"):
                with contextlib.suppress(ValueError):
                    return json.JSONDecoder().raw_decode(buf.decode())[0]
        raise AssertionError("an answer of more than %d bytes" % limit)

    def call(self, method, *params):
        self.send(json.dumps({"method": method, "params": params, "id": 1}).encode())
        return self.answer()

    def close(self):
        self.s.close()


def peak_mib(d):
    return next(int(l.split()[1]) for l in open("/proc/%d/status" % d.pid) if l.startswith("VmHWM")) / 1024


@contextlib.contextmanager
def unharmed(sw, limit_mib=MEMORY_MIB):
    """Somebody else, connected all the time, is served before and after; the server lives and has not grown without measure."""
    other = Client(sw.db_sock)
    assert other.call("echo", "before")["result"] == ["before"]
    yield
    assert other.call("echo", "after")["result"] == ["after"]
    assert other.call("list_dbs")["result"] == ["Open_vSwitch", "_Server"]
    sw.assert_alive()
    if sw.db_f.where:
        assert peak_mib(sw.db) < limit_mib, "%d MiB at the peak" % peak_mib(sw.db)
    other.close()


def bad_messages():
    keys = ",".join('"k%d":0' % i for i in range(1_000_000))
    yield "a million brackets", b"[" * 1_000_000
    yield "a million objects", b'{"a":' * 1_000_000
    yield "a million keys", ('{"method":"transact","id":1,"params":["Open_vSwitch",{%s}]}' % keys).encode()
    yield "no UTF-8", b'{"method":"echo","id":1,"params":["\xff\xfe\x80"]}'
    yield "half a surrogate", b'{"method":"echo","id":1,"params":["\\ud800"]}'
    yield "a zero byte in a string", b'{"method":"echo","id":1,"params":["\\u0000"]}'
    yield "numbers out of range", b'{"method":"transact","id":1,"params":["Open_vSwitch",{"op":"insert","table":"Queue","row":{"dscp":1e999}},{"op":"insert","table":"Queue","row":{"dscp":123456789012345678901234567890}}]}'
    yield "duplicate keys", b'{"method":"echo","method":"list_dbs","id":1,"id":1,"params":[]}'
    yield "not JSON", b"GET / HTTP/1.1\r\n\r\n"
    yield "zeros", bytes(100_000)
    yield "an array", b"[1,2,3]"
    yield "no method", b'{"id":1,"params":[]}'
    yield "odd id", b'{"method":"echo","id":{"a":[1]},"params":[]}'


@test(limit_s=120)
def bad_messages_end_only_their_sender(t):
    sw = t.switch(start_vswitchd=False)
    for name, data in bad_messages():
        with unharmed(sw):
            c = Client(sw.db_sock)
            c.send(data)
            with contextlib.suppress(OSError):
                c.s.shutdown(socket.SHUT_WR)
            got = c.answer()
            assert got is None or "error" in got or "result" in got, (name, got)
            c.close()


@test(limit_s=120, only="ours", nightly=True)  # Debian's server takes it all
def more_than_a_gigabyte_in_one_string(t):
    """A message may have a gibibyte (ovn-northd's first ones are big); then the connection ends, and the memory is free again."""
    sw = t.switch(start_vswitchd=False)
    with unharmed(sw, 1400):
        c = Client(sw.db_sock)
        piece, sent = b"x" * (1 << 20), 0
        if c.send(b'{"method":"echo","id":1,"params":["'):
            while sent < 1500 and c.send(piece):
                sent += 1
        assert sent < 1500, "all of it was taken"
        c.close()
        until(lambda: sw.db.rss_kib() < MEMORY_MIB << 10, "the memory is free again")


@test(limit_s=120)
def a_client_that_never_reads(t):
    """It monitors everything; fifty megabytes of changes later the server is as small as before, and it gets the end state."""
    sw = t.switch(start_vswitchd=False)
    w = Client(sw.db_sock)
    made = w.call("transact", "Open_vSwitch", {"op": "insert", "table": "Queue", "row": {}})["result"][0]["uuid"]
    deaf = Client(sw.db_sock)
    deaf.send(b'{"method":"monitor_cond","id":1,"params":["Open_vSwitch","m",{"Queue":[{"columns":["external_ids"]}]}]}')
    with unharmed(sw):
        for i in range(UPDATES):
            text = "%06d" % i + "x" * 250_000
            got = w.call("transact", "Open_vSwitch", {"op": "update", "table": "Queue", "where": [["_uuid", "==", made]], "row": {"external_ids": ["map", [["k", text]]]}})
            assert got["result"] == [{"count": 1}], got
        assert peak_mib(sw.db) < MEMORY_MIB, "%d MiB" % peak_mib(sw.db)
    deaf.s.settimeout(20)
    buf = b""
    while b"%06dxxx" % (UPDATES - 1) not in buf[-300_000:]:
        b = deaf.s.recv(1 << 20)
        if not b:
            break  # cut off is also a way to be bounded
        buf += b
    assert len(buf) < 30 << 20, "%d bytes were kept for it" % len(buf)


@test(needs=("root",), limit_s=120, only="ours")  # Debian's server has a limit of its own, and needs minutes
def ten_thousand_connections(t):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < MANY + 500:
        raise Skip("needs %d open files (ulimit -Hn)" % (MANY + 500))
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    t.defer(resource.setrlimit, resource.RLIMIT_NOFILE, before)
    sw = t.switch(start_vswitchd=False)
    with unharmed(sw):
        crowd = [Client(sw.db_sock) for _ in range(MANY)]
        for c in crowd[:: MANY // 50]:
            assert c.call("echo", 1)["result"] == [1]
        assert sw.vsctl("--no-wait", "add-br", "br0", "--", "list-br") == "br0\n"
        for c in crowd:
            c.close()
        until(lambda: len(os.listdir("/proc/%d/fd" % sw.db.pid)) < 100, "the server closes them too", 30)


@test(limit_s=90)
def half_a_handshake(t):
    """TLS connections that stop in the middle of a handshake hold up nobody."""
    from tls_test import pki, port_of

    d = pki(t)
    sw = t.switch(start_vswitchd=False, tools=t.debian)
    sw.stop()
    sw.start_db(["--remote=pssl:0:127.0.0.1", "-p", d + "/sc-privkey.pem", "-c", d + "/sc-cert.pem", "-C", d + "/pki/controllerca/cacert.pem"])
    port = port_of(sw)
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(32)
    crowd = []
    for i in range(40):
        c = socket.create_connection(("127.0.0.1", port))
        c.sendall(hello[: i % len(hello)] if i % 3 else os.urandom(200))
        crowd.append(c)
    us = ["--private-key=" + d + "/cl-privkey.pem", "--certificate=" + d + "/cl-cert.pem", "--ca-cert=%s/pki/switchca/cacert.pem" % d]
    out = sw.tool("ovs-vsctl", "--timeout=20", "--no-wait", "--db=ssl:127.0.0.1:%d" % port, *us, "add-br", "br0", "--", "list-br", timeout=30)
    assert out.stdout == "br0\n"
    for c in crowd:
        c.close()
    sw.assert_alive()


def started_with(t, flavour, name, content):
    """(exit status, last line of the error) of a server on a file with this content; None where it serves."""
    d = t.path("%s-%d" % (name, len(os.listdir(t.dir))))
    os.makedirs(d)
    with open(d + "/conf.db", "wb") as f:
        f.write(content)
    env = dict(os.environ, OVS_RUNDIR=d, OVS_LOGDIR=d, OVS_DBDIR=d)
    p = Daemon("ovsdb-server", [flavour.bin("ovsdb-server"), d + "/conf.db", "--remote=punix:%s/s" % d, "--unixctl=%s/c" % d, "-vconsole:err"], d + "/out", env=env)
    t.defer(p.kill)
    end = time.monotonic() + 30
    while p.alive() and time.monotonic() < end:
        with contextlib.suppress(OSError):
            Client(d + "/s").close()
            return None
        time.sleep(0.02)
    with open(d + "/out") as f:
        lines = [l.strip().replace(d, "DIR") for l in f if l.strip()]
    return p.p.returncode, lines[-1] if lines else ""


@test(limit_s=90)
def files_that_are_no_database(t):
    """A clear error and an end, as Debian's; a newer schema is served."""
    schema = json.load(open(t.ours.schema()))
    schema["version"] = "99.0.0"
    schema["tables"]["Future"] = {"isRoot": True, "columns": {"when": {"type": "string"}}}
    newer = t.path("newer.db")
    open(t.path("newer.ovsschema"), "w").write(json.dumps(schema))
    run([t.debian.bin("ovsdb-tool"), "create", newer, t.path("newer.ovsschema")])
    good = open(newer, "rb").read()
    cases = {"empty": b"", "rubbish": os.urandom(5000), "zeros": bytes(5000), "text": b"hello\n" * 100, "sqlite": b"SQLite format 3\x00" + bytes(100),
             "cut": good[: len(good) // 2], "header": good[: good.index(b"\n") + 1], "flipped": good.replace(b"Future", b"Fuzure", 1)}
    for name, content in cases.items():
        theirs = started_with(t, t.debian, name, content)
        ours = started_with(t, t.ours, name, content)
        assert theirs and theirs[0], (name, theirs)
        assert ours and ours[0] == theirs[0], (name, ours, theirs)
        assert "conf.db" in ours[1], (name, ours, theirs)
    assert started_with(t, t.ours, "newer", good) is None
