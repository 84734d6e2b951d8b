from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from stream_ser.calls.call import Call, Policy
from stream_ser.calls.events import Leg, Opened, RefusedError, Sound
from stream_ser.calls.leg_buffer import LegBuffer
from stream_ser.calls.leg_scheduler import LegScheduler
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.engine.worker import Worker
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.multi_stream import StreamLike
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.stream import Stream
from stream_ser.trajectory.rules import parse_rules
from stream_ser.types import Consent, SourceInfo
from stream_ser_models.card import find, read_card
from tests.fakes import FakeBackend, FakeDetector

RATE, HOP = 8_000, 8_000
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BOTH = (Leg("customer", "customer"), Leg("agent", "agent"))
RULES = parse_rules(
    """
[[rule]]
name = "loud"
role = "any"
when = [{ label = ["angry", "happy", "neutral", "sad"], above = 0.5 }]
for_s = 0.5
[[rule]]
name = "needs a dimension"
when = [{ dimension = "valence", below = 0.0 }]
for_s = 1
""",
    "rules",
)


class CallBackend:
    """What a call needs of a server: a real hub, worker and leg scheduler, a fake engine, and a list in place of a store."""

    def __init__(self, streams: int = 8) -> None:
        self.backend, self.hub, self.scheduler = FakeBackend(), Hub(), LegScheduler()
        self.worker = Worker(lambda: self.backend, limit=streams)
        self.worker.start()
        self.got: list[dict[str, Any]] = []
        self.hub.attach(self.got.append)
        self.begun: list[tuple[str, dict[str, Leg], str | None]] = []
        self.ended: list[tuple[str, dict[str, Any] | None]] = []
        self.over = threading.Semaphore(0)

    def stream(self, leg: Leg, name: str, opened: Opened, observer: StreamObserver) -> Stream:
        info = SourceInfo("call", opened.protocol, opened.rate, 1, None, live=True)
        card = read_card(find("tfcnn-attention"))
        vad = FakeDetector((0, 10**9))
        options: dict[str, Any] = {
            "stream": name,
            "hop": HOP,
            "observer": observer,
            "call": opened.call,
            "role": leg.role,
        }
        return Stream(info, card, self.worker, self.hub, vad, **options)

    def turns(self, name: str, observer: StreamObserver) -> TurnsOnly:
        return TurnsOnly(name, HOP, read_card(find("tfcnn-attention")).window_samples, observer)

    def add_leg(self, stream: StreamLike, rate: int) -> LegBuffer:
        return self.scheduler.add_leg(stream, rate)

    def begin(self, opened: Opened, streams: Mapping[str, Leg], purpose: str | None, at: datetime) -> None:
        assert at == NOW
        self.begun.append((opened.call, dict(streams), purpose))

    def publish(self, message: dict[str, Any]) -> None:
        self.hub.publish(message)

    def end(self, call: str, summary: dict[str, Any] | None, at: datetime) -> None:
        assert self.of("call")[-1]["kind"] == "ended", "the end is published before it is stored"
        assert at == NOW
        self.ended.append((call, summary))

    def of(self, kind: str, /, **fields: object) -> list[dict[str, Any]]:
        return [m for m in self.got if m["type"] == kind and all(m[name] == value for name, value in fields.items())]

    def open(self, policy: Policy, legs: tuple[Leg, ...] = BOTH[:1], consent: Consent = "given") -> Call:
        opened = Opened("c", legs, RATE, "plain", consent)
        call = Call(opened, self, policy, lambda _: self.over.release(), lambda: NOW)
        call.begin()
        return call

    def wait(self, call: Call) -> None:
        until = time.monotonic() + 60
        while not self.over.acquire(timeout=0.0 if self.scheduler.look() else 0.005):
            assert time.monotonic() < until, f"{call.name} does not end: {self.got[-3:]}"


@pytest.fixture
def backend() -> Iterator[CallBackend]:
    made = CallBackend()
    yield made
    made.backend.go.set()
    made.worker.stop()


def speak(call: Call, seconds: float, *legs: str) -> None:
    voice = np.full(round(seconds * RATE), 0.1, dtype=np.float32)
    for leg in legs or ("customer",):
        call.sound(Sound(leg, 0, voice), 1)


def test_a_call_has_points_alerts_figures_and_one_end(backend: CallBackend) -> None:
    call = backend.open(Policy(RULES))
    speak(call, 4)
    call.close("hung up")
    call.close("again")
    backend.wait(call)
    kinds = [message["type"] for message in backend.got]
    assert kinds[:3] == ["call", "hello", "notice"]
    assert "needs a dimension" in backend.got[2]["text"]
    assert kinds[-2:] == ["end", "call"]
    assert [alert["kind"] for alert in backend.of("alert") if alert["kind"] != "updated"] == ["opened", "cleared"]
    ended = backend.of("call", kind="ended")
    assert [message["reason"] for message in ended] == ["hung up"]
    assert backend.ended == [("c", ended[0]["summary"])]
    assert ended[0]["summary"]["duration_s"] == 4.0
    assert json.dumps(ended[0]["summary"])
    assert not backend.over.acquire(timeout=0.05), "it ends once"
    assert backend.scheduler.leg_count == 0


@pytest.mark.parametrize("purpose", [None, "treatment of staff"])
def test_an_agent_is_heard_for_a_purpose_only(backend: CallBackend, purpose: str | None) -> None:
    call = backend.open(Policy(RULES, agents="emotion" if purpose else "off", agents_purpose=purpose), BOTH)
    speak(call, 3, "customer", "agent")
    call.close("hung up")
    backend.wait(call)
    agents = [message for message in backend.got if message.get("stream") == "c/agent"]
    assert bool(agents) == (purpose is not None)
    assert [leg["stream"] for leg in backend.of("call")[0]["legs"]] == ["c/customer", "c/agent" if purpose else None]
    ((_, streams, stated),) = backend.begun
    assert (set(streams), stated) == ({"c/customer", "c/agent"} if purpose else {"c/customer"}, purpose)


def test_a_purpose_is_not_claimed_where_no_agent_is_heard(backend: CallBackend) -> None:
    call = backend.open(Policy(agents="emotion", agents_purpose="treatment of staff"))
    call.close("hung up")
    backend.wait(call)
    assert backend.begun[0][2] is None


def test_an_agents_voice_alone_is_not_even_taken(backend: CallBackend) -> None:
    with pytest.raises(RefusedError) as refused:
        backend.open(Policy(), BOTH[1:])
    assert refused.value.code == "agent-not-heard"
    assert not backend.got
    for policy in (Policy(agents="turns"), Policy(agents="emotion", agents_purpose="treatment of staff")):
        call = backend.open(policy, BOTH[1:])
        call.close("hung up")
        backend.wait(call)


@pytest.mark.parametrize(
    ("consent", "required", "code"),
    [
        ("refused", False, "consent-refused"),
        ("refused", True, "consent-refused"),
        ("unknown", True, "consent-missing"),
    ],
)
def test_without_consent_nothing_is_opened(backend: CallBackend, consent: Consent, required: bool, code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        backend.open(Policy(consent_required=required), consent=consent)
    assert refused.value.code == code
    assert not backend.got
    assert not backend.begun


def test_unknown_consent_is_enough_where_none_is_required(backend: CallBackend) -> None:
    call = backend.open(Policy(), consent="unknown")
    call.close("hung up")
    backend.wait(call)


def test_a_call_without_room_for_its_second_leg_is_refused_and_ends_what_it_opened() -> None:
    backend = CallBackend(streams=1)
    with pytest.raises(RefusedError) as refused:
        backend.open(Policy(agents="emotion", agents_purpose="treatment"), BOTH)
    assert refused.value.code == "no-room"
    backend.scheduler.look()
    assert backend.over.acquire(timeout=60)
    assert [message["kind"] for message in backend.of("call")] == ["opened", "ended"]
    assert len(backend.of("end")) == 1
    assert backend.scheduler.leg_count == 0
    again = backend.open(Policy())  # nothing of it is left
    again.close("hung up")
    backend.wait(again)
    backend.worker.stop()


def test_a_mistake_of_ours_while_opening_leaves_nothing_open(
    backend: CallBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> LegBuffer:
        raise RuntimeError("no buffer")

    monkeypatch.setattr(backend, "add_leg", breaks)
    with pytest.raises(RuntimeError):
        backend.open(Policy())
    assert backend.over.acquire(timeout=60)
    assert [message["kind"] for message in backend.of("call")] == ["opened", "ended"]
    assert backend.of("end")[0]["reason"] == "stopped"


def test_stop_ends_a_call_whose_answers_never_come(backend: CallBackend) -> None:
    backend.backend.go.clear()
    call = backend.open(Policy(RULES))
    speak(call, 3)
    backend.scheduler.look()
    assert backend.backend.entered.acquire(timeout=60)
    call.close("hung up")
    backend.scheduler.look()
    assert not backend.over.acquire(timeout=0.1), "what was asked is waited for"
    call.stop("server stopped")
    backend.wait(call)
    assert backend.of("call", kind="ended")[0]["reason"] == "hung up"


def test_a_broken_engine_ends_the_streams_and_the_call_ends_when_it_is_over(backend: CallBackend) -> None:
    backend.backend.breaks_at = 1
    call = backend.open(Policy(RULES))
    speak(call, 3)
    backend.scheduler.look()
    assert backend.backend.entered.acquire(timeout=60)
    for start in range(3 * RATE, 60 * RATE, RATE):
        call.sound(Sound("customer", start, np.zeros(RATE, dtype=np.float32)), 1)
    call.close("hung up")
    backend.wait(call)
    assert backend.of("end")[0]["reason"] == "error"
    assert backend.ended[0][1] is not None


def test_nothing_is_analysed_from_a_pause_on(backend: CallBackend) -> None:
    call = backend.open(Policy(RULES))
    call.pause()
    speak(call, 3)
    call.close("hung up")
    backend.wait(call)
    assert backend.backend.runs == 0
    assert {point["state"] for point in backend.of("point")} == {"paused"}
    assert not backend.of("alert")


def test_sound_of_a_leg_that_nobody_named_is_passed_over(backend: CallBackend) -> None:
    call = backend.open(Policy())
    speak(call, 1, "somebody")
    call.close("hung up")
    backend.wait(call)
    assert not backend.of("point")


def test_another_connection_goes_on_with_a_call_of_which_it_says_the_same(backend: CallBackend) -> None:
    call = backend.open(Policy(), BOTH)
    same = replace(call.opened, token="another one", parameters={"sent": "again"})
    assert call.goes_on_with(same), "a token and what else is said may differ"
    for other in (
        replace(same, legs=BOTH[:1]),
        replace(same, rate=16_000),
        replace(same, protocol="twilio"),
        replace(same, consent="unknown"),
        replace(same, agent_purpose="training"),
        replace(same, feed=True),
    ):
        assert not call.goes_on_with(other), other
    call.pause()
    assert not call.goes_on_with(same), "it does not know of the pause"
    call.resume()
    assert call.goes_on_with(same)
    call.close("hung up")
    assert not call.goes_on_with(same)
    backend.wait(call)
