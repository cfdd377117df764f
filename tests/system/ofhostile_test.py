"""OpenFlow peers that mean harm: the messages that broke Open vSwitch, half messages, floods, bundles left open, a peer
that never reads. Each is answered with an error or dropped; the others are served, memory stays bounded."""
import random
import socket
import struct
import time

from controller_test import Peer
from harness import test, until
from ofmonitor_test import PACKET, dummy_bridge, table

NX = 0x2320
SEED = 20231107


def connect(sw, version):
    p = Peer(sw.dir + "/br0.mgmt", hello=False)
    p.send(0, b"", version=version)
    assert p.receive()[0] == 0
    return p


def ask(p, version, type_, body, xid):
    """The error (type, code) that a message gets, or None."""
    p.send(type_, body, xid=xid, version=version)
    p.send(20 if version > 1 else 18, b"", xid=xid + 1, version=version)
    error = None
    while True:
        m = p.receive()
        assert m, "the connection was closed"
        if m[0] == 1 and m[1] == xid:
            error = struct.unpack_from("!HH", m[2])
        if m[1] == xid + 1:
            return error


def flow_mod(actions, version=4, command=0, table=0, priority=1):
    body = struct.pack("!QQBBHHHIIIHxx", 0, 0, table, command, 0, 0, priority, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0) + struct.pack("!HH4x", 1, 4)
    return body + (struct.pack("!HH4x", 4, 8 + len(actions)) + actions if actions else b"")


def nx(subtype, body):
    body = struct.pack("!IH", NX, subtype) + body
    body += bytes(-(len(body) + 4) % 8)
    return struct.pack("!HH", 0xFFFF, 4 + len(body)) + body


def group_15(command=0, type_=0, array=0, id_=1, rest=b""):
    return struct.pack("!HBxIHxxI", command, type_, id_, array, 0xFFFFFFFF) + rest


@test(limit_s=120)
def messages_that_broke_open_vswitch(t):
    """reliability.md 1b: each gets an error, none closes the connection, repeating them costs no memory."""
    sw = dummy_bridge(t)
    nested = struct.pack("!HHIH", 0, 16, 1, 0) + bytes(6)
    for _ in range(200):
        nested = nx(42, bytes(6) + nested)
        if len(nested) > 60000:
            break
    cases = [
        ("group mod, command 0xffff", 6, 15, group_15(command=0xFFFF)),
        ("group mod, type 9", 6, 15, group_15(type_=9)),
        ("group mod, buckets beyond the end", 6, 15, group_15(array=0x100)),
        ("group mod, bucket of no length", 6, 15, group_15(array=8, rest=bytes(8))),
        ("group mod, selection property cut", 6, 15, group_15(type_=1, rest=struct.pack("!HHII", 0xFFFF, 60, 0x154D, 1) + bytes(12))),
        ("bundle action, more members than bytes", 4, 14, flow_mod(nx(12, struct.pack("!HHHIHHIIxxxx", 0, 0, 0, 0x00000002, 500, 0, 0, 0)))),
        ("encap with a property of no length", 4, 14, flow_mod(nx(46, struct.pack("!HI", 0, 0x0001894F) + bytes(8)))),
        ("learn, spec cut", 4, 14, flow_mod(nx(16, struct.pack("!HHHQHBxHH", 0, 0, 0, 0, 0, 0, 0, 0) + struct.pack("!H", 0x0010 + 300)))),
        ("learn, more bits than the field", 4, 14, flow_mod(nx(16, struct.pack("!HHHQHBxHH", 0, 0, 0, 0, 0, 0, 0, 0) + struct.pack("!HIHIH", 0x0000 | 1023, 0x00000802, 0, 0x00000802, 0)))),
        ("clone inside clone inside clone", 4, 14, flow_mod(nested)),
        ("output to port 0", 4, 14, flow_mod(struct.pack("!HHIH6x", 0, 16, 0, 0))),
        ("role 9", 4, 24, struct.pack("!I4xQ", 9, 0)),
        ("meter mod, band of 4 bytes", 4, 29, struct.pack("!HHI", 0, 1, 1) + struct.pack("!HH", 1, 4) + bytes(4)),
        ("modify to a group that is not there", 4, 14, flow_mod(struct.pack("!HHI", 22, 8, 77))),
        ("bundle, inner message of another length", 5, 34, struct.pack("!IHH", 1, 0, 3) + struct.pack("!BBHI", 5, 14, 200, 1) + bytes(40)),
        ("bundle in a bundle", 5, 34, struct.pack("!IHH", 1, 0, 3) + struct.pack("!BBHI", 5, 33, 16, 1) + struct.pack("!IHH", 2, 0, 3)),
        ("statistics of kind 60000", 4, 18, struct.pack("!HHI", 60000, 0, 0)),
        ("vendor 0x12345678", 4, 4, struct.pack("!II", 0x12345678, 1)),
        ("resume with rubbish", 4, 4, struct.pack("!II", NX, 28) + struct.pack("!HH", 8, 8) + b"rubbish!"[:4]),
        ("TLV map of 5 bytes", 4, 4, struct.pack("!II", NX, 24) + struct.pack("!H6x", 0) + struct.pack("!HBBHH", 1, 2, 5, 0, 0)),
        ("flow monitor with bad flags", 5, 18, struct.pack("!HHI", 16, 0, 0) + struct.pack("!IIIHBB", 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFF00, 0xFF, 0) + struct.pack("!HH4x", 1, 4)),
    ]
    peers = {v: connect(sw, v) for v in (4, 5, 6)}
    missing = [name for name, version, type_, body in cases if ask(peers[version], version, type_, body, 100) is None]
    assert not missing, "no error for: " + "; ".join(missing)
    rss = None
    for turn in range(60):
        for _, version, type_, body in cases:
            ask(peers[version], version, type_, body, 100)
        if turn == 20:
            rss = sw.vswitchd.rss_kib()
    assert sw.vswitchd.rss_kib() < rss + 4096, "%d KiB, after a third %d KiB" % (sw.vswitchd.rss_kib(), rss)
    assert not table(sw) and not sw.crashes()


@test(limit_s=120)
def random_bytes_in_every_message(t):
    """Seeded rubbish in the frames of all types and versions: errors or nothing, and the table stays readable."""
    sw = dummy_bridge(t)
    r = random.Random(SEED)
    for version in range(1, 7):
        p = connect(sw, version)
        p.s.settimeout(10)
        for n in range(1500):
            type_ = r.choice((4, 13, 14, 15, 16, 17, 18, 19, 22, 24, 28, 29, 33, 34, r.randrange(4, 40)))
            if version == 1 and type_ == 17 or version > 1 and type_ == 19:
                continue
            body = bytearray(r.randrange(256) if r.random() < .4 else r.choice((0, 0, 0, 1, 4, 8, 16, 255)) for _ in range(r.choice((0, 4, 8, 16, 24, 32, 40, 48, 56, 64, 72, 120))))
            if type_ == 4 and len(body) >= 8:
                body[:8] = struct.pack("!II", NX, r.randrange(8, 34))
            p.send(type_, bytes(body), xid=n, version=version)
            if n % 100 == 99:
                p.send(2, b"", xid=90000 + n, version=version)
                while (m := p.receive()) and m[1] != 90000 + n:
                    pass
                assert m, "closed (seed %d, version %d, message %d)" % (SEED, version, n)
        p.close()
    sw.assert_alive()
    sw.ofctl("dump-flows", "br0", version="OpenFlow13")


@test(limit_s=120)
def half_messages_and_silent_peers_disturb_nobody(t):
    sw = dummy_bridge(t)
    halves = []
    for n in range(200):  # a hello and a half, and then nothing
        p = Peer(sw.dir + "/br0.mgmt", hello=n % 2 == 0)
        p.s.send(struct.pack("!BBHI", 4, 14, 5000, 1)[: 1 + n % 8] + bytes(n))
        halves.append(p)
    sw.ofctl("add-flow", "br0", "in_port=1,actions=2")
    assert len(table(sw)) == 1
    # A peer that asks for much and never reads.
    sw.flows("br0", *["priority=%d,in_port=1,actions=2" % (n + 1) for n in range(3000)])
    deaf = socket.socket(socket.AF_UNIX)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(sw.dir + "/br0.mgmt")
    deaf.send(struct.pack("!BBHI", 4, 0, 8, 1))
    rss = sw.vswitchd.rss_kib()
    deaf.setblocking(False)
    request = struct.pack("!BBHI", 4, 18, 56, 2) + struct.pack("!HHI", 1, 0, 0) + struct.pack("!B3xII4xQQ", 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0) + struct.pack("!HH4x", 1, 4)
    sent = 0
    try:
        for _ in range(20000):
            sent += deaf.send(request)
    except BlockingIOError:
        pass
    assert sent < 20000 * len(request), "the switch stops reading from a peer that does not read"
    assert len(table(sw)) == 3000
    assert sw.vswitchd.rss_kib() < rss + 100_000, (rss, sw.vswitchd.rss_kib())
    for p in halves:
        p.close()


@test(limit_s=150)
def big_bundles_are_bounded_and_die_with_their_connection(t):
    """65,000 flow mods in one bundle, thrown away by a disconnect, by a discard and by a bad member; then committed."""
    sw = dummy_bridge(t)
    n = 65000
    control = lambda kind: struct.pack("!IHH", 1, kind, 3)  # noqa: E731
    one = [struct.pack("!IHH", 1, 0, 3) + struct.pack("!BBHI", 5, 14, 8 + len(body), 7) + body for body in (flow_mod(b"", 5, priority=p) for p in range(n))]

    def fill(p, rows):
        p.send(33, control(0), xid=7, version=5)
        p.s.sendall(b"".join(struct.pack("!BBHI", 5, 34, 8 + len(b), 7) + b for b in rows))

    start = sw.vswitchd.rss_kib()
    p = connect(sw, 5)
    fill(p, one)
    p.send(20, b"", xid=8, version=5)
    p.s.settimeout(60)
    while p.receive()[1] != 8:
        pass
    full = sw.vswitchd.rss_kib()
    assert full - start < 400_000, "%d KiB for %d flow mods" % (full - start, n)
    p.close()  # without a commit
    assert not table(sw)
    bad = struct.pack("!IHH", 1, 0, 3) + struct.pack("!BBHI", 5, 14, 72, 7) + flow_mod(struct.pack("!HHI", 22, 8, 77), 5)
    p = connect(sw, 5)
    p.s.settimeout(60)
    fill(p, one[:20000] + [bad])
    p.send(33, control(4), xid=9, version=5)
    errors = []
    while (m := p.receive())[1] != 9:
        if m[0] == 1:
            errors.append((m[1], struct.unpack_from("!HH", m[2])))
    assert errors == [(7, (2, 9))] and struct.unpack_from("!HH", m[2]) == (17, 13), (errors, m)
    assert not table(sw)
    fill(p, one)
    t0 = time.monotonic()
    p.send(33, control(4), xid=10, version=5)
    while (m := p.receive())[1] != 10:
        pass
    assert m[0] == 33, m
    print("%d in %.2f s, %d MiB more; " % (n, time.monotonic() - t0, (sw.vswitchd.rss_kib() - start) // 1024), end="")
    assert len(table(sw)) == n
    p.send(14, flow_mod(b"", 5, command=3), xid=11, version=5)
    until(lambda: not table(sw), "all deleted by one")


@test()
def meters_and_groups_go_under_their_flows(t):
    """A meter and a group are changed and deleted while flows use them; a packet-out meets a rule whose meter is gone; strict deletes compare what they should (CVE-2022-32166)."""
    sw = dummy_bridge(t)
    of = lambda *a: sw.ofctl(*a, version="OpenFlow13")  # noqa: E731
    of("add-meter", "br0", "meter=1,pktps,bands=type=drop,rate=1")
    of("add-group", "br0", "group_id=1,type=all,bucket=output:2")
    of("add-flow", "br0", "in_port=1,actions=meter:1,group:1")
    of("add-flow", "br0", "in_port=2,actions=group:1")
    for _ in range(20):
        of("packet-out", "br0", "in_port=1 packet=%s actions=table" % PACKET)
    of("mod-meter", "br0", "meter=1,kbps,bands=type=drop,rate=1")
    of("mod-group", "br0", "group_id=1,type=select,bucket=output:1,bucket=output:2")
    of("packet-out", "br0", "in_port=1 packet=%s actions=table" % PACKET)
    of("del-meter", "br0", "meter=1")
    assert len(table(sw)) == 1, table(sw)
    of("del-groups", "br0")
    assert not table(sw)
    of("packet-out", "br0", "in_port=1 packet=%s actions=table" % PACKET)
    of("add-flow", "br0", "priority=7,icmp,icmp_type=8,icmp_code=0,cookie=0x12,actions=drop")
    of("--strict", "del-flows", "br0", "priority=7,icmp,icmp_type=8,icmp_code=0,cookie=0x10/0xff")
    assert len(table(sw)) == 1
    of("--strict", "del-flows", "br0", "priority=7,icmp,icmp_type=8,icmp_code=0,cookie=0x2/0xf")
    assert not table(sw)
