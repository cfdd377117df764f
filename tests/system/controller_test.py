"""OpenFlow controllers: os-ken's learning switch, Debian's ovs-testcontroller, roles and fail modes."""
import os
import socket
import struct

from harness import test, until
from harness.proc import Daemon
from netns_test import two_on_veth

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "simple_switch_13.py")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def controller(t, name, argv):
    d = Daemon(name, argv, t.path(name + ".out"))
    t.logs.append(t.path(name + ".out"))
    t.defer(d.stop)
    return d


def connected(sw):
    return "true" in sw.vsctl("--columns=is_connected", "list", "Controller")


@test(needs=("root", "os-ken"))
def os_ken_makes_two_namespaces_ping(t):
    port = free_port()
    controller(t, "osken", ["/usr/bin/osken-manager" if os.path.exists("/usr/bin/osken-manager") else "osken-manager", "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(port), APP])
    sw = t.switch()
    sw.bridge("br0", "fail_mode=secure", "protocols=OpenFlow13")
    a, b, *_ = t.enter(two_on_veth(sw))
    assert a.ping("10.9.0.2", 1, check=False) == 0
    sw.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % port)
    until(lambda: connected(sw), "the controller is connected", 30)
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    a.ping("10.9.0.2", 10)
    rules = sw.ofctl("dump-flows", "br0", version="OpenFlow13")
    assert "CONTROLLER:65535" in rules and "priority=1,in_port" in rules, rules


@test(needs=("root",))
def testcontroller_makes_two_namespaces_ping(t):
    port = free_port()
    controller(t, "testcontroller", ["/usr/bin/ovs-testcontroller", "ptcp:%d:127.0.0.1" % port, "--unixctl=" + t.path("tc.ctl")])
    sw = t.switch()
    sw.bridge("br0", "fail_mode=secure")
    a, b, *_ = t.enter(two_on_veth(sw))
    sw.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % port)
    until(lambda: connected(sw), "the controller is connected", 30)
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    a.ping("10.9.0.2", 5)


class Peer:
    """A raw OpenFlow 1.3 connection, to say what no client library would."""

    def __init__(self, address, hello=True):
        self.s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.s.settimeout(5)
        self.s.connect(address)
        self.buffer = b""
        if hello:
            self.send(0, b"")
            assert self.receive()[0] == 0

    def send(self, type_, body, xid=1, version=4, length=None):
        self.s.sendall(struct.pack("!BBHI", version, type_, len(body) + 8 if length is None else length, xid) + body)

    def receive(self):
        """(type, xid, body), or None once the peer has closed."""
        while len(self.buffer) < 8 or len(self.buffer) < struct.unpack_from("!H", self.buffer, 2)[0]:
            more = self.s.recv(65536)
            if not more:
                return None
            self.buffer += more
        _, type_, length, xid = struct.unpack_from("!BBHI", self.buffer)
        body, self.buffer = self.buffer[8:length], self.buffer[length:]
        return type_, xid, body

    def answer(self, xid):
        while True:
            m = self.receive()
            if m is None or m[1] == xid and m[0] != 2:
                return m

    def close(self):
        self.s.close()


@test()
def passive_controllers_and_probes(t):
    """The switch listens (ptcp), answers echoes and features, and asks a silent peer whether it is alive."""
    port = free_port()
    sw = t.switch(dummy="")
    sw.bridge("br0")
    sw.vsctl("set-controller", "br0", "ptcp:%d:127.0.0.1" % port, "--", "set", "Bridge", "br0", "other_config:datapath-id=00000000000000aa")
    until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), "the port is open")
    p = Peer(("127.0.0.1", port))
    p.send(2, b"are you there", xid=7)
    assert p.receive() == (3, 7, b"are you there")
    p.send(5, b"", xid=8)
    m = p.answer(8)
    assert m[0] == 6 and m[2][:8].hex() == "00000000000000aa", m
    p.send(20, b"", xid=9)  # barrier
    assert p.answer(9)[0] == 21
    p.close()


@test()
def one_master_at_a_time(t):
    port = free_port()
    sw = t.switch(dummy="")
    sw.bridge("br0")
    sw.vsctl("set-controller", "br0", "ptcp:%d:127.0.0.1" % port)
    until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), "the port is open")
    first, second = Peer(("127.0.0.1", port)), Peer(("127.0.0.1", port))
    role = lambda p, r, gen, xid: (p.send(24, struct.pack("!I4xQ", r, gen), xid=xid), p.answer(xid))[1]  # noqa: E731
    assert role(first, 2, 1, 10)[0] == 25
    assert struct.unpack_from("!I", role(second, 2, 2, 11)[2])[0] == 2
    assert struct.unpack_from("!I", role(first, 0, 0, 12)[2])[0] == 3, "the first became a slave"
    stale = role(first, 2, 1, 13)
    assert stale[0] == 1 and struct.unpack_from("!HH", stale[2]) == (11, 0), "a stale generation is an error"
    # a slave may not change the table
    first.send(14, struct.pack("!QQBBHHHIIIH2x", 0, 0, 0, 0, 0, 0, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0) + struct.pack("!HH4x", 1, 4), xid=14)
    m = first.answer(14)
    assert m[0] == 1 and struct.unpack_from("!HH", m[2]) == (1, 10), m


@test(needs=("root",))
def standalone_bridges_learn_while_the_controller_is_away(t):
    sw = t.switch()
    sw.bridge("br0", "fail_mode=standalone")
    a, b, *_ = t.enter(two_on_veth(sw))
    sw.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % free_port())
    until(lambda: a.ping("10.9.0.2", 1, check=False), "ping without a controller", 40)
