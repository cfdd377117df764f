"""A virtual machine without a hypervisor: dpdk-testpmd with virtio-user ports serves the vhost-user sockets."""
import contextlib
import os
import re
import subprocess

from . import machine
from .proc import Daemon, Failed, until


class Guest:
    """testpmd with one virtio-user port per socket; mode "io" forwards between its ports, "rxonly" swallows."""

    def __init__(self, run_, sockets, mode="io", server=True, core=0, name="guest"):
        self.log = run_.path("%s.out" % name)
        run_.logs.append(self.log)
        memory = ["-m", "512", "--single-file-segments"] if machine.reserve_huge() else ["-m", "512", "--no-huge"]
        vdevs = [x for i, s in enumerate(sockets) for x in ("--vdev", "net_virtio_user%d,path=%s,%squeue_size=1024" % (i, s, "server=1," if server else ""))]
        argv = ["stdbuf", "-o0", "dpdk-testpmd", "--lcores", "0@%d,1@%d" % (core, core), "--file-prefix=" + name + run_.unique, "--no-pci", *memory, *vdevs,
                "--", "-i", "--nb-cores=1", "--forward-mode=" + mode, "--total-num-mbufs=16384", "--txd=1024", "--rxd=1024"]
        for s in sockets if server else ():
            with contextlib.suppress(FileNotFoundError):  # as a hypervisor does: a killed guest leaves its socket
                os.unlink(s)
        self.d = Daemon("testpmd", argv, self.log, stdin=subprocess.PIPE)
        run_.defer(self.d.kill)
        run_.defer(self._quit)
        until(lambda: self._alive() and "testpmd>" in self.text(), "testpmd is ready", 30)

    def text(self):
        return open(self.log, errors="replace").read()

    def _alive(self):
        if not self.d.alive():
            raise AssertionError("testpmd ended: %s" % self.text()[-1500:])
        return True

    def send(self, line):
        try:
            self.d.p.stdin.write((line + "\n").encode())
            self.d.p.stdin.flush()
        except OSError as e:
            raise Failed("testpmd: %s" % e) from None

    def _quit(self):
        if self.d.alive():
            try:
                self.send("quit")
                self.d.p.wait(8)
            except (Failed, subprocess.TimeoutExpired):
                self.d.kill()

    def start(self, bursts=1):
        self.send("start tx_first %d" % bursts if bursts else "start")

    def kill(self):
        self.d.kill()

    def stats(self, port):
        """(rx, tx) packets of one port, asked afresh."""
        seen = self.text().count("NIC statistics for port %d" % port)
        self.send("show port stats %d" % port)
        until(lambda: self.text().count("NIC statistics for port %d" % port) > seen and "Throughput" in self.text().rsplit("NIC statistics for port %d" % port, 1)[1], "testpmd answers")
        last = self.text().rsplit("NIC statistics for port %d" % port, 1)[1]
        return int(re.search(r"RX-packets:\s*(\d+)", last).group(1)), int(re.search(r"TX-packets:\s*(\d+)", last).group(1))
