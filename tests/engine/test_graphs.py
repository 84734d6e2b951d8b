"""The runner keeps the rules of CUDA graphs, and the device that says so does bite."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.engine.buckets import bucket_for, buckets
from stream_ser.engine.fallback import UnavailableError
from stream_ser.engine.graphs import NO_GRAPH, Arrays, GraphRunner
from stream_ser.errors import EngineError
from tests.engine.graph_device import FakeGraphDevice

WIDTH = 3
INPUTS = {"sound": ((WIDTH,), np.dtype(np.float32)), "slot": ((), np.dtype(np.int64))}
IDLE = {"sound": -1.0, "slot": 99}


def compute(seen: Arrays) -> Arrays:
    sums = seen["sound"].sum(axis=1) + 1_000.0 * seen["slot"]
    return {"logits": np.stack([sums, seen["sound"][:, 0]], axis=1).astype(np.float32), "map": seen["sound"] * 2.0}


def device(most: int = 8) -> FakeGraphDevice:
    return FakeGraphDevice(compute, INPUTS, IDLE, most, {"slot": (0, 99)})


def started(most: int = 8) -> tuple[FakeGraphDevice, GraphRunner]:
    made = device(most)
    runner = GraphRunner(made, buckets(most))
    runner.start()
    return made, runner


def rows(count: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal((count, WIDTH)).astype(np.float32)
    return {"sound": sound, "slot": rng.integers(0, 99, count)}


def test_every_bucket_is_warm_and_captured_the_largest_first_then_replayed_then_ready() -> None:
    made, _ = started(6)
    prepared = [step for bucket in (6, 4, 2, 1) for step in (("warm_up", bucket), ("capture", bucket))]
    assert made.log == [*prepared, *(("replay", bucket) for bucket in (6, 4, 2, 1)), ("ready",)]
    assert all((seen["slot"] == 99).all() and (seen["sound"] == -1.0).all() for seen in made.computed)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_any_load_gives_its_own_rows_in_order(most: int, loads: list[int]) -> None:
    made, runner = started(most)
    kept = []
    for seed, count in enumerate(loads):
        given_rows = rows(count, seed)
        kept.append((runner.run(given_rows), compute(given_rows)))
    for found, expected in kept:  # compared last: nothing that ran later may have written over it
        assert set(found) == set(expected)
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
    taken = [entry for entry in made.log if entry[0] == "copy_in"]
    assert all(bucket == bucket_for(count, buckets(most)) for _, _, count, bucket in taken)
    after_start = made.computed[len(buckets(most)) :]
    for (_, _, count, _), seen in zip(taken, after_start, strict=True):
        for name, value in IDLE.items():
            assert (seen[name][count:] == value).all()


def test_while_a_piece_is_computed_the_next_is_written() -> None:
    made, runner = started(4)
    made.log.clear()
    runner.run(rows(18))
    pieces = [made.log.index(("copy_in", number % 2, 4, 4), 5 * number) for number in range(4)]
    assert pieces == sorted(pieces)
    writes = [place for place, entry in enumerate(made.log) if entry[0] == "staging"]
    waits = [place for place, entry in enumerate(made.log) if entry[0] == "wait"]
    replays = [place for place, entry in enumerate(made.log) if entry[0] == "replay"]
    assert len(writes) == len(waits) == 5
    for piece, (_, following) in enumerate(pairwise(replays)):
        # The next piece is in staging, and queued behind this one, before anybody waits for this one.
        assert writes[piece + 1] < following < waits[piece]


def test_pads_and_what_ran_before_change_nothing() -> None:
    _, runner = started(8)
    nan = {"sound": np.full((8, WIDTH), np.nan, np.float32), "slot": np.zeros(8, np.int64)}
    three = rows(3)
    expected = runner.run(three)
    runner.run(nan)
    found = runner.run(three)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"sound": np.zeros((2, 4), np.float32)},
            r"'sound' has shape \(2, 4\) and type float32, .*\(2, 3\) of float32",
        ),
        ({"sound": np.zeros((2, 3))}, r"'sound' has shape \(2, 3\) and type float64, .*of float32"),
        ({"slot": np.zeros(3, np.int64)}, r"'slot' has shape \(3,\).*takes \(2\) of int64"),
        ({"slot": np.array([0, 100])}, "'slot' has values from 0 to 100, the engine takes 0 to 99"),
        ({"slot": np.array([-1, 5])}, "'slot' has values from -1 to 5"),
        ({"sound": np.float32(1.0)}, r"'sound' has shape \(\)"),
        ({"more": np.zeros(2)}, "inputs more, slot, sound, the engine takes slot, sound"),
    ],
)
def test_what_the_recordings_do_not_take_is_refused_by_name(change: Arrays, said: str) -> None:
    made, runner = started()
    made.log.clear()
    with pytest.raises(EngineError, match=said) as error:
        runner.run(rows(2) | change)
    assert NO_GRAPH in error.value.fix
    assert made.log == []
    runner.run(rows(2))  # and nothing is broken by it


def test_no_rows_are_refused() -> None:
    _, runner = started()
    with pytest.raises(EngineError, match=r"has shape \(0"):
        runner.run(rows(0))


def test_graphs_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_GRAPH, "1")
    made = device()
    with pytest.raises(UnavailableError, match=f"{NO_GRAPH} is set"):
        GraphRunner(made, buckets(8)).start()
    assert made.log == []
    made.captures = False
    GraphRunner(made, buckets(8)).start()  # the same device without capture is not concerned


def in_another_thread(call: Callable[[], object]) -> Exception | None:
    raised: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def test_only_the_thread_that_started_it_may_use_it() -> None:
    made, runner = started()
    made.log.clear()
    for call in (lambda: runner.run(rows(1)), runner.close):
        error = in_another_thread(call)
        assert isinstance(error, RuntimeError)
        assert "another thread" in str(error)
    assert made.log == []
    runner.run(rows(1))


def test_it_is_started_once_and_closed_once() -> None:
    made = device()
    runner = GraphRunner(made, buckets(8))
    with pytest.raises(RuntimeError, match="not started"):
        runner.run(rows(1))
    runner.start()
    with pytest.raises(RuntimeError, match="started already"):
        runner.start()
    runner.close()
    runner.close()
    assert made.closed == 1
    with pytest.raises(RuntimeError, match="was closed"):
        runner.run(rows(1))


@pytest.mark.parametrize("wrong", [(), (4, 2), (2, 2), (0, 1), (1, 16)])
def test_buckets_that_the_device_has_no_room_for_are_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must ascend"):
        GraphRunner(device(8), wrong)


def test_what_cannot_be_captured_is_said_with_remedies() -> None:
    made = device()
    runner = GraphRunner(made, (1, 2, 8))
    made._captured.append(4)  # as if somebody had captured on it before
    with pytest.raises(EngineError, match=r"cannot prepare a batch of 8 \(RuleError: .*largest first") as error:
        runner.start()
    assert NO_GRAPH in error.value.fix


def test_after_the_device_has_failed_nothing_more_is_run() -> None:
    made, runner = started(4)
    made.breaks_at = 2
    with pytest.raises(RuntimeError, match="illegal memory"):
        runner.run(rows(10))
    made.log.clear()
    with pytest.raises(RuntimeError, match="failed before: CUDA error"):
        runner.run(rows(1))
    assert made.log == []
    runner.close()
    assert made.closed == 1
