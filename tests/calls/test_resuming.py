"""A call that was interrupted on another server goes on here: behind a gap, on the same clock, with nothing lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from stream_ser.calls.call import Call, Policy
from stream_ser.calls.events import Leg, Lost, Opened, RefusedError, Sound
from stream_ser.calls.resuming import INTERRUPTED, MOST_HELD, resumes_at
from stream_ser.types import ResumePoint
from tests.calls.test_call import BOTH, HOP, NOW, RATE, CallBackend

BEGAN = NOW - timedelta(seconds=20)
BEFORE = {"c/customer": ResumePoint(12 * 16_000, BEGAN), "c/agent": ResumePoint(11 * 16_000, BEGAN)}


@pytest.fixture
def backend() -> Iterator[CallBackend]:
    made = CallBackend()
    yield made
    made.backend.go.set()
    made.worker.stop()


def held(backend: CallBackend, policy: Policy, legs: tuple[Leg, ...] = BOTH[:1]) -> Call:
    """A call of which nobody knows yet where it goes on; it came twenty seconds after it began elsewhere."""
    call = Call(
        Opened("c", legs, RATE, "plain", "given"), backend, policy, lambda _: backend.over.release(), lambda: NOW
    )
    call.hold()
    return call


def say(call: Call, leg: str, start_s: float, seconds: float) -> None:
    call.sound(Sound(leg, round(start_s * RATE), np.full(round(seconds * RATE), 0.1, dtype=np.float32)), 1)


def test_streams_go_on_where_they_ended_behind_a_gap_until_now(backend: CallBackend) -> None:
    call = held(backend, Policy(agents="emotion", agents_purpose="treatment of staff"), BOTH)
    for leg in ("customer", "agent"):
        say(call, leg, 0, 3)
    call.begin(BEFORE)
    for leg in ("customer", "agent"):
        say(call, leg, 3.5, 2)  # half a second is missing again
    call.close("hung up")
    backend.wait(call)
    for leg, ended_s in (("customer", 12), ("agent", 11)):
        stream = f"c/{leg}"
        (hello,) = backend.of("hello", stream=stream)
        assert datetime.fromisoformat(hello["anchor"]) == BEGAN
        gaps = [(m["start"], m["end"]) for m in backend.of("gap", stream=stream, reason=INTERRUPTED)]
        assert (gaps[0][0], gaps[-1][1]) == (ended_s * 16_000, 20 * 16_000)
        (lost,) = backend.of("gap", stream=stream, reason="not received")
        assert (lost["start"], lost["end"]) == (23 * 16_000, round(23.5 * 16_000))
        ends = [m["end"] for m in backend.of("point", stream=stream)]
        assert ends == list(range(ended_s * 16_000 + HOP, round(25.5 * 16_000) + 1, HOP))
        warming = [m["end"] for m in backend.of("point", stream=stream, state="warming")]
        assert warming[0] == 20 * 16_000 + HOP, "sound from before and after the gap is in no window together"
        assert backend.of("end", stream=stream)[0]["duration_s"] == 25.5
    (ended,) = backend.of("call", kind="ended")
    assert ended["summary"]["duration_s"] == 25.5


def test_who_is_heard_for_turns_alone_goes_on_at_the_same_moment(backend: CallBackend) -> None:
    call = held(backend, Policy(agents="turns"), BOTH)
    call.begin({"c/customer": BEFORE["c/customer"]})
    for leg in ("customer", "agent"):
        say(call, leg, 0, 4)
    call.close("hung up")
    backend.wait(call)
    legs = backend.of("call", kind="ended")[0]["summary"]["legs"]
    assert [legs[leg]["duration_s"] for leg in ("customer", "agent")] == [24.0, 24.0]


def test_what_comes_while_it_is_not_known_follows_in_order(backend: CallBackend) -> None:
    call = held(backend, Policy())
    say(call, "customer", 0, 3)
    call.pause()
    say(call, "customer", 3, 2)
    call.close("hung up")
    assert backend.got == []
    call.begin()
    backend.wait(call)
    kinds = [message["type"] for message in backend.got]
    assert (kinds[:2], kinds[-2:]) == (["call", "hello"], ["end", "call"])
    assert {gap["reason"] for gap in backend.of("gap")} == {"paused"}
    assert backend.of("end")[0]["duration_s"] == 5.0


def test_sound_that_finds_no_room_to_wait_is_a_gap(backend: CallBackend) -> None:
    call = held(backend, Policy())
    for number in range(MOST_HELD + 50):
        say(call, "customer", number / 200, 0.005)
    call.begin()
    say(call, "customer", (MOST_HELD + 50) / 200, 1)
    call.close("hung up")
    backend.wait(call)
    gaps = backend.of("gap")
    assert (gaps[0]["start"], gaps[-1]["end"]) == (MOST_HELD * 80, (MOST_HELD + 50) * 80)


def test_a_call_that_may_not_begin_leaves_nothing(backend: CallBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    call = held(backend, Policy())
    say(call, "customer", 0, 1)

    def full(*_: object) -> None:
        raise RefusedError("store-unavailable", "no room")

    monkeypatch.setattr(backend, "begin", full)
    with pytest.raises(RefusedError):
        call.begin()
    call.close("refused")
    call.sound(Lost("customer", 0, 10, "why"), 1)
    assert backend.got == []
    assert backend.scheduler.leg_count == 0
    with pytest.raises(RefusedError, match="consent"):
        Call(Opened("c", BOTH, RATE, "plain", "unknown"), backend, Policy(consent_required=True)).hold()


def test_no_leg_goes_on_before_its_own_place_whatever_the_clocks_say() -> None:
    later = datetime(2026, 11, 21, 1, tzinfo=UTC)
    points = [ResumePoint(5 * 16_000, later), ResumePoint(7 * 16_000, later)]
    assert resumes_at(points, later - timedelta(seconds=9)) == 7 * 16_000
    assert resumes_at(points, later + timedelta(seconds=9)) == 9 * 16_000
