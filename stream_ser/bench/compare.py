"""Two versions of the project beside each other on this machine: ``python -m stream_ser.bench.compare COMMIT``.

The commit is checked out into a folder of its own, and its programs and today's run in turns, by the same Python with the same
libraries, for as many rounds as ``--minutes`` has room for (five at most). What is compared is what both have: commands and
their figures. Each line gives both medians, the ratio of now to then, and the range of the rounds' ratios; less is better in
all of them. With ``--most RATIO`` the exit code is 1 where a ratio is above it: where something has become dearer.

Sound is the bundled recording. Processor seconds are counted, not the clock's, where both could be: others may use the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from stream_ser.audio.bundled import bundled_recording
from stream_ser.bench.machine import ONE_THREAD, processor
from stream_ser.errors import StreamSerError

ROUNDS = 5
PATIENCE_S = 180.0  # for one program
AGAIN = "run it where git and the repository's history are, with a commit that git log shows"
ANALYZED_S, SHORT_S = 300, 2
LOAD = ("--subscribers", "0", "--json")
Run = Callable[..., tuple[str, float]]  # arguments of python -m to what it wrote and the processor seconds it took


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is measured by running programs: ``take`` gives one or more figures by name, less is better."""

    name: str
    take: Callable[[Run, Path], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both versions."""

    name: str
    then: float
    now: float
    ratios: tuple[float, ...]  # now to then, of each round

    @property
    def ratio(self) -> float:
        """The median round's ratio."""
        return median(self.ratios)


def _window(run: Run, _: Path) -> dict[str, float]:
    told = json.loads(run("stream_ser.cli", "bench", "--quick", "--engine", "onnx", "--json")[0])
    engine = told["engines"][0]
    return {"a window, ms": engine["windows"][0]["p50_ms"], "memory of the engine, MB": engine["memory_mb"]}


def _analyze(run: Run, folder: Path) -> dict[str, float]:
    """What a recording costs beyond the start of the program, which a short one shows."""
    long, short = (run("stream_ser.cli", "analyze", str(folder / name))[1] for name in ("long.wav", "short.wav"))
    each_s = (long - short) / (ANALYZED_S - SHORT_S)
    return {"analyze, CPU ms a second of sound": each_s * 1e3, "analyze, a short file, CPU s": short}


def _calls(count: int, seconds: int) -> Callable[[Run, Path], dict[str, float]]:
    def take(run: Run, _: Path) -> dict[str, float]:
        told = json.loads(run("stream_ser.load", "--calls", str(count), "--seconds", str(seconds), *LOAD)[0])["calls"]
        return {
            f"server, CPU ms a call-second at {count} calls": told["cpu_ms_a_call_second"],
            f"server, memory at {count} calls, MB": told["memory_mb"],
        }

    return take


MEASURES = (
    Measure("window", _window),
    Measure("analyze", _analyze),
    Measure("calls", _calls(100, 30)),
)


@contextmanager
def checked_out(commit: str, repository: Path) -> Iterator[Path]:
    """A folder with the commit's files, which goes again. Raises StreamSerError where git does not know it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "then"
        _git(repository, "worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            _git(repository, "worktree", "remove", "--force", str(folder))


def _git(repository: Path, *arguments: str) -> None:
    try:
        subprocess.run(["git", "-C", str(repository), *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise StreamSerError("git is not installed", fix=AGAIN) from None
    except subprocess.CalledProcessError as error:
        raise StreamSerError(f"git {arguments[0]} failed: {error.stderr.strip()[:200]}", fix=AGAIN) from None


def runner(tree: Path) -> Run:
    """Runs a version's programs, one after the other. Raises StreamSerError where one fails or takes too long."""
    paths = os.pathsep.join(str(tree / part) for part in (".", "models", "training"))

    def run(*arguments: str) -> tuple[str, float]:
        before = _children_s()
        command = [sys.executable, "-m", *arguments]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
                cwd=tree,
                capture_output=True,
                text=True,
                check=True,
                timeout=PATIENCE_S,
            )
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip().splitlines() or ["nothing was said"])[-1]
            raise StreamSerError(
                f"{' '.join(arguments[:2])} failed: {said[:200]}", fix="run it by hand in that version"
            ) from None
        except subprocess.TimeoutExpired:
            raise StreamSerError(
                f"{' '.join(arguments[:2])} took over {PATIENCE_S:.0f} s", fix="try on an idle machine"
            ) from None
        return done.stdout, _children_s() - before

    return run


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def compare(
    versions: Mapping[str, Run], measures: Sequence[Measure], folder: Path, minutes: float, tell: Callable[[str], None]
) -> list[Compared]:
    """Measure ``then`` and ``now`` in turns. Rounds end at five, or with the time, but there is one at least."""
    began = time.monotonic()
    found: dict[str, dict[str, list[float]]] = {}
    for number in range(ROUNDS):
        spent = time.monotonic() - began
        if number and spent * (number + 1) / number > minutes * 60.0:
            break
        for measure in measures:
            for side in ("then", "now") if number % 2 == 0 else ("now", "then"):
                tell(f"round {number + 1}: {measure.name}, {side}")
                for name, value in measure.take(versions[side], folder).items():
                    found.setdefault(name, {"then": [], "now": []})[side].append(value)
    return [
        Compared(
            name,
            median(both["then"]),
            median(both["now"]),
            tuple(now / then for then, now in zip(both["then"], both["now"], strict=True)),
        )
        for name, both in found.items()
    ]


def table(found: Sequence[Compared]) -> str:
    """The figures as a Markdown table."""
    lines = ["| | then | now | now / then | of the rounds |", "|---|---:|---:|---:|---|"]
    for each in found:
        spread = f"{min(each.ratios):.2f} to {max(each.ratios):.2f}, {len(each.ratios)}"
        lines.append(f"| {each.name} | {each.then:.3g} | {each.now:.3g} | {each.ratio:.2f} | {spread} |")
    return "\n".join(lines)


def write_sounds(folder: Path) -> None:
    """The recordings that are analyzed: the bundled one over and over, and its first 2 s."""
    samples, rate = soundfile.read(bundled_recording(), dtype="int16")
    for name, seconds in (("long.wav", ANALYZED_S), ("short.wav", SHORT_S)):
        soundfile.write(folder / name, np.resize(samples, seconds * rate), rate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.bench.compare", description=__doc__)
    parser.add_argument("commit", help="what to compare with, as git names it")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", choices=[measure.name for measure in MEASURES], action="append")
    parser.add_argument("--most", type=float, help="exit with 1 where now / then is above this")
    options = parser.parse_args(arguments)
    root = Path(__file__).parents[2]
    measures = [measure for measure in MEASURES if not options.only or measure.name in options.only]
    try:
        with checked_out(options.commit, root) as then, tempfile.TemporaryDirectory() as scratch:
            write_sounds(Path(scratch))
            versions = {"then": runner(then), "now": runner(root)}
            tell = lambda text: print(text, file=sys.stderr)  # noqa: E731
            found = compare(versions, measures, Path(scratch), options.minutes, tell)
    except StreamSerError as error:
        print(f"stream-ser: {error}", file=sys.stderr)
        return 2
    print(f"{processor()}, {os.cpu_count()} cores; then is {options.commit}\n\n{table(found)}")
    dearer = [each for each in found if options.most is not None and each.ratio > options.most]
    for each in dearer:
        print(f"stream-ser: {each.name} is {each.ratio:.2f} × what it was; {options.most} is allowed", file=sys.stderr)
    return 1 if dearer else 0


if __name__ == "__main__":
    sys.exit(main())
