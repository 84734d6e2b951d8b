"""Plans of test streams: which clips of one held-out speaker are said when, drawn from a seed and kept as JSON.

A plan holds no sound. Whoever has the public corpora can make the stream again, to the sample, from the plan alone.
A stream is one call of one speaker: stretches of one emotion, each several clips long, with short pauses within a
stretch and longer ones between two.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.corpora import SAMPLE_RATE

KINDS = ("balanced", "neutral", "one")  # all emotions alike; 70 % neutral; one emotion for all of the stream
FORMAT = 1
LEAD = SAMPLE_RATE  # samples before the first clip and after the last
WITHIN_S, BETWEEN_S = (0.2, 0.6), (0.6, 3.0)  # pauses
LONGEST_S = 300.0  # of a stream
MOST_CLIPS = 5  # of a stretch, where all emotions are alike
NEUTRAL = "neutral"
NEUTRAL_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Piece:
    """One clip of a stream: samples ``[start, start + length)`` hold it."""

    file: str  # below the corpus's folder
    fingerprint: str
    label: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One stream of ``samples`` samples at 16 kHz."""

    name: str
    kind: str
    corpus: str
    speaker: str
    seed: int
    samples: int
    pieces: tuple[Piece, ...]
    format: int = FORMAT

    @property
    def key(self) -> str:
        """16 hexadecimal digits that name the plan's contents."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


class _Draw:
    """A speaker's clips by label, each given out once before any is given again."""

    def __init__(self, clips: Sequence[Clip], rng: np.random.Generator) -> None:
        self.rng = rng
        self.own = {label: [c for c in clips if c.label == label] for label in sorted({c.label for c in clips})}
        self.left = {label: self._mixed(label) for label in self.own}

    def _mixed(self, label: str) -> list[Clip]:
        return [self.own[label][k] for k in self.rng.permutation(len(self.own[label]))]

    def clip(self, label: str) -> Clip:
        self.left[label] = self.left[label] or self._mixed(label)
        return self.left[label].pop()


def _labels(kind: str, draw: _Draw, shown: str) -> Sequence[tuple[str, int]]:
    """Label and number of clips of every stretch that may come."""
    rng, labels = draw.rng, list(draw.own)
    if kind == "one":
        return [(shown, len(draw.own[shown]))]
    found: list[tuple[str, int]] = []
    others = [label for label in labels if label != NEUTRAL]
    while len(found) < 200:
        if kind == "neutral":
            count = int(rng.integers(1, 4))
            calm = max(1, round(count * NEUTRAL_SHARE / (1.0 - NEUTRAL_SHARE)))
            found += [(NEUTRAL, calm), (str(rng.choice(others)), count)]
        else:
            order = [labels[k] for k in rng.permutation(len(labels))]
            if found and order[0] == found[-1][0]:
                order.reverse()
            found += [(label, int(rng.integers(1, MOST_CLIPS + 1))) for label in order]
    return found


def draw_plan(clips: Sequence[Clip], kind: str, seed: int, *, shown: str = "", longest_s: float = LONGEST_S) -> Plan:
    """A stream of one speaker's labelled clips; ``shown`` is the emotion of kind ``one``.

    It ends at ``longest_s``, or where a clip would come a second time; only kind ``neutral`` says neutral clips again,
    for most corpora have few. Raises ValueError for an unknown kind and CorpusError where a label has no clip.
    """
    if kind not in KINDS:
        raise ValueError(f"stream {kind!r} is unknown; choose one of {', '.join(KINDS)}")
    wanted = {shown} if kind == "one" else {NEUTRAL} if kind == "neutral" else set()
    missing = wanted - {clip.label for clip in clips}
    if missing or not clips:
        who = clips[0].speaker if clips else "nobody"
        raise CorpusError(f"{who} has no clip of {', '.join(sorted(missing)) or 'any label'}; choose another speaker")
    first = clips[0]
    number = int(hashlib.sha256(f"{first.speaker} {kind} {shown}".encode()).hexdigest()[:8], 16)
    draw = _Draw(clips, np.random.default_rng([seed, number]))
    pieces: list[Piece] = []
    at = LEAD
    for label, count in _labels(kind, draw, shown):
        if kind != "neutral" or label != NEUTRAL:
            count = min(count, len(draw.left[label]))
        if not count:
            break
        for place in range(count):
            clip = draw.clip(label)
            length = round(clip.duration_s * SAMPLE_RATE)
            pieces.append(
                Piece(
                    clip.path.relative_to(clip.path.parents[_depth(clip)]).as_posix(),
                    clip.fingerprint,
                    label,
                    at,
                    length,
                )
            )
            low, high = WITHIN_S if place + 1 < count else BETWEEN_S
            at += length + round(draw.rng.uniform(low, high) * SAMPLE_RATE)
        if at >= longest_s * SAMPLE_RATE:
            break
    name = "-".join(part for part in (first.speaker.replace("/", "-"), kind, shown) if part)
    return Plan(name, kind, first.corpus, first.speaker, seed, at + LEAD, tuple(pieces))


def _depth(clip: Clip) -> int:
    """How many folders up from a clip its corpus lies."""
    names = [parent.name for parent in clip.path.parents]
    return names.index(clip.corpus)


def write_plan(plan: Plan, folder: Path) -> Path:
    """Keep a plan as ``NAME.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plan.name}.json"
    path.write_text(json.dumps(asdict(plan), indent=1) + "\n", encoding="utf-8")
    return path


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises CorpusError when it is none, or of a format that is not read here."""
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise CorpusError(f"{path} has format {told['format']!r}, this version reads {FORMAT}; make it again")
        pieces = tuple(Piece(**piece) for piece in told.pop("pieces"))
        return Plan(**told, pieces=pieces)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"cannot read the plan {path}: {error}; make it again") from error
