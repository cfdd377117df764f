"""What this machine offers: root, huge pages, packages, the turn to run a polling thread."""
import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess

HUGE_2M = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
HUGE_MIN_MIB = 1600  # a switch with one shared pool of 262,144 buffers, and a guest with 512 MiB
REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class Skip(Exception):
    """The test cannot run here; the message says why."""


def root(_=None):
    return None if os.geteuid() == 0 else "needs root (namespaces, huge pages)"


def _read(path, default="0"):
    try:
        return open(path).read().strip()
    except OSError:
        return default


def huge_free_mib():
    return int(_read(HUGE_2M + "free_hugepages")) * 2


def huge_mounted():
    return any(l.split()[2] == "hugetlbfs" for l in open("/proc/mounts"))


def reserve_huge():
    """Reserves and mounts 2 MiB huge pages if there are too few; True if enough are there.  What was raised is lowered by release_huge()."""
    if os.geteuid() == 0 and huge_free_mib() < HUGE_MIN_MIB:
        had = int(_read(HUGE_2M + "nr_hugepages"))
        want = had + (HUGE_MIN_MIB - huge_free_mib() + 1) // 2
        with contextlib.suppress(OSError), open(HUGE_2M + "nr_hugepages", "w") as f:
            f.write(str(want))
        _undo.append((had, int(_read(HUGE_2M + "nr_hugepages"))))
    if os.geteuid() == 0 and huge_free_mib() >= HUGE_MIN_MIB and not huge_mounted():
        os.makedirs("/dev/hugepages", exist_ok=True)
        subprocess.run(["mount", "-t", "hugetlbfs", "nodev", "/dev/hugepages"], check=False)
    return huge_free_mib() >= HUGE_MIN_MIB and huge_mounted()


def release_huge():
    while _undo:
        had, made = _undo.pop()
        with contextlib.suppress(OSError):
            if int(_read(HUGE_2M + "nr_hugepages")) == made:
                with open(HUGE_2M + "nr_hugepages", "w") as f:
                    f.write(str(had))


_undo = []


def huge_mib_or_none():
    """MiB of huge pages a switch may take, or None: then it runs on ordinary memory (--no-huge)."""
    return 1024 if reserve_huge() else None


def dpdk(_=None):
    if len(os.sched_getaffinity(0)) < 2:
        return "needs two processors (one for the polling thread)"
    return root()


def module(name):
    return lambda _=None: None if importlib.util.find_spec(name) else "needs python module %s" % name


def program(name):
    return lambda _=None: None if shutil.which(name) else "needs %s" % name


def ovn(_=None):
    from .ovn import present

    return present()


def ovsdbapp(_=None):
    from .venv import lacking

    return lacking()


def bench_dir():
    """Where the public benches are: $VSWITCH_BENCH, or ../shared/bench beside the repository."""
    for d in (os.environ.get("VSWITCH_BENCH"), os.path.join(REPO, "../shared/bench"), "/work/shared/bench"):
        if d and os.path.exists(os.path.join(d, "vsbench.py")):
            return os.path.abspath(d)
    return None


def bench(_=None):
    return None if bench_dir() else "needs the public benches in ../shared/bench (or $VSWITCH_BENCH)"


NEEDS = {"root": root, "dpdk": dpdk, "python-ovs": module("ovs"), "os-ken": module("os_ken"), "iperf3": program("iperf3"),
         "testpmd": program("dpdk-testpmd"), "bench": bench,
         "ovn": ovn, "ovsdbapp": ovsdbapp, "ovn-controller": program("ovn-controller")}


@contextlib.contextmanager
def polling_turn():
    """One run at a time on a machine may hold polling threads: two would measure and starve each other."""
    with open(os.environ.get("VSWITCH_PMD_LOCK", "/tmp/pmd.lock"), "a") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield
