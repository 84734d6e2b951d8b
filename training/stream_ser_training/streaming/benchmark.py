"""Which streams a model is judged on, what it showed, and the sums: the library behind ``training stream-eval``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream_ser import audio
from stream_ser.api import Monitor
from stream_ser_models import silero
from stream_ser_models.card import Card, file_hash
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import read_corpora
from stream_ser_training.streaming.compose import Change, Composed, compose
from stream_ser_training.streaming.figures import Shown, Tally
from stream_ser_training.streaming.observe import Seen, observe
from stream_ser_training.streaming.plan import KINDS, NEUTRAL, Plan, draw_plan

LEAST = 4  # clips of each emotion that a speaker must have
HEARD = ("ravdess", "emodb", "nemo", "emovo")  # corpora that have all four emotions
SIDES = ("validation", "test", "strangers")


@dataclass(frozen=True, slots=True)
class Watched:
    """One stream: its plan, its sound's truth, and what the pipeline said of it."""

    plan: Plan
    composed: Composed
    seen: Seen


def held_out(card: Card, side: str, data: Path, corpora: Sequence[str] = HEARD) -> list[Clip]:
    """Labelled clips of one of ``SIDES``: speakers that chose, speakers that nobody knew, or corpora that nobody trained on.

    Of ``corpora``, those that have a part in the side. Raises CorpusError where one is not there.
    """
    wanted = set(card.labels)
    if side == "strangers":
        known = {item["corpus"] for item in card.data}
        return [c for c in read_corpora(data, [name for name in corpora if name not in known]) if c.label in wanted]
    names = {f"{corpus}/{name}" for corpus, own in card.split.get(side, {}).items() for name in own}
    corpora = [name for name in corpora if name in card.split.get(side, {})]
    return [clip for clip in read_corpora(data, corpora) if clip.speaker in names and clip.label in wanted]


def plans_of(
    clips: Sequence[Clip],
    labels: Sequence[str],
    *,
    kinds: Sequence[str] = KINDS,
    seed: int = 1,
    longest_s: float = 300.0,
) -> list[Plan]:
    """A stream of every kind of every speaker who has ``LEAST`` clips of each label, in the speakers' order."""
    voices: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda item: (item.speaker, item.fingerprint)):
        voices.setdefault(clip.speaker, []).append(clip)
    found = []
    for own in voices.values():
        if any(sum(clip.label == label for clip in own) < LEAST for label in labels):
            continue
        for kind in kinds:
            shown = labels if kind == "one" else ("",)
            if kind != "neutral" or NEUTRAL in labels:
                found += [draw_plan(own, kind, seed, shown=label, longest_s=longest_s) for label in shown]
    return found


def watch(
    monitor: Monitor,
    card: Card,
    plans: Iterable[Plan],
    data: Path,
    *,
    change: Change | None = None,
    kept: Path | None = None,
    about: str = "",
) -> list[Watched]:
    """Every plan's stream through the pipeline, unpaced. ``kept`` is a folder in which what was seen is found again.

    ``about`` names the change, so that streams that went through different ones are kept apart.
    """
    labels, heard = tuple(card.labels), hearing(card)
    found = []
    for plan in plans:
        composed = compose(plan, data, labels, change)
        place = kept / heard / f"{plan.key}-{_plain(about)}.npz" if kept else None
        found.append(Watched(plan, composed, observe(monitor, composed.samples, plan.name, place)))
    return found


def tally(watched: Iterable[Watched], classes: int, show: Callable[[Seen], Shown]) -> Tally:
    """Sums over streams of what ``show`` makes of each."""
    sums = Tally(classes)
    for own in watched:
        sums.add(show(own.seen), own.composed.stretches, own.plan.samples)
    return sums


def by_speaker(watched: Iterable[Watched]) -> list[list[Watched]]:
    """Streams by whose they are, in the speakers' order."""
    found: dict[str, list[Watched]] = {}
    for own in watched:
        found.setdefault(own.plan.speaker, []).append(own)
    return [found[speaker] for speaker in sorted(found)]


def hearing(card: Card) -> str:
    """16 hexadecimal digits that name all that what is seen of a stream depends on: the model, and what hears speech.

    Not the card's figures: that they are told there changes nothing of what is heard.
    """
    told: list[object] = [card.files, card.config, card.encoder, card.window_samples]
    told += [card.temperature, card.abstain_below, card.smoothing]
    detector = [*Path(silero.__file__).parent.glob("*.onnx"), *Path(audio.__file__).parent.glob("*.py")]
    told += [[path.name, file_hash(path)] for path in sorted(detector)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _plain(text: str) -> str:
    """A name for a file; two conditions that differ in a sign alone are two."""
    return "".join(letter if letter.isalnum() else "_" for letter in text.replace("+", "plus")) or "plain"
