"""From an event loop to a monitor and back: the points are those of the recording, and the loop never waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stream_ser.api import Monitor, PushStream
from stream_ser.errors import EngineError
from stream_ser.integrations.tap import AudioTap
from stream_ser.types import Point


@pytest.fixture(scope="module")
def monitor() -> Iterator[Monitor]:
    with Monitor(model="cnn-bilstm") as made:
        yield made


def blocks(path: Path, frames: int = 320) -> list[bytes]:
    samples, _ = soundfile.read(path, dtype="int16")
    return [samples[at : at + frames].tobytes() for at in range(0, len(samples), frames)]


def told(points: list[Point]) -> list[tuple[Any, ...]]:
    return [(point.start, point.end, point.state, point.label, point.raw, point.smoothed) for point in points]


async def test_the_points_are_those_of_the_recording(monitor: Monitor, talk: Path) -> None:
    heard: list[Point] = []

    async def deliver(point: Point) -> None:
        heard.append(point)

    tap = AudioTap(monitor, "user", deliver, most_s=60.0)
    for block in blocks(talk):
        tap.take(block, 16_000, 1)
    await tap.finish()
    await tap.close()
    assert told(heard) == told(list(monitor.analyze(talk)))
    assert (tap.lost_s, tap.error) == (0.0, None)


async def test_points_come_while_the_voice_goes_on(monitor: Monitor, talk: Path) -> None:
    first = asyncio.Event()

    async def deliver(point: Point) -> None:
        first.set()

    tap = AudioTap(monitor, "early", deliver)
    for block in blocks(talk)[:13]:  # 0.26 s, a hop of 0.25
        tap.take(block, 16_000, 1)
    await asyncio.wait_for(first.wait(), 20.0)
    await tap.close()
    await tap.close()


async def test_sound_that_is_too_much_is_a_gap_and_the_loop_does_not_wait(
    monitor: Monitor, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Point] = []
    goes_on = threading.Event()
    push = PushStream.push

    def slow(self: PushStream, block: object, *, wait: bool = False) -> list[Point]:
        assert goes_on.wait(20.0)
        return push(self, block, wait=wait)

    monkeypatch.setattr(PushStream, "push", slow)

    async def deliver(point: Point) -> None:
        heard.append(point)

    tap = AudioTap(monitor, "slow", deliver, most_s=1.0)
    for block in blocks(talk):
        tap.take(block, 16_000, 1)
    assert tap.lost_s == pytest.approx(11.0, abs=0.1)
    assert len(tap._waiting) <= 52, "what waits is bounded, and what is missing is one entry"
    goes_on.set()
    await tap.finish()
    assert heard[-1].t == pytest.approx(12.0, abs=0.3), "time goes on over what is missing"
    assert {point.state for point in heard if point.t > 2.0} == {"stale"}


async def test_another_rate_begins_another_stream(monitor: Monitor, talk: Path) -> None:
    heard: list[Point] = []

    async def deliver(point: Point) -> None:
        heard.append(point)

    tap = AudioTap(monitor, "moved", deliver, most_s=60.0)
    for block in blocks(talk)[:100]:
        tap.take(block, 16_000, 1)
    stereo = np.repeat(np.frombuffer(b"".join(blocks(talk)[:100]), dtype=np.int16), 2).tobytes()
    tap.take(stereo, 24_000, 2)
    await tap.finish()
    assert list(dict.fromkeys(point.stream for point in heard)) == ["moved", "moved-2"]


async def test_what_breaks_ends_the_points_and_not_the_agent(
    monitor: Monitor, talk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> list[Point]:
        raise EngineError("the engine is gone", fix="start again")

    monkeypatch.setattr(PushStream, "push", broken)

    async def deliver(point: Point) -> None:
        raise AssertionError

    tap = AudioTap(monitor, "broken", deliver)
    for block in blocks(talk)[:50]:
        tap.take(block, 16_000, 1)
        await asyncio.sleep(0)
    await tap.finish()
    assert isinstance(tap.error, EngineError)
    assert [record.getMessage() for record in caplog.records] == [
        "no more emotion of broken: the engine is gone; start again"
    ]
    tap.take(blocks(talk)[0], 16_000, 1)
    await tap.close()
