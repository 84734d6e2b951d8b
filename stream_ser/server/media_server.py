"""All connections that bring sound: served, supervised, and sent away.

One event loop. A connection that says nothing for too long is closed; so is one that has not said what it is in time. Each
ends with its own call and disturbs no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from stream_ser.calls.events import CallProtocol, Opened, PassedOver
from stream_ser.calls.protocols.audiohook import DRAIN, STOPPED
from stream_ser.feed.turn_share import Use
from stream_ser.server.batched_websocket import Pace, SoundConnection
from stream_ser.server.call_follower import CallFollower
from stream_ser.server.goodbye import SETTLE_S, Peer, end, tell
from stream_ser.server.limits import SECOND_NS, ConnectionLimit, Slot
from stream_ser.server.media_session import MediaSession
from stream_ser.server.rejection import POLICY, RESTART, UNREADABLE, Refusal, close_code, close_reason, log_refusal
from stream_ser.server.services import Services
from stream_ser.server.tenants import Tenant
from stream_ser.server.tokens import Grant
from stream_ser.server.websocket import CountingConnection

TOGETHER = 25  # messages taken at once: half a second of a call
SUPERVISE_S = 1.0
DEAD_S = 3.0  # without a message, after which another connection may go on with a call: telephony sends 50 a second
PART_S = 1.0  # how long who was refused, or told to go, gets to say its last word, where its protocol has one
MAKES_WAY_S = 0.5  # after which one that has not said whose it is makes way: who has a token says so at once
TOLD_S = 10.0  # how long it is told that such ones were refused


@dataclass(slots=True)
class _Seat:
    peer: Peer
    slot: Slot
    address: str
    identified: bool


class MediaServer:
    """Serves sound for one server."""

    def __init__(self, services: Services, limit: ConnectionLimit) -> None:
        self._services, self._limit = services, limit
        few = services.config.limits
        self._unidentified = ConnectionLimit(few.unidentified, few.unidentified_of_address, unidentified=True)
        self._turned_away_ns = 0  # when one that was not identified found no place, last
        self.policy, self.stalls = services.policy, services.watch.stalls
        self.burst_s = services.config.limits.burst_s
        self.call_s = services.config.limits.call_h * 3600.0
        self.sessions: dict[MediaSession, _Seat] = {}
        self._seconds = 0.0
        self._pace = Pace(services.config.processes)
        self._closing: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()

    @property
    def count(self) -> int:
        """How many connections there are."""
        return self._limit.count + self._unidentified.count

    @property
    def full(self) -> str | None:
        """Why callers are refused that show their token at the door; None where they are not."""
        full = self._limit.count >= self._services.config.limits.connections
        return f"there are {self._limit.count} connections, the limit, and callers are refused" if full else None

    @property
    def crowded(self) -> str | None:
        """Who else is refused; None where nobody was of late."""
        ago_s = (time.monotonic_ns() - self._turned_away_ns) / SECOND_NS
        lately = self._turned_away_ns and ago_s <= TOLD_S
        return "callers that show no token at the door are refused: too many say nothing" if lately else None

    @property
    def seconds(self) -> float:
        """Seconds of sound that came, missing ones included, over all connections."""
        return self._seconds + sum(_seconds(session) for session in tuple(self.sessions))

    def tenant_of(self, token: str | None) -> Tenant | Refusal:
        """Whose call it is, by a token that came inside the protocol."""
        return self._services.tenant_of(token)

    def count_refusal(self, refusal: Refusal, door: str, peer: str | None = None) -> None:
        """Count a refusal of a connection that speaks the protocol ``door``, and log it."""
        self._services.refusals.count(refusal.reason)
        log_refusal(door, refusal.reason, peer)

    def count_passed_over(self, event: PassedOver) -> None:
        """Count what could not be used, of a call that goes on."""
        self._services.passed_over.count(event.kind, event.count)

    def no_room_to_follow(self) -> Refusal | None:
        """Why a connection cannot be sent what the feed says of its call; None where it can."""
        return self._services.no_room_to_subscribe()

    def fallen_silent(self, tenant: Tenant, opened: Opened, now_ns: int) -> MediaSession | None:
        """The connection that has an open call of that name, where it seems dead and the call may go on with another."""
        call = tenant.calls.get(opened.call)
        if call is None or not call.goes_on_with(opened):
            return None
        holder = next((session for session in self.sessions if session.call is call and not session.over), None)
        return holder if holder is not None and self.silent_s(holder, now_ns) > DEAD_S else None

    def silent_s(self, session: MediaSession, now_ns: int) -> float:
        """For how long nothing came that we could have read; a ping is a word too, once there is a call to keep."""
        peer = self.sessions[session].peer
        pinged_ns = peer.pinged_ns if isinstance(peer, CountingConnection) and session.call is not None else 0
        return (now_ns - max(session.heard_ns, pinged_ns, self.stalls.ended_ns)) / SECOND_NS

    def replace(self, session: MediaSession) -> None:
        """Send away a connection whose call another one has taken over."""
        refusal = Refusal("taken-over", "the call goes on with another connection, for this one was silent")
        self.count_refusal(refusal, session.door)
        self._close(self.sessions[session].peer, POLICY, close_reason(refusal), session.refuse(refusal))

    def send_away(self, session: MediaSession, refusal: Refusal, code: int = POLICY) -> None:
        """End a connection, and the call that it has."""
        self.count_refusal(refusal, session.door)
        session.lost(refusal.reason)
        self._close(self.sessions[session].peer, code, close_reason(refusal), session.refuse(refusal))

    def settle(self, session: MediaSession, tenant: str) -> Refusal | None:
        """Count a connection that named its tenant late with its tenant's, or say why there is no place."""
        seat = self.sessions[session]
        found = self._limit.enter(tenant)
        if isinstance(found, Refusal):
            return found
        seat.slot.release()
        seat.slot, seat.identified = found, True
        return None

    def enter(
        self, protocol: CallProtocol, grant: Grant | None, peer: Peer, address: str = ""
    ) -> tuple[MediaSession, contextlib.ExitStack] | Refusal:
        """Make room for a connection; the stack gives it back. ``address`` is where one comes from that is not identified."""
        slot = self._wait_outside(address) if grant is None else self._limit.enter(grant.tenant)
        if isinstance(slot, Refusal):
            self.count_refusal(slot, type(protocol).__name__.lower())
            return slot
        tenant = None if grant is None else self._services.tenants.get(grant.tenant)
        session = MediaSession(self, protocol, tenant)
        self.sessions[session] = _Seat(peer, slot, address, grant is not None)
        leaving = contextlib.ExitStack()
        leaving.callback(self._forget, session)
        return session, leaving

    def _wait_outside(self, address: str) -> Slot | Refusal:
        """A place for one that has not said whose it is; where there is none, that of one that has said nothing for a while."""
        full = self._unidentified.full(address)
        silent = None if full is None else self._makes_way(full, address)
        if silent is not None:
            self.send_away(silent, Refusal("made-way", "it was not said whose this is, and others wait to say so"))
            self.sessions[silent].slot.release()
        slot = self._unidentified.enter(address)
        if isinstance(slot, Refusal):
            self._turned_away_ns = time.monotonic_ns()
        return slot

    def no_place_outside(self, address: str) -> Refusal | None:
        """Why one that has not said whose it is need not even shake hands; None where there is a place, or one makes way."""
        full = self._unidentified.full(address)
        if full is None or self._makes_way(full, address) is not None:
            return None
        self._turned_away_ns = time.monotonic_ns()
        return full

    def _makes_way(self, full: Refusal, address: str) -> MediaSession | None:
        """The oldest of those that have not said whose they are, of the address where that has too many, if it was silent."""
        of_address = full.reason == "too-many-of-address"
        for session, seat in self.sessions.items():  # the oldest first
            if not (seat.identified or session.over or (of_address and seat.address != address)):
                silent_ns = time.monotonic_ns() - max(session.opened_ns, self.stalls.ended_ns)
                return session if silent_ns > MAKES_WAY_S * SECOND_NS else None
        return None

    async def serve(
        self, connection: ServerConnection, protocol: CallProtocol, grant: Grant | None, address: str = ""
    ) -> None:
        """Serve one websocket until it is over. ``address`` is where it comes from, by what a proxy says too."""
        entered = self.enter(protocol, grant, connection, address)
        if isinstance(entered, Refusal):
            await end(
                connection, close_code(entered), close_reason(entered), protocol.refuse(entered.reason, entered.text)
            )
            return
        session, leaving = entered
        # Whoever is silent for too long is closed by ``supervise``, which knows of our stalls.
        connection.ping_timeout = None
        with leaving, self._read_by(session):
            if isinstance(connection, SoundConnection) and session.one_way:
                await self._listen(connection, session)
            else:
                await self._converse(connection, session)

    async def _converse(self, connection: ServerConnection, session: MediaSession) -> None:
        """Serve one that is answered, and that may be sent the call's messages too."""
        share, use = self._services.share, Use()
        following = CallFollower(self._services.subscribers, connection)
        with following:
            async for data in connection:
                replies, refusal = await share.run(functools.partial(session.receive, data), use)
                for reply in replies:
                    await connection.send(reply)
                if refusal is not None:
                    await self._part(connection, session)
                    await following.finish()
                    await connection.close(close_code(refusal), close_reason(refusal))
                    return
                following.begin(session)
                if session.over:
                    await following.finish()
                    await connection.close()
                    return
            session.closed()

    async def _part(self, connection: ServerConnection, session: MediaSession) -> None:
        """Hear one that was refused out, where its protocol lets it have the last word but one."""
        if not session.courteous:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PART_S):
                while not (replies := session.part(await connection.recv())):
                    pass
                for reply in replies:
                    await connection.send(reply)

    async def _listen(self, connection: SoundConnection, session: MediaSession) -> None:
        """Serve one that never answers: the same, but for what it costs."""
        refused: list[Refusal] = []

        def take(messages: Sequence[str | bytes], came_ns: int) -> bool:
            for at in range(0, len(messages), TOGETHER):
                refusal = session.receive_all(messages[at : at + TOGETHER], came_ns)
                if refusal is not None:
                    refused.append(refusal)
                if refused or session.over:
                    return False
            return True

        await connection.deliver(take, self._pace)
        if refused:
            await connection.close(close_code(refused[0]), close_reason(refused[0]))
        elif session.over:
            await connection.close()
        else:
            session.closed()

    @contextlib.contextmanager
    def _read_by(self, session: MediaSession) -> Iterator[None]:
        """Count what the websocket library refused before anybody here could see it."""
        try:
            yield
        except ConnectionClosed as closed:
            name = None if closed.sent is None or closed.rcvd_then_sent else UNREADABLE.get(closed.sent.code)
            if name is not None:
                self.count_refusal(Refusal(name, ""), session.door)
                session.lost(f"refused: {name}")

    async def supervise(self) -> None:
        """Close who says nothing. Runs until it is cancelled."""
        limits = self._services.config.limits
        while True:
            await asyncio.sleep(SUPERVISE_S)
            now = time.monotonic_ns()
            for session in tuple(self.sessions):
                late = self.silent_s(session, now)
                since = max(session.opened_ns, self.stalls.ended_ns)
                without = 0.0 if session.call is not None else (now - since) / SECOND_NS
                most = limits.open_s if session.call is None else limits.idle_s
                if session.over or (late <= most and without <= max(limits.open_s, limits.idle_s)):
                    continue
                why = ("silent", f"nothing came for {late:.0f} s") if late > most else ("no-call", "no call was opened")
                self.send_away(session, Refusal(*why))

    async def leave(self, within_s: float) -> None:
        """Say goodbye, and wait until they have gone; cut who stays for longer than ``within_s``."""
        await self._say(DRAIN)
        await self._wait_until_empty(within_s)
        await self._say(STOPPED)
        if any(session.courteous for session in self.sessions):
            await self._wait_until_empty(PART_S)
        for session, seat in tuple(self.sessions.items()):
            session.lost("server stopped")
            self._close(seat.peer, RESTART, "the server restarts: connect again")
        await self._wait_until_empty(SETTLE_S)

    async def _wait_until_empty(self, within_s: float) -> None:
        self._empty = asyncio.Event()
        if not self.sessions:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), within_s)

    def _close(self, peer: Peer, code: int, reason: str, last: Sequence[str | bytes] = ()) -> None:
        closing = asyncio.create_task(end(peer, code, reason, last))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _say(self, reason: str) -> None:
        """Say goodbye to everyone at once: who reads nothing must not keep it from the others."""
        telling = [
            asyncio.create_task(tell(seat.peer, session.leave(reason)))
            for session, seat in tuple(self.sessions.items())
            if reason != DRAIN or isinstance(seat.peer, ServerConnection)  # over TCP a goodbye would end the call
        ]
        if telling:
            _, late = await asyncio.wait(telling, timeout=SETTLE_S)
            for task in late:
                task.cancel()

    def _forget(self, session: MediaSession) -> None:
        self._seconds += _seconds(session)
        self.sessions.pop(session).slot.release()
        if not self.sessions:
            self._empty.set()
        if not session.over:
            session.lost()


def _seconds(session: MediaSession) -> float:
    return session.frames / session.rate
