"""Replayed smoothing is the trajectory's own, to the bit, where the settings are."""

from __future__ import annotations

import numpy as np
import pytest

from stream_ser.trajectory.filtering import FilterSettings, ForwardFilter
from stream_ser.trajectory.smoothing import Smoother
from stream_ser.trajectory.trajectory import Calibration, TrajectoryBuilder
from stream_ser.types import SAMPLE_RATE, Hop, Observation, Timing
from stream_ser_training.streaming.observe import Seen, as_seen
from stream_ser_training.streaming.replay import as_shown, replay, unsmoothed

LABELS = ("angry", "happy", "neutral", "sad")
HOP, WINDOW = SAMPLE_RATE // 4, 2 * SAMPLE_RATE
SETTINGS = FilterSettings(6.0, 0.5, 3.0)


def seen(smoothing: FilterSettings | None) -> Seen:
    """A stream of forty hops, with silence and a gap in it, as the trajectory builds it."""
    builder = TrajectoryBuilder(Calibration(LABELS, WINDOW, 1.0, 0.5, smoothing))
    rng = np.random.default_rng(1)
    points = []
    for place in range(1, 41):
        end = place * HOP
        silent, missing = 18 <= place < 22, 28 <= place < 30
        asked = place >= 8 and not silent and not missing
        hop = Hop(
            stream="s",
            start=end - WINDOW,
            end=end,
            covered=0 if missing else min(end, WINDOW),
            speech=0 if silent else WINDOW,
            voice_active=not silent,
            level_dbfs=-30.0,
            peak_dbfs=-20.0,
            window=object() if asked else None,  # type: ignore[arg-type]
        )
        logits = tuple(rng.normal(0.0, 2.0, 4).tolist())
        told = Observation("s", end - WINDOW, end, logits, None, Timing(0)) if asked else None
        points.append(builder.advance(hop, told))
    return as_seen(tuple(points), LABELS)


@pytest.mark.parametrize("smoothing", [None, SETTINGS])
def test_a_replay_is_what_the_trajectory_showed(smoothing: FilterSettings | None) -> None:
    own = seen(smoothing)
    again = replay(own, lambda: Smoother(4) if smoothing is None else ForwardFilter(4, smoothing), 0.5)
    assert np.array_equal(again.labels, as_shown(own).labels)
    assert np.array_equal(again.probabilities[own.judged], as_shown(own).probabilities[own.judged])
    assert 10 < int(own.judged.sum()) < 40


def test_single_windows_are_shown_as_they_are() -> None:
    own = seen(None)
    shown = unsmoothed(own, 0.5)
    sure = own.judged & (np.nan_to_num(own.raw).max(axis=1) >= 0.5)
    assert np.array_equal(shown.labels >= 0, sure)
    assert np.array_equal(shown.labels[sure], own.raw[sure].argmax(axis=1))
