"""The call server: sound in and trajectories out on one port, for weeks.

Thread ownership: ``CallServer`` owns one thread with one event loop, from ``start`` to ``stop``, in which the leg
scheduler works too; the inference service owns the worker's, the store its writer's. Order of the end: nobody new is let
in, word to those that bring sound, their calls finished or, when the time is up, cut; then results are written, subscribers
are told to come back, and threads end. The pages for operators answer until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future

from websockets.asyncio.server import Server, ServerConnection, serve

from stream_ser.errors import ConfigError, FeedError
from stream_ser.feed.server_thread import listen, run
from stream_ser.feed.subscriber import BUFFER_CUT, Subscribers
from stream_ser.feed.turn_share import TurnShare
from stream_ser.server.audiosocket_port import AudioSocketPort
from stream_ser.server.auth import SUBPROTOCOL
from stream_ser.server.config import ServeConfig
from stream_ser.server.handshakes import Handshakes
from stream_ser.server.limits import ConnectionLimit
from stream_ser.server.media_server import MediaServer
from stream_ser.server.open_files import room_for
from stream_ser.server.routes import Routes
from stream_ser.server.services import WRITE_S, Services
from stream_ser.server.taking_part import take_part
from stream_ser.server.tls_start import TlsStart
from stream_ser.server.websocket import Admission, CountingConnection

BACKLOG = 512  # connections that may wait to be taken
TAKEN_AT_ONCE = 12  # of them in one turn: each costs some 0.1 ms, with one that makes way for it
CLOSE_S = 1.0  # how long a closing handshake may take
GOODBYE_S = 0.5  # how long subscribers get to take what is queued
NOTICES_S = 2.0  # how long webhooks and commands get for what waits
LAST_S = 3.0  # how long cut calls get to publish their end
CLOSED_S = 2.0  # how long connections get that were cut
MINUTE_S = 60.0

_log = logging.getLogger("stream_ser.server")


class CallServer:
    """Made of settings. ``start`` returns when calls may come; ``stop`` drains. Raises ConfigError for what cannot be."""

    def __init__(self, config: ServeConfig, environ: Mapping[str, str]) -> None:
        self.config = config
        self.services = Services(config, environ)
        self._tls = _tls(config)
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None
        self._since = time.monotonic()

    @property
    def url(self) -> str:
        """Where it is, with the real port once started."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}"

    @property
    def ready(self) -> str | None:
        """None where calls are welcome, or why not."""
        return self.services.ready

    def start(self) -> None:
        """Bind, load the model, open the store, serve. Raises FeedError, EngineError, StoreError, ConfigError."""
        self.services.room = room_for(self.config.limits, self._tls is not None)
        with contextlib.ExitStack() as undoing:
            listener = _bind(self.config.host, self.config.port, self.config.processes > 1)
            undoing.callback(listener.close)
            self.port = listener.getsockname()[1]
            undoing.push(self.services.open(self._gauges, self._totals))
            ready: Future[None] = Future()
            new_loop = self.services.watch.new_loop
            thread = threading.Thread(
                target=lambda: run(self._run(listener, ready), ready, new_loop), name="server", daemon=True
            )
            thread.start()
            ready.result()
            self._thread = thread
            undoing.pop_all()

    def stop(self, drain_s: float | None = None) -> None:
        """Drain for at most ``drain_s`` (the setting's, where None), store what is left, and end every thread."""
        if self._thread is None:
            return
        within = self.config.drain_s if drain_s is None else drain_s
        thread, self._thread = self._thread, None
        try:
            asyncio.run_coroutine_threadsafe(self._drain(within), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._stopping.set)
            thread.join()
            self.services.inference.close()

    async def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        share = self.services.share = TurnShare(lambda: self.services.watch.turn_s)
        self.services.subscribers = Subscribers(share=share)
        limits = self.config.limits
        self.media = MediaServer(self.services, ConnectionLimit(limits.connections, limits.connections_of_tenant))
        self.services.full = lambda: self.media.full or self._no_room
        if self.services.cluster is not None:
            take_part(self.services.cluster, self.services, self.media, self.url)
        routes = Routes(self.services, self.media)
        self._connections: set[ServerConnection] = set()
        self._handshakes = Handshakes[CountingConnection](limits.handshakes)
        admission = Admission(
            self.services.auth.refuse,
            limits.open_s,
            self._handshakes,
            self.services.room,
            share,
            self._connections,
            None if self._tls is None else TlsStart(self._tls, limits.open_s, CLOSE_S),
        )
        self._server: Server = await serve(
            routes.handle,
            sock=listener,
            process_request=routes.admit,
            create_connection=functools.partial(CountingConnection, admission),  # type: ignore[arg-type]
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            select_subprotocol=routes.subprotocol,
            compression=None,
            server_header=None,
            open_timeout=limits.open_s,
            close_timeout=CLOSE_S,
            max_size=limits.message_bytes,
            write_limit=2 * BUFFER_CUT,
            logger=logging.getLogger("stream_ser.server.websockets"),
            backlog=TAKEN_AT_ONCE,
        )
        listener.listen(BACKLOG)  # asyncio has one number for both
        self._audiosocket = AudioSocketPort(self.services, self.media)
        await self._audiosocket.open()
        tasks = [
            asyncio.create_task(coroutine)
            for coroutine in (
                self.services.inference.scheduler.run(),
                self.services.subscribers.supervise(),
                self.media.supervise(),
                self._audiosocket.supervise(),
                self._expire(),
            )
        ]
        self.services.watch.start()
        ready.set_result(None)
        await self._stopping.wait()
        self.services.watch.stop()
        for task in tasks:
            task.cancel()
        self._server.close(close_connections=False)
        for connection in tuple(self._connections):
            assert isinstance(connection, CountingConnection)
            connection.cut()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), CLOSED_S)

    async def _drain(self, within_s: float) -> None:
        self.services.leaving = True
        self._audiosocket.close()
        await self.media.leave(within_s)
        until = self._loop.time() + LAST_S
        while self.services.tenants.calls and self._loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # they end on other threads
        for call in self.services.tenants.all_calls():
            call.stop("server stopped")
        try:
            await self._loop.run_in_executor(None, self.services.tenants.write, WRITE_S)
            await self._loop.run_in_executor(None, self.services.notices.close, NOTICES_S)
        finally:  # the goodbye first: closing the hubs would end subscriptions without it
            await self.services.subscribers.leave(GOODBYE_S, 1012, "the server restarts: come back with last_seq")
            self.services.tenants.close()

    async def _expire(self) -> None:
        """Remove what has been kept for long enough, now and every hour; every minute, from memory, what others removed."""
        for minute in itertools.count():
            try:
                if minute % 60 == 0:
                    removed = await self._loop.run_in_executor(
                        None, self.services.tenants.expire, self.config.retention_days
                    )
                    if removed:
                        _log.info("results removed after their time", extra={"calls": removed})
                await self._loop.run_in_executor(None, self.services.tenants.forget)
            except Exception:
                _log.exception("old results could not be removed; the next attempt is in a minute, or an hour")
            await asyncio.sleep(MINUTE_S)

    @property
    def _no_room(self) -> str | None:
        room = self.services.room
        return None if room.count < room.most else f"{room.count} connections are open, as many as there can be"

    def _gauges(self) -> dict[str, float]:
        writer, watch = self.services.tenants.writer, self.services.watch
        return {
            "calls": self.services.tenants.calls,
            "legs": self.services.inference.scheduler.leg_count,
            "connections": self.media.count,
            "handshakes": self._handshakes.count,
            "open_connections": self.services.room.count,
            "open_connections_limit": self.services.room.most,
            "subscribers": len(self.services.subscribers.members),
            "store_waiting": 0 if writer is None else writer.waiting,
            "ready": float(self.ready is None),
            **{name: value for name, value in self.services.notices.figures().items() if name.endswith("waiting")},
            "uptime_seconds": time.monotonic() - self._since,
            "loop_longest_turn_seconds": watch.longest_s,
            "loop_longest_turn_cpu_seconds": watch.longest_cpu_s,
            **({} if self.services.cluster is None else self.services.cluster.gauges()),
        }

    def _totals(self) -> dict[str, float]:
        told, writer, watch = self.services.subscribers.stats(), self.services.tenants.writer, self.services.watch
        return {
            "sound_seconds": self.media.seconds,
            "feed_messages": told.sent,
            "feed_dropped": told.dropped,
            "feed_missed": told.missed,
            "feed_cut": told.cut,
            "feed_history_reads": told.history_reads,
            "store_stored": 0 if writer is None else writer.stored,
            "store_lost": 0 if writer is None else writer.lost,
            "ears_cpu_seconds": self.services.inference.scheduler.busy_s,
            **{name: value for name, value in self.services.notices.figures().items() if not name.endswith("waiting")},
            "loop_turns": watch.turns,
            "loop_turns_held": watch.held,
            "loop_held_seconds": watch.held_s,
            "loop_work_put_off": self.services.share.put_off,
            "loop_stalled_seconds": watch.stalls.total_ns / 1e9,
            **({} if self.services.cluster is None else self.services.cluster.totals()),
        }


def _bind(host: str, port: int, shared: bool) -> socket.socket:
    try:
        return listen(host, port, BACKLOG, shared)
    except OSError as error:
        raise FeedError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", fix="choose another host or port"
        ) from error


def _tls(config: ServeConfig) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"tls_cert {config.tls_cert} with tls_key {config.tls_key} cannot be used: {error}",
            fix="give a PEM certificate with its chain and the private key that belongs to it",
        ) from error
    return context
