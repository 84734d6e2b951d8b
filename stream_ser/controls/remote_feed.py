"""A feed that is read for a screen: messages of another machine, as a screen takes those of this one.

Thread ownership: a ``RemoteFeed`` owns one thread with one event loop, from ``start`` to ``close``. Everything else may be
called by any thread and returns at once, but for ``close``, which takes less than a second.

Invariants: at most ``LIMIT`` messages wait to be drained; beyond that nothing more is read, and the feed's own rules for
slow readers hold. A connection that is lost is made again for as long as it takes, and while there is none ``trouble``
says so. Of what is known already, a snapshot brings nothing back. A feed with a history is read from its past on, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from stream_ser.controls.capabilities import ScreenMessage
from stream_ser.controls.feed_past import MOST, FeedPast
from stream_ser.controls.message_recorder import Recorder
from stream_ser.controls.remote_explanations import RemoteReasons
from stream_ser.errors import FeedError, StreamSerError, as_person_error
from stream_ser.feed import messages
from stream_ser.feed.client import FeedReader, subscribe
from stream_ser.feed.envelope import epoch_of, stream_of
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.hub import Sink
from stream_ser.feed.message_types import ExplanationMessage, HelloMessage, Level, Message

LIMIT = 8192
FULL_S = 0.02  # between two looks whether there is room again
FIRST_S = 12.0  # for name resolution, handshake and refusal of the first connection
CLOSE_S = 0.5


class RemoteFeed:
    """Reads the feed at ``url``. ``start`` raises FeedError where there is none; ``close`` ends the thread."""

    can_pause = False  # pausing is for whoever has the microphone
    paused = False
    has_sound = False
    recording_sound = None

    def __init__(self, url: str, filters: SubscriptionFilter, token: str | None = None) -> None:
        self.url = url
        self._filters, self._token = filters, token
        self._reader = subscribe(url, retry_s=None, filters=filters, token=token, told=self._told)
        self._past: FeedPast | None = None  # while it comes
        self._before = 0  # messages that were gone before we came
        self._lock = threading.RLock()
        self._waiting: deque[Message] = deque()
        self._hellos: dict[str, HelloMessage] = {}  # of open streams
        self._ends: dict[str, int] = {}  # where each open stream's newest point ends, samples
        self._seen: dict[str, int] = {}  # the number of each open stream's newest message
        self._sinks: list[Sink] = []
        self._recorder = Recorder(self)
        self._reasons = RemoteReasons(url, token)
        self._trouble: str | None = None
        self._lost_at: float | None = None
        self._first: Future[None] = Future()  # the outcome of the first attempt
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._main, name="remote feed", daemon=True)

    def start(self) -> None:
        """Connect. Raises FeedError where there is no feed, or it refuses."""
        self._thread.start()
        try:
            self._first.result(FIRST_S)
        except TimeoutError as error:
            raise FeedError(
                f"the feed at {self.url} did not answer within {FIRST_S:.0f} s", fix="check the address and the network"
            ) from error

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stopping.set()
        loop, reading = self._loop, self._reading
        if loop is not None and reading is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(reading.cancel)

    def close(self) -> None:
        """End the thread, and finish what is being recorded. Raises FeedError where that cannot be written."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
        self._recorder.end()

    def pause(self) -> None:
        """Nothing: a feed is read-only."""

    def resume(self) -> None:
        """Nothing: a feed is read-only."""

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, and for how long, for a person; None while there is one."""
        why, since = self._trouble, self._lost_at
        if why is None or since is None:
            return why
        return f"disconnected for {time.monotonic() - since:.0f} s ({why}); connecting again"

    @property
    def alive(self) -> bool:
        """Whether it reads, or tries to."""
        return self._thread.is_alive()

    @property
    def missed(self) -> int:
        """How many messages were published and never came, as far as anybody knows."""
        return max(0, self._reader.missed - self._before)

    def drain(self) -> list[ScreenMessage]:
        """Everything that has come since the last call."""
        with self._lock:
            if self._past is not None and self._past.quiet(time.monotonic()):
                self._end_past()
            taken: list[ScreenMessage] = [*self._waiting]
            self._waiting.clear()
        return taken

    def attach(self, sink: Sink) -> None:
        """Call ``sink`` with the hellos of the open streams, and with every message from now on."""
        with self._lock:
            for hello in self._hellos.values():
                sink(hello)
            self._sinks.append(sink)

    def detach(self, sink: Sink) -> None:
        """Stop calling it. May be called twice."""
        with self._lock:
            if sink in self._sinks:
                self._sinks.remove(sink)

    def position(self, stream: str) -> int | None:
        """The end of the newest point of a stream that is open."""
        with self._lock:
            return self._ends.get(stream)

    def mark(self, stream: str, at: int, text: str) -> None:
        """Mark a moment on this side: a feed takes no messages."""
        self._take(messages.mark(stream, at, text))
        if self.recording is None:
            self._say(stream, "info", "the mark is on this screen only; r records to a file from now on")

    def ask_why(self, stream: str | None) -> None:
        """Ask the feed what the points of a stream rest on."""
        self._reasons.ask_why(stream)

    def reasons(self) -> list[ExplanationMessage]:
        """What has come of that since the last call."""
        return self._reasons.reasons()

    @property
    def recording(self) -> Path | None:
        """The file that is being written."""
        return self._recorder.path

    def record(self, path: Path, sound: Path | None = None) -> None:  # noqa: ARG002 - no sound comes this way
        """Write what comes from now on to a file."""
        try:
            self._recorder.begin(path)
        except StreamSerError as error:
            self._say("", "error", str(error))

    def stop_recording(self) -> None:
        """Finish the file."""
        try:
            path = self._recorder.end()
        except StreamSerError as error:
            self._say("", "error", str(error))
        else:
            if path is not None:
                self._say("", "info", f"recorded to {path}")

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            pass
        except Exception as error:  # nobody else would hear of it
            told = error if isinstance(error, StreamSerError) else as_person_error(error)
            if not self._first.done():
                self._first.set_exception(told)
            self._trouble, self._lost_at = str(told), None
        finally:
            if not self._first.done():
                self._first.cancel()

    async def _run(self) -> None:
        self._loop, self._reading = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopping.is_set():
            return
        asking = asyncio.create_task(self._reasons.run())
        try:
            place = await self._follow(self._reader, join=True)
            if place is not None:
                await self._follow_from(*place)
        finally:
            asking.cancel()

    async def _follow(self, reader: FeedReader, *, join: bool) -> tuple[int, str] | None:
        """Take what comes; with ``join`` only until the feed has said that it keeps a history, and where it is in it."""
        async with contextlib.aclosing(aiter(reader)) as feed:  # type: ignore[type-var]
            async for message in feed:
                epoch = epoch_of(message)
                if join and epoch is not None and message["seq"] > 0:
                    return message["seq"], epoch
                join = False
                while len(self._waiting) >= LIMIT:  # noqa: ASYNC110 - whoever drains is in no event loop of ours
                    await asyncio.sleep(FULL_S)
                self._read(message)
        return None

    async def _follow_from(self, joined: int, epoch: str) -> None:
        """Read what the feed's history has of before number ``joined``, and then go on."""
        back = replace(self._filters, last_seq=max(0, joined - MOST), epoch=epoch)
        self._reader = subscribe(self.url, retry_s=None, filters=back, token=self._token, told=self._told)
        self._past = FeedPast(joined, time.monotonic())
        await self._follow(self._reader, join=False)

    def _end_past(self) -> None:
        """Let through what was held back of the past. What history has no more is nothing that we missed."""
        past, self._past = self._past, None
        if past is not None:
            self._before = self._reader.missed
            for message in past.wanted():
                self._read(message)

    def _told(self, why: str | None) -> None:
        """Note how the connection is; called in the loop."""
        if why is None:
            self._trouble = self._lost_at = None
            if not self._first.done():
                self._first.set_result(None)
        else:
            self._lost_at = self._lost_at or time.monotonic()
            self._trouble = why

    def _read(self, message: Message) -> None:
        """Take one message of the feed; a snapshot only if it says something new."""
        with self._lock:
            if self._past is not None:
                if self._past.take(message, time.monotonic()):
                    return
                self._end_past()
        if message["type"] == "snapshot":
            message = message["message"]
            if message["seq"] <= self._seen.get(stream_of(message) or "", 0):
                return
        elif message["type"] == "hello" and self._known(message):
            return  # repeated for one who comes back
        self._take(message)

    def _known(self, hello: HelloMessage) -> bool:
        known = self._hellos.get(hello["stream"])
        return known is not None and {**known, "seq": 0, "epoch": None} == {**hello, "seq": 0, "epoch": None}

    def _take(self, message: Message) -> None:
        stream = stream_of(message)
        with self._lock:
            if stream is not None:
                self._note(stream, message)
            elif message["type"] == "call":
                self._seen[""] = message["seq"]
            self._waiting.append(message)
            if message["type"] == "heartbeat":
                return
            for sink in tuple(self._sinks):
                try:
                    sink(message)
                except Exception as error:  # a full disk must not end the reading
                    self._sinks.remove(sink)
                    self._waiting.append(messages.notice(stream or "", "error", str(error)))

    def _note(self, stream: str, message: Message) -> None:
        if message["type"] == "hello":
            self._hellos[stream] = message
            self._ends.pop(stream, None)
            self._seen.pop(stream, None)
        elif message["type"] == "end":
            for known in (self._hellos, self._ends, self._seen):
                known.pop(stream, None)
        elif stream in self._hellos:
            self._seen[stream] = max(self._seen.get(stream, 0), message["seq"])
            if message["type"] == "point":
                self._ends[stream] = message["end"]

    def _say(self, stream: str, level: Level, text: str) -> None:
        with self._lock:
            self._waiting.append(messages.notice(stream, level, text))
