"""What a bridge tells its controllers unasked: flow monitors, paused packets, packet-in rates; and bundles, all or nothing."""
import os
import re
import socket
import struct

from controller_test import Peer, free_port
from harness import test, until
from harness.proc import Daemon
from harness.switch import accepts

PACKET = "50540000000750540000000508004500002e000000004011f96bc0a80001c0a8000200080009001a0000" + "00" * 18


def dummy_bridge(t, *settings, flavour=None):
    sw = t.switch(dummy="override", **(dict(db=flavour, vswitchd=flavour, tools=flavour) if flavour else {}))
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure", *settings, *[w for n in (1, 2) for w in ("--", "add-port", "br0", "p%d" % n, "--", "set", "Interface", "p%d" % n, "type=dummy", "ofport_request=%d" % n)])
    return sw


class Monitor:
    """An `ovs-ofctl monitor`, its output in a file, driven over its control socket."""

    n = 0

    def __init__(self, t, sw, *args, version="OpenFlow13", flavour=None):
        Monitor.n += 1
        self.sw, self.ctl, self.out = sw, "%s/monitor%d.ctl" % (sw.dir, self.n), "%s/monitor%d.out" % (sw.dir, self.n)
        tool = (flavour or sw.tools).bin("ovs-ofctl")
        self.daemon = Daemon("ovs-ofctl", [tool, "-O" + version, "monitor", "br0", *args, "--unixctl=" + self.ctl], self.out, env=sw.env)
        t.logs.append(self.out)
        t.defer(self.daemon.stop)
        until(lambda: os.path.exists(self.ctl) and accepts(self.ctl), "the monitor listens")

    def appctl(self, *args, check=True):
        return self.sw.tool("ovs-appctl", "-t", self.ctl, *args, check=check)

    def text(self):
        """Everything that the switch had said when it answered a barrier."""
        self.appctl("ofctl/barrier")
        return re.sub(r" \(xid=0x[0-9a-f]+\)", "", open(self.out).read())

    def stop(self):
        self.appctl("exit", check=False)
        self.daemon.p.wait(10)


def story(t, sw, version, flavour):
    """What a monitor says while flows come and go, by another connection and by its own."""
    m = Monitor(t, sw, "65534", "watch:!own,!initial", version=version, flavour=flavour)
    for args in (("add-flow", "br0", "in_port=1,cookie=7,idle_timeout=5,actions=2"), ("mod-flows", "br0", "in_port=1,actions=1"), ("add-flow", "br0", "table=3,priority=9,tcp,actions=drop"), ("del-flows", "br0", "in_port=1")):
        sw.ofctl(*args, version="OpenFlow13", flavour=flavour)
    # The connection's own change is told in short: DELETE of everything, in the monitor's version.
    wire = VERSIONS[version]
    if wire == 1:
        own = struct.pack("!BBHI", 1, 14, 72, 5) + struct.pack("!I36x", 0x3820FF) + struct.pack("!QHHHHIHH", 0, 3, 0, 0, 0, 0xFFFFFFFF, 0xFFFF, 0)
    else:
        own = struct.pack("!BBHI", wire, 14, 56, 5) + struct.pack("!QQBBHHHIIIHxx", 0, 0, 0xFF, 3, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0) + struct.pack("!HH4x", 1, 4)
    m.appctl("ofctl/send", own.hex())
    text = m.text()
    m.stop()
    return text


VERSIONS = {"OpenFlow10": 1, "OpenFlow12": 3, "OpenFlow13": 4, "OpenFlow14": 5, "OpenFlow15": 6}


@test(limit_s=90)
def flow_monitors_tell_what_debians_tell(t):
    ours, theirs = dummy_bridge(t), dummy_bridge(t, flavour=t.debian)
    for version in VERSIONS:
        want = story(t, theirs, version, t.debian)
        assert "event=ADDED" in want and "event=ABBREV" in want, want
        assert story(t, ours, version, t.ours) == want, "%s: ours:\n%s\nDebian's:\n%s" % (version, story(t, ours, version, t.ours), want)
        assert story(t, ours, version, t.debian) == want


@test()
def a_monitor_starts_with_the_flows_that_are_there(t):
    sw = dummy_bridge(t)
    sw.ofctl("add-flow", "br0", "in_port=1,actions=2")
    sw.ofctl("add-flow", "br0", "table=5,udp,actions=1")
    m = Monitor(t, sw, "watch:out_port=2", version="OpenFlow14")
    assert "event=INITIAL table=0 cookie=0 in_port=1 actions=output:2" in m.text() and "table=5" not in m.text(), m.text()


@test(limit_s=90)
def a_paused_packet_goes_on_where_it_stopped(t):
    """controller(pause) inside a resubmit: what is left of both lists runs when the packet comes back, whoever's tool brings it."""
    for flavour in (t.ours, t.debian):
        sw = dummy_bridge(t)
        sw.flows("br0", "in_port=1,actions=set_field:5->reg1,push:NXM_NX_REG1[],resubmit(,2),output:2", "table=2,actions=controller(pause,userdata=01.02),set_field:0x55->metadata,resubmit(,3)",
                 "table=3,metadata=0x55,reg1=5,actions=pop:NXM_NX_REG2[],load:0xa->NXM_OF_ETH_DST[],resubmit(,4)", "table=4,reg2=5,actions=output:1,in_port")
        m = Monitor(t, sw, "65534", "-P", "nxt_packet_in2", "resume", flavour=flavour)
        sw.appctl("netdev-dummy/receive", "p1", PACKET)
        until(lambda: sw.rule_packets("br0", "table=4") == 1, "the packet ran to its end: %s" % sw.ofctl("dump-flows", "br0"))
        until(lambda: sw.of_ports("br0")["p2"]["tx"] == 1 and sw.of_ports("br0")["p1"]["tx"] == 1, "out by both ports")
        said = m.text()
        assert "continuation.bridge=" in said and "userdata=01.02" in said and "NXT_RESUME" in said, said
        m.stop()


@test()
def a_continuation_of_another_life_is_refused(t):
    sw = dummy_bridge(t)
    p = Peer(sw.dir + "/br0.mgmt")
    inner = bytes(4) + struct.pack("!HH", 0x8000, 20) + bytes(range(16)) + bytes(4)
    props = struct.pack("!HH", 0, 4 + 14) + bytes(14) + bytes(6) + struct.pack("!HH", 8, 4 + len(inner)) + inner
    props += bytes(-len(props) % 8)
    p.send(4, struct.pack("!II", 0x2320, 28) + props, xid=5)
    m = p.answer(5)
    assert m[0] == 1 and struct.unpack_from("!HHI", m[2]) == (0xFFFF, 35, 0x2320), m


@test()
def packet_ins_keep_to_their_rate(t):
    port = free_port()
    sw = dummy_bridge(t, "protocols=OpenFlow13")
    sw.vsctl("set-controller", "br0", "ptcp:%d:127.0.0.1" % port, "--", "set", "Controller", "br0", "controller_rate_limit=100", "controller_burst_limit=25")
    until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), "the port is open")
    p = Peer(("127.0.0.1", port))
    p.send(9, struct.pack("!HH", 0, 0xFFFF))
    actions = struct.pack("!HHIH6x", 0, 16, 0xFFFFFFFD, 0xFFFF)
    body = struct.pack("!IIH6x", 0xFFFFFFFF, 0xFFFFFFFD, len(actions)) + actions + bytes.fromhex(PACKET)
    for n in range(1000):
        p.send(13, body, xid=n)
    p.send(20, b"", xid=5000)
    packets = 0
    while True:
        m = p.receive()
        packets += m[0] == 10
        if m[0] == 21:
            break
    assert packets < 700, "%d of 1000 came at once" % packets

    def dropped():
        m = re.search(r'packet-in-action-dropped="?(\d+)', sw.vsctl("get", "Controller", "br0", "status"))
        return m and int(m.group(1)) > 100

    until(dropped, "the status says how many were dropped", 30)


def table(sw):
    return sorted(re.sub(r"duration=[\d.]+s|(idle|hard)_age=\d+", "", l) for l in sw.ofctl("dump-flows", "br0", version="OpenFlow13").splitlines()[1:])


@test()
def a_bundle_is_all_or_nothing(t):
    """Flows, groups and packets in one bundle; one bad member (CVE-2018-17205: a modify to a missing group) undoes the others."""
    sw = dummy_bridge(t)
    sw.ofctl("add-flow", "br0", "in_port=1,actions=2")
    sw.ofctl("add-group", "br0", "group_id=5,type=all,bucket=output:1", version="OpenFlow13")
    before, groups = table(sw), sw.ofctl("dump-groups", "br0", version="OpenFlow13")
    good = ["group add group_id=7,type=all,bucket=output:2", "flow add table=1,in_port=2,actions=group:7", "flow modify in_port=1,actions=group:7", "flow delete in_port=9", "group modify group_id=5,type=all,bucket=output:2"]
    for bad in ("flow modify in_port=1,actions=group:99", "group add group_id=5,type=all", "packet-out in_port=9999 packet=%s actions=2" % PACKET, "flow add table=3,actions=goto_table:2"):
        for lines in (good + [bad], [bad] + good):
            p = sw.ofctl("bundle", "br0", "-", stdin="\n".join(lines), version="OpenFlow14", check=False)
            assert p.returncode == 1 and "OFPBFC_MSG_FAILED" in p.stderr or "Error" in p.stderr, (bad, p.stderr)
            assert table(sw) == before and sw.ofctl("dump-groups", "br0", version="OpenFlow13") != "" and "group_id=7" not in sw.ofctl("dump-groups", "br0", version="OpenFlow13"), bad
    assert re.sub("xid=[^)]*", "", sw.ofctl("dump-groups", "br0", version="OpenFlow13")) == re.sub("xid=[^)]*", "", groups)
    sw.ofctl("bundle", "br0", "-", stdin="\n".join(good + ["packet-out in_port=1 packet=%s actions=resubmit(,0)" % PACKET]), version="OpenFlow14")
    assert "group_id=7" in sw.ofctl("dump-groups", "br0", version="OpenFlow13")
    until(lambda: sw.of_ports("br0")["p2"]["tx"] == 1, "the packet met the bundle's flows")


@test()
def tables_tell_when_they_fill_up(t):
    sw = dummy_bridge(t)
    sw.vsctl("--", "--id=@t", "create", "Flow_Table", "flow_limit=10", "--", "set", "Bridge", "br0", "flow_tables:0=@t")
    sw.ofctl("mod-table", "br0", "0", "vacancy:20,80", version="OpenFlow14")
    p = Peer(sw.dir + "/br0.mgmt", hello=False)
    p.send(0, b"", version=5)
    p.receive()
    p.send(9, struct.pack("!HH", 0, 0xFFFF), version=5)
    p.send(28, struct.pack("!HHI", 8, 8, 0x18) + struct.pack("!HHI", 9, 8, 0x18), version=5)
    p.send(20, b"", xid=9, version=5)
    while p.receive()[:2] != (21, 9):
        pass
    for n in range(9):
        sw.ofctl("add-flow", "br0", "priority=%d,actions=drop" % (n + 1))
    m = p.receive()
    assert (m[0], m[2][0]) == (31, 3), m
    sw.ofctl("del-flows", "br0")
    m = p.receive()
    assert (m[0], m[2][0]) == (31, 4), m


@test()
def a_monitor_in_the_background(t):
    """--detach, --pidfile, the output file, and every command of its control socket."""
    sw = dummy_bridge(t)
    ctl, out = sw.dir + "/m.ctl", sw.dir + "/m.txt"
    tool = sw.tools.bin("ovs-ofctl")
    d = Daemon("sh", ["/bin/sh", "-c", "exec 2>%s; exec %s monitor br0 65534 --detach --no-chdir --pidfile=%s/m.pid --unixctl=%s" % (out, tool, sw.dir, ctl)], sw.dir + "/sh.out", env=sw.env)
    d.p.wait(20)
    until(lambda: accepts(ctl), "it listens once its parent has ended")
    pid = int(open(sw.dir + "/m.pid").read())
    appctl = lambda *a: sw.tool("ovs-appctl", "-t", ctl, *a, check=False)  # noqa: E731
    assert appctl("ofctl/send", "0105000800000007").stdout == "sent\n"
    p = appctl("ofctl/send", "0105000800000007", "zz", "01", "0105000900000007")
    assert p.returncode and "sent\nTrailing garbage in hex data\nMessage too short for OpenFlow\nMessage size does not match length in OpenFlow header" in p.stderr, p
    assert appctl("ofctl/block").returncode == 0 and "already blocking" in appctl("ofctl/block").stderr
    appctl("ofctl/set-output-file", sw.dir + "/second.txt")
    appctl("ofctl/send", "0105000800000009")
    assert appctl("ofctl/unblock").returncode == 0 and "already unblocked" in appctl("ofctl/unblock").stderr
    assert appctl("ofctl/packet-out", "in_port=controller packet=%s actions=2" % PACKET).returncode == 0
    assert appctl("ofctl/barrier").returncode == 0
    first, second = open(out).read(), open(sw.dir + "/second.txt").read()
    assert first.startswith("send: OFPT_FEATURES_REQUEST (xid=0x7):\nOFPT_FEATURES_REPLY (xid=0x7)"), first
    assert "send: OFPT_FEATURES_REQUEST (xid=0x9):" in second and "OFPT_PACKET_OUT" in second and "OFPT_BARRIER_REPLY" in second and "OFPT_FEATURES_REPLY (xid=0x9)" in second, second
    until(lambda: sw.of_ports("br0")["p2"]["tx"] == 1, "the packet went out")
    appctl("exit")
    until(lambda: not os.path.exists("/proc/%d" % pid), "it ends")
