"""``python -m tests.server.neighbours.unguarded GUARD serve …``: a server without one of its guards.

A trial that passes shows that a guard works only if it fails without it. Each guard here is taken away at the place where it
stands, and named with the attackers against which it stands.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from stream_ser.audio import timeline
from stream_ser.calls import gap_limit, leg_buffer, leg_scheduler
from stream_ser.cli.main import main
from stream_ser.feed import subscriber, turn_share
from stream_ser.server import (
    app,
    batched_websocket,
    bounded_selector,
    handshakes,
    limits,
    media_server,
    media_session,
    message_limits,
    tls_start,
    websocket,
)
from tests.server.neighbours import virtual_time

ENDLESS = 1 << 40


def _no_shares() -> None:
    """Whatever was read is worked through at once."""
    turn_share.TurnShare.must_wait = lambda *_: False  # type: ignore[method-assign]
    batched_websocket.READ = batched_websocket.PIECE = 1 << 18
    tls_start.READ = 1 << 18


def _no_pings_counted() -> None:
    """Pings may come without end, and pongs pile up."""
    websocket.PINGS_A_SECOND = ENDLESS
    _no_cut()


def _no_cut() -> None:
    """Whoever reads nothing is kept, and all that it is to be sent."""
    subscriber.BUFFER_LIMIT = subscriber.BUFFER_CUT = websocket.BUFFER_CUT = app.BUFFER_CUT = ENDLESS


def _no_message_limits() -> None:
    """Messages and pauses may come without end."""
    for name in ("take", "take_without_sound", "pause"):
        setattr(message_limits.MessageLimit, name, lambda *_: None)
    media_session.MessageLimit = message_limits.MessageLimit  # type: ignore[misc]


def _no_threads() -> None:
    """What waits for a disk is waited for by the loop."""

    def run(self: asyncio.BaseEventLoop, executor: object, work: Callable[..., object], *args: object) -> object:
        done = self.create_future()
        try:
            done.set_result(work(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    asyncio.BaseEventLoop.run_in_executor = run  # type: ignore[method-assign, assignment]


def _no_handshakes_counted() -> None:
    """Handshakes may stay unfinished, as many as there are."""
    handshakes.Handshakes.begin = lambda *_: None  # type: ignore[method-assign]


def _many_handshakes_at_once() -> None:
    """All handshakes of TLS that are due are worked at in one turn."""
    tls_start.AT_ONCE = app.TAKEN_AT_ONCE = bounded_selector.MOST_EVENTS = 1_000


def _no_gaps_joined() -> None:
    """Each spoiled sample is a gap of its own, and a leg is worked at until nothing of it is left."""
    timeline.JOIN_S = 0.0
    gap_limit.GapLimit.hold = lambda _, items: iter(items)  # type: ignore[method-assign, assignment]
    leg_scheduler.ITEMS, leg_scheduler.TURN_S = ENDLESS, float("inf")


def _no_allowance_for_stalls() -> None:
    """What came while the server stood still counts as sent in one moment."""
    limits.RateLimit._allow_for = lambda *_: None  # type: ignore[method-assign, assignment]


def _no_places_apart() -> None:
    """Who has not said whose it is takes a place like any other, and keeps it."""
    media_server.MediaServer._wait_outside = lambda self, address: self._limit.enter(address)  # type: ignore[method-assign]


def _any_may_ask_why() -> None:
    """As many as like are told what points rest on."""
    sys.argv += ["--limits-why", "100000"]


def _hours_at_once() -> None:
    """Missing hours are taken in one turn, with all their points."""
    virtual_time.believe()
    leg_buffer.LOOK_HOPS = leg_buffer.GAP_HOPS = leg_scheduler.MISSING_HOPS = ENDLESS


GUARDS: dict[str, tuple[tuple[str, ...], Callable[[], None]]] = {
    "turn-share": (("chunks-that-are-none", "texts-without-sense", "small-records-of-tls"), _no_shares),
    "ping-limit": (("pings", "subscribers-that-ping"), _no_pings_counted),
    "unread-cut": (("subscribers-that-read-nothing",), _no_cut),
    "message-limits": (("pauses", "calls-that-come-and-go"), _no_message_limits),
    "threads": (("scans-of-history", "deletions", "requests", "token-rotation"), _no_threads),
    "handshake-limit": (("half-handshakes-of-tls",), _no_handshakes_counted),
    "handshakes-in-turn": (("tls-handshakes",), _many_handshakes_at_once),
    "gap-limit": (("every-second-sample", "spoiled-messages"), _no_gaps_joined),
    "stall-allowance": (("stopped-process",), _no_allowance_for_stalls),
    "places-apart": (("nobodies",), _no_places_apart),
    "why-limit": (("asks-why",), _any_may_ask_why),
    "hours-in-pieces": (("days-of-silence",), _hours_at_once),
}

if __name__ == "__main__":
    GUARDS[sys.argv.pop(1)][1]()
    sys.exit(main())
