from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.calls.events import Coded, Lost, Sound
from stream_ser.calls.leg_buffer import LONGEST_WAIT_S, LOOK_HOPS, LOOK_PIECES, NOT_RECEIVED, OVERLOAD, LegBuffer, _join
from stream_ser.calls.leg_scheduler import LegScheduler
from stream_ser.engine.worker import Worker
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.stream import Stream
from stream_ser.types import Block, SourceInfo
from stream_ser_models.card import find, read_card
from tests.fakes import FakeBackend, FakeDetector

RATE, HOP = 8_000, 8_000  # native, and of the stream at 16 kHz
FRAME = 160
VOLATILE = ("seq", "stream", "ledger")
MOST = int(LONGEST_WAIT_S * RATE)


class CallBackend:
    """Streams with a fake engine, and a leg scheduler that works when a test says so."""

    def __init__(self) -> None:
        self.backend, self.hub, self.scheduler = FakeBackend(), Hub(), LegScheduler()
        self.worker = Worker(lambda: self.backend)
        self.worker.start()
        self.got: list[dict[str, Any]] = []
        self.hub.attach(self.got.append)
        self.streams: list[Stream] = []

    def add_leg(self, name: str = "c/customer", rate: int = RATE) -> LegBuffer:
        info = SourceInfo("call", "plain", rate, 1, None, live=True)
        card = read_card(find("tfcnn-attention"))
        stream = Stream(info, card, self.worker, self.hub, FakeDetector((0, 10**9)), stream=name, hop=HOP)
        stream.open()
        self.streams.append(stream)
        return self.scheduler.add_leg(stream, rate)

    def of(self, kind: str, stream: str = "c/customer") -> list[dict[str, Any]]:
        return [message for message in self.got if (message["type"], message["stream"]) == (kind, stream)]

    def end(self, buffer: LegBuffer) -> None:
        """Let the engine answer everything, and the stream be over."""
        buffer.end()
        self.scheduler.process([buffer])
        assert buffer.stream.wait(10.0)


@pytest.fixture
def backend() -> Iterator[CallBackend]:
    made = CallBackend()
    yield made
    for stream in made.streams:
        stream.stop()
    made.worker.stop()


def sound(start: int, length: int = FRAME, value: float = 0.1) -> Sound:
    return Sound("customer", start, np.full(length, value, dtype=np.float32))


def timeline(buffer: LegBuffer) -> list[tuple[str, int, int]]:
    """What a line hands over, as (reason, start, end) at 16 kHz; blocks have none."""
    told: list[tuple[str, int, int]] = []
    for item in buffer.take():
        reason = getattr(item, "reason", "") if hasattr(item, "start") else "end"
        start, end = (item.start, item.end) if hasattr(item, "start") else (0, 0)  # type: ignore[union-attr]
        if told and reason == "" == told[-1][0] and told[-1][2] == start:
            start = told.pop()[1]
        told.append((reason, start, end))
    return told


def test_what_is_missing_is_a_gap_of_exactly_its_length(backend: CallBackend) -> None:
    buffer = backend.add_leg()
    for piece in (sound(0), sound(160), sound(640), Lost("customer", 800, 960, "paused"), sound(960), sound(960)):
        buffer.put(piece, 1)
    buffer.end()
    assert timeline(buffer) == [
        ("", 0, 640),
        (NOT_RECEIVED, 640, 1_280),
        ("", 1_280, 1_600),
        ("paused", 1_600, 1_920),
        ("", 1_920, 2_240),  # what came twice counts once
        ("end", 0, 0),
    ]


class Still:
    """The stream that a line belongs to, where only its hop matters."""

    over = False
    hop = HOP
    position = 0


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 3_000), st.integers(1, 900), st.booleans()), min_size=1, max_size=20
    )
)
def test_any_pieces_make_one_timeline_without_hole_or_overlap(pieces: list[tuple[bool, int, int, bool]]) -> None:
    buffer = LegBuffer(Still(), RATE, lambda _: None)  # type: ignore[arg-type]
    end, told = 0, []
    for is_sound, start, length, look in pieces:
        buffer.put(sound(start, length) if is_sound else Lost("customer", start, start + length, "why"), 1)
        end = max(end, start + length)
        if look:
            told += timeline(buffer)
    buffer.end()
    told += timeline(buffer)
    assert told[-1][0] == "end"
    at = 0
    for _, first, last in told[:-1]:
        assert (first, last) == (at, max(last, at + 1))
        at = last
    assert at == 2 * end
    assert buffer._came == buffer._taken
    assert buffer._told == buffer._heard


def test_what_finds_no_room_is_a_gap_and_counted(backend: CallBackend) -> None:
    buffer = backend.add_leg()
    for start in range(0, MOST + 3 * FRAME, FRAME):
        buffer.put(sound(start), 1)
    assert buffer.overloaded == 3 * FRAME
    told = timeline(buffer)
    assert [reason for reason, _, _ in told] == ["", *[OVERLOAD] * 3]
    assert (told[1][1], told[-1][2]) == (2 * MOST, 2 * MOST + 6 * FRAME)
    buffer.put(sound(MOST + 3 * FRAME), 1)
    assert buffer.overloaded == 3 * FRAME, "what was taken makes room"


@pytest.mark.parametrize("looked_at", [None, 4_000, 8_000])
def test_the_scheduler_is_woken_once_for_a_point_and_as_soon_as_it_can_be_made(
    backend: CallBackend, looked_at: int | None
) -> None:
    """Wherever an earlier look stopped, on a hop's border too."""
    woken: list[LegBuffer] = []
    buffer = LegBuffer(backend.add_leg().stream, RATE, woken.append)
    wakes = []
    for start in range(0, 5 * HOP // 2, FRAME):
        buffer.put(sound(start), 1)
        if woken or start + FRAME == looked_at:
            if woken:
                wakes.append(start + FRAME)
            woken.clear()
            list(buffer.take())
    delays = [at - (number + 1) * HOP // 2 for number, at in enumerate(wakes)]
    assert len(delays) == 4
    assert all(buffer._slack <= delay < buffer._slack + FRAME for delay in delays)


def test_hours_that_are_missing_are_heard_a_little_at_a_time_beside_the_others(backend: CallBackend) -> None:
    late, good = backend.add_leg("late/customer"), backend.add_leg()
    late.put(sound(0), 1)
    late.put(sound(20 * 60 * RATE), 1)
    assert len(late._pieces) == 3, "what waits is not more for being missing for long"
    looks = 0
    while late.queued or not looks:
        good.put(sound(looks * 4_000, 4_000), 1)
        backend.scheduler.process([late, good])
        looks += 1
        assert len(backend.of("point", "late/customer")) <= looks * (LOOK_HOPS + 1)
    assert looks * LOOK_HOPS >= 20 * 60 / 0.5
    assert backend.of("gap", "late/customer")[-1]["end"] == 2 * 20 * 60 * RATE
    backend.end(good)
    assert backend.of("end")[0]["duration_s"] == looks * 0.5


def test_sound_in_single_samples_waits_in_few_pieces_and_is_the_same(backend: CallBackend) -> None:
    buffer, whole = backend.add_leg(), backend.add_leg("whole/customer")
    sound = np.random.default_rng(7).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    for start in range(len(sound)):
        buffer.put(Sound("customer", start, sound[start : start + 1]), 0)
    whole.put(Sound("customer", 0, sound), 0)
    assert len(buffer._pieces) == len(sound) / FRAME
    backend.scheduler.process([buffer, whole])
    for each in (buffer, whole):
        backend.end(each)
    first, second = (
        [{name: one[name] for name in one if name not in VOLATILE} for one in backend.of("point", stream)]
        for stream in ("c/customer", "whole/customer")
    )
    assert first == second
    assert len(first) >= 3


def test_pieces_that_are_not_alike_or_do_not_follow_are_not_joined(backend: CallBackend) -> None:
    buffer = backend.add_leg()

    def coded(start: int, frames: int, decode: Any) -> Sound:
        return Sound("customer", start, Coded(bytes(2 * frames), 2, decode))

    def zeros(data: bytes) -> Any:
        return np.zeros(len(data) // 2, dtype=np.float32)

    pieces = [coded(0, 80, zeros), coded(80, 80, zeros), coded(160, 1, zeros), coded(161, 1, lambda data: zeros(data))]
    for piece in [*pieces, sound(162, 1), sound(164, 1)]:
        buffer.put(piece, 1)
    waiting = [piece for piece, _ in buffer._pieces]
    assert [(piece.start, len(piece.samples)) for piece in waiting if isinstance(piece, Sound)] == [
        *((0, 160), (160, 1), (161, 1), (162, 1), (164, 1))
    ]
    assert [(piece.start, piece.end) for piece in waiting if isinstance(piece, Lost)] == [(163, 164)]


def test_sound_full_of_holes_is_heard_a_little_at_a_time(backend: CallBackend) -> None:
    buffer = backend.add_leg()
    for start in range(0, RATE, 2):
        buffer.put(sound(start, 1), 0)
    looks = 0
    while buffer.queued:
        waiting = len(buffer._pieces)
        backend.scheduler.process([buffer])
        assert 0 < waiting - len(buffer._pieces) <= LOOK_PIECES
        looks += 1
    assert looks >= RATE / LOOK_PIECES - 1
    backend.end(buffer)


def test_a_line_is_forgotten_when_its_end_was_taken_and_takes_nothing_more(backend: CallBackend) -> None:
    buffer = backend.add_leg()
    buffer.put(sound(0, 4_000), 1)
    buffer.end()
    buffer.put(sound(4_000, 4_000), 1)
    backend.scheduler.process([buffer])
    assert buffer.stream.wait(10.0)
    assert backend.scheduler.leg_count == 0
    assert backend.of("end")[0]["duration_s"] == 0.5
    for start in range(0, 200 * 4_000, 4_000):
        buffer.put(sound(start, 4_000), 1)
    buffer.end()
    backend.scheduler.process([buffer])
    assert not buffer._pieces
    assert not buffer.stream._pending


def test_a_leg_that_breaks_ends_alone(backend: CallBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = backend.add_leg("bad/customer"), backend.add_leg("c/customer")

    def breaks(*_: object) -> Any:
        raise RuntimeError("this leg is out of order")

    monkeypatch.setattr(bad._conditioner, "push", breaks)
    for buffer in (bad, good):
        buffer.put(sound(0, 8_000), 1)
    backend.scheduler.process([bad, good])
    assert backend.of("end", "bad/customer")[0]["reason"] == "error"
    assert backend.scheduler.leg_count == 1
    backend.end(good)
    assert [point["end"] for point in backend.of("point")][:2] == [8_000, 16_000]
    assert backend.of("end")[0]["reason"] == "finished"


def test_a_stream_that_cannot_conclude_ends_all_the_same(backend: CallBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = backend.add_leg()

    def breaks(*_: object) -> Any:
        raise RuntimeError("no end in sight")

    monkeypatch.setattr(buffer.stream, "conclude", breaks)
    buffer.end()
    backend.scheduler.process([buffer])
    assert buffer.stream.wait(10.0)
    assert backend.of("end")


def test_paused_sound_is_not_heard_even_if_it_waits_already(backend: CallBackend) -> None:
    buffer = backend.add_leg()
    buffer.put(sound(0, 4 * RATE), 1)
    buffer.stream.pause()
    backend.scheduler.process([buffer])
    backend.end(buffer)
    assert backend.backend.runs == 0
    assert {point["state"] for point in backend.of("point")} == {"paused"}
    assert {gap["reason"] for gap in backend.of("gap")} == {"paused"}


def test_what_is_coded_alike_is_decoded_at_once_and_each_by_its_own_decoder() -> None:
    calls: list[int] = []

    def decoder(value: float) -> Any:
        def decode(data: bytes) -> Any:
            calls.append(len(data))
            return np.full(len(data) // 2, value, dtype=np.float32)

        return decode

    one, other = decoder(0.25), decoder(-0.25)
    alike = [Sound("customer", 0, Coded(bytes(2 * frames), 2, one)) for frames in (3, 5)]
    assert _join(alike).tolist() == [0.25] * 8
    assert calls == [16]
    unlike = [*alike, Sound("customer", 8, Coded(bytes(4), 2, other)), sound(10, 1, 0.5)]
    assert _join(unlike[:3]).tolist() == [0.25] * 8 + [-0.25] * 2
    assert _join(unlike).tolist() == [0.25] * 8 + [-0.25] * 2 + [0.5]


def test_what_is_left_at_the_end_arrives_when_the_leg_ends() -> None:
    buffer, before = LegBuffer(Still(), 8_000, lambda _: None), time.monotonic_ns()  # type: ignore[arg-type]
    buffer.put(sound(0, 1_000), before)
    buffer.end()
    items = list(buffer.take())
    blocks = [item for item in items if isinstance(item, Block)]
    assert sum(len(block.samples) for block in blocks) == 2_000
    assert before <= min(block.arrived_ns for block in blocks) <= max(block.arrived_ns for block in blocks)
    assert blocks[-1].arrived_ns > before, "the resampler's rest comes with the end"
