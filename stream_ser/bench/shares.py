"""What moves a model's labels and should not: offset, level, a channel wired the wrong way round, lost packets.

``python -m stream_ser.bench.shares`` plays the bundled recording to every shipped model, as it is and changed in each of these
ways, and prints by how many points the label shares move: the largest move of any label. ``--model NAME`` takes one,
``--seconds N`` only the first of the recording. The exit code is 1 where one moves by more than it may. ``--draws N`` prints
nothing but what lost packets do, over N draws of which ones.

The recording is short: of some 60 labels one is a point and a half, so the row's last column says how many there were.
``python -m training stream-eval --shares`` hears minutes of validation speakers in the same ways.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import soundfile

from stream_ser.api import Monitor
from stream_ser.audio.bundled import bundled_recording
from stream_ser.types import Point, Samples
from stream_ser_models.card import shipped

HOP_S = 0.25
OFFSET_DBFS = -23.0  # users of cheap microphones measured as much
STEP_DB = 12.0
UNEQUAL_DB = 0.1  # of two channels in opposite phase: exactly equal ones leave nothing to hear
PACKET_S = 0.02
LOST = 0.03  # of the packets, each for itself
SEED = 7
Pieces = Sequence[Samples | int]  # sound, (n,) or (n, channels), and between it how many frames are lost


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which the recording is changed, and by how much shares may move: 0.03 are 3 points."""

    change: Callable[[Samples, int], Pieces]
    most: float


def _gain(decibels: float) -> Callable[[Samples, int], Pieces]:
    return lambda sound, _: [(sound * 10.0 ** (decibels / 20)).astype(np.float32)]


def _opposite(sound: Samples, _: int) -> Pieces:
    return [np.stack([sound, -(10.0 ** (-UNEQUAL_DB / 20)) * sound], axis=1).astype(np.float32)]


def _lossy(sound: Samples, rate: int, seed: int = SEED) -> Pieces:
    size = round(PACKET_S * rate)
    packets = [sound[at : at + size] for at in range(0, len(sound), size)]
    lost = np.random.default_rng(seed).random(len(packets)) < LOST
    return [len(packet) if gone else packet for packet, gone in zip(packets, lost, strict=True)]


WAYS: Mapping[str, Way] = {
    f"offset {OFFSET_DBFS:.0f} dBFS": Way(lambda sound, _: [sound + np.float32(10.0 ** (OFFSET_DBFS / 20))], 0.03),
    f"{STEP_DB:+.0f} dB": Way(_gain(STEP_DB), 0.03),
    f"{-STEP_DB:+.0f} dB": Way(_gain(-STEP_DB), 0.03),
    "opposite phase": Way(_opposite, 0.03),
    f"{100 * LOST:.0f} % lost": Way(_lossy, 0.05),
}


def count_labels(monitor: Monitor, pieces: Pieces, rate: int) -> Counter[str]:
    """How many points have which label."""
    points: list[Point] = []
    with monitor.stream("shares", rate=rate) as stream:
        for piece in pieces:
            points += stream.lose(piece) if isinstance(piece, int) else stream.push(piece)
        points += stream.flush()
    return Counter(point.label for point in points if point.label is not None)


@dataclass(frozen=True, slots=True)
class Moves:
    """By how much shares moved in each way, in [0, 1], and how many labels they are shares of."""

    by: Mapping[str, float]
    labelled: int


def moves(monitor: Monitor, sound: Samples, rate: int, ways: Mapping[str, Way] = WAYS) -> Moves:
    """What moves the shares of ``sound``, (n,) float32 at ``rate`` Hz."""
    plain = count_labels(monitor, [sound], rate)
    found = {}
    for name, way in ways.items():
        changed = count_labels(monitor, way.change(sound, rate), rate)
        found[name] = largest_move(plain, changed)
    return Moves(found, plain.total())


def draws(count: int) -> Mapping[str, Way]:
    """As many ways to lose packets at random: which ones, each time anew."""
    most = WAYS[f"{100 * LOST:.0f} % lost"].most
    return {f"draw {seed}": Way(partial(_lossy, seed=seed), most) for seed in range(1, count + 1)}


def largest_move(plain: Counter[str], changed: Counter[str]) -> float:
    """The largest difference of a label's share in two counts, in [0, 1]."""
    return max((abs(_share(changed, label) - _share(plain, label)) for label in plain | changed), default=0.0)


def _share(counts: Counter[str], label: str) -> float:
    return counts[label] / max(1, counts.total())


def table_head(ways: Mapping[str, Way] = WAYS) -> str:
    """The first two lines of the table."""
    return "\n".join(["| model | " + " | ".join(ways) + " | labels |", "|---" * (len(ways) + 2) + "|"])


def table_row(name: str, moved: Moves, ways: Mapping[str, Way] = WAYS) -> str:
    """A model's line, in points."""
    cells = [f"{100 * by:.1f}" + (" (!)" if by > ways[way].most else "") for way, by in moved.by.items()]
    return f"| {name} | " + " | ".join(cells) + f" | {moved.labelled} |"


def _draw(names: Sequence[str], hop: float, count: int, sound: Samples, rate: int) -> int:
    print(f"| model | {100 * LOST:.0f} % lost, mean of {count} draws | least | most | labels |\n|---|---|---|---|---|")
    ways, beyond = draws(count), False
    for name in names:
        with Monitor(model=name, hop=hop) as monitor:
            found = moves(monitor, sound, rate, ways)
        by = [100 * move for move in found.by.values()]
        mean = sum(by) / len(by)
        beyond = beyond or mean > 100 * ways["draw 1"].most
        print(f"| {name} | {mean:.1f} | {min(by):.1f} | {max(by):.1f} | {found.labelled} |", flush=True)
    return int(beyond)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m stream_ser.bench.shares", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--model", action="append", metavar="NAME", help="a shipped model (default: all of them)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="of the recording (default: all)")
    parser.add_argument("--hop", type=float, default=HOP_S, metavar="S", help=f"between two points (default: {HOP_S})")
    parser.add_argument("--draws", type=int, default=0, metavar="N", help="lose packets at random, so often")
    options = parser.parse_args(arguments)
    sound, rate = soundfile.read(bundled_recording(), dtype="float32")
    sound = sound[: round(options.seconds * rate)]
    if options.draws > 0:
        return _draw(options.model or shipped(), options.hop, options.draws, sound, rate)
    print(table_head())
    beyond = 0
    for name in options.model or shipped():
        with Monitor(model=name, hop=options.hop) as monitor:
            found = moves(monitor, sound, rate)
        beyond += sum(by > WAYS[way].most for way, by in found.by.items())
        print(table_row(name, found), flush=True)
    limits = ", ".join(f"{name} {100 * way.most:.0f}" for name, way in WAYS.items())
    print(f"in points, of labels' shares; (!) is beyond what may be: {limits}", file=sys.stderr)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
