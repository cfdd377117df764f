"""Network namespaces, veth pairs, ping and iperf3; names are unique per run and always removed."""
import contextlib
import itertools
import os
import re

from .proc import Daemon, run, until

_serial = itertools.count()


def unique(stem):
    """An interface or namespace name of at most 15 characters that no other run uses."""
    return "%s%x%x" % (stem[:4], os.getpid() & 0xFFFFFF, next(_serial))


class Namespace:
    def __init__(self, name):
        self.name = name

    def cmd(self, *argv):
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv, **kw):
        return run(self.cmd(*argv), **kw)

    def ping(self, address, count=3, check=True):
        """Packets answered out of `count`."""
        p = self.run("ping", "-n", "-c", str(count), "-i", "0.05", "-W", "1", address, check=False, timeout=count + 10)
        m = re.search(r"(\d+) received", p.stdout)
        got = int(m.group(1)) if m else 0
        if check and got != count:
            raise AssertionError("ping %s: %d of %d answered\n%s%s" % (address, got, count, p.stdout, p.stderr))
        return got


@contextlib.contextmanager
def namespace(stem="ns"):
    name = unique(stem)
    run(["ip", "netns", "add", name])
    try:
        ns = Namespace(name)
        ns.run("ip", "link", "set", "lo", "up")
        yield ns
    finally:
        for pid in run(["ip", "netns", "pids", name], check=False).stdout.split():
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(pid), 9)
        run(["ip", "netns", "del", name], check=False)


@contextlib.contextmanager
def veth(ns, address, stem="v", mac=None):
    """A veth pair: one end with `address` in the namespace, the name of the other (for the switch) is given.

    Checksum offload is off at the guest's end: a switch in user space reads whole packets."""
    host, inner = unique(stem + "h"), unique(stem + "g")
    run(["ip", "link", "add", host, "type", "veth", "peer", "name", inner])
    try:
        run(["ip", "link", "set", inner, "netns", ns.name])
        run(["ip", "link", "set", host, "up"])
        ns.run("ip", "link", "set", inner, *(["address", mac] if mac else []), "up")
        ns.run("ip", "addr", "add", address, "dev", inner)
        ns.run("ethtool", "-K", inner, "tx", "off", check=False)
        yield host
    finally:
        run(["ip", "link", "del", host], check=False)


def into_namespace(ns, device, address):
    """Moves a device that the switch made (internal, tap) into a namespace and configures it."""
    until(lambda: not run(["ip", "link", "show", "dev", device], check=False).returncode, "%s exists" % device)
    run(["ip", "link", "set", device, "netns", ns.name])
    ns.run("ip", "link", "set", device, "up")
    ns.run("ip", "addr", "add", address, "dev", device)


def iperf3(server, client, address, log, seconds=2, udp=False):
    """Megabits per second that the receiver saw."""
    import json

    d = Daemon("iperf3", server.cmd("iperf3", "-s", "-1", "--forceflush"), log)
    try:
        until(lambda: "listening" in open(log, errors="replace").read(), "iperf3 listens")
        p = client.run("iperf3", "-J", "-c", address, "-t", str(seconds), "--connect-timeout", "3000", *(["-u", "-b", "10M"] if udp else []), timeout=seconds + 20, check=False)
        out = json.loads(p.stdout or "{}")
        if "error" in out or p.returncode:
            raise AssertionError("iperf3: %s" % (out.get("error") or p.stderr))
        return out["end"]["sum" if udp else "sum_received"]["bits_per_second"] / 1e6
    finally:
        d.kill()
