from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.trajectory.smoothing import PRIOR_MASS, TIME_CONSTANT_S, Smoother, calibrate
from stream_ser.types import SAMPLE_RATE

A, B = (0.7, 0.1, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7)
HOP = SAMPLE_RATE // 4


def test_calibration_is_the_softmax_of_scaled_logits() -> None:
    expected = [math.exp(value / 2.0) for value in (1.0, 2.0, 3.0)]
    assert calibrate((1.0, 2.0, 3.0), 2.0) == pytest.approx([value / sum(expected) for value in expected])


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=8), st.floats(0.05, 20.0))
def test_calibrated_probabilities_sum_to_one(logits: list[float], temperature: float) -> None:
    assert math.fsum(calibrate(logits, temperature)) == pytest.approx(1.0)


def test_nothing_known_is_the_uniform_prior() -> None:
    assert Smoother(4).belief == (0.25,) * 4


def test_steady_speech_follows_the_time_constant() -> None:
    """After a change, the old class's share falls by 1/e in one time constant, up to the faint prior."""
    smoother = Smoother(4)
    for hop in range(1, 81):
        smoother.observe(hop * HOP - 2 * SAMPLE_RATE, hop * HOP, A)
    before, at = smoother.belief, 80
    for hop in range(at + 1, at + 1 + round(TIME_CONSTANT_S * 4)):
        smoother.observe(hop * HOP - 2 * SAMPLE_RATE, hop * HOP, B)
    target = (1.0 * B[0] + PRIOR_MASS * 0.25) / (1.0 + PRIOR_MASS)
    assert (smoother.belief[0] - target) / (before[0] - target) == pytest.approx(math.exp(-1.0), rel=1e-3)


@given(st.lists(st.booleans(), min_size=4, max_size=40))
def test_a_dropped_window_does_not_change_the_response(kept: list[bool]) -> None:
    """Whatever is dropped while the speech stays the same, the belief afterwards is the one of an unbroken run."""
    whole, holed = Smoother(4), Smoother(4)
    for hop, keep in enumerate([True, *kept, True], start=8):
        raw = A if hop < 10 else B
        whole.observe((hop - 8) * HOP, hop * HOP, raw)
        if keep or hop in (9, 10):  # the change itself is seen by both
            holed.observe((hop - 8) * HOP, hop * HOP, raw)
    assert holed.belief == pytest.approx(whole.belief, abs=1e-12)


def test_silence_returns_to_the_prior_and_the_next_words_count_at_once() -> None:
    smoother = Smoother(4)
    for hop in range(8, 40):
        smoother.observe((hop - 8) * HOP, hop * HOP, A)
    at = 40
    confidence = [max(smoother.belief)]
    for hop in range(at, at + 40):
        confidence.append(max(smoother.rest(hop * HOP)))
    assert confidence == sorted(confidence, reverse=True)
    assert confidence[-1] < 0.26
    fresh = smoother.observe((at + 32) * HOP, (at + 40) * HOP, B)
    assert fresh[3] > 0.6


def test_forgetting_starts_afresh() -> None:
    used, new = Smoother(4), Smoother(4)
    used.observe(0, 2 * SAMPLE_RATE, A)
    used.forget()
    assert used.belief == new.belief
    assert used.observe(10**9, 10**9 + 2 * SAMPLE_RATE, B) == new.observe(0, 2 * SAMPLE_RATE, B)


def test_dimensions_are_weighted_like_probabilities_but_have_no_prior() -> None:
    smoother = Smoother(4)
    assert smoother.dimensions is None
    smoother.observe(0, 2 * SAMPLE_RATE, A, (0.5, -3.0))
    assert smoother.dimensions == pytest.approx((0.5, -1.0)), "clipped, and nothing pulls towards zero"
    before = smoother.dimensions
    assert before is not None
    smoother.observe(HOP, 2 * SAMPLE_RATE + HOP, B, (-0.5, 1.0))
    weight, kept = -math.expm1(-HOP / SAMPLE_RATE), -math.expm1(-2.0) * math.exp(-HOP / SAMPLE_RATE)
    expected = [(kept * o + weight * n) / (kept + weight) for o, n in zip(before, (-0.5, 1.0), strict=True)]
    assert smoother.dimensions == pytest.approx(expected)


def test_after_a_silence_or_a_gap_new_dimensions_count_at_once() -> None:
    for pause in ("rest", "forget"):
        smoother = Smoother(4)
        smoother.observe(0, 2 * SAMPLE_RATE, A, (1.0,))
        smoother.rest(60 * SAMPLE_RATE) if pause == "rest" else smoother.forget()
        smoother.observe(58 * SAMPLE_RATE, 60 * SAMPLE_RATE + HOP, A, (-0.5,))
        assert smoother.dimensions == pytest.approx((-0.5,))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_dimensions_never_leave_their_range(values: list[float]) -> None:
    smoother = Smoother(4)
    for hop, value in enumerate(values, 8):
        smoother.observe((hop - 8) * HOP, hop * HOP, A, (value,))
        assert smoother.dimensions is not None
        assert -1.0 <= smoother.dimensions[0] <= 1.0
