"""Minutes of sound in which nobody says anything, and what the pipeline makes of it: no label and no alert is right.

Silence, hum and music are made from a seed; noise and voices without words are clips of corpora, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream_ser.trajectory.alerts import AlertMonitor
from stream_ser.trajectory.rules import read_rules
from stream_ser_training.clips import Clip, read_table
from stream_ser_training.corpora import SAMPLE_RATE, Samples, load
from stream_ser_training.readers import read_corpus
from stream_ser_training.streaming.alerts import points_of
from stream_ser_training.streaming.observe import Seen

MINUTES = 10.0
LEVEL_DB = -26.0  # dBFS RMS of every clip and of what is made
PAUSE_S = (0.3, 1.0)
SEED = 1


@dataclass(frozen=True, slots=True)
class Source:
    """Clips of one corpus by a column of its manifest."""

    corpus: str
    column: str
    values: tuple[str, ...]


VOICES: dict[str, tuple[Source, ...]] = {
    "noise": (
        Source("esc10", "sentence", ("Rain", "Sea waves", "Clock tick", "Helicopter", "Chainsaw", "Fire crackling")),
    ),
    "animals": (Source("esc10", "sentence", ("Dog bark", "Rooster")),),
    "laughter": (Source("deeply_nonverbal", "emotion", ("laughing",)),),
    "crying": (Source("deeply_nonverbal", "emotion", ("crying",)),),
    "infants crying": (
        Source("donateacry", "emotion", ("infant_cry",)),
        Source("esc10", "sentence", ("Baby cry",)),
    ),
    "coughs, sneezes, sighs": (
        Source(
            "deeply_nonverbal",
            "emotion",
            ("coughing", "sneezing", "nose-blowing", "throat-clearing", "sighing", "yawning", "panting"),
        ),
    ),
    "screams and moans": (Source("deeply_nonverbal", "emotion", ("screaming", "moaning")),),
}


def _silence(samples: int, rng: np.random.Generator) -> Samples:
    """Half of it digital, half a quiet room."""
    sound = rng.standard_normal(samples, dtype=np.float32) * np.float32(10.0 ** (-70.0 / 20.0))
    sound[: samples // 2] = 0.0
    return sound


def _hum(samples: int, _: np.random.Generator) -> Samples:
    t = np.arange(samples) / SAMPLE_RATE
    tones = sum(np.sin(2.0 * np.pi * 50.0 * n * t) / n for n in (1, 2, 3, 4, 6, 8))
    return _at_level(np.asarray(tones, dtype=np.float32))


def _music(samples: int, rng: np.random.Generator) -> Samples:
    """Chords, a bass and a tune of plucked, slightly vibrating strings, two beats a second."""
    beat = SAMPLE_RATE // 2
    scale = 220.0 * 2.0 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12.0)
    sound = np.zeros(samples + 4 * beat, dtype=np.float32)
    for number, start in enumerate(range(0, samples, beat)):
        root = int(rng.integers(0, 5))
        notes = [(float(scale[rng.integers(0, 8)]) * 2.0, beat)]
        if number % 4 == 0:
            notes += [(float(scale[(root + step) % 8]), 4 * beat) for step in (0, 2, 4)]
            notes += [(float(scale[root]) / 2.0, 4 * beat)]
        for hertz, length in notes:
            t = np.arange(length) / SAMPLE_RATE
            phase = 2.0 * np.pi * hertz * t + 0.3 * np.sin(2.0 * np.pi * 5.0 * t)
            note = sum(np.sin(n * phase) / n for n in range(1, 7)) * np.exp(-1.5 * t) * np.minimum(1.0, t * 100.0)
            sound[start : start + length] += np.asarray(note, dtype=np.float32)
    return _at_level(sound[:samples])


MADE: dict[str, Callable[[int, np.random.Generator], Samples]] = {"silence": _silence, "hum": _hum, "music": _music}


def _at_level(sound: Samples) -> Samples:
    power = float(np.square(sound).mean())
    if power == 0.0:
        return sound
    scaled: Samples = np.clip(sound * np.float32(10.0 ** (LEVEL_DB / 20.0) / np.sqrt(power)), -1.0, 1.0)
    return scaled


def clips_of(sources: Sequence[Source], data: Path) -> list[Clip]:
    """Their clips, in the manifests' order. Raises CorpusError where a corpus is missing."""
    found = []
    for source in sources:
        _, rows = read_table(data / source.corpus / "manifest.csv")
        wanted = {data / source.corpus / row["file"] for row in rows if row.get(source.column) in source.values}
        found += [clip for clip in read_corpus(data, source.corpus, "") if clip.path in wanted]
    return found


def sounds(data: Path, minutes: float = MINUTES) -> dict[str, Samples]:
    """By name, ``minutes`` of each kind whose corpora are there."""
    length = round(minutes * 60.0 * SAMPLE_RATE)
    found = {name: make(length, np.random.default_rng(SEED)) for name, make in MADE.items()}
    for name, sources in VOICES.items():
        if all((data / source.corpus).is_dir() for source in sources):
            found[name] = _joined(clips_of(sources, data), length)
    return found


def _joined(clips: Sequence[Clip], length: int) -> Samples:
    """Clips at one level with pauses, each once before any comes again."""
    rng = np.random.default_rng(SEED)
    sound = rng.standard_normal(length, dtype=np.float32) * np.float32(10.0 ** (-75.0 / 20.0))
    at, left = SAMPLE_RATE, list[int]()
    while at < length:
        left = left or rng.permutation(len(clips)).tolist()
        piece = _at_level(load(clips[left.pop()]))[: length - at]
        sound[at : at + len(piece)] += piece
        at += len(piece) + round(rng.uniform(*PAUSE_S) * SAMPLE_RATE)
    clipped: Samples = np.clip(sound, -1.0, 1.0)
    return clipped


def told_of(seen: Seen, labels: tuple[str, ...]) -> dict[str, Any]:
    """Shares of time in which the model was asked and in which a label was shown, runs of a label, and alerts."""
    shown = seen.labels >= 0
    before = np.concatenate(([-1], seen.labels[:-1]))
    alerts = AlertMonitor(read_rules(), labels, (), "customer", hop=seen.hop)
    opened = sum(event.kind == "opened" for point in points_of(seen, labels) for event in alerts.advance(point))
    return {
        "minutes": round(float(seen.ends[-1]) / SAMPLE_RATE / 60.0, 2),
        "asked": round(float(seen.judged.mean()), 4),
        "shown": round(float(shown.mean()), 4),
        "runs": int((shown & (seen.labels != before)).sum()),
        "alerts": opened,
        "labels": {label: round(float((seen.labels == place).mean()), 4) for place, label in enumerate(labels)},
    }
