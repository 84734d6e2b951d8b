"""``python -m tests.server.neighbours``: every attack in full beside twenty honest calls, as a table.

The exit code is 1 where one hurts. Each has a server of its own. Figures are absolute: run it
on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from stream_ser.bench import machine
from tests.server.neighbours.attackers import ATTACKERS
from tests.server.neighbours.trial import Trial, arena, trial

HISTORY = 50_000  # stored messages of the hostile tenant
NAMES = ("p99 ms", "lost", "health ms", "turn ms", "its CPU", "MB before, after")
HEAD = "attacker                       {:>7} {:>5} {:>9} {:>8} {:>8} {:>17}  counted".format(*NAMES)


def row(found: Trial) -> str:
    """One line of the table."""
    seen, (before, after) = found.suffered, found.memory_mb
    counted = ", ".join(f"{name} {value:g}" for name, value in found.counted.items())
    return (
        f"{found.attacker:<30} {seen.p99_ms:>7.0f} {seen.lost:>5} {1e3 * seen.slowest_health_s:>9.0f} "
        f"{1e3 * found.longest_turn_s:>8.0f} {1e3 * found.longest_turn_cpu_s:>8.0f} {before:>9.1f} {after:>7.1f}  {counted}"
    )


def main() -> None:
    """Read the command line, attack, and exit 1 where a neighbour is hurt."""
    parser = argparse.ArgumentParser(prog="python -m tests.server.neighbours", description=__doc__)
    parser.add_argument("attackers", nargs="*", choices=[[], *ATTACKERS], help="which (default: all)")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", type=float, default=1.0)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    about = machine.describe()
    print(f"{about['processor']}, {about['cores']} cores, shared by server, callers and attacker\n\n{HEAD}")
    hurt = 0
    for name in options.attackers or ATTACKERS:
        with tempfile.TemporaryDirectory() as folder, arena(Path(folder), HISTORY) as made:
            found = asyncio.run(trial(made, name, options.size, options.calls, options.seconds))
        print(row(found), flush=True)
        for failure in found.failures():
            hurt += 1
            print(f"  HURT: {failure}", flush=True)
    print("no neighbour was hurt" if not hurt else f"{hurt} things do not hold")
    sys.exit(bool(hurt))


if __name__ == "__main__":
    main()
