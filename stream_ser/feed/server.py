"""The websocket feed: everything the hub publishes, to any number of programs and pages.

Thread ownership: ``FeedServer`` owns one thread with one event loop, from ``start`` to ``stop``. ``start``, ``stop``
and ``stats`` belong to whoever made the server; every coroutine runs in the loop. The hub's publishers only ever wake
the loop and never wait for it.

Invariants:

- A subscriber costs at most its hub queue and about ``BUFFER_LIMIT`` bytes in the transport. Above that limit nothing
  more is sent, so what is too much is dropped from the queue, oldest first, and told of.
- A subscriber that takes nothing for ``cut_after_s`` while something is waiting is cut; the others notice nothing.
- The feed is read-only: whoever sends a message is closed with 1008, whoever sends a large one with 1009.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from stream_ser.errors import FeedError
from stream_ser.feed.admission import refusal
from stream_ser.feed.hub import Hub, Subscription

BUFFER_LIMIT = 32 * 1024  # bytes waiting in a transport above which nothing more is sent to it
BUFFER_CUT = 8 * BUFFER_LIMIT  # bytes that only a client who provokes answers and reads none can bring about
SEND_BUFFER = 16 * 1024  # bytes asked of the kernel for each connection: more would only be stale messages
FRAME_LIMIT = 1024  # bytes a subscriber may send at once
CLOSE_S = 1.0  # how long a closing handshake may take
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
    refused: int  # connections turned away: too many, or a page from elsewhere


@dataclass(eq=False, slots=True)
class _Client:
    """One connected subscriber, as the loop sees it."""

    connection: ServerConnection
    subscription: Subscription
    handler: asyncio.Task[None]
    stirred: asyncio.Event = field(default_factory=asyncio.Event)  # something to send, or to end
    gone: bool = False
    written: int = 0  # bytes given to the transport
    taken: int = 0  # bytes of those that have left it, when last looked at
    taken_at: float = 0.0  # loop time of the last look at which ``taken`` had grown or nothing was waiting


class FeedServer:
    """Serve ``hub`` at ``ws://host:port/v1/feed``; port 0 lets the system choose.

    ``queue`` is how many messages a slow subscriber may be behind, ``cut_after_s`` how long it may take nothing, and
    ``max_subscribers`` how many there may be at once.
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
    ) -> None:
        self._hub = hub
        self._host = host
        self._port = port
        self._max_subscribers = max_subscribers
        self._queue = queue
        self._cut_after_s = cut_after_s
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._connections: set[ServerConnection] = set()  # from the first byte, before any handshake
        self._clients: set[_Client] = set()
        self._woken = False
        self._sent = self._cut = self._refused = self._dropped_before = 0

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
        self._thread = threading.Thread(target=self._main, args=(listener, ready), name="feed", daemon=True)
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
        clients = list(self._clients)
        dropped = self._dropped_before + sum(client.subscription.dropped for client in clients)
        return FeedStats(len(clients), self._sent, dropped, self._cut, self._refused)

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listener = socket.create_server((self._host, self._port), family=family, backlog=128)
        except (OSError, OverflowError) as error:
            in_use = getattr(error, "errno", None) == errno.EADDRINUSE
            why = "the port is in use" if in_use else str(error)
            other = _show(self._host if in_use else "127.0.0.1", self._port % 65_535 + 1 if in_use else 8765)
            raise FeedError(
                f"the feed cannot listen on {_show(self._host, self._port)}: {why}",
                fix=f"choose another address with `--feed {other}`, or go without with `--feed off`",
            ) from error
        # Connections inherit it. Without it a stalled subscriber holds megabytes of old points in the kernel.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return listener

    def _main(self, listener: socket.socket, ready: Future[None]) -> None:
        try:
            asyncio.run(self._run(listener, ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)  # whoever called ``start`` hears of it

    async def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await serve(
            self._handle,
            sock=listener,
            process_request=self._admit,
            create_connection=functools.partial(_Tracked, self._connections),  # type: ignore[arg-type]
            compression=None,
            server_header=None,
            open_timeout=5,
            close_timeout=CLOSE_S,
            max_size=FRAME_LIMIT,
            write_limit=2 * BUFFER_CUT,  # the library's own flow control never comes to act: ours does
            logger=_log,
        )
        watch = asyncio.create_task(self._watch())
        ready.set_result(None)
        await self._stopping.wait()
        await self._end(server)
        watch.cancel()

    async def _end(self, server: Server) -> None:
        server.close(close_connections=False)
        for client in self._clients:
            client.subscription.close()  # each handler sends what is left, then closes with 1001
        if self._clients:
            await asyncio.wait([client.handler for client in self._clients], timeout=STOP_S)
        for connection in tuple(self._connections):
            connection.transport.abort()
        await server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        full = len(self._clients) >= self._max_subscribers
        answer = refusal(
            request.path, request.headers, bound_to=self._host, full=self._max_subscribers if full else None
        )
        if answer is None:
            return None
        status, text = answer
        self._refused += status in (HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
        return connection.respond(status, text)

    async def _handle(self, connection: ServerConnection) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        client = _Client(connection, self._hub.subscribe(self._queue, self._wake), handler, taken_at=self._loop.time())
        client.stirred.set()  # for the hellos
        self._clients.add(client)
        listening = asyncio.create_task(self._listen(client))
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._send(client)
                await connection.close(1001, "the feed has ended")
        finally:
            client.subscription.close()
            self._clients.discard(client)
            self._dropped_before += client.subscription.dropped
            listening.cancel()

    async def _listen(self, client: _Client) -> None:
        """Wait for the end of the connection, or bring it about: subscribers have nothing to say."""
        with contextlib.suppress(ConnectionClosed):
            await client.connection.recv()
            client.gone = True
            await client.connection.close(1008, "the feed is read-only: send nothing")
        client.gone = True
        client.stirred.set()

    async def _send(self, client: _Client) -> None:
        transport = client.connection.transport
        while not (client.gone or client.subscription.closed):
            await client.stirred.wait()
            client.stirred.clear()
            while not client.gone:
                if transport.get_write_buffer_size() > BUFFER_LIMIT:
                    await asyncio.sleep(0.02)
                    continue
                text = client.subscription.take_text()
                if text is None:
                    break
                data = text.encode()
                await client.connection.send(data, text=True)
                client.written += len(data) + 4  # and the frame's head
                self._sent += 1

    async def _watch(self) -> None:
        """Cut those who take nothing. What left a transport is what was written less what still waits."""
        while True:
            await asyncio.sleep(min(0.5, self._cut_after_s / 4))
            now = self._loop.time()
            for client in self._clients:
                waiting = client.connection.transport.get_write_buffer_size()
                taken = client.written - waiting
                if taken > client.taken or waiting == 0:
                    client.taken, client.taken_at = taken, now
                if not client.gone and (waiting > BUFFER_CUT or now - client.taken_at > self._cut_after_s):
                    self._cut += 1
                    client.gone = True
                    client.connection.transport.abort()

    def _wake(self) -> None:
        """Have the loop look at every subscription. Publishers call this; one look serves many messages."""
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is left to wake
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._woken = False  # first: what is published from here on asks for another look
        for client in self._clients:
            client.stirred.set()


class _Tracked(ServerConnection):
    """A connection that is known from its first byte, so that ``stop`` can also end one without a handshake."""

    def __init__(self, known: set[ServerConnection], *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._known = known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._known.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._known.discard(self)
        super().connection_lost(exc)


def _show(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
