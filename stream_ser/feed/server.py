"""The websocket feed: everything the hub publishes, to any number of programs and pages; and a page, at ``/``, that shows it.

Thread ownership: ``FeedServer`` owns one thread with one event loop, from ``start`` to ``stop``. ``start``, ``stop``
and ``stats`` belong to whoever made the server; every coroutine runs in the loop. The hub's publishers only ever wake
the loop and never wait for it.

What each subscriber is sent, and when it is cut, is decided in ``stream_ser.feed.subscriber``; here are the port, the
handshake and the end. Whoever sends a large message is closed with 1009. Where somebody takes sound (``SoundTaker``), pages
of this server and programs may bring it at ``/v1/audio``.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from stream_ser.errors import FeedError
from stream_ser.feed.acknowledge import ACKNOWLEDGE_PATH, UnknownAlertError, acknowledge
from stream_ser.feed.admission import FEED_PATH, HEALTH_PATH, SOUND_PATH, refusal, sound_refusal, wrong_host
from stream_ser.feed.filters import parse
from stream_ser.feed.hub import Hub
from stream_ser.feed.server_thread import listen, run
from stream_ser.feed.subscriber import BUFFER_CUT, Subscribers
from stream_ser.web import assets

SEND_BUFFER = 16 * 1024  # bytes asked of the kernel for each connection: more would only be stale messages
FRAME_LIMIT = 1024  # bytes a subscriber may send at once
SOUND_LIMIT = 65_536  # bytes of a message where sound is taken
BACKLOG = 128  # connections that may wait to be taken
CLOSE_S = 1.0  # how long a closing handshake may take
OPEN_S = 10.0  # and an opening one: browsers open some in advance, and a busy machine takes its time
STOP_S = 0.5  # how long ``stop`` lets subscribers take what is queued and say goodbye

_log = logging.getLogger("stream_ser.feed")
_log.addHandler(logging.NullHandler())  # a screen may own the terminal: speak only where the user set up logging


@dataclass(frozen=True, slots=True)
class FeedStats:
    """What the feed has done so far."""

    subscribers: int  # connected now
    sent: int  # messages, over all subscribers
    dropped: int  # messages that were too much for slow subscribers
    cut: int  # subscribers that took nothing for too long
    refused: int  # connections turned away: too many, a page or name from elsewhere, a filter that makes no sense


class SoundTaker(Protocol):
    """Takes the sound that pages and programs bring. Everything here runs in the feed's event loop."""

    @property
    def full(self) -> str | None:
        """Why nobody more can bring sound; None where somebody can."""

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection that brings sound until it is over."""

    async def leave(self, within_s: float) -> None:
        """Let those who bring sound be told that it is over."""


class FeedServer:
    """Serve ``hub`` at ``ws://host:port/v1/feed`` and the page at ``http://host:port/``; port 0 lets the system choose.

    Where the port is in use, the ``spare_ports`` above it are tried in turn; ``moved_from`` then says which was meant.
    ``queue`` is how many messages a slow subscriber may be behind, ``cut_after_s`` how long it may take nothing,
    ``heartbeat_s`` how long the feed may be silent, and ``max_subscribers`` how many there may be at once. ``sound`` takes what
    pages bring; without it there is nothing at ``/v1/audio``.
    """

    def __init__(
        self,
        hub: Hub,
        host: str = "127.0.0.1",
        port: int = 8765,
        *,
        max_subscribers: int = 256,
        queue: int = 256,
        cut_after_s: float = 10.0,
        heartbeat_s: float = 15.0,
        spare_ports: int = 0,
        sound: SoundTaker | None = None,
    ) -> None:
        self._hub = hub
        self._sound = sound
        self._host = host
        self._port = port
        self._spare_ports = spare_ports
        self.moved_from: int | None = None
        self._max_subscribers = max_subscribers
        self._queue = queue
        self._cut_after_s = cut_after_s
        self._heartbeat_s = heartbeat_s
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._connections: set[ServerConnection] = set()  # from the first byte, before any handshake
        self._subscribers: Subscribers | None = None  # made in the loop
        self._refused = 0

    @property
    def url(self) -> str:
        """Where to subscribe; with the real port once started."""
        return f"ws://{_show(self._host, self._port)}/v1/feed"

    def start(self) -> tuple[str, int]:
        """Bind, serve, and return the bound address.

        Raises FeedError where the address cannot be had.
        """
        listener = self._bind()
        self._port = listener.getsockname()[1]
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: run(self._run(listener, ready), ready), name="feed", daemon=True)
        self._thread.start()
        ready.result()
        return self._host, self._port

    def stop(self) -> None:
        """Send what is queued to those who take it at once, close everyone with 1001 and end the thread; under 1 s."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    def stats(self) -> FeedStats:
        """Count. Any thread may ask."""
        if self._subscribers is None:
            return FeedStats(0, 0, 0, 0, self._refused)
        told = self._subscribers.stats()
        return FeedStats(told.subscribers, told.sent, told.dropped, told.cut, self._refused)

    def _bind(self) -> socket.socket:
        try:
            listener = self._listen()
        except (OSError, OverflowError) as error:
            in_use = getattr(error, "errno", None) == errno.EADDRINUSE
            why = "the port is in use" if in_use else str(error)
            other = _show(
                self._host if in_use else "127.0.0.1", (self._port + self._spare_ports) % 65_535 + 1 if in_use else 8765
            )
            raise FeedError(
                f"the feed cannot listen on {_show(self._host, self._port)}: {why}",
                fix=f"choose another address with `--feed {other}`, or go without with `--feed off`",
            ) from error
        # Connections inherit it. Without it a stalled subscriber holds megabytes of old points in the kernel.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return listener

    def _listen(self) -> socket.socket:
        """Listen on the port, or on the first free one of those above it that may be had. Raises OSError, OverflowError."""
        ports = [self._port, *range(self._port + 1, min(self._port + self._spare_ports, 65_535) + 1)]
        for port in ports[:-1]:
            try:
                listener = listen(self._host, port, BACKLOG)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                self.moved_from = self._port
            else:
                return listener
        return listen(self._host, ports[-1], BACKLOG)

    async def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        subscribers = Subscribers(cut_after_s=self._cut_after_s, heartbeat_s=self._heartbeat_s)
        self._subscribers = subscribers
        server = await serve(
            functools.partial(self._handle, subscribers),
            sock=listener,
            process_request=functools.partial(self._admit, subscribers),
            create_connection=functools.partial(TrackedConnection, self._connections),  # type: ignore[arg-type]
            compression=None,
            server_header=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            max_size=FRAME_LIMIT if self._sound is None else SOUND_LIMIT,
            write_limit=2 * BUFFER_CUT,  # the library's own flow control never comes to act: ours does
            logger=_log,
        )
        supervising = asyncio.create_task(subscribers.supervise())
        ready.set_result(None)
        await self._stopping.wait()
        await self._end(server, subscribers)
        supervising.cancel()

    async def _end(self, server: Server, subscribers: Subscribers) -> None:
        server.close(close_connections=False)
        leaving = [subscribers.leave(STOP_S)]
        if self._sound is not None:
            leaving.append(self._sound.leave(STOP_S))
        await asyncio.gather(*leaving)
        for connection in tuple(self._connections):
            connection.transport.abort()
        await server.wait_closed()

    def _admit(self, subscribers: Subscribers, connection: ServerConnection, request: Request) -> Response | None:
        path, mark, query = request.path.partition("?")
        arrived = str(connection.local_address[0])  # where, whatever address was asked to be listened on
        foreign = wrong_host(request.headers, arrived)
        if foreign is not None and path != HEALTH_PATH:
            self._refused += 1
            return connection.respond(*foreign)
        page = assets.answer(connection, request)
        if page is not None:
            return page
        if path == ACKNOWLEDGE_PATH:
            return self._acknowledge(request, query)
        if self._sound is not None and path in (SOUND_PATH, assets.SOUND_ADMISSION):
            return self._admit_sound(connection, request, self._sound, arrived)
        asks = path == assets.ADMISSION  # the page, before it comes
        full = len(subscribers.members) >= self._max_subscribers
        answer = refusal(
            f"{FEED_PATH}{mark}{query}" if asks else request.path,
            assets.as_page(request.headers) if asks else request.headers,
            bound_to=arrived,
            full=self._max_subscribers if full else None,
        )
        if asks:
            return assets.admission(*answer) if answer is not None else assets.admission(None)
        if answer is None:
            return None
        status, text = answer
        self._refused += status in (HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_REQUEST)
        return connection.respond(status, text)

    def _acknowledge(self, request: Request, query: str) -> Response:
        """Note that somebody has seen an alert; never for a page from elsewhere."""
        found = refusal(FEED_PATH, assets.as_page(request.headers), bound_to=self._host, full=None)
        if found is None and getattr(request, "method", "GET") != "POST":
            found = HTTPStatus.METHOD_NOT_ALLOWED, f"An alert is acknowledged by POST {ACKNOWLEDGE_PATH}.\n"
        if found is None:
            try:
                return assets.answer_json(HTTPStatus.OK, acknowledge(self._hub, query, datetime.now(UTC)))
            except UnknownAlertError as error:
                found = HTTPStatus.NOT_FOUND, f"{error}.\n"
            except FeedError as error:
                found = HTTPStatus.BAD_REQUEST, f"{error}.\n"
        self._refused += 1
        return assets.answer_refusal(*found)

    def _admit_sound(
        self, connection: ServerConnection, request: Request, sound: SoundTaker, arrived: str
    ) -> Response | None:
        asks = request.path.startswith(assets.SOUND_ADMISSION)
        headers = assets.as_page(request.headers) if asks else request.headers
        answer = sound_refusal(headers, bound_to=arrived, full=sound.full)
        if asks:
            return assets.sound_admission(*(answer or (None,)), at_once=True)
        if answer is None:
            return None
        self._refused += 1
        return connection.respond(*answer)

    async def _handle(self, subscribers: Subscribers, connection: ServerConnection) -> None:
        assert connection.request is not None
        if self._sound is not None and connection.request.path.partition("?")[0] == SOUND_PATH:
            await self._sound.serve(connection)
            return
        filters = parse(connection.request.path.partition("?")[2])
        await subscribers.serve(connection, self._hub, filters, self._queue)


class TrackedConnection(ServerConnection):
    """A connection that is known from its first byte, so that ``stop`` can also end one without a handshake."""

    def __init__(self, known: set[ServerConnection], *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._known = known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._known.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._known.discard(self)
        super().connection_lost(exc)
        self._let_go()

    def _let_go(self) -> None:
        """Break the circles of references in what the library and asyncio have of a connection that is gone.

        Left to Python's collector, those of a few thousand connections would stop everything for a tenth of a second.
        """
        vars(self.protocol).pop("select_subprotocol", None)
        self.protocol.parser.close()
        transport: Any = getattr(self, "transport", None)
        if hasattr(transport, "_read_ready_cb"):  # its own method, bound to itself
            transport._read_ready_cb = None
        for error in (self.protocol.handshake_exc, self.protocol.parser_exc):
            while error is not None:
                error.__traceback__ = None
                error = error.__cause__ or error.__context__  # type: ignore[assignment]


def _show(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
