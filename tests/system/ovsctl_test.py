"""ovs-ctl in private directories: start, status, restart with flows kept, upgrade of the database, stop."""
import json
import os
import re
import signal

from harness import machine, net, test, until
from harness.proc import run

SCRIPT = {"ours": os.path.join(machine.REPO, "utilities/ovs-ctl/ovs-ctl"), "debian": "/usr/share/openvswitch/scripts/ovs-ctl"}


class Ctl:
    """One installation: its directories, its script, its tools."""

    def __init__(self, t):
        self.t, self.flavour, self.root = t, t.ours, t.path("host")
        self.rundir, self.etc = self.root + "/run", self.root + "/etc/openvswitch"
        os.makedirs(self.etc), os.makedirs(self.root + "/log")
        self.env = dict(os.environ, OVS_RUNDIR=self.rundir, OVS_LOGDIR=self.root + "/log", OVS_DBDIR=self.etc, OVS_SYSCONFDIR=self.root + "/etc")
        if t.ours.where:
            self.env.update(OVS_BINDIR=t.ours.where, OVS_SBINDIR=t.ours.where, OVS_PKGDATADIR=os.path.dirname(t.ours.schema()))
        t.defer(self.end)

    def __call__(self, *args, check=True):
        p = run([SCRIPT[self.flavour.name], *args], env=self.env, check=check, timeout=60)
        return p.stdout + p.stderr if check else p

    def tool(self, name, *args, check=True):
        return run([self.flavour.bin(name), *args], env=self.env, check=check).stdout.strip()

    def get(self, column):
        return self.tool("ovs-vsctl", "--timeout=10", "get", "Open_vSwitch", ".", column).strip('"')

    def pid(self, daemon):
        try:
            return int(open("%s/%s.pid" % (self.rundir, daemon)).read())
        except (OSError, ValueError):
            return 0

    def end(self):
        """Whatever the test left running, with the monitors."""
        for d in ("ovs-vswitchd", "ovsdb-server"):
            pid = self.pid(d)
            if pid and os.path.exists("/proc/%d" % pid):
                os.kill(pid, signal.SIGKILL)


def flow(ctl, bridge="br0"):
    return ctl.tool("ovs-ofctl", "--no-stats", "dump-flows", bridge)


@test(needs=("root",), limit_s=180)
def from_start_to_stop(t):
    ctl = Ctl(t)
    p = ctl("status", check=False)
    assert p.returncode == 1 and p.stdout == "ovsdb-server is not running\novs-vswitchd is not running\n", p.stdout
    assert re.fullmatch(r"ovsdb-server \(Open vSwitch\) 3\.1\.\d+\novs-vswitchd\S* \(Open vSwitch\) 3\.1\.\d+\n", ctl("version")), ctl("version")
    out = ctl("start", "--system-id=random", "--system-type=Kitchen", "--system-version=7.1", "--external-id=colour=green", "--external-id=shape=round")
    for line in ("Creating empty database", "Starting ovsdb-server.", "Configuring Open vSwitch system IDs.", "Starting ovs-vswitchd.", "Enabling remote OVSDB managers."):
        assert line in out, out
    pids = ctl.pid("ovsdb-server"), ctl.pid("ovs-vswitchd")
    assert ctl("status") == "ovsdb-server is running with pid %d\novs-vswitchd is running with pid %d\n" % pids
    assert ctl.get("db_version") == "8.3.1" and ctl.get("ovs_version").startswith("3.1.")
    assert (ctl.get("system_type"), ctl.get("system_version")) == ("Kitchen", "7.1")
    own_id = open(ctl.etc + "/system-id.conf").read().strip()
    assert re.fullmatch(r"[0-9a-f-]{36}", own_id)
    for key, value in (("system-id", own_id), ("rundir", ctl.rundir), ("colour", "green"), ("shape", "round")):
        assert ctl.get("external_ids:" + key) == value, ctl.get("external_ids")
    assert ctl.get("external_ids:hostname")
    for d in ("ovsdb-server", "ovs-vswitchd"):
        assert open("/proc/%d/comm" % ctl.pid(d)).read().strip() == d and os.path.exists("%s/log/%s.log" % (ctl.root, d))
    assert "already running" in ctl("start", "--system-id=random") and pids == (ctl.pid("ovsdb-server"), ctl.pid("ovs-vswitchd"))

    ctl.tool("ovs-vsctl", "--timeout=10", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev", "fail_mode=secure")
    ctl.tool("ovs-ofctl", "-OOpenFlow13", "add-group", "br0", "group_id=5,type=all,bucket=actions=in_port")
    ctl.tool("ovs-ofctl", "-OOpenFlow13", "add-flow", "br0", "priority=77,tcp,tp_dst=80,actions=group:5")
    ctl.tool("ovs-ofctl", "add-flow", "br0", "table=3,priority=5,actions=drop")
    ctl("restart", "--system-id=random")
    assert not {ctl.pid("ovsdb-server"), ctl.pid("ovs-vswitchd")} & set(pids)
    until(lambda: "priority=77,tcp,tp_dst=80 actions=group:5" in flow(ctl) and "table=3, priority=5 actions=drop" in flow(ctl), "the flows are back")
    assert "flow-restore-wait" not in ctl.get("other_config")
    assert ctl.get("external_ids:system-id") == own_id

    out = ctl("stop")
    assert "Exiting ovs-vswitchd" in out and "Exiting ovsdb-server" in out, out
    assert ctl("status", check=False).returncode == 1
    assert "is not running" in ctl("stop")


@test(needs=("root",), limit_s=180)
def parts_and_bridges(t):
    ctl = Ctl(t)
    ctl("--no-ovs-vswitchd", "--no-monitor", "--system-id=00000000-0000-4000-8000-00000000000a", "--no-record-hostname", "start")
    assert ctl.pid("ovsdb-server") and not ctl.pid("ovs-vswitchd")
    assert ctl.get("external_ids:system-id").endswith("0a") and "hostname" not in ctl.get("external_ids")
    p = ctl("--no-ovs-vswitchd", "status", check=False)
    assert p.returncode == 1 and "ovs-vswitchd is not running" in p.stdout, p.stdout
    ctl.tool("ovs-vsctl", "--no-wait", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "--", "add-port", "br0", "gone", "--", "set", "port", "gone", "other_config:transient=true",
             "--", "set", "interface", "gone", "type=internal", "--", "add-port", "br0", "stays", "--", "set", "interface", "stays", "type=internal")
    ctl("delete-transient-ports")
    assert ctl.tool("ovs-vsctl", "list-ports", "br0") == "stays"
    ctl("--no-ovsdb-server", "--no-monitor", "start")
    assert ctl.pid("ovs-vswitchd")
    ctl("load-kmod")
    ctl("record-hostname-if-not-set")
    assert "hostname" in ctl.get("external_ids")
    ctl("--delete-bridges", "--system-id=random", "--no-monitor", "restart")
    until(lambda: ctl.tool("ovs-vsctl", "list-br") == "", "no bridge is left")
    ctl("stop")


@test(needs=("root",), limit_s=180)
def an_old_database_is_upgraded(t):
    ctl = Ctl(t)
    schema = json.load(open(ctl.flavour.schema()))
    schema["version"] = "8.2.0"
    del schema["tables"]["CT_Timeout_Policy"], schema["tables"]["CT_Zone"], schema["tables"]["Datapath"], schema["tables"]["Open_vSwitch"]["columns"]["datapaths"]
    schema.pop("cksum", None)
    open(t.path("old.ovsschema"), "w").write(json.dumps(schema))
    db = ctl.etc + "/conf.db"
    ctl.tool("ovsdb-tool", "create", db, t.path("old.ovsschema"))
    ctl.tool("ovsdb-tool", "transact", db, '["Open_vSwitch",{"op":"insert","table":"Open_vSwitch","row":{"other_config":["map",[["kept","yes"]]]}}]')
    out = ctl("start", "--system-id=random", "--no-monitor")
    assert "Backing up database" in out and "Converting database schema." in out, out
    assert ctl.get("db_version") == "8.3.1" and ctl.get("other_config:kept") == "yes"
    assert [f for f in os.listdir(ctl.etc) if f.startswith("conf.db.backup8.2.0-")], os.listdir(ctl.etc)
    ctl("stop")


@test(needs=("root",), limit_s=180)
def a_crashed_daemon_is_started_again(t):
    """--monitor: the second process starts a daemon that died of a crash, and its bridge comes back."""
    ctl = Ctl(t)
    ctl("start", "--system-id=random", "--no-mlockall")
    ctl.tool("ovs-vsctl", "--timeout=10", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev")
    for daemon in ("ovs-vswitchd", "ovsdb-server"):
        pid = ctl.pid(daemon)
        os.kill(pid, signal.SIGABRT)
        until(lambda: ctl.pid(daemon) not in (0, pid) and os.path.exists("/proc/%d" % ctl.pid(daemon)), "%s runs again" % daemon, 30)  # noqa: B023
        until(lambda: ctl("status", check=False).returncode == 0, "both run")
        until(lambda: "br0" in ctl.tool("ovs-appctl", "dpif/show", check=False), "the bridge is there")
    ctl("stop")
    assert ctl("status", check=False).returncode == 1


@test(needs=("root",))
def refusals(t):
    ctl = Ctl(t)
    for args, text in ((["frobnicate"], 'unknown command "frobnicate" (use --help for help)'), ([], "missing command name (use --help for help)")):
        p = ctl(*args, check=False)
        assert p.returncode == 1 and text in p.stderr, p.stderr
    assert 'unknown option "--nosuch" (use --help for help)' in ctl("--nosuch", "version")
    assert "--system-id=" in ctl("--help")
