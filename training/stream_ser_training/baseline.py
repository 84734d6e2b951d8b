"""What a support vector machine makes of a clip's statistics: the figure that a network must beat.

Kernel, its width and C are chosen on the validation speakers only; scaling is fitted on training clips only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.corpora import load
from stream_ser_training.evaluate import Indices, Probabilities, confusion_matrix, softmax, unweighted_accuracy
from stream_ser_training.functionals import Vector, features

LINEAR_C = (1e-3, 3e-3, 1e-2, 3e-2)
RBF_C = (1.0, 3.0, 10.0, 30.0)
RBF_WIDTHS = (0.1, 0.3, 1.0)  # times one over the number of features
TEMPERATURES = tuple(float(value) for value in np.geomspace(0.05, 5.0, 41))

_vectors: dict[str, Vector] = {}  # by fingerprint: folds share clips


class FoldOutcome(NamedTuple):
    """True and predicted label indices (N,) of the test clips, in their order, and probabilities (N, labels)."""

    truth: Indices
    predicted: Indices
    probabilities: Probabilities


def vectors(clips: Sequence[Clip]) -> npt.NDArray[np.float64]:
    """Features (N, D) of clips; each sound is computed once a process. Raises CorpusError for one that cannot be read."""
    for clip in clips:
        if clip.fingerprint not in _vectors:
            _vectors[clip.fingerprint] = features(load(clip))
    return np.stack([_vectors[clip.fingerprint] for clip in clips])


class Baseline:
    """Scaling and a support vector machine with one-against-rest scores. ``choice`` says which was taken."""

    choice: str

    def __init__(self, classes: int) -> None:
        """For labels 0 to ``classes`` − 1."""
        self.classes = classes
        self.temperature = 1.0

    def fit(
        self, train: npt.NDArray[np.float64], labels: Indices, held: npt.NDArray[np.float64], held_labels: Indices
    ) -> float:
        """Fit every candidate on ``train`` and keep the one with the best UA on ``held``, which is returned.

        Raises ValueError when a class has no training vector.
        """
        absent = sorted(set(range(self.classes)) - set(labels.tolist()))
        if absent:
            raise ValueError(f"no training clip of label {', '.join(map(str, absent))}; give every class a clip")
        settings = [{"kernel": "linear", "C": c} for c in LINEAR_C]
        settings += [{"kernel": "rbf", "C": c, "gamma": g / train.shape[1]} for g in RBF_WIDTHS for c in RBF_C]
        best = (-1.0, -np.inf)
        for setting in settings:
            machine = make_pipeline(StandardScaler(), SVC(class_weight="balanced", **setting)).fit(train, labels)
            scores = self._scores(machine, held)
            confusion = confusion_matrix(held_labels, scores.argmax(axis=1), self.classes)
            accuracy = unweighted_accuracy(confusion, confusion.sum(axis=1) > 0)  # one speaker has few clips of a class
            temperature, loss = _temperature(scores, held_labels)
            if (accuracy, -loss) > best:  # few held-out clips tie often; then the surer machine is the better one
                best, self._machine, self.temperature = (accuracy, -loss), machine, temperature
                self.choice = " ".join(f"{name}={value}" for name, value in setting.items())
        return best[0]

    def _scores(self, machine: Pipeline, given: npt.NDArray[np.float64]) -> Probabilities:
        scores: Probabilities = machine.decision_function(given)
        return np.column_stack([-scores, scores]) / 2.0 if self.classes == 2 else scores

    def probabilities(self, given: npt.NDArray[np.float64]) -> Probabilities:
        """Softmax (N, labels) of the scores, at the temperature that fits the validation clips best."""
        return softmax(self._scores(self._machine, given), self.temperature)


def _temperature(scores: Probabilities, labels: Indices) -> tuple[float, float]:
    """The temperature with the smallest mean log loss, and that loss."""
    rows = np.arange(len(labels))
    losses = [float(-np.log(softmax(scores, t)[rows, labels] + 1e-12).mean()) for t in TEMPERATURES]
    best = int(np.argmin(losses))
    return TEMPERATURES[best], losses[best]


def _indices(clips: Sequence[Clip], labels: Sequence[str]) -> Indices:
    for clip in clips:
        if clip.label not in labels:
            raise CorpusError(
                f"{clip.path} is labelled {clip.label!r}, the labels are {', '.join(labels)}; add it to them"
            )
    return np.array([labels.index(clip.label) for clip in clips], dtype=np.int64)


def evaluate_fold(
    train: Sequence[Clip], validation: Sequence[Clip], test: Sequence[Clip], labels: Sequence[str]
) -> FoldOutcome:
    """Fit on one fold's training clips, choose on its validation clips, and say what it makes of the test clips.

    Raises CorpusError for a clip that cannot be read or has another label, ValueError for a class without training clip.
    """
    machine = Baseline(len(labels))
    machine.fit(vectors(train), _indices(train, labels), vectors(validation), _indices(validation, labels))
    probabilities = machine.probabilities(vectors(test))
    return FoldOutcome(_indices(test, labels), probabilities.argmax(axis=1), probabilities)
