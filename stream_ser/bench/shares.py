"""What moves a model's labels and should not: offset, level, a channel wired the wrong way round, lost packets.

``python -m stream_ser.bench.shares`` plays the bundled recording to every shipped model, as it is and changed in each of these
ways, and prints by how many points the label shares move: the largest move of any label. ``--model NAME`` takes one,
``--seconds N`` only the first of the recording. The exit code is 1 where one moves by more than it may.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from stream_ser.api import Monitor
from stream_ser.audio.bundled import bundled_recording
from stream_ser.types import Point, Samples
from stream_ser_models.card import shipped

HOP_S = 0.5
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


def _lossy(sound: Samples, rate: int) -> Pieces:
    size = round(PACKET_S * rate)
    packets = [sound[at : at + size] for at in range(0, len(sound), size)]
    lost = np.random.default_rng(SEED).random(len(packets)) < LOST
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


def moves(monitor: Monitor, sound: Samples, rate: int, ways: Mapping[str, Way] = WAYS) -> dict[str, float]:
    """By how much the shares of ``sound``, (n,) float32 at ``rate`` Hz, move in each way; in [0, 1]."""
    plain = _shares(monitor, [sound], rate)
    found = {}
    for name, way in ways.items():
        changed = _shares(monitor, way.change(sound, rate), rate)
        found[name] = max(abs(changed[label] - part) for label, part in plain.items())
    return found


def _shares(monitor: Monitor, pieces: Pieces, rate: int) -> dict[str, float]:
    found = count_labels(monitor, pieces, rate)
    return {label: found[label] / max(1, found.total()) for label in monitor.labels}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m stream_ser.bench.shares", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--model", action="append", metavar="NAME", help="a shipped model (default: all of them)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="of the recording (default: all)")
    options = parser.parse_args(arguments)
    sound, rate = soundfile.read(bundled_recording(), dtype="float32")
    sound = sound[: round(options.seconds * rate)]
    print("| model | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|", sep="\n")
    beyond = 0
    for name in options.model or shipped():
        with Monitor(model=name, hop=HOP_S) as monitor:
            found = moves(monitor, sound, rate)
        cells = [f"{100 * move:.1f}" + (" (!)" if move > WAYS[way].most else "") for way, move in found.items()]
        beyond += sum(move > WAYS[way].most for way, move in found.items())
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    limits = ", ".join(f"{name} {100 * way.most:.0f}" for name, way in WAYS.items())
    print(f"in points, of labels' shares; (!) is beyond what may be: {limits}", file=sys.stderr)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
