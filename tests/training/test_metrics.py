from __future__ import annotations

import math

import pytest

from stream_ser_training.metrics import (
    confusion,
    ece,
    nll,
    predictions,
    recalls,
    spread,
    ua,
    ua_by_sex,
    ua_of_counted,
    wa_by_speaker,
    weighted_accuracy,
)
from tests.training.made_up import record

# Class 0: two of three right; class 1: one of one; class 2: none of two; class 3 does not occur.
ANSWERS = [
    ("one/a", "F", 0, "one", 0),
    ("one/a", "F", 0, "one", 0),
    ("one/b", "M", 0, "one", 3),
    ("one/b", "M", 1, "one", 1),
    ("one/a", "F", 2, "one", 0),
    ("one/b", "", 2, "one", 1),
]
FAR = [("two/c", "F", 3, "cross:two", 3), ("two/c", "F", 1, "cross:two", 0)]


def test_figures_by_hand() -> None:
    given = predictions([record(ANSWERS)])
    assert weighted_accuracy(given) == pytest.approx(3 / 6)
    assert recalls(given) == {"angry": pytest.approx(2 / 3), "happy": 1.0, "neutral": 0.0}
    assert ua(given) == pytest.approx((2 / 3 + 1.0 + 0.0) / 3)
    assert confusion(given).tolist() == [[2, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert ece(given) == pytest.approx(0.7 - 0.5)  # every answer has 0.7, half are right
    assert nll(given) == pytest.approx(-(3 * math.log(0.7) + 3 * math.log(0.1)) / 6)


def test_a_share_rounded_to_zero_costs_a_finite_likelihood() -> None:
    rows = [["one/a", "F", 0, "one", [0.0, 1.0, 0.0, 0.0]]]
    assert nll(predictions([record(utterances=rows)])) == pytest.approx(-math.log(5e-5))


def test_sexes_and_speakers_apart() -> None:
    given = predictions([record(ANSWERS)])
    assert ua_by_sex(given) == {"female": pytest.approx(0.5), "male": pytest.approx(0.5), "unknown": 0.0}
    assert wa_by_speaker(given) == {"one/a": pytest.approx(2 / 3), "one/b": pytest.approx(1 / 3)}


def test_corpora_nobody_trained_on_stand_apart() -> None:
    given = predictions([record([*ANSWERS, *FAR])])
    assert len(given.known()) == len(ANSWERS)
    assert len(given.crossed()) == len(FAR)
    assert ua(given.crossed()) == pytest.approx(0.5)


def test_cards_leave_small_classes_out_and_this_does_not() -> None:
    many = [("one/a", "F", 0, "one", 0)] * 10 + [("one/a", "F", 1, "one", 0)] * 2
    given = predictions([record(many)])
    assert ua(given) == pytest.approx(0.5)
    assert ua_of_counted(given) == 1.0


def test_records_are_pooled_only_with_the_same_labels() -> None:
    assert len(predictions([record(ANSWERS), record(ANSWERS, seed=2)])) == 2 * len(ANSWERS)
    with pytest.raises(ValueError, match="2 sets of labels"):
        predictions([record(ANSWERS), record(labels=["angry", "sad"])])


def test_spread() -> None:
    assert spread([1.0, 2.0, 3.0]).sd == pytest.approx(1.0)
    assert spread([0.5]).sd is None
    with pytest.raises(ValueError, match="no value"):
        spread([])
