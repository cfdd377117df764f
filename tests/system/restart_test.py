"""kill -9 at any moment: restart brings the configuration back, and forwarding resumes."""
import os
import random
import threading
import time

from harness import test, until
from harness.proc import run
from netns_test import two_on_veth


@test(needs=("root",))
def vswitchd_killed_and_restarted(t):
    sw = t.switch()
    sw.bridge()
    a, b, pa, pb = t.enter(two_on_veth(sw))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    before = {p: sw.get("Interface", p, "ofport") for p in (pa, pb)}
    for _ in range(3):
        sw.vswitchd.kill()
        assert a.ping("10.9.0.2", 1, check=False) == 0, "somebody else forwards"
        sw.start_vswitchd()
        until(lambda: a.ping("10.9.0.2", 1, check=False), "ping after the restart")
    assert {p: sw.get("Interface", p, "ofport") for p in (pa, pb)} == before


@test(needs=("root",))
def ovsdb_server_killed_and_restarted(t):
    """The switch goes on forwarding without its database, and takes up changes once it is back."""
    sw = t.switch()
    sw.bridge()
    a, b, *_ = t.enter(two_on_veth(sw))
    until(lambda: a.ping("10.9.0.2", 1, check=False), "the first ping")
    for i in range(3):
        sw.db.kill()
        if t.ours.name != "debian":  # its main thread polls no port while the database is away
            a.ping("10.9.0.2", 3)
        sw.start_db()
        sw.vsctl("--timeout=20", "add-br", "extra%d" % i, "--", "set", "Bridge", "extra%d" % i, "datapath_type=netdev", timeout=20)
        until(lambda: "extra%d" % i in sw.appctl("ofproto/list"), "ovs-vswitchd sees the new bridge")
        until(lambda: a.ping("10.9.0.2", 3, check=False) == 3, "ping with the database back")


@test(needs=("root",), limit_s=180)
def both_killed_in_the_middle_of_changes(t):
    """Every acknowledged transaction survives; what was in flight is there as a whole or not at all."""
    sw = t.switch(tools=t.debian)
    sw.bridge()
    seed = int(time.time())
    print("seed %d" % seed, end=" ")
    rnd = random.Random(seed)
    kept = []
    for turn in range(4):
        sure, stop = [], threading.Event()

        def writer():
            n = 0
            while not stop.is_set():
                name = "q%d-%d" % (turn, n)
                p = sw.vsctl("--no-wait", "--", "--id=@q", "create", "Queue", "external_ids:n=%s" % name, "--", "--id=@s", "create", "QoS", "type=linux-noop", "queues:0=@q", "external_ids:n=%s" % name, check=False, timeout=2)
                if p.returncode:
                    return
                sure.append(name)
                n += 1

        w = threading.Thread(target=writer)
        w.start()
        time.sleep(0.2 + rnd.random() * 0.5)  # the moment of the kill is meant to be any
        sw.db.kill(), sw.vswitchd.kill()
        stop.set()
        w.join()
        kept += sure
        sw.start_db()
        sw.start_vswitchd()
        here = lambda table: set(sw.vsctl("--bare", "--columns=external_ids", "list", table).split())  # noqa: E731
        qs, ss = here("Queue"), here("QoS")
        assert qs == ss and {"n=" + k for k in kept} <= qs, "lost or torn: %s" % (({"n=" + k for k in kept} - qs) or (qs ^ ss))
    until(lambda: "br0" in sw.appctl("ofproto/list"), "the bridge is back")


@test(needs=("dpdk",), limit_s=180)
def a_killed_dpdk_switch_forwards_again(t):
    from replay_test import packets

    pcap = packets.write_pcap(t.path("in.pcap"), packets.flows(50))
    sw = t.switch(dpdk=True)
    sw.bridge("br0")
    assert sw.port("br0", "src", "dpdk", "options:dpdk-devargs=net_pcap0,rx_pcap=%s,infinite_rx=1" % pcap) == ""
    assert sw.port("br0", "dst", "dpdk", "options:dpdk-devargs=net_null1,no-rx=1") == ""
    until(lambda: sw.of_ports("br0")["dst"]["tx"] > 1000, "packets reach dst")
    sw.vswitchd.kill()
    sw.start_vswitchd()
    until(lambda: sw.of_ports("br0").get("dst", {}).get("tx", 0) > 1000, "packets reach dst after the restart", 20)


@test()
def the_database_survives_a_torn_log(t):
    """The log cut at every byte of its last record, and followed by rubbish: what was whole is served."""
    sw = t.switch(start_vswitchd=False)
    sw.vsctl("--no-wait", "add-br", "whole")
    n = len(open(sw.dir + "/conf.db", "rb").read())
    sw.vsctl("--no-wait", "add-br", "torn")
    sw.db.kill()
    log = open(sw.dir + "/conf.db", "rb").read()
    cuts = sorted(set(range(n, len(log), max(1, (len(log) - n) // 12))) | {len(log) - 1, len(log)})
    for cut, rubbish in [(c, b"") for c in cuts] + [(len(log), b"OVSDB JSON 9999 da39\n{"), (len(log), b"\0" * 100)]:
        open(sw.dir + "/conf.db", "wb").write(log[:cut] + rubbish)
        sw.start_db()
        names = sw.vsctl("list-br").split()
        assert "whole" in names and ("torn" in names) == (cut == len(log)), (cut, len(log), names)
        sw.vsctl("--no-wait", "add-br", "after")
        sw.db.stop()
        sw.start_db()
        assert "after" in sw.vsctl("list-br").split(), cut
        sw.db.kill()
    sw.start_db()


@test()
def a_second_server_is_refused(t):
    sw = t.switch(start_vswitchd=False)
    p = run([sw.db_f.bin("ovsdb-server"), sw.dir + "/conf.db", "--remote=punix:%s/two.sock" % sw.dir, "--unixctl=%s/two.ctl" % sw.dir], env=sw.env, check=False, timeout=10)
    assert p.returncode == 1 and "lock" in p.stderr, p.stderr
    assert sw.vsctl("list-br") == ""


@test(needs=("root",))
def a_full_disk_loses_nothing_acknowledged(t):
    """No room for the log: the client gets an error, readers go on, and writing works again with room."""
    disk = t.path("disk")
    os.mkdir(disk)
    run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk])
    t.defer(run, ["umount", "-l", disk])
    sw = t.switch(start_vswitchd=False, db_file=disk + "/conf.db")
    sw.vsctl("--no-wait", "add-br", "before")
    with open(disk + "/filler", "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 512)
        except OSError:
            pass
    p = sw.vsctl("--no-wait", "add-br", "nospace", "--", "set", "Bridge", "nospace", "external_ids:big=" + "x" * 9000, check=False, timeout=5)
    assert p.returncode, "a transaction that could not be written was acknowledged"
    assert sw.db.alive() and sw.vsctl("list-br").split() == ["before"], sw.vsctl("list-br")
    os.unlink(disk + "/filler")
    sw.vsctl("--no-wait", "add-br", "again")
    sw.db.kill()
    sw.start_db()
    assert sw.vsctl("list-br").split() == ["again", "before"]
