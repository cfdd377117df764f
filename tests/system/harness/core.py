"""What a test is, what it may ask for, and how it is skipped."""
import contextlib
import glob
import os
import shutil
import tempfile

from . import machine
from .machine import Skip
from .switch import Flavour, Switch

TESTS = []


def test(needs=(), limit_s=120, nightly=False, only=None):
    """Registers a test.  needs: of "root", "dpdk" (a PMD thread and its memory), "python-ovs", "os-ken", "iperf3", "bench"."""

    def register(f):
        f.needs, f.limit_s, f.nightly, f.only = tuple(needs), limit_s, nightly, only
        f.title = "%s.%s" % (f.__module__.removesuffix("_test"), f.__name__)
        TESTS.append(f)
        return f

    return register


class Run:
    """One test being run: its directory, its switches, and everything to undo at its end."""

    def __init__(self, ours, name):
        self.ours = ours
        self.debian = Flavour("debian")
        self.dir = tempfile.mkdtemp(prefix="vs-")
        self.stack = contextlib.ExitStack()
        self.switches = []
        self.logs = []
        self.name = name

    def switch(self, **kw):
        """Starts ovsdb-server and ovs-vswitchd (harness.switch.Switch), stopped at the end of the test."""
        s = Switch(self, **kw)
        self.switches.append(s)
        self.stack.callback(s.stop)
        s.start()
        return s

    def defer(self, f, *a):
        self.stack.callback(f, *a)

    def enter(self, cm):
        return self.stack.enter_context(cm)

    def path(self, name):
        return os.path.join(self.dir, name)

    def close(self):
        self.stack.close()

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        for left in glob.glob("/var/run/dpdk/*" + self.unique):  # DPDK's files of switch and guests
            shutil.rmtree(left, ignore_errors=True)

    @property
    def unique(self):
        """A word that no other run has in its names."""
        return os.path.basename(self.dir)


def lacking(needs, run_dir):
    """The first need that this machine does not meet, as a sentence; None if all are met."""
    for n in needs:
        why = machine.NEEDS[n](run_dir)
        if why:
            return why
    return None


__all__ = ["Run", "Skip", "TESTS", "lacking", "test"]
