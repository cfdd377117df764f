"""Unmodified clients of Open vSwitch against our daemons, our tools against Debian's daemons, and the database file both ways."""
import json
import os
import re

from harness import test, until
from harness.proc import run


def drive(sw, tools):
    """A tour of the daily commands with one flavour's tools."""
    v = lambda *a: sw.vsctl(*a, flavour=tools)  # noqa: E731
    v("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev", "fail_mode=secure")
    v("--may-exist", "add-br", "br0")
    v("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=patch", "options:peer=p2", "ofport_request=5",
      "--", "add-port", "br0", "p2", "--", "set", "Interface", "p2", "type=patch", "options:peer=p1")
    assert v("list-br").split() == ["br0"]
    assert v("list-ports", "br0").split() == ["p1", "p2"]
    assert v("port-to-br", "p1").strip() == "br0"
    assert v("get", "Interface", "p1", "options").strip() == "{peer=p2}"
    assert v("--format=csv", "--no-headings", "--columns=name", "list", "Bridge").strip() == "br0"
    assert json.loads(v("--format=json", "list", "Bridge"))["headings"][0] == "_uuid"
    v("set", "Port", "p1", "tag=7", "--", "add", "Port", "p1", "external_ids", "owner=me")
    assert v("get", "Port", "p1", "tag").strip() == "7" and v("find", "Port", "external_ids:owner=me").count("_uuid") == 1
    q = v("--", "--id=@q", "create", "Queue", "other_config:max-rate=1000", "--", "--id=@qos", "create", "QoS", "type=linux-noop", "queues:0=@q",
          "--", "set", "Port", "p1", "qos=@qos").split()
    assert len(q) == 2 and all(re.fullmatch(r"[0-9a-f-]{36}", u) for u in q), q
    v("clear", "Port", "p1", "qos", "--", "destroy", "QoS", q[1], "--", "destroy", "Queue", q[0])
    bad = sw.vsctl("get", "Interface", "nosuch", "name", check=False, flavour=tools)
    assert bad.returncode == 1 and 'no row "nosuch" in table Interface' in bad.stderr, bad.stderr
    show = v("show")
    assert re.search(r"Bridge br0\n(.*\n)*        Port p1\n            tag: 7\n            Interface p1\n                type: patch\n                options: \{peer=p2\}", show), show
    until(lambda: sw.get("Interface", "p1", "ofport", flavour=tools) == "5", "p1 is OpenFlow port 5")
    v("del-port", "br0", "p2")
    assert v("list-ports", "br0").split() == ["p1"]


def drive_openflow(sw, tools):
    o = lambda *a, **k: sw.ofctl(*a, flavour=tools, **k)  # noqa: E731
    o("add-flow", "br0", "table=0,priority=10,tcp,nw_dst=10.0.0.0/8,tp_dst=80,actions=mod_vlan_vid:5,output:1")
    o("add-flows", "br0", "-", stdin="priority=20,arp,actions=NORMAL\ntable=1,priority=1,cookie=0x77,actions=drop\n")
    dump = o("--no-stats", "dump-flows", "br0")
    assert "priority=20,arp actions=NORMAL" in dump and "cookie=0x77, table=1, priority=1 actions=drop" in dump, dump
    assert "priority=10,tcp,nw_dst=10.0.0.0/8,tp_dst=80" in dump, dump
    o("mod-flows", "br0", "arp,actions=drop")
    assert "arp actions=drop" in o("--no-stats", "dump-flows", "br0", "arp")
    o("del-flows", "br0", "cookie=0x77/-1")
    assert "cookie=0x77" not in o("dump-flows", "br0")
    o("replace-flows", "br0", "-", stdin="priority=3,actions=drop\n")
    assert o("--no-stats", "dump-flows", "br0").strip().splitlines()[-1].strip() == "priority=3 actions=drop"
    assert "n_tables:254" in o("show", "br0") and "LOCAL(br0)" in o("show", "br0"), o("show", "br0")
    assert "flow_count=1" in o("dump-aggregate", "br0")
    assert "table 0" in o("dump-tables", "br0")
    bad = o("add-flow", "br0", "priority=1,actions=nonsense:1", check=False)
    assert bad.returncode == 1 and "unknown action" in bad.stderr, bad.stderr
    for v in ("OpenFlow10", "OpenFlow13"):
        assert "drop" in o("dump-flows", "br0", version=v)


def drive_appctl(sw, tools):
    a = lambda *x: sw.appctl(*x, flavour=tools)  # noqa: E731
    assert re.match(r"ovs-vswitchd\S* \(Open vSwitch\) 3\.1", a("version"))
    commands = a("list-commands")
    for c in ("vlog/set", "coverage/show", "dpif/show", "dpctl/dump-flows", "fdb/show", "ofproto/trace", "upcall/show", "dpif-netdev/pmd-stats-show", "exit"):
        assert re.search(r"(?m)^  %s\b" % re.escape(c), commands), c
    assert "br0" in a("dpif/show") and "netdev@ovs-netdev" in a("dpif/show")
    assert "br0" in a("ofproto/list")
    assert "Datapath actions: drop" in a("ofproto/trace", "br0", "in_port=LOCAL,udp")
    a("vlog/set", "ANY:file:dbg")
    assert re.search(r"(?m)^bridge\s+\w+\s+\w+\s+DBG", a("vlog/list")), a("vlog/list")[:400]
    bad = sw.appctl("no/such", check=False, flavour=tools)
    assert bad.returncode == 2 and '"no/such" is not a valid command' in bad.stderr, bad.stderr
    assert "ovsdb-server" in sw.appctl("version", target=sw.db_ctl, flavour=tools)


@test()
def debian_tools_with_our_daemons(t):
    sw = t.switch()
    drive(sw, t.debian)
    drive_openflow(sw, t.debian)
    drive_appctl(sw, t.debian)


@test()
def our_tools_with_debian_daemons(t):
    sw = t.switch(db=t.debian, vswitchd=t.debian)
    drive(sw, t.ours)
    drive_openflow(sw, t.ours)
    drive_appctl(sw, t.ours)


@test()
def our_tools_with_our_daemons(t):
    sw = t.switch()
    drive(sw, t.ours)
    drive_openflow(sw, t.ours)
    drive_appctl(sw, t.ours)


@test()
def our_vswitchd_with_debian_database(t):
    drive(t.switch(db=t.debian), t.debian)


@test()
def debian_vswitchd_with_our_database(t):
    drive(t.switch(vswitchd=t.debian), t.debian)


def both_ways(t, maker, reader):
    """What one implementation wrote, the other reads, extends, and gives back."""
    sw = t.switch(db=maker, tools=t.debian, start_vswitchd=False)
    for i in range(20):
        sw.vsctl("--no-wait", "add-br", "br%d" % i, "--", "set", "Bridge", "br%d" % i, "external_ids:n=%d" % i, "other_config:text=\"a \\\"quoted\\\" line\\n\"")
    sw.vsctl("--no-wait", "del-br", "br7", "--", "set", "Open_vSwitch", ".", "external_ids:system-id=x")
    before = sw.tool("ovsdb-client", "dump", "unix:" + sw.db_sock, "Open_vSwitch", flavour=t.debian).stdout
    sw.db.stop()
    sw.db_f = reader
    sw.start_db()
    assert sw.tool("ovsdb-client", "dump", "unix:" + sw.db_sock, "Open_vSwitch", flavour=t.debian).stdout == before
    sw.vsctl("--no-wait", "add-br", "late", "--", "clear", "Bridge", "br3", "external_ids")
    after = sw.tool("ovsdb-client", "dump", "unix:" + sw.db_sock, "Open_vSwitch", flavour=t.debian).stdout
    sw.db.stop()
    sw.db_f = maker
    sw.start_db()
    assert sw.tool("ovsdb-client", "dump", "unix:" + sw.db_sock, "Open_vSwitch", flavour=t.debian).stdout == after
    for f in (maker, reader):
        log = run([f.bin("ovsdb-tool"), "-m", "show-log", sw.dir + "/conf.db"], env=sw.env).stdout
        assert "record 0:" in log and '"late"' in log or "late" in log, log[-500:]


@test()
def debian_opens_our_database_file(t):
    both_ways(t, t.ours, t.debian)


@test()
def we_open_debians_database_file(t):
    both_ways(t, t.debian, t.ours)


@test()
def ovsdb_client(t):
    """Debian's ovsdb-client, and ours, against our server."""
    sw = t.switch(start_vswitchd=False)
    remote = "unix:" + sw.db_sock
    for f in (t.debian, t.ours):
        c = lambda *a: sw.tool("ovsdb-client", *a, flavour=f).stdout  # noqa: E731, B023
        assert c("list-dbs", remote).split() == ["Open_vSwitch", "_Server"]
        assert c("get-schema-version", remote).strip() == "8.3.1"
        assert json.loads(c("get-schema", remote))["name"] == "Open_vSwitch"
        assert "Interface" in c("list-tables", remote)
        assert "ofport_request" in c("list-columns", remote, "Open_vSwitch", "Interface")
        out = json.loads(c("transact", remote, '["Open_vSwitch",{"op":"insert","table":"SSL","row":{"private_key":"a","certificate":"b","ca_cert":"c"}},{"op":"select","table":"Bridge","where":[]}]'))
        assert "uuid" in out[0] and out[1] == {"rows": []}, out
        out = json.loads(c("transact", remote, '["Open_vSwitch",{"op":"insert","table":"Nonsense","row":{}}]'))
        assert "error" in out[0], out
        backup = sw.tool("ovsdb-client", "backup", remote, flavour=f).stdout
        assert backup.startswith("OVSDB JSON "), backup[:60]
        assert re.fullmatch(r"[0-9a-f-]{36}\n", c("query", remote, '["Open_vSwitch",{"op":"select","table":"SSL","where":[]}]')) is None


IDL = """
import os, sys
import ovs.db.idl, ovs.poller
helper = ovs.db.idl.SchemaHelper(sys.argv[2])
helper.register_all()
idl = ovs.db.idl.Idl(sys.argv[1], helper)
def turn(done, what):
    for _ in range(200):
        idl.run()
        got = done()
        if got: return got
        p = ovs.poller.Poller(); idl.wait(p); p.timer_wait(100); p.block()
    sys.exit("idl: not reached: " + what)
turn(lambda: idl.change_seqno and idl.tables["Open_vSwitch"].rows, "the root row")
def commit(f):
    txn = ovs.db.idl.Transaction(idl); f(txn); status = txn.commit_block()
    assert status in ("success", "unchanged"), (status, txn.get_error())
root = list(idl.tables["Open_vSwitch"].rows.values())[0]
def add(txn):
    i = txn.insert(idl.tables["Interface"]); i.name = "idl0"; i.type = "internal"; i.external_ids = {"a": "1"}
    p = txn.insert(idl.tables["Port"]); p.name = "idl0"; p.interfaces = [i]
    b = txn.insert(idl.tables["Bridge"]); b.name = "idl0"; b.ports = [p]; b.datapath_type = "netdev"
    root.addvalue("bridges", b)
commit(add)
bridge = turn(lambda: [b for b in idl.tables["Bridge"].rows.values() if b.name == "idl0"], "the bridge")[0]
def change(txn): bridge.setkey("external_ids", "k", "v"); bridge.other_config = {"x": "y"}
commit(change)
turn(lambda: bridge.external_ids == {"k": "v"} and bridge.other_config == {"x": "y"}, "the change")
print("ofport", turn(lambda: [i.ofport[0] for i in idl.tables["Interface"].rows.values() if i.name == "idl0" and i.ofport], "ofport from ovs-vswitchd")[0])
def remove(txn): root.delvalue("bridges", bridge.uuid) if False else setattr(root, "bridges", [])
commit(remove)
turn(lambda: not [b for b in idl.tables["Bridge"].rows.values()], "the bridge is gone")
print("done")
"""


@test(needs=("python-ovs",))
def python_idl(t):
    sw = t.switch(dummy="")
    open(t.path("idl.py"), "w").write(IDL)
    out = run(["/usr/bin/python3", t.path("idl.py"), "unix:" + sw.db_sock, sw.db_f.schema()], timeout=40).stdout
    assert "ofport 65534" in out and out.endswith("done\n"), out


@test()
def ctl_sockets_are_found_by_pidfile(t):
    """ovs-appctl without -t finds ovs-vswitchd through its pidfile in OVS_RUNDIR."""
    sw = t.switch(start_vswitchd=False)
    os.symlink(sw.vs_f.bin("ovs-vswitchd"), t.path("ovs-vswitchd"))  # Debian's has another name, and so another pidfile
    d = [t.path("ovs-vswitchd"), "unix:" + sw.db_sock, "--pidfile", "--detach", "--log-file", "-vconsole:off"]
    run(d, env=sw.env)
    pid = int(open(sw.dir + "/ovs-vswitchd.pid").read())
    t.defer(lambda: os.path.exists("/proc/%d" % pid) and os.kill(pid, 9))
    assert os.path.exists("%s/ovs-vswitchd.%d.ctl" % (sw.dir, pid))
    for f in (t.debian, t.ours):
        assert "ovs-vswitchd" in run([f.bin("ovs-appctl"), "version"], env=sw.env).stdout
    run([t.debian.bin("ovs-appctl"), "exit"], env=sw.env)
    until(lambda: not os.path.exists("/proc/%d" % pid) or open("/proc/%d/stat" % pid).read().split()[2] == "Z", "exit ends it")
    assert not os.path.exists(sw.dir + "/ovs-vswitchd.pid")


