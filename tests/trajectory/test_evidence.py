"""The cumulative sum against a computation by hand, and what must hold for any sound."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.trajectory.evidence import FADE_S, ROOM, SMALLEST, Evidence
from stream_ser.types import SAMPLE_RATE, Probabilities

HOP = SAMPLE_RATE // 4
KNOWN_NOTHING = (0.25,) * 4
ANGRY, CALM = (0.7, 0.1, 0.1, 0.1), (0.1, 0.1, 0.7, 0.1)


def gather(evidence: Evidence, *windows: Probabilities, hop: int = HOP) -> float:
    at = 0
    for raw in windows:
        evidence.add(raw, raw[0], at, at + hop)
        at += hop
    return evidence.total


def test_two_windows_by_hand() -> None:
    evidence = Evidence([0], 4, 5.0)
    prior = math.log(0.25 / 0.75)
    first = 0.25 * (math.log(0.7 / 0.3) - prior)
    assert gather(evidence, ANGRY) == pytest.approx(first)
    second = first + 0.25 * (math.log(0.4 / 0.6) - prior)
    assert gather(evidence, (0.4, 0.2, 0.2, 0.2)) == pytest.approx(second)


def test_windows_that_know_nothing_say_nothing() -> None:
    assert gather(Evidence([0], 4, 5.0), *[KNOWN_NOTHING] * 100) == pytest.approx(0.0, abs=1e-9)
    assert gather(Evidence([0, 3], 4, 5.0), *[KNOWN_NOTHING] * 100) == pytest.approx(0.0, abs=1e-9)


def test_calm_speech_is_no_credit_and_long_anger_no_debt() -> None:
    evidence = Evidence([0], 4, 5.0)
    assert gather(evidence, *[CALM] * 1000) == 0.0
    assert gather(evidence, *[ANGRY] * 1000) == pytest.approx(5.0 + ROOM)
    per_hop = -0.25 * (math.log(0.1 / 0.9) - math.log(0.25 / 0.75))
    assert gather(evidence, *[CALM] * math.ceil((5.0 + ROOM) / per_hop)) == 0.0


def test_no_window_says_everything() -> None:
    most = math.log((1.0 - SMALLEST) / SMALLEST) - math.log(0.25 / 0.75)
    assert gather(Evidence([0], 4, 50.0), (1.0, 0.0, 0.0, 0.0)) == pytest.approx(0.25 * most)


def test_where_it_began_and_the_peak_since() -> None:
    evidence = Evidence([0], 4, 5.0)
    evidence.add(CALM, 0.9, 0, HOP)
    evidence.add(ANGRY, 0.3, HOP, 2 * HOP)
    evidence.add(ANGRY, 0.5, 2 * HOP, 3 * HOP)
    assert (evidence.start, evidence.peak) == (HOP, 0.5)


def test_silence_fades_and_clearing_forgets() -> None:
    evidence = Evidence([0], 4, 5.0)
    before = gather(evidence, *[ANGRY] * 4)
    evidence.rest(round(FADE_S * SAMPLE_RATE))
    assert evidence.total == pytest.approx(before / math.e)
    evidence.clear()
    assert evidence.total == 0.0


@pytest.mark.parametrize("hop", [HOP // 2, 2 * HOP, 4 * HOP])
def test_a_second_of_speech_counts_the_same_at_every_hop(hop: int) -> None:
    seconds = 2 * SAMPLE_RATE
    expected = gather(Evidence([0], 4, 50.0), *[ANGRY] * (seconds // HOP))
    assert gather(Evidence([0], 4, 50.0), *[ANGRY] * (seconds // hop), hop=hop) == pytest.approx(expected)


@given(st.lists(st.tuples(*[st.floats(0.0, 1.0) | st.just(math.nan)] * 4), max_size=60), st.floats(0.1, 20.0))
def test_whatever_comes_it_stays_within_its_bounds(windows: list[Probabilities], enough: float) -> None:
    evidence = Evidence([0, 2], 4, enough)
    for place, raw in enumerate(windows):
        total = evidence.add(raw, 0.5, place * HOP, (place + 1) * HOP)
        assert 0.0 <= total <= enough + ROOM
