"""Random rule tables, groups and packets from a seed, for comparing two switches.

Everything is valid for Open vSwitch: matches state the prerequisites of what they and their actions name, tables are
only entered upwards (but for a few resubmits that a limit ends), and no two rules of a table have the same priority."""
import ipaddress
import struct

from . import packets

PORTS = (1, 2, 3, 4)
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01")
IPS = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.0.1", "224.0.0.1")
NETS = ("10.0.0.1", "10.0.0.0/24", "10.0.0.0/16", "10.0.0.0/8", "192.168.0.0/16", "10.0.0.2/31", "0.0.0.1/0.0.0.255")
IP6S = ("2001:db8::1", "2001:db8::2", "fe80::1")
L4_PORTS = (80, 443, 1000, 8080)
TABLES = (0, 0, 0, 1, 1, 2, 3, 4)
N_GROUPS = 6
PROTO = {"tcp": 6, "udp": 17, "icmp": 1, "tcp6": 6, "udp6": 17, "icmp6": 58}


class Rules:
    """One world: groups, rules and packets for OpenFlow `version` ("OpenFlow10" or "OpenFlow13").

    rare: also actions that send packets round again or that only some datapaths have."""

    def __init__(self, rnd, version, n_rules=40, rare=False):
        self.rnd, self.of10, self.rare = rnd, version == "OpenFlow10", rare
        self.version = version
        self.groups = [] if self.of10 else self.some_groups()
        self.flows = [self.flow(n) for n in range(n_rules)]
        if rnd.random() < 0.3:
            self.flows += self.conjunction()

    def pick(self, *of):
        return self.rnd.choice(of)

    def one_in(self, n):
        return self.rnd.randrange(n) == 0

    # ---- packets
    def packet(self):
        """Fields of a packet, for `text` and `frame`."""
        p = {"in_port": self.pick(*PORTS), "src": self.pick(*MACS[:3]), "dst": self.pick(*MACS)}
        if self.one_in(3):
            p["vlan"], p["pcp"] = self.pick(5, 6, 7, 0), self.pick(0, 3)
        p["kind"] = self.pick("tcp", "tcp", "udp", "udp", "icmp", "arp", "tcp6", "udp6", "icmp6", "other", "mpls", "ip")
        p["nw"] = (self.pick(*IPS), self.pick(*IPS))
        p["nw6"] = (self.pick(*IP6S), self.pick(*IP6S))
        p["ttl"], p["tos"] = self.pick(64, 64, 2, 1), self.pick(0, 0, 32, 1)
        p["tp"] = (self.pick(*L4_PORTS), self.pick(*L4_PORTS))
        p["op"], p["len"] = self.pick(1, 2), self.pick(0, 60, 300)
        return p

    @staticmethod
    def text(p):
        """As a flow for ofproto/trace."""
        out = ["in_port=%d" % p["in_port"], "dl_src=" + p["src"], "dl_dst=" + p["dst"]]
        if "vlan" in p:
            out.append("dl_vlan=%d,dl_vlan_pcp=%d" % (p["vlan"], p["pcp"]))
        kind = p["kind"]
        ip = "nw_src=%s,nw_dst=%s,nw_ttl=%d,nw_tos=%d,nw_ecn=%d" % (*p["nw"], p["ttl"], p["tos"] & 0xFC, p["tos"] & 3)
        ip6 = "ipv6_src=%s,ipv6_dst=%s,nw_ttl=%d,nw_tos=%d,nw_ecn=%d" % (*p["nw6"], p["ttl"], p["tos"] & 0xFC, p["tos"] & 3)
        tp = "tp_src=%d,tp_dst=%d" % p["tp"]
        return ",".join(out + {
            "tcp": ["tcp", ip, tp, "tcp_flags=syn"], "udp": ["udp", ip, tp.replace("tp_", "udp_")], "icmp": ["icmp", ip, "icmp_type=8,icmp_code=0"],
            "arp": ["arp", "arp_op=%d,arp_spa=%s,arp_tpa=%s,arp_sha=%s,arp_tha=00:00:00:00:00:00" % (p["op"], *p["nw"], p["src"])],
            "tcp6": ["tcp6", ip6, tp], "udp6": ["udp6", ip6, tp.replace("tp_", "udp_")], "icmp6": ["icmp6", ip6, "icmpv6_type=135,icmpv6_code=0,nd_target=2001:db8::1"],
            "other": ["dl_type=0x1234"], "mpls": ["mpls,mpls_label=17,mpls_tc=0,mpls_bos=1,mpls_ttl=%d" % p["ttl"]], "ip": ["ip,nw_proto=47," + ip],
        }[kind])

    @staticmethod
    def frame(p):
        """As bytes."""
        mac = lambda m: bytes.fromhex(m.replace(":", ""))  # noqa: E731
        head = mac(p["dst"]) + mac(p["src"])
        if "vlan" in p:
            head += struct.pack("!HH", 0x8100, p["pcp"] << 13 | p["vlan"])
        kind, payload = p["kind"], bytes(p["len"])
        if kind == "other":
            return head + b"\x12\x34" + bytes(46) + payload
        if kind == "mpls":
            return head + struct.pack("!HI", 0x8847, 17 << 12 | 1 << 8 | p["ttl"]) + bytes(46) + payload
        ip4 = [ipaddress.ip_address(a).packed for a in p["nw"]]
        ip6 = [ipaddress.ip_address(a).packed for a in p["nw6"]]
        if kind == "arp":
            return head + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, p["op"]) + mac(p["src"]) + ip4[0] + bytes(6) + ip4[1] + bytes(18)
        proto = PROTO.get(kind, 47)
        l4 = {6: struct.pack("!HHIIBBHHH", *p["tp"], 1, 0, 0x50, 2, 100, 0, 0), 17: struct.pack("!HHHH", *p["tp"], 8 + len(payload), 0),
              1: struct.pack("!BBHI", 8, 0, 0, 0), 58: struct.pack("!BBHI", 135, 0, 0, 0) + ipaddress.ip_address("2001:db8::1").packed, 47: bytes(4)}[proto]
        body = l4 + payload
        if kind.endswith("6"):
            at = {6: 16, 17: 6, 58: 2}[proto]
            sum_ = packets.checksum(pad(ip6[0] + ip6[1] + struct.pack("!II", len(body), proto) + body))
            body = body[:at] + struct.pack("!H", sum_) + body[at + 2:]
            return head + struct.pack("!HIHBB", 0x86DD, 6 << 28 | p["tos"] << 20, len(body), proto, p["ttl"]) + ip6[0] + ip6[1] + body
        if proto in (6, 17):
            at = {6: 16, 17: 6}[proto]
            sum_ = packets.checksum(pad(ip4[0] + ip4[1] + struct.pack("!HH", proto, len(body)) + body)) or 0xFFFF
            body = body[:at] + struct.pack("!H", sum_) + body[at + 2:]
        elif proto == 1:
            body = body[:2] + struct.pack("!H", packets.checksum(pad(body))) + body[4:]
        ip = struct.pack("!BBHHHBBH", 0x45, p["tos"], 20 + len(body), 0, 0, p["ttl"], proto, 0) + ip4[0] + ip4[1]
        ip = ip[:10] + struct.pack("!H", packets.checksum(ip)) + ip[12:]
        return head + b"\x08\x00" + ip + body

    # ---- rules
    def match(self, table):
        """(fields, protocol word or "", is there a tag: True, False, or None for unknown)."""
        m, tagged = [], None
        if self.one_in(2):
            m.append("in_port=%s" % self.pick(*PORTS, "LOCAL"))
        if self.one_in(4):
            vlan, tagged = self.pick(("dl_vlan=5", True), ("dl_vlan=6,dl_vlan_pcp=3", True), ("vlan_tci=0x0000/0x1fff", False), ("vlan_tci=0x1000/0x1000", True), ("dl_vlan_pcp=3", True))
            m.append(vlan)
        if self.one_in(5):
            m.append("dl_dst=%s" % self.pick(*MACS, "01:00:00:00:00:00/01:00:00:00:00:00"))
        if self.one_in(6):
            m.append("dl_src=%s" % self.pick(*MACS[:3]))
        if table and self.one_in(3):
            m.append(self.pick("reg0=1", "reg1=0x5/0xff", "reg0=0/0x2", "metadata=0x3", "reg2=0x1/0x1"))
        word = self.pick("", "", "ip", "tcp", "udp", "tcp", "udp", "icmp", "arp", "ipv6", "tcp6", "icmp6", "mpls")
        if word:
            m.append(word)
        if word in ("ip", "tcp", "udp", "icmp"):
            if self.one_in(2):
                m.append("%s=%s" % (self.pick("nw_src", "nw_dst"), self.pick(*NETS)))
        if word in ("ip", "tcp", "udp", "icmp", "ipv6", "tcp6") and self.one_in(5):
            m.append(self.pick("nw_tos=32", "nw_ttl=64", "nw_ecn=1"))
        if word in ("tcp", "udp", "tcp6") and self.one_in(2):
            m.append("%s=%s" % (self.pick("tp_src", "tp_dst"), self.pick("80", "443", "0x50/0xfff0", "0x1f00/0xff00")))
        if word == "tcp" and self.one_in(4):
            m.append("tcp_flags=+syn-ack")
        if word == "arp" and self.one_in(2):
            m.append(self.pick("arp_op=1", "arp_tpa=10.0.0.1", "arp_spa=10.0.0.0/24"))
        if word in ("ipv6", "tcp6") and self.one_in(2):
            m.append(self.pick("ipv6_src=2001:db8::/32", "ipv6_dst=fe80::1", "ipv6_src=2001:db8::1"))
        if word == "icmp6" and self.one_in(2):
            m.append(self.pick("icmp_type=135", "icmp_type=135,nd_target=2001:db8::1", "icmp_type=128"))
        if word == "mpls" and self.one_in(2):
            m.append(self.pick("mpls_label=17", "mpls_bos=1", "mpls_tc=0"))
        return m, word, tagged

    def action(self, table, word, tagged, depth=0):
        of13 = not self.of10
        up = table + 1 + self.rnd.randrange(2)
        any_ = [
            lambda: "output:%d" % self.pick(*PORTS), lambda: "output:%d" % self.pick(*PORTS), lambda: "output:%d" % self.pick(*PORTS), lambda: self.pick("IN_PORT", "LOCAL", "FLOOD", "ALL", "NORMAL", "NORMAL"),
            lambda: "mod_dl_src:" + self.pick(*MACS[:3]), lambda: "mod_dl_dst:" + self.pick(*MACS),
            lambda: self.pick("load:1->NXM_NX_REG0[]", "load:5->NXM_NX_REG1[0..7]", "load:1->NXM_NX_REG2[0]", "load:2->NXM_OF_IN_PORT[]", "load:0->NXM_OF_IN_PORT[]", "load:3->NXM_NX_REG0[0..15]"),
            lambda: self.pick("move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]", "move:NXM_NX_REG0[0..7]->NXM_NX_REG1[0..7]", "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]", "move:NXM_OF_ETH_SRC[0..15]->NXM_NX_REG2[0..15]", "move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG2[0..11]"),
            lambda: "push:NXM_NX_REG0[],pop:NXM_NX_REG1[]", lambda: "push:NXM_OF_ETH_SRC[],push:NXM_OF_ETH_DST[],pop:NXM_OF_ETH_SRC[],pop:NXM_OF_ETH_DST[]",
            lambda: self.pick("output:NXM_NX_REG0[0..15]", "output:NXM_NX_REG2[0..3]", "output:NXM_OF_IN_PORT[]"),
            lambda: "resubmit(,%d)" % up, lambda: "resubmit(,%d)" % up, lambda: "resubmit(%d,%d)" % (self.pick(*PORTS), up),
            lambda: self.pick("CONTROLLER:128", "controller(max_len=64,reason=no_match,id=3)", "note:01.02.03.04.05.06", "CONTROLLER:65535"),
            lambda: "multipath(%s,50,%s,4,%d,NXM_NX_REG%d[0..7])" % (self.pick("eth_src", "symmetric_l4", "symmetric_l3l4", "nw_src", "nw_dst"), self.pick("modulo_n", "hash_threshold", "hrw", "iter_hash"), 7, self.pick(0, 1)),
            lambda: self.pick("bundle(eth_src,0,hrw,ofport,members:1,2,3)", "bundle(symmetric_l4,7,active_backup,ofport,members:9,2,3)", "bundle_load(eth_src,3,hrw,ofport,NXM_NX_REG0[],members:1,2)"),
            lambda: "exit", lambda: self.pick("set_queue:7", "pop_queue", "enqueue:%d:3" % self.pick(*PORTS)),
            lambda: "strip_vlan" if tagged is not False else "note:07.00.00.00.00.00",
        ]
        ways = list(any_)
        if word in ("ip", "tcp", "udp", "icmp"):
            ways += [lambda: "mod_nw_src:" + self.pick(*IPS[:4]), lambda: "mod_nw_dst:" + self.pick(*IPS), lambda: "mod_nw_tos:%d" % self.pick(32, 64), lambda: "dec_ttl", lambda: "dec_ttl",
                     lambda: "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]", lambda: "move:NXM_OF_IP_SRC[0..15]->NXM_NX_REG2[0..15]", lambda: "load:0xa->NXM_OF_IP_SRC[0..7]"]
        if word in ("ipv6", "tcp6", "icmp6"):
            ways += [lambda: "dec_ttl", lambda: "set_field:%s->ipv6_dst" % self.pick(*IP6S) if of13 else "mod_nw_tos:32"]
        if word in ("tcp", "udp", "tcp6"):
            ways += [lambda: "mod_tp_dst:%d" % self.pick(99, 8080), lambda: "mod_tp_src:98"]
        if word in ("tcp", "tcp6"):
            ways += [lambda: "fin_timeout(idle_timeout=5,hard_timeout=9)"]
        if word == "arp":
            ways += [lambda: "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]", lambda: "load:0x2->NXM_OF_ARP_OP[]", lambda: "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]", lambda: "load:0x0a000001->NXM_OF_ARP_SPA[]"]
        if word == "mpls":
            ways += [lambda: "dec_mpls_ttl", lambda: "pop_mpls:0x1234", lambda: "push_mpls:0x8847"]
        if self.of10 or tagged is False:
            ways += [lambda: "mod_vlan_vid:%d" % self.pick(5, 9), lambda: "mod_vlan_pcp:2"]
        if tagged:
            ways += [lambda: "mod_vlan_vid:%d" % self.pick(5, 9), lambda: "mod_vlan_pcp:2"]
        if of13:
            ways += [lambda: "push_vlan:0x8100" + self.pick("", ",set_field:4105->vlan_vid"), lambda: "set_field:0x3->metadata", lambda: "group:%d" % (1 + self.rnd.randrange(N_GROUPS)),
                     lambda: "set_field:00:00:00:00:00:05/00:00:00:00:00:ff->eth_dst"]
        if self.rare:
            ways += [lambda: self.pick("set_tunnel:0x5", "set_tunnel64:0x123456789", "check_pkt_larger(200)->NXM_NX_REG0[0]", "ct_clear")] * 3
        if self.rare and word in ("ip", "tcp", "udp", "icmp", "ipv6", "tcp6"):
            ways += [lambda: self.pick("ct(commit,zone=5)", "ct(table=%d)" % up, "ct(table=%d,zone=NXM_NX_REG0[0..15])" % up, "ct(commit,table=%d,zone=7,exec(load:0x3->NXM_NX_CT_MARK[]))" % up, "ct(commit,force,zone=3)", "ct(table=%d,nat)" % up)] * 4
        if self.rare and word in ("tcp", "udp", "ip"):
            ways += [lambda: self.pick("ct(commit,nat(src=10.9.0.1-10.9.0.9:1000-2000,random))", "ct(commit,table=%d,nat(dst=10.9.0.1))" % up)] * 2
        if depth == 0:
            ways += [lambda: "clone(%s)" % ",".join(self.action(table, word, tagged, 1) for _ in range(1 + self.rnd.randrange(3))),
                     lambda: "learn(table=%d,priority=%d,%s)" % (5, 100 + self.rnd.randrange(3), self.pick("NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]", "NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]", "eth_type=0x800,load:1->NXM_NX_REG1[0]")),
                     lambda: "resubmit(,5)"]
        return self.pick(*ways)()

    def flow(self, n):
        table = self.pick(*TABLES)
        m, word, tagged = self.match(table)
        acts = [self.action(table, word, tagged) for _ in range(1 + self.rnd.randrange(4))]
        if any(a.startswith(("strip_vlan", "push_vlan", "mod_vlan")) for a in acts):
            tagged = None  # what follows must not rely on it: one such action per rule
            first = next(i for i, a in enumerate(acts) if a.startswith(("strip_vlan", "push_vlan", "mod_vlan")))
            acts = acts[:first + 1] + [a for a in acts[first + 1:] if "vlan" not in a.lower() and "mpls" not in a]
        if any("mpls:" in a for a in acts):
            first = next(i for i, a in enumerate(acts) if "mpls:" in a)
            acts = acts[:first + 1] + ["output:%d" % self.pick(*PORTS)]
        if not self.of10:
            if self.one_in(6):
                acts.append(self.pick("clear_actions", "write_actions(output:2,mod_dl_dst:00:00:00:00:00:07)", "write_actions(group:1)", "write_actions(mod_dl_src:00:00:00:00:00:08,output:IN_PORT)"))
            if self.one_in(6):
                acts.append("write_metadata:0x3/0xf")
            if self.one_in(4):
                acts.append("goto_table:%d" % (table + 1 + self.rnd.randrange(2)))
        elif self.one_in(12):
            acts = ["drop"]
        return "table=%d,priority=%d,cookie=0x%x,%sactions=%s" % (table, 100 + n, n % 3, "".join(f + "," for f in m), ",".join(acts))

    def conjunction(self):
        """A conjunctive match of two clauses in table 0, above all else."""
        return ["table=0,priority=900,ip,nw_src=%s,actions=conjunction(7,1/2)" % a for a in IPS[:2]] + \
               ["table=0,priority=900,tcp,tp_dst=%d,actions=conjunction(7,2/2)" % p for p in L4_PORTS[:2]] + \
               ["table=0,priority=900,conj_id=7,actions=mod_dl_dst:02:00:00:00:00:07,output:%d" % self.pick(*PORTS)]

    def some_groups(self):
        bucket = lambda: self.pick("output:%d" % self.pick(*PORTS), "mod_dl_dst:02:00:00:00:00:09,output:%d" % self.pick(*PORTS), "output:%d,output:%d" % (self.pick(*PORTS), self.pick(*PORTS)), "resubmit(,4)")  # noqa: E731
        out = []
        for n in range(1, N_GROUPS + 1):
            kind = self.pick("all", "indirect", "ff", "select", "all")
            if kind == "ff":
                buckets = ["watch_port:%d,actions=%s" % (self.pick(*PORTS), bucket()) for _ in range(2)]
            elif kind == "select":
                buckets = ["weight:%d,actions=%s" % (self.pick(1, 10), bucket()) for _ in range(3)]
            else:
                buckets = ["actions=" + bucket() for _ in range(1 if kind == "indirect" else 1 + self.rnd.randrange(3))]
            method = ",selection_method=hash,fields(eth_src)" if kind == "select" else ""
            out.append("group_id=%d,type=%s%s,%s" % (n, kind, method, ",".join("bucket=" + b for b in buckets)))
        return out


def pad(data):
    return data + b"\0" if len(data) % 2 else data
