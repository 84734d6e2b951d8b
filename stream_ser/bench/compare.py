"""Two versions of the project beside each other on this machine: ``python -m stream_ser.bench.compare COMMIT``.

The commit is checked out into a folder of its own, and its programs and today's run in turns, by the same Python with the same
libraries, for as many rounds as ``--minutes`` has room for (five at most). What is compared is what both have: commands and
their figures, and windows of the default model, which take turns by the millisecond. Each line gives both medians, the ratio of
now to then, and the range of the rounds' ratios; less is better in all of them. Processor seconds are counted, not the clock's,
where both could be: others may use the machine. Lines that the clock made alone say so. Sound is the bundled recording, for
``analyze`` without its pauses.

With ``--most RATIO`` the exit code is 1 where processor time or memory of anything is above that ratio: where it has become
dearer. ``--small`` is for that question alone, in a minute: less of everything, and of what is not near the ratio one round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import soundfile

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.bench.machine import ceilings, kept_on_one_core, processor
from stream_ser.bench.peers import PEERS
from stream_ser.bench.start import start
from stream_ser.bench.versions import Version, checked_out
from stream_ser.bench.windows import window_ms
from stream_ser.errors import StreamSerError
from stream_ser.types import SAMPLE_RATE

ROUNDS, JUDGED = 5, 3  # at most, and at least before something is called dearer
MINUTES, SMALL_MINUTES = 10.0, 3.0
SHORT_S = 2  # of sound, for what a program costs beside its work
LONG, SHORT = "long.wav", "short.wav"
LOAD = ("--subscribers", "0", "--json")
CLOCK = "by the clock"  # figures of that name are shown and not judged: they tell of the machine's other users as well
PEER = "wav2vec2-base"
BESIDE_MODEL = Path(__file__).parents[1] / "load" / "beside_model.py"
Tell = Callable[[str], None]
Figures = Mapping[str, Mapping[str, float]]  # of both versions, by the figure's name


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is measured by running programs. ``take`` gives figures of both versions by name; less is better.

    It is told which comes first, and tells what it does.
    """

    name: str
    take: Callable[[Mapping[str, Version], Path, Sequence[str], Tell], Figures]


def one_by_one(name: str, take: Callable[[Version, Path], Mapping[str, float]]) -> Measure:
    """A measure that runs one version's programs and then the other's."""

    def both(versions: Mapping[str, Version], folder: Path, order: Sequence[str], tell: Tell) -> Figures:
        found: dict[str, dict[str, float]] = {}
        for side in order:
            tell(f"{name}, {side}")
            for figure, value in take(versions[side], folder).items():
                found.setdefault(figure, {})[side] = value
        return found

    return Measure(name, both)


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

    def is_above(self, ratio: float) -> bool:
        """Whether it has become dearer than that, by what can be judged."""
        return not self.name.endswith(CLOCK) and self.ratio > ratio


def _window(versions: Mapping[str, Version], _: Path, order: Sequence[str], tell: Tell) -> Figures:
    """Windows of both, in turns of milliseconds, and of a peer where it is installed."""
    peer = all(find_spec(package) for package in PEERS[PEER].packages)
    tell(f"window, {' and '.join(order)}{f', and {PEER}' * peer}")
    taken = window_ms({side: (versions[side].tree, versions[side].environment) for side in order}, peer)
    found = {"a window, ms in turns": {side: taken[side] for side in order}}
    if peer:
        found[f"a window, per cent of {PEER}'s"] = {side: 100.0 * taken[side] / taken["peer"] for side in order}
    return found


def _analyze(seconds: int) -> Callable[[Version, Path], dict[str, float]]:
    def take(version: Version, folder: Path) -> dict[str, float]:
        """What a recording costs beyond the start of the program, which a short one shows."""
        took = [version.run("stream_ser.cli", "analyze", str(folder / name), pinned=True)[1] for name in (SHORT, LONG)]
        each_ms = 1e3 * (took[1] - took[0]) / (seconds - SHORT_S)
        return {"analyze, CPU ms a second of speech without pauses": each_ms, "analyze, a short file, CPU s": took[0]}

    return take


def _start(version: Version, _: Path) -> dict[str, float]:
    screen, server = (start(command, version.environment, version.tree) for command in ("demo", "serve"))
    return {
        f"the screen, s after the command, {CLOCK}": screen.there_s,
        "the screen, CPU s until it is there": screen.cpu_s,
        f"the call server, s until READY, {CLOCK}": server.there_s,
        "the call server, CPU s until READY": server.cpu_s,
    }


def _calls(count: int, seconds: int) -> Callable[[Version, Path], dict[str, float]]:
    def take(version: Version, _: Path) -> dict[str, float]:
        asked = ("--calls", str(count), "--seconds", str(seconds), *LOAD)
        told = json.loads(version.run("stream_ser.load", *asked)[0])["calls"]
        return {
            f"server, CPU ms a call-second at {count} calls": told["cpu_ms_a_call_second"],
            f"server, memory at {count} calls, MB": told["memory_mb"],
        }

    return take


def _beside_model(count: int, seconds: int) -> Callable[[Version, Path], dict[str, float]]:
    def take(version: Version, folder: Path) -> dict[str, float]:
        """The same program measures both, whether they have it or not."""
        program = shutil.copy(BESIDE_MODEL, folder)
        asked = ("--calls", str(count), "--seconds", str(seconds))
        told = json.loads(version.run(Path(program).stem, *asked, also=folder)[0])
        return {f"server beside its model, CPU ms a call-second at {count} calls": told["beside_the_model_ms"]}

    return take


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, of how long a recording, in how many minutes at most."""

    measures: tuple[Measure, ...]
    sound_s: int
    minutes: float


WINDOW, START = Measure("window", _window), one_by_one("start", _start)
WHOLE = Plan(
    (
        WINDOW,
        START,
        one_by_one("analyze", _analyze(300)),
        one_by_one("calls", _calls(100, 30)),
        one_by_one("legs", _beside_model(200, 24)),
    ),
    300,
    MINUTES,
)
SMALL = Plan(
    (WINDOW, START, one_by_one("analyze", _analyze(60)), one_by_one("calls", _calls(20, 4))), 60, SMALL_MINUTES
)


def compare(
    versions: Mapping[str, Version],
    measures: Sequence[Measure],
    folder: Path,
    minutes: float,
    tell: Tell,
    near: float | None = None,
) -> list[Compared]:
    """Measure ``then`` and ``now`` in turns. Rounds end at five, or with the time, but there is one at least.

    With ``near``, a measure ends as soon as none of its ratios is above that, and not before the third round else.
    """
    least = 1 if near is None else JUDGED
    began, spent_s = time.monotonic(), 0.0
    found: dict[str, list[Compared]] = {}
    taken: dict[str, dict[str, dict[str, list[float]]]] = {}
    for number in range(ROUNDS):
        if number >= least and spent_s * (number + 1) / number > minutes * 60.0:
            break
        for measure in measures:
            if number and near is not None and not any(each.is_above(near) for each in found[measure.name]):
                continue
            figures = taken.setdefault(measure.name, {})
            order = ("then", "now") if number % 2 == 0 else ("now", "then")
            for name, both in measure.take(versions, folder, order, _in_round(number + 1, tell)).items():
                for side, value in both.items():
                    figures.setdefault(name, {"then": [], "now": []})[side].append(value)
            found[measure.name] = [_compared(name, **both) for name, both in figures.items()]
        spent_s = time.monotonic() - began
    return [each for figures in found.values() for each in figures]


def _in_round(number: int, tell: Tell) -> Tell:
    return lambda text: tell(f"round {number}: {text}")


def _compared(name: str, then: list[float], now: list[float]) -> Compared:
    ratios = tuple(after / before for before, after in zip(then, now, strict=True))
    return Compared(name, median(then), median(now), ratios)


def table(found: Sequence[Compared]) -> str:
    """The figures as a Markdown table."""
    lines = ["| | then | now | now / then | of the rounds |", "|---|---:|---:|---:|---|"]
    for each in found:
        spread = f"{min(each.ratios):.2f} to {max(each.ratios):.2f}, {len(each.ratios)}"
        lines.append(f"| {each.name} | {each.then:.3g} | {each.now:.3g} | {each.ratio:.2f} | {spread} |")
    return "\n".join(lines)


def write_sounds(folder: Path, seconds: int) -> None:
    """The recordings that are analyzed: what is spoken in the bundled one, over and over, and the first 2 s of that."""
    samples, rate = soundfile.read(bundled_recording(), dtype="int16")
    spoken = _spoken(samples, rate)
    for name, length in ((LONG, seconds), (SHORT, SHORT_S)):
        soundfile.write(folder / name, np.resize(spoken, length * rate), rate)


def _spoken(samples: npt.NDArray[np.int16], rate: int) -> npt.NDArray[np.int16]:
    """The tenths of a second that are speech for the most part."""
    assert rate == SAMPLE_RATE, "the bundled recording is stored at the detector's rate"
    vad, tenth, kept = VoiceActivityDetector(), rate // 10, []
    for begin in range(0, len(samples) - tenth + 1, tenth):
        vad.push(begin, (samples[begin : begin + tenth] / 32_768.0).astype(np.float32))
        if vad.speech_samples(begin, begin + tenth) > tenth // 2:
            kept.append(samples[begin : begin + tenth])
    return np.concatenate(kept)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.bench.compare", description=__doc__)
    parser.add_argument("commit", help="what to compare with, as git names it")
    parser.add_argument("--minutes", type=float, help=f"at most (default: {MINUTES:g}, {SMALL_MINUTES:g} with --small)")
    parser.add_argument("--only", choices=[measure.name for measure in WHOLE.measures], action="append")
    parser.add_argument("--most", type=float, help="exit with 1 where now / then is above this")
    parser.add_argument("--small", action="store_true", help="in a minute, with --most")
    options = parser.parse_args(arguments)
    if options.small and options.most is None:
        parser.error("--small answers whether a ratio is above --most, which was not given")
    plan = SMALL if options.small else WHOLE
    near = (1.0 + options.most) / 2.0 if options.small else None
    root = Path(__file__).parents[2]
    measures = [measure for measure in plan.measures if not options.only or measure.name in options.only]
    tell: Tell = lambda text: print(text, file=sys.stderr)  # noqa: E731
    try:
        with (
            checked_out(options.commit, root) as then,
            tempfile.TemporaryDirectory() as scratch,
        ):
            folder = Path(scratch)
            write_sounds(folder, plan.sound_s)
            versions = {"then": then, "now": Version(root)}
            for version in versions.values():  # which makes their byte code
                version.run("stream_ser.cli", "analyze", str(folder / SHORT))
                _start(version, folder)
            minutes = plan.minutes if options.minutes is None else options.minutes
            found = compare(versions, measures, folder, minutes, tell, near)
    except StreamSerError as error:
        print(f"stream-ser: {error}", file=sys.stderr)
        return 2
    with kept_on_one_core():
        ceiling = ceilings(0.2)["cpu"]
    heading = f"{processor()}, {os.cpu_count()} cores, ceiling {ceiling} GFLOP/s a core; then is {options.commit}"
    print(f"{heading}\n\n{table(found)}")
    dearer = [each for each in found if options.most is not None and each.is_above(options.most)]
    for each in dearer:
        print(f"stream-ser: {each.name} is {each.ratio:.2f} × what it was; {options.most} is allowed", file=sys.stderr)
    return 1 if dearer else 0


if __name__ == "__main__":
    sys.exit(main())
