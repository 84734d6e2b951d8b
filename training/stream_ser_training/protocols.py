"""From clips to folds: who trains, who chooses and who is tested, in every protocol that the tables name.

Every fold holds a ``Split``, which cannot be made where a speaker or a sound stands on two sides. Folds depend on the
clips' speakers alone, never on their order.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream_ser_models.config import Config
from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.splits import LeakError, Split, SplitError, refuse_leak, split_by_speaker

KINDS = ("holdout", "folds", "speakers", "sessions", "corpora")


@dataclass(frozen=True)
class ProtocolConfig(Config):
    """Which protocol; the ``[protocol]`` table of a protocol file.

    ``holdout`` names validation and test speakers by corpus; ``folds`` follows the corpus's own ``folds.csv``; ``speakers``
    leaves one speaker out, ``sessions`` one session; ``corpora`` leaves one corpus out whole, while ``validation`` names
    who chooses in those that train. Corpora in ``cross`` are tested whole and never trained on; corpora in ``extra`` only
    ever train.
    """

    kind: str = "holdout"
    validation: dict[str, list[str]] = field(default_factory=dict)
    test: dict[str, list[str]] = field(default_factory=dict)
    cross: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    validation_speakers: int = 2  # who choose the epoch, where the corpus names none

    def __post_init__(self) -> None:
        """Refuse an unknown kind by name."""
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if self.kind != "holdout" and self.validation_speakers < 1:
            raise ValueError(f"validation_speakers is {self.validation_speakers}; somebody must choose the epoch")


@dataclass(frozen=True, slots=True)
class Fold:
    """One split of a protocol, under a name fit for a file's, and the clips of corpora that no fold trains on."""

    name: str
    split: Split
    cross: tuple[Clip, ...] = ()


def make_folds(protocol: ProtocolConfig, clips: Sequence[Clip], root: Path) -> list[Fold]:
    """All folds of a protocol over clips of corpora under ``root``.

    Raises LeakError on a leak, SplitError where a side, a class of the training side or a corpus of ``cross`` is empty,
    and CorpusError where a corpus has no ``folds.csv``, or one that lacks a speaker.
    """
    cross = tuple(clip for clip in clips if clip.corpus in protocol.cross)
    own = [clip for clip in clips if clip.corpus not in protocol.cross]
    silent = sorted(set(protocol.cross) - {clip.corpus for clip in cross})
    if silent:
        raise SplitError(f"no clip of {', '.join(silent)}, which cross names; add the corpus or take its name out")
    if protocol.kind == "holdout":
        splits = {"holdout": split_by_speaker(own, protocol.validation, protocol.test)}
    elif protocol.kind == "corpora":
        splits = _leave_corpora_out(protocol, own)
    else:
        splits = _rotate(protocol, own, root)
    folds = [Fold(re.sub(r"[^\w.+-]+", "-", name), split, cross) for name, split in splits.items()]
    wanted = {clip.label for clip in own}
    for fold in folds:
        missing = wanted - {clip.label for clip in fold.split.train}
        if missing:
            raise SplitError(f"fold {fold.name} trains on no clip of {', '.join(sorted(missing))}; use larger folds")
        try:
            refuse_leak((*fold.split.train, *fold.split.validation), cross)
        except LeakError as error:
            raise LeakError(f"fold {fold.name}, cross-corpus test: {error}") from error
    return folds


def _leave_corpora_out(protocol: ProtocolConfig, clips: Sequence[Clip]) -> dict[str, Split]:
    """Each corpus but the extra ones is tested once, whole; named speakers of the others choose, everyone else trains."""
    rotated = sorted({clip.corpus for clip in clips} - set(protocol.extra))
    if len(rotated) < 2:
        raise SplitError(f"{len(rotated)} corpora to leave out one by one; name two at least besides extra")
    chosen = {f"{corpus}/{who}" for corpus, speakers in protocol.validation.items() for who in speakers}
    unknown = chosen - {clip.speaker for clip in clips}
    if unknown:
        raise SplitError(f"validation speakers without a clip: {', '.join(sorted(unknown))}; correct their names")
    splits = {}
    for name in rotated:
        rest = [clip for clip in clips if clip.corpus != name]
        sides = {
            "train": tuple(clip for clip in rest if clip.speaker not in chosen),
            "validation": tuple(clip for clip in rest if clip.speaker in chosen),
            "test": tuple(clip for clip in clips if clip.corpus == name),
        }
        empty = [side for side, own in sides.items() if not own]
        if empty:
            raise SplitError(
                f"fold {name} has no clip for {' and '.join(empty)}; name validation speakers of every corpus"
            )
        splits[name] = Split(**sides)
    return splits


def _groups(protocol: ProtocolConfig, clips: Sequence[Clip], root: Path) -> dict[str, list[str]]:
    """Speakers of each fold's test side."""
    speakers = sorted({clip.speaker for clip in clips})
    several = len({clip.corpus for clip in clips}) > 1  # then names need their corpus to tell them apart
    if protocol.kind == "speakers":
        people = _people(clips)
        return {"+".join(name if several else name.partition("/")[2] for name in group): group for group in people}
    groups: dict[str, list[str]] = {}
    if protocol.kind == "sessions":
        session = {clip.speaker: _session(clip) for clip in clips}
        for speaker in speakers:
            corpus = speaker.partition("/")[0]
            groups.setdefault(f"{corpus}/{session[speaker]}" if several else session[speaker], []).append(speaker)
        return dict(sorted(groups.items()))
    for corpus in sorted({clip.corpus for clip in clips}):
        for speaker, fold in _public_folds(root / corpus / "folds.csv", "Test").items():
            if f"{corpus}/{speaker}" in speakers:
                groups.setdefault(fold, []).append(f"{corpus}/{speaker}")
    left = sorted(set(speakers) - {speaker for own in groups.values() for speaker in own})
    if left:
        raise CorpusError(f"no fold for {', '.join(left)}; complete folds.csv")
    return {name: sorted(groups[name]) for name in sorted(groups)}


def _session(clip: Clip) -> str:
    """The clip's session, or else its speaker's name without a last letter: Ses01 of Ses01F."""
    prefix = re.fullmatch(r".*/(.*\d)[A-Za-z]", clip.speaker)
    if not (clip.session or prefix):
        raise CorpusError(f"{clip.speaker} belongs to no session; fill the manifest's column 'session'")
    return clip.session or (prefix[1] if prefix else "")


def _people(clips: Sequence[Clip]) -> list[list[str]]:
    """Speakers one by one, but those under whose names the same sound is filed together: they cannot be parted."""
    person = {clip.speaker: {clip.speaker} for clip in clips}
    owner: dict[str, str] = {}
    for clip in clips:
        one, other = person[clip.speaker], person[owner.setdefault(clip.fingerprint, clip.speaker)]
        if one is not other:
            one |= other
            for speaker in other:
                person[speaker] = one
    return [sorted(person[speaker]) for speaker in sorted(person) if speaker == min(person[speaker])]


def _public_folds(path: Path, side: str) -> dict[str, str]:
    """The fold in which each speaker is on a side (Test or Development), from a corpus's ``folds.csv``.

    A table with the columns speaker and fold alone says who is tested; a third names a side for every fold and speaker.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {path}: {error}; the protocol needs the corpus's public folds") from error
    if not rows or {"speaker", "fold"} - set(rows[0]):
        raise CorpusError(f"{path} has no columns speaker and fold; get the corpus's folds again")
    sides = next((name for name in rows[0] if name not in ("speaker", "fold")), "")
    folds: dict[str, str] = {}
    chosen = [row for row in rows if (row[sides] if sides else "Test") == side]
    for row in chosen:
        if folds.setdefault(row["speaker"], row["fold"]) != row["fold"]:
            raise CorpusError(f"{path} has speaker {row['speaker']} in two {side} folds; get the corpus's folds again")
    return folds


def _developers(clips: Sequence[Clip], root: Path) -> dict[str, set[str]]:
    """Who chooses the epoch in each public fold, where the corpora's own folds say so."""
    chosen: dict[str, set[str]] = {}
    for corpus in sorted({clip.corpus for clip in clips}):
        for speaker, fold in _public_folds(root / corpus / "folds.csv", "Development").items():
            chosen.setdefault(fold, set()).add(f"{corpus}/{speaker}")
    return chosen


def _rotate(protocol: ProtocolConfig, clips: Sequence[Clip], root: Path) -> dict[str, Split]:
    """Each group tests once. Who chooses: the public folds' Development speakers, or else those of ``_next``."""
    groups = _groups(protocol, clips, root)
    names = list(groups)
    if len(names) < 3:
        raise SplitError(f"{len(names)} folds of speakers; training, validation and test need three at least")
    developers = _developers(clips, root) if protocol.kind == "folds" else {}
    sex = {clip.speaker: clip.sex for clip in clips}
    splits = {}
    for place, name in enumerate(names):
        later = [groups[names[(place + k) % len(names)]] for k in range(1, len(names))]
        held = developers.get(name) or _next(later, sex, protocol.validation_speakers)
        if protocol.kind == "speakers":  # a person filed under two names chooses under both
            held = {speaker for group in later if held & set(group) for speaker in group}
        tested = set(groups[name])
        sides = {
            "train": tuple(clip for clip in clips if clip.speaker not in held | tested),
            "validation": tuple(clip for clip in clips if clip.speaker in held),
            "test": tuple(clip for clip in clips if clip.speaker in tested),
        }
        empty = [side for side, own in sides.items() if not own]
        if empty:
            raise SplitError(f"fold {name} has no clip for {' and '.join(empty)}; complete the corpus")
        try:
            splits[name] = Split(**sides)
        except LeakError as error:
            raise LeakError(f"fold {name}: {error}") from error
    return splits


def _next(later: Sequence[Sequence[str]], sex: Mapping[str, str], count: int) -> set[str]:
    """Of the groups that follow, one speaker of each sex in turn, until ``count`` are found."""
    following = [speaker for group in later for speaker in group]
    chosen: list[str] = []
    while len(chosen) < min(count, len(following) - 1):
        used = [sex[speaker] for speaker in chosen]
        rest = [speaker for speaker in following if speaker not in chosen]
        chosen.append(min(rest, key=lambda speaker: (used.count(sex[speaker]), following.index(speaker))))
    return set(chosen)
