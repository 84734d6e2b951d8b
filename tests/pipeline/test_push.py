"""Pushed sound on an engine that obeys the test: what waits, what gives way, and what is said when it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stream_ser.audio.source import SourceInfo
from stream_ser.engine.worker import Worker
from stream_ser.errors import ConfigError, EngineError, SourceError
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.following import PointCollector
from stream_ser.pipeline.push import PushStream
from stream_ser.pipeline.stream import Stream
from stream_ser_models.card import find, read_card
from tests.fakes import FakeBackend, FakeDetector

HOP, WINDOW = 4_000, 32_000
SPOKEN = np.full(WINDOW, 0.1, np.float32)


class Rig:
    def __init__(self) -> None:
        self.backend, self.hub = FakeBackend(), Hub()
        self.worker = Worker(lambda: self.backend)
        self.worker.start()
        self.infos: list[SourceInfo] = []

    def make(self, info: SourceInfo, collector: PointCollector) -> Stream:
        self.infos.append(info)
        vad = FakeDetector((0, 10**9))
        card = read_card(find("tfcnn-attention"))
        stream = Stream(info, card, self.worker, self.hub, vad, stream=info.name, hop=HOP, observer=collector)
        stream.open()
        return stream

    def stream(self, rate: int = 16_000, live: bool = False) -> PushStream:
        return PushStream("s", rate, live, self.make)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.backend.go.set()
    rig.worker.stop()


def test_points_come_in_order_and_once(rig: Rig) -> None:
    stream = rig.stream()
    points = stream.push(SPOKEN) + stream.push(SPOKEN, wait=True) + stream.push(SPOKEN[:0]) + stream.flush()
    assert [point.end for point in points] == list(range(HOP, 2 * WINDOW + 1, HOP))
    assert stream.position_s == 4.0
    assert stream.flush() == []


def test_sound_that_may_not_be_lost_waits_for_the_model(rig: Rig) -> None:
    stream = rig.stream()
    stream.push(SPOKEN[:-HOP])
    rig.backend.go.clear()
    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(stream.push, np.tile(SPOKEN, 2))  # 16 windows, and at most 4 wait
        assert rig.backend.entered.acquire(timeout=60)
        assert not pushing.done()
        rig.backend.go.set()
        points = pushing.result(timeout=60) + stream.flush()
    assert [point.end for point in points] == list(range(8 * HOP, 23 * HOP + 1, HOP))
    assert {point.state for point in points} <= {"speech", "uncertain"}, "nothing was dropped"


def test_a_live_stream_does_not_wait_and_tells_of_what_gave_way(rig: Rig) -> None:
    stream = rig.stream(live=True)
    stream.push(SPOKEN[:-HOP])
    rig.backend.go.clear()
    assert stream.push(SPOKEN[:HOP]) == []
    assert rig.backend.entered.acquire(timeout=60)
    assert stream.push(np.tile(SPOKEN[:HOP], 10)) == []  # comes back although the engine stands still
    rig.backend.go.set()
    points = stream.flush()
    assert len(points) == 11
    assert [point.state for point in points].count("stale") == 9
    assert rig.infos[0].live


def test_lost_sound_is_told_and_time_goes_on(rig: Rig) -> None:
    stream = rig.stream(rate=8_000)
    points = stream.lose(8_000, "a packet was lost") + stream.push(np.zeros((8_000, 2)), wait=True) + stream.flush()
    assert [point.state for point in points] == ["stale"] * 4 + ["warming"] * 4
    assert [point.end for point in points] == list(range(HOP, 8 * HOP + 1, HOP))
    assert stream.position_s == 2.0
    with pytest.raises(ConfigError, match="0 frames cannot be missing"):
        stream.lose(0)


def test_an_engine_that_breaks_is_said_at_the_next_call_and_ever_after(rig: Rig) -> None:
    stream = rig.stream()
    rig.backend.breaks_at = 1
    with pytest.raises(EngineError, match="the device fell off the bus"):
        stream.push(SPOKEN, wait=True)
    with pytest.raises(ConfigError, match="'s' is over"):
        stream.push(SPOKEN)
    assert stream.flush() == []


def test_an_engine_that_breaks_is_said_by_flush(rig: Rig) -> None:
    stream = rig.stream()
    rig.backend.go.clear()
    stream.push(SPOKEN)
    rig.backend.breaks_at = 1
    rig.backend.go.set()
    with pytest.raises(EngineError, match="the device fell off the bus"):
        stream.flush()


@pytest.mark.parametrize("end", [PushStream.flush, lambda stream: stream.push(SPOKEN)])
def test_two_threads_at_once_are_refused(rig: Rig, end: Callable[[PushStream], object]) -> None:
    stream = rig.stream()
    stream.push(SPOKEN[:-HOP])
    rig.backend.go.clear()
    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(stream.push, SPOKEN)
        assert rig.backend.entered.acquire(timeout=60)
        with pytest.raises(ConfigError, match="two threads push into the stream 's'"):
            end(stream)
        rig.backend.go.set()
        pushing.result(timeout=60)
    stream.close()


def test_close_from_another_thread_ends_who_waits(rig: Rig) -> None:
    stream = rig.stream()
    stream.push(SPOKEN[:-HOP])
    rig.backend.go.clear()
    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(stream.push, np.tile(SPOKEN, 2))
        assert rig.backend.entered.acquire(timeout=60)
        stream.close()
        with pytest.raises(ConfigError, match="closed"):
            pushing.result(timeout=60)
    rig.backend.go.set()


def test_what_is_no_sound_changes_nothing(rig: Rig) -> None:
    stream = rig.stream()
    stream.push(SPOKEN[:HOP])
    for wrong in (np.full(10, np.nan), np.zeros(10, np.int64), b"\0\0"):
        with pytest.raises(SourceError):
            stream.push(wrong)
    with pytest.raises(ConfigError, match="a block of 2 channels came after blocks of 1"):
        stream.push(np.zeros((10, 2)))
    assert stream.push(SPOKEN[:HOP], wait=True)[-1].end == 2 * HOP
    stream.close()
