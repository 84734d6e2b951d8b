"""``python -m tests.server.neighbours [ATTACKER …]``: attacks in full beside twenty honest calls, as a table.

The exit code is 1 where one hurts. Each has a server of its own. Figures are absolute: run it on a machine that has nothing
else to do. All of them take some ten minutes and are written to ``--out``; with names, only those are tried, and nothing is
written. With ``--without-guards`` each guard in turn is taken away, and the exit code is 1 where that hurts nobody: a trial
that cannot fail shows nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from stream_ser.bench import machine
from tests.server.neighbours.attacking import ATTACKERS
from tests.server.neighbours.table import HEAD, row, write
from tests.server.neighbours.trial import NO_ATTACK, Trial, arena, trial
from tests.server.neighbours.unguarded import GUARDS

HISTORY = 50_000  # stored messages of the hostile tenant
OUT = Path("docs/results/attack.md")


def main() -> None:
    """Read the command line, attack, and exit 1 where a neighbour is hurt."""
    parser = argparse.ArgumentParser(prog="python -m tests.server.neighbours", description=__doc__)
    parser.add_argument(
        "attackers", nargs="*", metavar="ATTACKER", help=f"which (default: all): {', '.join(ATTACKERS)}"
    )
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--size", type=float, default=1.0)
    parser.add_argument("--out", type=Path, help=f"where the table goes (default: {OUT} where all are tried)")
    parser.add_argument(
        "--without-guards", action="store_true", help="take each guard away, and see that somebody is hurt"
    )
    options = parser.parse_args()
    unknown = [name for name in options.attackers if name not in ATTACKERS]
    if unknown:
        parser.error(f"there is no attacker {unknown[0]!r}; there are {', '.join(ATTACKERS)}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    about = machine.describe()
    print(f"{about['processor']}, {about['cores']} cores, shared by server, callers and attacker\n\n{HEAD}")
    if options.without_guards:
        sys.exit(_without_guards(options))
    trials = [_try(name, options) for name in options.attackers or ATTACKERS]
    out = options.out or (None if options.attackers else OUT)
    if out is not None:
        write(out, trials, about, options.calls, options.seconds)
    hurt = sum(len(found.failures()) for found in trials)
    print("no neighbour was hurt" if not hurt else f"{hurt} things do not hold")
    sys.exit(bool(hurt))


def _try(name: str, options: argparse.Namespace, program: tuple[str, ...] | None = None) -> Trial:
    attack = ATTACKERS[name]
    with (
        tempfile.TemporaryDirectory() as folder,
        arena(Path(folder), HISTORY, (), program or (attack.program,), attack.tls) as made,
    ):
        found = asyncio.run(trial(made, name, options.size, options.calls, options.seconds))
    print(row(found), flush=True)
    for failure in found.failures():
        print(f"  HURT: {failure}", flush=True)
    return found


def _without_guards(options: argparse.Namespace) -> bool:
    """Take each guard away; gives whether one was not missed."""
    unnoticed = []
    for guard, (names, _) in GUARDS.items():
        for name in names:
            if options.attackers and name not in options.attackers:
                continue
            print(f"without {guard}:")
            failures = _try(name, options, ("tests.server.neighbours.unguarded", guard)).failures()
            if all(failure.startswith(NO_ATTACK) for failure in failures):  # nobody counts what is not refused any more
                unnoticed.append(f"{guard} against {name}")
    print("every guard was missed" if not unnoticed else f"not missed: {', '.join(unnoticed)}")
    return bool(unnoticed)


if __name__ == "__main__":
    main()
