"""Legs that are heard together: what one loses, breaks or tells as lost is nothing to the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from models.card import find, read_card
from stream_ser.audio.gate import SpeechGate
from stream_ser.audio.source import SourceInfo
from stream_ser.calls.events import Lost, Sound
from stream_ser.calls.line import Ears, Line
from stream_ser.engine.worker import Worker
from stream_ser.feed.hub import Hub
from stream_ser.stream import Stream
from tests.fakes import FakeBackend

RATE, HOP = 8_000, 8_000  # native frames in, samples between points
NOISE = np.random.default_rng(1).normal(0.0, 0.05, 60 * RATE).astype(np.float32)


class Rig:
    """Streams over one worker, and ears whose turns the test takes."""

    def __init__(self) -> None:
        self.hub, self.messages = Hub(), list[dict[str, Any]]()
        self.hub.attach(self.messages.append)
        self.worker = Worker(FakeBackend)
        self.worker.start()
        self.ears = Ears()

    def line(self, name: str = "c/customer") -> Line:
        info = SourceInfo("call", "plain", RATE, 1, None, live=True)
        card = read_card(find("cnn-bilstm"))
        stream = Stream(info, card, self.worker, self.hub, SpeechGate(), stream=name, hop=HOP)
        stream.open()
        return self.ears.line(stream, RATE)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.worker.stop()


def sound(start: int, frames: int) -> Sound:
    return Sound("customer", start, NOISE[:frames])


def test_what_is_told_as_lost_is_taken_when_a_point_is_due_and_does_not_pile_up(rig: Rig) -> None:
    line = rig.line()
    for number in range(100):  # two seconds of a paused call, as a telephone tells them
        line.put(Lost("customer", 160 * number, 160 * (number + 1), "paused"), 1)
        if line.queued:
            rig.ears.hear([line])
    assert sum(gap["end"] - gap["start"] for gap in rig.told("gap")) >= 24_000
    assert len(rig.told("point")) == 3
    assert len(line._pieces) < 50


@pytest.mark.parametrize("missing", [1, 160, 3_999])  # less than a hop
def test_legs_that_lose_a_little_disturb_nobody(rig: Rig, missing: int) -> None:
    good, holed = rig.line("a/customer"), rig.line("b/customer")
    for at in range(0, 5 * RATE, RATE):
        good.put(sound(at, RATE), 1)
        holed.put(sound(at, RATE - missing), 1)
        rig.ears.hear([good, holed])
    assert {message["stream"] for message in rig.told("gap")} == {"b/customer"}
    assert [gap["end"] - gap["start"] for gap in rig.told("gap")] == [2 * missing] * 4
    assert len([point for point in rig.told("point") if point["stream"] == "a/customer"]) >= 8
    assert not rig.told("end")


def test_a_leg_that_breaks_takes_nothing_more_and_keeps_nothing(rig: Rig) -> None:
    good, broken = rig.line("a/customer"), rig.line("b/customer")
    broken.put(Sound("customer", 0, np.array(["no", "sound"] * RATE, dtype=object)), 1)
    for at in range(0, 20 * RATE, RATE):
        good.put(sound(at, RATE), 1)
        broken.put(sound(at, RATE), 1)
        broken.put(Lost("customer", at + RATE, at + 2 * RATE, "paused"), 1)
        rig.ears.hear([good, broken])
    (end,) = rig.told("end")
    assert (end["stream"], end["reason"]) == ("b/customer", "error")
    assert (len(broken._pieces), len(broken.stream._line), rig.ears.lines) == (0, 0, 1)
    broken.end()
    rig.ears.hear([broken])
    assert len(rig.told("end")) == 1


def test_a_stream_that_was_stopped_is_forgotten(rig: Rig) -> None:
    line = rig.line()
    line.put(sound(0, 2 * RATE), 1)
    line.stream.stop()
    rig.ears.hear([line])
    assert line.over
    assert rig.ears.lines == 0
    assert len(line.stream._line) == 0


def test_a_mistake_in_hearing_ends_the_legs_that_were_heard_and_not_the_ears(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(_: object) -> None:
        raise RuntimeError("the detector fell off")

    first, later = rig.line("a/customer"), rig.line("b/customer")
    with monkeypatch.context() as patched:
        patched.setattr("stream_ser.calls.line.take_together", mistake)
        first.put(sound(0, 2 * RATE), 1)
        rig.ears.hear([first])
    (end,) = rig.told("end")
    assert end["error"] == "the detector fell off"
    later.put(sound(0, 2 * RATE), 1)
    rig.ears.hear([later])
    assert {point["stream"] for point in rig.told("point")} == {"b/customer"}
