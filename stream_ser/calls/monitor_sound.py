"""Sound that pages and programs bring to a monitor, by the plain protocol at the feed's port: each connection is a stream.

``live`` and ``replay`` show such a stream beside their own. A page says in the hello's ``parameters`` what it brings:
``source`` is ``microphone`` (live: what is not taken in time is lost) or ``recording`` (waited for, so it may come as fast as
it is taken), ``name`` names the stream, ``device`` what is heard, ``duration_s`` how long a recording is.

Threads: everything of a connection runs in the feed's event loop; each stream has a session's thread of its own, which this
class ends. Nothing is analysed unless the hello says that consent was given, and nothing of the sound is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from stream_ser.audio.pushed import PushedSource
from stream_ser.calls.call import Policy
from stream_ser.calls.events import Closed, Event, Lost, Opened, Paused, RefusedError, Resumed, Sound
from stream_ser.calls.protocols.plain import Plain
from stream_ser.errors import StreamSerError, as_person_error
from stream_ser.pipeline.runtime import Runtime
from stream_ser.pipeline.session import Session
from stream_ser.types import SourceInfo

MOST = 8  # connections at once
OPEN_S = 10.0  # for the hello
PATIENCE_S = 0.2  # for the sessions' threads to end
REFUSED = 1008  # close code
LONGEST_REASON = 120  # bytes of a close frame's reason
MICROPHONE = "microphone"
POLICY = Policy(consent_required=True)


class MonitorSound:
    """Takes sound for the streams of ``runtime``. ``close`` ends them all."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._connections: set[_Connection] = set()  # in the event loop
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()  # guards what follows against ``close``
        self._sessions: dict[str, Session] = {}  # that are not over, by stream
        self._closed = False

    @property
    def full(self) -> str | None:
        """Why nobody more can bring sound."""
        if not self._runtime.worker.engine:
            return "The model is being loaded. Try again in a moment."
        if len(self._connections) < MOST:
            return None
        return f"There are {MOST} connections that bring sound, the limit. End one."

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection until it is over, and tell it why where it is ended from this side."""
        served = _Connection(self, connection)
        self._connections.add(served)
        try:
            with contextlib.suppress(ConnectionClosed):
                await served.run()
        finally:
            self._connections.discard(served)
            served.gone.set()

    async def leave(self, within_s: float) -> None:
        """Wait until everyone was told that the streams have ended; after ``close``, in the event loop."""
        leaving = tuple(self._connections)
        for connection in leaving:
            connection.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                for connection in leaving:
                    await connection.gone.wait()

    def close(self) -> None:
        """End every stream."""
        with self._lock:
            self._closed = True
            sessions = list(self._sessions.values())
        for session in sessions:
            session.stop()
        until = time.monotonic() + PATIENCE_S
        for session in sessions:
            session.wait(max(0.0, until - time.monotonic()))

    def begin(self, opened: Opened, source: PushedSource) -> tuple[str, Session]:
        """Begin a stream of a name of its own. Raises RefusedError. Loads a detector: not for an event loop."""
        with self._lock:
            self._sessions = {name: session for name, session in self._sessions.items() if not session.over}
            name = self._name(opened)
            try:
                if self._closed:
                    raise RefusedError("ended", "this monitor has ended")
                session = self._runtime.session(source, name, f"{name}#page {next(self._numbers)}")
                session.start()
            except StreamSerError as error:
                raise RefusedError("no-room", str(error)) from error
            self._sessions[name] = session
            return name, session

    def _name(self, opened: Opened) -> str:
        """Never that of a stream of the monitor's own, which may end and come again: the suffix keeps them apart."""
        wanted = opened.parameters.get("name") or MICROPHONE
        suffixes = ("browser" if number == 1 else f"browser {number}" for number in itertools.count(1))
        return next(name for suffix in suffixes if (name := f"{wanted} ({suffix})") not in self._sessions)


class _Connection:
    """One connection and its stream, in the event loop."""

    def __init__(self, owner: MonitorSound, connection: ServerConnection) -> None:
        self._owner, self._connection = owner, connection
        self._loop = asyncio.get_running_loop()
        self._protocol = Plain()
        self._source: PushedSource | None = None
        self._session: Session | None = None
        self._room, self._over = asyncio.Event(), asyncio.Event()  # of the source: look again; it is closed
        self.gone = asyncio.Event()  # nothing more is said to it

    async def run(self) -> None:
        """Take what comes until either side ends it."""
        receiving = asyncio.create_task(self._receive())
        ended = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait((receiving, ended), return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                await receiving
            else:
                await self._refuse(RefusedError("stream-ended", self._why_ended()))
        except RefusedError as error:
            await self._refuse(error)
        finally:
            for task in (receiving, ended):
                task.cancel()
            if self._source is not None:
                self._source.end()  # what was brought is still heard to its end

    def leave(self) -> None:
        """End what has no stream yet; one that has ends with its stream."""
        if self._session is None:
            self._over.set()

    async def _receive(self) -> None:
        """Take messages. Raises RefusedError, ConnectionClosed."""
        while True:
            try:
                async with asyncio.timeout(OPEN_S if self._session is None else None):
                    data = await self._connection.recv()
            except TimeoutError:
                raise RefusedError("no-hello", f"no hello came within {OPEN_S:.0f} s") from None
            for event in self._protocol.receive(data):
                if isinstance(event, Closed):
                    await self._answer()
                    return
                await self._take(event)
            await self._answer()

    async def _answer(self) -> None:
        for reply in self._protocol.replies():
            await self._connection.send(reply)

    async def _take(self, event: Event) -> None:
        if isinstance(event, Opened):
            await self._open(event)
            return
        source, session = self._source, self._session
        assert source is not None
        assert session is not None
        match event:
            case Sound():
                await self._wait_for_room(source)
                source.push(event.decoded)
            case Lost():
                source.lose(event.end - event.start, event.reason)
            case Paused():
                session.pause()
            case Resumed():
                session.resume()

    async def _open(self, opened: Opened) -> None:
        POLICY.admit(opened)
        if len(opened.legs) > 1:
            raise RefusedError("two-voices", "two channels came, and a stream here has one; mix them, or bring one")
        self._protocol.replies()  # ours says which stream it is
        source = self._source = PushedSource(_info(opened), self._told)
        name, self._session = await asyncio.to_thread(self._owner.begin, opened, source)
        await self._connection.send(json.dumps({"type": "accepted", "call": opened.call, "stream": name}))

    async def _wait_for_room(self, source: PushedSource) -> None:
        """Of a recording nothing is lost: nothing more is read while its stream is behind."""
        while not (source.info.live or source.has_room or source.closed):
            self._room.clear()
            if not source.has_room:  # by now
                await self._room.wait()

    def _told(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._room.set()
        if self._source is not None and self._source.closed:
            self._over.set()

    def _why_ended(self) -> str:
        if self._session is None:
            return "this monitor has ended"
        error = self._session.error
        return "the stream was ended at the monitor" if error is None else str(as_person_error(error))

    async def _refuse(self, error: RefusedError) -> None:
        for reply in self._protocol.refuse(error.code, error.text):
            await self._connection.send(reply)
        reason = f"{error.code}: {error.text}".encode()[:LONGEST_REASON].decode(errors="ignore")
        await self._connection.close(REFUSED, reason)


def _info(opened: Opened) -> SourceInfo:
    told = opened.parameters
    recording = told.get("source") == "recording"
    try:
        length = float(told.get("duration_s", ""))
    except ValueError:
        length = 0.0
    name = told.get("device") or told.get("name") or MICROPHONE
    known = recording and 0 < length < float("inf")
    return SourceInfo(
        "recording" if recording else "microphone", name, opened.rate, 1, length if known else None, not recording
    )
