"""From clips to folds: who trains, who chooses the epoch and who tests, under each protocol of the field.

Every fold is a ``Split``, so no protocol can put a speaker or a sound on two sides; corpora named in ``cross`` never
train and never choose anything. What a fold holds depends on the clips and the protocol alone, on no random number.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.config import Config
from training.corpora import Clip, CorpusError
from training.splits import LeakError, Split, SplitError, refuse_leak, split_by_speaker

KINDS = ("holdout", "folds", "speakers", "sessions")
SIDES = {"Train": "train", "Development": "validation", "Test": "test"}


@dataclass(frozen=True)
class ProtocolConfig(Config):
    """Who is held out; a protocol file's ``[protocol]`` table.

    ``holdout``: one fold, with the named speakers of each corpus. ``folds``: the corpus's own ``folds.csv``.
    ``speakers``: leave one speaker out. ``sessions``: leave one recording session out.
    """

    kind: str = "holdout"
    validation: dict[str, list[str]] = field(default_factory=dict)  # holdout: corpus to speakers
    test: dict[str, list[str]] = field(default_factory=dict)
    validation_speakers: int = 0  # 0: two of the next fold, the next speaker, or the whole next session
    cross: tuple[str, ...] = ()  # corpora tested whole and never trained on

    def __post_init__(self) -> None:
        """Refuse an unknown kind and keys that the kind does not use."""
        if self.kind not in KINDS:
            raise ValueError(f"kind = {self.kind!r}; choose one of {', '.join(KINDS)}")
        named = {"validation": self.validation, "test": self.test}
        if self.kind != "holdout" and (self.validation or self.test):
            raise ValueError(f"kind = {self.kind!r} names no speakers; drop [validation] and [test], or use holdout")
        for side, corpora in named.items():
            for corpus, speakers in corpora.items():
                if not isinstance(speakers, list | tuple) or not all(isinstance(item, str) for item in speakers):
                    raise ValueError(f"{side}.{corpus} = {speakers!r}; write a list of speakers' names in quotes")
        if self.validation_speakers < 0 or (self.kind == "holdout" and self.validation_speakers):
            raise ValueError(f"validation_speakers = {self.validation_speakers}; give 0 or more, none with holdout")


@dataclass(frozen=True, slots=True)
class Fold:
    """One round of a protocol: its name (fit for a file's), its sides, and the corpora that nobody trained on."""

    name: str
    split: Split
    cross: tuple[Clip, ...] = ()


def make_folds(protocol: ProtocolConfig, clips: Iterable[Clip], root: Path, labels: Sequence[str] = ()) -> list[Fold]:
    """All folds of a protocol, in a fixed order. ``root`` holds the corpora's folders, for their ``folds.csv``.

    Raises LeakError (a SplitError) when a speaker or sound would stand on two sides, SplitError when a side or a class
    of ``labels`` (by default every class of ``clips``) would be empty, and CorpusError for a bad ``folds.csv``. Each
    names the fold.
    """
    clips = list(clips)
    cross = tuple(clip for clip in clips if clip.corpus in protocol.cross)
    silent = set(protocol.cross) - {clip.corpus for clip in cross}
    if silent:
        raise SplitError(f"cross-corpus test on {', '.join(sorted(silent))}, which gave no clip; add it to the data")
    rest = [clip for clip in clips if clip.corpus not in protocol.cross]
    makers: dict[str, Callable[[], dict[str, Split]]] = {
        "holdout": lambda: {"holdout": split_by_speaker(rest, protocol.validation, protocol.test)},
        "folds": lambda: _public_folds(rest, root, protocol.validation_speakers or 2),
        "speakers": lambda: _leave_out(_people(rest), rest, protocol.validation_speakers or 1, reach=True),
        "sessions": lambda: _leave_out(_sessions(rest), rest, protocol.validation_speakers),
    }
    folds = [Fold(_file_name(name), split, cross) for name, split in makers[protocol.kind]().items()]
    wanted = list(labels) or sorted({clip.label for clip in clips})
    for fold in folds:
        _check(fold, wanted)
    if len({fold.name for fold in folds}) < len(folds):
        raise SplitError(f"two folds go by one name among {', '.join(fold.name for fold in folds)}; rename speakers")
    return folds


def _check(fold: Fold, labels: Sequence[str]) -> None:
    """Refuse a fold that cannot teach every class, or whose cross-corpus test is known sound."""
    taught = {clip.label for clip in fold.split.train}
    absent = [label for label in labels if label not in taught]
    if absent:
        raise SplitError(
            f"fold {fold.name} has no training clip of class {', '.join(absent)}; add a corpus that has some, or hold "
            "out fewer speakers"
        )
    try:
        refuse_leak((*fold.split.train, *fold.split.validation), fold.cross)
    except LeakError as error:
        raise LeakError(f"fold {fold.name}, cross-corpus test: {error}") from error


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort key that puts fold 2 before fold 10."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name) if part]


def _short_names(clips: Sequence[Clip]) -> Callable[[str], str]:
    """Name of a speaker or session: without its corpus where there is one corpus only."""
    single = len({clip.corpus for clip in clips}) <= 1
    return lambda name: name.partition("/")[2] if single else name


def _sides(name: str, clips: Sequence[Clip], validation: set[str], test: set[str]) -> Split:
    """The fold in which these speakers are held out. Raises SplitError and LeakError with the fold's name."""
    sides: dict[str, list[Clip]] = {"train": [], "validation": [], "test": []}
    for clip in clips:
        side = "test" if clip.speaker in test else "validation" if clip.speaker in validation else "train"
        sides[side].append(clip)
    return _split(name, sides)


def _split(name: str, sides: Mapping[str, Sequence[Clip]]) -> Split:
    empty = [side for side, own in sides.items() if not own]
    if empty:
        raise SplitError(f"fold {name} has no clip for {' and '.join(empty)}; it needs at least three speakers")
    try:
        return Split(*(tuple(sides[side]) for side in ("train", "validation", "test")))
    except LeakError as error:
        raise LeakError(f"fold {name}: {error}") from error


def _some_of_each_sex(speakers: Iterable[str], clips: Sequence[Clip], count: int) -> list[str]:
    """The first ``count`` speakers in order of name, the sexes taking turns."""
    sex = {clip.speaker: clip.sex for clip in clips}
    ordered = sorted(speakers, key=_natural)
    turn = {speaker: sum(sex.get(s) == sex.get(speaker) for s in ordered[:i]) for i, speaker in enumerate(ordered)}
    return sorted(ordered, key=lambda speaker: turn[speaker])[:count]


def _leave_out(
    groups: Mapping[str, set[str]], clips: Sequence[Clip], count: int, *, reach: bool = False
) -> dict[str, Split]:
    """A fold for every group of speakers, which it tests; ``count`` speakers of the next group validate (0: all).

    With ``reach``, whole groups validate, as many as it takes to have ``count`` speakers.
    """
    names = list(groups)
    splits = {}
    for place, name in enumerate(names):
        later = [groups[other] for other in (*names[place + 1 :], *names[:place])]
        validation: set[str] = set()
        if reach:
            for group in later:
                if len(validation) < count:
                    validation |= group
        elif later:
            validation = set(_some_of_each_sex(later[0], clips, count or len(later[0])))
        if len(validation) < count:
            raise SplitError(f"fold {name}: only {len(validation)} of {count} validation speakers; ask for fewer")
        splits[name] = _sides(name, clips, validation, groups[name])
    return splits


def _people(clips: Sequence[Clip]) -> dict[str, set[str]]:
    """Speakers one by one, but together where the same sound is filed under two: that is one person, or a mistake."""
    person: dict[str, set[str]] = {clip.speaker: {clip.speaker} for clip in clips}
    owner: dict[str, str] = {}
    for clip in clips:
        one, other = person[clip.speaker], person[owner.setdefault(clip.fingerprint, clip.speaker)]
        if one is not other:
            one |= other
            for speaker in other:
                person[speaker] = one
    short = _short_names(clips)
    ordered = sorted(person, key=_natural)
    return {
        "+".join(short(speaker) for speaker in sorted(person[first], key=_natural)): person[first]
        for first in ordered
        if first == min(person[first], key=_natural)
    }


def _sessions(clips: Sequence[Clip]) -> dict[str, set[str]]:
    """Speakers of each recording session: the clip's, or else the speaker's name without its last letter (Ses01F)."""
    short = _short_names(clips)
    sessions: dict[str, set[str]] = {}
    for clip in clips:
        prefix = re.fullmatch(r".*/(.*\d)[A-Za-z]", clip.speaker)
        session = clip.session or (prefix[1] if prefix else "")
        if not session:
            raise SplitError(f"{clip.path} has no session; fill the manifest's column session, or leave speakers out")
        sessions.setdefault(short(f"{clip.corpus}/{session}"), set()).add(clip.speaker)
    return {name: sessions[name] for name in sorted(sessions, key=_natural)}


def _public_folds(clips: Sequence[Clip], root: Path, count: int) -> dict[str, Split]:
    """Folds of the corpora's own ``folds.csv``; several corpora must name their folds alike."""
    corpora = sorted({clip.corpus for clip in clips})
    tables = {corpus: _read_folds(root / corpus / "folds.csv") for corpus in corpora}
    names = {corpus: sorted({fold for fold, _ in table}, key=_natural) for corpus, table in tables.items()}
    if len({tuple(own) for own in names.values()}) != 1:
        listed = "; ".join(f"{corpus}: {', '.join(own)}" for corpus, own in names.items()) or "no corpus"
        raise SplitError(f"the corpora's folds differ ({listed}); train on one of them, or use kind = 'holdout'")
    listed_speakers = {corpus: {speaker for _, speaker in table} for corpus, table in tables.items()}
    for clip in clips:
        if clip.speaker.partition("/")[2] not in listed_speakers[clip.corpus]:
            raise SplitError(f"{root / clip.corpus / 'folds.csv'} has no speaker of {clip.path}; complete it")
    side_of = {
        (fold, f"{corpus}/{speaker}"): side
        for corpus, table in tables.items()
        for (fold, speaker), side in table.items()
    }
    heard = {clip.speaker for clip in clips}
    if all(side_of.values()):
        splits = {}
        for name in names[corpora[0]]:
            held = {
                side: {speaker for (fold, speaker), own in side_of.items() if (fold, own) == (name, side)}
                for side in ("validation", "test")
            }
            splits[name] = _sides(name, clips, held["validation"], held["test"])
        return splits
    groups = {name: {speaker for fold, speaker in side_of if fold == name} & heard for name in names[corpora[0]]}
    return _leave_out(groups, clips, count)


def _read_folds(path: Path) -> dict[tuple[str, str], str]:
    """Fold and speaker to side, or to nothing where the table only says who is tested. Raises CorpusError."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = csv.DictReader(handle)
            columns, table = rows.fieldnames or [], list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {path}: {error}; kind = 'folds' needs the corpus's public folds") from error
    if not {"fold", "speaker"} <= set(columns) or not table:
        raise CorpusError(f"{path} has columns {', '.join(columns) or 'none'}; it needs rows with fold and speaker")
    sides: dict[tuple[str, str], str] = {}
    for row in table:
        key = (row["fold"], row["speaker"])
        side = row.get("split") if "split" in columns else "Test"
        if not all(key) or side not in SIDES:
            raise CorpusError(f"{path} has the row {row}; it needs fold, speaker and one of {', '.join(SIDES)}")
        again = key in sides if "split" in columns else key[1] in {speaker for _, speaker in sides}
        if again:
            raise CorpusError(f"{path} puts speaker {key[1]} on two sides of fold {key[0]}; keep one row")
        sides[key] = SIDES[side] if "split" in columns else ""
    return sides
