"""Figures of streams whose every error is known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.streaming.compose import Stretch, truth_at
from stream_ser_training.streaming.figures import Shown, Tally, joined, rounded, runs_of, selective, summed, told

HOP = SAMPLE_RATE // 4
N = -1


def seconds(start: float, end: float, label: int) -> Stretch:
    return Stretch(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE), label)


def shown(labels: list[int], sure: float = 0.7) -> Shown:
    """Points every quarter second from 0.25 s on."""
    probabilities = np.full((len(labels), 3), 1.0 / 3.0)
    for place, label in enumerate(labels):
        if label >= 0:
            probabilities[place] = (1.0 - sure) / 2.0
            probabilities[place, label] = sure
    ends = np.arange(1, len(labels) + 1) * HOP
    return Shown(ends, np.array(labels), probabilities, np.array(labels) >= 0)


def figures(labels: list[int], *stretches: Stretch) -> dict[str, float]:
    tally = Tally(3)
    tally.add(shown(labels), stretches, len(labels) * HOP)
    return told(tally)


def test_every_kind_of_error_is_counted_against_spoken_time() -> None:
    """8 points of speech: 4 right, 2 wrong, 2 missed; 3 shown where nobody spoke."""
    labels = [N, N, 0, 0, 0, 0, 1, 1, N, N, 1, 1, 1, N]
    found = figures(labels, seconds(0.5, 2.5, 0))
    assert found["confusion"] == pytest.approx(2 / 8)
    assert found["miss"] == pytest.approx(2 / 8)
    assert found["false_alarm"] == pytest.approx(3 / 8)
    assert found["EDER"] == pytest.approx(7 / 8)
    assert found["UA"] == pytest.approx(4 / 6)


def test_a_perfect_stream_has_no_error() -> None:
    found = figures([0] * 8 + [1] * 8, seconds(0.0, 2.0, 0), seconds(2.0, 4.0, 1))
    assert found["EDER"] == 0.0
    assert found["UA"] == found["accuracy"] == 1.0
    assert found["delay_p50"] == pytest.approx(0.5)  # the second point that shows it
    assert (found["unnoticed"], found["false_runs_an_hour"], found["reversals_an_hour"]) == (0.0, 0.0, 0.0)
    assert found["changes_a_minute"] == found["true_changes_a_minute"] == pytest.approx(60.0 / 4.0)


def test_a_change_is_noticed_late_or_never() -> None:
    late = figures([0] * 8 + [0, 0, 0, 0, 1, 1, 1, 1], seconds(0.0, 2.0, 0), seconds(2.0, 4.0, 1))
    assert late["delay_p50"] == pytest.approx(1.5)
    never = figures([0] * 16, seconds(0.0, 2.0, 0), seconds(2.0, 4.0, 1))
    assert never["unnoticed"] == 1.0
    assert never["delay_p90"] == math.inf


def test_one_point_alone_notices_nothing() -> None:
    found = figures([0] * 8 + [1, 0, 1, 0, 1, 0, 1, 0], seconds(0.0, 2.0, 0), seconds(2.0, 4.0, 1))
    assert found["unnoticed"] == 1.0


def test_a_flicker_is_a_reversal_and_a_held_one_a_false_run() -> None:
    flicker = [0] * 12 + [1] + [0] * 12
    found = figures(flicker, seconds(0.0, 6.25, 0))
    hours = 25 * 0.25 / 3600
    assert found["reversals_an_hour"] == pytest.approx(1 / hours)
    assert found["false_runs_an_hour"] == 0.0
    held = figures([0] * 12 + [1, 1] + [0] * 12, seconds(0.0, 6.5, 0))
    assert held["false_runs_an_hour"] == pytest.approx(1 / (26 * 0.25 / 3600))


def test_what_lags_behind_a_change_is_no_false_run() -> None:
    found = figures([0] * 12 + [1] * 8, seconds(0.0, 2.0, 0), seconds(2.0, 5.0, 1))
    assert found["confusion"] > 0.0
    assert found["false_runs_an_hour"] == 0.0


def test_streams_add_up() -> None:
    tally = Tally(3)
    for labels in ([0] * 8, [1] * 8):
        tally.add(shown(labels), [seconds(0.0, 2.0, 0)], 8 * HOP)
    assert told(tally)["confusion"] == pytest.approx(0.5)


def test_confidence_orders_what_is_covered() -> None:
    truth = np.array([0, 0, 1, 1, 0])
    believed = np.array([[0.9, 0.1], [0.8, 0.2], [0.45, 0.55], [0.6, 0.4], [0.48, 0.52]])
    assert selective(truth, believed, 1.0) == pytest.approx(3 / 5)
    assert selective(truth, believed, 0.4) == 1.0
    assert selective(truth, believed, 0.6) == pytest.approx(2 / 3)


def test_calibration_error_of_what_is_as_sure_as_right() -> None:
    labels = [0] * 10
    tally = Tally(3)
    tally.add(shown(labels, sure=1.0), [seconds(0.0, 2.5, 0)], 10 * HOP)
    assert told(tally)["ECE"] == pytest.approx(0.0)


def test_truth_and_runs() -> None:
    stretches = (seconds(0.0, 1.0, 2), seconds(1.5, 2.0, 2), seconds(3.0, 4.0, 0))
    places = np.array([0, SAMPLE_RATE, round(1.6 * SAMPLE_RATE), 4 * SAMPLE_RATE])
    assert truth_at(stretches, places).tolist() == [2, -1, 2, -1]
    assert joined(stretches) == [seconds(0.0, 2.0, 2), seconds(3.0, 4.0, 0)]
    assert [label for label, _ in runs_of(shown([0, N, 0, 1, N, 0]))] == [0, 1, 0]


def test_tallies_of_streams_add_up_to_the_tally_of_all() -> None:
    streams = [
        ([0] * 8 + [1] * 8, seconds(0.0, 4.0, 0)),
        ([1, N, 2, 2], seconds(0.0, 1.0, 2)),
        ([0, 1], seconds(0.0, 0.5, 1)),
    ]
    parts, whole = [], Tally(3)
    for labels, own in streams:
        parts.append(Tally(3))
        for tally in (parts[-1], whole):
            tally.add(shown(labels), [own], len(labels) * HOP)
    before = told(parts[0])
    assert told(summed(parts)) == told(whole)
    assert told(parts[0]) == before, "the parts stay as they were"


def test_what_is_beyond_all_bounds_is_told_as_nothing() -> None:
    assert rounded({"a": 0.123456, "b": math.inf, "c": math.nan}) == {"a": 0.1235, "b": None, "c": None}
