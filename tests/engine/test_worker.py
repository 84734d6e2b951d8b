from __future__ import annotations

import queue
import threading
from dataclasses import replace

import numpy as np
import pytest

from stream_ser.engine.fair_queue import DEPTH, Answer, Policy
from stream_ser.engine.fallback import Candidate, FallbackChain, StepDown
from stream_ser.engine.worker import Worker
from stream_ser.errors import EngineError
from stream_ser.types import Dropped, Failed, Observation, Window
from tests.fakes import FakeBackend, FakeClock


def window(stream: str, number: int) -> Window:
    samples = np.full(8, number / 100, dtype=np.float32)
    return Window(stream, number * 100, number * 100 + 8, samples, completed_ns=number)


class Rig:
    """A worker on a fake device, and a queue of its answers."""

    def __init__(self) -> None:
        self.backend, self.clock = FakeBackend(), FakeClock()
        self.worker = Worker(lambda: self.backend, self.clock)
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.worker.admit("a")
        self.worker.admit("b")

    def submit(self, stream: str, number: int, policy: Policy) -> bool:
        return self.worker.submit(window(stream, number), self.answers.put, policy)

    def take(self, count: int) -> list[Answer]:
        return [self.answers.get(timeout=60) for _ in range(count)]


def blocked(rig: Rig) -> tuple[threading.Thread, list[bool]]:
    """A recording's thread that waits for room at a device which is busy, and what its submissions returned."""
    rig.worker.start()
    rig.backend.go.clear()
    results: list[bool] = []
    submitter = threading.Thread(target=lambda: results.extend(rig.submit("a", n, "WAIT") for n in range(DEPTH + 2)))
    submitter.start()
    assert rig.backend.entered.acquire(timeout=60)
    return submitter, results


@pytest.fixture
def rig() -> object:
    made = Rig()
    yield made
    made.backend.go.set()
    made.worker.stop()
    assert not made.worker._thread.is_alive()


def test_answers_come_in_order_with_their_timings(rig: Rig) -> None:
    rig.worker.start()
    for number in range(3):
        rig.submit("a", number, "WAIT")
    answers = rig.take(3)
    assert [type(answer) for answer in answers] == [Observation] * 3
    assert [answer.start for answer in answers] == [0, 100, 200]
    first = answers[1]
    assert isinstance(first, Observation)
    assert first.logits[0] == pytest.approx(0.1)
    assert (first.timing.completed_ns, first.timing.started_ns, first.timing.computed_ns) == (
        1,
        rig.clock.ns,
        rig.clock.ns,
    )


def test_live_sound_keeps_only_the_newest_and_tells_of_the_others(rig: Rig) -> None:
    rig.worker.start()
    rig.backend.go.clear()
    rig.submit("a", 0, "NEWEST")
    assert rig.backend.entered.acquire(timeout=60)  # the device is busy with window 0
    for number in (1, 2, 3):
        rig.submit("a", number, "NEWEST")
    dropped = rig.take(2)
    assert [(type(answer), answer.start) for answer in dropped] == [(Dropped, 100), (Dropped, 200)]
    rig.backend.go.set()
    assert [(type(answer), answer.start) for answer in rig.take(2)] == [(Observation, 0), (Observation, 300)]


def test_a_recording_waits_and_loses_nothing(rig: Rig) -> None:
    rig.worker.start()
    rig.backend.go.clear()
    count = DEPTH + 3
    submitter = threading.Thread(target=lambda: [rig.submit("a", number, "WAIT") for number in range(count)])
    submitter.start()
    submitter.join(0.1)
    assert submitter.is_alive(), "the submitter should be waiting for room"
    rig.backend.go.set()
    submitter.join(5.0)
    assert [answer.start for answer in rig.take(count)] == [100 * number for number in range(count)]


def test_streams_take_turns(rig: Rig) -> None:
    rig.worker.start()
    rig.backend.go.clear()
    rig.submit("a", 0, "WAIT")
    assert rig.backend.entered.acquire(timeout=60)
    for number in (1, 2):
        rig.submit("a", number, "WAIT")
    rig.submit("b", 7, "WAIT")
    rig.backend.go.set()
    order = [(answer.stream, answer.start) for answer in rig.take(4)]
    assert order.index(("b", 700)) < order.index(("a", 200)), "a busy stream must not starve another"


def test_a_broken_device_is_told_to_everyone_who_waits(rig: Rig) -> None:
    rig.worker.start()
    rig.backend.breaks_at = 1
    rig.backend.go.clear()
    rig.submit("a", 0, "WAIT")
    assert rig.backend.entered.acquire(timeout=60)
    rig.submit("a", 1, "WAIT")
    rig.submit("b", 2, "WAIT")
    rig.backend.go.set()
    answers = rig.take(3)
    assert all(isinstance(answer, Failed) for answer in answers)
    assert {(answer.stream, answer.start) for answer in answers} == {("a", 0), ("a", 100), ("b", 200)}
    with pytest.raises(EngineError, match="fell off the bus"):
        rig.submit("a", 3, "WAIT")


def test_what_loading_raises_start_raises() -> None:
    def broken() -> FakeBackend:
        raise EngineError("no engine", fix="install one")

    worker = Worker(broken)
    with pytest.raises(EngineError, match="install one"):
        worker.start()
    assert not worker._thread.is_alive()


def test_stopping_frees_a_waiting_submitter(rig: Rig) -> None:
    submitter, results = blocked(rig)
    rig.worker.stop(timeout=0.01)
    submitter.join(5.0)
    assert not submitter.is_alive()
    assert results[-1] is False


def test_words_reach_the_model_and_dimensions_the_stream(rig: Rig) -> None:
    rig.backend.dimensions = (0.25, -0.5)
    rig.worker.start()
    rig.worker.submit(replace(window("a", 0), tokens=np.array([3, 2, 0])), rig.answers.put, "WAIT")
    rig.submit("a", 1, "WAIT")
    first, second = rig.take(2)
    assert rig.backend.read == [[3, 2, 0], None]
    assert isinstance(first, Observation)
    assert isinstance(second, Observation)
    assert first.dimensions == second.dimensions == (0.25, -0.5)


def test_dimensions_that_are_no_numbers_are_a_failure(rig: Rig) -> None:
    rig.backend.dimensions = (0.25, float("nan"))
    rig.worker.start()
    rig.submit("a", 0, "WAIT")
    assert rig.worker.failure is None
    (answer,) = rig.take(1)
    assert isinstance(answer, Failed)
    assert "nan" in str(answer.error)
    assert "nan" in str(rig.worker.failure)


def test_streams_that_wait_together_are_computed_together() -> None:
    rig = Rig()
    rig.backend.most = 3
    rig.backend.go.clear()
    rig.worker.start()
    for name in "cdef":
        rig.worker.admit(name)
    rig.submit("f", 1, "NEWEST")
    assert rig.backend.entered.acquire(timeout=60)
    for name in "abcd":
        rig.submit(name, 2, "NEWEST")
    rig.backend.go.set()
    answers = rig.take(5)
    rig.worker.stop()
    assert rig.backend.batches == [1, 3, 1]
    assert [answer.stream for answer in answers] == ["f", "a", "b", "c", "d"]
    assert rig.backend.closed


def test_there_is_room_for_so_many_streams() -> None:
    rig = Rig()
    rig.worker.limit = 3
    rig.worker.start()
    rig.worker.admit("c")
    with pytest.raises(
        EngineError, match=r"fake carries 3 streams at most, and has as many; end one, or start another stream-ser"
    ):
        rig.worker.admit("d")
    with pytest.raises(EngineError, match="a stream 'a' is running already"):
        rig.worker.admit("a")
    rig.worker.release("a")
    rig.worker.release("a")
    rig.worker.admit("d")
    assert rig.submit("a", 1, "WAIT") is False  # it left
    rig.worker.stop()


def test_a_stream_that_leaves_frees_its_submitter(rig: Rig) -> None:
    submitter, results = blocked(rig)
    rig.worker.release("a")
    submitter.join(5.0)
    assert results[-1] is False


def test_a_broken_device_is_left_for_the_next_and_nothing_is_lost() -> None:
    first, second, clock = FakeBackend(), FakeBackend(), FakeClock()
    first.name, first.breaks_at = "first", 2
    told: list[tuple[StepDown, str]] = []
    answers: queue.Queue[Answer] = queue.Queue()
    worker = Worker(FallbackChain([Candidate("first", lambda: first), Candidate("second", lambda: second)]), clock)
    worker.start()
    worker.admit("a", lambda step, following: told.append((step, following)))
    worker.admit("b")
    for number in range(4):
        worker.submit(window("a", number), answers.put, "WAIT")
    found = [answers.get(timeout=60) for _ in range(4)]
    assert [type(answer) for answer in found] == [Observation] * 4
    assert [answer.start for answer in found] == [0, 100, 200, 300]
    assert worker.steps_down == [StepDown("first", "RuntimeError: the device fell off the bus", "broke")]
    assert told == [(worker.steps_down[0], "fake")]
    assert (worker.engine, first.closed) == ("fake", True)
    second.breaks_at = second.runs + 1
    worker.submit(window("b", 5), answers.put, "WAIT")
    last = answers.get(timeout=60)
    assert isinstance(last, Failed)
    assert str(last.error).count("fell off the bus") == 2  # both reasons
    worker.stop()


def test_a_mistake_in_making_the_next_engine_is_told_too() -> None:
    def wrong() -> FakeBackend:
        raise TypeError("a mistake of ours")

    first, answers = FakeBackend(), queue.Queue[Answer]()
    first.breaks_at = 1
    worker = Worker(FallbackChain([Candidate("first", lambda: first), Candidate("second", wrong)]), FakeClock())
    worker.start()
    worker.admit("a")
    worker.submit(window("a", 1), answers.put, "WAIT")
    answer = answers.get(timeout=60)
    assert isinstance(answer, Failed)
    assert "a mistake of ours" in str(answer.error)
    worker.stop()
