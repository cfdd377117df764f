"""Policing, QoS, meters and mirrors: what is let through, what is counted, what is shown.  Rates are so low and bursts so
exact that the outcome does not depend on time."""
import re

from harness import packets, test, until

N = 200
SIZE = 114  # a hundred bytes behind the Ethernet header


def offer(t, rules, src=(), dst=(), before=None):
    """N packets of SIZE bytes from port src (settings `src`) through `rules` to port dst; the switch when all have come in."""
    sent = [packets.udp4(0x0A000001, 0x0A000002, 1000 + i, 80, size=SIZE) for i in range(N)]
    pcap, none = packets.write_pcap(t.path("in.pcap"), sent), packets.write_pcap(t.path("none.pcap"), [])
    sw = t.switch(dpdk=True)
    sw.bridge("br0", "fail_mode=secure")
    if before:
        before(sw)
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_pcap2,rx_pcap=%s,tx_pcap=%s" % (none, t.path("out.pcap")), "ofport_request=2", *dst) == ""
    sw.flows("br0", *rules)
    assert sw.port("br0", "src", "dpdk", "options:dpdk-devargs=net_pcap1,rx_pcap=%s,tx_pcap=%s" % (pcap, t.path("back.pcap")), "ofport_request=1", *src) == ""
    until(lambda: seen(sw) == N, "%d packets have met the switch" % N, 20)
    return sw


def seen(sw):
    p = sw.of_ports("br0")
    s, d = p.get("src", {}), p.get("dst", {})
    return max(s.get("rx", 0), d.get("tx", 0) + d.get("tx_drop", 0))


@test(needs=("dpdk",), limit_s=90)
def ingress_policing_lets_the_burst_pass(t):
    # 8 kbit are ten packets of 100 bytes
    sw = offer(t, ["actions=output:2"], src=("ingress_policing_rate=1", "ingress_policing_burst=8"))
    until(lambda: sw.statistics("src").get("ovs_rx_qos_drops", 0) >= N - 12, "drops are counted")
    tx = sw.of_ports("br0")["dst"]["tx"]
    assert 10 <= tx <= 12, tx
    assert sw.statistics("src")["ovs_rx_qos_drops"] == N - tx


@test(needs=("dpdk",), limit_s=90, only="ours")
def ingress_policing_of_packets(t):
    sw = offer(t, ["actions=output:2"], src=("ingress_policing_kpkts_rate=1", "ingress_policing_kpkts_burst=1"))
    until(lambda: sw.of_ports("br0")["dst"]["tx"] == N, "a burst of 1000 packets passes")


@test(needs=("dpdk",), limit_s=90)
def an_egress_policer(t):
    qos = ("--", "set", "Port", "dst", "qos=@q", "--", "--id=@q", "create", "QoS", "type=egress-policer", "other_config:cir=1", "other_config:cbs=1000")
    sw = offer(t, ["actions=output:2"], dst=qos)
    until(lambda: sw.statistics("dst").get("ovs_tx_qos_drops", 0) >= N - 12, "drops are counted")
    tx = sw.of_ports("br0")["dst"]["tx"]
    assert 10 <= tx <= 12 and sw.statistics("dst")["ovs_tx_qos_drops"] == N - tx, tx
    shown = sw.appctl("qos/show", "dst")
    assert shown.startswith("QoS: dst egress-policer\n") and sorted(shown.splitlines()[1:]) == ["cbs: 1000", "cir: 1"], shown
    assert sw.appctl("qos/show-types", "dst") == "QoS type: egress-policer\nQoS type: trtcm-policer\n"
    assert sw.appctl("qos/show", "src") == "QoS not configured on src\n"
    assert "no such interface" in sw.appctl("qos/show", "nope", check=False).stderr
    sw.vsctl("clear", "Port", "dst", "qos")
    until(lambda: "not configured" in sw.appctl("qos/show", "dst"), "the policer is gone")


@test(needs=("dpdk",), limit_s=90)
def a_two_rate_policer(t):
    """cbs lets ten pass, ebs five more; queue 0 in front of it twelve."""
    qos = ("--", "set", "Port", "dst", "qos=@q", "--", "--id=@q", "create", "QoS", "type=trtcm-policer", "other_config:cir=1", "other_config:cbs=1000", "other_config:eir=1", "other_config:ebs=500",
           "queues:0=@q0", "--", "--id=@q0", "create", "Queue", "other_config:cir=1", "other_config:cbs=1200", "other_config:eir=0", "other_config:ebs=0")
    sw = offer(t, ["actions=output:2"], dst=qos)
    until(lambda: sw.statistics("dst").get("ovs_tx_qos_drops", 0) >= N - 14, "drops are counted")
    tx = sw.of_ports("br0")["dst"]["tx"]
    assert 11 <= tx <= 14, tx
    shown = sw.appctl("qos/show", "dst")
    assert "QoS: dst trtcm-policer\n" in shown and "\nDefault:\n" in shown and "  tx_packets: %d\n" % tx in shown, shown


@test(needs=("dpdk",), limit_s=90)
def a_meter_drops_and_counts(t):
    def meter(sw):
        sw.ofctl("add-meter", "br0", "meter=1,pktps,burst,stats,bands=type=drop,rate=1,burst_size=10", version="OpenFlow13")
        refused = sw.ofctl("add-meter", "br0", "meter=2,kbps,band=type=dscp_remark,rate=10,prec_level=1", version="OpenFlow13", check=False)
        assert refused.returncode and "OFPMMFC_BAD_BAND" in refused.stderr, refused

    sw = offer(t, ["actions=meter:1,output:2"], before=meter)

    def counted():
        stats = sw.ofctl("meter-stats", "br0", version="OpenFlow13")
        return re.search(r"packet_in_count:%d byte_in_count:%d" % (N, N * SIZE), stats) and stats

    stats = until(counted, "the meter has seen all")
    tx = sw.of_ports("br0")["dst"]["tx"]
    assert 10 <= tx <= 13 and "0: packet_count:%d byte_count:%d" % (N - tx, (N - tx) * SIZE) in stats, (tx, stats)


def mirrored(t, mirror, expected):
    """Packets between a, b and c under `mirror` (settings of its row): what each capture of the outputs holds."""
    sw = t.switch(dummy="override")
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
    for i, p in enumerate(("a", "b", "c", "out"), 1):
        vlan = ["vlan_mode=access", "tag=%d" % (10 if p in "ab" else 20)] if p in "abc" else []
        sw.vsctl("add-port", "br0", p, *vlan, "--", "set", "Interface", p, "type=dummy", "ofport_request=%d" % i, "options:tx_pcap=" + t.path(p + ".pcap"))
    refs = [x for p in ("a", "b", "c", "out") for x in ("--", "--id=@" + p, "get", "Port", p)]
    sw.vsctl(*refs[1:], "--", "--id=@m", "create", "Mirror", "name=m0", *mirror, "--", "set", "Bridge", "br0", "mirrors=@m")
    sw.flows("br0", "in_port=1,actions=output:2", "in_port=2,actions=drop", "in_port=3,actions=output:1")
    frames = {p: packets.udp4(0x0A000001 + i, 0x0A000009, 7, 80, size=100, eth_src="02000000000%d" % (i + 1)) for i, p in enumerate("abc")}
    for p in "abc":
        sw.appctl("netdev-dummy/receive", p, frames[p].hex())
    until(lambda: sw.rule_packets("br0", "in_port=3") == 1 or sw.rule_packets("br0", "in_port=\"c\"") == 1, "the last packet is through")
    got = packets.read_pcap(t.path("out.pcap"))
    names = sorted(("".join(n for n, f in frames.items() if f[6:12] == g[6:12]), len(g), g[12:14].hex() == "8100" and int.from_bytes(g[14:16], "big") & 0xFFF) for g in got)
    assert names == sorted(expected), names
    until(lambda: sw.get("Mirror", "m0", "statistics").find("tx_packets=%d" % len({n for n, _, _ in expected})) >= 0, "the mirror counts", 20)


@test(limit_s=60)
def a_mirror_of_everything(t):
    mirrored(t, ("select_all=true", "output_port=@out"), [("a", 104, 10), ("b", 104, 10), ("c", 104, 20)])


@test(limit_s=60)
def a_mirror_of_what_comes_in(t):
    mirrored(t, ("select_src_port=@b", "output_port=@out"), [("b", 104, 10)])


@test(limit_s=60)
def a_mirror_of_what_goes_out(t):
    mirrored(t, ("select_dst_port=@b", "output_port=@out"), [("a", 104, 10)])


@test(limit_s=60)
def a_mirror_of_a_vlan_cut_short(t):
    mirrored(t, ("select_all=true", "select_vlan=20", "output_port=@out", "snaplen=64"), [("c", 64, 20)])


@test(limit_s=60)
def a_mirror_into_a_vlan(t):
    """RSPAN: a copy on every port that carries VLAN 99; out is a trunk."""
    mirrored(t, ("select_src_port=@a", "output_vlan=99"), [("a", 104, 99)])
