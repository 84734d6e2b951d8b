"""One process beside two with a bus: real servers for a few seconds, and how it is told."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from stream_ser.audio.bundled import bundled_recording
from stream_ser.errors import ConfigError
from stream_ser.load.processes import MANY, ONE, dealt, show, side_by_side
from stream_ser.load.run import Received
from tests.cluster.nats_server import needs_nats
from tests.feed.wire import make_info, make_point

CALLS, SECONDS = 4, 3.0


def heard(calls: dict[str, list[float]]) -> Received:
    """A feed that told of calls, with the ages of their points."""
    from stream_ser.feed import messages

    received = Received()
    for call, ages in calls.items():
        info = make_info(f"{call}/a", call, "customer")
        received(messages.hello(info))
        for number, age_ms in enumerate(ages, 1):
            point = messages.point(info, make_point(number), 0)
            received({**point, "ledger": {**point["ledger"], "age_ms": age_ms}})  # type: ignore[typeddict-item]
    return received


@needs_nats
@pytest.mark.skipif(sys.platform != "linux", reason="figures come from /proc")
def test_the_same_calls_are_played_to_one_and_to_several() -> None:
    more = ["--model", "mscnn-stream", "--engine", "onnx"]
    found = asyncio.run(side_by_side(bundled_recording(), 2, CALLS, SECONDS, 1, more))
    (one,), (many,) = found[ONE], found[MANY]
    for turn in (one, many):
        assert (turn["calls_broken"], turn["points"], turn["points_lost"]) == (0, turn["points_expected"], 0)
        assert turn["cpu_ms_a_call_second"] > 0
        assert turn["seen_p99_ms"] > 0
    assert found["cpu_ratio"] == [pytest.approx(many["cpu_ms_a_call_second"] / one["cpu_ms_a_call_second"], abs=1e-3)]
    assert 0 < many["bus_cpu_ms_a_call_second"] < many["cpu_ms_a_call_second"]
    assert 5 < many["bus_memory_mb"] < many["memory_mb"]
    assert many["memory_mb"] > 1.5 * one["memory_mb"], "of both processes"
    assert sum(many["dealt"]) == CALLS
    assert len(many["dealt"]) == 2
    told = show(found).splitlines()
    assert told[-1].startswith("CPU a call-second, 2 processes, bus / one process: ")
    assert any(line.startswith("points lost") and line.split()[-2:] == ["0", "0"] for line in told)


def test_it_is_told_which_process_had_which_calls() -> None:
    received = heard({"c-1": [10.0, 30.0], "c-2": [20.0], "c-3": [900.0], "c-4": [5.0]})
    found = dealt(received, {"c-1": "n-1", "c-2": "n-1", "c-3": "n-2"}, 3)
    assert found == {"dealt": [2, 1, 0], "age_p99_ms_of_each": [30.0, 900.0, None]}


def test_a_call_is_carried_that_has_all_its_points_in_time() -> None:
    received = heard({"c-1": [10.0, 499.0], "c-2": [10.0, 501.0], "c-3": [10.0]})
    assert received.whole(2) == ["c-1/a", "c-2/a"]
    assert received.carried(2) == 1
    assert received.carried(1) == 2


def test_rounds_are_told_by_their_median_and_what_they_lie_between() -> None:
    def turn(cpu: float, **more: Any) -> dict[str, Any]:
        return {"cpu_ms_a_call_second": cpu, "calls": 5, "why": [], **more}

    many = [turn(cpu, dealt=[3, 2], age_p99_ms_of_each=[80.4, None]) for cpu in (9.0, 10.0, 12.0)]
    many[1]["why"] = ["OSError: gone"]
    found = {
        "machine": {"processor": "a processor", "cores": 2},
        "processes": 2,
        ONE: [turn(8.0), turn(8.0), turn(8.0)],
        MANY: many,
        "cpu_ratio": [1.125, 1.25, 1.5],
    }
    told = [" ".join(line.split()) for line in show(found).splitlines()]
    assert "CPU a call-second, ms 8 10 (9 to 12)" in told
    assert told.count("calls of each process, p99 of age of each, ms 3, 2 80, –") == 3
    ratio = "CPU a call-second, 2 processes, bus / one process: 1.25 (1.12 to 1.50)"
    assert told[-2:] == [ratio, "broken: OSError: gone"]


@pytest.mark.parametrize(("processes", "calls", "rounds"), [(1, 5, 1), (2, 0, 1), (2, 5, 0)])
def test_what_cannot_be_put_side_by_side_is_refused(processes: int, calls: int, rounds: int) -> None:
    with pytest.raises(ConfigError, match=f"{processes} processes, {calls} calls, {rounds} rounds"):
        asyncio.run(side_by_side(bundled_recording(), processes, calls, 1.0, rounds))
