"""Random rules, groups and packets through Debian's Open vSwitch and ours, from a seed that is printed.

Compared: what loading says, the flows that are dumped, ofproto/trace (all but the megaflow's mask, which may be narrower or
wider where that is valid), the packets that leave each port byte for byte, and the counters of rules, groups and ports.
VSWITCH_SEED chooses the first seed, VSWITCH_ROUNDS how many."""
import contextlib
import difflib
import json
import os
import random
import re
import socket

from differential_test import Pair, normal
from harness import packets, test
from harness.proc import Failed, until
from harness.random_rules import PORTS, Rules

PACKETS_PER_ROUND = 25
DIFFERENCES_MAX = int(os.environ.get("VSWITCH_DIFFERENCES", 20))


def unixctl(path, method, *args):
    """What ovs-appctl prints, without its process."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        s.sendall(json.dumps({"id": 0, "method": method, "params": args}).encode())
        data = b""
        while True:
            got = s.recv(1 << 16)
            assert got, "%s: closed after %r" % (method, data[:200])
            data += got
            try:
                reply = json.loads(data)
            except ValueError:
                continue
            return reply["error"] or reply["result"]


def essence(trace):
    """Without the megaflow and the numbers of frozen states; and ours sets ARP and ICMP fields in the datapath, Debian's cannot."""
    trace = re.sub(r"(?m)^Megaflow: .*\n", "", trace)
    trace = re.sub(r"(?m)^This flow is handled by the userspace slow path because it:\n  - Uses action\(s\) not supported by datapath.\n", "", trace)
    return re.sub(r"(recirc_id=|recirc\(|recirc_id\()(0x)?[0-9a-f]+", r"\1N", trace)


class World:
    """Both switches with a bridge of dummy ports that record what they send."""

    def __init__(self, t):
        self.pair = Pair(t)
        self.sides = self.pair.sides
        self.differences, self.compared, self.same_masks, self.traces = [], 0, 0, 0
        self.seen = {}
        for s in self.sides:
            # One by one: in which order several ports of one transaction are added is nobody's promise.
            args = "add-br br0 -- set Bridge br0 datapath_type=dummy fail_mode=secure other_config:datapath-id=00000000000000aa other_config:hwaddr=02:00:00:00:00:aa".split()
            s.vsctl(*args)
            for n in PORTS:
                s.vsctl("add-port", "br0", "p%d" % n, "--", "set", "Interface", "p%d" % n, "type=dummy", "ofport_request=%d" % n, "options:tx_pcap=%s" % self.pcap(s, n))

    def pcap(self, s, n):
        return "%s/p%d.pcap" % (s.dir, n)

    def both(self, what, told, f, sort=False):
        """Compares f(side) of both; `told` introduces a difference."""
        a, b = [normal(f(s), s).splitlines() for s in self.sides]
        if sort:
            a, b = sorted(a), sorted(b)
        self.compared += 1
        if a != b:
            diff = "\n".join(list(difflib.unified_diff(a, b, "debian", "ours", lineterm="", n=2))[:40])
            self.differences.append("#### %s: %s\n%s" % (told, what, diff))
        return a == b

    def ofctl(self, s, version, *args, stdin=None):
        p = s.ofctl(*args, check=False, version=version, stdin=stdin)
        return p.stdout + re.sub(r"(?m)^\d{4}-\d\d-\d\dT.*\|\d+\|.*\n", "", p.stderr)

    def load(self, seed, rules):
        v = rules.version
        for s in self.sides:
            s.ofctl("del-flows", "br0", version="OpenFlow13")
            s.ofctl("del-groups", "br0", version="OpenFlow13")
            unixctl(s.ctl, "fdb/flush")
        if rules.groups:
            self.both("add-groups", "seed %d" % seed, lambda s: self.ofctl(s, v, "add-groups", "br0", "-", stdin="\n".join(rules.groups)))
        self.both("add-flows", "seed %d" % seed, lambda s: self.ofctl(s, v, "add-flows", "br0", "-", stdin="\n".join(rules.flows)))
        self.both("dump-flows", "seed %d" % seed, lambda s: self.ofctl(s, v, "--no-stats", "dump-flows", "br0"), sort=True)

    def trace(self, seed, flow):
        texts = [unixctl(s.ctl, "ofproto/trace", "br0", flow) for s in self.sides]
        it = iter(texts)
        self.traces += 1
        masks = [re.findall(r"(?m)^Megaflow: .*$", t) for t in texts]
        self.same_masks += masks[0] == masks[1]
        if os.environ.get("VSWITCH_MASKS") and masks[0] != masks[1]:
            print("seed %d: %s\n  %s\n  %s" % (seed, flow, masks[0], masks[1]))
        self.both("trace " + flow, "seed %d" % seed, lambda s: essence(next(it)))

    def sent(self, s):
        """What left since the last call, by port."""
        out = []
        for n in PORTS:
            all_ = packets.read_pcap(self.pcap(s, n))
            out += ["p%d %s" % (n, p.hex()) for p in all_[self.seen.get((s, n), 0):]]
            self.seen[s, n] = len(all_)
        return "\n".join(out)

    def done(self, s):
        """Packets received, and lookups of the datapath."""
        text = unixctl(s.ctl, "dpctl/show", "-s")
        return sum(map(int, re.findall(r"RX packets:(\d+)", text))), sum(map(int, re.search(r"hit:(\d+) missed:(\d+)", text).groups()))

    def send(self, packet):
        frame = Rules.frame(packet).hex()
        before = [self.done(s) for s in self.sides]
        for s in self.sides:
            said = unixctl(s.ctl, "netdev-dummy/receive", "p%d" % packet["in_port"], frame)
            assert not said, said
        for s, (n_rx, n_lookups) in zip(self.sides, before):
            until(lambda: self.done(s) >= (n_rx + 1, n_lookups + 1), "%s: the packet is received and looked up" % s.vs_f.name, step_s=0.001)

    def outputs(self, seed, n_in):
        """Everything that came out; a switch may still be writing the last packet."""
        def same():
            now = [[packets.read_pcap(self.pcap(s, n))[self.seen.get((s, n), 0):] for n in PORTS] for s in self.sides]
            return now[0] == now[1]
        with contextlib.suppress(Failed):
            until(same, "the same packets have left", limit_s=2)
        self.both("packets out, of %d in" % n_in, "seed %d" % seed, self.sent)

    def counters(self, seed, version):
        for s in self.sides:
            unixctl(s.ctl, "revalidator/wait")
            unixctl(s.ctl, "revalidator/wait")
        self.both("dump-flows", "seed %d" % seed, lambda s: re.sub(r"hard_age=\d+, ", "", self.ofctl(s, version, "dump-flows", "br0")), sort=True)
        self.both("dump-ports", "seed %d" % seed, lambda s: self.ofctl(s, version, "dump-ports", "br0"))
        if version != "OpenFlow10":
            self.both("dump-group-stats", "seed %d" % seed, lambda s: self.ofctl(s, version, "dump-group-stats", "br0"), sort=True)


def rounds(t, first, n):
    w = World(t)
    for seed in range(first, first + n):
        rnd = random.Random(seed)
        rare = seed % 3 == 0  # traced only: what conntrack does with packets is another test's matter
        rules = Rules(rnd, "OpenFlow10" if seed % 2 else "OpenFlow13", rare=rare)
        w.load(seed, rules)
        several = [rules.packet() for _ in range(PACKETS_PER_ROUND)]
        for p in several:
            w.trace(seed, rules.text(p))
        if not rare:
            for p in several:
                w.send(p)
            w.outputs(seed, len(several))
            w.counters(seed, rules.version)
        if len(w.differences) > DIFFERENCES_MAX:
            break
    print("seeds %d to %d, %d comparisons, %d of %d megaflows with equal masks " % (first, seed, w.compared, w.same_masks, w.traces), end="")
    assert not w.differences, "%d of %d comparisons differ:\n%s" % (len(w.differences), w.compared, "\n".join(w.differences[:max(12, DIFFERENCES_MAX)]))


@test(limit_s=120)
def random_rules_and_packets(t):
    rounds(t, int(os.environ.get("VSWITCH_SEED", 1)), int(os.environ.get("VSWITCH_ROUNDS", 10)))


@test(limit_s=3600, nightly=True)
def many_random_rules_and_packets(t):
    rounds(t, int(os.environ.get("VSWITCH_SEED", random.randrange(1 << 30))), int(os.environ.get("VSWITCH_ROUNDS", 200)))
