"""From a plan to its sound and its truth: level-matched clips over a quiet room, and which label is being said when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from stream_ser_training.clips import CorpusError
from stream_ser_training.corpora import SAMPLE_RATE, Samples
from stream_ser_training.segments import active_range
from stream_ser_training.streaming.plan import Plan

LEVEL_DB = -26.0  # dBFS RMS of every clip's active part: joins are no steps in loudness
ROOM_DB = -75.0  # dBFS of the white noise under everything
BRIDGE = SAMPLE_RATE // 2  # a pause up to this long within one emotion belongs to it
Change = Callable[[Samples, np.random.Generator], Samples]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples ``[start, end)`` in which one label (by index) is being said."""

    start: int
    end: int
    label: int


@dataclass(frozen=True, slots=True)
class Composed:
    """A stream's sound (N,) at 16 kHz, and its truth in order."""

    samples: Samples
    stretches: tuple[Stretch, ...]


def compose(plan: Plan, data: Path, labels: tuple[str, ...], change: Change | None = None) -> Composed:
    """The stream of a plan from corpora under ``data``; ``change`` is what happens to it on its way (``conditions``).

    Raises CorpusError for a clip that is missing, is not as long as the plan says, or has a label that is none of ``labels``.
    """
    rng = np.random.default_rng([plan.seed, plan.samples])
    sound = rng.standard_normal(plan.samples, dtype=np.float32) * np.float32(10.0 ** (ROOM_DB / 20.0))
    spoken: list[Stretch] = []
    for piece in plan.pieces:
        path = data / plan.corpus / piece.file
        if piece.label not in labels:
            raise CorpusError(
                f"{plan.name} says {piece.label!r}, the model tells {', '.join(labels)}; choose another model"
            )
        try:
            samples, rate = soundfile.read(path, dtype="float32")
        except (OSError, soundfile.SoundFileError) as error:
            raise CorpusError(f"cannot read {path}: {error}; complete the corpus") from error
        if rate != SAMPLE_RATE or abs(len(samples) - piece.length) > SAMPLE_RATE // 50:
            raise CorpusError(
                f"{path} has {len(samples)} samples at {rate} Hz, {plan.name} {piece.length}; draw it again"
            )
        samples = samples[: piece.length]
        first, last = active_range(samples)
        power = float(np.square(samples[first:last]).mean()) if last > first else 0.0
        gain = np.float32(10.0 ** (LEVEL_DB / 20.0) / np.sqrt(power)) if power > 0.0 else np.float32(0.0)
        sound[piece.start : piece.start + len(samples)] += samples * gain
        spoken.append(Stretch(piece.start + first, piece.start + last, labels.index(piece.label)))
    clipped: Samples = np.clip(sound, -1.0, 1.0, dtype=np.float32)
    if change is not None:
        clipped = change(clipped, rng)
    return Composed(clipped, tuple(_bridged(spoken)))


def _bridged(spoken: list[Stretch]) -> list[Stretch]:
    """Stretches of one label joined over short pauses."""
    found: list[Stretch] = []
    for own in spoken:
        if found and found[-1].label == own.label and own.start - found[-1].end <= BRIDGE:
            found[-1] = Stretch(found[-1].start, own.end, own.label)
        else:
            found.append(own)
    return found


def truth_at(stretches: tuple[Stretch, ...], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Label index at each sample of ``places`` (N,); -1 where nobody speaks."""
    found = np.full(len(places), -1, dtype=np.int64)
    for own in stretches:
        found[(places >= own.start) & (places < own.end)] = own.label
    return found
