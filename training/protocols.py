"""From clips to folds: who trains, who chooses and who is tested, in every protocol that the tables name.

Every fold holds a ``Split``, which cannot be made where a speaker or a sound stands on two sides. Folds depend on the
clips' speakers alone, never on their order.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.config import Config
from training.corpora import Clip, CorpusError
from training.splits import Split, SplitError, split_by_speaker

KINDS = ("holdout", "folds", "speakers", "sessions")


@dataclass(frozen=True)
class ProtocolConfig(Config):
    """Which protocol; the ``[protocol]`` table of a protocol file.

    ``holdout`` names validation and test speakers by corpus; ``folds`` follows the corpus's own ``folds.csv``; ``speakers``
    leaves one speaker out, ``sessions`` one session. Corpora in ``cross`` are tested whole and never trained on.
    """

    kind: str = "holdout"
    validation: dict[str, list[str]] = field(default_factory=dict)
    test: dict[str, list[str]] = field(default_factory=dict)
    cross: tuple[str, ...] = ()
    validation_speakers: int = 2  # who choose the epoch, where the corpus names none

    def __post_init__(self) -> None:
        """Refuse an unknown kind by name."""
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if self.kind != "holdout" and self.validation_speakers < 1:
            raise ValueError(f"validation_speakers is {self.validation_speakers}; somebody must choose the epoch")


@dataclass(frozen=True, slots=True)
class Fold:
    """One split of a protocol, and the clips of corpora that no fold trains on."""

    name: str
    split: Split
    cross: tuple[Clip, ...] = ()


def make_folds(protocol: ProtocolConfig, clips: Sequence[Clip], root: Path) -> list[Fold]:
    """All folds of a protocol over clips of corpora under ``root``.

    Raises LeakError on a leak, SplitError where a side or a class of the training side is empty, and CorpusError where
    a corpus has no ``folds.csv``, or one that lacks a speaker.
    """
    cross = tuple(clip for clip in clips if clip.corpus in protocol.cross)
    own = [clip for clip in clips if clip.corpus not in protocol.cross]
    if protocol.kind == "holdout":
        splits = {"holdout": split_by_speaker(own, protocol.validation, protocol.test)}
    else:
        splits = _rotate(_groups(protocol, own, root), own, protocol.validation_speakers)
    folds = [Fold(name, split, cross) for name, split in splits.items()]
    wanted = {clip.label for clip in own}
    for fold in folds:
        missing = wanted - {clip.label for clip in fold.split.train}
        if missing:
            raise SplitError(f"fold {fold.name} trains on no clip of {', '.join(sorted(missing))}; use larger folds")
    return folds


def _groups(protocol: ProtocolConfig, clips: Sequence[Clip], root: Path) -> dict[str, list[str]]:
    """Speakers of each fold's test side."""
    speakers = sorted({clip.speaker for clip in clips})
    if protocol.kind == "speakers":
        return {speaker.partition("/")[2]: [speaker] for speaker in speakers}
    groups: dict[str, list[str]] = {}
    if protocol.kind == "sessions":
        session = {clip.speaker: clip.session for clip in clips}
        without = sorted(speaker for speaker in speakers if not session[speaker])
        if without:
            raise CorpusError(f"{', '.join(without)} belongs to no session; fill the manifest's column 'session'")
        for speaker in speakers:
            groups.setdefault(session[speaker], []).append(speaker)
        return dict(sorted(groups.items()))
    for corpus in sorted({clip.corpus for clip in clips}):
        for speaker, fold in _public_folds(root / corpus / "folds.csv").items():
            if f"{corpus}/{speaker}" in speakers:
                groups.setdefault(fold, []).append(f"{corpus}/{speaker}")
    left = sorted(set(speakers) - {speaker for own in groups.values() for speaker in own})
    if left:
        raise CorpusError(f"no fold for {', '.join(left)}; complete folds.csv")
    return {name: sorted(groups[name]) for name in sorted(groups)}


def _public_folds(path: Path) -> dict[str, str]:
    """The fold in which each speaker is tested, from a corpus's ``folds.csv``."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {path}: {error}; the protocol needs the corpus's public folds") from error
    if not rows or {"speaker", "fold"} - set(rows[0]):
        raise CorpusError(f"{path} has no columns speaker and fold; get the corpus's folds again")
    side = next((name for name in rows[0] if name not in ("speaker", "fold")), "")  # three sides a fold, where named
    return {row["speaker"]: row["fold"] for row in rows if not side or row[side] == "Test"}


def _rotate(groups: dict[str, list[str]], clips: Sequence[Clip], validating: int) -> dict[str, Split]:
    """Each group tests once; of the group after it, one speaker of each sex in turn chooses, until enough do."""
    names = list(groups)
    if len(names) < 3:
        raise SplitError(f"{len(names)} folds of speakers; training, validation and test need three at least")
    sex = {clip.speaker: clip.sex for clip in clips}
    splits = {}
    for place, name in enumerate(names):
        following = [speaker for k in range(1, len(names)) for speaker in groups[names[(place + k) % len(names)]]]
        chosen: list[str] = []
        while len(chosen) < min(validating, len(following) - 1):
            used = [sex[speaker] for speaker in chosen]
            rest = [speaker for speaker in following if speaker not in chosen]
            chosen.append(min(rest, key=lambda speaker: (used.count(sex[speaker]), following.index(speaker))))
        held, tested = set(chosen), set(groups[name])
        splits[name] = Split(
            tuple(clip for clip in clips if clip.speaker not in held | tested),
            tuple(clip for clip in clips if clip.speaker in held),
            tuple(clip for clip in clips if clip.speaker in tested),
        )
    return splits
