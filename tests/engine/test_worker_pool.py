from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stream_ser.engine.fair_queue import Answer
from stream_ser.engine.fallback import Candidate, FallbackChain
from stream_ser.engine.loading import fallback_chain, load_card
from stream_ser.engine.worker import Worker
from stream_ser.engine.worker_pool import WorkerPool, Workers
from stream_ser.errors import EngineError
from stream_ser.types import Failed, Observation, Window
from stream_ser_models.card import shipped
from tests.fakes import FakeBackend


def window(stream: str, number: int) -> Window:
    return Window(stream, number * 100, number * 100 + 8, np.full(8, number / 100, dtype=np.float32))


class Rig:
    """A pool on two fake devices, and a queue of its answers."""

    def __init__(self, threads: int = 2, limit: int = 4) -> None:
        self.first, self.second = FakeBackend(), FakeBackend()
        self.first.others.append(self.second)
        self.pool = WorkerPool(FallbackChain([Candidate("fake", lambda: self.first)]), threads, limit=limit)
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.pool.start()

    def ask(self, stream: str, number: int) -> bool:
        return self.pool.submit(window(stream, number), self.answers.put, "WAIT")

    def take(self, count: int) -> list[Answer]:
        return [self.answers.get(timeout=60) for _ in range(count)]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    for backend in (made.first, made.second):
        backend.go.set()
    made.pool.stop(60.0)
    assert not any(worker._thread.is_alive() for worker in made.pool._workers)


def test_streams_are_dealt_out_evenly_and_each_stays_where_it_began(rig: Rig) -> None:
    for stream in "abcd":
        rig.pool.admit(stream)
    for number in range(3):
        for stream in "abcd":
            assert rig.ask(stream, number)
    answers = rig.take(12)
    assert (rig.first.runs, rig.second.runs) == (6, 6)  # each refuses a thread that is not its own
    for stream in "abcd":
        assert [answer.start for answer in answers if answer.stream == stream] == [0, 100, 200]


def test_one_goes_on_while_the_other_is_held(rig: Rig) -> None:
    rig.pool.admit("a")
    rig.pool.admit("b")
    rig.first.go.clear()
    rig.ask("a", 1)
    assert rig.first.entered.acquire(timeout=60)
    rig.ask("b", 2)
    assert [answer.stream for answer in rig.take(1)] == ["b"]
    rig.first.go.set()
    assert [answer.stream for answer in rig.take(1)] == ["a"]


def test_who_leaves_makes_room_where_he_was(rig: Rig) -> None:
    for stream in "abcd":
        rig.pool.admit(stream)
    with pytest.raises(EngineError, match="carries 4 streams at most"):
        rig.pool.admit("e")
    with pytest.raises(EngineError, match="'a' is running already"):
        rig.pool.admit("a")
    for stream in "bd":  # both of the second
        rig.pool.release(stream)
        rig.pool.release(stream)
    assert not rig.ask("b", 0)
    rig.pool.admit("e")
    rig.pool.admit("f")
    rig.ask("e", 1)
    rig.ask("f", 1)
    rig.take(2)
    assert (rig.first.runs, rig.second.runs) == (0, 2)


def test_where_one_breaks_the_other_streams_go_on_and_new_ones_come_to_it(rig: Rig) -> None:
    rig.pool.admit("a")
    rig.pool.admit("b")
    rig.second.breaks_at = 1
    rig.ask("b", 1)
    assert isinstance(rig.take(1)[0], Failed)
    assert "fell off the bus" in str(rig.pool.failure)
    for stream in "cd":
        rig.pool.admit(stream)
        rig.ask(stream, 1)
    rig.ask("a", 1)
    assert [type(answer) for answer in rig.take(3)] == [Observation] * 3
    assert [step.kind for step in rig.pool.steps_down] == ["broke"]


def test_a_stream_is_told_which_engine_goes_on_with_it() -> None:
    first, second, third = FakeBackend(), FakeBackend(), FakeBackend()
    first.others.append(second)
    second.name, third.name, second.breaks_at = "beside", "slow", 1
    chain = FallbackChain([Candidate("fake", lambda: first), Candidate("slow", lambda: third)])
    pool = WorkerPool(chain, 2)
    pool.start()
    told: queue.Queue[tuple[str, str]] = queue.Queue()
    answers: queue.Queue[Answer] = queue.Queue()
    for stream in "ab":
        pool.admit(stream, lambda step, following: told.put((step.engine, following)))
    pool.submit(window("b", 1), answers.put, "WAIT")
    assert isinstance(answers.get(timeout=60), Observation)
    assert told.get(timeout=60) == ("beside", "slow")
    assert told.empty()  # the other one's stream has its engine still
    assert pool.engine == "fake"
    pool.stop(60.0)


def test_a_device_that_one_thread_owns_has_one_worker() -> None:
    backend = FakeBackend()
    pool = WorkerPool(FallbackChain([Candidate("fake", lambda: backend)]), 4)
    pool.start()
    assert len(pool._workers) == 1
    pool.stop(60.0)
    assert backend.closed


def test_one_thread_makes_no_second_worker() -> None:
    rig = Rig(threads=1)
    assert len(rig.pool._workers) == 1
    assert rig.first.others
    rig.pool.stop(60.0)


def ask_all(workers: Workers, windows: list[Window]) -> dict[tuple[str, int], Observation]:
    """The answers of started workers, which are stopped then."""
    answers: queue.Queue[Answer] = queue.Queue()
    for stream in {window.stream for window in windows}:
        workers.admit(stream)
    for each in windows:
        workers.submit(each, answers.put, "WAIT")
    found = {}
    for _ in windows:
        answer = answers.get(timeout=60)
        assert isinstance(answer, Observation)
        found[answer.stream, answer.start] = answer
    workers.stop(60.0)
    return found


@pytest.mark.parametrize("model", ["whisper-voice", "mscnn-stream"])
def test_bits_are_those_of_one_worker(model: str) -> None:
    assert model in shipped()
    folder, card = load_card(model)
    hop = 8_000
    sound = (0.1 * np.random.default_rng(5).standard_normal((3, card.window_samples + 5 * hop))).astype(np.float32)
    windows = [
        Window(
            f"s{row}",
            n * hop,
            n * hop + card.window_samples,
            sound[row, n * hop :][: card.window_samples],
            hop=hop,
            voice_s=0.5,
        )
        for n in range(6)
        for row in range(3)
    ]
    one: list[Workers] = [
        Worker(fallback_chain(folder, card, "onnx")),
        WorkerPool(fallback_chain(folder, card, "onnx"), 3),
    ]
    for workers in one:
        workers.start()
    alone, shared = (ask_all(workers, windows) for workers in one)
    for key, answer in alone.items():
        assert (shared[key].logits, shared[key].baseline_s) == (answer.logits, answer.baseline_s)


def test_threads_share_the_weights(tmp_path: Path) -> None:
    folder, card = load_card("mscnn-stream")
    first = fallback_chain(folder, card, "onnx").next()
    second = first.beside()
    assert second is not None
    assert second._session is first._session  # type: ignore[attr-defined]
    assert first.stepper is not None
    assert second.stepper is not None
    assert second.stepper is not first.stepper
