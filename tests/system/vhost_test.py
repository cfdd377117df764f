"""vhost-user ports with testpmd's virtio-user as the guests."""
from harness import test, until
from harness.guest import Guest
from harness.proc import Failed


def joined(t):
    """A switch whose vm0 and vm1 are joined by rules, and the two sockets."""
    sw = t.switch(dpdk=True)
    sw.bridge("br0", "fail_mode=secure")
    sockets = [t.path("vm%d.sock" % i) for i in (0, 1)]
    for i, s in enumerate(sockets):
        assert sw.port("br0", "vm%d" % i, "dpdkvhostuserclient", "options:vhost-server-path=" + s, "ofport_request=%d" % (i + 1)) == ""
    sw.flows("br0", "in_port=1,actions=output:2", "in_port=2,actions=output:1")
    return sw, sockets


def received(sw):
    p = sw.of_ports("br0")
    return p["vm0"]["rx"] + p["vm1"]["rx"]


def up(sw):
    """Waits until the switch sees both guests: what is sent before is lost."""
    for p in ("vm0", "vm1"):
        until(lambda: sw.get("Interface", p, "link_state") == "up", "link_state of %s follows the guest" % p, 20)


def flowing(sw, what):
    """Waits until packets circulate: 10,000 more than now."""
    n = received(sw)
    until(lambda: received(sw) > n + 10000, "packets circulate " + what, 20)


def flowing_again(sw, guest, what):
    """The same after an outage in which the circulating packets were lost: the guest sends new ones until they stay."""

    def primed():
        guest.send("stop")
        guest.start(bursts=2)
        n = received(sw)
        try:
            return until(lambda: received(sw) > n + 10000, "packets circulate", 1)
        except Failed:
            return False

    until(primed, "packets circulate " + what, 30)


@test(needs=("dpdk", "testpmd"), limit_s=180)
def guest_to_guest(t):
    sw, sockets = joined(t)
    guest = Guest(t, sockets)
    up(sw)
    guest.start(bursts=2)
    flowing(sw, "between the guests")
    assert min(guest.stats(0)[0], guest.stats(1)[0]) > 0


@test(needs=("dpdk", "testpmd"), limit_s=180)
def a_killed_guest_comes_back(t):
    sw, sockets = joined(t)
    first = Guest(t, sockets)
    up(sw)
    first.start(bursts=2)
    flowing(sw, "with the first guest")
    first.kill()
    until(lambda: sw.get("Interface", "vm0", "link_state") == "down", "link_state says the guest is gone", 20)
    second = Guest(t, sockets, name="again")
    up(sw)
    second.start(bursts=2)
    flowing(sw, "after the guest came back, the switch untouched")


@test(needs=("dpdk", "testpmd"), limit_s=180)
def the_guest_reconnects_to_a_restarted_switch(t):
    sw, sockets = joined(t)
    guest = Guest(t, sockets)
    up(sw)
    guest.start(bursts=2)
    flowing(sw, "before the restart")
    sw.vswitchd.stop()
    sw.start_vswitchd()
    until(lambda: "vm1" in sw.of_ports("br0"), "the ports are back")
    sw.flows("br0", "in_port=1,actions=output:2", "in_port=2,actions=output:1")
    flowing_again(sw, guest, "after the restart, the guest untouched")


@test(needs=("dpdk", "testpmd"), limit_s=180)
def a_killed_switch_comes_back_to_its_guest(t):
    sw, sockets = joined(t)
    guest = Guest(t, sockets)
    up(sw)
    guest.start(bursts=2)
    flowing(sw, "before the kill")
    sw.vswitchd.kill()
    sw.start_vswitchd()
    until(lambda: "vm1" in sw.of_ports("br0"), "the ports are back")
    sw.flows("br0", "in_port=1,actions=output:2", "in_port=2,actions=output:1")
    flowing_again(sw, guest, "after kill -9, the guest untouched")


@test(needs=("dpdk", "testpmd"), limit_s=180)
def the_switch_may_be_the_server_too(t):
    """dpdkvhostuser: the switch listens in its run directory, the guest connects."""
    sw = t.switch(dpdk=True)
    sw.bridge("br0", "fail_mode=secure")
    for i in (0, 1):
        assert sw.port("br0", "vm%d" % i, "dpdkvhostuser", "ofport_request=%d" % (i + 1)) == ""
    sw.flows("br0", "in_port=1,actions=output:2", "in_port=2,actions=output:1")
    guest = Guest(t, ["%s/vm%d" % (sw.dir, i) for i in (0, 1)], server=False)
    up(sw)
    guest.start(bursts=2)
    until(lambda: min(guest.stats(0)[0], guest.stats(1)[0]) > 10000, "packets circulate")  # the reference shows no counters of these ports
