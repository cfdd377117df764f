"""A switch: ovsdb-server and ovs-vswitchd of a flavour in a private directory, driven by tools of a flavour."""
import os
import re
import shutil
import socket

from . import machine
from .proc import Daemon, Failed, run, until

DEBIAN_VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
DEBIAN_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
DEBIAN_PATH = "/usr/bin:/usr/sbin:/bin:/sbin"


def accepts(address):
    """Does somebody listen there, at a path or an (IPv4 address, port)?  A killed daemon leaves its socket's file behind."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        return s.connect_ex(address) == 0


class Flavour:
    """Where the binaries of one implementation are: "debian", or a directory."""

    def __init__(self, name, where=None):
        self.name, self.where = name, where

    def bin(self, tool):
        if self.where:
            path = os.path.join(self.where, tool)
            path = path if os.access(path, os.X_OK) else None
        else:
            path = DEBIAN_VSWITCHD if tool == "ovs-vswitchd" else shutil.which(tool, path=DEBIAN_PATH)
        if not path:
            raise Failed("%s: no %s in %s" % (self.name, tool, self.where or DEBIAN_PATH))
        return path

    def schema(self):
        return os.path.join(machine.REPO, "vswitchd/vswitch.ovsschema") if self.where else DEBIAN_SCHEMA


class Switch:
    """db, vswitchd, tools: the flavour of each part (default: the one under test).

    dpdk: initialise DPDK and poll on core 1; huge: MiB of huge pages, None decides by the machine.
    dummy: --enable-dummy for ovs-vswitchd ("" or "override")."""

    def __init__(self, run_, db=None, vswitchd=None, tools=None, dpdk=False, dummy=None, init=True, start_vswitchd=True, args=(), db_file=None):
        self.run_ = run_
        self.db_f, self.vs_f, self.tools = db or run_.ours, vswitchd or run_.ours, tools or run_.ours
        self.dpdk, self.dummy, self.init, self.want_vswitchd, self.args = dpdk, dummy, init, start_vswitchd, list(args)
        self.dir = run_.path("sw%d" % len(run_.switches))
        os.makedirs(self.dir)
        self.db_file = db_file or self.dir + "/conf.db"
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir, OVS_SYSCONFDIR=self.dir)
        self.db_sock, self.ctl, self.db_ctl = self.dir + "/db.sock", self.dir + "/vswitchd.ctl", self.dir + "/ovsdb.ctl"
        self.db = self.vswitchd = None
        self.no_huge = False
        self.wrapper = []  # a command that runs ovs-vswitchd
        run_.logs += [self.dir + "/" + f for f in ("ovsdb.out", "vswitchd.out", "ovsdb-server.log", "ovs-vswitchd.log")]

    # ---- life
    def start(self):
        if not os.path.exists(self.db_file):
            run([self.db_f.bin("ovsdb-tool"), "create", self.db_file, self.db_f.schema()], env=self.env)
        self.start_db()
        if self.init:
            self.vsctl("--no-wait", "init")
        if self.dpdk:
            self.configure_dpdk()
        if self.want_vswitchd:
            self.start_vswitchd()

    def start_db(self, args=()):
        self.db = Daemon("ovsdb-server", [self.db_f.bin("ovsdb-server"), self.db_file, "--remote=punix:" + self.db_sock, "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                                          "--unixctl=" + self.db_ctl, "--log-file=" + self.dir + "/ovsdb-server.log", "-vconsole:off", *args], self.dir + "/ovsdb.out", env=self.env)
        self._until_up(self.db, self.db_sock)

    def start_vswitchd(self, wait=True):
        argv = [*self.wrapper, self.vs_f.bin("ovs-vswitchd"), "unix:" + self.db_sock, "--unixctl=" + self.ctl, "--log-file=" + self.dir + "/ovs-vswitchd.log", "-vconsole:off", *self.args]
        if self.dummy is not None:
            argv.append("--enable-dummy" + ("=" + self.dummy if self.dummy else ""))
        self.vswitchd = Daemon("ovs-vswitchd", argv, self.dir + "/vswitchd.out", env=self.env)
        if not wait:
            return
        self._until_up(self.vswitchd, self.ctl)
        if self.dpdk:
            until(lambda: self.get("Open_vSwitch", ".", "dpdk_initialized") == "true" or self._alive(self.vswitchd) and False, "dpdk_initialized is true", 40)

    def configure_dpdk(self):
        mib = machine.huge_mib_or_none()
        self.no_huge = mib is None
        extra = "--no-pci --file-prefix=%s" % self.run_.unique
        memory = ["other_config:dpdk-socket-mem=%d" % mib] if mib else []
        if not mib:
            extra += " --no-huge -m 1024"
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", "other_config:dpdk-lcore-mask=0x1", "other_config:pmd-cpu-mask=0x2",
                   "other_config:dpdk-extra=\"%s\"" % extra, *memory)

    def stop(self):
        for d in (self.vswitchd, self.db):
            if d:
                d.stop()

    def _alive(self, daemon):
        if not daemon.alive():
            raise AssertionError("%s ended with status %s" % (daemon.name, daemon.p.returncode))
        return True

    def _until_up(self, daemon, path):
        until(lambda: self._alive(daemon) and accepts(path), "%s listens on %s" % (daemon.name, path))

    def assert_alive(self):
        for d in (self.db, self.vswitchd):
            if d:
                self._alive(d)

    def crashes(self):
        """Lines in the daemons' outputs that betray a panic or an assertion."""
        found = []
        for f in ("ovsdb.out", "vswitchd.out", "ovsdb-server.log", "ovs-vswitchd.log"):
            with open(self.dir + "/" + f, errors="replace") if os.path.exists(self.dir + "/" + f) else open(os.devnull) as text:
                found += [l.strip() for l in text if re.search(r"panicked at|assertion .* failed|SIGSEGV|\|EMER\|", l)]
        return found

    # ---- tools
    def tool(self, name, *args, check=True, timeout=20, flavour=None, stdin=None):
        return run([(flavour or self.tools).bin(name), *args], env=self.env, check=check, timeout=timeout, stdin=stdin)

    def vsctl(self, *args, check=True, flavour=None, timeout=15):
        p = self.tool("ovs-vsctl", "--timeout=%d" % timeout, "--db=unix:" + self.db_sock, *args, check=check, timeout=timeout + 5, flavour=flavour)
        return p.stdout if check else p

    def get(self, table, record, column, flavour=None):
        return self.vsctl("--if-exists", "get", table, record, column, flavour=flavour).strip().strip('"')

    def ofctl(self, *args, check=True, flavour=None, timeout=20, stdin=None, version="OpenFlow10,OpenFlow13"):
        p = self.tool("ovs-ofctl", "-O" + version, *args, check=check, flavour=flavour, timeout=timeout, stdin=stdin)
        return p.stdout if check else p

    def appctl(self, *args, check=True, flavour=None, target=None):
        p = self.tool("ovs-appctl", "-t", target or self.ctl, *args, check=check, flavour=flavour)
        return p.stdout if check else p

    # ---- shapes that many tests want
    def bridge(self, name="br0", *settings):
        self.vsctl("add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev", *settings)
        return name

    def port(self, bridge, name, type_=None, *settings):
        """Adds a port and returns the Interface's error ("" when all is well)."""
        more = ["--", "set", "Interface", name] + (["type=" + type_] if type_ else []) + list(settings)
        self.vsctl("add-port", bridge, name, *(more if len(more) > 4 else []))
        return self.error(name)

    def error(self, name):
        return "" if self.get("Interface", name, "error") in ("[]", "") else self.get("Interface", name, "error")

    def flows(self, bridge, *flows):
        """Replaces the flow table of a bridge."""
        self.ofctl("del-flows", bridge)
        self.ofctl("add-flows", bridge, "-", stdin="\n".join(flows) + "\n")

    def statistics(self, name):
        return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", self.get("Interface", name, "statistics"))}

    def of_ports(self, bridge):
        """{port: {"rx": packets, "tx": packets, "rx_drop": n, "tx_drop": n}} from dump-ports."""
        out, cur = {}, None
        for line in self.ofctl("--names", "dump-ports", bridge).splitlines():
            if m := re.match(r'\s*port\s+"?([^":]+)"?:', line):
                cur = out.setdefault(m.group(1).strip(), {})
            for way, pkts, drop in re.findall(r"(rx|tx) pkts=(\d+|\?), bytes=(?:\d+|\?), drop=(\d+|\?)", line):
                cur[way], cur[way + "_drop"] = int(pkts) if pkts != "?" else 0, int(drop) if drop != "?" else 0
        return out

    def rule_packets(self, bridge, text):
        """n_packets of the only rule whose line holds `text`."""
        lines = [l for l in self.ofctl("dump-flows", bridge).splitlines() if text in l]
        if len(lines) != 1:
            raise Failed("%d rules hold %r" % (len(lines), text))
        return int(re.search(r"n_packets=(\d+)", lines[0]).group(1))
