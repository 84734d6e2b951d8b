"""Every figure by hand on cases small enough for a hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from stream_ser_training.clips import Clip
from stream_ser_training.corpora import Samples
from stream_ser_training.data import Utterance
from stream_ser_training.evaluate import (
    LEAST_CLIPS,
    Scored,
    confusion_matrix,
    expected_calibration_error,
    figures,
    figures_by_corpus,
    fit_temperature,
    score,
    selective,
    softmax,
    unweighted_accuracy,
    utterance_probabilities,
)

LABELS = ["angry", "calm"]


def clip(speaker: str = "1", corpus: str = "c") -> Clip:
    return Clip(corpus, Path("a.wav"), f"{corpus}/{speaker}", "", "angry", 1.0, "f")


def scored(label: int, *shares: float, speaker: str = "1", corpus: str = "c") -> Scored:
    """Two classes; each window gives class 0 the given probability."""
    rows = [[math.log(share), math.log(1.0 - share)] for share in shares]
    return Scored(clip(speaker, corpus), label, np.array(rows))


def test_softmax_by_hand() -> None:
    np.testing.assert_allclose(softmax(np.log([[1.0, 3.0], [2.0, 2.0]])), [[0.25, 0.75], [0.5, 0.5]])
    np.testing.assert_allclose(softmax(np.log([[1.0, 9.0]]), temperature=2.0), [[0.25, 0.75]])
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0]])), [[1.0, 0.0]])


def test_confusion_by_hand() -> None:
    counted = confusion_matrix(np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), 3)
    assert counted.tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]


def test_a_class_with_too_few_clips_does_not_count() -> None:
    assert LEAST_CLIPS == 10
    confusion = np.array([[8, 2, 0], [5, 5, 0], [9, 0, 0]])  # recalls 0.8, 0.5 and, of nine clips, 0
    assert unweighted_accuracy(confusion) == pytest.approx(0.65)
    confusion[2, 0] = 10
    assert unweighted_accuracy(confusion) == pytest.approx(1.3 / 3)


def test_where_no_class_has_enough_all_that_occur_count() -> None:
    assert unweighted_accuracy(np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])) == pytest.approx((0.75 + 0.5) / 2)


def test_calibration_error_by_hand() -> None:
    labels = np.zeros(4, dtype=np.int64)
    # Bin of 0.9: confidence 0.9, two right of three. Bin of 0.6: confidence 0.6, none right of one.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.4, 0.6]])
    expected = 0.75 * abs(2 / 3 - 0.9) + 0.25 * abs(0.0 - 0.6)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), labels[:1]) == 0.0  # the last bin is closed


def test_calibration_error_of_opposite_faults_in_one_bin_cancels_only_there() -> None:
    probabilities, labels = np.array([[0.95, 0.05], [0.55, 0.45]]), np.array([1, 0])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.5 * 0.95 + 0.5 * 0.45)
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(abs(0.5 - 0.75))


def test_temperature_of_a_known_overconfidence() -> None:
    # Three of four are right, so the best probability is 3/4: logit gap ln 3. The network says a gap of 2 ln 3.
    gap = 2.0 * math.log(3.0)
    clips = [Scored(clip(), 0, np.array([[gap, 0.0]]))] * 3 + [Scored(clip(), 1, np.array([[gap, 0.0]]))]
    assert fit_temperature(clips) == pytest.approx(2.0, rel=0.02)


def test_temperature_weighs_utterances_and_not_windows() -> None:
    right, wrong = np.array([[2.0, 0.0]]), np.array([[2.0, 0.0]])
    few = [Scored(clip(), 0, right)] * 3 + [Scored(clip(), 1, wrong)]
    many = [Scored(clip(), 0, right)] * 3 + [Scored(clip(), 1, np.repeat(wrong, 50, axis=0))]
    assert fit_temperature(many) == fit_temperature(few)


def test_temperature_stays_within_its_grid() -> None:
    assert fit_temperature([scored(0, 0.6)]) == pytest.approx(0.3)
    assert fit_temperature([scored(1, 0.6)]) == pytest.approx(5.0)


def test_an_utterance_is_the_mean_of_its_windows_probabilities() -> None:
    item = scored(0, 0.9, 0.3)
    np.testing.assert_allclose(utterance_probabilities([item]), [[0.6, 0.4]])
    # The mean of the logits would say another thing: √(0.9·0.3) : √(0.1·0.7) is 0.66 : 0.34.
    assert figures([item], LABELS)["WA"] == 1.0
    assert figures([item], LABELS)["UA_windows"] == 0.5


def test_all_figures_by_hand() -> None:
    items = [
        scored(0, 0.9, speaker="1"),
        scored(0, 0.8, 0.7, speaker="1"),
        scored(0, 0.4, speaker="2"),
        scored(1, 0.2, speaker="2"),
    ]
    assert figures(items, LABELS) == {
        "clips": 4,
        "speakers": 2,
        "clips_of_class": {"angry": 3, "calm": 1},
        "WA": 0.75,
        "UA": round((2 / 3 + 1) / 2, 4),
        "UA_windows": round((3 / 4 + 1) / 2, 4),
        "WA_sd_over_speakers": 0.25,  # 1 and 1/2
        "recall": {"angry": 0.6667, "calm": 1.0},
        "ECE_windows": round((0.1 + 0.2 + 0.3 + 0.6 + 0.2 - 2 * 0.2 + 2 * 0.2) / 5, 4),
        "confusion": [[2, 1], [0, 1]],
    }


def test_temperature_moves_confidence_and_no_decision_of_a_window() -> None:
    items = [scored(0, 0.9), scored(1, 0.8), scored(1, 0.1)]
    plain, cooled = figures(items, LABELS), figures(items, LABELS, temperature=3.0)
    assert plain["UA_windows"] == cooled["UA_windows"]
    assert plain["ECE_windows"] != cooled["ECE_windows"]


def test_a_class_that_does_not_occur_has_no_recall() -> None:
    assert figures([scored(0, 0.9)], LABELS)["recall"] == {"angry": 1.0}


def test_figures_stand_apart_by_corpus_and_together() -> None:
    items = [scored(0, 0.9, corpus="b"), scored(0, 0.2, corpus="a"), scored(1, 0.2, corpus="b")]
    told = figures_by_corpus(items, LABELS)
    assert list(told) == ["a", "b", "pooled"]
    assert [told[name]["WA"] for name in told] == [0.0, 1.0, 0.6667]
    assert [told[name]["clips"] for name in told] == [1, 2, 3]


def test_selective_figures_by_hand() -> None:
    items = [scored(0, 0.9, 0.55), scored(1, 0.7), scored(1, 0.1)]
    assert selective(items, 1.0, 0.6) == {
        "coverage": 0.75,
        "accuracy_where_labelled": 0.6667,
        "accuracy_everywhere": 0.75,
    }
    assert selective(items, 1.0, 0.99) == {
        "coverage": 0.0,
        "accuracy_where_labelled": 0.0,
        "accuracy_everywhere": 0.75,
    }


def first_samples(windows: Samples) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    first = windows[:, 0].astype(np.float64)
    return np.stack([first, windows[:, -1]], axis=1), np.stack([first, first + 1.0, first + 2.0], axis=1)


def test_scoring_shows_every_window() -> None:
    samples = np.arange(32_000 + 4 * 6_400, dtype=np.float32)
    utterance = Utterance(clip(), samples, 1, (0, len(samples)))
    (item,) = score([utterance], first_samples)
    assert (item.clip, item.label) == (utterance.clip, 1)
    assert item.logits[:, 0].tolist() == [0.0, 6_400.0, 12_800.0, 19_200.0, 25_600.0]
    assert item.dimensions is not None
    assert item.dimensions[:, 2].tolist() == [2.0, 6_402.0, 12_802.0, 19_202.0, 25_602.0]
