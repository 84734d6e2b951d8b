"""Batches drawn from staged features, each class as often as every other, the same for the same seed and step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stream_ser_models.frames import Voice
from stream_ser_training.augment import AugmentConfig
from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.corpora import Samples, load
from stream_ser_training.feature_cache import Staged
from stream_ser_training.segments import active_range
from stream_ser_training.splits import Split, refuse_leak
from stream_ser_training.targets import DIMENSIONS
from stream_ser_training.voices import Histories, Vectors


@dataclass(frozen=True, slots=True)
class Utterance:
    """A clip with its samples, label index and active range."""

    clip: Clip
    samples: Samples
    label: int
    active: tuple[int, int]


def label_index(clip: Clip, labels: Sequence[str]) -> int:
    """The clip's label as a number. Raises CorpusError for a label outside ``labels``."""
    if clip.label not in labels:
        raise CorpusError(
            f"{clip.path} is labelled {clip.label!r}, the labels are {', '.join(labels)}; "
            "complete the protocol's labels or empty the clip's label in the manifest"
        )
    return list(labels).index(clip.label)


def load_utterances(clips: Sequence[Clip], labels: Sequence[str]) -> list[Utterance]:
    """Read every clip once. Raises CorpusError for an unreadable one and for a label outside ``labels``."""
    utterances = []
    for clip in clips:
        label, samples = label_index(clip, labels), load(clip)
        utterances.append(Utterance(clip, samples, label, active_range(samples)))
    return utterances


class BalancedSampler:
    """Draws clips: class first, with equal chance; then corpus, by the root of its size; then a clip.

    Without it a corpus that holds two classes only would teach its room and microphone as those two emotions. With
    ``answers``, by corpus the labels that it decides between, clips of that corpus with other labels are never drawn.
    """

    def __init__(
        self, clips: Sequence[Clip], labels: Sequence[str], answers: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Group the clips. Raises CorpusError for a label outside ``labels``."""
        groups: dict[int, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for clip in clips:
            if clip.label in (answers or {}).get(clip.corpus, (clip.label,)):
                groups[label_index(clip, labels)][clip.corpus].append(clip)
        self._labels = sorted(groups)
        self._groups = [[groups[label][corpus] for corpus in sorted(groups[label])] for label in self._labels]
        self._weights = []
        for corpora in self._groups:
            roots = np.sqrt([len(group) for group in corpora])
            self._weights.append(roots / roots.sum())

    def draw(self, rng: np.random.Generator) -> tuple[Clip, int]:
        """One clip and its label index."""
        place = int(rng.integers(len(self._groups)))
        corpus = int(rng.choice(len(self._groups[place]), p=self._weights[place]))
        group = self._groups[place][corpus]
        return group[int(rng.integers(len(group)))], self._labels[place]


class CellSampler(BalancedSampler):
    """Draws clips so that every cell of a corpus and a class that it holds comes equally often."""

    def draw(self, rng: np.random.Generator) -> tuple[Clip, int]:
        """One clip and its label index."""
        sizes = [len(corpora) for corpora in self._groups]
        cell = int(rng.integers(sum(sizes)))
        place = int(np.searchsorted(np.cumsum(sizes), cell, side="right"))
        group = self._groups[place][cell - sum(sizes[:place])]
        return group[int(rng.integers(len(group)))], self._labels[place]


def mask_picture(features: Tensor, config: AugmentConfig, rng: np.random.Generator) -> Tensor:
    """Blank two bands and one stretch of time in each picture (B, 1, F, T): SpecAugment, Park et al. 2019.

    Blanked cells take the picture's own mean. Features of another shape come back as they are.
    """
    if features.ndim != 4 or features.shape[2] < 2:
        return features
    batch, _, rows, columns = features.shape
    fill = features.mean(dim=(1, 2, 3))
    band, stretch = min(config.frequency_mask, rows - 1), min(config.time_mask, columns - 1)
    for item in range(batch):
        for _ in range(2):
            width = int(rng.integers(band + 1))
            low = int(rng.integers(rows - width + 1))
            features[item, :, low : low + width] = fill[item]
        width = int(rng.integers(stretch + 1))
        low = int(rng.integers(columns - width + 1))
        features[item, :, :, low : low + width] = fill[item]
    return features


class Batch(NamedTuple):
    """What one step learns from."""

    features: Tensor  # (B, ...)
    targets: Tensor  # (B, labels), each row sums to one
    ratings: Tensor  # (B, 3): activation, valence, dominance; NaN where unknown
    allowed: Tensor | None = None  # (B, labels): the answers that each window decides between, where not all
    voice: Voice | None = None  # what is known of each window's voice, for heads on an encoder


class Batches:
    """Training batches of one split.

    ``at(step)`` depends on the seed and the step alone, so a run that goes on after a kill sees what it would have seen.
    Raises LeakError where the staged rows of a training clip also belong to a held-out one.
    """

    def __init__(
        self,
        split: Split,
        staged: Staged,
        labels: Sequence[str],
        config: AugmentConfig,
        *,
        batch: int,
        mixup: float = 0.0,
        cells: bool = False,
        answers: Mapping[str, Sequence[str]] | None = None,
        voices: Vectors | None = None,
        pairs: bool = False,
    ) -> None:
        """``cells`` draws every corpus and class alike; ``answers`` says by corpus what it decides between.

        With ``pairs`` the second half of a batch are other copies of the clips of its first half, in the same order.

        With ``voices``, the rows' voice vectors, every window gets a made-up history of its own voice, from training clips.
        """
        refuse_leak(split.train, (*split.validation, *split.test))
        self._sampler = (CellSampler if cells else BalancedSampler)(split.train, labels, answers)
        self._histories = Histories(split.train, staged, voices) if voices is not None else None
        self._allowed = {
            corpus: torch.tensor([label in own for label in labels]) for corpus, own in (answers or {}).items()
        }
        self._staged, self._classes, self._pairs = staged, len(labels), pairs
        self._config, self._batch, self._mixup = config, batch, mixup

    def at(self, step: int, seed: int, rank: int = 0, columns: int | None = None) -> Batch:
        """The batch of one step; ``columns`` keeps a random stretch of that width of every picture."""
        rng = np.random.default_rng([seed, step, rank])
        places = np.empty(self._batch, dtype=np.int64)
        labels = np.empty(self._batch, dtype=np.int64)
        ratings = torch.full((self._batch, len(DIMENSIONS)), torch.nan)
        allowed = torch.ones(self._batch, self._classes, dtype=torch.bool) if self._allowed else None
        clips: list[Clip] = []
        for row in range(self._batch):
            twin = row - self._batch // 2 if self._pairs and row >= self._batch // 2 else None
            clip, labels[row] = self._sampler.draw(rng) if twin is None else (clips[twin], labels[twin])
            clips.append(clip)
            if allowed is not None and clip.corpus in self._allowed:
                allowed[row] = self._allowed[clip.corpus]
            rows = self._staged.rows_of(clip)
            if twin is not None and len(rows) > 1:
                rows = rows[rows != places[twin]]
            places[row] = rng.choice(rows)
            if clip.dimensions is not None:
                ratings[row] = torch.tensor(clip.dimensions)
        features = torch.from_numpy(self._staged.rows[places].astype(np.float32))
        targets = torch.nn.functional.one_hot(torch.from_numpy(labels), self._classes).float()
        if columns is not None and columns < features.shape[-1]:
            first = int(rng.integers(features.shape[-1] - columns + 1))
            features = features[..., first : first + columns].clone()
        if self._mixup:
            share, order = self._shares(rng), torch.from_numpy(rng.permutation(self._batch))
            wide = share.reshape(-1, *[1] * (features.ndim - 1))
            features = wide * features + (1.0 - wide) * features[order]
            targets = share.reshape(-1, 1) * targets + (1.0 - share.reshape(-1, 1)) * targets[order]
            ratings = share.reshape(-1, 1) * ratings + (1.0 - share.reshape(-1, 1)) * ratings[order]
        voice = self._histories.draw(clips, places, rng) if self._histories is not None else None
        return Batch(mask_picture(features, self._config, rng), targets, ratings, allowed, voice)

    def _shares(self, rng: np.random.Generator) -> Tensor:
        """How much of itself each window keeps: at least half, so that the order of a pair does not matter."""
        drawn: npt.NDArray[np.float64] = rng.beta(self._mixup, self._mixup, self._batch)
        return torch.from_numpy(np.maximum(drawn, 1.0 - drawn).astype(np.float32))
