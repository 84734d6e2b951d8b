"""Read a corpus: a folder with ``manifest.csv`` and sound files.

A manifest has at least the columns ``file``, ``speaker`` and ``emotion4`` (angry, happy, neutral, sad or empty; the
caller may name another column); ``sex``, ``duration_s`` and ``content_sha1`` are used where present. Any speech that
someone holds can be described this way.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

SAMPLE_RATE = 16_000
Samples = npt.NDArray[np.float32]


class CorpusError(Exception):
    """A corpus that cannot be used as asked; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance and what is known of it. ``speaker`` is unique over all corpora."""

    corpus: str
    path: Path
    speaker: str
    sex: str
    label: str
    duration_s: float
    fingerprint: str  # equal for equal sound: such clips must stay on one side of a split
    session: str = ""  # recorded together; empty where the corpus has none
    intensity: str = ""  # as the corpus calls it: normal and strong, or a level


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """Licence and origin of a corpus, as the card repeats them."""

    licence: str
    credit: str
    non_commercial: bool


FACTS: dict[str, CorpusFacts] = {
    "ravdess": CorpusFacts("CC BY-NC-SA 4.0", "RAVDESS, Livingstone and Russo 2018", True),
    "emodb": CorpusFacts("CC BY 4.0", "Berlin Database of Emotional Speech, Burkhardt et al. 2005", False),
    "emovo": CorpusFacts("CC BY-NC-SA 4.0", "EMOVO, Costantini et al. 2014", True),
    "nemo": CorpusFacts("CC BY-NC-SA 4.0", "nEMO, Christop 2024", True),
    "crema_d": CorpusFacts("ODbL 1.0 and DbCL 1.0", "CREMA-D, Cao et al. 2014", False),
    "esc10": CorpusFacts("CC BY 3.0", "ESC-10, Piczak 2015", False),
}


def _file_sha1(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def read_manifest(folder: Path, label_column: str = "emotion4") -> list[Clip]:
    """Clips of one corpus that carry a label, in the manifest's order.

    Raises CorpusError when the manifest is missing or is not a table, lacks a column, or names a file that is not there.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise CorpusError(f"no manifest at {manifest}; give the folder that holds the corpora with --data")
    try:
        with manifest.open(newline="", encoding="utf-8") as handle:
            rows = csv.DictReader(handle)
            columns, table = rows.fieldnames or [], list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {manifest}: {error}; save it as CSV in UTF-8") from error
    missing = {"file", "speaker", label_column} - set(columns)
    if missing:
        has = ", ".join(columns) or "none"
        raise CorpusError(f"{manifest} has no column {', '.join(sorted(missing))}, it has {has}; add what is missing")
    clips = [_clip(folder, row, row[label_column]) for row in table if row[label_column]]
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
        fingerprint=row.get("content_sha1") or _file_sha1(path),
        session=row.get("session") or "",
        intensity=row.get("intensity") or "",
    )


def read_corpora(root: Path, names: list[str], label_column: str = "emotion4") -> list[Clip]:
    """Clips of several corpora that lie side by side under ``root``."""
    return [clip for name in names for clip in read_manifest(root / name, label_column)]


def load(clip: Clip) -> Samples:
    """Read the clip's samples, mono at 16 kHz in [-1, 1].

    Raises CorpusError when the file cannot be read, has another rate, or holds no sample or one that is not a number.
    """
    try:
        samples, rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise CorpusError(f"cannot read {clip.path}: {error}; replace the file or take its row out") from error
    if rate != SAMPLE_RATE:
        raise CorpusError(f"{clip.path} has {rate} Hz; convert the corpus to {SAMPLE_RATE} Hz first")
    if not len(samples):
        raise CorpusError(f"{clip.path} holds no sound; replace the file or take its row out")
    mono: Samples = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise CorpusError(f"{clip.path} holds samples that are not numbers; replace the file or take its row out")
    return mono
