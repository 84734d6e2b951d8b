#!/bin/sh
# "PRAGMA journal_mode=WAL" does not keep to the busy timeout. Beside a connection that only reads, it waits as long as it was
# told to; beside one that has begun to write, it fails at once with SQLITE_BUSY, where BEGIN IMMEDIATE on the very same
# connection waits. So two processes that open a new database together, each with a timeout of many seconds and the usual
# first statement, can still get "database is locked" within a millisecond.
# Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet apsw==3.50.4.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
import time

import apsw

print("SQLite", apsw.sqlite_lib_version(), "by apsw", apsw.apsw_version())
TIMEOUT_S = 1.5


def waits(number, first, then):
    """Seconds until ``then`` fails beside a connection that has done ``first``, with a busy timeout."""
    path = f"{sys.argv[1]}/{number}.db"
    one, other = apsw.Connection(path), apsw.Connection(path)
    one.execute("CREATE TABLE t (x)")
    for statement in first:
        list(one.execute(statement))
    other.set_busy_timeout(int(TIMEOUT_S * 1000))
    began = time.monotonic()
    try:
        other.execute(then)
        told = "succeeded"
    except apsw.BusyError as error:
        told = str(error)
    took = time.monotonic() - began
    print(f"beside {' '.join(first):28} {then:26} {told} after {took:.1f} s")
    return took


reader, writer = ["BEGIN", "SELECT * FROM t"], ["BEGIN IMMEDIATE"]
patient = waits(0, reader, "PRAGMA journal_mode=WAL"), waits(1, writer, "BEGIN IMMEDIATE")
hasty = waits(2, writer, "PRAGMA journal_mode=WAL")
sys.exit(0 if min(patient) >= TIMEOUT_S * 0.9 and hasty < 0.5 else 1)
PYTHON
