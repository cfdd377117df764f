"""A capture replayed by DPDK's net_pcap: every counter agrees to the packet."""
import os
import re

from harness import packets, test, until

FLOWS = 1000


def replay(t, sent, rules):
    """br0 with src (replays `sent` once) and dst (writes what it gets); the switch, once all is through.

    With the reference no thread polls until everything is in place: it loses what arrives while it makes a port
    known.  Ours loses nothing then, so it gets no such help."""
    held = t.ours.name == "debian"
    pcap, none = packets.write_pcap(t.path("in.pcap"), sent), packets.write_pcap(t.path("none.pcap"), [])
    sw = t.switch(dpdk=True)
    sw.bridge("br0", "fail_mode=secure")
    if held:
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=%x" % (1 << (os.cpu_count() + 1)))  # a core that is not there
    for port, rx, tx, n in (("dst", none, "out.pcap", 2), ("src", pcap, "back.pcap", 1)):
        assert sw.port("br0", port, "dpdk", "options:dpdk-devargs=net_pcap%d,rx_pcap=%s,tx_pcap=%s" % (n, rx, t.path(tx)), "ofport_request=%d" % n) == ""
        if port == "dst":
            sw.flows("br0", *rules)
    if held:
        until(lambda: "src" in sw.of_ports("br0"), "OpenFlow knows src")
        assert sw.of_ports("br0")["src"]["rx"] == 0
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=0x2")
    until(lambda: sw.of_ports("br0").get("src", {}).get("rx", 0) >= len(sent), "src has received %d packets" % len(sent), 20)
    return sw


@test(needs=("dpdk",), limit_s=180)
def a_thousand_flows_arrive_complete(t):
    sent = packets.flows(FLOWS)
    sw = replay(t, sent, ["in_port=1,actions=output:2"])
    until(lambda: sw.of_ports("br0")["dst"]["tx"] >= FLOWS, "dst has sent them all")
    ports = sw.of_ports("br0")
    assert (ports["src"]["rx"], ports["dst"]["tx"]) == (FLOWS, FLOWS), ports
    until(lambda: sw.rule_packets("br0", "in_port") == FLOWS, "the rule has counted them all")
    megaflows = sw.appctl("dpctl/dump-flows", "-m")
    sw.vsctl("del-port", "br0", "dst")  # closes the capture file
    got = packets.read_pcap(t.path("out.pcap"))
    assert sorted(got) == sorted(sent), "%d packets in the capture; contents differ" % len(got)
    counted = sum(int(n) for n in re.findall(r"packets:(\d+)", megaflows))
    # the packet whose miss made a megaflow is not among the packets that hit it
    assert len(got) >= counted >= FLOWS - 40, megaflows[:500]


@test(needs=("dpdk",), limit_s=180)
def the_cache_statistics_add_up(t):
    sw = replay(t, packets.flows(FLOWS), ["in_port=1,actions=output:2"])
    until(lambda: sw.of_ports("br0")["dst"]["tx"] >= FLOWS, "dst has sent them all")
    text = sw.appctl("dpif-netdev/pmd-stats-show")
    block = next(b for b in re.split(r"(?m)^(?=pmd thread|main thread)", text) if "packets received: %d\n" % FLOWS in b)
    n = {k: int(v) for k, v in re.findall(r"(?m)^\s+([a-z][a-z -]+[a-z]): (\d+)$", block)}
    hits = sum(v for k, v in n.items() if k.endswith(" hits"))
    misses = n["miss with success upcall"] + n["miss with failed upcall"]
    assert hits + misses == FLOWS and n["miss with failed upcall"] == 0, block


@test(needs=("dpdk",), limit_s=180)
def rules_that_rewrite_change_just_what_they_say(t):
    sent = packets.flows(16)
    replay(t, sent, ["priority=2,udp,actions=dec_ttl,mod_dl_src:02:aa:00:00:00:01,output:2", "priority=1,actions=drop"]).vsctl("del-port", "br0", "dst")
    got = packets.read_pcap(t.path("out.pcap"))

    def rewritten(p):
        ip = bytearray(p[14:34])
        ip[8] -= 1
        ip[10:12] = b"\0\0"
        ip[10:12] = packets.checksum(bytes(ip)).to_bytes(2, "big")
        return p[:6] + bytes.fromhex("02aa00000001") + p[12:14] + bytes(ip) + p[34:]

    assert sorted(got) == sorted(map(rewritten, sent)), [g.hex() for g in got[:2]]


@test(needs=("dpdk",), limit_s=180)
def drops_are_counted_on_the_rule_and_by_reason(t):
    sw = replay(t, packets.flows(200), ["in_port=1,actions=drop"])
    until(lambda: sw.rule_packets("br0", "in_port") == 200, "the drop rule has counted 200")
    assert sw.of_ports("br0")["dst"]["tx"] == 0


@test(needs=("dpdk",), limit_s=180)
def a_table_of_mixed_prefixes_needs_few_megaflows(t):
    """Un-wildcarding by staged lookup and prefix tries: 1,000 flows through 16 prefix lengths must not make 1,000 megaflows."""
    rules = ["priority=%d,ip,nw_src=10.0.0.0/%d,actions=output:2" % (100 + m, m) for m in range(8, 24)] + ["priority=1,actions=drop"]
    sw = replay(t, packets.flows(FLOWS), rules)
    until(lambda: sw.of_ports("br0")["dst"]["tx"] >= FLOWS, "dst has sent them all")
    n = len([l for l in sw.appctl("dpctl/dump-flows").splitlines() if "in_port" in l])
    assert 1 <= n <= 60, "%d megaflows" % n
