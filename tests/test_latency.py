from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser import types
from stream_ser.latency import BINS, STAGES, Histogram, LatencyStats, quantile, table
from stream_ser_models import card


@given(values=st.lists(st.floats(0.0, 1e7), min_size=1, max_size=300), share=st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_quantiles_are_right_to_a_per_cent(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = float(np.quantile(values, share, method="inverted_cdf"))
    found = histogram.at(share)
    assert found is not None
    assert abs(found - exact) <= 0.0101 * exact + 1e-3


def test_no_value_is_too_long_and_memory_stays() -> None:
    histogram = Histogram()
    assert histogram.at(0.5) is None
    for value in (0.0, 1e-9, 1e12, 1e300):
        histogram.add(value)
    assert sum(histogram.counts) == 4
    assert len(histogram.counts) == BINS


def test_steps_that_were_not_taken_do_not_count() -> None:
    ledger = LatencyStats()
    for compute in (None, 2.0, 4.0, None):
        ledger.add(dict.fromkeys(STAGES, 1.0) | {"compute_ms": compute, "capture_ms": None})
    told = ledger.summary()
    assert told["capture_ms"] is None
    assert told["compute_ms"] is not None
    assert abs(told["compute_ms"]["p50"] - 2.0) < 0.05
    assert abs(told["compute_ms"]["p99"] - 4.0) < 0.05
    lines = table(told)
    assert lines[0].split() == ["ms", "p50", "p95", "p99"]
    assert lines[1].split() == ["capture", "–", "–", "–"]
    assert len({len(line) for line in lines}) == 1


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_quantile_is_one_of_the_values_or_lies_between_two(values: list[float], share: float) -> None:
    assert quantile(values, share) in values
    assert sum(value <= quantile(values, share) for value in values) >= share * len(values) - 1e-6
    between = quantile(values, share, interpolate=True)
    assert between == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-9)


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_everything_inside_has_the_rate_that_networks_were_trained_on() -> None:
    assert types.SAMPLE_RATE is card.SAMPLE_RATE
