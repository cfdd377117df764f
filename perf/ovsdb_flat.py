#!/usr/bin/python3
"""What one transaction costs an ovsdb-server as its table grows: perf/ovsdb_flat.py --server NAME=DIR [--rows 1000,100000]

For each number of rows: transactions per second of one pipelining client for inserts into an indexed table, updates by
uuid, and mutations by the indexed name; and the server's memory.  DIR holds ovsdb-server and ovsdb-tool ("debian": the
installed ones).  Flat means: the same in every line.
"""
import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
import tempfile  # noqa: E402

from ovsdb.peer import Make, Server  # noqa: E402

SCHEMA = {"name": "F", "tables": {"t": {"isRoot": True, "indexes": [["name"]], "columns": {
    "name": {"type": "string"}, "n": {"type": "integer"}, "ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}}}}}
WINDOW, N, BULK = 64, 3000, 1000


def row(i):
    return {"name": "row%d" % i, "n": i, "ids": ["map", [["n", str(i)], ["owner", "bench"]]]}


def pipeline(session, requests):
    """Seconds until all are answered, WINDOW outstanding."""
    texts = [json.dumps({"method": "transact", "id": i, "params": ["F", op]}).encode() for i, op in enumerate(requests)]
    sent = done = 0
    tail, t0 = b"", time.monotonic()
    while done < len(texts):
        more = min(len(texts), done + WINDOW) - sent
        if more >= WINDOW // 2 or sent + more == len(texts) and more:
            session.sock.sendall(b"".join(texts[sent:sent + more]))
            sent += more
        b = tail + session.sock.recv(1 << 20)
        if b'"error":"' in b or b'"error":{' in b:
            sys.exit("ovsdb_flat: error reply: " + b[:300].decode())
        done += b.count(b'"id":')
        tail = b[-4:]
    return time.monotonic() - t0


def measure(server, name, rows):
    session, have, uuids = server.session(), 0, []
    for n in rows:
        while have < n - N:
            count = min(BULK, n - N - have)
            got = session.transact("F", *[{"op": "insert", "table": "t", "row": row(have + i)} for i in range(count)])
            uuids += [r["uuid"] for r in got] if len(uuids) < N else []
            have += count
        inserts = pipeline(session, [{"op": "insert", "table": "t", "row": row(have + i)} for i in range(N)])
        have += N
        if len(uuids) < N:
            got = session.transact("F", {"op": "select", "table": "t", "where": [], "columns": ["_uuid"]})
            uuids = [r["_uuid"] for r in got[0]["rows"]][:N]
        updates = pipeline(session, [{"op": "update", "table": "t", "where": [["_uuid", "==", u]], "row": {"n": i}} for i, u in enumerate(uuids[:N])])
        step = max(1, have // 300)
        names = pipeline(session, [{"op": "mutate", "table": "t", "where": [["name", "==", "row%d" % i]], "mutations": [["n", "+=", 1]]} for i in range(0, have, step)][:100])
        print("%-8s %9d rows  %8.0f inserts/s  %8.0f updates/s  %8.0f mutations by name/s  %6.0f MiB" % (name, have, N / inserts, N / updates, 100 / names, server.rss_kib() / 1024), flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--server", action="append", required=True)
    ap.add_argument("--rows", default="4000,10000,100000,1000000")
    a = ap.parse_args()
    for spec in a.server:
        name, _, where = spec.partition("=")
        make = Make(name, where or None)
        dir = tempfile.mkdtemp(prefix="ovsdb-flat-")
        status, error = make.create(dir + "/f.db", SCHEMA)
        if status:
            sys.exit(error)
        server = Server(make, [dir + "/f.db"], dir)
        try:
            measure(server, name, [int(n) for n in a.rows.split(",")])
        finally:
            server.remove()


if __name__ == "__main__":
    main()
