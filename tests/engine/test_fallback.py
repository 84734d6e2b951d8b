from __future__ import annotations

import pytest

from stream_ser.engine.backend import Backend
from stream_ser.engine.fallback import Candidate, FallbackChain, StepDown, UnavailableError
from stream_ser.errors import EngineError
from tests.fakes import FakeBackend


def refuses(what: str) -> Backend:
    raise EngineError(what, fix="do something")


def absent() -> Backend:
    raise UnavailableError("not here", fix="install it")


def test_the_first_engine_that_can_be_had_is_taken_and_the_others_say_why() -> None:
    found = FakeBackend()
    fallback_chain = FallbackChain(
        [
            Candidate("graph", lambda: refuses("no device")),
            Candidate("cpu", lambda: found),
            Candidate("slow", FakeBackend),
        ]
    )
    assert fallback_chain.next() is found
    assert fallback_chain.steps == [StepDown("graph", "no device", "refused")]


def test_what_broke_is_left_for_the_next_and_never_tried_again() -> None:
    first, second = FakeBackend(), FakeBackend()
    fallback_chain = FallbackChain(
        [Candidate("one", lambda: first), Candidate("two", absent), Candidate("three", lambda: second)]
    )
    assert fallback_chain.next() is first
    assert fallback_chain.next(RuntimeError("off the bus\nat line 3"), "one") is second
    assert fallback_chain.steps == [
        StepDown("one", "RuntimeError: off the bus", "broke"),
        StepDown("two", "not here", "absent"),
    ]
    with pytest.raises(EngineError, match="one: RuntimeError: off the bus; two: not here; three: worn out"):
        fallback_chain.next(EngineError("worn out", fix="buy another"), "three")


def test_a_broken_programme_is_no_reason_to_step_down() -> None:
    def wrong() -> Backend:
        raise TypeError("a mistake of ours")

    with pytest.raises(TypeError, match="mistake"):
        FallbackChain([Candidate("one", wrong), Candidate("two", FakeBackend)]).next()
