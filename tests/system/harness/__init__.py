"""Fixtures for tests that run real binaries: switches, namespaces, guests, packets.

A test is a function with @test, in a file named *_test.py beside this package; it gets a `Run` and
cleans up nothing itself.  `Run.ours` names the flavour under test: the same tests run with
Debian's Open vSwitch in our place (`--flavour debian`), which is the proof that a test asks for what
the reference does.  Waiting is always for a condition, with a deadline (proc.until).
"""
from .core import Run, Skip, test
from .proc import until
from . import guest, machine, net, ocf, ovn, packets

__all__ = ["Run", "Skip", "guest", "machine", "net", "ocf", "ovn", "packets", "test", "until"]
