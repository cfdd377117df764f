"""TLS between ovs-vsctl and ovsdb-server of both flavours, with certificates of ovs-pki."""
import os

from harness import test
from harness.proc import run
from harness.switch import accepts


def pki(t):
    """A directory with sc-*.pem (signed by switchca) and cl-*.pem (signed by controllerca)."""
    d = t.path("pki")
    os.makedirs(d)
    for args in (["init"], ["req+sign", "sc", "switch"], ["req+sign", "cl", "controller"]):
        run(["sh", "-c", "cd %s && exec ovs-pki --dir=%s/pki --log=%s/log %s" % (d, d, d, " ".join(args))])
    return d


def port_of(sw):
    """The port of the remote `pssl:0`, from the listening sockets of the server's process."""
    inodes = {os.readlink("/proc/%d/fd/%s" % (sw.db.p.pid, f)) for f in os.listdir("/proc/%d/fd" % sw.db.p.pid)}
    with open("/proc/net/tcp") as f:
        rows = [l.split() for l in f.readlines()[1:]]
    return next(int(r[1].split(":")[1], 16) for r in rows if r[3] == "0A" and "socket:[%s]" % r[9] in inodes)


@test(limit_s=180)
def every_client_with_every_server(t):
    d = pki(t)
    us = ["--private-key=" + d + "/cl-privkey.pem", "--certificate=" + d + "/cl-cert.pem"]
    trust, distrust = ("--ca-cert=%s/pki/%s/cacert.pem" % (d, ca) for ca in ("switchca", "controllerca"))
    for server in (t.debian, t.ours):
        sw = t.switch(db=server, tools=t.debian, start_vswitchd=False)
        sw.stop()
        sw.start_db(["--remote=pssl:0:127.0.0.1", "-p", d + "/sc-privkey.pem", "-c", d + "/sc-cert.pem", "-C", d + "/pki/controllerca/cacert.pem", "--peer-ca-cert=" + d + "/pki/switchca/cacert.pem"])
        assert accepts(sw.db_sock)
        db = "--db=ssl:127.0.0.1:%d" % port_of(sw)
        for client in (t.debian, t.ours):
            def vsctl(*args, check=True):
                return sw.tool("ovs-vsctl", "--timeout=10", "--no-wait", db, *args, flavour=client, check=check)  # noqa: B023

            assert vsctl(*us, trust, "--", "--may-exist", "add-br", "br0", "--", "list-br").stdout == "br0\n"
            assert vsctl(*us, distrust, "list-br", check=False).returncode == 1
            assert vsctl("list-br", check=False).returncode == 1
            fetched = d + "/fetched%d" % len(os.listdir(d))
            assert vsctl(*us, "--bootstrap-ca-cert=" + fetched, "list-br", check=False).returncode == 1
            assert os.path.exists(fetched)
            assert vsctl(*us, "--bootstrap-ca-cert=" + fetched, "list-br").stdout == "br0\n"
        # A stranger's certificate is no use, and disturbs nobody.
        stranger = ["--private-key=" + d + "/sc-privkey.pem", "--certificate=" + d + "/sc-cert.pem"]
        assert sw.tool("ovs-vsctl", "--timeout=10", "--no-wait", db, *stranger, trust, "list-br", check=False).returncode == 1
        assert sw.vsctl("list-br") == "br0\n"
