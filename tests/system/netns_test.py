"""Namespaces behind kernel ports: ping and TCP across the bridge."""
import contextlib

from harness import net, test, until
from harness.proc import Daemon, run


@contextlib.contextmanager
def two_on_veth(sw, bridge="br0"):
    """Two namespaces, 10.9.0.1 and 10.9.0.2, each behind a veth `system` port of the bridge."""
    with net.namespace("na") as a, net.namespace("nb") as b, net.veth(a, "10.9.0.1/24") as pa, net.veth(b, "10.9.0.2/24") as pb:
        for p in (pa, pb):
            assert sw.port(bridge, p) == ""
        try:
            yield a, b, pa, pb
        finally:
            for p in (pa, pb):
                sw.vsctl("--if-exists", "del-port", p, check=False)


@test(needs=("root",))
def ping_over_veth(t):
    sw = t.switch()
    sw.bridge()
    a, b, pa, pb = t.enter(two_on_veth(sw))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    a.ping("10.9.0.2", 10)
    b.ping("10.9.0.1", 10)
    fdb = sw.appctl("fdb/show", "br0")
    assert len(fdb.splitlines()) >= 3, fdb
    until(lambda: sw.of_ports("br0")[pa]["rx"] > 20, "the port has counted the pings", 5)


@test(needs=("root", "iperf3"))
def tcp_over_veth(t):
    sw = t.switch()
    sw.bridge()
    a, b, *_ = t.enter(two_on_veth(sw))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    assert net.iperf3(b, a, "10.9.0.2", t.path("iperf3.out")) > 1


@test(needs=("root", "dpdk", "iperf3"), limit_s=180)
def tcp_over_veth_with_dpdk_running(t):
    sw = t.switch(dpdk=True)
    sw.bridge()
    a, b, *_ = t.enter(two_on_veth(sw))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    a.ping("10.9.0.2", 10)
    assert net.iperf3(b, a, "10.9.0.2", t.path("iperf3.out")) > 1


def over_devices(t, type_):
    """Two devices of the switch's making, each moved into a namespace."""
    sw = t.switch()
    sw.bridge()
    a, b = t.enter(net.namespace("na")), t.enter(net.namespace("nb"))
    da, db = net.unique(type_[0] + "a"), net.unique(type_[0] + "b")
    for ns, dev, addr in ((a, da, "10.9.1.1/24"), (b, db, "10.9.1.2/24")):
        assert sw.port("br0", dev, type_) == ""
        net.into_namespace(ns, dev, addr)
    until(lambda: a.ping("10.9.1.2", 1, check=False), "the first ping")
    b.ping("10.9.1.1", 10)
    assert net.iperf3(b, a, "10.9.1.2", t.path("iperf3.out")) > 1


@test(needs=("root", "iperf3"))
def ping_and_tcp_over_tap(t):
    over_devices(t, "tap")


@test(needs=("root", "iperf3"))
def ping_and_tcp_over_internal(t):
    over_devices(t, "internal")


@test(needs=("root",))
def the_bridge_device_reaches_the_namespace(t):
    """The LOCAL port is a device of the host that speaks through the bridge."""
    sw = t.switch()
    br = net.unique("brl")
    sw.bridge(br)
    ns = t.enter(net.namespace("na"))
    p = t.enter(net.veth(ns, "10.9.2.2/24"))
    assert sw.port(br, p) == ""
    host = t.enter(net.namespace("nh"))
    net.into_namespace(host, br, "10.9.2.1/24")
    until(lambda: host.ping("10.9.2.2", 1, check=False), "the first ping")
    host.ping("10.9.2.2", 5)


@test(needs=("root",))
def vlan_access_ports_keep_apart(t):
    sw = t.switch()
    sw.bridge()
    a, b, pa, pb = t.enter(two_on_veth(sw))
    sw.vsctl("set", "Port", pa, "tag=10", "--", "set", "Port", pb, "tag=10")
    until(lambda: a.ping("10.9.0.2", 1, check=False), "ping within VLAN 10")
    sw.vsctl("set", "Port", pb, "tag=20")
    a.run("ip", "neigh", "flush", "all")
    until(lambda: not a.ping("10.9.0.2", 1, check=False), "no ping from VLAN 10 to 20")
    assert a.ping("10.9.0.2", 3, check=False) == 0
    sw.vsctl("clear", "Port", pb, "tag", "--", "clear", "Port", pa, "tag")
    until(lambda: a.ping("10.9.0.2", 1, check=False), "ping again without tags")


@test(needs=("root",))
def a_trunk_carries_the_tag(t):
    """An access port's packets leave a trunk port with the tag of its VLAN."""
    sw = t.switch()
    sw.bridge()
    a, b, pa, pb = t.enter(two_on_veth(sw))
    sw.vsctl("set", "Port", pa, "tag=30", "--", "set", "Port", pb, "trunks=30")
    inner = b.run("ip", "-o", "link").stdout.split(": ")[3].split("@")[0]
    log = t.path("tcpdump.out")
    dump = Daemon("tcpdump", b.cmd("tcpdump", "-lnne", "-i", inner, "vlan 30 and arp"), log)
    t.defer(dump.kill)
    until(lambda: "listening" in open(log).read(), "tcpdump listens")
    until(lambda: a.ping("10.9.0.2", 1, check=False) or "vlan 30," in open(log).read(), "a tagged ARP request on the trunk")
    assert "vlan 30," in open(log).read(), "the ping went through untagged"


@test(needs=("root",))
def patch_ports_join_two_bridges(t):
    sw = t.switch()
    sw.bridge("br0"), sw.bridge("br1")
    sw.vsctl("add-port", "br0", "p01", "--", "set", "Interface", "p01", "type=patch", "options:peer=p10",
             "--", "add-port", "br1", "p10", "--", "set", "Interface", "p10", "type=patch", "options:peer=p01")
    a, b = t.enter(net.namespace("na")), t.enter(net.namespace("nb"))
    pa, pb = t.enter(net.veth(a, "10.9.4.1/24")), t.enter(net.veth(b, "10.9.4.2/24"))
    sw.port("br0", pa), sw.port("br1", pb)
    until(lambda: a.ping("10.9.4.2", 1, check=False), "the first ping through both bridges")
    a.ping("10.9.4.2", 5)


@test(needs=("root",))
def secure_bridges_forward_only_by_rule(t):
    sw = t.switch()
    sw.bridge("br0", "fail_mode=secure")
    a, b, pa, pb = t.enter(two_on_veth(sw))
    assert a.ping("10.9.0.2", 2, check=False) == 0
    na, nb = sw.get("Interface", pa, "ofport"), sw.get("Interface", pb, "ofport")
    sw.flows("br0", "in_port=%s,actions=output:%s" % (na, nb), "in_port=%s,actions=output:%s" % (nb, na))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "ping by rule")
    a.ping("10.9.0.2", 5)
    sw.ofctl("del-flows", "br0")
    until(lambda: not a.ping("10.9.0.2", 1, check=False), "no ping once the rules are gone")


@test(needs=("root",))
def a_device_that_disappears_harms_no_other(t):
    sw = t.switch()
    sw.bridge()
    a, b, pa, pb = t.enter(two_on_veth(sw))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    with net.namespace("nc") as c, net.veth(c, "10.9.0.3/24") as pc:
        sw.port("br0", pc)
        until(lambda: a.ping("10.9.0.3", 1, check=False), "ping the third")
    until(lambda: a.ping("10.9.0.2", 5, check=False) == 5, "ping goes on")
    sw.vsctl("del-port", pc)
    assert pc not in sw.vsctl("list-ports", "br0")
    until(lambda: a.ping("10.9.0.2", 5, check=False) == 5, "ping goes on")


@test(needs=("root",))
def counters_of_ports_in_the_namespace_of_the_daemon(t):
    """ovs-vswitchd runs in another network namespace than the one that /sys shows: its kernel ports count all the same."""
    home = t.enter(net.namespace("sw"))
    sw = t.switch(start_vswitchd=False)
    sw.wrapper = ["nsenter", "--net=/run/netns/" + home.name]
    sw.start_vswitchd()
    sw.bridge()
    guests, ports = [], []
    for n in (1, 2):
        guests.append(t.enter(net.namespace("g")))
        ports.append(t.enter(net.veth(guests[-1], "10.9.7.%d/24" % n)))
        run(["ip", "link", "set", ports[-1], "netns", home.name])
        home.run("ip", "link", "set", ports[-1], "up")
        assert sw.port("br0", ports[-1]) == ""
    until(lambda: guests[0].ping("10.9.7.2", 1, check=False), "the first ping")
    guests[0].ping("10.9.7.2", 10)
    until(lambda: sw.of_ports("br0")[ports[0]]["rx"] >= 10 and sw.of_ports("br0")[ports[1]]["tx"] >= 10, "the ports have counted the pings")
    until(lambda: sw.statistics(ports[0]).get("rx_packets", 0) >= 10, "the Interface row has the counters")
    assert sw.get("Interface", ports[0], "link_speed") == "10000000000" and sw.get("Interface", ports[0], "duplex") == "full"
