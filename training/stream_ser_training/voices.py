"""The caller's baseline in training and evaluation: what is known of a voice before each window.

In training a window gets a made-up history: other clips of the same voice, few or many, at times of one emotion or mostly
neutral. In evaluation each voice's clips, in a seeded order, are one causal stream: a window is asked with the windows
before it, exactly as the live system does (``stream_ser_models.frames`` has the formula).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from stream_ser_models.card import VOICE_CAP_S
from stream_ser_models.frames import FrameHead, Voice
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import NOBODY
from stream_ser_training.feature_cache import Places, Staged

MOST = 32  # clips in a made-up history
NEUTRAL = "neutral"
NEUTRAL_SHARE = 0.7
STREAMS = ("caller", "neutral", "one")  # all emotions in a random order; 70 % neutral; one emotion only
OVERLAP = 5  # windows of 2 s every 0.4 s: a window begins where the one so many before it ends
CHUNK = 4096  # rows whose voice vectors are taken at once

Vectors = npt.NDArray[np.float32]
History = tuple[Vectors, Vectors]  # totals (N, D) and seconds (N,)


def voice_vectors(head: FrameHead, staged: Staged) -> Vectors:
    """Voice vector (N, D) of every staged row (N, steps, D); kept beside the rows' file, where they lie in one."""
    probe = hashlib.sha256(head.speech.numpy().tobytes() + head.speech_bias.numpy().tobytes()).hexdigest()[:8]
    kept = staged.path.with_suffix(f".voices-{probe}.npy") if staged.path else None
    if kept is not None and kept.is_file():
        found: Vectors = np.load(kept, mmap_mode="r")
        return found
    parts = []
    with torch.inference_mode():
        for first in range(0, len(staged.rows), CHUNK):
            rows = torch.from_numpy(staged.rows[first : first + CHUNK].astype(np.float32))
            parts.append(head.voice_of(rows).numpy())
    vectors: Vectors = np.concatenate(parts)
    if kept is not None:
        partial = Path(f"{kept}.{os.getpid()}.part")
        with partial.open("wb") as handle:
            np.save(handle, vectors)
        os.replace(partial, kept)
    return vectors


def spoken_vectors(head: FrameHead, staged: Staged) -> Vectors:
    """What every row adds to its voice's sum (N, V), as the live system keeps it; the head's weights have a say in it."""
    if type(head).spoken is FrameHead.spoken:
        return voice_vectors(head, staged)
    parts = []
    with torch.inference_mode():
        for first in range(0, len(staged.rows), CHUNK):
            rows = torch.from_numpy(staged.rows[first : first + CHUNK].astype(np.float32))
            parts.append(head.spoken(rows).numpy())
    return np.concatenate(parts)


def speech_of(staged: Staged) -> Vectors:
    """Seconds of new speech in every row. Raises ValueError for rows that were staged without."""
    if staged.seconds is None:
        raise ValueError("these rows were staged without seconds of speech; stage them again")
    return staged.seconds


def as_voice(totals: Vectors, seconds: Vectors) -> Voice:
    """A history as a network takes it."""
    return Voice(torch.from_numpy(np.ascontiguousarray(totals)), torch.from_numpy(np.ascontiguousarray(seconds)))


class Histories:
    """Made-up histories for training rows: rows of the same voice and copy, so that they came over the same line."""

    def __init__(self, clips: Sequence[Clip], staged: Staged, vectors: Vectors) -> None:
        """Group the rows of clips, which all have equally many copies. Raises ValueError for rows without seconds."""
        self._means, self._seconds = vectors, speech_of(staged)
        groups: dict[str, list[tuple[str, Places]]] = {}
        for clip in clips:
            if clip.speaker not in NOBODY:
                groups.setdefault(clip.speaker, []).append((clip.label, staged.rows_of(clip)))
        self._rows = {who: np.stack([rows for _, rows in own]) for who, own in groups.items()}  # (clips, copies)
        self._labels = {who: np.array([label for label, _ in own]) for who, own in groups.items()}

    def _places(self, clip: Clip, row: int, rng: np.random.Generator) -> Places:
        """Rows of a history; none once in five times, and where nobody else is known to be the same voice."""
        none = np.zeros(0, dtype=np.int64)
        if clip.speaker not in self._rows or rng.random() < 0.2:
            return none
        rows, labels = self._rows[clip.speaker], self._labels[clip.speaker]
        copy = int(np.argmax((rows == row).any(axis=0)))
        others = rows[:, copy] != row
        count = int(np.exp(rng.uniform(0.0, np.log(MOST + 1))))
        chance, weights = rng.random(), others.astype(np.float64)
        if chance < 0.2:  # a voice that shows one emotion only: this one, or another
            shown = clip.label if rng.random() < 0.5 else str(rng.choice(np.unique(labels)))
            weights = weights * (labels == shown)
        elif chance < 0.4:
            weights = weights * _weights(labels)
        if not weights.any():
            return none
        found: Places = rng.choice(rows[:, copy], count, p=weights / weights.sum())
        return found

    def draw(self, clips: Sequence[Clip], rows: Places, rng: np.random.Generator) -> Voice:
        """A history for each row, which is one of its clip's."""
        totals = np.zeros((len(rows), self._means.shape[1]), dtype=np.float32)
        seconds = np.zeros(len(rows), dtype=np.float32)
        for place, (clip, row) in enumerate(zip(clips, rows, strict=True)):
            heard = self._places(clip, int(row), rng)
            if len(heard):
                spoken = self._seconds[heard]
                totals[place], seconds[place] = spoken @ self._means[heard], spoken.sum()
        return as_voice(totals, seconds)


def _weights(labels: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Weights with which 70 % of what is drawn is neutral, where there is both."""
    neutral = labels == NEUTRAL
    calm, other = neutral.sum(), (~neutral).sum()
    if not (calm and other):
        return np.ones(len(labels))
    weights: npt.NDArray[np.float64] = np.where(neutral, NEUTRAL_SHARE / calm, (1.0 - NEUTRAL_SHARE) / other)
    return weights


class _Running:
    """One stream's sums, as the live system keeps them."""

    def __init__(self, width: int) -> None:
        self.total, self.seconds = np.zeros(width, dtype=np.float32), np.float32(0.0)

    def add(self, vector: Vectors, seconds: float) -> None:
        self.total = self.total + np.float32(seconds) * vector
        self.seconds = np.float32(self.seconds + seconds)
        if self.seconds > VOICE_CAP_S:  # what is long past is forgotten
            share = np.float32(VOICE_CAP_S / self.seconds)
            self.total, self.seconds = self.total * share, np.float32(VOICE_CAP_S)


def stream_histories(clips: Sequence[Clip], staged: Staged, means: Vectors, kind: str, seed: int) -> dict[str, History]:
    """By fingerprint, what is known of the voice before each of a clip's windows, in streams of one of ``STREAMS``.

    ``means`` (N, D) are the rows' voice vectors.

    ``caller``: a voice's clips in a random order. ``one``: each emotion of a voice is a stream of its own. ``neutral``:
    before each clip as many others of that voice as in ``caller``, drawn so that 70 % are neutral.
    """
    if kind not in STREAMS:
        raise ValueError(f"stream {kind!r} is unknown; choose one of {', '.join(STREAMS)}")
    seconds = speech_of(staged)
    voices: dict[tuple[str, str], list[Clip]] = {}
    for clip in sorted(clips, key=lambda item: (item.speaker, item.fingerprint)):
        voices.setdefault((clip.speaker, clip.label if kind == "one" else ""), []).append(clip)
    found: dict[str, History] = {}
    for place, own in enumerate(voices.values()):
        rng = np.random.default_rng([seed, place])
        ordered = [own[k] for k in rng.permutation(len(own))]
        running = _Running(means.shape[1])
        for number, clip in enumerate(ordered):
            if kind == "neutral":
                running = _drawn(own, clip, number, staged, means, seconds, rng)
            if clip.speaker in NOBODY:
                running = _Running(means.shape[1])
            rows = staged.rows_of(clip)
            totals, known = np.empty((len(rows), means.shape[1]), dtype=np.float32), np.empty(len(rows), np.float32)
            counted = 0
            for window in range(len(rows)):
                ended = window - OVERLAP - (window + 1 == len(rows))  # a clip's last window begins a little early
                while counted <= ended:
                    running.add(means[rows[counted]], float(seconds[rows[counted]]))
                    counted += 1
                totals[window], known[window] = running.total, running.seconds
            for row in rows[counted:]:
                running.add(means[row], float(seconds[row]))
            found[clip.fingerprint] = totals, known
    return found


def _drawn(
    own: Sequence[Clip],
    clip: Clip,
    count: int,
    staged: Staged,
    means: Vectors,
    seconds: Vectors,
    rng: np.random.Generator,
) -> _Running:
    """The sums after ``count`` other clips of the same voice, 70 % of them neutral."""
    running = _Running(means.shape[1])
    others = [other for other in own if other.fingerprint != clip.fingerprint]
    if not others or not count:
        return running
    weights = _weights(np.array([other.label for other in others]))
    for place in rng.choice(len(others), count, p=weights / weights.sum()):
        rows = staged.rows_of(others[int(place)])
        spoken = seconds[rows]
        total = float(spoken.sum())
        if total > 0.0:
            running.add((spoken @ means[rows]) / np.float32(total), total)
    return running
