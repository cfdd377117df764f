"""OVN's resource agent without Pacemaker: the few functions and programs that it calls, and two nodes on one machine."""
import os

from .proc import run

AGENT = "/usr/share/ovn/scripts/ovndb-servers.ocf"
FUNCTIONS = """
OCF_SUCCESS=0 OCF_ERR_GENERIC=1 OCF_ERR_UNIMPLEMENTED=3 OCF_ERR_INSTALLED=5 OCF_NOT_RUNNING=7 OCF_RUNNING_MASTER=8
__OCF_ACTION=$1
ocf_log() { echo "$@" >&2; }
ocf_attribute_target() { echo "$NODE"; }
ocf_local_nodename() { echo "$NODE"; }
"""
# crm_attribute keeps one value in a file: -v sets it, --query prints it.
ATTRIBUTE = """#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in
    -v) echo "$2" >"$CRM_FILE"; shift ;;
    --query) cat "$CRM_FILE" 2>/dev/null ;;
    esac
    shift
done
"""


class Cluster:
    """What all nodes share."""

    def __init__(self, t):
        self.t, self.dir = t, t.path("ocf")
        os.makedirs(self.dir + "/lib/heartbeat")
        with open(self.dir + "/lib/heartbeat/ocf-shellfuncs", "w") as f:
            f.write(FUNCTIONS)
        for name, text in (("crm_attribute", ATTRIBUTE), ("crm_master", "#!/bin/sh\n")):
            with open(self.dir + "/" + name, "w") as f:
                f.write(text)
            os.chmod(self.dir + "/" + name, 0o755)


class Node:
    """A node with servers of a flavour; `act` runs an action of the agent and gives its exit status."""

    def __init__(self, cluster, name, flavour):
        t, self.name = cluster.t, name
        self.dir = t.path(name)
        os.makedirs(self.dir)
        where = os.path.abspath(flavour.where) if flavour.where else "/usr/bin"
        self.env = dict(os.environ, NODE=name, OCF_ROOT=cluster.dir, HA_SBIN_DIR=cluster.dir, CRM_FILE=cluster.dir + "/value", OCF_RESKEY_master_ip="127.0.0.1",
                        PATH="%s:/usr/sbin:/usr/bin:/sbin:/bin" % where, OVS_BINDIR=where, OVS_SBINDIR=where)
        self.env.update({"%s_%s" % (o, k): self.dir for o in ("OVS", "OVN") for k in ("RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR")})
        t.logs += [self.dir + "/ovsdb-server-nb.log", self.dir + "/ovsdb-server-sb.log"]
        t.defer(self.kill)

    def act(self, action, **notify):
        env = dict(self.env, **{"OCF_RESKEY_CRM_meta_notify_" + k: v for k, v in notify.items()})
        return run(["bash", AGENT, action], env=env, check=False, timeout=60).returncode

    def pids(self):
        for which in ("nb", "sb"):
            try:
                yield int(open("%s/ovn%s_db.pid" % (self.dir, which)).read())
            except (OSError, ValueError):
                pass

    def kill(self):
        """The node dies: both servers by signal 9."""
        for pid in self.pids():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def nb(self, *args, check=True):
        p = run(["ovn-nbctl", "--no-leader-only", "--timeout=20", "--db=unix:%s/ovnnb_db.sock" % self.dir, *args], env=self.env, check=check, timeout=30)
        return p.stdout if check else p
