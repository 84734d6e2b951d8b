"""Legs that are heard together: what one loses, breaks or tells as lost is nothing to the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.calls.events import Lost, Sound
from stream_ser.calls.gap_limit import BURST, GAPS_A_SECOND
from stream_ser.calls.leg_buffer import GAP_HOPS, LegBuffer
from stream_ser.calls.leg_scheduler import AT_ONCE, MISSING_HOPS, LegScheduler
from stream_ser.engine.schedule import SpeechDetector
from stream_ser.engine.worker import Worker
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.stream import Stream
from stream_ser.types import SourceInfo
from stream_ser_models.card import find, read_card
from tests.fakes import FakeBackend, FakeDetector

RATE, HOP = 8_000, 8_000  # native frames in, samples between points
NOISE = np.random.default_rng(1).normal(0.0, 0.05, 60 * RATE).astype(np.float32)


class Rig:
    """Streams over one worker, and a leg scheduler whose turns the test takes."""

    def __init__(self) -> None:
        self.hub, self.messages = Hub(), list[dict[str, Any]]()
        self.hub.attach(self.messages.append)
        self.backend = FakeBackend()
        self.worker = Worker(lambda: self.backend)
        self.worker.start()
        self.scheduler = LegScheduler()

    def add_leg(self, name: str = "c/customer", vad: SpeechDetector | None = None) -> LegBuffer:
        info = SourceInfo("call", "plain", RATE, 1, None, live=True)
        card = read_card(find("cnn-bilstm"))
        stream = Stream(info, card, self.worker, self.hub, vad or VoiceActivityDetector(), stream=name, hop=HOP)
        stream.open()
        return self.scheduler.add_leg(stream, RATE)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.backend.go.set()
    made.worker.stop()


def sound(start: int, frames: int) -> Sound:
    return Sound("customer", start, NOISE[:frames])


def test_what_is_told_as_lost_is_taken_when_a_point_is_due_and_does_not_pile_up(rig: Rig) -> None:
    buffer = rig.add_leg()
    for number in range(100):  # two seconds of a paused call, as a telephone tells them
        buffer.put(Lost("customer", 160 * number, 160 * (number + 1), "paused"), 1)
        if buffer.queued:
            rig.scheduler.process([buffer])
    assert sum(gap["end"] - gap["start"] for gap in rig.told("gap")) >= 24_000
    assert len(rig.told("point")) == 3
    assert len(buffer._pieces) < 50


@pytest.mark.parametrize("missing", [1, 160, 3_999])  # less than a hop
def test_legs_that_lose_a_little_disturb_nobody(rig: Rig, missing: int) -> None:
    good, holed = rig.add_leg("a/customer"), rig.add_leg("b/customer")
    for at in range(0, 5 * RATE, RATE):
        good.put(sound(at, RATE), 1)
        holed.put(sound(at, RATE - missing), 1)
        rig.scheduler.process([good, holed])
    assert {message["stream"] for message in rig.told("gap")} == {"b/customer"}
    assert [gap["end"] - gap["start"] for gap in rig.told("gap")] == [2 * missing] * 4
    assert len([point for point in rig.told("point") if point["stream"] == "a/customer"]) >= 8
    assert not rig.told("end")


def test_a_leg_that_breaks_takes_nothing_more_and_keeps_nothing(rig: Rig) -> None:
    good, broken = rig.add_leg("a/customer"), rig.add_leg("b/customer")
    broken.put(Sound("customer", 0, np.array(["no", "sound"] * RATE, dtype=object)), 1)
    for at in range(0, 20 * RATE, RATE):
        good.put(sound(at, RATE), 1)
        broken.put(sound(at, RATE), 1)
        broken.put(Lost("customer", at + RATE, at + 2 * RATE, "paused"), 1)
        rig.scheduler.process([good, broken])
    (end,) = rig.told("end")
    assert (end["stream"], end["reason"]) == ("b/customer", "error")
    assert (len(broken._pieces), len(broken.stream._pending), rig.scheduler.leg_count) == (0, 0, 1)
    broken.end()
    rig.scheduler.process([broken])
    assert len(rig.told("end")) == 1


def test_a_stream_that_was_stopped_is_forgotten(rig: Rig) -> None:
    buffer = rig.add_leg()
    buffer.put(sound(0, 2 * RATE), 1)
    buffer.stream.stop()
    rig.scheduler.process([buffer])
    assert buffer.over
    assert rig.scheduler.leg_count == 0
    assert len(buffer.stream._pending) == 0


def test_a_mistake_ends_the_legs_that_were_taken_together_and_not_the_scheduler(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(_: object) -> None:
        raise RuntimeError("the detector fell off")

    first, later = rig.add_leg("a/customer"), rig.add_leg("b/customer")
    with monkeypatch.context() as patched:
        patched.setattr("stream_ser.calls.leg_scheduler.process_batch", mistake)
        first.put(sound(0, 2 * RATE), 1)
        rig.scheduler.process([first])
    (end,) = rig.told("end")
    assert end["error"] == "the detector fell off"
    later.put(sound(0, 2 * RATE), 1)
    rig.scheduler.process([later])
    assert {point["stream"] for point in rig.told("point")} == {"b/customer"}


def test_it_takes_what_is_due_and_what_stalls_until_it_is_cancelled(rig: Rig) -> None:
    async def talk() -> None:
        hearing = asyncio.create_task(rig.scheduler.run())
        buffer = rig.add_leg()
        buffer.put(Lost("customer", 0, 3_000, "gone"), 1)  # not enough to wake anybody, and nothing follows
        buffer.put(sound(3_000, 160), 1)
        await eventually(lambda: bool(rig.told("gap")))
        buffer.end()
        await eventually(lambda: bool(rig.told("end")))
        assert rig.scheduler.leg_count == 0
        hearing.cancel()

    asyncio.run(talk())


def test_a_turn_is_short_and_says_that_there_is_more(rig: Rig) -> None:
    buffers = [rig.add_leg(f"{number}/customer") for number in range(AT_ONCE + 3)]
    for buffer in buffers:
        buffer.put(sound(0, RATE), 1)
    assert rig.scheduler.look()
    assert len({point["stream"] for point in rig.told("point")}) == AT_ONCE
    for _ in range(100):
        if not rig.scheduler.look():
            break
    assert len({point["stream"] for point in rig.told("point")}) == len(buffers)


def test_legs_that_were_silent_for_hours_take_few_points_at_a_time_and_hold_up_nobody(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_ser.calls.leg_scheduler.TURN_S", 0.0)  # a look is one round
    silent = [rig.add_leg(f"{number}/customer", FakeDetector()) for number in range(10)]
    for buffer in silent:
        buffer.put(Lost("customer", 0, 600 * RATE, "silence"), 1)
    speaking = rig.add_leg("speaking/customer", FakeDetector((0, 10**9)))
    speaking.put(sound(0, RATE), 1)
    looks = 0
    while not [point for point in rig.told("point") if point["stream"] == "speaking/customer"]:
        before = len(rig.told("point"))
        assert rig.scheduler.look()
        assert len(rig.told("point")) - before < MISSING_HOPS + GAP_HOPS + 2
        looks += 1
    assert looks <= len(silent) + 1, "the one that speaks waits for more than one piece of each that was silent"
    while rig.scheduler.look():
        pass
    assert len(rig.told("point")) == 10 * 600 * 16_000 // HOP + 1


def test_a_leg_whose_engine_does_not_answer_is_left_alone_and_holds_nobody_up(rig: Rig) -> None:
    rig.backend.go.clear()  # the engine is stuck
    stuck, other = rig.add_leg("a/customer", FakeDetector((0, 10**9))), rig.add_leg("b/customer")
    for second in range(60):
        stuck.put(Sound("customer", second * RATE, NOISE[:RATE]), 1)
        rig.scheduler.look()
    assert not stuck.stream.has_room  # type: ignore[attr-defined]
    other.put(sound(0, RATE // 2 + 100), 1)
    began = time.monotonic()
    rig.scheduler.look()
    assert time.monotonic() - began < 1.0
    assert {point["stream"] for point in rig.told("point")} >= {"b/customer"}
    rig.backend.go.set()
    stuck.end()
    until = time.monotonic() + 60
    while not rig.told("end") and time.monotonic() < until:
        rig.scheduler.look()
    (end,) = rig.told("end")
    assert end["duration_s"] == 60.0, "what found no room is a gap"


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("missing", [3, 160])  # native frames: of those, good ones lie between as many
def test_a_leg_of_many_pieces_takes_its_turns_and_leaves_time_to_the_others(rig: Rig, missing: int) -> None:
    good, broken = rig.add_leg("a/customer"), rig.add_leg("b/customer")
    spoiled = np.where(np.arange(4 * RATE) // missing % 2, NOISE[: 4 * RATE], np.float32(np.nan))
    broken.put(Sound("customer", 0, spoiled), 1)
    turns = 0
    for at in range(0, 4 * RATE, RATE):
        good.put(sound(at, RATE), 1)
    while rig.scheduler.look():
        turns += 1
        assert turns < 1000
    assert len([point for point in rig.told("point") if point["stream"] == "a/customer"]) == 7
    assert len([point for point in rig.told("point") if point["stream"] == "b/customer"]) >= 6
    assert len(rig.told("gap")) <= BURST + 4 * GAPS_A_SECOND + 8
    assert missing < 80 or turns >= 1, "a leg of so many items was taken in one turn"
    broken.end()
    rig.scheduler.look()
    assert [end["duration_s"] for end in rig.told("end")] == [4.0]


def test_what_comes_while_a_look_is_left_unfinished_is_taken_after_it(rig: Rig) -> None:
    buffer = rig.add_leg()
    for at in range(0, 4 * RATE, 400):
        buffer.put(Lost("customer", at, at + 100, f"reason {at}"), 1)
        buffer.put(sound(at + 100, 300), 1)
    rig.scheduler.process([buffer], most=5)
    assert buffer.queued
    buffer.put(sound(4 * RATE, RATE), 1)
    buffer.end()
    while rig.scheduler.look():
        pass
    (end,) = rig.told("end")
    assert end["duration_s"] == 5.0
    assert rig.scheduler.leg_count == 0
