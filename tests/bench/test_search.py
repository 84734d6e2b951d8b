from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.bench.search import FINE, Trial, largest, reach

GOOD = Trial(
    streams=10, hop_ms=250.0, answered=80, dropped=0, p50_ms=5.0, p99_ms=20.0, growth=0.0, served=10.0, late_p99_ms=0.1
)


@pytest.mark.parametrize("worse", [{"dropped": 1}, {"p99_ms": 250.0}, {"growth": 0.05}])
def test_what_a_trial_must_not_have(worse: dict[str, float]) -> None:
    assert GOOD.passed
    assert not replace(GOOD, **worse).passed


@given(capacity=st.integers(0, 500), start=st.integers(-2, 600), trials=st.integers(1, 8))
def test_the_search_never_contradicts_the_machine(capacity: int, start: int, trials: int) -> None:
    asked: list[int] = []

    def attempt(streams: int) -> Trial:
        asked.append(streams)
        carried = min(streams, capacity)
        return replace(GOOD, streams=streams, dropped=streams - carried, served=float(carried))

    passed, failed = largest(start, trials, attempt)
    assert 1 <= len(asked) <= trials
    assert len(set(asked)) == len(asked)
    assert min(asked) >= 1
    assert max(asked) <= reach(start, trials)
    assert passed is None or passed.streams == max(n for n in asked if n <= capacity)
    assert failed is None or failed.streams == min(n for n in asked if n > capacity)
    if trials == 8 and capacity and 0.5 * capacity < start < 2 * capacity:
        assert passed is not None
        assert failed is not None
        assert failed.streams - passed.streams <= max(1, 4 * FINE * capacity)


def test_where_not_even_one_is_carried_it_ends() -> None:
    asked: list[int] = []

    def attempt(streams: int) -> Trial:
        asked.append(streams)
        return replace(GOOD, streams=streams, growth=1.0, served=0.3)

    passed, failed = largest(1, 4, attempt)
    assert passed is None
    assert failed is not None
    assert asked == [1]
