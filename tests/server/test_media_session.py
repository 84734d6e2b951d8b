"""What a connection is held to, at times that the test makes up."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stream_ser.calls.call import Call, Policy
from stream_ser.calls.protocols.plain import Plain
from stream_ser.server.loop_watch import Stalls
from stream_ser.server.media_session import MediaSession
from stream_ser.server.rejection import Refusal
from stream_ser.server.tenants import Tenant
from tests.server.speaking import hello

RATE, SECOND = 8_000, 1_000_000_000


class Host:
    """A server that lets everybody in."""

    policy, burst_s, call_s = Policy(), 5.0, 1e6

    def __init__(self) -> None:
        self.stalls, self.refused, self.name = Stalls(), list[str](), "acme"

    def count_refusal(self, refusal: Refusal, _: str) -> None:
        self.refused.append(refusal.reason)

    def fallen_silent(self, *_: object) -> None:
        return None

    def enter(self, call: Call) -> None:
        """As a tenant: begin nothing."""

    def publish(self, message: object) -> None:
        """As a backend."""

    def end(self, *_: object) -> None:
        """As a backend."""

    def leave(self, call: Call) -> None:
        """As a tenant."""


class Clock:
    def __init__(self) -> None:
        self.now_ns = SECOND

    def __call__(self) -> int:
        return self.now_ns


def speaking() -> tuple[Host, Clock, MediaSession]:
    host, clock = Host(), Clock()
    session = MediaSession(cast(Any, host), Plain(), cast(Tenant, host), clock)
    assert session.receive(hello("c-1", "customer"))[1] is None
    return host, clock, session


def say(session: MediaSession, seconds: float) -> str | None:
    refusal = None
    for _ in range(round(10 * seconds)):
        refusal = refusal or session.receive(bytes(2 * RATE // 10))[1]
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize(("seconds", "reason"), [(4.9, None), (5.5, "too-fast")])
def test_a_long_silence_saves_up_no_more_than_the_burst(seconds: float, reason: str | None) -> None:
    """The call's length alone would let a minute of sound pass: it is the rate that refuses."""
    host, clock, session = speaking()
    clock.now_ns += 60 * SECOND
    assert say(session, seconds) == reason
    assert host.refused == ([] if reason is None else [reason])


def test_a_stall_that_no_clock_of_ours_saw_is_allowed_for_too() -> None:
    _, _, session = speaking()
    assert say(session, 4.9) is None
    session._host.stalls.total_ns += 10 * SECOND
    session._host.stalls.unseen_ns += 10 * SECOND
    assert say(session, 9.9) is None
    assert say(session, 1.0) == "too-fast"


def test_all_sound_is_counted_to_its_last_frame() -> None:
    _, clock, session = speaking()
    before = session.frames
    for seconds in (0.1, 0.4, 2.0):
        before += round(seconds * RATE)
        assert say(session, seconds) is None
        assert session.frames == before
        clock.now_ns += 10 * SECOND


def test_a_session_is_over_when_its_client_says_so() -> None:
    _, _, session = speaking()
    assert not session.over
    assert session.receive('{"type":"close"}')[1] is None
    assert session.over
