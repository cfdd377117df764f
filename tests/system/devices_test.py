"""Every kind of DPDK device that needs no hardware, hot-plugged through options:dpdk-devargs, passes packets both ways.

A card on the PCI bus cannot be had here: only the advice in the error of a missing one is tested."""
import contextlib
import os
import socket
import subprocess

from harness import Skip, machine, packets, test, until
from harness.proc import Daemon, Failed, run

N = 40


def switch(t, single_file=False):
    """A switch with a bridge br0 that drops, and its port dst (a capture), number 2."""
    sw = t.switch(dpdk=True, start_vswitchd=False)
    if single_file:
        extra = sw.get("Open_vSwitch", ".", "other_config:dpdk-extra")
        sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", 'other_config:dpdk-extra="%s --single-file-segments"' % extra.replace('\\"', "").strip('"'))
    sw.start_vswitchd()
    sw.bridge("br0", "fail_mode=secure")
    capture(t, sw, "dst", [], 2)
    return sw


def capture(t, sw, name, sent, number):
    """A port that replays `sent` once and writes what it gets."""
    pcap = packets.write_pcap(t.path(name + ".in"), sent)
    devargs = "net_pcap_%s,rx_pcap=%s,tx_pcap=%s" % (name, pcap, t.path(name + ".out"))
    assert sw.port("br0", name, "dpdk", "options:dpdk-devargs=" + devargs, "ofport_request=%d" % number) == ""


def device(sw, name, devargs, number, *settings):
    error = sw.port("br0", name, "dpdk", "options:dpdk-devargs=" + devargs, "ofport_request=%d" % number, *settings)
    assert error == "", error
    until(lambda: sw.get("Interface", name, "link_state") == "up", "the link of %s is up" % name)


def arrived(t, sw, sent):
    """dst got just what was sent."""
    until(lambda: sw.of_ports("br0")["dst"]["tx"] >= len(sent), "dst has sent %d packets" % len(sent))
    sw.vsctl("del-port", "br0", "dst")
    got = packets.read_pcap(t.path("dst.out"))
    assert sorted(got) == sorted(sent), "%d packets of %d in the capture" % (len(got), len(sent))


def kernel_side(t, sw, dev, interface):
    """N packets out of port `dev` are seen on the kernel's `interface`; N packets sent there come in by the port."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    t.defer(s.close)
    s.bind((interface, 0))
    s.settimeout(0.2)
    out, back = packets.flows(N), packets.flows(N, seed=7)
    sw.flows("br0", "in_port=1,actions=output:3", "in_port=3,udp,actions=output:2")
    capture(t, sw, "src", out, 1)
    got = []

    def more():
        with contextlib.suppress(TimeoutError):
            while True:
                frame, where = s.recvfrom(2048)
                if where[2] != socket.PACKET_OUTGOING and frame[12:14] == b"\x08\x00":
                    got.append(frame)
        return len(got) >= N

    until(more, "%d packets on %s" % (N, interface))
    assert sorted(got) == sorted(out), "%d packets on %s; contents differ" % (len(got), interface)
    for p in back:
        s.send(p)
    arrived(t, sw, back)
    assert sw.of_ports("br0")[dev]["rx"] >= N


def veth(t, a, b):
    run(["ip", "link", "add", a, "type", "veth", "peer", "name", b])
    t.defer(run, ["ip", "link", "del", a])
    for i in (a, b):
        with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % i, "w") as f:
            f.write("1")
        run(["ip", "link", "set", i, "up"])


@test(needs=("dpdk",), limit_s=90)
def net_tap(t):
    sw = switch(t)
    device(sw, "dev", "net_tap7,iface=dtap7", 3)
    run(["ip", "link", "set", "dtap7", "up"])
    kernel_side(t, sw, "dev", "dtap7")


@test(needs=("dpdk",), limit_s=90)
def net_tap_with_two_queues(t):
    sw = switch(t)
    device(sw, "dev", "net_tap8,iface=dtap8", 3, "options:n_rxq=2")
    run(["ip", "link", "set", "dtap8", "up"])
    assert sw.appctl("dpif-netdev/pmd-rxq-show").count("port: dev ") == 2
    kernel_side(t, sw, "dev", "dtap8")


@test(needs=("dpdk",), limit_s=90)
def net_af_packet(t):
    sw = switch(t)
    veth(t, "afp0", "afp1")
    device(sw, "dev", "net_af_packet0,iface=afp0", 3)
    kernel_side(t, sw, "dev", "afp1")


@test(needs=("dpdk",), limit_s=90)
def net_af_xdp(t):
    sw = switch(t)
    veth(t, "axd0", "axd1")
    error = sw.port("br0", "dev", "dpdk", "options:dpdk-devargs=net_af_xdp0,iface=axd0", "ofport_request=3")
    if error:
        raise Skip("AF_XDP sockets do not work in this kernel: " + error)
    kernel_side(t, sw, "dev", "axd1")


@test(needs=("dpdk",), limit_s=90)
def net_ring(t):
    """What is sent into a ring comes back out of it."""
    sw, sent = switch(t), packets.flows(N)
    device(sw, "dev", "net_ring0", 3)
    sw.flows("br0", "in_port=1,actions=output:3", "in_port=3,actions=output:2")
    capture(t, sw, "src", sent, 1)
    arrived(t, sw, sent)


@test(needs=("dpdk",), limit_s=90)
def net_memif(t):
    """Two ports joined by shared memory, one of them the server of the socket."""
    sw, sent = switch(t), packets.flows(N)
    for i, role in enumerate(("server", "client")):
        devargs = "net_memif%d,role=%s,id=0,socket=%s,socket-abstract=no" % (i, role, t.path("memif.sock"))
        assert sw.port("br0", "m%d" % i, "dpdk", "options:dpdk-devargs=" + devargs, "ofport_request=%d" % (3 + i)) == ""
    for p in ("m0", "m1"):
        until(lambda: sw.get("Interface", p, "link_state") == "up", "the link of %s is up" % p)
    sw.flows("br0", "in_port=1,actions=output:3", "in_port=4,actions=output:2")
    capture(t, sw, "src", sent, 1)
    arrived(t, sw, sent)


@test(needs=("dpdk", "testpmd"), limit_s=120)
def net_virtio_user(t):
    """The switch is the guest: testpmd's vhost port is the other end, and sends back what it gets."""
    if not machine.reserve_huge():
        raise Skip("needs huge pages (memory that another process can map)")
    sw, sent, sock, log = switch(t, single_file=True), packets.flows(N), t.path("vhost.sock"), t.path("vhost.out")
    t.logs.append(log)
    argv = ["dpdk-testpmd", "--lcores", "0@0,1@0", "--file-prefix=vh" + os.path.basename(t.dir)[-6:], "--no-pci", "-m", "256", "--vdev", "net_vhost0,iface=" + sock,
            "--", "-i", "--nb-cores=1", "--forward-mode=io", "--total-num-mbufs=8192", "--port-topology=loop"]
    other = Daemon("testpmd", ["stdbuf", "-o0", *argv], log, stdin=subprocess.PIPE)
    t.defer(other.kill)

    def ready():
        if not other.alive():
            raise AssertionError("testpmd ended: " + open(log, errors="replace").read()[-1500:])
        return "testpmd>" in open(log, errors="replace").read() and os.path.exists(sock)

    until(ready, "testpmd is ready", 30)
    other.p.stdin.write(b"start\n")
    other.p.stdin.flush()
    device(sw, "dev", "net_virtio_user0,path=" + sock, 3)
    until(lambda: "Port 0: link state change event" in open(log, errors="replace").read() or "new device" in open(log, errors="replace").read(), "testpmd sees the switch", 20)
    sw.flows("br0", "in_port=1,actions=output:3", "in_port=3,actions=output:2")
    capture(t, sw, "src", sent, 1)
    arrived(t, sw, sent)


@test(needs=("dpdk",), limit_s=60)
def devices_that_cannot_be(t):
    """The error says what to do; the switch goes on."""
    sw = switch(t)
    for name, devargs, words in (
        ("pci", "0000:00:1f.7", "vfio-pci"),
        ("none", "net_nosuch0", "driver's name"),
        ("args", "net_null9,bogus=1", "arguments"),
        ("waits", "net_virtio_user3,path=%s,server=1" % t.path("x.sock"), "dpdkvhostuserclient"),
    ):
        error = sw.port("br0", name, "dpdk", "options:dpdk-devargs=" + devargs)
        assert "Error attaching device" in error and words in error, (name, error)
    try:
        device(sw, "ring", "net_ring5", 9)
    except Failed as e:
        raise AssertionError("after the failures: %s" % e) from None
