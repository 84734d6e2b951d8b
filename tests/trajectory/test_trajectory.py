from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_ser.trajectory.trajectory import Calibration, TrajectoryBuilder
from stream_ser.types import Hop, Observation, Timing, Window, Word

LABELS = ("angry", "happy", "neutral", "sad")
WINDOW = 32_000
ASKED = Window("s", 0, WINDOW, np.zeros(WINDOW, dtype=np.float32))
HEARD = Hop("s", 0, WINDOW, WINDOW, 20_000, True, -30.0, -20.0, ASKED, completed_ns=5)


def trajectory() -> TrajectoryBuilder:
    return TrajectoryBuilder(Calibration(LABELS, WINDOW, temperature=1.0, abstain_below=0.5))


def said(hop: Hop, *logits: float) -> Observation:
    return Observation(hop.stream, hop.start, hop.end, logits, None, Timing(5, 6, 7))


def test_a_confident_window_gets_a_label() -> None:
    point = trajectory().advance(HEARD, said(HEARD, 0.0, 4.0, 0.0, 0.0))
    assert (point.state, point.label) == ("speech", "happy")
    assert point.confidence == max(point.smoothed)
    assert point.raw is not None
    assert sum(point.raw) == pytest.approx(1.0)
    assert sum(point.smoothed) == pytest.approx(1.0)
    assert point.timing == Timing(5, 6, 7)


def test_an_undecided_window_abstains() -> None:
    point = trajectory().advance(HEARD, said(HEARD, 0.1, 0.0, 0.0, 0.0))
    assert (point.state, point.label) == ("uncertain", None)
    assert point.raw is not None


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"covered": 0, "missing": "overflow", "voice_active": False, "speech": 0}, "stale"),
        ({"covered": 0, "missing": "paused", "voice_active": False, "speech": 0}, "paused"),
        ({"covered": WINDOW - 1, "window": None}, "warming"),
        ({"voice_active": False, "window": None}, "silence"),
        ({"speech": 100, "window": None}, "uncertain"),
        ({}, "stale"),  # asked, but the window was dropped
    ],
)
def test_a_label_is_only_ever_given_with_speech(change: dict[str, object], state: str) -> None:
    grown = trajectory()
    grown.advance(HEARD, said(HEARD, 0.0, 9.0, 0.0, 0.0))  # a strong belief must not leak into what follows
    point = grown.advance(replace(HEARD, **change), None)  # type: ignore[arg-type]
    assert (point.state, point.label, point.raw, point.confidence) == (state, None, None, 0.0)


def test_a_gap_is_forgotten_across_and_a_dropped_window_is_not() -> None:
    for change, kept in (({"covered": 0, "missing": "overflow"}, False), ({}, True)):
        grown = trajectory()
        grown.advance(HEARD, said(HEARD, 0.0, 9.0, 0.0, 0.0))
        after = grown.advance(replace(HEARD, **change), None)  # type: ignore[arg-type]
        assert (after.smoothed[1] > 0.9) == kept


def test_dimensions_are_given_where_the_model_was_asked_and_nowhere_else() -> None:
    grown = trajectory()
    rated = replace(said(HEARD, 0.0, 4.0, 0.0, 0.0), dimensions=(0.5, -0.25))
    assert grown.advance(HEARD, rated).dimensions == pytest.approx((0.5, -0.25))
    for change in ({"voice_active": False, "window": None}, {"covered": 0}, {"covered": 9}, {"window": None}, {}):
        assert grown.advance(replace(HEARD, **change), None).dimensions is None  # type: ignore[arg-type]
    assert trajectory().advance(HEARD, said(HEARD, 0.0, 4.0, 0.0, 0.0)).dimensions is None


def test_words_are_passed_on() -> None:
    words = (Word("yes", 10, 20),)
    assert trajectory().advance(replace(HEARD, words=words), None).words == words
