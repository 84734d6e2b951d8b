"""A feed that is read for a screen: messages of another machine, as a screen takes those of this one.

Thread ownership: the watcher owns one thread with one event loop, from ``start`` to ``close``. ``drain``, ``attach`` and
``detach`` may be called by any thread.

Invariants: at most ``LIMIT`` messages wait to be drained; beyond that nothing more is read, and the feed's own rules for
slow readers hold. A connection that is lost is made again for as long as it takes, and while there is none ``trouble``
says so. Of a stream whose messages are here already, a snapshot brings nothing back.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from stream_ser.errors import FeedError, StreamSerError
from stream_ser.export.jsonl import JsonlWriter
from stream_ser.feed import messages
from stream_ser.feed.client import FeedReader, subscribe
from stream_ser.feed.messages import Message
from stream_ser.feed.topics import Wish

LIMIT = 8192
FULL_PAUSE_S = 0.02  # between two looks whether there is room again
FIRST_S = 12.0  # for name resolution, handshake and refusal of the first connection
CLOSE_S = 0.5

Sink = Callable[[Message], None]


class Watcher:
    """Reads the feed at ``url``. ``start`` raises FeedError where there is none; ``close`` ends the thread."""

    can_pause = False  # the feed is read-only
    has_sound = False

    def __init__(self, url: str, *, wish: Wish | None = None, token: str | None = None) -> None:
        self.url = url
        self._reader: FeedReader = subscribe(
            url, retry_s=None, wish=wish or Wish(snapshot=True), token=token, told=self._told
        )
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._hellos: dict[str, Message] = {}  # of open streams
        self._ends: dict[str, int] = {}  # where each open stream's newest point ends, samples
        self._seen: dict[str, int] = {}  # the number of each open stream's newest message
        self._sinks: list[Sink] = []
        self._writer: JsonlWriter | None = None
        self._trouble: str | None = None
        self._lost_at: float | None = None
        self._connected: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._main, name="watcher", daemon=True)
        self.missed = 0  # messages that were published and never came, as far as anybody knows

    def start(self) -> None:
        """Connect. Raises FeedError where there is no feed, or it refuses."""
        self._thread.start()
        try:
            self._connected.result(FIRST_S)
        except TimeoutError as error:
            raise FeedError(
                f"the feed at {self.url} did not answer within {FIRST_S:.0f} s", fix="check the address and the network"
            ) from error

    def close(self) -> None:
        """End the thread and finish what is being recorded. Under a second; may be called twice."""
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
        self.stop_recording()

    @property
    def trouble(self) -> str | None:
        """Why there is no connection and for how long, for a person; None while there is one."""
        why, since = self._trouble, self._lost_at
        if why is None:
            return None
        return why if since is None else f"disconnected for {time.monotonic() - since:.0f} s: {why}; trying again"

    def drain(self) -> list[Message]:
        """Everything that has come since the last call."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    @property
    def paused(self) -> bool:
        """Never: pausing is for whoever has the microphone."""
        return False

    def pause(self) -> None:
        """Nothing: the feed is read-only."""

    def resume(self) -> None:
        """Nothing: the feed is read-only."""

    def stop(self) -> None:
        """Ask the reading to end; ``close`` waits for it."""
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    def position(self, stream: str) -> int | None:
        """The end of the newest point of an open stream."""
        with self._lock:
            return self._ends.get(stream) if stream in self._hellos else None

    def mark(self, stream: str, at: int, text: str) -> None:
        """Mark a moment on this side: it is shown here, and in the file that is being recorded here."""
        self._take(messages.mark(stream, at, text))
        if self.recording is None:
            told = "marked on this screen only: a feed takes no messages; r records them to a file"
            self._take(messages.notice(stream, "info", told))
