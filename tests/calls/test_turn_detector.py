"""Agents whose turns alone are counted: the figures are those of a leg that is analysed, and nothing else is there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.audio.source import Notice
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.calls.call import Call, Policy
from stream_ser.calls.events import Frames, Leg, Lost, Opened, Sound
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.engine.worker import Worker
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.stream import Stream
from stream_ser.trajectory.leg import LegMeter
from stream_ser.types import Block, Gap, Point, SourceInfo
from stream_ser_models.card import find, read_card
from tests.calls.test_call import BOTH, HOP, RATE, CallBackend
from tests.conftest import BUNDLED
from tests.fakes import FakeBackend, FakeDetector

LENGTH_S = 24
PATIENCE_S = 60.0
# Who says which part of the bundled recording (seconds), and from when on: the agent breaks in for a second at the end.
SPOKEN = (
    ("customer", 2.5, 7.5, 2.5),
    ("agent", 10.6, 16.8, 9.0),
    ("customer", 20.0, 23.0, 16.5),
    ("agent", 2.5, 4.8, 18.0),
)
TURNS = ("duration_s", "overlap_s", "non_talk_s", "longest_non_talk_s")
TURNS_OF_LEG = ("duration_s", "talk_s", "talk_share", "silence_s", "missing_s", "gap_s", "paused_s", "interruptions")


def two_channels() -> dict[str, Frames]:
    samples, rate = soundfile.read(BUNDLED, dtype="float32")
    step = rate // RATE
    channels = {leg.name: np.zeros(LENGTH_S * RATE, dtype=np.float32) for leg in BOTH}
    for leg, start, end, at in SPOKEN:
        piece = samples[round(start * rate) : round(end * rate) : step]
        channels[leg][round(at * RATE) : round(at * RATE) + len(piece)] = piece
    return channels


class RealDetectors(CallBackend):
    """Legs go through the real voice activity detector; the test takes the scheduler's turns."""

    def __init__(self) -> None:
        super().__init__()

    def stream(self, leg: Leg, name: str, opened: Opened, observer: StreamObserver) -> Stream:
        info = SourceInfo("call", opened.protocol, opened.rate, 1, None, live=True)
        options: dict[str, Any] = {
            "stream": name,
            "hop": HOP,
            "observer": observer,
            "call": opened.call,
            "role": leg.role,
        }
        card = read_card(find("tfcnn-attention"))
        return Stream(info, card, self.worker, self.hub, VoiceActivityDetector(), **options)

    def play(self, policy: Policy, legs: tuple[Leg, ...] = BOTH, *, lost: tuple[int, int] | None = None) -> Any:
        """Have a conversation, of which seconds may be lost on the agent's side; gives the call's summary."""
        call = self.open(policy, legs)
        for leg, samples in two_channels().items():
            for at in range(0, LENGTH_S * RATE, RATE // 4):
                piece = Sound(leg, at, samples[at : at + RATE // 4])
                if lost is not None and leg == "agent" and lost[0] * RATE <= at < lost[1] * RATE:
                    call.sound(Lost(leg, at, at + RATE // 4, "discarded"), 1)
                else:
                    call.sound(piece, 1)
                self.scheduler.process(list(call._buffers.values()))
                self.settle(call)
        call.close("hung up")
        self.scheduler.process(list(call._buffers.values()))
        self.wait(call)
        ((_, summary),) = self.ended
        return summary

    def settle(self, call: Call) -> None:
        """Let the engine answer, so that no window is replaced by a newer one."""
        until = time.monotonic() + PATIENCE_S
        while any(stream._pending for stream in call._streams if isinstance(stream, Stream)):
            assert time.monotonic() < until, "the engine does not answer"
            time.sleep(0.001)


@pytest.fixture
def backends() -> Iterator[list[RealDetectors]]:
    made = [RealDetectors(), RealDetectors()]
    yield made
    for backend in made:
        backend.backend.go.set()
        backend.worker.stop()


def turns(summary: Mapping[str, Any]) -> dict[str, object]:
    legs = {name: {key: leg[key] for key in TURNS_OF_LEG} for name, leg in summary["legs"].items()}
    return {key: summary[key] for key in TURNS} | legs


@pytest.mark.parametrize("lost", [None, (11, 13)])
def test_turns_are_those_of_an_analysed_leg(backends: list[RealDetectors], lost: tuple[int, int] | None) -> None:
    analysed = backends[0].play(Policy(agents="emotion", agents_purpose="treatment of staff"), lost=lost)
    timed = backends[1].play(Policy(agents="turns"), lost=lost)
    assert turns(timed) == turns(analysed)
    agent = timed["legs"]["agent"]
    assert (agent["emotion"], agent["level_dbfs"], agent["clipped_share"]) == (None, None, None)
    assert timed["legs"]["customer"] == analysed["legs"]["customer"]


def test_who_speaks_for_how_long_is_right(backends: list[RealDetectors]) -> None:
    summary = backends[0].play(Policy(agents="turns"))
    spoken = dict.fromkeys(("customer", "agent"), 0.0)
    for leg, samples in two_channels().items():
        vad, wide = VoiceActivityDetector(), np.repeat(samples, 2)
        for at in range(0, len(wide), 32_000):
            vad.push(at, wide[at : at + 32_000])
        spoken[leg] = vad.speech_samples(0, len(wide)) / 16_000
    for leg, seconds in spoken.items():
        assert seconds > 4.0
        assert summary["legs"][leg]["talk_s"] == pytest.approx(seconds, abs=1.0), "two turns, to the nearest hop"
    assert summary["legs"]["agent"]["talk_share"] == pytest.approx(spoken["agent"] / sum(spoken.values()), abs=0.06)
    assert 0.5 <= summary["overlap_s"] <= 1.5
    assert summary["legs"]["agent"]["interruptions"] == 1
    assert 3.5 <= summary["longest_non_talk_s"] <= 5.0, "after the last word"


def test_nothing_of_the_agent_is_said_or_asked(backends: list[RealDetectors]) -> None:
    backend = backends[0]
    summary = backend.play(Policy(agents="turns"))
    assert set(summary["legs"]) == {"customer", "agent"}
    said = [message for message in backend.got if "agent" in json.dumps(without_figures(message))]
    assert [message["type"] for message in said] == ["call", "call"]
    assert [leg["stream"] for leg in said[0]["legs"]] == ["c/customer", None]
    assert backend.begun == [("c", {"c/customer": BOTH[0]}, None)]
    assert backend.scheduler.leg_count == 0


def without_figures(message: Message) -> Message:
    return {key: value for key, value in message.items() if key != "summary"}


def test_an_agent_alone_is_counted_and_the_model_never_asked(backends: list[RealDetectors]) -> None:
    summary = backends[0].play(Policy(agents="turns"), BOTH[1:])
    assert summary["legs"]["agent"]["talk_s"] > 4.0
    assert backends[0].backend.runs == 0
    assert [message["type"] for message in backends[0].got] == ["call", "call"]


class Seen:
    """A watch that keeps what it is told."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.ends = 0

    def point(self, point: Point) -> list[Message]:
        self.points.append(point)
        return []

    def end(self, position: int) -> list[Message]:
        del position
        return []

    def ended(self) -> None:
        self.ends += 1


def block(start: int, length: int, level: float = 0.0) -> Block:
    return Block(start, np.full(length, level, dtype=np.float32), 1)


def test_pauses_gaps_and_the_time_after_them_are_told_as_a_stream_would() -> None:
    seen = Seen()
    leg = TurnsOnly("agent", 8_000, 16_000, seen)
    leg.take(Notice("warning", "a device says something"))
    leg.take(block(0, 24_000))
    leg.take(Gap(24_000, 28_000, "lost", 1))
    leg.take(block(28_000, 28_000))
    leg.pause()
    leg.take(block(56_000, 8_000))
    leg.resume()
    leg.take(block(64_000, 8_000))
    states = [point.state for point in seen.points]
    assert states == ["warming", "silence", "silence", "warming", "warming", "silence", "silence", "paused", "warming"]
    assert all(point.label is None and point.raw is None and np.isnan(point.level_dbfs) for point in seen.points)
    leg.stop()
    leg.take(block(72_000, 8_000))
    leg.conclude()
    assert (len(seen.points), seen.ends, leg.over) == (9, 1, True)


LENGTHS = st.integers(1, 30_000) | st.sampled_from([1, 7_999, 8_000, 8_001, 24_000, 32_000, 40_000])
PIECES = st.lists(
    st.tuples(st.sampled_from(["sound", "sound", "sound", "lost", "paused"]), LENGTHS), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=40)
@given(PIECES, st.lists(st.integers(0, 200_000), max_size=6))
def test_whatever_comes_it_does_what_a_stream_does(pieces: list[tuple[str, int]], edges: list[int]) -> None:
    """The same hops, and each of them talk, silence or missing as for the stream that would be analysed."""
    edges = sorted(edges[: len(edges) // 2 * 2])
    speech = tuple(zip(edges[::2], edges[1::2], strict=True))
    card = read_card(find("cnn-bilstm"))
    worker = Worker(FakeBackend)
    worker.start()
    of_stream, of_turns = Seen(), Seen()
    info = SourceInfo("call", "plain", RATE, 1, None, live=True)
    stream = Stream(info, card, worker, Hub(), FakeDetector(*speech), stream="c", hop=HOP, observer=of_stream)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream_ser.calls.turn_detector.VoiceActivityDetector", lambda: FakeDetector(*speech))
        turns = TurnsOnly("c", HOP, card.window_samples, of_turns)
    stream.open()
    at = 0
    for kind, length in pieces:
        for leg in (stream, turns):
            if kind == "paused":
                leg.pause()
            leg.take(Gap(at, at + length, "lost", 1) if kind == "lost" else block(at, length, 0.1))
            leg.resume()
        at += length
    stream.take(Gap(at, at + 1, "the end", 1))  # so that it pads nothing, and tells what it held back
    turns.take(Gap(at, at + 1, "the end", 1))
    stream.conclude()
    turns.conclude()
    assert stream.wait(PATIENCE_S)
    worker.stop()
    assert doings(of_turns) == doings(of_stream)
    assert (of_turns.ends, of_stream.ends) == (1, 1)


def doings(seen: Seen) -> list[tuple[int, str]]:
    meter = LegMeter((), (), hop=HOP, emotions=False)
    return [told for point in seen.points for told in meter.add(point)]
