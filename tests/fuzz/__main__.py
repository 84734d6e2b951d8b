"""``python -m tests.fuzz [TARGET ...]``: fuzz each target for a while, beginning with its corpus. Exits with 1 where one broke.

What a target finds on its way is kept in ``.fuzz/TARGET`` and is where the next run begins; an input that breaks one is written
beside it, as ``.fuzz/TARGET-crash-…``: that file, once what it found is mended, belongs into the corpus.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
FOUND = HERE.parent.parent / ".fuzz"
LARGEST, SLOWEST_S, MEMORY_MB = 4096, 20, 2048  # of an input, of one run of it, of a process
READERS = ["stream_ser.calls", "stream_ser.feed.filters", "stream_ser.server.settings", "stream_ser.server.config"]
READERS += [
    "stream_ser.server.token_file",
    "stream_ser.server.tokens",
    "stream_ser.trajectory.rules",
    "stream_ser.errors",
]


def fuzz(name: str, options: Sequence[str], folder: Path) -> None:
    """Fuzz one target in this process, which libFuzzer ends; what it finds goes into ``folder``."""
    import atheris

    with atheris.instrument_imports(include=READERS):
        from tests.fuzz.targets import TARGETS
    found = folder / name
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_len={LARGEST}", f"-timeout={SLOWEST_S}", f"-rss_limit_mb={MEMORY_MB}"]
    places = [f"-artifact_prefix={folder}/{name}-", str(found), str(HERE / "corpus" / name)]

    def take(data: bytes) -> None:
        TARGETS[name](data)

    atheris.Setup([name, *limits, f"-dict={HERE / 'words.dict'}", *options, *places], take)
    atheris.Fuzz()


def names() -> list[str]:
    """The targets: each has a corpus."""
    return sorted(path.name for path in (HERE / "corpus").iterdir())


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz one target after another, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names())} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--runs", type=int, help="inputs to try of each target, in place of a time")
    parser.add_argument("--seed", type=int, default=0, help="of the changes that are made; 0 draws one")
    parser.add_argument("--found", type=Path, default=FOUND, metavar="FOLDER", help="for what is found (default .fuzz)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # the process of one target
    wanted = parser.parse_args(arguments)
    unknown = set(wanted.targets) - set(names())
    if unknown:
        parser.error(f"no target is named {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    limit = f"-max_total_time={wanted.seconds}" if wanted.runs is None else f"-runs={wanted.runs}"
    options = [limit, f"-seed={wanted.seed}", "-print_final_stats=1"]
    if wanted.here:
        fuzz(wanted.targets[0], options, wanted.found)
    broken = []
    for name in wanted.targets or names():
        print(f"== {name}", flush=True)
        given = ["--seconds", str(wanted.seconds), "--seed", str(wanted.seed), "--found", str(wanted.found), "--here"]
        given += [] if wanted.runs is None else ["--runs", str(wanted.runs)]
        if subprocess.run([sys.executable, "-m", "tests.fuzz", name, *given], check=False).returncode:
            broken.append(name)
    print(f"broken: {', '.join(broken) or 'none'}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
