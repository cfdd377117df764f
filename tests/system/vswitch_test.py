"""Our own front door, and the script that prepares a machine."""
import os
import re
import shutil

from harness import machine, test
from harness.proc import run


@test(only="ours")
def doctor_gives_verdicts_and_commands(t):
    p = run([t.ours.bin("vswitch"), "doctor"], check=False)
    assert re.search(r"(?m)^  (ok  |hint|BAD ) ", p.stdout), p.stdout
    assert p.returncode == (1 if "\n  BAD " in p.stdout else 0), p.stdout + p.stderr


@test(only="ours")
def front_door_says_what_it_can(t):
    p = run([t.ours.bin("vswitch"), "--help"])
    assert all(re.search(r"(?m)^  %s +\S" % s, p.stdout) for s in ("demo", "doctor", "top", "drops"))
    p = run([t.ours.bin("vswitch"), "frobnicate"], check=False)
    assert p.returncode == 2 and "unrecognized subcommand 'frobnicate'" in p.stderr
    p = run([t.ours.bin("vswitch"), "top", "-t", t.path("none.ctl")], check=False)
    assert p.returncode == 1 and "cannot connect" in p.stderr, p.stderr


@test(only="ours")
def top_and_drops_read_a_running_switch(t):
    sw = t.switch(dummy="")
    sw.bridge("br0", "fail_mode=secure")
    sw.port("br0", "p1", "dummy")
    sw.ofctl("add-flow", "br0", "actions=drop")
    for _ in range(3):
        sw.appctl("netdev-dummy/receive", "p1", "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x1234)")
    assert "thread" in run([t.ours.bin("vswitch"), "top", "-t", sw.ctl, "-n", "1"]).stdout
    out = run([t.ours.bin("vswitch"), "drops", "-t", sw.ctl]).stdout
    assert re.search(r"flow-actions +3 ", out), out


@test(needs=("dpdk", "testpmd"), limit_s=180, only="ours")
def demo_plays_to_its_end_and_leaves_nothing(t):
    here = lambda: (run(["ip", "netns", "list"]).stdout, sorted(x for x in os.listdir("/tmp") if x.startswith("vswitch-demo-")))  # noqa: E731
    before = here()
    p = run([t.ours.bin("vswitch"), "demo", "--seconds", "2"], timeout=110, check=False)
    assert p.returncode == 0, p.stdout[-3000:] + p.stderr
    assert " 0% packet loss" in p.stdout and "Bridge br0" in p.stdout and re.search(r"core \d+ +[\d.]+ +\d+", p.stdout), p.stdout
    assert here() == before


@test(needs=("root",))
def setup_prints_one_command_to_those_who_may_not_install(t):
    os.chmod(t.dir, 0o755)
    script = shutil.copy(os.path.join(machine.REPO, "tests/lib/setup.sh"), t.path("setup.sh"))
    os.mkdir(t.path("bin"))
    open(t.path("bin/dpkg-query"), "w").write("#!/bin/sh\nexit 1\n")
    os.chmod(t.path("bin/dpkg-query"), 0o755)
    p = run(["setpriv", "--reuid=65534", "--clear-groups", "env", "PATH=%s:/usr/bin:/bin" % t.path("bin"), "bash", script, "demo"], check=False)
    assert p.returncode == 1 and re.search(r"sudo \S+setup.sh demo .*apt-get install .*libdpdk-dev", p.stderr), p.stderr
