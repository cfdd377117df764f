"""os-ken, a third implementation of OpenFlow, finds in our switch what it finds in Debian's."""
import os
import re

from controller_test import controller, free_port
from harness import test, until
from ofmonitor_test import dummy_bridge

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "group_meter_13.py")


def findings(t, flavour):
    port = free_port()
    name = "osken-" + flavour.name
    controller(t, name, ["/usr/bin/osken-manager" if os.path.exists("/usr/bin/osken-manager") else "osken-manager", "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(port), APP])
    sw = dummy_bridge(t, "protocols=OpenFlow13", flavour=flavour)
    sw.vsctl("set-controller", "br0", "tcp:127.0.0.1:%d" % port)
    said = lambda: re.findall(r"FOUND (.*)", open(t.path(name + ".out")).read())  # noqa: E731
    until(lambda: "done" in said(), "the application has asked everything", 40)
    return sorted(said())


@test(needs=("os-ken",), limit_s=120)
def groups_and_meters_as_debians(t):
    want, got = findings(t, t.debian), findings(t, t.ours)
    assert len(want) > 15 and "groups [(1, 0, 1), (2, 1, 2), (3, 2, 1), (4, 3, 2)]" in want, want
    assert got == want, "os-ken found\n%s\nin Debian's\n%s" % ("\n".join(got), "\n".join(want))
