"""Running programs so that nothing hangs, nothing outlives the run, and every failure shows its output."""
import ctypes
import os
import signal
import subprocess
import time

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """A command ended with an unexpected status, or a condition did not come true in time."""


def die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(argv, timeout=30, check=True, env=None, stdin=None):
    """Runs a command to its end; a CompletedProcess with text output."""
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=env, errors="replace",
                           preexec_fn=die_with_parent, **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    except subprocess.TimeoutExpired as e:
        raise Failed("no end after %d s: %s\n%s" % (timeout, " ".join(argv), (e.stderr or b"")[-2000:])) from None
    if check and p.returncode:
        raise Failed("exit %d: %s\n%s%s" % (p.returncode, " ".join(argv), p.stdout[-2000:], p.stderr[-2000:]))
    return p


def until(condition, what, limit_s=30, step_s=0.05):
    """Waits for condition() to return something true, and returns it; Failed after limit_s.

    A condition that raises Failed counts as not true yet; the last such error is shown."""
    end = time.monotonic() + limit_s
    last = None
    while True:
        try:
            got = condition()
            if got:
                return got
            last = None
        except Failed as e:
            last = e
        if time.monotonic() > end:
            raise Failed("not within %g s: %s%s" % (limit_s, what, "\nlast error: %s" % last if last else ""))
        time.sleep(step_s)


class Daemon:
    """A long-running process in a session of its own, its output in a file."""

    def __init__(self, name, argv, log, env=None, stdin=subprocess.DEVNULL, umask=-1):
        self.name, self.argv, self.log = name, argv, log
        with open(log, "ab") as out:
            self.p = subprocess.Popen(argv, env=env, stdin=stdin, stdout=out, stderr=out, preexec_fn=die_with_parent, start_new_session=True, umask=umask)

    @property
    def pid(self):
        return self.p.pid

    def alive(self):
        return self.p.poll() is None

    def kill(self, sig=signal.SIGKILL):
        if self.alive():
            os.kill(self.p.pid, sig)
        self.p.wait(10)

    def stop(self, limit_s=10):
        """SIGTERM, then SIGKILL if it does not obey."""
        if not self.alive():
            return
        os.kill(self.p.pid, signal.SIGTERM)
        try:
            self.p.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def cpu_s(self):
        """Processor seconds used so far."""
        f = open("/proc/%d/stat" % self.p.pid).read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        return next(int(l.split()[1]) for l in open("/proc/%d/status" % self.p.pid) if l.startswith("VmRSS"))
