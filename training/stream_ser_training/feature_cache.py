"""Stage a corpus as compact features: every clip's augmented training windows and plain evaluation windows, once.

Networks of this size train faster than their sound can be decoded, changed and transformed. So each clip gets a fixed
number of augmented copies, put through the front end and kept at half precision; folds, seeds and depths share them.
What a copy looks like depends on the clip, the copy's number and the seed alone, not on which other clips are staged.
Rows stay tied to their clip: ``rows_of`` is the only way to get at them, so a copy cannot cross to another side.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from stream_ser_models.config import Config
from stream_ser_training.augment import AugmentConfig, augment, change_speed
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import Samples, load
from stream_ser_training.lines import HEARD, draw_line
from stream_ser_training.segments import (
    active_range,
    evaluation_windows,
    new_speech_seconds,
    peak_power,
    speech_seconds,
    training_window,
)

WARPS = 9  # different vocal-tract-length factors between the recipe's two bounds
LENGTH = 32_000
NEW = ("apart", "copies_of", "voice_speed")  # settings that files staged before them do not tell

Rows = npt.NDArray[np.float16]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StageConfig(Config):
    """How much to stage; a recipe's ``[stage]`` table."""

    copies: int = 8  # augmented training windows of each clip
    seed: int = 1
    vtlp: tuple[float, ...] = ()  # smallest and largest warp of the mel axis; none where empty
    noise: str = "esc10"  # corpus of background sounds; none where empty
    telephone: bool = False  # measure over a telephone line too
    whole: bool = False  # copies of every clip, whoever trains: then protocols of the same corpora share them
    apart: bool = False  # copies of each corpus in a file of its own, which protocols of other corpora share too
    copies_of: dict[str, int] = field(default_factory=dict)  # by corpus, where it is not ``copies``

    def copies_for(self, clip: Clip) -> int:
        """Augmented windows of one clip."""
        return self.copies_of.get(clip.corpus, self.copies)


@dataclass(frozen=True, slots=True)
class Staged:
    """Feature rows (N, ...) and, for each clip's fingerprint, which rows are its own.

    ``seconds`` (N,) is the speech that is new in each row: in an evaluation window what the window before it did not hold.
    ``path`` is the file that the rows lie in, where they lie in one.
    """

    rows: Rows
    places: dict[str, Places]
    seconds: npt.NDArray[np.float32] | None = None
    path: Path | None = None

    def rows_of(self, clip: Clip) -> Places:
        """Indices of the clip's rows."""
        return self.places[clip.fingerprint]


def by_corpus(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of each corpus apart, in the order in which they come."""
    found: dict[str, list[Clip]] = {}
    for clip in clips:
        found.setdefault(clip.corpus, []).append(clip)
    return list(found.values())


def joined(parts: Sequence[Staged]) -> Staged:
    """Several files' rows as one, in memory."""
    places: dict[str, Places] = {}
    first = 0
    for part in parts:
        places |= {name: rows + first for name, rows in part.places.items()}
        first += len(part.rows)
    seconds = [part.seconds for part in parts if part.seconds is not None]
    known = np.concatenate(seconds) if len(seconds) == len(parts) else None
    return Staged(np.concatenate([part.rows for part in parts]), places, known)


def _told(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Values without those of ``names`` that are not in use, by which older files are still known."""
    return {name: value for name, value in values.items() if value or name not in names}


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _own_number(clip: Clip) -> int:
    return _number(clip.fingerprint)


def _voice_speed(clip: Clip, copy: int, config: StageConfig, change: AugmentConfig) -> float:
    """How fast a voice speaks in all of one copy's clips; nothing else is drawn with it."""
    if not change.voice_speed:
        return 1.0
    rng = np.random.default_rng([config.seed, _number(clip.speaker), copy, 1])
    return 1.0 + float(rng.uniform(-change.voice_speed, change.voice_speed))


def _training_windows(
    clip: Clip, samples: Samples, noises: list[Samples], config: StageConfig, change: AugmentConfig
) -> tuple[Samples, list[int], list[float]]:
    """Augmented windows (copies, LENGTH) of one clip, the number of each one's warp, and its seconds of speech."""
    copies = config.copies_for(clip)
    windows = np.empty((copies, LENGTH), dtype=np.float32)
    warps, seconds = [], []
    peak = peak_power(samples)
    active = active_range(samples)
    for copy in range(copies):
        rng = np.random.default_rng([config.seed, _own_number(clip), copy])
        faster = change_speed(samples, change, rng, _voice_speed(clip, copy, config, change))
        ratio = len(faster) / len(samples)
        reach = (int(active[0] * ratio), int(active[1] * ratio))
        window = training_window(faster, reach, LENGTH, rng)
        seconds.append(speech_seconds(window, peak))
        if change.lines:  # the same copy of all clips of a voice goes through the same line, as one call does
            line = draw_line(change, np.random.default_rng([config.seed, _number(clip.speaker), copy]))
            windows[copy] = line.carry(window, noises, rng)
        else:
            windows[copy] = augment(window, noises, change, rng)
        warps.append(int(rng.integers(WARPS)))
    return windows, warps, seconds


class Stager:
    """Stages clips for one front end and keeps the result on disk under ``folder``, so that the next run finds it."""

    def __init__(self, frontend: nn.Module, folder: Path, config: StageConfig, change: AugmentConfig) -> None:
        self.frontend, self.folder, self.config, self.change = frontend, folder, config, change
        self._warped: list[nn.Module] = [frontend] * WARPS
        if config.vtlp:
            smallest, largest = config.vtlp
            warped: Any = frontend
            self._warped = [warped.warped(float(factor)) for factor in np.linspace(smallest, largest, WARPS)]

    @torch.inference_mode()
    def _features(self, windows: Samples, warps: Sequence[int] | None) -> Rows:
        if warps is None or not self.config.vtlp:
            chunks = [self.frontend(torch.from_numpy(windows[i : i + 16])) for i in range(0, len(windows), 16)]
            return np.asarray(torch.cat(chunks).half().numpy())
        rows = [self._warped[w](torch.from_numpy(windows[i : i + 1])) for i, w in enumerate(warps)]
        return np.asarray(torch.cat(rows).half().numpy())

    def _key(self, clips: Iterable[Clip], training: bool, heard: str) -> str:
        about: dict[str, Any] = {
            "frontend": f"{type(self.frontend).__name__} {getattr(self.frontend, 'config', '')}",
            "weights": self._weights(),
            "stage": _told(asdict(self.config), NEW) if training else None,
            "augment": _told(asdict(self.change), NEW) if training else None,
            "clips": [clip.fingerprint for clip in clips],
            "format": 2,
        }
        if heard:
            about["heard"] = heard
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]

    def stage(self, clips: Sequence[Clip], noises: list[Samples], *, training: bool, heard: str = "") -> Staged:
        """Rows of every clip: augmented copies for training, all plain 2 s windows (0.4 s hop) for evaluation.

        ``heard`` names one of ``lines.HEARD`` that every clip goes through before it is cut, for evaluation. Raises
        CorpusError for a clip that cannot be read.
        """
        unique = list({clip.fingerprint: clip for clip in clips}.values())
        if training and self.config.apart:
            return joined([self._stage(own, noises, training, heard) for own in by_corpus(unique)])
        return self._stage(unique, noises, training, heard)

    def _stage(self, unique: list[Clip], noises: list[Samples], training: bool, heard: str) -> Staged:
        """Rows of clips that are all different, from their file or into it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self._key(unique, training, heard)}.npy"
        index = path.with_suffix(".json")
        if not (path.is_file() and index.is_file()):
            self._write(path, index, unique, noises, training, heard)
        told = json.loads(index.read_text(encoding="utf-8"))
        counts, seconds = told["counts"], np.array(told["seconds"], dtype=np.float32)
        ends = np.cumsum(counts)
        places = {c.fingerprint: np.arange(e - n, e) for c, n, e in zip(unique, counts, ends, strict=True)}
        return Staged(np.load(path, mmap_mode="r"), places, seconds, path)

    def _weights(self) -> str:
        """Of a front end that was pre-trained, which weights it has."""
        digest = hashlib.sha256()
        for value in self.frontend.parameters():
            digest.update(value.detach().numpy().tobytes())
        return digest.hexdigest()

    def _write(
        self, path: Path, index: Path, clips: list[Clip], noises: list[Samples], training: bool, heard: str
    ) -> None:
        counts: list[int] = []
        seconds: list[float] = []
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        shape: tuple[int, ...] = ()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # one window is too little work for several: they would wait for each other
        try:
            with partial.open("wb") as handle:
                for clip in tqdm(clips, desc="staging", mininterval=10.0, disable=len(clips) < 50):
                    samples = load(clip)
                    if training:
                        windows, warps, speech = _training_windows(clip, samples, noises, self.config, self.change)
                        rows = self._features(windows, warps)
                    else:
                        speech = new_speech_seconds(samples)
                        rows = self._features(evaluation_windows(HEARD[heard](samples) if heard else samples), None)
                    if not counts:  # the header is as long for any count, so it can be written again at the end
                        shape = rows.shape[1:]
                        self._header(handle, 0, shape)
                    handle.write(np.ascontiguousarray(rows).tobytes())
                    counts.append(len(rows))
                    seconds += [round(value, 3) for value in speech]
                handle.seek(0)
                self._header(handle, sum(counts), shape)
            told = partial.with_suffix(".json")  # several processes may stage the same clips: none reads half a file
            told.write_text(json.dumps({"counts": counts, "seconds": seconds}), encoding="utf-8")
            os.replace(told, index)
            os.replace(partial, path)
        finally:
            torch.set_num_threads(threads)
            partial.unlink(missing_ok=True)

    @staticmethod
    def _header(handle: Any, count: int, shape: tuple[int, ...]) -> None:
        """Write a ``.npy`` header of 128 bytes, whatever the count."""
        text = repr({"descr": "<f2", "fortran_order": False, "shape": (count, *shape)})
        handle.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode("latin1") + b"\n")
