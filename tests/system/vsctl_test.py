"""ovs-vsctl of Debian and ours on the same command lines: stdout, stderr, status and what is in the database afterwards.

Both sides talk to Debian's ovsdb-server, so that only the tool differs; `on_our_server` lets ours talk to ours."""
import difflib
import os
import re
import shlex

from harness import test

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vsctl_commands.txt")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def normal(text, sw):
    text = UUID.sub("UUID", text).replace(sw.dir, "RUNDIR")
    text = re.sub(r"^\d{4}-\d\d-\d\dT[\d:]+Z\|\d+\|", "TIME|", text, flags=re.M)
    return re.sub(r"^\S*/ovs-vsctl: ", "ovs-vsctl: ", text, flags=re.M)


def stop_db(sw):
    sw.stop()
    sw.db = None


def by_chance(args):
    """Is the order of the lines that of random UUIDs?"""
    return bool({"show", "list", "find"} & set(args))


def contents(sw, debian):
    dump = sw.tool("ovsdb-client", "dump", "unix:" + sw.db_sock, "Open_vSwitch", "--format=csv", flavour=debian).stdout
    return sorted(UUID.sub("UUID", re.sub(r"\[UUID[^\]]*\]", "[]", UUID.sub("UUID", dump))).splitlines())


def compare(t, other_db):
    lines = [l.rstrip("\n") for l in open(CORPUS) if l.strip() and not l.startswith("#")]
    different, n = [], 0

    def fresh():
        return [t.switch(db=db, tools=tools, start_vswitchd=False, init=False) for db, tools in ((t.debian, t.debian), (other_db, t.ours))]

    def settle(sides):
        a, b = (contents(s, t.debian) for s in sides)
        if a != b:
            different.append("the databases:\n" + "\n".join(list(difflib.unified_diff(a, b, "debian", "ours", lineterm="", n=0))[:20]))
        for s in sides:
            stop_db(s)

    sides = fresh()
    for line in lines:
        if line == "%":
            settle(sides)
            sides = fresh()
            continue
        args, outs, n = shlex.split(line), [], n + 1
        for s in sides:
            p = s.tool("ovs-vsctl", "--db=unix:" + s.db_sock, "--no-wait", *args, check=False)
            out = [l for f in (p.stdout, p.stderr) for l in normal(f, s).splitlines()]
            outs.append((sorted(out) if by_chance(args) else out) + ["status %d" % p.returncode])
        if outs[0] != outs[1]:
            different.append("$ %s\n%s" % (line, "\n".join(list(difflib.unified_diff(*outs, "debian", "ours", lineterm="", n=0))[2:20])))
    settle(sides)
    assert n > 150, n
    assert not different, "%d of %d differ:\n%s" % (len(different), n, "\n".join(different))


@test(limit_s=180)
def same_as_debians(t):
    """Every line of vsctl_commands.txt, on Debian's server."""
    compare(t, t.debian)


@test(limit_s=180, only="ours")
def on_our_server(t):
    """The same with ours on our server."""
    compare(t, t.ours)


@test()
def says_at_once_that_there_is_no_server(t):
    s = t.switch(db=t.debian, start_vswitchd=False)
    stop_db(s)
    p = s.vsctl("show", check=False)
    text = p.stderr.replace(s.dir, "RUNDIR")
    assert p.returncode == 1, p.returncode
    assert text == "ovs-vsctl: unix:RUNDIR/db.sock: database connection failed (No such file or directory)\n" or "(Connection refused)" in text, text


@test(only="ours")
def a_wait_without_vswitchd_is_explained(t):
    s = t.switch(db=t.debian, start_vswitchd=False)
    p = s.vsctl("add-br", "br0", check=False, timeout=3)
    assert p.returncode == -14, p.returncode
    assert "none seems to run" in p.stderr, p.stderr
    assert p.stderr.count("\n") <= 2, p.stderr
