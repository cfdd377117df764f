"""A guest that breaks every rule of vhost-user: messages and rings.  The switch goes on, its other ports too, and no buffer leaks."""
import contextlib
import mmap
import os
import random
import re
import socket
import struct

from harness import packets, test, until

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM, SET_NUM, SET_ADDR, SET_BASE, SET_KICK, SET_CALL = 1, 2, 3, 5, 8, 9, 10, 12, 13
GET_PROTOCOL, SET_PROTOCOL, SET_ENABLE = 15, 16, 18
VERSION_1, PROTOCOL, MRG = 1 << 32, 1 << 30, 1 << 15
MEM, RING, DESC, AVAIL, USED, BUFFERS, STRIDE = 4 << 20, 256, 0x1000, 0x4000, 0x6000, 0x10000, 0x2000
NEXT, WRITE, INDIRECT = 1, 2, 4


class Front:
    """The front-end (a hypervisor's part) over a connection that the switch made."""

    def __init__(self, listener, features=VERSION_1 | PROTOCOL | MRG):
        self.s, _ = listener.accept()
        self.s.settimeout(3)
        self.fd = os.memfd_create("guest")
        os.ftruncate(self.fd, MEM)
        self.m = mmap.mmap(self.fd, MEM)
        self.features = features
        self.avail = 0
        self.fds = [self.fd]

    def close(self):
        self.s.close()
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.m.close()

    def send(self, request, payload=b"", fds=(), size=None, flags=1):
        head = struct.pack("<III", request, flags, len(payload) if size is None else size)
        socket.send_fds(self.s, [head + payload], list(fds))

    def ask(self, request):
        self.send(request)
        head = self.s.recv(12, socket.MSG_WAITALL)
        size = struct.unpack("<III", head)[2]
        return struct.unpack("<Q", self.s.recv(size, socket.MSG_WAITALL)[:8])[0]

    def event(self):
        self.fds.append(os.eventfd(0, os.EFD_NONBLOCK))
        return self.fds[-1]

    def memory(self, regions=None, fds=None, n=None):
        regions = [(0, MEM, 0, 0)] if regions is None else regions
        payload = struct.pack("<II", len(regions) if n is None else n, 0) + b"".join(struct.pack("<QQQQ", *r) for r in regions)
        self.send(SET_MEM, payload, [self.fd] if fds is None else fds)

    def ring(self, index, num=RING, desc=DESC, avail=AVAIL, used=USED, base=0):
        at = index * 0x8000
        self.send(SET_NUM, struct.pack("<II", index, num))
        self.send(SET_BASE, struct.pack("<II", index, base))
        self.send(SET_ADDR, struct.pack("<IIQQQQ", index, 0, desc + at, used + at, avail + at, 0))
        self.send(SET_KICK, struct.pack("<Q", index), [self.event()])
        self.send(SET_CALL, struct.pack("<Q", index), [self.event()])
        self.send(SET_ENABLE, struct.pack("<II", index, 1))

    def greet(self):
        self.send(SET_OWNER)
        offered = self.ask(GET_FEATURES)
        self.send(SET_FEATURES, struct.pack("<Q", offered & self.features))
        if offered & PROTOCOL:
            self.ask(GET_PROTOCOL)
            self.send(SET_PROTOCOL, struct.pack("<Q", 0))

    def up(self, **tx):
        self.greet()
        self.memory()
        self.ring(0)
        self.ring(1, **tx)

    # ---- the transmit ring (1): what the guest sends
    def desc(self, n, addr, length, flags=0, nxt=0):
        struct.pack_into("<QIHH", self.m, 0x8000 + DESC + 16 * n, addr & (1 << 64) - 1, length & 0xFFFFFFFF, flags, nxt)

    def offer(self, head, idx=None):
        """Makes descriptor `head` available; `idx` lies about the index."""
        struct.pack_into("<H", self.m, 0x8000 + AVAIL + 4 + 2 * (self.avail % RING), head & 0xFFFF)
        self.avail = (self.avail + 1) & 0xFFFF
        struct.pack_into("<H", self.m, 0x8000 + AVAIL + 2, self.avail if idx is None else idx & 0xFFFF)

    def used(self):
        return struct.unpack_from("<H", self.m, 0x8000 + USED + 2)[0]

    def packet(self, n, frame):
        """A good packet in descriptor n."""
        at = 0x20000 + n * STRIDE
        data = bytes(12) + frame
        self.m[at:at + len(data)] = data
        self.desc(n, at, len(data))
        self.offer(n)


def guest(t, sw):
    """A port vm (number 1) and the listening socket that its guest would have."""
    path = t.path("vm.sock")
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(4)
    s.settimeout(20)
    t.defer(s.close)
    assert sw.port("br0", "vm", "dpdkvhostuserclient", "options:vhost-server-path=" + path, "ofport_request=1") == ""
    return s


def start(t):
    sw = t.switch(dpdk=True)
    sw.bridge("br0", "fail_mode=secure")
    assert sw.port("br0", "ring", "dpdk", "options:dpdk-devargs=net_ring0", "ofport_request=2") == ""
    sw.flows("br0", "in_port=1,actions=output:2", "in_port=2,actions=drop")
    return sw, guest(t, sw)


def in_use(sw):
    return int(re.search(r"in use \((\d+)\)", sw.appctl("netdev-dpdk/get-mempool-info", "vm")).group(1))


def good(sw, listener, n=20):
    """A well-behaved guest passes packets: n frames leave by `ring`."""
    f = Front(listener)
    try:
        before = sw.of_ports("br0")["ring"]["tx"]
        f.up()
        until(lambda: sw.get("Interface", "vm", "link_state") == "up", "the guest is seen", 20)
        for i in range(n):
            f.packet(i, packets.udp4(1, 2, 3, 4 + i, size=60 + i))
        until(lambda: sw.of_ports("br0")["ring"]["tx"] >= before + n, "its packets come through", 20)
        until(lambda: f.used() == n, "its descriptors come back")
    finally:
        f.close()


EVIL = {
    "outside memory": lambda f, r: f.desc(0, MEM + 0x1000, 100),
    "across the end of memory": lambda f, r: f.desc(0, MEM - 50, 100),
    "address wraps": lambda f, r: f.desc(0, -10, 100),
    "endless length": lambda f, r: f.desc(0, 0x20000, 0xFFFFFFFF),
    "no length": lambda f, r: f.desc(0, 0x20000, 0),
    "half a header": lambda f, r: f.desc(0, 0x20000, 5),
    "a header only": lambda f, r: f.desc(0, 0x20000, 12),
    "a chain that bites its tail": lambda f, r: f.desc(0, 0x20000, 100, NEXT, 0),
    "a circle of two": lambda f, r: (f.desc(0, 0x20000, 100, NEXT, 1), f.desc(1, 0x20000, 100, NEXT, 0)),
    "next outside the ring": lambda f, r: f.desc(0, 0x20000, 100, NEXT, 60000),
    "a writable buffer": lambda f, r: f.desc(0, 0x20000, 100, WRITE),
    "indirect, unasked": lambda f, r: f.desc(0, 0x20000, 64, INDIRECT),
    "indirect to itself": lambda f, r: f.desc(0, 0x8000 + DESC, 16, INDIRECT),
    "indirect, odd length": lambda f, r: f.desc(0, 0x20000, 17, INDIRECT),
    "noise": lambda f, r: f.desc(0, r.getrandbits(64), r.getrandbits(32), r.getrandbits(16), r.getrandbits(16)),
}


@test(needs=("dpdk",), limit_s=240)
def evil_rings(t):
    sw, listener = start(t)
    good(sw, listener)
    base = in_use(sw)
    r = random.Random(7)
    for name, evil in EVIL.items():
        f = Front(listener)
        with contextlib.suppress(OSError):
            f.up()
            for i in range(RING):
                f.desc(i, 0x20000, 60)
            evil(f, r)
            f.offer(0)
            f.offer(r.randrange(65536))
            until(lambda: f.used() != 0 or not alive(f), "the switch deals with: " + name, 3) if name in ("a header only",) else None
            f.offer(0, idx=f.avail + r.choice([0, 300, 30000, 65535]))
        f.close()
        sw.assert_alive()
    good(sw, listener)
    until(lambda: in_use(sw) <= base + 64, "all buffers are back (%d in use at first)" % base)


def alive(f):
    with contextlib.suppress(BlockingIOError, TimeoutError):
        f.s.setblocking(False)
        return f.s.recv(1) != b""
    return True


@test(needs=("dpdk",), limit_s=240)
def evil_set_up(t):
    """Rings and memory that cannot be, and messages that are none."""
    sw, listener = start(t)
    r = random.Random(11)
    cases = [lambda f, n=n: f.up(num=n) for n in (0, 3, 32769, 0xFFFFFFFF)]
    cases += [lambda f, a=a: f.up(desc=a) for a in (MEM * 2, (1 << 63), 0x1001)]
    cases += [lambda f: f.up(base=65535)]

    def memory(regions=None, fds=None, n=None):
        return lambda f: (f.greet(), f.memory(regions, [f.fd] * len(regions) if fds is None else fds, n), f.ring(0), f.ring(1))

    cases += [
        memory([(0, MEM, 0, 0)], fds=[]),
        memory([(0, MEM, 0, 0)], n=200),
        memory([(0, 1 << 60, 0, 0)]),
        memory([(0, MEM, 0, 1 << 60)]),
        memory([((1 << 64) - 4096, MEM, 0, 0)]),
        memory([(0, 0, 0, 0)]),
        memory([(0, MEM, 0, 0)] * 8),
        memory([(0, MEM, 0, 0)] * 9),
    ]

    def noise(f):
        f.greet()
        for _ in range(40):
            body = r.randbytes(r.choice([0, 4, 8, 12, 40, 200]))
            f.send(r.randrange(0, 45), body, [os.dup(f.fd)] if r.random() < 0.2 else [], flags=r.choice([1, 1, 1, 5, 9, 0, 0xFFFFFFFF]))

    cases += [noise] * 12
    cases += [lambda f: f.send(SET_MEM, b"", size=0xFFFFFFFF), lambda f: f.send(GET_FEATURES, b"x" * 5000, size=5000), lambda f: f.s.send(b"\1")]
    for case in cases:
        f = Front(listener)
        with contextlib.suppress(OSError, struct.error):
            case(f)
        f.close()
        sw.assert_alive()
    good(sw, listener)


@test(needs=("dpdk",), limit_s=180)
def packets_of_every_length(t):
    """0 to 65,535 bytes and everything between in strides, as one buffer and as a chain: forwarded or dropped, never kept."""
    sw, listener = start(t)
    good(sw, listener)
    base = in_use(sw)
    f = Front(listener)
    try:
        f.up()
        until(lambda: sw.get("Interface", "vm", "link_state") == "up", "the guest is seen", 20)
        frame = packets.udp4(1, 2, 3, 4, size=60)
        f.m[0x20000:0x20000 + 12 + 60] = bytes(12) + frame
        sent = 0
        for length in sorted({*range(0, 80), *range(80, 4096, 61), *range(4096, 65536, 4001), 65534, 65535}):
            f.desc(0, 0x20000, 12 + length)
            f.offer(0)
            half = length // 2
            f.desc(1, 0x20000, 12 + half, NEXT, 2)
            f.desc(2, 0x20000 + 12 + half, length - half)
            f.offer(1)
            sent += 2
            until(lambda: f.used() == sent & 0xFFFF, "%d bytes are dealt with" % length)
    finally:
        f.close()
    sw.assert_alive()
    good(sw, listener)
    until(lambda: in_use(sw) <= base + 64, "all buffers are back")


@test(needs=("dpdk",), limit_s=90)
def a_guest_that_stops_reading(t):
    """Its ring fills; what is sent to it is dropped and counted, and the others lose nothing."""
    sw, listener = start(t)
    f = Front(listener)
    try:
        f.up()
        until(lambda: sw.get("Interface", "vm", "link_state") == "up", "the guest is seen", 20)
        none = packets.write_pcap(t.path("none.pcap"), [])
        assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_pcap2,rx_pcap=%s,tx_pcap=%s" % (none, t.path("out.pcap")), "ofport_request=4") == ""
        sw.flows("br0", "in_port=3,actions=output:1,output:4")
        sent = packets.flows(5000)
        pcap = packets.write_pcap(t.path("in.pcap"), sent)
        assert sw.port("br0", "src", "dpdk", "options:dpdk-devargs=net_pcap1,rx_pcap=%s,tx_pcap=%s" % (pcap, t.path("back.pcap")), "ofport_request=3") == ""
        until(lambda: sw.of_ports("br0").get("dst", {}).get("tx", 0) == 5000, "the other port has everything", 30)
        until(lambda: sw.statistics("vm").get("ovs_tx_failure_drops", 0) == 5000, "what the guest did not take is counted", 20)
    finally:
        f.close()
    good(sw, listener)


@test(needs=("dpdk",), limit_s=90)
def jumbo_frames(t):
    """mtu_request=9000 on both sides: a frame of 9,014 bytes passes; one of 9,100 does not."""
    sw = t.switch(dpdk=True)
    sw.bridge("br0", "fail_mode=secure")
    assert sw.port("br0", "ring", "dpdk", "options:dpdk-devargs=net_ring0", "ofport_request=2", "mtu_request=9000") == ""
    sw.flows("br0", "in_port=1,actions=output:2", "in_port=2,actions=drop")
    listener = guest(t, sw)
    sw.vsctl("set", "Interface", "vm", "mtu_request=9000")
    until(lambda: sw.get("Interface", "vm", "mtu") == "9000", "the MTU of vm")
    f = Front(listener)
    try:
        f.up()
        until(lambda: sw.get("Interface", "vm", "link_state") == "up", "the guest is seen", 20)
        big = packets.udp4(1, 2, 3, 4, size=9014)
        f.m[0x20000:0x20000 + 12 + 9014] = bytes(12) + big
        for n in (60, 9014, 9100, 9014):
            f.desc(0, 0x20000, 12 + n)
            f.offer(0)
        until(lambda: f.used() == 4, "all four are dealt with")
        until(lambda: sw.of_ports("br0")["ring"]["tx"] == 3, "three pass")
        assert sw.of_ports("br0")["ring"]["tx"] == 3
    finally:
        f.close()


@test(needs=("dpdk",), limit_s=90)
def too_little_memory(t):
    """The error names what is missing; the port comes up when it asks for less."""
    sw = t.switch(dpdk=True, start_vswitchd=False)
    sw.vsctl("--no-wait", "remove", "Open_vSwitch", ".", "other_config", "dpdk-socket-mem")
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", 'other_config:dpdk-extra="--no-pci --file-prefix=%s --no-huge -m 96"' % os.path.basename(t.dir))
    sw.start_vswitchd()
    sw.bridge("br0", "fail_mode=secure")
    error = sw.port("br0", "big", "dpdk", "options:dpdk-devargs=net_null0", "mtu_request=9000")
    assert re.search(r"cannot allocate \d+ packet buffers of \d+ bytes \(\d+ MB\)", error), error
    assert sw.port("br0", "small", "dpdk", "options:dpdk-devargs=net_null1") == ""


def ones_sum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return s


@test(needs=("dpdk",), limit_s=90, only="ours")
def large_segments_are_cut(t):
    """userspace-tso-enable: a guest leaves checksums and segmentation to the switch; without it, it may not."""
    sw = t.switch(dpdk=True, start_vswitchd=False)
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true")
    sw.start_vswitchd()
    sw.bridge("br0", "fail_mode=secure")
    none = packets.write_pcap(t.path("none.pcap"), [])
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_pcap2,rx_pcap=%s,tx_pcap=%s" % (none, t.path("out.pcap")), "ofport_request=2") == ""
    sw.flows("br0", "in_port=1,actions=output:2")
    listener = guest(t, sw)
    f = Front(listener, features=VERSION_1 | PROTOCOL | MRG | 1 | 1 << 11)
    try:
        f.up()
        until(lambda: sw.get("Interface", "vm", "link_state") == "up", "the guest is seen", 20)
        payload = random.Random(3).randbytes(14000)
        ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 9, 0x4000, 64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])))
        tcp = struct.pack("!HHIIBBHHH", 1000, 80, 5, 7, 0x50, 0x18, 1000, ones_sum(bytes(ip[12:20]) + struct.pack("!HH", 6, 20 + len(payload))), 0)
        frame = bytes.fromhex("0200000000020200000000010800") + bytes(ip) + tcp + payload
        data = struct.pack("<BBHHHHH", 1, 1, 54, 1400, 34, 16, 1) + frame
        f.m[0x20000:0x20000 + len(data)] = data
        f.desc(0, 0x20000, len(data))
        f.offer(0)
        until(lambda: sw.of_ports("br0")["dst"]["tx"] == 10, "ten segments leave")
    finally:
        f.close()
    sw.vsctl("del-port", "br0", "dst")
    got = packets.read_pcap(t.path("out.pcap"))
    assert b"".join(g[54:] for g in got) == payload and {len(g) for g in got} == {1454}
    for g in got:
        assert ones_sum(g[14:34]) == 0xFFFF, "IP checksum"
        assert ones_sum(g[26:34] + struct.pack("!HH", 6, len(g) - 34) + g[34:]) == 0xFFFF, "TCP checksum"
