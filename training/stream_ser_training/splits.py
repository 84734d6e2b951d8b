"""Train, validation and test sides that share no speaker and no sound.

The check is part of making a split: there is no way to obtain one that leaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stream_ser_training.clips import Clip


class SplitError(ValueError):
    """A split that cannot be made as asked; the text names what is wrong."""


class LeakError(SplitError):
    """A speaker or a sound stands on two sides of a split."""


@dataclass(frozen=True, slots=True)
class Split:
    """Three sides of one protocol. Making one raises LeakError if any speaker or sound is on two of them."""

    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]

    def __post_init__(self) -> None:
        """Refuse a leak, naming what leaks."""
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        for what in ("speaker", "fingerprint"):
            seen: dict[str, str] = {}
            for side, clips in sides.items():
                for clip in clips:
                    value = getattr(clip, what)
                    if seen.setdefault(value, side) != side:
                        raise LeakError(f"{what} {value} ({clip.path.name}) is in both {seen[value]} and {side}")


def split_by_speaker(
    clips: Iterable[Clip], validation: Mapping[str, list[str]], test: Mapping[str, list[str]]
) -> Split:
    """Put the named speakers of each corpus on the validation and test sides, everyone else on the training side.

    Raises LeakError on a leak and SplitError when a named speaker has no clip (a misspelt one would silently train) or a
    side would be empty.
    """
    held = {
        "validation": {f"{corpus}/{speaker}" for corpus, speakers in validation.items() for speaker in speakers},
        "test": {f"{corpus}/{speaker}" for corpus, speakers in test.items() for speaker in speakers},
    }
    sides: dict[str, list[Clip]] = {"train": [], "validation": [], "test": []}
    heard: set[str] = set()
    for clip in clips:
        heard.add(clip.speaker)
        homes = [side for side, speakers in held.items() if clip.speaker in speakers] or ["train"]
        for side in homes:
            sides[side].append(clip)
    unknown = (held["validation"] | held["test"]) - heard
    if unknown:
        raise SplitError(f"held-out speakers without a clip: {', '.join(sorted(unknown))}; correct their names")
    empty = [side for side, own in sides.items() if not own]
    if empty:
        raise SplitError(f"no clip for {' and '.join(empty)}; give every side at least one speaker")
    return Split(*(tuple(sides[side]) for side in ("train", "validation", "test")))


def refuse_leak(learnt: Iterable[Clip], held: Iterable[Clip]) -> None:
    """Refuse training sources that share a speaker or a sound with held-out clips.

    An augmented copy carries its source clip, so a copy counts as the sound it was made from. Raises LeakError.
    """
    speakers, sounds = {}, {}
    for clip in held:
        speakers[clip.speaker], sounds[clip.fingerprint] = clip, clip
    for clip in learnt:
        for what, value, others in (("speaker", clip.speaker, speakers), ("sound", clip.fingerprint, sounds)):
            if value in others:
                raise LeakError(f"{what} {value} ({clip.path.name}) would be learnt from and is held out")
