"""TLS between ovs-vsctl and ovsdb-server of both flavours, with certificates of ovs-pki."""
import contextlib
import json
import os
import re

from harness import ovn, test, until
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
    inodes = set()
    for f in os.listdir("/proc/%d/fd" % sw.db.p.pid):
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            inodes.add(os.readlink("/proc/%d/fd/%s" % (sw.db.p.pid, f)))
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


@test(needs=("ovn",), limit_s=180)
def keys_from_the_database_and_what_a_role_allows(t):
    """The southbound database with the roles that ovn-northd writes, served by TLS with keys that stand in the database itself."""
    d = pki(t)
    name = re.search(r"CN *= *([^,/\n]+)", run(["openssl", "x509", "-noout", "-subject", "-in", d + "/cl-cert.pem"]).stdout).group(1).strip()
    ca = {who: "%s/pki/%sca/cacert.pem" % (d, who) for who in ("controller", "switch")}
    for flavour in (t.debian, t.ours):
        central = ovn.Central(t, flavour, "ovn-" + flavour.name)
        central.sb("set-ssl", d + "/sc-privkey.pem", d + "/sc-cert.pem", ca["controller"])
        central.sb("set-connection", "role=ovn-controller", "pssl:0:127.0.0.1")
        port = until(lambda: central.sb("--if-exists", "get", "connection", ".", "status:bound_port").strip(' "\n'), "the remote listens")  # noqa: B023

        def ask(*ops, check=True):
            argv = [t.debian.bin("ovsdb-client"), "-t", "20", "-p", d + "/cl-privkey.pem", "-c", d + "/cl-cert.pem", "-C", ca["switch"], "transact", "ssl:127.0.0.1:" + port, json.dumps(["OVN_Southbound", *ops])]  # noqa: B023
            p = run(argv, check=check)
            return json.loads(p.stdout) if check else p

        def denied(op):
            what = {"insert": "row insertion into", "update": "modification of", "mutate": "mutate operation on", "delete": "row deletion from"}[op["op"]]
            text = 'RBAC rules for client "%s" role "ovn-controller" prohibit %s table "%s".' % (name, what, op["table"])
            assert ask(op)[0] == {"error": "permission error", "details": text}, (flavour.name, op)  # noqa: B023

        until(lambda: "Chassis" in central.sb("--bare", "--columns=permissions", "list", "RBAC_Role"), "ovn-northd wrote the roles")  # noqa: B023
        encap = {"op": "insert", "table": "Encap", "uuid-name": "e", "row": {"type": "geneve", "ip": "192.0.2.1", "chassis_name": name}}
        chassis = {"op": "insert", "table": "Chassis", "row": {"name": name, "encaps": ["named-uuid", "e"]}}
        assert all("uuid" in r for r in ask(encap, chassis))
        denied({"op": "insert", "table": "Chassis", "row": {"name": "another"}})
        denied({"op": "insert", "table": "DNS", "row": {}})
        denied({"op": "delete", "table": "SB_Global", "where": []})
        mine = [["name", "==", name]]
        assert ask({"op": "update", "table": "Chassis", "where": mine, "row": {"nb_cfg": 7}}) == [{"count": 1}]
        denied({"op": "update", "table": "Chassis", "where": mine, "row": {"hostname": "h"}})
        add = [["external_ids", "insert", ["map", [["a", "b"]]]]]
        denied({"op": "mutate", "table": "SB_Global", "where": [], "mutations": add})
        assert len(ask({"op": "select", "table": "SB_Global", "where": []})[0]["rows"]) == 1
        # Other keys count from the next connection on.
        central.sb("set-ssl", d + "/cl-privkey.pem", d + "/cl-cert.pem", ca["controller"])
        until(lambda: ask({"op": "comment", "comment": "x"}, check=False).returncode == 1, "the new certificate is shown")
        central.sb("set-ssl", d + "/sc-privkey.pem", d + "/sc-cert.pem", ca["controller"])
        until(lambda: ask({"op": "comment", "comment": "x"}, check=False).returncode == 0, "the old certificate is shown again")
