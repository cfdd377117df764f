"""An ovsdb-server of either make in a directory of its own, and JSON-RPC sessions with it."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LABEL = re.compile(r'"(#\d+\.\d+)"')
START_LIMIT_S = 60
ANSWER_LIMIT_S = 30
_libc = ctypes.CDLL(None)


def die_with_parent():
    _libc.prctl(1, signal.SIGKILL)


class Closed(Exception):
    """The server closed the connection."""


class Make:
    """Where one implementation's programs are: a directory, or None for Debian's."""

    def __init__(self, label, where=None):
        path = where or "/usr/sbin:/usr/bin"
        self.label, self.server, self.tool = label, shutil.which("ovsdb-server", path=path), shutil.which("ovsdb-tool", path=path)
        self.appctl = shutil.which("ovs-appctl", path=path)

    def present(self):
        return bool(self.server and self.tool)

    def create(self, db, schema):
        """Makes a database file; (exit status, text of the error)."""
        with open(db + ".ovsschema", "w") as f:
            json.dump(schema, f)
        p = subprocess.run([self.tool, "create", db, db + ".ovsschema"], capture_output=True, text=True, timeout=ANSWER_LIMIT_S)
        return p.returncode, p.stderr.replace(db, "DB")


class Server:
    """A running server; `names` and `real` translate between its uuids and the labels of rows."""

    def __init__(self, make, dbs, dir=None, args=(), env=None, remote=None):
        self.make, self.label = make, make.label
        self.dir = dir or tempfile.mkdtemp(prefix="ovsdb-")
        self.dbs, self.args, self.env, self.remote = list(dbs), list(args), env or {}, remote or "punix:%s/s" % self.dir
        self.real, self.names = {}, {}
        self.start()

    def start(self):
        env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, **self.env)
        self.p = subprocess.Popen([self.make.server, *self.dbs, "--remote=" + self.remote, "--unixctl=%s/ctl" % self.dir, "-vconsole:off", "-vfile:info",
                                   "--log-file=%s/log" % self.dir, *self.args], env=env, preexec_fn=die_with_parent, stderr=open(self.dir + "/out", "ab"))
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                return self.connect().close()
            except OSError:
                if self.p.poll() is not None or time.monotonic() > end:
                    raise Closed("%s: the server does not start: %s" % (self.label, self.log()[-800:])) from None
                time.sleep(0.01)

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.dir + "/s")
        return s

    def session(self):
        return Session(self)

    def name(self, uuid, label):
        self.real[label], self.names[uuid] = uuid, label

    def labelled(self, text):
        return UUID.sub(lambda m: self.names.get(m[0], "?"), text)

    def rss_kib(self, what="VmRSS"):
        return next(int(l.split()[1]) for l in open("/proc/%d/status" % self.p.pid) if l.startswith(what))

    def ctl(self, *args):
        return subprocess.run([self.make.appctl, "-t", self.dir + "/ctl", *args], capture_output=True, text=True, timeout=ANSWER_LIMIT_S)

    def log(self):
        out = ""
        for f in ("log", "out"):
            if os.path.exists(self.dir + "/" + f):
                out += open(self.dir + "/" + f, errors="replace").read()
        return out

    def kill(self, sig=signal.SIGKILL):
        self.p.send_signal(sig)
        self.p.wait()

    def remove(self):
        if self.p.poll() is None:
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Session:
    """A connection.  Messages are (object, text) pairs; the text has the server's uuids."""

    def __init__(self, server):
        self.server, self.sock, self.buf, self.dec = server, server.connect(), "", json.JSONDecoder()
        self.replies = {}  # by id, that came while another one was waited for
        self.sock.settimeout(ANSWER_LIMIT_S)

    def close(self):
        self.sock.close()

    def text(self, message):
        return LABEL.sub(lambda m: '"%s"' % self.server.real.get(m[1], m[1]), json.dumps(message))

    def send(self, method, params, rid):
        self.send_text(self.text({"method": method, "params": params, "id": rid}))

    def send_text(self, text):
        try:
            self.sock.sendall(text.encode())
        except OSError:
            raise Closed("%s: the server closed the connection" % self.server.label) from None

    def receive(self):
        while True:
            if self.buf:
                try:
                    msg, n = self.dec.raw_decode(self.buf)
                    text, self.buf = self.buf[:n], self.buf[n:].lstrip()
                    return msg, text
                except ValueError:
                    pass
            try:
                b = self.sock.recv(1 << 20)
            except TimeoutError:
                raise Closed("%s: no answer in %d s" % (self.server.label, ANSWER_LIMIT_S)) from None
            except OSError:
                b = b""
            if not b:
                raise Closed("%s: the server closed the connection" % self.server.label)
            self.buf += b.decode()

    def until_reply(self, rid):
        """(texts of the messages before the reply, reply, its text)"""
        before = []
        while rid not in self.replies:
            msg, text = self.receive()
            if "method" in msg:
                before.append(text)
            else:
                self.replies[msg.get("id")] = msg, text
        return before, *self.replies.pop(rid)

    def call(self, method, params, rid):
        self.send(method, params, rid)
        return self.until_reply(rid)

    def transact(self, db, *ops, rid="t"):
        """The result of a transaction whose messages nobody compares."""
        return self.call("transact", [db, *ops], rid)[1]["result"]
