"""Malformed and truncated packets: no panic, no wrong megaflow, and good packets still pass."""
import re

from harness import net, packets, test, until
from harness.proc import Failed

GOOD = packets.udp4(0x0A000001, 0x0A000002, 1000, 80)
RULES = ["table=0,priority=30,udp,tp_dst=80,actions=output:2", "priority=20,ip,nw_proto=0,actions=dec_ttl,output:2", "priority=20,icmp6,icmp_type=136,nd_target=fe80::2,actions=drop",
         "priority=20,mpls,mpls_label=1,actions=drop", "priority=10,tcp,tcp_flags=+syn,actions=drop", "priority=5,ip,nw_src=192.168.10.1,actions=mod_nw_src:1.2.3.4,output:2", "priority=0,actions=output:2"]


def dummy_switch(t):
    """br0 with dummy ports p1 and p2, p2's packets in a capture."""
    sw = t.switch(dummy="")
    sw.bridge("br0", "fail_mode=secure")
    sw.port("br0", "p1", "dummy", "ofport_request=1")
    sw.port("br0", "p2", "dummy", "ofport_request=2", "options:tx_pcap=" + t.path("p2.pcap"))
    sw.flows("br0", *RULES)
    return sw


def padded(p):
    return p if len(p) >= 60 else p + bytes(60 - len(p))


@test(limit_s=180)
def hostile_frames_pass_or_drop_and_harm_nobody(t):
    sw = dummy_switch(t)
    for name, p in packets.hostile().items():
        sw.appctl("netdev-dummy/receive", "p1", p.hex(), check=False)  # twice: the upcall, then the megaflow
        sw.appctl("netdev-dummy/receive", "p1", p.hex(), check=False)
        sw.assert_alive()
        before = sw.rule_packets("br0", "tp_dst=80")
        sw.appctl("netdev-dummy/receive", "p1", GOOD.hex())
        until(lambda: sw.rule_packets("br0", "tp_dst=80") == before + 1, "a good packet passes after: " + name)  # noqa: B023
    assert not sw.crashes()


@test(limit_s=180)
def a_good_packet_cut_short_at_every_byte(t):
    sw = dummy_switch(t)
    for p in packets.cut_short(GOOD):
        sw.appctl("netdev-dummy/receive", "p1", p.hex(), check=False)
    sw.assert_alive()
    before = sw.rule_packets("br0", "tp_dst=80")
    sw.appctl("netdev-dummy/receive", "p1", GOOD.hex())
    until(lambda: sw.rule_packets("br0", "tp_dst=80") == before + 1, "the whole packet passes")


@test(limit_s=180)
def trace_and_datapath_agree_on_hostile_frames(t):
    """ofproto/trace of the bytes names the rule that the packet then counts on."""
    sw = dummy_switch(t)
    for name, p in packets.hostile().items():
        p = padded(p)
        out = sw.appctl("ofproto/trace", "br0", "in_port=1", p.hex(), check=False)
        if out.returncode:
            raise AssertionError("%s: trace fails: %s" % (name, out.stderr))
        rule = re.search(r"(?m)^ ?0\. (.*), priority (\d+)$|^ ?0\. priority (\d+)$", out.stdout)
        assert rule, "%s:\n%s" % (name, out.stdout)
        prio = rule.group(2) or rule.group(3)
        match = (rule.group(1) or "") if rule.group(2) else ""
        text = "priority=%s%s" % (prio, "," + match if match else "") if prio != "32768" else match
        line = lambda: [l for l in sw.ofctl("dump-flows", "br0").splitlines() if re.search(r"priority=%s\b" % prio, l) and (not match or match.split(",")[0] in l)]  # noqa: E731, B023
        count = lambda: sum(int(re.search(r"n_packets=(\d+)", l).group(1)) for l in line())  # noqa: E731, B023
        n = count()
        sw.appctl("netdev-dummy/receive", "p1", p.hex())
        try:
            until(lambda: count() == n + 1, "the traced rule %s counts it" % text)  # noqa: B023
        except Failed as e:
            raise AssertionError("%s: %s\n%s\n%s" % (name, e, out.stdout, sw.ofctl("dump-flows", "br0"))) from None


@test(only="ours")  # Debian's dummy ports do not take such frames
def frames_without_an_ethernet_header_are_counted(t):
    """The reason of a drop has a counter that scripts can read, and a line that names the port."""
    sw = dummy_switch(t)
    count = lambda: int(sw.appctl("coverage/read-counter", "datapath_drop_rx_invalid_packet"))  # noqa: E731
    assert count() == 0
    for n in (1, 6, 13):
        sw.appctl("netdev-dummy/receive", "p1", GOOD[:n].hex())
    until(lambda: count() == 3, "three frames are counted as invalid")
    assert re.search(r"datapath_drop_rx_invalid_packet .* total: 3", sw.appctl("coverage/show"))
    assert re.search(r"rx-invalid +port p1 +3\n", sw.appctl("vswitch/drops")), sw.appctl("vswitch/drops")
    assert sw.appctl("dpctl/dump-flows").count("in_port(") == 0, "no flow is made for what is no packet"


@test()
def protocol_zero_does_not_capture_other_protocols(t):
    """The megaflow of a protocol 0 packet must not swallow the UDP that follows (CVE-2023-1668)."""
    sw = dummy_switch(t)
    zero = padded(packets.hostile()["ipv4, protocol 0"])
    for _ in range(3):
        sw.appctl("netdev-dummy/receive", "p1", zero.hex())
    sw.appctl("netdev-dummy/receive", "p1", packets.udp4(0xC0A80A01, 0xC0A80A02, 7, 9).hex())
    until(lambda: sw.rule_packets("br0", "nw_proto=0") == 3, "three of protocol 0")
    until(lambda: sw.rule_packets("br0", "nw_src=192.168.10.1") == 1, "the UDP packet meets its own rule")


@test()
def padding_does_not_change_the_verdict(t):
    """A UDP datagram with 256 bytes of padding is the datagram (CVE-2020-35498)."""
    sw = dummy_switch(t)
    pad = packets.hostile()["udp and 256 bytes of padding"]
    for p in (pad[:60] if len(pad) > 60 else pad, pad):
        sw.appctl("netdev-dummy/receive", "p1", p.hex())
    until(lambda: sw.rule_packets("br0", "nw_src=192.168.10.1") == 2, "both meet the same rule")
    assert sw.rule_packets("br0", "priority=0") == 0


@test(needs=("dpdk",), limit_s=180)
def hostile_frames_through_a_polling_thread(t):
    """All of them in one capture, again and again, mixed with good ones: rx = tx + drops, and the good ones arrive."""
    from replay_test import replay

    sent = []
    for p in list(packets.hostile().values()) + packets.cut_short(GOOD):
        sent += [padded(p), p if len(p) >= 14 else padded(p), GOOD] * 3
    sw = replay(t, sent, RULES)
    good = sent.count(GOOD)
    until(lambda: sw.rule_packets("br0", "tp_dst=80") >= good, "the good ones are counted")
    sw.assert_alive()
    sw.vsctl("del-port", "br0", "dst")
    out = packets.read_pcap(t.path("out.pcap"))
    assert out.count(GOOD) == good, "%d of %d good packets arrived" % (out.count(GOOD), good)


@test(needs=("root",))
def hostile_frames_from_a_kernel_port(t):
    sw = t.switch()
    sw.bridge()
    ns = t.enter(net.namespace("na"))
    p = t.enter(net.veth(ns, "10.9.6.1/24"))
    q = t.enter(net.veth(t.enter(net.namespace("nb")), "10.9.6.2/24"))
    sw.port("br0", p), sw.port("br0", q)
    until(lambda: ns.ping("10.9.6.2", 1, check=False), "the first ping")
    script = t.path("send.py")
    open(script, "w").write("import socket,sys\ns=socket.socket(socket.AF_PACKET,socket.SOCK_RAW)\ns.bind((sys.argv[1],0))\nfor h in sys.argv[2:]:\n    s.send(bytes.fromhex(h))\n")
    inner = ns.run("ip", "-o", "link").stdout.split(": ")[3].split("@")[0]
    ns.run("/usr/bin/python3", script, inner, *[x.hex() for x in packets.hostile().values() if len(x) >= 14])
    ns.ping("10.9.6.2", 5)
    sw.assert_alive()
