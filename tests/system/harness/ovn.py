"""OVN's central part: the northbound and southbound databases of a flavour, and Debian's ovn-northd between them."""
import os
import shutil

from .proc import Daemon, run, until
from .switch import accepts

SCHEMAS = "/usr/share/ovn"
PROGRAMS = ("ovn-northd", "ovn-nbctl", "ovn-sbctl")


def present(_=None):
    """Why OVN's tests cannot run, or None."""
    for p in PROGRAMS:
        if not shutil.which(p):
            return "needs %s (ovn-common, ovn-central)" % p
    return None if os.path.exists(SCHEMAS + "/ovn-nb.ovsschema") else "needs OVN's schemas in %s" % SCHEMAS


class Central:
    """Two servers with the command lines of ovn-ctl, and ovn-northd; ended with the test."""

    def __init__(self, t, flavour, name="ovn"):
        self.t, self.flavour, self.dir = t, flavour, t.path(name)
        os.makedirs(self.dir)
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir, OVN_RUNDIR=self.dir, OVN_LOGDIR=self.dir, OVN_DBDIR=self.dir)
        self.db, self.northd = {}, None
        for which in ("nb", "sb"):
            run([flavour.bin("ovsdb-tool"), "create", self.file(which), "%s/ovn-%s.ovsschema" % (SCHEMAS, which)], env=self.env)
            t.logs += ["%s/%s.log" % (self.dir, which), "%s/%s.out" % (self.dir, which)]
            self.start_db(which)
        t.logs.append(self.dir + "/northd.log")
        self.ctl("nb", "init"), self.ctl("sb", "init")
        self.start_northd()

    def file(self, which):
        return "%s/ovn%s_db.db" % (self.dir, which)

    def sock(self, which):
        return "%s/ovn%s_db.sock" % (self.dir, which)

    def start_db(self, which):
        db, table = ("OVN_Northbound", "NB_Global") if which == "nb" else ("OVN_Southbound", "SB_Global")
        argv = [self.flavour.bin("ovsdb-server"), "-vconsole:off", "-vfile:info", "--log-file=%s/%s.log" % (self.dir, which), "--remote=punix:" + self.sock(which),
                "--pidfile=%s/ovn%s_db.pid" % (self.dir, which), "--unixctl=%s/ovn%s_db.ctl" % (self.dir, which), "--remote=db:%s,%s,connections" % (db, table),
                "--private-key=db:%s,SSL,private_key" % db, "--certificate=db:%s,SSL,certificate" % db, "--ca-cert=db:%s,SSL,ca_cert" % db,
                "--ssl-protocols=db:%s,SSL,ssl_protocols" % db, "--ssl-ciphers=db:%s,SSL,ssl_ciphers" % db, self.file(which)]
        d = self.db[which] = Daemon("ovsdb-server " + which, argv, "%s/%s.out" % (self.dir, which), env=self.env)
        self.t.defer(d.kill)
        until(lambda: self.alive(d) and accepts(self.sock(which)), "the %s database listens" % which)

    def start_northd(self):
        argv = ["ovn-northd", "--ovnnb-db=unix:" + self.sock("nb"), "--ovnsb-db=unix:" + self.sock("sb"), "-vconsole:off", "--log-file=%s/northd.log" % self.dir,
                "--unixctl=%s/northd.ctl" % self.dir]
        self.northd = Daemon("ovn-northd", argv, self.dir + "/northd.out", env=self.env)
        self.t.defer(self.northd.kill)

    def alive(self, d):
        if not d.alive():
            raise AssertionError("%s ended with status %s" % (d.name, d.p.returncode))
        return True

    def ctl(self, which, *args, check=True, stdin=None):
        """ovn-nbctl or ovn-sbctl; its output."""
        p = run(["ovn-%sctl" % which, "--no-leader-only", "--timeout=30", "--db=unix:" + self.sock(which), *args], env=self.env, check=check, timeout=40, stdin=stdin)
        return p.stdout if check else p

    def nb(self, *args, **kw):
        return self.ctl("nb", *args, **kw)

    def sb(self, *args, **kw):
        return self.ctl("sb", *args, **kw)
