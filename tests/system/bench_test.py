"""The public benches run to their end, and within the first aim: 1.5 times the cost of Debian's switch."""
import os
import re

from harness import Skip, machine, test
from harness.proc import run

RULES = "port,l2,l3,l4,vlan,pipeline"
SLOWER_MAX = 1.5


def spec(t):
    return "ours=" + t.ours.where if t.ours.where else "debian"


def bench(t, name, *args, timeout):
    if not machine.reserve_huge():
        raise Skip("needs %d MiB of 2 MiB huge pages" % machine.HUGE_MIN_MIB)
    return run(["/usr/bin/python3", os.path.join(machine.bench_dir(), name), *args], timeout=timeout).stdout


def shown(out, profiles, rules):
    """{(profile, rule set): [cycles of each switch]}; every pair must be there, with packets out of dst."""
    assert "FAILED" not in out, out
    per_run = re.findall(r"([\d.]+|nan) cyc/pkt +([\d.]+) Mpps", out)
    assert per_run and all(c != "nan" and float(m) > 0 for c, m in per_run), out
    table = {}
    for p in profiles.split(","):
        for r in rules.split(","):
            row = re.search(r"(?m)^%s +%s +default +[\d.na]+((?: +[\d.]+)+)" % (p, r), out)
            assert row, "no result for %s %s in\n%s" % (p, r, out)
            table[p, r] = [float(x) for x in row.group(1).split()]
    return table


@test(needs=("dpdk", "testpmd", "bench"), limit_s=400)
def vsbench_runs_every_rule_set(t):
    out = bench(t, "vsbench.py", "run", "--switch", spec(t), "--profile", "f1000", "--rules", RULES, "--seconds", "0.5", timeout=380)
    shown(out, "f1000", RULES)


@test(needs=("dpdk", "testpmd", "bench"), limit_s=180)
def v2vbench_runs(t):
    out = bench(t, "v2vbench.py", "--switch", spec(t), "--seconds", "1", timeout=190)
    m = re.search(r"([\d.]+) Mpps through the switch, ([\d.]+) processing", out)
    assert m and float(m.group(1)) > 0, out


@test(needs=("dpdk", "testpmd", "bench"), limit_s=3600, nightly=True)
def every_profile_and_rule_set_within_the_aim(t):
    profiles = "f1,f1000,f10000,f100000,f200000"
    out = bench(t, "vsbench.py", "run", "--switch", "debian", "--switch", spec(t), "--profile", profiles, "--rules", RULES, "--rounds", "3", timeout=3500)
    print(out)
    slow = {k: v for k, v in shown(out, profiles, RULES).items() if v[1] > SLOWER_MAX * v[0]}
    assert not slow, "slower than %g times Debian's: %s" % (SLOWER_MAX, slow)


@test(needs=("dpdk", "testpmd", "bench"), limit_s=600, nightly=True)
def setupbench_and_ovsdbbench_run(t):
    print(bench(t, "setupbench.py", "--switch", spec(t), "--flows", "10000", "--tuples", "20000", timeout=300))
    print(bench(t, "ovsdbbench.py", "--switch", spec(t), "--txns", "5000", timeout=300))
