from __future__ import annotations

import pytest

from stream_ser.bench.timing import COLD, alternate, percentiles


class Clock:
    """Seconds, turned by the calls that are timed."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, name: str, seconds: float, order: list[str]) -> object:
        def call() -> None:
            order.append(name)
            self.now += seconds

        return call


def test_percentiles_are_milliseconds() -> None:
    assert percentiles([0.001] * 99 + [1.0]) == {"p50_ms": 1.0, "p99_ms": pytest.approx(10.99, abs=0.01)}


def test_calls_take_turns_for_the_time_given() -> None:
    clock, order = Clock(), []
    calls = {"a": clock.takes("a", 0.01, order), "b": clock.takes("b", 0.03, order)}
    times = alternate(calls, 1.999, clock=clock)
    assert order[2 * COLD :] == ["a", "b"] * 50
    assert times["a"] == pytest.approx([0.01] * 50)
    assert times["b"] == pytest.approx([0.03] * 50)


def test_slow_calls_are_timed_often_enough_and_fast_ones_not_for_ever() -> None:
    clock, order = Clock(), []
    assert len(alternate({"a": clock.takes("a", 9.0, order)}, 1.0, least=7, clock=clock)["a"]) == 7
    assert len(alternate({"a": clock.takes("a", 1e-6, order)}, 1.0, least=1, most=11, clock=clock)["a"]) == 11
