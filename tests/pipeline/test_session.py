from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from stream_ser.audio.source import Item, Notice
from stream_ser.engine.worker import Worker
from stream_ser.errors import SourceError
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.session import Session
from stream_ser.pipeline.stream import Stream
from stream_ser.text.listener import Listener
from stream_ser.text.recogniser import Recogniser
from stream_ser.types import Block, Gap, SourceInfo, Word
from stream_ser_models.card import find, read_card
from tests.fakes import FakeBackend, FakeClock, FakeDetector

HOP, WINDOW = 4_000, 32_000


class Fed:
    """A source that yields what the test puts in; ``live`` ones may not be waited for."""

    def __init__(self, live: bool) -> None:
        kind = "microphone" if live else "recording"
        self.info = SourceInfo(kind, "test", 16_000, 1, None, live)  # type: ignore[arg-type]
        self.items: queue.Queue[Item | Exception | None] = queue.Queue()
        self.position = 0

    def put(self, samples: int, value: float = 0.1) -> None:
        self.items.put(Block(self.position, np.full(samples, value, dtype=np.float32), arrived_ns=1))
        self.position += samples

    def gap(self, samples: int, reason: str) -> None:
        self.items.put(Gap(self.position, self.position + samples, reason))
        self.position += samples

    def __iter__(self) -> Iterator[Item]:
        while (item := self.items.get(timeout=60)) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        self.items.put(None)


class Rig:
    def __init__(
        self,
        live: bool = False,
        speech: tuple[int, int] = (0, 10**9),
        listener: Recogniser | None = None,
        clock: FakeClock | None = None,
        **options: Any,
    ) -> None:
        self.backend, self.hub, self.source = FakeBackend(), Hub(), Fed(live)
        self.worker = Worker(lambda: self.backend, FakeClock())
        self.messages: list[dict[str, Any]] = []
        self.arrived = threading.Condition()
        self.hub.attach(self._arrive)
        self.worker.start()
        card = read_card(find("tfcnn-attention"))
        vad = FakeDetector(speech)
        self.stream = Stream(
            self.source.info,
            card,
            self.worker,
            self.hub,
            vad,
            stream="s",
            hop=HOP,
            listener=None if listener is None else Listener(listener, vad),
            clock_ns=clock or FakeClock(),
            broken=self.source.close,
            **options,
        )
        self.session = Session(self.source, self.stream)

    def _arrive(self, message: dict[str, Any]) -> None:
        with self.arrived:
            self.messages.append(message)
            self.arrived.notify_all()

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.of(kind)) >= count, 10.0), (
                f"no {count} {kind}: {self.messages}"
            )
            return self.of(kind)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]


@pytest.fixture
def make() -> Iterator[Any]:
    rigs: list[Rig] = []

    def build(**options: Any) -> Rig:
        rigs.append(Rig(**options))
        return rigs[-1]

    yield build
    for rig in rigs:
        rig.backend.go.set()
        rig.session.stop()
        rig.worker.stop()


def test_points_and_gaps_leave_in_the_order_of_the_sound(make: Any) -> None:
    rig = make()
    rig.session.start()
    rig.source.put(WINDOW + HOP)
    rig.source.gap(HOP, "overflow")
    rig.source.items.put(Notice("warning", "the device was lost"))
    rig.source.put(WINDOW + HOP)
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    body = [message for message in rig.messages if message["type"] in ("point", "gap")]
    assert [message["end"] for message in body] == sorted(message["end"] for message in body)
    assert [m["seq"] for m in rig.messages[1:]] == list(range(1, len(rig.messages)))
    states = [message.get("state", "gap") for message in body]
    assert states.index("gap") == states.index("stale") - 1
    assert rig.of("notice")[0]["text"] == "the device was lost"
    end = rig.of("end")[0]
    assert (end["reason"], end["points"], end["dropped"]) == ("finished", len(rig.of("point")), 0)


def test_live_sound_does_not_wait_and_a_dropped_window_leaves_a_stale_point(make: Any) -> None:
    rig = make(live=True)
    rig.backend.go.clear()
    rig.session.start()
    rig.source.put(WINDOW)
    assert rig.backend.entered.acquire(timeout=60)
    for _ in range(3):
        rig.source.put(HOP)
    rig.source.items.put(Notice("info", "all is fed"))
    rig.wait_for("notice")
    rig.backend.go.set()
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    states = [point["state"] for point in rig.of("point")][-4:]
    assert states[1:3] == ["stale", "stale"]
    assert "stale" not in (states[0], states[3])
    assert rig.of("end")[0]["dropped"] == 2


def test_a_recording_waits_for_a_slow_device_and_loses_nothing(make: Any) -> None:
    rig = make()
    rig.backend.go.clear()
    rig.session.start()
    rig.source.put(WINDOW + 20 * HOP)
    rig.source.items.put(None)
    assert rig.backend.entered.acquire(timeout=60)
    assert not rig.session.wait(0.05)
    rig.backend.go.set()
    assert rig.session.wait(10.0)
    assert rig.of("end")[0]["dropped"] == 0
    assert len(rig.of("point")) == (WINDOW + 20 * HOP) // HOP


def test_paused_live_sound_is_a_gap_and_is_not_analysed(make: Any) -> None:
    rig = make(live=True)
    rig.session.start()
    rig.session.pause()
    rig.source.put(WINDOW)
    points = rig.wait_for("point", WINDOW // HOP)
    assert {point["state"] for point in points} == {"paused"}
    assert rig.of("gap")[0]["reason"] == "paused"
    assert rig.of("notice")[0]["text"] == "paused"
    assert rig.backend.runs == 0
    rig.session.resume()
    rig.source.put(WINDOW)
    assert rig.wait_for("point", 2 * WINDOW // HOP)[-1]["state"] not in ("paused", "warming")
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    rig.session.pause()  # nobody is there to be told any more
    assert rig.messages[-1]["type"] == "end"


def test_a_mark_is_published_where_it_was_made_and_not_after_the_end(make: Any) -> None:
    rig = make()
    rig.session.start()
    rig.source.put(WINDOW)
    rig.wait_for("point", WINDOW // HOP)
    assert rig.session.position == WINDOW
    assert rig.session.mark(WINDOW - 7, "a door slams")
    (mark,) = rig.of("mark")
    assert (mark["stream"], mark["at"], mark["text"]) == ("s", WINDOW - 7, "a door slams")
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    assert not rig.session.mark(0, "too late")
    assert rig.messages[-1]["type"] == "end"


def test_missing_sound_is_told_in_stretches_of_a_hop(make: Any) -> None:
    rig = make(live=True)
    rig.session.start()
    for _ in range(2 * HOP // 160):
        rig.source.gap(160, "the device was lost")
    rig.source.gap(160, "paused")
    rig.source.put(HOP)
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    told = [(gap["start"], gap["end"], gap["reason"]) for gap in rig.of("gap")]
    lost = "the device was lost"
    assert told == [(0, HOP, lost), (HOP, 2 * HOP, lost), (2 * HOP, 2 * HOP + 160, "paused")]


def test_an_engine_that_gives_no_numbers_ends_the_stream_with_its_reason(make: Any) -> None:
    rig = make()
    rig.session.start()
    rig.source.put(WINDOW, value=np.nan)
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    assert rig.of("end")[0]["reason"] == "error"
    assert "nan" in rig.of("end")[0]["error"]


def test_a_broken_source_ends_the_stream_with_its_reason(make: Any) -> None:
    rig = make()
    rig.session.start()
    rig.source.put(WINDOW)
    rig.source.items.put(SourceError("the file is truncated", fix="copy it again"))
    assert rig.session.wait(10.0)
    end = rig.of("end")[0]
    assert (end["reason"], end["error"]) == ("error", "the file is truncated; copy it again")
    assert len(rig.of("point")) == WINDOW // HOP, "what was heard before is kept"
    assert isinstance(rig.session.error, SourceError)


def test_a_broken_engine_ends_the_stream_with_its_reason(make: Any) -> None:
    rig = make()
    rig.backend.breaks_at = 2
    rig.session.start()
    rig.source.put(WINDOW + 10 * HOP)
    assert rig.session.wait(10.0)
    end = rig.of("end")[0]
    assert end["reason"] == "error"
    assert "fell off the bus" in end["error"]


@pytest.mark.parametrize("busy", [False, True])
def test_stop_ends_a_stream_in_under_a_second(make: Any, busy: bool) -> None:
    rig = make()
    rig.session.start()
    if busy:
        rig.backend.go.clear()
        rig.source.put(WINDOW + 50 * HOP)
        assert rig.backend.entered.acquire(timeout=60)
    rig.session.stop()
    rig.worker.stop(timeout=0.01)
    assert rig.session.wait(1.0)
    assert rig.of("end")[0]["reason"] == "stopped"


class Slow:
    """A recogniser whose every call takes ``seconds`` of the fake clock."""

    name = "slow"

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self.clock, self.seconds, self.heard, self.closed = clock, seconds, 0, False

    def hear(self, samples: np.ndarray, end: int) -> None:
        self.clock.ns += round(self.seconds * 1e9)
        self.heard += len(samples)
        self.end = end

    def rest(self) -> None:
        pass

    def words(self, until: int, span: int) -> list[Word]:
        return [Word("secret", max(until - span, until - 5), until)]

    def reset(self, at: int) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def listen(make: Any, live: bool, seconds: float) -> tuple[Rig, Slow]:
    """Four seconds of speech in blocks of 0.1 s that arrive in time, whatever the recogniser is doing."""
    clock = FakeClock()
    slow = Slow(clock, seconds)
    rig = make(live=live, listener=slow, clock=clock)
    began = clock.ns
    rig.session.start()
    for number in range(40):
        rig.source.items.put(
            Block(1600 * number, np.full(1600, 0.1, dtype=np.float32), began + (number + 1) * 100_000_000)
        )
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    return rig, slow


def test_a_recogniser_that_is_too_slow_gives_way_to_live_sound(make: Any) -> None:
    rig, slow = listen(make, live=True, seconds=0.5)  # a block of 32 ms takes 0.5 s
    assert 0 < slow.heard < 30_000
    notices = [message["text"] for message in rig.of("notice")]
    assert len(notices) == 2, "told once when it begins, and once at the end"
    assert "too slow" in notices[0]
    assert "of speech" in notices[1]
    assert not rig.of("gap")
    assert sum(point["end"] for point in rig.of("point")) == sum(range(HOP, 64_001, HOP)), "no hop is missing"
    assert slow.closed


@pytest.mark.parametrize(("live", "seconds"), [(False, 0.5), (True, 0.001)])
def test_a_recording_waits_for_its_words_and_a_fast_recogniser_hears_all(make: Any, live: bool, seconds: float) -> None:
    rig, slow = listen(make, live, seconds)
    assert slow.heard == 64_000
    assert not rig.of("notice")
    assert slow.closed


def test_words_are_published_only_when_asked_for(make: Any) -> None:
    for show in (False, True):
        rig = make(listener=Slow(FakeClock(), 0.0), show_text=show)
        rig.session.start()
        rig.source.put(WINDOW)
        rig.source.items.put(None)
        assert rig.session.wait(10.0)
        assert rig.of("hello")[0]["text"] == "slow"
        assert ("secret" in str(rig.messages)) == show


def test_a_notice_about_words_follows_the_hello(make: Any) -> None:
    rig = make(notice="no recogniser is installed")
    rig.session.start()
    rig.source.items.put(None)
    assert rig.session.wait(10.0)
    assert [message["type"] for message in rig.messages[:2]] == ["hello", "notice"]
