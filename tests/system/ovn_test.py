"""OVN unchanged on our database: ovn-nbctl, ovn-sbctl, ovn-northd, and ovn-controller with our switch."""
import os
import re
import shlex

from harness import net, ocf, ovn, test, until
from harness.proc import Daemon, run
from harness.switch import accepts

TOPOLOGY = [
    "set NB_Global . options:mac_prefix=0a:00:00 options:svc_monitor_mac=0a:00:00:00:00:fe",
    "ls-add sw0", "lsp-add sw0 p1", "lsp-set-addresses p1 '00:00:00:00:00:01 10.0.0.1'", "lsp-add sw0 p2", "lsp-set-addresses p2 '00:00:00:00:00:02 10.0.0.2'",
    "lsp-set-port-security p1 '00:00:00:00:00:01 10.0.0.1'", "ls-add sw1", "lsp-add sw1 q1", "lsp-set-addresses q1 dynamic", "set Logical_Switch sw1 other_config:subnet=10.0.1.0/24",
    "lr-add r0", "lrp-add r0 r0-sw0 00:00:00:00:ff:01 10.0.0.254/24", "lsp-add sw0 sw0-r0", "lsp-set-type sw0-r0 router", "lsp-set-addresses sw0-r0 router", "lsp-set-options sw0-r0 router-port=r0-sw0",
    "lrp-add r0 r0-sw1 00:00:00:00:ff:02 10.0.1.254/24", "lsp-add sw1 sw1-r0", "lsp-set-type sw1-r0 router", "lsp-set-addresses sw1-r0 router", "lsp-set-options sw1-r0 router-port=r0-sw1",
    "acl-add sw0 to-lport 1000 'ip4 && tcp.dst == 22' drop", "acl-add sw0 from-lport 1001 'icmp4' allow-related", "pg-add pg0 p1 p2", "acl-add pg0 to-lport 900 'outport == @pg0 && ip4' allow",
    "create Address_Set name=as0 addresses='\"10.0.0.1\" \"10.0.0.2\"'", "acl-add sw1 to-lport 800 'ip4.src == $as0' reject",
    "lb-add lb0 10.0.0.100:80 10.0.1.5:8080,10.0.1.6:8080 tcp", "ls-lb-add sw0 lb0", "lr-nat-add r0 snat 172.16.0.1 10.0.0.0/24", "lr-route-add r0 192.168.0.0/16 10.0.1.1",
    "lr-policy-add r0 100 'ip4.src == 10.0.0.1' drop", "set Logical_Router r0 options:chassis=c1", "meter-add m0 drop 100 pktps", "qos-add sw0 from-lport 10 'ip4' rate=1000 dscp=10",
    "dhcp-options-create 10.0.0.0/24", "ha-chassis-group-add g0", "copp-add copp0 arp meter-x", "mirror-add mir0 gre 1 from-lport 10.0.0.9",
]


def sync(c):
    c.nb("--wait=sb", "sync")


def logical(c):
    """What ovn-northd made of it, without what differs from run to run."""
    flows = c.sb("lflow-list")
    flows = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", flows)
    flows = re.sub(r"(Datapath: \S+ \()UUID(\))", r"\1\2", flows)
    tables = {}
    for table, columns in (("Port_Binding", "logical_port,type,mac,options"), ("Datapath_Binding", "external_ids"), ("Address_Set", "name,addresses"), ("Port_Group", "ports"),
                           ("Meter", "name,unit"), ("Load_Balancer", "name,protocol,vips"), ("DNS", "records"), ("Multicast_Group", "name")):
        text = c.sb("--columns=" + columns, "--format=csv", "--no-headings", "list", table)
        tables[table] = sorted(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", l) for l in text.splitlines())
    return sorted(flows.splitlines()), tables


def build(c):
    for line in TOPOLOGY:
        c.nb(*shlex.split(line))
    sync(c)


@test(needs=("ovn",), limit_s=150)
def northd_makes_the_same_of_our_databases(t):
    """The same forty commands against Debian's servers and ours: the same logical flows and bindings in the southbound database."""
    made = {}
    for f in (t.debian, t.ours) if t.ours.where else (t.debian,):
        c = ovn.Central(t, f, "ovn-" + f.name)
        build(c)
        made[f.name] = logical(c)
        assert "p1" in c.sb("--columns=logical_port", "find", "Port_Binding", "logical_port=p1")
        c.northd.kill(), c.db["nb"].kill(), c.db["sb"].kill()
    flows, tables = made["debian"]
    assert len(flows) > 150 and any("tcp.dst == 22" in l for l in flows), "northd made only %d flows" % len(flows)
    for name, (f, other) in made.items():
        assert f == flows, "%s: %s" % (name, [l for l in f if l not in flows][:5] + [l for l in flows if l not in f][:5])
        assert other == tables, "%s: %s" % (name, [(k, other[k], tables[k]) for k in tables if other[k] != tables[k]])


@test(needs=("ovn",), limit_s=90)
def a_port_appears_in_the_southbound_database_and_goes(t):
    c = ovn.Central(t, t.ours)
    c.nb("ls-add", "sw0", "--", "lsp-add", "sw0", "p1", "--", "lsp-set-addresses", "p1", "00:00:00:00:00:01 10.0.0.1")
    sync(c)
    assert "p1" in c.sb("--bare", "--columns=logical_port", "list", "Port_Binding")
    key = c.sb("--bare", "--columns=tunnel_key", "find", "Port_Binding", "logical_port=p1").strip()
    # Killed, the databases come back with all they had acknowledged, and ovn-northd goes on.
    for which in ("nb", "sb"):
        c.db[which].kill()
        c.start_db(which)
    c.nb("lsp-add", "sw0", "p2")
    sync(c)
    assert c.sb("--bare", "--columns=tunnel_key", "find", "Port_Binding", "logical_port=p1").strip() == key
    assert "p2" in c.sb("--bare", "--columns=logical_port", "list", "Port_Binding")
    bad = c.nb("lsp-add", "sw0", "p1", check=False)
    assert bad.returncode == 1 and "a port with this name already exists" in bad.stderr, bad.stderr
    c.nb("ls-del", "sw0")
    sync(c)
    assert not c.sb("--bare", "--columns=logical_port", "list", "Port_Binding").strip()
    assert not c.sb("--bare", "list", "Logical_Flow").strip()


@test(needs=("ovn",), limit_s=90)
def a_second_northd_waits_for_the_lock(t):
    c = ovn.Central(t, t.ours)
    first = c.northd
    c.nb("ls-add", "sw0"), sync(c)
    ctl = lambda name: run(["ovn-appctl", "-t", "%s/%s.ctl" % (c.dir, name), "status"], env=c.env).stdout.strip()  # noqa: E731
    assert ctl("northd") == "Status: active", ctl("northd")
    second = Daemon("ovn-northd 2", ["ovn-northd", "--ovnnb-db=unix:" + c.sock("nb"), "--ovnsb-db=unix:" + c.sock("sb"), "-vconsole:off", "--unixctl=%s/second.ctl" % c.dir], c.dir + "/second.out", env=c.env)
    t.defer(second.kill)
    until(lambda: ctl("second") == "Status: standby", "the second one waits")
    first.kill()
    until(lambda: ctl("second") == "Status: active", "the second one takes over")
    c.nb("ls-add", "sw1"), sync(c)


CONTROLLER_FLOWS = 20  # ovn-controller installs far more for two ports


@test(needs=("ovn", "ovn-controller", "root"), limit_s=150)
def two_ports_ping_through_ovn_controller(t):
    """ovn-controller configures our switch from our southbound database; two namespaces on one logical switch ping."""
    c = ovn.Central(t, t.ours)
    sw = t.switch()
    sw.vsctl("set", "Open_vSwitch", ".", "external_ids:system-id=c1", "external_ids:ovn-remote=unix:" + c.sock("sb"), "external_ids:ovn-encap-type=geneve",
             "external_ids:ovn-encap-ip=127.0.0.1", "external_ids:ovn-bridge-datapath-type=netdev")
    env = dict(sw.env, OVN_RUNDIR=sw.dir, OVN_LOGDIR=sw.dir)
    d = Daemon("ovn-controller", ["ovn-controller", "unix:" + sw.db_sock, "-vconsole:off", "--log-file=%s/ovn-controller.log" % sw.dir], sw.dir + "/controller.out", env=env)
    t.defer(d.kill)
    t.logs.append(sw.dir + "/ovn-controller.log")
    until(lambda: "c1" in c.sb("--bare", "--columns=name", "list", "Chassis"), "the chassis is in the southbound database", 30)
    until(lambda: "br-int" in sw.vsctl("list-br"), "ovn-controller makes br-int", 30)
    c.nb("ls-add", "sw0")
    ns = []
    for i in (1, 2):
        c.nb("lsp-add", "sw0", "p%d" % i, "--", "lsp-set-addresses", "p%d" % i, "00:00:00:00:00:0%d 10.0.0.%d" % (i, i))
        ns.append(t.enter(net.namespace("n%d" % i)))
        dev = t.enter(net.veth(ns[-1], "10.0.0.%d/24" % i, mac="00:00:00:00:00:0%d" % i))
        sw.vsctl("add-port", "br-int", dev, "--", "set", "Interface", dev, "external_ids:iface-id=p%d" % i)
    until(lambda: c.sb("--bare", "--columns=up", "find", "Port_Binding", "logical_port=p2").strip() == "true", "ovn-controller binds p2", 30)
    until(lambda: len(sw.ofctl("dump-flows", "br-int", version="OpenFlow15").splitlines()) > CONTROLLER_FLOWS, "flows in br-int", 30)
    until(lambda: ns[0].ping("10.0.0.2", 1, check=False) == 1, "ping through the logical switch", 30)
    ns[0].ping("10.0.0.2", 5)
    assert c.nb("--wait=hv", "sync") == ""
    sw.assert_alive()


@test(needs=("ovn", "root"), limit_s=120)
def ovn_ctl_starts_promotes_demotes_and_stops(t):
    """OVN's own script, as the resource agent calls it, with the server of the flavour under test."""
    where = t.ours.where or "/usr/bin"
    d = t.path("ctl")
    os.makedirs(d)
    env = dict(os.environ, PATH="%s:/usr/sbin:/usr/bin:/sbin:/bin" % os.path.abspath(where), OVS_BINDIR=os.path.abspath(where), OVS_SBINDIR=os.path.abspath(where))
    env.update({"%s_%s" % (o, k): d for o in ("OVS", "OVN") for k in ("RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR")})

    def ctl(*args):
        return run(["/usr/share/ovn/scripts/ovn-ctl", *args], env=env, timeout=60).stdout.strip()

    def status():
        return [ctl("status_ovnnb"), ctl("status_ovnsb")]

    away = ["--db-nb-sync-from-addr=192.0.2.254", "--db-sb-sync-from-addr=192.0.2.254"]
    t.defer(lambda: ctl("stop_ovsdb"))
    ctl(*away, "start_ovsdb")
    assert status() == ["running/backup"] * 2, status()
    ctl("promote_ovnnb"), ctl("promote_ovnsb")
    assert status() == ["running/active"] * 2, status()
    nb = lambda *a: run(["ovn-nbctl", "--timeout=20", "--db=unix:%s/ovnnb_db.sock" % d, *a], env=env, timeout=30).stdout  # noqa: E731
    nb("init", "--", "ls-add", "sw0")
    ctl(*away, "demote_ovnnb")
    assert status() == ["running/backup", "running/active"], status()
    assert "(sw0)" in nb("ls-list"), "a backup keeps what it had until it reaches an active server"
    ctl("promote_ovnnb")
    nb("ls-add", "sw1")
    for pid in ("ovnnb_db.pid", "ovnsb_db.pid"):
        exe = os.readlink("/proc/%d/exe" % int(open(d + "/" + pid).read()))
        assert exe == os.path.realpath(os.path.join(where, "ovsdb-server")) or not t.ours.where, exe
    ctl("stop_ovsdb")
    assert status() == ["not-running"] * 2, status()
    ctl("start_ovsdb")
    assert sorted(l.split()[1] for l in nb("ls-list").splitlines()) == ["(sw0)", "(sw1)"]


@test(needs=("ovn", "root"), limit_s=150)
def the_resource_agent_moves_the_master(t):
    """OVN's agent starts two nodes, promotes one; that one dies, the other is promoted with all that was replicated; the dead one comes back as backup."""
    not_running, slave, master = 7, 0, 8
    cluster = ocf.Cluster(t)
    a, b = ocf.Node(cluster, "a", t.ours), ocf.Node(cluster, "b", t.ours)
    assert a.act("monitor") == not_running
    assert a.act("start") == slave and a.act("monitor") == slave
    assert a.act("promote") == 0 and a.act("monitor") == master
    told = dict(type="post", operation="promote", promote_uname="a")
    assert a.act("notify", **told) == 0
    assert b.act("start", master_uname="a") == slave
    assert b.act("notify", **told) == 0
    a.nb("ls-add", "sw0")
    until(lambda: "(sw0)" in b.nb("ls-list"), "the backup has the switch", 30)
    refused = b.nb("ls-add", "sw1", check=False)
    assert refused.returncode == 1 and "not allowed" in refused.stderr, refused.stderr
    a.kill()
    assert a.act("monitor") == not_running
    assert b.act("promote") == 0 and b.act("monitor") == master
    assert b.act("notify", type="post", operation="promote", promote_uname="b") == 0
    assert "(sw0)" in b.nb("ls-list")
    b.nb("ls-add", "sw2")
    for port in (6641, 6642):  # the address of the master, which the new one takes over within a second of its promotion
        until(lambda: accepts(("127.0.0.1", port)), "the new master listens on port %d" % port, 30)
    assert a.act("start", master_uname="b") == slave
    until(lambda: "(sw2)" in a.nb("ls-list"), "the old master follows the new one", 30)
    assert b.act("demote", demote_uname="b") == 0 and b.act("monitor") == slave
    assert b.act("stop") == 0 and b.act("monitor") == not_running
    assert a.act("stop") == 0
