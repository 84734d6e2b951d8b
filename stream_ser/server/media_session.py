"""One connection that brings sound, whatever it speaks: from its first byte to the end of its call.

Everything runs in the server's event loop. The transport is a websocket or a TCP connection; the call protocol knows its bytes,
the call knows what to do. What a protocol or a limit refuses ends the connection with its name, and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from stream_ser.calls.call import Call, Policy
from stream_ser.calls.events import (
    CallProtocol,
    Closed,
    Event,
    Lost,
    Opened,
    PassedOver,
    Paused,
    RefusedError,
    Resumed,
    Sound,
)
from stream_ser.feed.hub import Hub
from stream_ser.server.limits import SECOND_NS, RateLimit, call_length, position
from stream_ser.server.loop_watch import Stalls
from stream_ser.server.message_limits import MessageLimit
from stream_ser.server.rejection import Refusal
from stream_ser.server.tenants import Tenant

_log = logging.getLogger("stream_ser.server")


class SessionHost(Protocol):
    """What a connection asks of the server."""

    policy: Policy
    burst_s: float
    call_s: float
    stalls: Stalls  # of the server: nobody else is to blame for them

    def tenant_of(self, token: str | None) -> Tenant | Refusal:
        """Whose call it is, by the token that came inside the protocol."""

    def fallen_silent(self, tenant: Tenant, opened: Opened, now_ns: int) -> MediaSession | None:
        """The connection that has an open call of that name, where it seems dead and the call may go on with another."""

    def replace(self, session: MediaSession) -> None:
        """Send away a connection whose call another one has taken over."""

    def settle(self, session: MediaSession, tenant: str) -> Refusal | None:
        """Count a connection that named its tenant late with its tenant's, or say why there is no place."""

    def no_room_to_follow(self) -> Refusal | None:
        """Why a connection cannot be sent what the feed says of its call; None where it can."""

    def count_refusal(self, refusal: Refusal, door: str) -> None:
        """Count a refusal of a connection that speaks the protocol ``door``, and log it."""

    def count_passed_over(self, event: PassedOver) -> None:
        """Count what could not be used, of a call that goes on."""


@runtime_checkable
class OneWay(Protocol):
    """A protocol that never answers, so that what came together can be taken together."""

    def receive_all(self, messages: Sequence[str | bytes]) -> Iterator[Event]:
        """See ``CallProtocol.receive``, for one message after another; gives events before it refuses a later message."""


@runtime_checkable
class Holding(Protocol):
    """A protocol that may hold sound back, until it is in order or until it is clear what it is."""

    def finish(self) -> list[Event]:
        """What it still holds of a connection that is gone."""


@runtime_checkable
class EndsByClosing(Protocol):
    """A protocol whose calls end, in good order, with the connection; ``closing_means`` is the call's reason then."""

    closing_means: str


@runtime_checkable
class Courteous(Protocol):
    """A protocol in which the other side closes after it was refused."""

    def part(self, data: str | bytes) -> list[str | bytes]:
        """Take a message after ``refuse``; gives the last words once it is the one that was waited for."""


class MediaSession:
    """The state of one connection. ``receive`` what came and send what it gives; ``lost`` when the connection is gone.

    ``tenant`` is known where the handshake said it.
    """

    def __init__(
        self,
        host: SessionHost,
        protocol: CallProtocol,
        tenant: Tenant | None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._host, self._protocol, self._tenant, self._now_ns = host, protocol, tenant, now_ns
        self._one_way = protocol if isinstance(protocol, OneWay) else None
        self.call: Call | None = None
        self.heard_ns = self.opened_ns = now_ns()
        self._unseen_ns = host.stalls.unseen_ns  # then
        self.over = False  # the other side has said goodbye, or was refused
        self.frames, self.rate = 0, 1  # native frames of all legs, for the metrics, and how many are a second
        self._offset = 0  # native frames of the call before this connection took it over
        self._messages = MessageLimit(self.opened_ns, host.stalls.total_ns, host.burst_s)
        self._rates: dict[str, RateLimit] = {}
        self._positions: dict[str, int] = {}

    def receive(self, data: str | bytes) -> tuple[list[str | bytes], Refusal | None]:
        """Take one message; gives what is to be sent, and why the connection is to be closed, if it is."""
        if self.over:
            return [], None  # what was on its way when the call ended
        now = self.heard_ns = self._now_ns()
        refusal = None
        try:
            self._allow(1, len(data), now)
            self._take_all(self._protocol.receive(data), 1, now, now)
        except RefusedError as error:
            refusal = self._refused(Refusal(error.code, error.text))
        refusal = refusal or self._too_long(now)
        return (self._protocol.replies() if refusal is None else self.refuse(refusal)), refusal

    def receive_all(self, messages: Sequence[str | bytes], came_ns: int) -> Refusal | None:
        """Take messages of a one-way protocol that came together, not before ``came_ns``: the same as ``receive`` for each."""
        assert self._one_way is not None
        if self.over:
            return None
        now = self.heard_ns = self._now_ns()
        try:
            self._allow(len(messages), sum(map(len, messages)), now)
            self._take_all(self._one_way.receive_all(messages), len(messages), now, came_ns)
        except RefusedError as error:
            return self._refused(Refusal(error.code, error.text))
        return self._too_long(now)

    @property
    def one_way(self) -> bool:
        """Whether nothing is ever answered: ``receive_all`` is for these."""
        return self._one_way is not None

    @property
    def follows(self) -> Hub | None:
        """The hub of which the connection asked to be sent what it says of the open call."""
        return self._tenant.feed if self._tenant and self.call is not None and self.call.opened.feed else None

    def is_of(self, tenant: str, call: str) -> bool:
        """Whether it has this call."""
        return (
            self.call is not None
            and self.call.name == call
            and self._tenant is not None
            and self._tenant.name == tenant
        )

    @property
    def door(self) -> str:
        """What it speaks, for the log."""
        return type(self._protocol).__name__.lower() if self.call is None else self.call.opened.protocol

    def refuse(self, refusal: Refusal) -> list[str | bytes]:
        """What to send where the connection ends by a refusal."""
        return self._protocol.refuse(refusal.reason, refusal.text)

    @property
    def courteous(self) -> bool:
        """Whether the other side has still a word to say after it was refused."""
        return isinstance(self._protocol, Courteous)

    def part(self, data: str | bytes) -> list[str | bytes]:
        """Take a message of one that was refused; gives the last words, nothing while it has not said its own."""
        return self._protocol.part(data) if isinstance(self._protocol, Courteous) else []

    def leave(self, reason: str) -> list[str | bytes]:
        """What to send when this side must go."""
        return self._protocol.leave(reason)

    def lost(self, reason: str = "connection lost") -> None:
        """The connection is gone; a call that nobody closed ends here."""
        if self.call is not None and not self.over and isinstance(self._protocol, Holding):
            now = self._now_ns()
            with contextlib.suppress(RefusedError):  # it is over all the same
                for event in self._protocol.finish():
                    self._take(event, now, now)
        self.over = True
        if self.call is not None:
            self.call.close(reason)

    def closed(self) -> None:
        """The other side has closed the connection in good order."""
        self.lost(self._protocol.closing_means if isinstance(self._protocol, EndsByClosing) else "connection lost")

    def _refused(self, refusal: Refusal) -> Refusal:
        self._host.count_refusal(refusal, self.door)
        self.lost(f"refused: {refusal.reason}")
        return refusal

    def _too_long(self, now: int) -> Refusal | None:
        refusal = call_length(self.opened_ns, now, self._host.call_s)
        return None if refusal is None else self._refused(refusal)

    def _allow(self, messages: int, size: int, now: int) -> None:
        refusal = self._messages.take(messages, size, now, self._host.stalls.total_ns)
        if refusal is not None:
            raise RefusedError(refusal.reason, refusal.text)

    def _take_all(self, events: Iterable[Event], messages: int, now: int, came_ns: int) -> None:
        """Take what so many messages say."""
        heard = False
        for event in events:
            if isinstance(event, Paused | Resumed):
                refusal = self._messages.pause(now)
                if refusal is not None:
                    raise RefusedError(refusal.reason, refusal.text)
            heard = heard or isinstance(event, Sound)
            self._take(event, now, came_ns)
            if self.over:
                return
        refusal = None if heard else self._messages.take_without_sound(messages, now, self._host.stalls.total_ns)
        if refusal is not None:
            raise RefusedError(refusal.reason, refusal.text)

    def _take(self, event: Event, now: int, came_ns: int) -> None:
        match event:
            case Opened():
                self._open(event, now)
            case Sound() | Lost():
                self._hear(event, now, came_ns)
            case Paused():
                if self.call is not None:
                    self.call.pause()
            case Resumed():
                if self.call is not None:
                    self.call.resume()
            case PassedOver():
                self._host.count_passed_over(event)
                if self.call is not None and self.call.pass_over(event):
                    told = {"protocol": self.call.opened.protocol, "kind": event.kind}
                    _log.warning("part of a call is passed over", extra=told)
            case Closed():
                self.over = True
                if self.call is not None:
                    self.call.close(event.reason)

    def _open(self, opened: Opened, now: int) -> None:
        tenant = self._tenant or self._host.tenant_of(opened.token)
        if isinstance(tenant, Refusal):
            raise RefusedError(tenant.reason, tenant.text)
        full = None if self._tenant is not None else self._host.settle(self, tenant.name)
        full = full or (self._host.no_room_to_follow() if opened.feed else None)
        if full is not None:
            raise RefusedError(full.reason, full.text)
        self._tenant = tenant
        self.rate = opened.rate
        self._rates = {
            leg.name: RateLimit(opened.rate, self._host.burst_s, now, self._host.stalls.total_ns) for leg in opened.legs
        }
        earlier = self._host.fallen_silent(tenant, opened, now)
        if earlier is not None:
            self._take_over(earlier, tenant, now)
            return
        call = Call(opened, tenant, self._host.policy, tenant.leave)
        tenant.enter(call)
        self.call, self.opened_ns = call, now
        purpose = self._host.policy.agents_purpose
        analysed = [leg.role for leg in opened.legs if self._host.policy.analyses(leg)]
        _log.info(
            "call opened",
            extra={
                "tenant": tenant.name,
                "protocol": opened.protocol,
                "consent": opened.consent,
                "analysed": analysed,
                "timed": [leg.role for leg in opened.legs if self._host.policy.times(leg)],
                "agents_purpose": purpose if "agent" in analysed else None,
            },
        )

    def _take_over(self, earlier: MediaSession, tenant: Tenant, now: int) -> None:
        """Go on with the call of a connection that seems dead, behind a gap as long as nothing came from it."""
        self.call, self.opened_ns, self._positions = earlier.call, earlier.opened_ns, earlier._positions
        self._unseen_ns = earlier._unseen_ns
        silent_ns = now - earlier.heard_ns
        self._offset = max(self._positions.values(), default=0) + silent_ns * self.rate // SECOND_NS
        earlier.over, earlier.call = True, None
        self._host.replace(earlier)
        _log.info("call taken over", extra={"tenant": tenant.name, "silent_s": round(silent_ns / SECOND_NS, 1)})

    def _hear(self, event: Sound | Lost, now: int, came_ns: int) -> None:
        if self.call is None:
            return
        if self._offset:
            event = event.moved(self._offset)
        end = event.end if isinstance(event, Lost) else event.start + len(event.samples)
        ahead = end - self._positions.get(event.leg, 0)
        if ahead > 0:  # after a long pause much may be lost at once, but positions may not run ahead of the clock
            rate, burst_s = self.call.opened.rate, self._host.burst_s
            heard = 0 if isinstance(event, Lost) else min(ahead, len(event.samples))
            stalls = self._host.stalls
            passed_ns = now - self.opened_ns + stalls.unseen_ns - self._unseen_ns
            refusal = self._rates[event.leg].take(heard, now, stalls.total_ns) or position(
                end, rate, burst_s, passed_ns
            )
            if refusal is not None:
                raise RefusedError(refusal.reason, refusal.text)
            self._positions[event.leg] = end
            self.frames += ahead
        self.call.sound(event, came_ns)
