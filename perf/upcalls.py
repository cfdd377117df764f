#!/usr/bin/env python3
"""What a miss costs: N five-tuples through a rule that reads all five fields, so that each needs a megaflow of its own.

  perf/upcalls.py --switch debian --switch ours=target/release [--tuples 50000] [--bench ../shared/bench]

Prints, per switch: cycles of one upcall (inline on the PMD: translation, megaflow, first packet), upcalls per second that
makes, seconds until all megaflows are installed, and the cost of a packet once they are.
"""
import argparse
import os
import re
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def hz():
    with open("/proc/cpuinfo") as f:
        return float(re.search(r"cpu MHz\s*: ([\d.]+)", f.read()).group(1)) * 1e6


def one(vsbench, exact, spec, tuples, pcap):
    s = vsbench.Switch(spec)
    try:
        s.start()
        s.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=%d" % (4 * tuples), "other_config:max-idle=100000")
        s.p2p(pcap, exact, [])
        begin = time.monotonic()
        full = None
        while time.monotonic() - begin < 45:
            m = re.search(r"\(current (\d+)\)", s.appctl("upcall/show"))
            if m and int(m.group(1)) >= tuples * 0.99:
                full = time.monotonic() - begin
                break
            time.sleep(0.05)
        perf = s.appctl("dpif-netdev/pmd-perf-show")
        us = max((float(x) for x in re.findall(r"([\d.]+) us/upcall", perf)), default=float("nan"))
        time.sleep(1)
        m = s.measure(1.5)
        print("%-8s %8.1f us (%.0f cycles) per upcall, %.0f upcalls/s, %s s until %d megaflows, %.1f cycles/packet then" % (
            s.name, us, us * hz() / 1e6, 1e6 / us if us else float("nan"), "%.2f" % full if full else "more than 45", tuples, m["cycles"]), flush=True)
    finally:
        s.stop()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--switch", action="append", required=True)
    ap.add_argument("--tuples", type=int, default=50000)
    ap.add_argument("--bench", default=os.path.join(HERE, "../../shared/bench"))
    a = ap.parse_args()
    sys.path.insert(0, a.bench)
    import setupbench
    import vsbench
    with tempfile.NamedTemporaryFile(suffix=".pcap") as pcap:
        vsbench.write_pcap(pcap.name, vsbench.flows(a.tuples))
        for spec in a.switch:
            one(vsbench, setupbench.EXACT, spec, a.tuples, pcap.name)


if __name__ == "__main__":
    main()
