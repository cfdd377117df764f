"""Bad configuration, bad JSON, bad OpenFlow: words that help, to the one who erred; everybody else goes on."""
import json
import os
import re
import socket
import struct
import time

from controller_test import Peer
from harness import net, packets, test, until
from harness.proc import run
from netns_test import two_on_veth


def refused(sw, name, type_, *settings):
    """Adds a port that cannot work; the text of its error, once it is in the Interface row."""
    settings = (["type=" + type_] if type_ else []) + list(settings)
    p = sw.vsctl("add-port", "br0", name, *(["--", "set", "Interface", name, *settings] if settings else []), check=False)
    error = until(lambda: sw.error(name), "%s has an error" % name)
    assert "Error detected while setting up '%s'" % name in p.stderr, "ovs-vsctl did not tell: %r" % p.stderr
    assert sw.get("Interface", name, "ofport") == "-1"
    return error


@test()
def a_system_port_without_a_device(t):
    sw = t.switch()
    sw.bridge()
    error = refused(sw, "nodev0", None)
    assert "could not open network device nodev0 (No such device)" in error, error


@test()
def an_unknown_port_type(t):
    sw = t.switch()
    sw.bridge()
    error = refused(sw, "odd0", "nosuchtype")
    assert "could not open network device odd0 (Address family not supported by protocol)" in error, error
    if t.ours.name != "debian":
        assert "nosuchtype" in error and "dpdkvhostuserclient" in error, "the error does not say what there is: %r" % error


@test()
def a_device_that_comes_later_clears_the_error(t):
    if os.geteuid():
        from harness import Skip

        raise Skip("needs root (namespaces)")
    sw = t.switch()
    sw.bridge()
    name, peer = net.unique("lt"), net.unique("lp")
    refused(sw, name, None)
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", peer])
    t.defer(run, ["ip", "link", "del", name])
    until(lambda: sw.error(name) == "" and sw.get("Interface", name, "ofport") not in ("-1", "[]"), "the device is taken up", 20)


@test(needs=("dpdk",), limit_s=180)
def dpdk_ports_that_cannot_work(t):
    """Each bad port says why, and the good one goes on forwarding."""
    sw = t.switch(dpdk=True)
    sw.bridge()
    pcap = packets.write_pcap(t.path("in.pcap"), packets.flows(10))
    assert sw.port("br0", "src", "dpdk", "options:dpdk-devargs=net_pcap0,rx_pcap=%s,infinite_rx=1" % pcap) == ""
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_null1,no-rx=1") == ""
    bad = {
        "missing": [],
        "nodriver": ["options:dpdk-devargs=net_nosuch0"],
        "nofile": ["options:dpdk-devargs=net_pcap5,rx_pcap=/no/such/file.pcap"],
        "nopci": ["options:dpdk-devargs=0000:ff:1f.7"],
        "twice": ["options:dpdk-devargs=net_null1,no-rx=1"],
    }
    for name, settings in bad.items():
        error = refused(sw, name, "dpdk", *settings)
        assert len(error) > 12, "%s: %r" % (name, error)
        if settings and name != "twice":
            assert settings[0].split("=", 1)[1].split(",")[0] in error or t.ours.name == "debian", "%s: %r does not name the device" % (name, error)
    n = sw.of_ports("br0")["dst"]["tx"]
    until(lambda: sw.of_ports("br0")["dst"]["tx"] > n + 1000, "the good ports go on")
    for name in bad:
        sw.vsctl("del-port", name)


@test(needs=("dpdk",), limit_s=180)
def a_vhost_socket_in_a_missing_directory(t):
    """The client side waits for its guest; the switch and its other ports go on."""
    sw = t.switch(dpdk=True)
    sw.bridge()
    sw.vsctl("add-port", "br0", "vm0", "--", "set", "Interface", "vm0", "type=dpdkvhostuserclient", "options:vhost-server-path=/no/such/dir/vm0.sock", check=False)
    if t.ours.name != "debian":
        assert "/no/such/dir" in until(lambda: sw.error("vm0"), "vm0 has an error")
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_null1,no-rx=1") == ""


@test(needs=("dpdk",), limit_s=180)
def a_vhost_client_without_a_path(t):
    sw = t.switch(dpdk=True)
    sw.bridge()
    sw.vsctl("add-port", "br0", "vm0", "--", "set", "Interface", "vm0", "type=dpdkvhostuserclient", check=False)
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_null1,no-rx=1") == ""
    sw.vsctl("set", "Interface", "vm0", "options:vhost-server-path=" + t.path("vm0.sock"))
    assert sw.error("vm0") == ""


@test()
def dpdk_ports_without_dpdk(t):
    sw = t.switch()
    sw.bridge()
    error = refused(sw, "d0", "dpdk", "options:dpdk-devargs=net_null0")
    assert "d0" in error or t.ours.name != "debian", error
    if t.ours.name != "debian":
        assert "dpdk-init" in error, "the error does not say what to do: %r" % error


@test(needs=("dpdk",), limit_s=180, only="ours")
def vhost_server_sockets_that_cannot_be_made(t):
    """The switch makes the socket: its directory is not there, or somebody else's file has the name."""
    sw = t.switch(dpdk=True)
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:vhost-sock-dir=sockets")
    sw.bridge()
    error = refused(sw, "vm0", "dpdkvhostuser")
    assert sw.dir + "/sockets" in error and "No such file or directory" in error, error
    os.makedirs(sw.dir + "/sockets/vm1")  # a directory where the socket should be
    error = refused(sw, "vm1", "dpdkvhostuser")
    assert "vm1" in error and len(error) > 20, error
    assert sw.port("br0", "vm2", "dpdkvhostuser") == ""
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_null1,no-rx=1") == ""


@test(needs=("root",))
def an_internal_port_whose_name_is_taken(t):
    """By a kernel interface that is no tap, by a tap that another process serves; one that nobody serves is taken over."""
    sw = t.switch()
    sw.bridge()
    names = {what: net.unique(what) for what in ("veth", "busy", "free")}
    run(["ip", "link", "add", names["veth"], "type", "veth", "peer", "name", net.unique("peer")])
    t.defer(run, ["ip", "link", "del", names["veth"]])
    error = refused(sw, names["veth"], "internal")
    assert "could not open network device %s (Invalid argument)" % names["veth"] in error, error
    if t.ours.name != "debian":
        assert "ip link del %s" % names["veth"] in error, error
    run(["ip", "tuntap", "add", names["free"], "mode", "tap"])
    assert sw.port("br0", names["free"], "internal") == ""
    if t.ours.name == "debian":
        return  # it reports no error when another one has the tap
    other = t.switch()
    other.bridge("br9")
    assert other.port("br9", names["busy"], "internal") == ""
    error = refused(sw, names["busy"], "internal")
    assert "could not open network device %s (Device or resource busy)" % names["busy"] in error, error
    assert "another process" in error, error
    other.vsctl("del-br", "br9")
    sw.vsctl("del-port", names["busy"])
    assert sw.port("br0", names["busy"], "internal") == ""


@test(needs=("root",))
def taps_outlast_the_daemon_but_not_the_port(t):
    """Addresses and routes on a bridge's own device survive a restart and a crash of ovs-vswitchd."""
    sw = t.switch()
    br, port = net.unique("br"), net.unique("in")
    there = lambda n: not run(["ip", "link", "show", "dev", n], check=False).returncode  # noqa: E731
    address = lambda: run(["ip", "-o", "-4", "addr", "show", "dev", br], check=False).stdout  # noqa: E731
    sw.bridge(br)
    assert sw.port(br, port, "internal") == ""
    run(["ip", "addr", "add", "10.9.8.1/24", "dev", br])
    mac = open("/sys/class/net/%s/address" % br).read()
    for end in (lambda: sw.appctl("exit"), lambda: sw.vswitchd.kill()):
        end()
        until(lambda: not sw.vswitchd.alive(), "ovs-vswitchd ends")
        assert "10.9.8.1/24" in address() and there(port)
        sw.start_vswitchd()
        until(lambda: sw.vsctl("--columns=error", "--bare", "list", "Interface").strip() == "" and sw.get("Interface", br, "link_state") != "[]", "the ports are back")
        assert "10.9.8.1/24" in address() and open("/sys/class/net/%s/address" % br).read() == mac
    sw.vsctl("del-port", port)
    until(lambda: not there(port), "the port's device goes with it")
    sw.appctl("exit", "--cleanup")
    until(lambda: not sw.vswitchd.alive() and not there(br), "exit --cleanup takes the bridge's device away")
    sw.start_vswitchd()


@test(needs=("root",), only="ours")
def no_permission(t):
    """A daemon without capabilities: each port that the kernel refuses says which permission it lacks; the rest works."""
    sw = t.switch(start_vswitchd=False)
    sw.wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    sw.start_vswitchd()
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev", "fail_mode=secure", check=False)
    assert "CAP_NET_ADMIN" in until(lambda: sw.error("br0"), "br0 has an error")
    assert "CAP_NET_ADMIN" in refused(sw, net.unique("in"), "internal")
    name = net.unique("ve")
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", net.unique("pe")])
    t.defer(run, ["ip", "link", "del", name])
    error = refused(sw, name, "system")
    assert "Operation not permitted" in error and "CAP_NET_RAW" in error, error
    sw.flows("br0", "priority=5,actions=drop")
    assert "priority=5 actions=drop" in sw.ofctl("--no-stats", "dump-flows", "br0")


@test(needs=("root",), limit_s=180, only="ours")
def no_huge_pages(t):
    """dpdk-init=true on a machine that has none: no crash, other ports work, and the reason is in words."""
    sw = t.switch(start_vswitchd=False)
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", 'other_config:dpdk-extra="--no-pci --huge-dir=/no/such/dir --file-prefix=%s"' % t.unique)
    sw.dpdk = False
    sw.start_vswitchd()
    until(lambda: sw.get("Open_vSwitch", ".", "dpdk_initialized") == "false", "dpdk_initialized is false", 20)
    sw.bridge()
    error = refused(sw, "d0", "dpdk", "options:dpdk-devargs=net_null0")
    assert re.search("huge|memory|DPDK", error), error
    a, b, *_ = t.enter(two_on_veth(sw))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "ping beside the failed DPDK")


@test()
def the_name_of_a_port_is_taken(t):
    sw = t.switch(dummy="")
    sw.bridge("br0"), sw.bridge("br1")
    sw.port("br0", "p1", "dummy")
    p = sw.vsctl("add-port", "br1", "p1", check=False)
    assert p.returncode == 1 and "cannot create a port named p1 because a port named p1 already exists on bridge br0" in p.stderr, p.stderr
    p = sw.vsctl("add-br", "p1", check=False)
    assert p.returncode == 1 and "already exists" in p.stderr, p.stderr


@test()
def ovs_vsctl_without_a_server(t):
    """At once, and with exit status 1."""
    for f in (t.ours, t.debian):
        t0 = time.monotonic()
        p = run([f.bin("ovs-vsctl"), "--db=unix:%s/none.sock" % t.dir, "--no-wait", "show"], check=False, timeout=30)
        assert p.returncode == 1 and "database connection failed (No such file or directory)" in p.stderr, (f.name, p.stderr)
        assert time.monotonic() - t0 < 8, "not at once"
    p = run([t.ours.bin("ovs-appctl"), "-t", t.path("none.ctl"), "version"], check=False)
    assert p.returncode == 1 and "cannot connect to" in p.stderr, p.stderr
    p = run([t.ours.bin("ovs-ofctl"), "show", "unix:" + t.path("none.mgmt")], check=False)
    assert p.returncode == 1 and "No such file or directory" in p.stderr, p.stderr


def json_peer(sw):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sw.db_sock)
    return s


def drained(s):
    """What comes until the peer closes or is silent."""
    got = b""
    s.settimeout(1)
    try:
        while more := s.recv(65536):
            got += more
        return got, True
    except socket.timeout:
        return got, False
    except ConnectionResetError:
        return got, True


@test(limit_s=180)
def broken_json_hurts_only_its_sender(t):
    sw = t.switch(start_vswitchd=False)
    witness = json_peer(sw)

    def ask():
        witness.sendall(b'{"method":"echo","id":"w","params":["alive"]}')
        assert b'"alive"' in witness.recv(4096)

    ask()
    for bad in (b"nonsense", b"{]", b'{"method":1}', b'{"method":"transact","params":{},"id":1}', b'{"method":"nosuch","params":[],"id":1}',
                b'{"method":"transact","params":["Open_vSwitch",{"op":"insert","table":"Bridge","row":{"name":5}}],"id":1}',
                b'{"method":"transact","params":["NoSuchDb",{}],"id":1}', b'{"method":"monitor","params":["Open_vSwitch",null,{"Nope":{}}],"id":1}',
                b'{"method":"monitor_cond","params":["Open_vSwitch",null,7],"id":1}', b'{"method":"get_schema","params":[7],"id":1}',
                b'{"id":1,"result":null}', b'{"id":null,"error":5,"result":7}', b'[1,2,3]', b'"' + b"\xff\xfe" + b'"', b"[" * 5000, b'{"a":' * 3000,
                b'{"method":"transact","params":["Open_vSwitch",{"op":"wait","table":"Bridge","where":[["name","~","x"]],"timeout":0}],"id":1}',
                b'{"method":"transact","params":["Open_vSwitch",{"op":"mutate","table":"Open_vSwitch","where":[],"mutations":[["next_cfg","/=",0]]}],"id":1}',
                b'{"method":"transact","params":["Open_vSwitch",{"op":"insert","table":"Bridge","row":{"name":"x","external_ids":["map",[["a"]]]}}],"id":1}',
                b'{"method":"echo","id":1,"params":[1e999999999999]}', b'{"method":"lock","id":1,"params":[""]}', b'{"method":"cancel","id":null,"params":[99]}'):
        s = json_peer(sw)
        s.sendall(bad)
        got, closed = drained(s)
        assert closed or b'"error"' in got or b"null" in got or not got, (bad[:80], got[:200])
        s.close()
        ask()
        sw.assert_alive()
    half = json_peer(sw)
    half.sendall(b'{"method":"transact","params":["Open_vSwitch",')  # and never the rest
    ask()
    assert sw.vsctl("list-br") == ""


@test(limit_s=180)
def wrong_types_are_refused_with_reason(t):
    """The error objects of RFC 7047, as the reference gives them."""
    sw = t.switch(start_vswitchd=False)

    def transact(*ops):
        s = json_peer(sw)
        s.sendall(json.dumps({"method": "transact", "id": 1, "params": ["Open_vSwitch", *ops]}).encode())
        out = b""
        while True:
            out += s.recv(65536)
            try:
                return json.loads(out)["result"]
            except ValueError:
                continue

    assert transact({"op": "insert", "table": "Nope", "row": {}})[0]["error"] == "syntax error"
    assert transact({"op": "insert", "table": "Bridge", "row": {"nope": 1}})[0]["error"] == "unknown column"
    assert transact({"op": "insert", "table": "Bridge", "row": {"name": 7}})[0]["error"] == "syntax error"
    assert transact({"op": "insert", "table": "Port", "row": {"name": "p", "tag": 5000}})[0]["error"] == "constraint violation"
    assert transact({"op": "insert", "table": "Interface", "row": {"name": "x" * 8}}, {"op": "abort"})[1]["error"] == "aborted"
    dup = transact(*[{"op": "insert", "table": "Bridge", "row": {"name": "twin"}, "uuid-name": "b%d" % i} for i in (1, 2)],
                   {"op": "update", "table": "Open_vSwitch", "where": [], "row": {"bridges": ["set", [["named-uuid", "b1"], ["named-uuid", "b2"]]]}}, {"op": "insert", "table": "Open_vSwitch", "row": {}})
    assert any(r and r.get("error") == "constraint violation" for r in dup), dup
    ref = transact({"op": "insert", "table": "Bridge", "row": {"name": "r", "ports": ["uuid", "00000000-0000-4000-8000-000000000001"]}, "uuid-name": "r"},
                   {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["bridges", "insert", ["named-uuid", "r"]]]})
    assert any(r and r.get("error") == "referential integrity violation" for r in ref), ref
    assert sw.vsctl("list-br") == ""


@test(limit_s=180)
def broken_openflow_hurts_only_its_sender(t):
    sw = t.switch(dummy="")
    sw.bridge()
    mgmt = sw.dir + "/br0.mgmt"
    until(lambda: os.path.exists(mgmt), "the bridge's socket")
    witness = Peer(mgmt)

    def ask():
        witness.send(2, b"hello", xid=99)
        assert witness.receive()[:2] == (3, 99)
        witness.send(20, b"", xid=98)
        assert witness.answer(98)[0] == 21

    flow_mod = struct.pack("!QQBBHHHIIIH2x", 0, 0, 0, 0, 0, 0, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    match = struct.pack("!HH4x", 1, 4)
    bad = {
        "length under the header": (14, b"", dict(length=4)),
        "unknown type": (200, b"x" * 8, {}),
        "flow mod cut off": (14, flow_mod[:10], {}),
        "match longer than the message": (14, flow_mod + struct.pack("!HH4x", 1, 400), {}),
        "oxm with a length of 255": (14, flow_mod + struct.pack("!HHHBB4x", 1, 12, 0x8000, 0, 255), {}),
        "instruction of length 0": (14, flow_mod + match + struct.pack("!HH4x", 4, 0), {}),
        "action of length 0": (14, flow_mod + match + struct.pack("!HH4xHH4x", 4, 16, 0, 0), {}),
        "action beyond its instruction": (14, flow_mod + match + struct.pack("!HH4xHH12x", 4, 24, 0, 64), {}),
        "unknown instruction": (14, flow_mod + match + struct.pack("!HH4x", 77, 8), {}),
        "packet out with a short action list": (13, struct.pack("!IIH6x", 0xFFFFFFFF, 1, 64), {}),
        "statistics of an unknown kind": (18, struct.pack("!HH4x", 999, 0), {}),
        "group mod with a bucket of length 0": (15, struct.pack("!HBxIHH12x", 0, 0, 1, 0, 0), {}),
        "role of value 99": (24, struct.pack("!I4xQ", 99, 1), {}),
        "other version": (5, b"", dict(version=9)),
    }
    for name, (type_, body, kw) in bad.items():
        p = Peer(mgmt)
        try:
            p.send(type_, body, xid=5, **kw)
            p.s.settimeout(1)
            m = p.answer(5)
        except (socket.timeout, ConnectionError):
            m = None
        assert m is None or m[0] in (1, 19), "%s: answered by %s" % (name, m)
        p.close()
        ask()
        sw.assert_alive()
    half = Peer(mgmt)
    half.s.sendall(b"\x04\x0e\xff")  # a header that never ends
    nohello = Peer(mgmt, hello=False)
    nohello.s.sendall(os.urandom(4096))
    ask()
    assert "flow_count=0" in sw.ofctl("dump-aggregate", "br0", "table=5")


@test(limit_s=180)
def oversized_openflow_hurts_only_its_sender(t):
    """The longest messages there are, and a peer that asks for much and reads nothing."""
    sw = t.switch(dummy="")
    sw.bridge("br0", "fail_mode=secure")
    mgmt = sw.dir + "/br0.mgmt"
    until(lambda: os.path.exists(mgmt), "the bridge's socket")
    longest = 65535 - 8
    p = Peer(mgmt)
    p.send(2, b"e" * longest, xid=7)
    m = p.answer(7)
    assert m[0] == 3 and m[2] == b"e" * longest, (m[0], len(m[2]))
    output = struct.pack("!HHIH6x", 0, 16, 1, 0)
    actions = output * 4000
    body = struct.pack("!QQBBHHHIIIH2x", 0, 0, 0, 0, 0, 0, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0) + struct.pack("!HH4x", 1, 4) + struct.pack("!HH4x", 4, len(actions) + 8) + actions
    p.send(14, body, xid=8)
    p.send(20, b"", xid=9)
    assert p.answer(9)[0] == 21
    assert sw.ofctl("dump-flows", "br0").count("output:1") + sw.ofctl("dump-flows", "br0").count("output:\"") <= 4000
    sw.flows("br0", *["table=1,priority=%d,actions=drop" % n for n in range(1, 2000)])
    rss = sw.vswitchd.rss_kib()
    greedy = Peer(mgmt)
    greedy.s.settimeout(0.5)
    try:
        for n in range(20000):  # each is answered by some 200 KiB, and nobody reads them
            greedy.send(18, struct.pack("!HH4xB3xIIIQQHH4x", 1, 0, 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0, 1, 4), xid=n)
    except OSError:
        pass  # it takes no more, which is as good
    for n in range(3):
        q = Peer(mgmt)
        q.send(20, b"", xid=n)
        assert q.answer(n)[0] == 21
        q.close()
    assert sw.vswitchd.rss_kib() < rss + 300 * 1024, "%d KiB before, %d KiB after" % (rss, sw.vswitchd.rss_kib())


@test(limit_s=180)
def half_a_message_waits_alone(t):
    """Peers of every kind that begin and never go on: the others are served, and no processor is burnt for them."""
    sw = t.switch(dummy="")
    sw.bridge()
    mgmt = sw.dir + "/br0.mgmt"
    until(lambda: os.path.exists(mgmt), "the bridge's socket")
    halves = [Peer(mgmt) for _ in range(8)]
    for p, part in zip(halves, (b"\x04", b"\x04\x0e\x00", b"\x04\x0e\x00\x58\x00\x00\x00\x05", b"\x04\x0e\xff\xff" + bytes(30000), b"\x04\x12\x00\x10", b"", b"\x04\x0d\x00\xff" + bytes(40), b"\x04\x02\x00\x09\x00\x00\x00\x01")):
        p.s.sendall(part)
    for path in (sw.db_sock, sw.ctl, sw.db_ctl):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.sendall(b'{"method":"echo","id":1,"par')
        halves.append(s)
    for n in range(5):
        sw.ofctl("add-flow", "br0", "priority=%d,actions=drop" % (n + 1))
        assert "br0" in sw.vsctl("list-br") and "Open vSwitch" in sw.appctl("version")
    cpu_s = lambda: sw.vswitchd.cpu_s() + sw.db.cpu_s()  # noqa: E731
    used = cpu_s()
    time.sleep(2)
    assert cpu_s() - used < 1, "half a processor is busy with peers that say nothing"
    p = halves[0]  # the first goes on after all
    p.s.sendall(b"\x14\x00\x08\x00\x00\x00\x2a")
    assert p.answer(42)[0] == 21


@test()
def unixctl_refuses_rubbish(t):
    sw = t.switch(dummy="")
    for bad in (b"rubbish", b'{"method":"version","id":1}', b'{"method":7,"params":[],"id":1}', b'{"method":"version","params":[7],"id":1}', b"[" * 3000):
        s = socket.socket(socket.AF_UNIX)
        s.connect(sw.ctl)
        s.sendall(bad)
        drained(s)
        s.close()
        assert "Open vSwitch" in sw.appctl("version")


@test()
def commands_refused_as_the_reference_does(t):
    sw = t.switch(dummy="")
    sw.bridge()
    for args, text in ((["add-port", "nosuch", "p"], "no bridge named nosuch"), (["del-br", "nosuch"], "no bridge named nosuch"), (["del-port", "nosuch"], "no port named nosuch"),
                       (["set", "Bridge", "br0", "fail_mode=wild"], 'constraint violation: wild is not one of the allowed values ([secure, standalone])'), (["frobnicate"], "unknown command 'frobnicate'"),
                       (["set", "Bridge", "br0", "nosuch=1"], "does not contain a column whose name matches \"nosuch\""), (["add-br", "br0"], "cannot create a bridge named br0 because a bridge named br0 already exists")):
        p = sw.vsctl(*args, check=False)
        assert p.returncode == 1 and text in p.stderr, (args, p.stderr)
    for flow, text in (("actions=output:nosuch", "nosuch"), ("tcp,nw_proto=99999,actions=drop", "nw_proto"), ("nonsense=1,actions=drop", "unknown keyword nonsense"), ("tcp,actions=mod_nw_src:300.1.1.1", "300.1.1.1"), ("priority=70000,actions=drop", "70000")):
        p = sw.ofctl("add-flow", "br0", flow, check=False)
        assert p.returncode == 1 and text in p.stderr, (flow, p.stderr)
