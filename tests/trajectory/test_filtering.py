"""The forward filter against a computation by hand, and what must hold for any sound."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.trajectory.filtering import FilterSettings, ForwardFilter
from stream_ser.types import SAMPLE_RATE, Probabilities

HOP = SAMPLE_RATE // 4
A, B = (0.7, 0.1, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7)
SETTINGS = FilterSettings(dwell_s=8.0, evidence=0.5, rest_s=3.0)

shares = st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).map(
    lambda v: tuple((x + 0.01) / (sum(v) + 0.03) for x in v)
)


def steady(raw: Probabilities, seconds: float, hop: int, filter_: ForwardFilter, after: float = 0.0) -> None:
    """``seconds`` of windows of two seconds that all say ``raw``, ``after`` what came before."""
    for place in range(1, round(seconds * SAMPLE_RATE / hop) + 1):
        end = round(after * SAMPLE_RATE) + place * hop
        filter_.observe(end - 2 * SAMPLE_RATE, end, raw)


def test_two_windows_by_hand() -> None:
    """The first stands for its two seconds, the second for the quarter that was new in it."""
    filter_ = ForwardFilter(2, SETTINGS)
    filter_.observe(0, 2 * SAMPLE_RATE, (0.8, 0.2))
    first = 0.8 / (0.8 + 0.2)  # two seconds at half a window each: to the power of one, on a uniform belief
    assert filter_.belief == pytest.approx((first, 1.0 - first))
    filter_.observe(HOP, 2 * SAMPLE_RATE + HOP, (0.3, 0.7))
    kept = math.exp(-0.25 / 8.0)
    drifted = kept * first + (1.0 - kept) * 0.5
    yes, no = drifted * 0.3**0.125, (1.0 - drifted) * 0.7**0.125
    assert filter_.belief == pytest.approx((yes / (yes + no), no / (yes + no)))


@given(st.lists(shares, min_size=1, max_size=30))
def test_belief_is_a_distribution(windows: list[Probabilities]) -> None:
    filter_ = ForwardFilter(3, SETTINGS)
    for place, raw in enumerate(windows):
        belief = filter_.observe(place * HOP, place * HOP + 2 * SAMPLE_RATE, raw)
        assert math.fsum(belief) == pytest.approx(1.0)
        assert all(value > 0.0 for value in belief)


@pytest.mark.parametrize("hop", [HOP // 2, HOP, 2 * HOP])
def test_a_second_of_speech_counts_the_same_at_every_hop(hop: int) -> None:
    filter_ = ForwardFilter(4, SETTINGS)
    steady(A, 4.0, hop, filter_)
    steady(B, 3.0, hop, filter_, after=4.0)
    other = ForwardFilter(4, SETTINGS)
    steady(A, 4.0, HOP, other)
    steady(B, 3.0, HOP, other, after=4.0)
    assert filter_.belief == pytest.approx(other.belief, abs=0.03)


def test_one_odd_window_turns_nothing_over_and_a_change_does() -> None:
    filter_ = ForwardFilter(4, SETTINGS)
    steady(A, 6.0, HOP, filter_)
    filter_.observe(0, 6 * SAMPLE_RATE + HOP, B)
    assert filter_.belief.index(max(filter_.belief)) == 0
    steady(B, 4.0, HOP, filter_, after=6.25)
    assert filter_.belief.index(max(filter_.belief)) == 3


def test_a_window_that_is_sure_rules_no_label_out_for_good() -> None:
    filter_ = ForwardFilter(2, SETTINGS)
    steady((1.0, 0.0), 30.0, HOP, filter_)
    steady((0.0, 1.0), 10.0, HOP, filter_, after=30.0)
    assert filter_.belief[1] > 0.9


def test_rest_fades_and_missing_sound_forgets() -> None:
    filter_ = ForwardFilter(4, SETTINGS)
    steady(A, 4.0, HOP, filter_)
    before = max(filter_.belief)
    filter_.rest(7 * SAMPLE_RATE)
    kept = math.exp(-3.0 / 3.0)
    assert max(filter_.belief) == pytest.approx(kept * before + (1.0 - kept) * 0.25)
    filter_.forget()
    assert filter_.belief == (0.25,) * 4
    assert filter_.rest(9 * SAMPLE_RATE) == (0.25,) * 4


def test_a_temperature_softens_what_is_told_and_nothing_else() -> None:
    plain, soft = ForwardFilter(4, SETTINGS), ForwardFilter(4, replace(SETTINGS, temperature=2.0))
    for each in (plain, soft):
        steady(A, 4.0, HOP, each)
    expected = [value**0.5 for value in plain.belief]
    assert soft.belief == pytest.approx([value / sum(expected) for value in expected])


def test_dimensions_are_smoothed_as_without_the_filter() -> None:
    filter_ = ForwardFilter(2, SETTINGS)
    assert filter_.dimensions is None
    filter_.observe(0, 2 * SAMPLE_RATE, (0.5, 0.5), (0.2, -3.0))
    assert filter_.dimensions == pytest.approx((0.2, -1.0))


@pytest.mark.parametrize("name", ["dwell_s", "evidence", "rest_s", "temperature"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_constants_that_mean_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        replace(SETTINGS, **{name: value})
