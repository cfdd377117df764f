"""Our own front door, and the script that prepares a machine."""
import os
import re
import shutil

from harness import Skip, machine, test, until
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
    assert re.search(r"(?m)^flow-actions +3 +\d+\n  at p1 +3$", out), out
    assert sw.appctl("coverage/read-counter", "drop_action_of_pipeline") == "3\n"


def leftovers(said):
    """What the demo that printed `said` has not taken away; everything it makes is named after its process."""
    pid = int(re.search(r"/tmp/vswitch-demo-(\d+)", said).group(1))
    names = ["/tmp/vswitch-demo-%d" % pid] + ["/run/netns/%s%x" % (n, pid) for n in ("demo-sw", "demo-a", "demo-b")] + ["/var/run/dpdk/%s%x" % (n, pid) for n in ("demo", "guest")]
    running = run(["pgrep", "-f", "vswitch-demo-%d/" % pid], check=False).stdout.split()
    return [n for n in names if os.path.exists(n)] + running


def links():
    return sorted(l.split()[0] for l in run(["ip", "-br", "link"]).stdout.splitlines())


def shown(text):
    """The demo's display has numbers in every part."""
    assert " 0% packet loss" in text and "Bridge br0" in text, text[-3000:]
    assert re.search(r"core \d+ +[\d.]+ +\d+ +[\d.]+% +[\d.]+%", text), "no cycles per packet and hit rates:\n" + text[-3000:]
    assert re.search(r"(?m)^src +[\d.]+ [kM]", text), "no packets per second:\n" + text[-3000:]
    assert re.search(r"(?m)^flow-actions +\d{3,} +[\d.]+ ?[kM]?\n  at src +\d{3,}", text), "no drops by reason:\n" + text[-3000:]


@test(needs=("dpdk", "testpmd"), limit_s=180, only="ours")
def demo_plays_to_its_end_and_leaves_nothing(t):
    before = links()
    p = run([t.ours.bin("vswitch"), "demo", "--seconds", "2"], timeout=150, check=False)
    assert p.returncode == 0, p.stdout[-3000:] + p.stderr
    shown(p.stdout)
    said = p.stdout
    until(lambda: not leftovers(said), "nothing is left")
    assert links() == before


@test(needs=("dpdk", "testpmd"), limit_s=180, only="ours")
def demo_without_huge_pages(t):
    """Ordinary memory, and a clear line that says so."""
    hide = "mount -t tmpfs none /sys/kernel/mm/hugepages && mount -t tmpfs none /sys/devices/system/node && exec \"$@\""
    p = run(["unshare", "--mount", "sh", "-c", hide, "sh", t.ours.bin("vswitch"), "demo", "--seconds", "2"], timeout=150, check=False)
    assert p.returncode == 0, p.stdout[-3000:] + p.stderr
    assert re.search("no huge pages.*\n.*running on ordinary memory", p.stdout), p.stdout[:1500]
    shown(p.stdout)


@test(needs=("dpdk", "testpmd"), limit_s=180, only="ours")
def demo_can_be_kept_talked_to_and_ended(t):
    """Also beside a switch that runs already."""
    other = t.switch()
    other.bridge("br0")
    before = links()
    p = run([t.ours.bin("vswitch"), "demo", "--seconds", "1", "--keep"], timeout=150, check=False)
    assert p.returncode == 0, p.stdout[-3000:] + p.stderr
    said = p.stdout
    assert leftovers(said), "it is not there any more"
    lines = said[said.index("Talk to it with:"):].splitlines()
    commands = [l.strip() for l in lines if l.startswith("    ")]
    stop = commands.pop()
    assert "--stop" in stop and len(commands) >= 3, lines
    try:
        talk = run(["sh", "-ec", "\n".join(c + (" -n 1" if c.startswith("vswitch top") else "") for c in commands)], check=False)
        assert talk.returncode == 0 and "Bridge br0" in talk.stdout and "actions=drop" in talk.stdout and "core " in talk.stdout, talk.stdout + talk.stderr
    finally:
        p = run(["sh", "-c", "PATH=%s:$PATH; %s" % (os.path.dirname(t.ours.bin("vswitch")), stop)], timeout=60, check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    until(lambda: not leftovers(said), "nothing is left")
    assert links() == before
    assert other.vsctl("list-br").split() == ["br0"]


@test(needs=("root",), only="ours")
def demo_says_one_command_to_those_who_are_not_root(t):
    script = "exec setpriv --reuid=65534 --clear-groups %s demo" % t.ours.bin("vswitch")
    p = run(["sh", "-c", script], check=False)
    if p.returncode == 126 or "Permission denied" in p.stderr:
        raise Skip("another user may not run the binary where it lies")
    assert p.returncode == 1 and "sudo make demo" in p.stderr, p.stdout + p.stderr


@test(needs=("root",))
def setup_prints_one_command_to_those_who_may_not_install(t):
    os.chmod(t.dir, 0o755)
    script = shutil.copy(os.path.join(machine.REPO, "tests/lib/setup.sh"), t.path("setup.sh"))
    os.mkdir(t.path("bin"))
    open(t.path("bin/dpkg-query"), "w").write("#!/bin/sh\nexit 1\n")
    os.chmod(t.path("bin/dpkg-query"), 0o755)
    for what, command in (("build", r"sudo \S+setup.sh build .*apt-get install .*libdpdk-dev"), ("demo", r"sudo env PATH=\S+ make -C \S+ demo .*apt-get install .*libdpdk-dev")):
        p = run(["setpriv", "--reuid=65534", "--clear-groups", "env", "PATH=%s:/usr/bin:/bin" % t.path("bin"), "bash", script, what], check=False)
        assert p.returncode == 1 and re.search(command, p.stderr), p.stderr
