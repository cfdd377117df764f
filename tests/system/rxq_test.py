"""Receive queues: who polls which, what is shown of it, and that moving them loses nothing."""
import re
import time

from harness import packets, test, until

PACKET = "in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.2,dst=10.0.0.1,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)"


def dummies(t, *settings, nodes="0,0"):
    sw = t.switch(dummy="", args=["--dummy-numa=" + nodes])
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=3", *settings)
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
    return sw


def log(sw):
    """What the datapath said, without times."""
    return [l.split("|", 2)[2] for l in open(sw.dir + "/ovs-vswitchd.log") if "|dpif_netdev|" in l]


@test(needs=("dpdk",), limit_s=60)
def queues_are_shown_pinned_and_isolated(t):
    sw = dummies(t, nodes="0,0,0,1")
    sw.vsctl("add-port", "br0", "p0", "--", "set", "Interface", "p0", "type=dummy-pmd", "options:n_rxq=3")
    sw.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy-pmd", "options:n_txq=2", "options:numa_id=1")
    shown = sw.appctl("dpif/show")
    assert "p0 1/1: (dummy-pmd: configured_rx_queues=3, configured_tx_queues=1, requested_rx_queues=3, requested_tx_queues=1)" in shown, shown
    assert "p1 2/2: (dummy-pmd: configured_rx_queues=1, configured_tx_queues=2, requested_rx_queues=1, requested_tx_queues=2)" in shown, shown
    assert sw.appctl("dpif-netdev/pmd-rxq-show") == """\
Displaying last 60 seconds pmd usage %
pmd thread numa_id 0 core_id 0:
  isolated : false
  port: p0                queue-id:  0 (enabled)   pmd usage: NOT AVAIL
  port: p1                queue-id:  0 (enabled)   pmd usage: NOT AVAIL
  overhead: NOT AVAIL
pmd thread numa_id 0 core_id 1:
  isolated : false
  port: p0                queue-id:  1 (enabled)   pmd usage: NOT AVAIL
  port: p0                queue-id:  2 (enabled)   pmd usage: NOT AVAIL
  overhead: NOT AVAIL
"""
    sw.vsctl("set", "Interface", "p0", "other_config:pmd-rxq-affinity=0:1,1:5")
    assert sw.appctl("dpif-netdev/pmd-rxq-show", "-secs", "5") == """\
Displaying last 5 seconds pmd usage %
pmd thread numa_id 0 core_id 0:
  isolated : false
  port: p0                queue-id:  1 (enabled)   pmd usage: NOT AVAIL
  port: p0                queue-id:  2 (enabled)   pmd usage: NOT AVAIL
  port: p1                queue-id:  0 (enabled)   pmd usage: NOT AVAIL
  overhead: NOT AVAIL
pmd thread numa_id 0 core_id 1:
  isolated : true
  port: p0                queue-id:  0 (enabled)   pmd usage: NOT AVAIL
  overhead: NOT AVAIL
"""
    assert sw.appctl("dpif-netdev/pmd-rxq-show", "-pmd", "9") == ""
    assert sw.appctl("dpif-netdev/pmd-rxq-rebalance") == "pmd rxq rebalance requested.\n"
    said = "\n".join(log(sw))
    for line in (
        "INFO|PMD thread on numa_id: 0, core id:  1 created.",
        "INFO|There are 2 pmd threads on numa node 0",
        "INFO|Core  1 on numa node 0 is pinned with port 'p0' rx queue 0 (measured processing cycles 0)",
        "WARN|Core  5 cannot be pinned with port 'p0' rx queue 1. Use pmd-cpu-mask to enable a pmd on core 5. An alternative core will be assigned.",
        "INFO|Performing pmd to rx queue assignment using cycles algorithm.",
        "INFO|There's no available (non-isolated) pmd thread on numa node 1. Port 'p1' rx queue 0 will be assigned to a pmd on numa node 0. This may lead to reduced performance.",
        "INFO|Core  0 on numa node 0 assigned port 'p0' rx queue 2 (measured processing cycles 0).",
    ):
        assert line in said, (line, said)


@test(needs=("dpdk",), limit_s=60)
def settings_are_told(t):
    sw = dummies(t, "other_config:pmd-rxq-assign=roundrobin")
    sw.vsctl("add-port", "br0", "p0", "--", "set", "Interface", "p0", "type=dummy-pmd", "options:n_rxq=3")
    for s in (["pmd-rxq-assign=group"], ["pmd-rxq-isolate=false"], ["pmd-auto-lb=true"], ["pmd-auto-lb-rebal-interval=5"], ["pmd-auto-lb-load-threshold=50"], ["pmd-maxsleep=100"], ["pmd-rxq-assign=cycles"]):
        sw.vsctl("set", "Open_vSwitch", ".", *["other_config:" + x for x in s])
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1")
    until(lambda: any("destroyed" in l for l in log(sw)), "a PMD thread ends")
    said = "\n".join(log(sw))
    at = 0
    for line in (
        "Rxq to PMD assignment mode changed to: 'roundrobin'.",
        "pmd-rxq-affinity isolates PMD core",
        "PMD auto load balance interval set to 1 mins",
        "PMD auto load balance improvement threshold set to 25%",
        "PMD auto load balance load threshold set to 95%",
        "PMD auto load balance is disabled.",
        "PMD max sleep request is 0 usecs.",
        "PMD load based sleeps are disabled.",
        "Performing pmd to rx queue assignment using roundrobin algorithm.",
        "Core  0 on numa node 0 assigned port 'p0' rx queue 0.",
        "Core  1 on numa node 0 assigned port 'p0' rx queue 1.",
        "Core  0 on numa node 0 assigned port 'p0' rx queue 2.",
        "Rxq to PMD assignment mode changed to: 'group'.",
        "Performing pmd to rx queue assignment using group algorithm.",
        "pmd-rxq-affinity does not isolate PMD core",
        "PMD auto load balance is enabled, interval 1 mins, pmd load threshold 95%, improvement threshold 25%.",
        "PMD auto load balance interval set to 5 mins",
        "PMD auto load balance load threshold set to 50%",
        "PMD auto load balance is enabled, interval 5 mins, pmd load threshold 50%, improvement threshold 25%.",
        "PMD max sleep request is 100 usecs.",
        "PMD load based sleeps are enabled.",
        "Rxq to PMD assignment mode changed to: 'cycles'.",
        "pmd-rxq-isolate can only be set false when using pmd-rxq-assign=group",
        "PMD thread on numa_id: 0, core id:  1 destroyed.",
        "There are 1 pmd threads on numa node 0",
    ):
        found = said.find(line, at)
        assert found >= 0, (line, said)
        at = found


@test(needs=("dpdk",), limit_s=60)
def a_packet_comes_in_on_its_queue(t):
    sw = dummies(t)
    sw.vsctl("add-port", "br0", "p0", "--", "set", "Interface", "p0", "type=dummy-pmd", "options:n_rxq=2", "other_config:pmd-rxq-affinity=0:0,1:1")
    sw.appctl("netdev-dummy/receive", "p0", "--qid", "1", PACKET)

    def received(core):
        return int(re.search(r"packets received: (\d+)", sw.appctl("dpif-netdev/pmd-stats-show", "-pmd", str(core))).group(1))

    until(lambda: received(1) == 1, "the PMD thread of queue 1 has it")
    assert received(0) == 0
    bad = sw.appctl("netdev-dummy/receive", "p0", "--qid", "7", PACKET, check=False)
    assert bad.returncode and "bad rx queue id." in bad.stderr, bad
    sw.vsctl("set", "Interface", "p0", "options:n_rxq=4")
    assert sw.appctl("dpif-netdev/pmd-rxq-show").count("port: p0 ") == 4


@test(limit_s=60)
def a_wire_between_two_switches(t):
    """stream and pstream: what one dummy port sends, the other receives, also after the listener was away."""
    a, b = t.switch(dummy="override"), t.switch(dummy="override")
    for sw in (a, b):
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
    sock = t.path("wire.sock")
    b.vsctl("add-port", "br0", "w", "--", "set", "Interface", "w", "type=dummy", "options:pstream=punix:" + sock, "ofport_request=1")
    a.vsctl("add-port", "br0", "w", "--", "set", "Interface", "w", "type=dummy", "options:stream=unix:" + sock, "ofport_request=1")
    a.vsctl("add-port", "br0", "p", "--", "set", "Interface", "p", "type=dummy", "ofport_request=2")
    a.flows("br0", "in_port=2,actions=output:1")
    b.flows("br0", "in_port=1,actions=drop")
    until(lambda: a.appctl("netdev-dummy/conn-state") == "w: connected\n", "the wire is plugged in")
    assert a.appctl("netdev-dummy/conn-state", "x") == "x: unknown\n"
    frame = packets.udp4(1, 2, 3, 4, size=1000).hex()
    a.appctl("netdev-dummy/receive", "p", frame)
    until(lambda: "n_bytes=1000" in b.ofctl("dump-flows", "br0"), "the other switch has the frame")
    b.vsctl("del-port", "br0", "w")
    until(lambda: a.appctl("netdev-dummy/conn-state", "w") == "w: disconnected\n", "the wire is cut")


@test(needs=("dpdk",), limit_s=120, only="ours")
def nothing_is_lost_while_queues_move(t):
    """An endless stream crosses while PMD threads, queues, affinity and other ports come and go: what was received was sent."""
    sw = t.switch(dpdk=True)
    sw.bridge("br0", "fail_mode=secure")
    pcap = packets.write_pcap(t.path("in.pcap"), packets.flows(64))
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_null2", "ofport_request=2") == ""
    sw.flows("br0", "in_port=1,actions=output:2")
    assert sw.port("br0", "src", "dpdk", "options:dpdk-devargs=net_pcap1,rx_pcap=%s,infinite_rx=1" % pcap, "ofport_request=1") == ""

    def rx():
        return sw.of_ports("br0")["src"]["rx"]

    def onward():
        n = rx()
        until(lambda: rx() > n + 1000, "packets flow", 20)

    onward()
    for i in range(3):
        for s in ("pmd-cpu-mask=0x3", "pmd-rxq-assign=group", "pmd-cpu-mask=0x1", "pmd-rxq-assign=roundrobin", "pmd-cpu-mask=0x2", "pmd-maxsleep=50", "pmd-maxsleep=0", "pmd-perf-metrics=true", "pmd-perf-metrics=false"):
            sw.vsctl("set", "Open_vSwitch", ".", "other_config:" + s)
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=0x3")
        sw.vsctl("set", "Interface", "src", "other_config:pmd-rxq-affinity=0:%d" % (i % 2))
        sw.vsctl("add-port", "br0", "x%d" % i, "--", "set", "Interface", "x%d" % i, "type=dpdk", "options:dpdk-devargs=net_ring%d" % i)
        sw.appctl("dpif-netdev/pmd-rxq-rebalance")
        sw.vsctl("del-port", "br0", "x%d" % i)
        sw.vsctl("clear", "Interface", "src", "other_config")
        onward()
    sw.appctl("netdev-dpdk/set-admin-state", "src", "down")
    last = -1
    while last != rx():
        last = rx()
        time.sleep(0.2)
    p = sw.of_ports("br0")
    assert p["src"]["rx"] == p["dst"]["tx"] > 4000 and p["dst"]["tx_drop"] == 0, p
    drops = sw.appctl("vswitch/drops")
    assert "no drops" in drops, drops


@test(needs=("dpdk",), limit_s=60)
def performance_metrics(t):
    """pmd-perf-metrics: histograms and histories with the reference's headings."""
    sw = dummies(t)
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=2", "other_config:pmd-perf-metrics=true")
    sw.vsctl("add-port", "br0", "p0", "--", "set", "Interface", "p0", "type=dummy-pmd")
    until(lambda: "Histograms" in sw.appctl("dpif-netdev/pmd-perf-show"), "metrics are on")
    for _ in range(3):
        sw.appctl("netdev-dummy/receive", "p0", PACKET)
    until(lambda: re.search(r"Rx packets: +3 ", sw.appctl("dpif-netdev/pmd-perf-show")), "three packets are in")
    text = sw.appctl("dpif-netdev/pmd-perf-show", "-it", "3", "-ms", "2")
    lines = text.splitlines()
    head = lines.index("Histograms")
    assert lines[head + 1] == "   cycles/it              packets/it             cycles/pkt             pkts/batch             max vhost qlen         upcalls/it             cycles/upcall        ", lines[head + 1]
    assert len(lines[head + 2:]) >= 34 and lines[head + 34] == "-" * 154, lines[head + 30:head + 36]
    bounds = [l.split()[0::2] for l in lines[head + 2:head + 34]]
    assert bounds[0] == ["499", "0", "100", "0", "0", "0", "999"] and bounds[15] == ["109544", "28", "15050", "16", "20", "15", "31622"], bounds
    assert bounds[31] == [">"] * 7
    row = [l for l in lines[head + 2:head + 34] if l.split()[2] == "1"]
    assert row[0].split()[3] == "3", "three turns had one packet: %s" % row
    history = lines.index("   iter                cycles       packets      cycles/pkt   pkts/batch   vhost qlen   upcalls      cycles/upcall")
    assert all(len(l.split()) == 8 for l in lines[history + 1:history + 4])
    ms = lines.index("   ms             iterations   cycles/it    Kpps         cycles/pkt   pkts/batch   vhost qlen   upcalls      cycles/upcall")
    assert all(len(l.split()) == 9 for l in lines[ms + 1:ms + 3])
    assert "Histograms" not in sw.appctl("dpif-netdev/pmd-perf-show", "-nh")
    assert sw.appctl("dpif-netdev/pmd-perf-log-set", "on", "-b", "5", "-a", "5", "-e", "-us", "1", "-q", "10") == ""
    bad = sw.appctl("dpif-netdev/pmd-perf-log-set", "foo", check=False)
    assert "Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]" in bad.stderr, bad
    until(lambda: "|WARN|Suspicious iteration (Excessive total cycles): iter=" in open(sw.dir + "/ovs-vswitchd.log").read(), "a long turn is logged")
    sw.appctl("dpif-netdev/pmd-perf-log-set", "off")


@test(needs=("dpdk",), limit_s=60)
def choices_of_implementations_are_answered(t):
    sw = dummies(t)
    sw.vsctl("add-port", "br0", "p0", "--", "set", "Interface", "p0", "type=dummy-pmd")

    def answer(command, *args):
        p = sw.appctl(command, *args, check=False)
        return p.stdout + p.stderr.split("ovs-appctl:")[0]

    assert answer("dpif-netdev/subtable-lookup-prio-set", "generic", "5") == "Lookup priority change affected 0 dpcls ports and 0 subtables.\n"
    assert answer("dpif-netdev/subtable-lookup-prio-set", "nope", "5") == "error, subtable lookup function not found\n"
    assert answer("dpif-netdev/subtable-lookup-prio-set", "generic", "500") == "error converting priority, use integer in range 0-255\n"
    for get in ("prio", "info"):
        assert "  generic (Use count: 1, Priority: 5)\n" in answer("dpif-netdev/subtable-lookup-%s-get" % get)
    assert answer("dpif-netdev/miniflow-parser-set", "study") == "Miniflow extract implementation set to study, studying 128 packets.\n"
    assert answer("dpif-netdev/miniflow-parser-set", "study", "1000") == "Miniflow extract implementation set to study, studying 1000 packets.\n"
    assert answer("dpif-netdev/miniflow-parser-set", "-pmd", "1", "scalar") == "Miniflow extract implementation set to scalar, on pmd thread 1.\n"
    assert answer("dpif-netdev/miniflow-parser-set", "-pmd", "9", "scalar") == "Error: miniflow extract parser not changed, PMD thread 9 not in use, pass a valid pmd thread ID.\n"
    assert answer("dpif-netdev/miniflow-parser-set", "nope") == "Error: unknown miniflow extract implementation nope.\n"
    shown = answer("dpif-netdev/miniflow-parser-get")
    assert "  scalar (available: True pmds: 1)\n" in shown and "  study (available: True pmds: 0)\n" in shown, shown
    assert answer("dpif-netdev/dpif-impl-set", "dpif_scalar") == "DPIF implementation set to dpif_scalar.\n"
    assert answer("dpif-netdev/dpif-impl-set", "nope") == "DPIF implementation not available: Unknown DPIF implementation nope.\n"
    assert answer("dpif-netdev/dpif-impl-get") == "Available DPIF implementations:\n  dpif_scalar (pmds: 0,1)\n"
    assert answer("odp-execute/action-impl-set", "scalar") == "Action implementation set to scalar.\n"
    assert answer("odp-execute/action-impl-set", "foo") == "Error: unknown action implementation, foo, specified!\n"
