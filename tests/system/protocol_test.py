"""Bonds, LACP, STP, RSTP, multicast snooping, BFD and CFM: the switch under test beside Debian's, cabled by dummy ports."""
import re

from harness import test, until

BROADCAST = "in_port(%s),eth(src=50:54:00:00:00:%02x,dst=ff:ff:ff:ff:ff:ff),eth_type(0x1234)"


def host(n, dst, port=1, tp=1000):
    return ("in_port(%d),eth(src=50:54:00:00:00:%02x,dst=50:54:00:00:00:%02x),eth_type(0x0800),ipv4(src=10.0.0.%d,dst=10.0.0.%d,proto=6,tos=0,ttl=64,frag=no),tcp(src=%d,dst=80)"
            % (port, n, dst, n, dst, tp))


def bridge(sw, hwaddr, *settings):
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy", "other-config:hwaddr=" + hwaddr, *settings)
    return sw


def dummies(sw, *names, **settings):
    for name in names:
        sw.port("br0", name, "dummy", *settings.get(name, ()))


def pair(t, *settings):
    """The switch under test and Debian's, each with a bridge."""
    a, b = t.switch(dummy=""), t.switch(dummy="", vswitchd=t.debian)
    bridge(a, "aa:66:aa:66:00:01", *settings)
    bridge(b, "aa:66:aa:66:00:02", *settings)
    return a, b


def cable(t, n):
    """The settings of the two ends of a cable between dummy ports."""
    path = t.path("cable%d" % n)
    return "options:pstream=punix:" + path, "options:stream=unix:" + path


def cables(t, a, b, *names):
    """Ports of the same names on both, cabled."""
    for n, name in enumerate(names):
        one, other = cable(t, n)
        a.port("br0", name, "dummy", one)
        b.port("br0", name, "dummy", other)


def tx(sw, name):
    return sw.of_ports("br0")[name]["tx"]


def receive(sw, name, *packets):
    for n in range(0, len(packets), 8):
        sw.appctl("netdev-dummy/receive", name, *packets[n:n + 8])


@test()
def an_active_backup_bond_changes_over(t):
    sw = bridge(t.switch(dummy=""), "aa:66:aa:66:00:01")
    sw.vsctl("add-bond", "br0", "bond0", "p1", "p2", "bond_mode=active-backup", "--", "set", "interface", "p1", "type=dummy", "--", "set", "interface", "p2", "type=dummy")
    dummies(sw, "p3")
    show = lambda: sw.appctl("bond/show", "bond0")
    assert re.search(r"member p1: enabled\n  active member\n  may_enable: true\n", show()), show()
    receive(sw, "p3", BROADCAST % (1, 1))
    until(lambda: (tx(sw, "p1"), tx(sw, "p2")) == (1, 0), "the packet leaves by the active member")
    # What comes in by the other member is dropped.
    receive(sw, "p2", BROADCAST % (1, 2))
    sw.appctl("netdev-dummy/set-admin-state", "p1", "down")
    until(lambda: re.search(r"member p2: enabled\n  active member\n", show()), "p2 is active")
    mac = re.search(r"active member mac: (\S+)\(p2\)", show()).group(1)
    until(lambda: sw.get("port", "bond0", "bond_active_slave") == mac, "the database tells")
    # The network is told where 50:54:00:00:00:01 is now.
    until(lambda: tx(sw, "p2") >= 1, "a learning packet")
    before = tx(sw, "p2")
    receive(sw, "p3", BROADCAST % (1, 1))
    until(lambda: tx(sw, "p2") == before + 1 and tx(sw, "p1") == 1, "the packet leaves by p2")
    assert tx(sw, "p3") == 0, "a packet of the member that stands by came through"


@test()
def bond_commands(t):
    sw = bridge(t.switch(dummy=""), "aa:66:aa:66:00:01")
    sw.vsctl("add-bond", "br0", "bond0", "p1", "p2", "bond_mode=balance-slb", "--", "set", "interface", "p1", "type=dummy", "--", "set", "interface", "p2", "type=dummy")
    assert re.fullmatch(r"bond\ttype\trecircID\tmembers\nbond0\tbalance-slb\t1\t(p1, p2|p2, p1)\n", sw.appctl("bond/list"))
    text = sw.appctl("bond/show")
    assert text.startswith("---- bond0 ----\nbond_mode: balance-slb\nbond may use recirculation: no, Recirc-ID : -1\nbond-hash-basis: 0\n"
                           "lb_output action: disabled, bond-id: -1\nall members active: false\nupdelay: 0 ms\ndowndelay: 0 ms\nnext rebalance: "), text
    for args, answer in [(("bond/hash", "00:11:22:33:44:55"), "226"), (("bond/hash", "00:11:22:33:44:55", "10", "5"), "224"),
                         (("bond/migrate", "bond0", "3", "p2"), "migrated"), (("bond/set-active-member", "bond0", "p2"), "done"),
                         (("bond/set-active-slave", "bond0", "p2"), "no change")]:
        assert sw.appctl(*args).strip() == answer, args
    for args, answer in [(("bond/show", "x"), "no such bond"), (("bond/hash", "x"), "invalid mac"), (("bond/set-active-member", "bond0", "x"), "no such member")]:
        p = sw.appctl(*args, check=False)
        assert p.returncode and p.stderr.splitlines()[0] == answer, p.stderr
    assert "bond/set-active-slave" not in sw.appctl("list-commands") or t.ours.name != "debian"


@test()
def a_balancing_bond_spreads_sources(t):
    sw = bridge(t.switch(dummy=""), "aa:66:aa:66:00:01")
    sw.vsctl("add-bond", "br0", "bond0", "p1", "p2", "bond_mode=balance-slb", "--", "set", "interface", "p1", "type=dummy", "--", "set", "interface", "p2", "type=dummy")
    dummies(sw, "p3")
    receive(sw, "p3", *[host(n, 200) for n in range(1, 65)])
    until(lambda: tx(sw, "p1") + tx(sw, "p2") >= 64, "all leave by the bond")
    shares = tx(sw, "p1"), tx(sw, "p2")
    assert sum(shares) == 64 and min(shares) >= 16, shares


@test(limit_s=90)
def lacp_with_the_reference(t):
    a, b = pair(t)
    for sw, other in ((a, 0), (b, 1)):
        settings = []
        for n, name in enumerate(("p1", "p2")):
            settings += ["--", "set", "interface", name, "type=dummy", cable(t, n)[other]]
        sw.vsctl("add-bond", "br0", "bond0", "p1", "p2", "bond_mode=balance-tcp", "lacp=active", "other_config:lacp-time=fast", *settings)
        dummies(sw, "p3")
    negotiated = lambda sw: sw.appctl("lacp/show").count("current attached") == 2 and "lacp_status: negotiated" in sw.appctl("bond/show")
    until(lambda: negotiated(a) and negotiated(b), "both ends agree", 30)
    assert "actor state: activity timeout aggregation synchronized collecting distributing\n" in a.appctl("lacp/show")
    until(lambda: a.get("interface", "p1", "lacp_current") == "true", "lacp_current")
    until(lambda: a.appctl("bond/show").count(": enabled") == 2 and b.appctl("bond/show").count(": enabled") == 2, "all members carry traffic")
    receive(a, "p3", *[host(1, 2, tp=n) for n in range(1, 65)])
    until(lambda: tx(b, "p3") >= 64, "64 flows arrive", 20)
    assert tx(a, "p1") >= 10 and tx(a, "p2") >= 10
    for sw in (a, b):
        sw.appctl("netdev-dummy/set-admin-state", "p1", "down")
    until(lambda: "member p1: disabled" in a.appctl("bond/show") and "member p1: disabled" in b.appctl("bond/show"), "p1 is out on both sides", 20)
    before = tx(b, "p3")
    receive(a, "p3", *[host(1, 2, tp=n) for n in range(1, 65)])
    until(lambda: tx(b, "p3") >= before + 64, "all by the other member", 20)


def spanning(t, word, settings, states, limit_s):
    """Two bridges with two cables; one port ends up blocked, and a broadcast passes once."""
    a, b = pair(t, *settings)
    cables(t, a, b, "p1", "p2")
    dummies(a, "p9")
    seen = t.path("p9.pcap")
    b.port("br0", "p9", "dummy", "options:tx_pcap=" + seen)
    rows = lambda sw: {m[0]: (m[1].lower(), m[2].lower()) for m in re.findall(r"^  (p\d)\s+(\w+)\s+(\w+)", sw.appctl(word + "/show"), re.M)}
    done = lambda: rows(a) == {p: ("designated", "forwarding") for p in ("p1", "p2", "p9")} and sorted(rows(b).values()) == states
    until(done, "the loop is broken", limit_s)
    assert "This bridge is the root" in a.appctl(word + "/show")
    assert "stp-system-id   aa:66:aa:66:00:01" in b.appctl(word + "/show").split("Bridge ID")[0]
    receive(a, "p9", BROADCAST % (1, 1))
    copies = lambda n: open(seen, "rb").read().count(bytes.fromhex("ffffffffffff5054000000%02x1234" % n))
    until(lambda: copies(1), "the broadcast arrives")
    receive(a, "p9", BROADCAST % (1, 3))
    until(lambda: copies(3), "and the next")
    assert copies(1) == 1, "%d copies" % copies(1)
    # The cable in use is cut: the other one takes over.
    used = next(p for p, r in rows(b).items() if r[0] == "root")
    a.appctl("netdev-dummy/set-admin-state", used, "down")
    b.appctl("netdev-dummy/set-admin-state", used, "down")
    spare = {"p1": "p2", "p2": "p1"}[used]
    until(lambda: rows(b)[spare] == ("root", "forwarding"), "the other cable forwards", limit_s)
    receive(a, "p9", BROADCAST % (1, 2))
    until(lambda: copies(2), "and packets pass")
    return a, b


@test(limit_s=120)
def stp_with_the_reference(t):
    settings = ["stp_enable=true", "other-config:stp-hello-time=1", "other-config:stp-max-age=6", "other-config:stp-forward-delay=4"]
    a, b = spanning(t, "stp", settings, [("alternate", "blocking"), ("designated", "forwarding"), ("root", "forwarding")], 40)
    assert "stp_designated_root=\"8000.aa66aa660001\"" in a.vsctl("get", "bridge", "br0", "status")
    until(lambda: "stp_state=forwarding" in a.vsctl("get", "port", "p9", "status"), "the port's row tells")


@test(limit_s=120)
def rstp_with_the_reference(t):
    a, b = spanning(t, "rstp", ["rstp_enable=true"], [("alternate", "discarding"), ("designated", "forwarding"), ("root", "forwarding")], 30)
    until(lambda: "rstp_port_state=Forwarding" in a.vsctl("get", "port", "p9", "rstp_status"), "the port's row tells")


IGMP_REPORT = "01005e010101000000000001080046000020000000000102d5c50a000001ef010101940400001600f9fcef010101"
IGMP_QUERY = "01005e000001000000000002080045c0001c0000000001024dcd0a000002e00000011164ee9b00000000"
GROUP = "in_port(1),eth(src=50:54:00:00:00:07,dst=01:00:5e:01:01:%02x),eth_type(0x0800),ipv4(src=10.0.0.9,dst=239.1.1.%d,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"


@test()
def multicast_snooping(t):
    sw = bridge(t.switch(dummy=""), "aa:66:aa:66:00:01")
    p = sw.appctl("mdb/show", "br0", check=False)
    assert p.stderr.splitlines()[0] == "multicast snooping is disabled", p.stderr
    sw.vsctl("set", "bridge", "br0", "mcast_snooping_enable=true")
    for n in range(1, 5):
        sw.port("br0", "p%d" % n, "dummy", "ofport_request=%d" % n)
    receive(sw, "p1", IGMP_REPORT)
    receive(sw, "p2", IGMP_QUERY)
    wanted = r" port  VLAN  GROUP                Age\n    1     0  239\.1\.1\.1           \d\n    2     0  querier               \d\n"
    until(lambda: re.fullmatch(wanted, sw.appctl("mdb/show", "br0")), "member and router are known")
    before = {n: tx(sw, n) for n in ("p1", "p2", "p3", "p4")}
    grown = lambda: {n: tx(sw, n) - before[n] for n in before}
    receive(sw, "p4", GROUP % (1, 1))
    until(lambda: grown() == {"p1": 1, "p2": 1, "p3": 0, "p4": 0}, "a registered group goes to its members and to the router")
    receive(sw, "p4", GROUP % (2, 2))
    until(lambda: grown() == {"p1": 2, "p2": 2, "p3": 1, "p4": 0}, "an unknown group floods")
    sw.vsctl("set", "bridge", "br0", "other_config:mcast-snooping-disable-flood-unregistered=true")
    receive(sw, "p4", GROUP % (3, 3))
    until(lambda: grown() == {"p1": 2, "p2": 3, "p3": 1, "p4": 0}, "or goes to the router only")
    assert sw.appctl("mdb/flush", "br0").strip() == "table successfully flushed"
    assert sw.appctl("mdb/show", "br0") == " port  VLAN  GROUP                Age\n"


@test(limit_s=90)
def bfd_with_the_reference(t):
    a, b = pair(t)
    cables(t, a, b, "p1")
    for sw in (a, b):
        sw.vsctl("set", "interface", "p1", "bfd:enable=true", "bfd:min_tx=200", "bfd:min_rx=200")
    up = lambda sw: "state=up" in sw.vsctl("get", "interface", "p1", "bfd_status").replace("remote_state=up", "") and "forwarding=\"true\"" in sw.vsctl("get", "interface", "p1", "bfd_status")
    until(lambda: up(a) and up(b), "the session is up", 30)
    show = a.appctl("bfd/show", "p1")
    assert "  Local Session State: up\n" in show and "  Remote Session State: up\n" in show, show
    until(lambda: "  TX Interval: Approx 200ms\n" in a.appctl("bfd/show", "p1") and "  RX Interval: Approx 200ms\n" in a.appctl("bfd/show", "p1"), "the intervals are agreed", 20)
    # Fast failover watches the session.
    dummies(a, "p8", "p9")
    number = lambda n: a.get("interface", n, "ofport")
    a.ofctl("add-group", "br0", "group_id=1,type=ff,bucket=watch_port:%s,output:%s,bucket=watch_port:%s,output:%s" % (number("p1"), number("p1"), number("p8"), number("p8")), version="OpenFlow13")
    a.flows("br0", "in_port=%s,actions=group:1" % number("p9"))
    receive(a, "p9", host(1, 2))
    b.vsctl("set", "interface", "p1", "bfd:enable=false")
    until(lambda: not up(a), "the other end is gone", 30)
    assert tx(a, "p8") == 0
    receive(a, "p9", host(1, 2))
    until(lambda: tx(a, "p8") >= 1, "the group's second bucket is used")
    assert a.appctl("bfd/set-forwarding", "p1", "true").strip() == "OK"
    assert "  Forwarding: true\n" in a.appctl("bfd/show", "p1")


@test(limit_s=90)
def cfm_with_the_reference(t):
    a, b = pair(t)
    cables(t, a, b, "p1")
    for n, sw in enumerate((a, b)):
        sw.vsctl("set", "interface", "p1", "cfm_mpid=%d" % (n + 1), "other_config:cfm_interval=100", "other_config:cfm_extended=true")
    well = lambda sw, mpid: sw.get("interface", "p1", "cfm_fault") == "false" and sw.get("interface", "p1", "cfm_remote_mpids") == "[%d]" % mpid
    until(lambda: well(a, 2) and well(b, 1), "both hear each other", 30)
    until(lambda: a.get("interface", "p1", "cfm_health") == "100" and b.get("interface", "p1", "cfm_health") == "100", "and all of it", 30)
    assert "Remote MPID 2\n" in a.appctl("cfm/show", "p1")
    b.vsctl("clear", "interface", "p1", "cfm_mpid")
    until(lambda: a.get("interface", "p1", "cfm_fault") == "true" and a.get("interface", "p1", "cfm_fault_status") == "[recv]", "silence is a fault", 20)
