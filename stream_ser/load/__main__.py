"""``python -m stream_ser.load``: 200 telephone calls, then 1000 subscribers, against a real server, as a table.

With ``--processes N`` it is the calls alone, against one server and against N processes with a bus, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path

from stream_ser.audio.bundled import bundled_recording
from stream_ser.errors import StreamSerError
from stream_ser.load import processes, run


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.load", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="what every caller says (default: the bundled recording)")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    beside = "put one process and this many with a bus side by side, in turns; needs nats-server"
    parser.add_argument("--processes", type=int, default=1, metavar="N", help=beside)
    parser.add_argument("--rounds", type=int, default=2, help="turns of each, with --processes (default: 2)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    recording, seconds = options.file or bundled_recording(), options.seconds
    run.allow_sockets()
    try:
        if options.processes == 1:
            found = asyncio.run(run.load(recording, options.calls, options.subscribers, seconds))
            lines = run.show(found)
        else:
            turns = processes.side_by_side(recording, options.processes, options.calls, seconds, options.rounds)
            found = asyncio.run(turns)
            lines = processes.show(found)
    except StreamSerError as error:
        raise SystemExit(f"stream-ser: {error}") from error
    print(json.dumps(found, indent=1) if options.json else lines)


if __name__ == "__main__":
    main()
