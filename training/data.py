"""Sound in memory and batches drawn from it, each class as often as every other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.augment import AugmentConfig, augment, change_speed
from training.corpora import Clip, CorpusError, Samples, load
from training.segments import active_range, training_window


@dataclass(frozen=True, slots=True)
class Utterance:
    """A clip with its samples, label index and active range."""

    clip: Clip
    samples: Samples
    label: int
    active: tuple[int, int]


def load_utterances(clips: Sequence[Clip], labels: list[str]) -> list[Utterance]:
    """Read every clip once. Raises CorpusError for an unreadable one and for a label outside ``labels``."""
    utterances = []
    for clip in clips:
        if clip.label not in labels:
            raise CorpusError(
                f"{clip.path} is labelled {clip.label!r}, the labels are {', '.join(labels)}; "
                "complete the recipe's labels or empty the clip's label in the manifest"
            )
        samples = load(clip)
        utterances.append(Utterance(clip, samples, labels.index(clip.label), active_range(samples)))
    return utterances


class BalancedSampler:
    """Draws utterances: class first, with equal chance; then corpus, by the root of its size; then a clip.

    Without it a corpus that holds two classes only would teach its room and microphone as those two emotions.
    """

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        """Group the utterances."""
        groups: dict[int, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
        for utterance in utterances:
            groups[utterance.label][utterance.clip.corpus].append(utterance)
        self._groups = [[groups[label][corpus] for corpus in sorted(groups[label])] for label in sorted(groups)]
        self._weights = []
        for corpora in self._groups:
            roots = np.sqrt([len(group) for group in corpora])
            self._weights.append(roots / roots.sum())

    def draw(self, rng: np.random.Generator) -> Utterance:
        """One utterance."""
        label = int(rng.integers(len(self._groups)))
        corpus = int(rng.choice(len(self._groups[label]), p=self._weights[label]))
        group = self._groups[label][corpus]
        return group[int(rng.integers(len(group)))]


def batches(
    sampler: BalancedSampler,
    noises: list[Samples],
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    draws: int,
    batch: int,
    length: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of augmented windows (batch, length) and their label indices (batch,)."""
    for _ in range(draws // batch):
        windows = np.empty((batch, length), dtype=np.float32)
        targets = np.empty(batch, dtype=np.int64)
        for row in range(batch):
            utterance = sampler.draw(rng)
            faster = change_speed(utterance.samples, config, rng)
            ratio = len(faster) / len(utterance.samples)
            active = (int(utterance.active[0] * ratio), int(utterance.active[1] * ratio))
            windows[row] = augment(training_window(faster, active, length, rng), noises, config, rng)
            targets[row] = utterance.label
        yield torch.from_numpy(windows), torch.from_numpy(targets)
