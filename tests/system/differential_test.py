"""The same command lines and packets through Debian's Open vSwitch and ours; the outputs are compared.

With --flavour debian both sides are Debian's: that shows that what is compared does not vary by itself.
Replaced before comparing: UUIDs (by order of appearance), directories, times, random datapath ids and MACs, version,
datapath port numbers, counters that the reference's dummy ports do not have, and the schema's checksum (it covers the text of the file, and the texts are two)."""
import difflib
import re
import shlex

from harness import packets, test

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def normal(text, sw):
    seen = {}
    text = UUID.sub(lambda m: seen.setdefault(m.group(), "UUID%d" % len(seen)), text)
    text = text.replace(sw.dir, "RUNDIR")
    for pattern, to in ((r"duration=[\d.]+s", "duration=Ns"), (r"idle_age=\d+, ", ""), (r"used:(never|[\d.]+s)", "used:N"), (r"used=[\d.]+s", "used=N"),
                        (r"cookie=0x0, ", ""), (r"\(xid=0x[0-9a-f]+\)", "(xid)"), (r"(?m)^( +\w+ +\d+ +[0-9a-f:]{17} +)\d+$", r"\1AGE"), (r"dpid:[0-9a-f]{16}", "dpid:N"), (r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?", "TIME"),
                        (r"ovs-vswitchd\S* \(Open", "ovs-vswitchd (Open"), (r"3\.1\.\d+", "3.1.N"), (r"#\d+", "#N"), (r"flow-dump from .*", "flow-dump"),
                        (r'"cksum":"\d+ \d+"', '"cksum":N'), (r"unix#N", "unix"), (r"aa:55:aa:55:\w\w:\w\w", "DUMMY-MAC"), (r"in_port\(\d+\)", "in_port(DP)"), (r"(\d+)/\d+: \(", r"\1/DP: ("), (r"drop=\?, errs=\?", "drop=0, errs=0"), (r"hit:\d+ missed:\d+", "hit:N missed:N"), (r"[ \t]+\n", "\n")):
        text = re.sub(pattern, to, text)
    return text


class Pair:
    """Debian's switch and ours, told the same things; `same` compares what they say."""

    def __init__(self, t, vswitchd=True):
        self.sides = [t.switch(db=f, vswitchd=f, tools=f, dummy="override" if vswitchd else None, start_vswitchd=vswitchd) for f in (t.debian, t.ours)]
        self.differences = []
        self.compared = 0

    def quietly(self, tool, *args, **kw):
        for s in self.sides:
            p = self.run(s, tool, args, **kw)
            assert p.returncode == 0, "%s: %s %s: %s" % (s.vs_f.name, tool, args, p.stderr)

    def run(self, s, tool, args, stdin=None):
        if tool == "vsctl":
            return s.vsctl(*args, check=False)
        if tool == "appctl":
            return s.appctl(*args, check=False)
        if tool == "ofctl":
            return s.ofctl(*args, check=False, stdin=stdin)
        return s.tool(tool, *[a.replace("RUNDIR", s.dir) for a in args], check=False, stdin=stdin)

    def ports_by_name(self, s, text):
        """Datapath actions with the names of the ports instead of their numbers, which each implementation gives as it likes."""
        if "actions:" not in text:
            return text
        names = {dp: name for name, dp in re.findall(r"(?m)^    (\S+) \d+/(\d+): ", s.appctl("dpif/show"))}
        put = lambda m: names.get(m.group(), m.group())  # noqa: E731
        return re.sub(r"(?m)(?<=actions:).*$", lambda m: re.sub(r"(?<![\w=(.:/])\d+(?![\w.=/:])", put, m.group()), text)

    def same(self, tool, *args, sort=False, keep=None, **kw):
        outs = []
        for s in self.sides:
            p = self.run(s, tool, args, **kw)
            logged = re.sub(r"(?m)^\d{4}-\d\d-\d\dT.*\|\d+\|.*\n", "", p.stderr)  # a tool's log is its own
            lines = normal(self.ports_by_name(s, p.stdout + logged) + "status %d\n" % p.returncode, s).splitlines()
            lines = [l for l in lines if not keep or re.search(keep, l)]
            outs.append(sorted(lines) if sort else lines)
        self.compared += 1
        if outs[0] != outs[1]:
            diff = "\n".join(list(difflib.unified_diff(*outs, "debian", "ours", lineterm="", n=1))[:24])
            self.differences.append("$ %s %s\n%s" % (tool, " ".join(args), diff))

    def settle(self):
        assert self.compared, "nothing was compared"
        assert not self.differences, "%d of %d commands differ:\n%s" % (len(self.differences), self.compared, "\n".join(self.differences))


@test()
def the_database_tool(t):
    """ovs-vsctl without a switch behind it: output, errors and what it leaves in the database."""
    d = Pair(t, vswitchd=False)
    for line in """
--no-wait add-br br0
--no-wait add-br br1 -- set Bridge br1 fail_mode=secure external_ids:a=b other_config:c="d e"
--no-wait add-br vl10 br0 10
--no-wait add-port br0 p1 tag=5 -- set Interface p1 type=internal ofport_request=7
--no-wait add-port br0 p2 trunks=[1,2,3] vlan_mode=trunk
--no-wait add-bond br0 bond0 p3 p4 bond_mode=balance-slb lacp=active
--no-wait --may-exist add-port br0 p1
--no-wait --may-exist add-port br1 p1
--no-wait set-controller br0 tcp:127.0.0.1:6653 ptcp:6634
--no-wait set-fail-mode br0 secure
--no-wait set-manager ptcp:6640:127.0.0.1
--no-wait br-set-external-id br0 key value
--no-wait set Interface p1 options:x=1 mtu_request=1400
--no-wait add Bridge br0 other_config hwaddr=00:00:00:00:00:01
--no-wait -- --id=@m create Mirror name=m0 select_all=true -- add Bridge br0 mirrors @m
show
list-br
list-ports br0
list-ifaces br0
br-to-parent vl10
br-to-vlan vl10
br-exists br0
br-exists nosuch
port-to-br bond0
iface-to-br p3
get-controller br0
get-fail-mode br0
get-manager
br-get-external-id br0
br-get-external-id br0 key
get Bridge br0 fail_mode name external_ids
get Port p2 trunks tag
get Interface p1 options:x
get Interface p1 options:y
--if-exists get Interface p1 options:y
--columns=name,tag,trunks list Port
--format=csv --columns=name,vlan_mode list Port p2
--format=json --columns=name,external_ids find Bridge external_ids:a=b
--format=table --columns=name,other_config list Bridge
--format=list --columns=name,type list Interface
--format=html --columns=name list Bridge
--data=bare --no-headings --columns=name,external_ids find Bridge name=br1
--bare --columns=name find Port vlan_mode=trunk
find Port tag!=5 name=p1
find Interface mtu_request>=1400 -- get Interface p1 mtu_request
wait-until Bridge br0
--no-wait remove Bridge br0 other_config hwaddr
--no-wait clear Bridge br0 mirrors
--no-wait del-port br1 p1
--no-wait --if-exists del-port nosuch
--no-wait del-port nosuch
--no-wait set Bridge br0 nosuch=5
--no-wait set Bridge br0 fail_mode=nosuch
--no-wait set Port p1 tag=4097
--no-wait set Bridge nosuch fail_mode=secure
--no-wait create Bridge name=loose
--no-wait add-br br0
--no-wait add-port nosuch p9
--no-wait add-br
--no-wait frob
--no-wait set Open_vSwitch . external_ids:x={}
--no-wait del-controller br0
--no-wait del-br br1
--no-wait emer-reset
show
""".strip().splitlines():
        import shlex

        args = shlex.split(line)
        d.same("vsctl", *args, sort=bool({"list", "find", "show"} & set(args)))
    d.same("ovsdb-client", "dump", "unix:RUNDIR/db.sock", "Open_vSwitch", "Bridge", "name", "fail_mode", "external_ids", sort=True)
    d.same("ovsdb-client", "get-schema", "unix:RUNDIR/db.sock", "Open_vSwitch")
    d.same("ovsdb-client", "list-columns", "unix:RUNDIR/db.sock", "Open_vSwitch", "Interface", sort=True)
    d.same("ovsdb-tool", "db-name", "RUNDIR/conf.db")
    d.same("ovsdb-tool", "db-version", "RUNDIR/conf.db")
    d.same("ovsdb-tool", "query", "RUNDIR/conf.db", '["Open_vSwitch",{"op":"select","table":"Port","where":[["name","==","p1"]],"columns":["name","tag"]}]')
    d.settle()


FLOWS = """
table=0,priority=100,arp,actions=NORMAL
table=0,priority=90,in_port=1,tcp,tcp_dst=80,actions=set_field:10.1.1.1->ip_dst,resubmit(,1)
table=0,priority=80,in_port=1,dl_vlan=10,actions=strip_vlan,output:2
table=0,priority=70,ip,nw_dst=10.2.0.0/16,actions=dec_ttl,mod_dl_src:02:00:00:00:00:09,output:2
table=0,priority=60,udp,tp_src=0x400/0xff00,actions=load:0x5->NXM_NX_REG1[0..3],move:NXM_OF_IP_SRC[]->NXM_NX_REG2[],goto_table:2
table=0,priority=50,icmp,icmp_type=8,actions=IN_PORT
table=0,priority=40,ipv6,actions=push_vlan:0x8100,set_field:4196->vlan_vid,output:2
table=0,priority=30,ip,nw_proto=47,actions=CONTROLLER:128
table=0,priority=20,in_port=2,actions=FLOOD
table=0,priority=0,actions=drop
table=1,priority=10,tcp,nw_dst=10.1.1.1,actions=mod_tp_dst:8080,output:2,output:LOCAL
table=2,priority=10,ip,reg1=0x5/0xf,actions=mod_nw_tos:32,output:2
table=3,priority=1,cookie=0x1234,idle_timeout=60,hard_timeout=120,actions=ALL
"""
PACKETS = [
    "in_port=1,tcp,nw_src=1.1.1.1,nw_dst=2.2.2.2,nw_ttl=64,tcp_dst=80",
    "in_port=1,tcp,nw_src=1.1.1.1,nw_dst=2.2.2.2,nw_ttl=64,tcp_dst=81",
    "in_port=1,dl_vlan=10,dl_vlan_pcp=3,ip,nw_src=1.1.1.1,nw_dst=2.2.2.2",
    "in_port=1,udp,nw_src=1.1.1.1,nw_dst=10.2.3.4,nw_ttl=64",
    "in_port=1,udp,nw_src=1.1.1.1,nw_dst=10.2.3.4,nw_ttl=1",
    "in_port=1,udp,nw_src=1.1.1.1,nw_dst=9.9.9.9,nw_ttl=64,udp_src=0x0455",
    "in_port=1,icmp,nw_src=1.1.1.1,nw_dst=9.9.9.9,icmp_type=8,icmp_code=0",
    "in_port=1,ipv6,ipv6_src=fe80::1,ipv6_dst=fe80::2",
    "in_port=1,ip,nw_proto=47,nw_src=1.1.1.1,nw_dst=9.9.9.9",
    "in_port=2,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x1234",
    "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.2",
    "in_port=1,dl_type=0x1234",
    "in_port=LOCAL,tcp,tcp_dst=80",
]


def dummy_bridge(d):
    d.quietly("vsctl", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy", "fail_mode=secure", "other_config:datapath-id=00000000000000aa", "other_config:hwaddr=02:00:00:00:00:aa")
    for i in (1, 2, 3):
        d.quietly("vsctl", "add-port", "br0", "p%d" % i, "--", "set", "Interface", "p%d" % i, "type=dummy", "ofport_request=%d" % i)


@test(limit_s=180)
def rules_and_traces(t):
    d = Pair(t)
    dummy_bridge(d)
    d.same("ofctl", "add-flows", "br0", "-", stdin=FLOWS)
    d.same("ofctl", "--no-stats", "dump-flows", "br0")
    d.same("ofctl", "--no-stats", "--no-names", "dump-flows", "br0", "table=0,ip")
    for p in PACKETS:
        d.same("appctl", "ofproto/trace", "br0", p)
    d.same("ofctl", "dump-aggregate", "br0")
    d.settle()


@test(limit_s=180)
def packets_and_counters(t):
    d = Pair(t)
    dummy_bridge(d)
    d.quietly("ofctl", "add-flows", "br0", "-", stdin=FLOWS)
    d.quietly("appctl", "time/stop")
    for p in PACKETS[:-1]:
        for _ in range(2):
            d.quietly("appctl", "netdev-dummy/receive", "p2" if "in_port=2" in p else "p1", re.sub(r"in_port=\d,", "", p_as_flow(p)))
    d.quietly("appctl", "time/warp", "3000")
    d.same("ofctl", "dump-flows", "br0", keep=r"n_packets|status")
    d.same("ofctl", "dump-ports", "br0", sort=True)
    d.same("appctl", "fdb/show", "br0", keep=r"LOCAL|port|p\d|:")
    d.same("appctl", "dpif/show")
    d.same("ofctl", "show", "br0")
    d.same("ofctl", "dump-ports-desc", "br0")
    d.same("ofctl", "dump-desc", "br0", keep="Serial|status")
    d.settle()


def p_as_flow(p):
    """An OpenFlow match as netdev-dummy/receive wants it: a datapath flow."""
    f = dict(x.partition("=")[::2] for x in p.split(","))
    src, dst = f.get("dl_src", "02:00:00:00:00:01"), f.get("dl_dst", "02:00:00:00:00:02")
    head = "in_port(1),eth(src=%s,dst=%s)," % (src, dst)
    ip = "ipv4(src=%s,dst=%s,proto=%%d,tos=0,ttl=%s,frag=no)" % (f.get("nw_src", "1.1.1.1"), f.get("nw_dst", "2.2.2.2"), f.get("nw_ttl", "64"))
    if "dl_vlan" in f:
        return head + "eth_type(0x8100),vlan(vid=%s,pcp=%s),encap(eth_type(0x0800),%s)" % (f["dl_vlan"], f.get("dl_vlan_pcp", "0"), ip % 6 + ",tcp(src=1,dst=2)")
    if "tcp" in f:
        return head + "eth_type(0x0800)," + ip % 6 + ",tcp(src=1000,dst=%s)" % f.get("tcp_dst", "2")
    if "udp" in f:
        return head + "eth_type(0x0800)," + ip % 17 + ",udp(src=%d,dst=53)" % int(f.get("udp_src", "1"), 0)
    if "icmp" in f:
        return head + "eth_type(0x0800)," + ip % 1 + ",icmp(type=%s,code=0)" % f["icmp_type"]
    if "ipv6" in f:
        return head + "eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=59,tclass=0,hlimit=64,frag=no)"
    if "arp" in f:
        return head + "eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=%s,tha=00:00:00:00:00:00)" % src
    if "ip" in f:
        return head + "eth_type(0x0800)," + ip % int(f["nw_proto"])
    return head + "eth_type(%s)" % f["dl_type"]


@test(limit_s=180)
def learning_and_vlans(t):
    d = Pair(t)
    d.quietly("vsctl", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy", "other_config:datapath-id=00000000000000aa", "other_config:hwaddr=02:00:00:00:00:aa")
    for i, more in ((1, ["tag=10"]), (2, ["tag=10"]), (3, ["trunks=10,20"]), (4, ["tag=20", "vlan_mode=native-untagged"])):
        d.quietly("vsctl", "add-port", "br0", "p%d" % i, *more, "--", "set", "Interface", "p%d" % i, "type=dummy", "ofport_request=%d" % i)
    mac = lambda n: "02:00:00:00:00:%02x" % n  # noqa: E731
    for p, src, dst, vlan in ((1, 1, 2, None), (2, 2, 1, None), (3, 3, 1, 10), (3, 4, 9, 20), (4, 5, 4, None), (4, 5, 4, 20), (1, 1, 255, None), (3, 3, 1, 30), (3, 3, 1, None)):
        flow = "in_port=%d,dl_src=%s,dl_dst=%s,dl_type=0x1234" % (p, mac(src), mac(dst)) + (",dl_vlan=%d" % vlan if vlan else "")
        d.same("appctl", "ofproto/trace", "br0", flow, "-generate")
    d.same("appctl", "fdb/show", "br0", sort=True)
    d.same("appctl", "fdb/flush", "br0")
    d.same("appctl", "fdb/show", "br0")
    d.settle()


@test()
def rule_texts(t):
    """ovs-ofctl parse-flows: what is read is printed in the canonical form, or refused in the same words."""
    d = Pair(t, vswitchd=False)
    for f in (FLOWS.strip() + """
in_port=LOCAL,actions=output:LOCAL
ip,nw_src=10.0.0.0/255.0.255.0,actions=drop
tcp6,ipv6_dst=2001:db8::/32,tcp_flags=+syn-ack,actions=output:1
dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=FLOOD
metadata=0x5/0xf,actions=drop
vlan_tci=0x1123/0x1fff,actions=mod_vlan_pcp:3
priority=5,ct_state=+trk+est,actions=ct(commit,zone=5,nat(src=10.0.0.1-10.0.0.9))
tun_id=0x10,actions=set_tunnel:0x20,output:3
actions=learn(table=1,hard_timeout=60,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])
actions=multipath(eth_src,50,hrw,12,0,NXM_NX_REG0[0..3]),bundle(eth_src,0,hrw,ofport,members:4,8)
actions=group:5
actions=controller(reason=invalid_ttl,max_len=77,id=5)
actions=set_queue:3,output:1,pop_queue
actions=note:00.11.22,exit
mpls,mpls_label=5,mpls_bos=1,actions=pop_mpls:0x0800,dec_ttl
actions=push_mpls:0x8847,set_mpls_label(3),dec_mpls_ttl
icmp6,icmp_type=135,nd_target=fe80::1,actions=drop
arp,arp_spa=1.2.3.4,arp_op=2,actions=output:NXM_NX_REG0[]
sctp,tp_dst=7,actions=enqueue(1,2)
actions=clone(set_field:1->reg0,output:1),sample(probability=3,collector_set_id=1)
nonsense=1,actions=drop
tcp,tp_dst=99999,actions=drop
actions=output:
priority=-1,actions=drop
ip,nw_src=1.2.3.4/33,actions=drop
actions=mod_vlan_vid:5000
tp_dst=80,actions=drop
""").strip().splitlines():
        d.same("ovs-ofctl", "parse-flow", f)
    d.settle()


@test()
def a_thousand_packets_through_the_same_rules(t):
    """Random five-tuples against random prefixes: every rule counts the same."""
    import random

    rnd = random.Random(7)
    rules = ["priority=%d,%s,nw_src=%d.%d.0.0/%d%s,actions=output:%d" % (p, rnd.choice(["ip", "udp", "tcp"]), 10, rnd.randrange(4) * 64, rnd.choice([8, 10, 12, 16]), "" , 1 + p % 3) for p in range(1, 25)]
    d = Pair(t)
    dummy_bridge(d)
    d.quietly("ofctl", "add-flows", "br0", "-", stdin="\n".join(rules))
    frames = [packets.udp4(0x0A000000 + rnd.randrange(1 << 24), rnd.randrange(1 << 32), rnd.randrange(65536), 80).hex() for _ in range(300)]
    for i in range(0, len(frames), 50):
        d.quietly("appctl", "netdev-dummy/receive", "p1", *frames[i:i + 50])
    d.quietly("appctl", "revalidator/wait")
    d.quietly("appctl", "revalidator/wait")
    d.same("ofctl", "dump-flows", "br0", sort=True)
    d.settle()
