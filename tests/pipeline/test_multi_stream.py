"""Many streams from one thread: each as it would be alone, in virtual time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stream_ser.audio.pacing import Pacer, SystemClock
from stream_ser.audio.recording import open_recording
from stream_ser.audio.source import Item
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.engine.worker import Worker
from stream_ser.errors import SourceError
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.multi_stream import Player, play, process_batch
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.pipeline.stream import Stream
from stream_ser.types import Block, Gap, Point, SourceInfo
from stream_ser_models.card import find, read_card
from tests.conftest import trajectory
from tests.fakes import FakeBackend, FakeClock, FakeDetector

HOP, WINDOW, HOP_S = 4_000, 32_000, 0.25


def test_streams_that_play_together_are_what_each_would_be_alone(talk: Path) -> None:
    def messages(names: list[str], block: int) -> dict[str, list[str]]:
        told: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        with Runtime(Options(hop_s=HOP_S, feed="off")) as runtime:
            runtime.hub.attach(lambda message: told[message["stream"]].append(message))
            players = []
            for name in names:
                source = open_recording(talk, speed=None, block=block)
                players.append(Player(runtime.stream(source.info, name, stands_still=True), iter(source)))
            assert list(play(players, HOP, Pacer(SystemClock(), 16_000, None))) == []
        return {name: trajectory([{**message, "stream": "s"} for message in told[name]]) for name in names}

    (alone,) = messages(["a"], 800).values()
    assert len(alone) > 40
    for other in messages(["a", "b", "c"], HOP).values():
        assert other == alone


class Turned:
    """A clock for a pacer that nobody waits at."""

    def __init__(self, clock: FakeClock) -> None:
        self.now_ns = clock

    def wait(self, event: threading.Event, seconds: float | None) -> bool:  # noqa: ARG002
        raise AssertionError("waited")


class Rig:
    """Streams of made-up recordings over one fake engine, played in virtual time."""

    def __init__(self, streams: int, seconds: float, limit: int = 100) -> None:
        self.clock, self.backend, self.hub = FakeClock(), FakeBackend(), Hub()
        self.worker = Worker(lambda: self.backend, self.clock, limit=limit)
        self.worker.start()
        self.messages: list[dict[str, Any]] = []
        self.hub.attach(self.messages.append)
        card = read_card(find("tfcnn-attention"))
        info = SourceInfo("recording", "made up", 16_000, 1, seconds, live=False)
        self.players = [
            Player(
                Stream(
                    info,
                    card,
                    self.worker,
                    self.hub,
                    FakeDetector((0, 10**9)),
                    stream=f"s{number}",
                    hop=HOP,
                    stands_still=True,
                    clock_ns=self.clock,
                ),
                self.sound(int(seconds * 16_000)),
            )
            for number in range(streams)
        ]

    def sound(self, samples: int) -> Iterator[Item]:
        for start in range(0, samples, HOP):
            yield Block(start, np.full(HOP, 0.1, dtype=np.float32))

    def pacer(self, speed: float | None) -> Pacer:
        """One that goes by the made-up clock."""
        return Pacer(Turned(self.clock), 16_000, speed)

    def rest(self, seconds: float) -> None:
        while self.backend.go.is_set() and any(player.stream._pending for player in self.players):
            time.sleep(0.0005)  # the engine's thread runs in real time
        self.clock.ns += int(seconds * 1e9)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]


@pytest.fixture
def make() -> Iterator[Any]:
    rigs: list[Rig] = []

    def build(*arguments: Any, **options: Any) -> Rig:
        rigs.append(Rig(*arguments, **options))
        return rigs[-1]

    yield build
    for rig in rigs:
        rig.backend.go.set()
        rig.worker.stop()


def test_paced_streams_take_the_time_that_their_sound_takes(make: Any) -> None:
    rig = make(4, 5.0)
    began = rig.clock.ns
    assert list(play(rig.players, HOP, rig.pacer(2.0), rig.rest)) == []
    assert 2.5 <= (rig.clock.ns - began) / 1e9 < 2.8
    assert len(rig.of("point")) == 4 * 20
    assert [end["reason"] for end in rig.of("end")] == ["finished"] * 4
    assert all(point["ledger"]["age_ms"] <= 8.0 for point in rig.of("point") if point["state"] == "warming")


def test_speed_and_pause_are_of_all_and_a_closed_pacer_leaves_streams_as_they_are(make: Any) -> None:
    rig = make(3, 8.0)
    pacer, began, rested = rig.pacer(2.0), rig.clock.ns, 0

    def rest(seconds: float) -> None:
        nonlocal rested
        rig.rest(seconds)
        rested += 1
        now_s = (rig.clock.ns - began) / 1e9
        if rested == 250:  # 1 s: 2 s of sound
            pacer.pause()
        elif rested == 1250:  # 5 s
            assert 3 * 7 <= len(rig.of("point")) <= 3 * 8
            pacer.resume()
            pacer.set_speed(0.5)
        elif now_s >= 9.0:  # 2 s more of sound
            pacer.close()

    assert list(play(rig.players, HOP, pacer, rest)) == []
    assert 3 * 15 <= len(rig.of("point")) <= 3 * 16
    assert rig.of("end") == []
    assert all(point["ledger"]["age_ms"] <= 8.0 for point in rig.of("point") if point["state"] == "warming")
    for player in rig.players:
        player.stream.stop()


def test_how_late_a_stream_is_heard_is_in_the_age_of_its_points(make: Any) -> None:
    rig = make(2, 4.0)

    def choked(seconds: float) -> None:
        rig.rest(0.6)  # the machine does something else, again and again

    assert list(play(rig.players, HOP, rig.pacer(1.0), choked)) == []
    ages = [point["ledger"]["age_ms"] for point in rig.of("point") if point["state"] == "warming"]
    assert max(ages) > 300
    assert [end["points"] for end in rig.of("end")] == [16, 16]


def test_a_stream_that_there_is_no_room_for_is_told_and_the_others_play(make: Any) -> None:
    rig = make(3, 1.0, limit=2)
    refused = list(play(rig.players, HOP, rig.pacer(None), rig.rest))
    assert len(refused) == 1
    assert "carries 2 streams at most" in str(refused[0])
    assert len(rig.of("end")) == 2


@pytest.mark.parametrize("error", [SourceError("the file is cut off", fix="get a complete copy"), OSError("gone")])
def test_a_source_that_breaks_ends_its_own_stream(make: Any, error: Exception) -> None:
    rig = make(2, 2.0)

    def broken() -> Iterator[Item]:
        yield Block(0, np.full(HOP, 0.1, dtype=np.float32))
        raise error

    rig.players[0].items = broken()
    assert list(play(rig.players, HOP, rig.pacer(None), rig.rest)) == []
    ends = {end["stream"]: end for end in rig.of("end")}
    assert (ends["s0"]["reason"], ends["s0"]["points"]) == ("error", 1)
    assert (ends["s1"]["reason"], ends["s1"]["points"]) == ("finished", 8)
    assert rig.players[0].stream.error is error


def test_a_stream_whose_items_do_not_join_ends_and_no_other(make: Any) -> None:
    rig = make(2, 2.0)
    good, bad = (player.stream for player in rig.players)
    for stream in (good, bad):
        stream.open()
    process_batch([(bad, Gap(77, 99, "made up")), (good, Block(0, np.full(HOP, 0.1, dtype=np.float32)))])
    process_batch([(bad, Block(5, np.zeros(10, dtype=np.float32)))])
    assert bad.wait(5.0)
    assert bad.error is not None
    assert good.error is None
    good.conclude()
    assert good.wait(5.0)
    assert rig.of("end")[-1]["reason"] == "finished"


def test_a_slow_engine_loses_nothing_of_a_recording(make: Any) -> None:
    rig = make(2, 6.0)
    rig.backend.go.clear()
    rests = 0

    def rest(seconds: float) -> None:
        nonlocal rests
        rests += 1
        rig.rest(seconds)
        if rests == 3_000:
            rig.backend.go.set()

    assert list(play(rig.players, HOP, rig.pacer(1.0), rest)) == []
    assert [(end["points"], end["dropped"]) for end in rig.of("end")] == [(24, 0), (24, 0)]


class Heard:
    """Collects the points of a leg that is heard for turns."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def point(self, point: Point) -> Iterator[Message]:
        self.points.append(point)
        return iter(())

    def end(self, _: int) -> Iterator[Message]:
        return iter(())

    def ended(self) -> None:
        """Nothing follows."""


def test_streams_that_are_taken_together_hear_what_each_hears_alone(bundled: Path) -> None:
    samples, _ = soundfile.read(bundled, dtype="float32", frames=160_000)
    sound = samples + np.float32(0.2)  # an offset, which nothing may hear
    items: list[Item] = [Block(at, sound[at : at + 2_000]) for at in range(0, 160_000, 2_000)]
    items[40] = Gap(80_000, 82_000, "lost")
    items[60:61] = [Gap(120_000, 120_320, "lost"), Block(120_320, sound[120_320:122_000])]
    alone, together = Heard(), Heard()
    one, other = (TurnsOnly("s", HOP, 8 * HOP, heard) for heard in (alone, together))
    for item in items:
        one.take(item)
        process_batch([(other, item)])
    assert [(p.start, p.end, p.state, p.speech_s) for p in together.points] == [
        (p.start, p.end, p.state, p.speech_s) for p in alone.points
    ]
    assert sum(point.state == "uncertain" for point in alone.points) > 5
