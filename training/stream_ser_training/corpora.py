"""Corpora by name: their licences, their clips (``clips``, or a reader of their own layout), their sound."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from stream_ser_models.card import SAMPLE_RATE as SAMPLE_RATE
from stream_ser_training.clips import Clip, CorpusError, file_sha1, read_table

Samples = npt.NDArray[np.float32]


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
    "baved": CorpusFacts("CC BY 4.0", "BAVED, Basic Arabic Vocal Emotions Dataset, Aouf 2019", False),
    "kathleen": CorpusFacts("CC0 1.0", "kathleen, read prompts of one speaker", False),
    "emotiontts": CorpusFacts("CC BY-NC-SA 4.0, research", "EmotionTTS, acted Korean sentences", True),
    "emospeech": CorpusFacts("CC BY-NC-SA 4.0", "EmoSpeech, single words on crowd workers' own microphones", True),
    "emogator": CorpusFacts("Apache-2.0", "EmoGator, non-speech vocal bursts, Buhl 2023", False),
    "deeply_nonverbal": CorpusFacts("CC BY-NC-ND 4.0", "Deeply vocalizations, non-verbal sounds of people", True),
    "donateacry": CorpusFacts("ODbL 1.0 and DbCL 1.0", "donateacry corpus, infants' cries", False),
    "goemotions": CorpusFacts("Apache-2.0", "GoEmotions, Demszky et al. 2020", False),
    "librispeech": CorpusFacts("CC BY 4.0", "LibriSpeech, Panayotov et al. 2015", False),
    "iemocap": CorpusFacts("IEMOCAP data release agreement, research only", "IEMOCAP, Busso et al. 2008", True),
    "msp_podcast": CorpusFacts(
        "MSP-Podcast academic licence, research only", "MSP-Podcast, Lotfian and Busso 2019", True
    ),
}

# Speakers under whose name clips of people who are unknown are filed: no voice of anybody's, so no history is made of them.
NOBODY = frozenset({"emospeech/d14a028c2a3a"})


def read_corpora(root: Path, names: list[str], label_column: str = "emotion4") -> list[Clip]:
    """Clips of several corpora that lie side by side under ``root``, each by its manifest or its own layout."""
    from stream_ser_training.readers import read_corpus  # here, because readers are built on this module

    return [clip for name in names for clip in read_corpus(root, name, label_column)]


def load(clip: Clip) -> Samples:
    """Read the clip's samples, mono at 16 kHz in [-1, 1], resampled where the file has another rate.

    Raises CorpusError when the file cannot be read, or holds no sample or one that is not a number.
    """
    try:
        samples, rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise CorpusError(f"cannot read {clip.path}: {error}; replace the file or take its row out") from error
    mono: Samples = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise CorpusError(f"{clip.path} holds samples that are not numbers; replace the file or take its row out")
    if rate < 1:
        raise CorpusError(f"{clip.path} has {rate} Hz; convert the corpus to {SAMPLE_RATE} Hz first")
    if rate != SAMPLE_RATE:
        mono = np.clip(soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ"), -1.0, 1.0)
    if not len(mono):
        raise CorpusError(f"{clip.path} holds no sound; replace the file or take its row out")
    return mono


def verify(folder: Path) -> list[str]:
    """What is wrong with a corpus's files, by name; nothing where all is well.

    Every file of ``manifest.csv`` must be there, be readable, and be as long as ``duration_s`` says. ``content_sha1``
    may be that of the file or, in a converted corpus, that of the recording before conversion, which says nothing of
    the file: where it fits no file at all, the one line that says so stands for all files. A full copy of WAV files is
    held against ``sha256_wav.csv``. Raises CorpusError when the manifest cannot be read.
    """
    manifest = folder / "manifest.csv"
    columns, table = read_table(manifest)
    if "file" not in columns:
        raise CorpusError(f"{manifest} has no column file, it has {', '.join(columns) or 'none'}; add what is missing")
    problems: list[str] = []
    unlike: list[str] = []
    like = 0
    for row in table:
        path = folder / (row["file"] or "")
        if not path.is_file():
            problems.append(f"{path} is missing")
            continue
        problems += _sound_problems(path, row.get("duration_s") or "")
        if row.get("content_sha1"):
            same = file_sha1(path) == row["content_sha1"]
            like += same
            if not same:
                unlike.append(f"{path} has changed: its SHA-1 is not the manifest's {row['content_sha1']}")
    if like:
        problems += unlike
    elif unlike:
        problems.append(
            f"{manifest}: content_sha1 is that of no file ({len(unlike)} compared): the files were converted after it was "
            "taken, or all have changed; only presence, readability and length could be checked"
        )
    return problems + _full_copy_problems(folder)


def _sound_problems(path: Path, duration: str, tolerance_s: float = 0.05) -> list[str]:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        return [f"{path} cannot be read: {error}"]
    try:
        off = abs(len(samples) / rate - float(duration)) > tolerance_s if duration else not len(samples)
    except ValueError:
        return [f"duration_s of {path} is {duration!r}, not a number"]
    return [f"{path} lasts {len(samples) / rate:.3f} s, not {duration or 'any time'}"] if off else []


def _full_copy_problems(folder: Path) -> list[str]:
    """Differences between the WAV files of a full copy and ``sha256_wav.csv``, where both are there."""
    sums = folder / "sha256_wav.csv"
    home = next((place for place in (folder / "AudioWAV", folder / "audio", folder) if any(place.glob("*.wav"))), None)
    if home is None or not sums.is_file():
        return []
    columns, table = read_table(sums)
    if not {"file", "sha256"} <= set(columns):
        raise CorpusError(f"{sums} has columns {', '.join(columns) or 'none'}; it needs file and sha256")
    problems = []
    for row in table:
        path = home / row["file"]
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            problems.append(f"{path} has changed: its SHA-256 is not that of sha256_wav.csv")
    return problems
