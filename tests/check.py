#!/usr/bin/python3
"""The whole proof, suite after suite: tests/check.py [--nightly] [SUITE...]

Every suite's output is shown as it comes.  What is counted: each Rust test, each system test, and one
for every suite that only passes or fails (format, lint, build).  The last line is
`N passed, N failed, N skipped`; the exit status is 1 when something failed.  A Rust test that its author
ignores counts as skipped, with its reason in the listing.
"""
import argparse
import os
import re
import subprocess
import sys
import time

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What `make nightly` adds to a suite's command; a later option overrides an earlier one.
NIGHTLY = {
    "ovsdb-diff": ["--seed", str(int(time.time())), "--worlds", "420", "--txns", "250", "--schemas", "1500"],
    "ovsdb-kill": ["--rounds", "200"],
    "system": ["--nightly"],
}

# name, command, how long it may take in seconds, needs the binaries
SUITES = [
    ("format", ["cargo", "fmt", "--all", "--check"], 120, False),
    ("lint", ["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], 900, False),
    ("unit", ["cargo", "test", "--workspace", "--no-fail-fast"], 1200, False),
    ("build", ["cargo", "build", "--release", "-p", "vswitch"], 1200, False),
    ("ovsdb-diff", ["/usr/bin/python3", "-u", "tests/ovsdb_diff.py", "--ours", "target/release", "--seed", "1", "--worlds", "20"], 300, True),
    ("ovsdb-kill", ["/usr/bin/python3", "-u", "tests/ovsdb_kill.py", "--ours", "target/release", "--rounds", "20"], 300, True),
    ("system", ["/usr/bin/python3", "-u", "tests/system/run.py"], 1200, True),
]


def run(name, argv, limit_s):
    """(passed, failed, skipped, output was counted), echoing everything."""
    p = subprocess.Popen(argv, cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    n = [0, 0, 0]
    end = time.monotonic() + limit_s
    import threading

    over = threading.Timer(limit_s, lambda: os.killpg(p.pid, 15))
    over.start()
    for line in p.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if m := re.match(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", line):
            n = [a + int(b) for a, b in zip(n, m.groups())]
        elif m := re.match(r"(\d+) passed, (\d+) failed, (\d+) skipped$", line):
            n = [a + int(b) for a, b in zip(n, m.groups())]
    status = p.wait()
    over.cancel()
    if time.monotonic() > end:
        print("%s: stopped after %d s" % (name, limit_s))
    if status and not n[1]:
        n[1] = 1  # the suite itself: it did not build, or was stopped
    elif not status and not sum(n):
        n[0] = 1
    return n


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--nightly", action="store_true", help="also the long forms")
    ap.add_argument("suites", nargs="*", help="of: " + " ".join(s[0] for s in SUITES))
    a = ap.parse_args()
    t0 = time.monotonic()
    total, lines, built = [0, 0, 0], [], True
    for name, argv, limit_s, needs_binaries in SUITES:
        if a.suites and name not in a.suites:
            continue
        print("\n==== %s: %s" % (name, " ".join(argv)), flush=True)
        started = time.monotonic()
        if needs_binaries and not built:
            n = [0, 1, 0]
            print("not run: the binaries did not build")
        else:
            n = run(name, argv + (NIGHTLY.get(name, []) if a.nightly else []), limit_s * (6 if a.nightly else 1))
        built = built and not (name == "build" and n[1])
        total = [x + y for x, y in zip(total, n)]
        lines.append("%-8s %4d passed %4d failed %4d skipped  %6.0f s" % (name, *n, time.monotonic() - started))
    print("\n" + "\n".join(lines) + "\n%.0f s in all" % (time.monotonic() - t0))
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
