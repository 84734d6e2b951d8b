"""Clips of a corpus, and the manifest that lists them: a folder with ``manifest.csv`` and sound files.

A manifest has at least the columns ``file``, ``speaker`` and ``emotion4`` (angry, happy, neutral, sad or empty; the
caller may name another column); ``sex``, ``session``, ``intensity``, ``transcript``, ``duration_s`` and
``content_sha1`` are used where present. Any speech that someone holds can be described this way; corpora that have no
manifest but a well-known layout of their own are read by ``stream_ser_training.readers``.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path


class CorpusError(Exception):
    """A corpus that cannot be used as asked; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance and what is known of it. ``speaker`` is unique over all corpora; ``label`` may be empty.

    An augmented copy of a clip goes by the clip's own ``speaker`` and ``fingerprint``.
    """

    corpus: str
    path: Path
    speaker: str
    sex: str
    label: str
    duration_s: float
    fingerprint: str  # equal for equal sound: such clips must stay on one side of a split
    session: str = ""  # recorded together; empty where the corpus has none
    intensity: str = ""  # as the corpus calls it: normal and strong, or a level
    transcript: str = ""
    dimensions: tuple[float, float, float] | None = None  # activation, valence, dominance, each in [-1, 1]


def file_sha1(path: Path) -> str:
    """Fingerprint of a file's bytes."""
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Column names and rows of a CSV file. Raises CorpusError when it cannot be read as one."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = csv.DictReader(handle)
            return list(rows.fieldnames or []), list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {path}: {error}; save it as CSV in UTF-8") from error


def read_manifest(folder: Path, label_column: str = "emotion4") -> list[Clip]:
    """Clips of one corpus that carry a label, in the manifest's order; with ``label_column=""`` all, without labels.

    Raises CorpusError when the manifest is missing or is not a table, lacks a column, or names a file that is not there.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise CorpusError(f"no manifest at {manifest}; give the folder that holds the corpora with --data")
    columns, table = read_table(manifest)
    missing = {"file", "speaker", label_column or "file"} - set(columns)
    if missing:
        has = ", ".join(columns) or "none"
        raise CorpusError(f"{manifest} has no column {', '.join(sorted(missing))}, it has {has}; add what is missing")
    rows = [(row, row[label_column] if label_column else "") for row in table]
    clips = [_clip(folder, row, label) for row, label in rows if label or not label_column]
    if not clips:
        raise CorpusError(f"{manifest} has no row with a value in {label_column!r}; label some clips")
    return clips


def _clip(folder: Path, row: dict[str, str], label: str) -> Clip:
    path = folder / (row["file"] or "")
    if not path.is_file():
        raise CorpusError(f"{folder / 'manifest.csv'} names {row['file']!r}, which is not there; complete the corpus")
    try:
        duration_s = float(row.get("duration_s") or 0.0)
    except ValueError as error:
        raise CorpusError(f"duration_s of {path} is {row['duration_s']!r}; write seconds or nothing") from error
    return Clip(
        corpus=folder.name,
        path=path,
        speaker=f"{folder.name}/{row['speaker']}",
        sex=row.get("sex") or "",
        label=label,
        duration_s=duration_s,
        fingerprint=row.get("content_sha1") or file_sha1(path),
        session=row.get("session") or "",
        intensity=row.get("intensity") or "",
        transcript=row.get("transcript") or "",
    )
