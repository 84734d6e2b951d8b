"""Figures of stored predictions: what the report says of a record is computed here, from the record alone.

All of them are over utterances. UA is the mean recall over every class that occurs in the group, however few its clips;
cards count a class from ten clips on, which would leave most classes out of a fold of one speaker. Spreads are sample
standard deviations. Probabilities are stored with four decimals, which is what NLL and ECE rest on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from stream_ser_training.evaluate import (
    Indices,
    Probabilities,
    counted_classes,
    expected_calibration_error,
    unweighted_accuracy,
)
from stream_ser_training.records import Record

CROSS = "cross:"  # before the name of a corpus that no fold trained on
SMALLEST = 5e-5  # share taken for one that was rounded to zero
SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}


@dataclass(frozen=True, slots=True)
class Predictions:
    """Utterances of one or more records: true label indices (N,) and probabilities (N, labels), with who spoke."""

    labels: tuple[str, ...]
    speakers: npt.NDArray[np.str_]
    sexes: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    truth: Indices
    probabilities: Probabilities

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.truth)

    @property
    def predicted(self) -> Indices:
        """Index of the most probable label (N,); the first of equals."""
        chosen: Indices = self.probabilities.argmax(axis=1)
        return chosen

    def where(self, chosen: npt.NDArray[np.bool_]) -> Predictions:
        """The utterances that a mask (N,) chooses."""
        return Predictions(
            self.labels,
            self.speakers[chosen],
            self.sexes[chosen],
            self.groups[chosen],
            self.truth[chosen],
            self.probabilities[chosen],
        )

    def known(self) -> Predictions:
        """Those of corpora that the fold trained on, by other speakers."""
        return self.where(~np.char.startswith(self.groups, CROSS))

    def crossed(self) -> Predictions:
        """Those of corpora that the fold never trained on."""
        return self.where(np.char.startswith(self.groups, CROSS))


def predictions(records: Iterable[Record]) -> Predictions:
    """All test utterances of records with the same labels, in their order. Raises ValueError where labels differ."""
    records = list(records)
    labels = {tuple(record.labels) for record in records}
    if len(labels) != 1:
        raise ValueError(f"{len(labels)} sets of labels in {len(records)} records; pool records of one protocol")
    own = labels.pop()
    rows = [row for record in records for row in record.utterances]
    speakers, sexes, truth, groups, shares = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Predictions(
        own,
        np.array(speakers, dtype=np.str_),
        np.array([SEXES.get(str(sex).lower(), "unknown") for sex in sexes], dtype=np.str_),
        np.array(groups, dtype=np.str_),
        np.array(truth, dtype=np.int64),
        np.array(shares, dtype=np.float64).reshape(len(rows), len(own)),
    )


def weighted_accuracy(given: Predictions) -> float:
    """WA: share of utterances that are right."""
    return float(accuracy_score(given.truth, given.predicted))


def recalls(given: Predictions) -> dict[str, float]:
    """Recall of every class that occurs."""
    present = np.unique(given.truth)
    found = recall_score(given.truth, given.predicted, labels=present, average=None, zero_division=0.0)
    return {given.labels[place]: float(value) for place, value in zip(present, found, strict=True)}


def ua(given: Predictions) -> float:
    """UA: mean recall over the classes that occur."""
    return fmean(recalls(given).values())


def ua_of_counted(given: Predictions) -> float:
    """UA over classes with enough clips, the rule of the cards and of the stored figures over windows."""
    counts = confusion(given)
    return unweighted_accuracy(counts, counted_classes(counts.sum(axis=1)))


def confusion(given: Predictions) -> Indices:
    """Counts (labels, labels) of pairs (true, predicted)."""
    counts: Indices = confusion_matrix(given.truth, given.predicted, labels=range(len(given.labels)))
    return counts


def ece(given: Predictions) -> float:
    """Expected calibration error over utterances, 15 bins of equal width."""
    return expected_calibration_error(given.probabilities, given.truth)


def nll(given: Predictions) -> float:
    """Mean negative log-likelihood of the true labels, in nats."""
    shares = given.probabilities[np.arange(len(given)), given.truth]
    return float(-np.log(np.maximum(shares, SMALLEST)).mean())


def ua_by_sex(given: Predictions) -> dict[str, float]:
    """UA over the utterances of each sex."""
    return {str(sex): ua(given.where(given.sexes == sex)) for sex in np.unique(given.sexes)}


def wa_by_speaker(given: Predictions) -> dict[str, float]:
    """WA of each speaker: few clips of a class would make a speaker's UA a matter of luck."""
    return {str(who): weighted_accuracy(given.where(given.speakers == who)) for who in np.unique(given.speakers)}


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over folds, with its sample standard deviation where there are two or more."""

    mean: float
    sd: float | None
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation. Raises ValueError where there is no value."""
    if not values:
        raise ValueError("no value to take the mean of; check that the group has a record")
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))
