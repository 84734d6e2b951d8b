"""Reading a feed: every message as it comes, once, over lost connections, with a count of what was missed.

A feed that keeps a history names its ``epoch``; there a reader that comes back says which number it has, and gets what
follows. A feed without one goes on with what is new, and what came between is counted.

Thread ownership: a ``FeedReader`` belongs to the event loop that iterates over it. It starts no thread and no task.

Why not the library's own reconnection: it waits up to 5 s before the first retry and up to 90 s later, and it goes on
for ever where no feed has ever been. Here a feed that is not there is an error at once, and one that went away comes
back within seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Literal, cast
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from stream_ser.errors import FeedError
from stream_ser.feed.envelope import epoch_of
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.loopback import is_loopback
from stream_ser.feed.message_types import Message
from stream_ser.feed.messages import SCHEMA_VERSION

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
REFUSES_TOKENS = (401, 403)

Told = Callable[[str | None], None]  # why there is no connection; None where there is one


class FeedCounts:
    """What the numbers of the messages say about messages that never came. Pure: it only looks at messages.

    ``whole`` says that every message is due: then numbers without a hole prove that none is missing. Otherwise holes mean
    nothing, and only what the feed says of losses is counted.
    """

    def __init__(self, whole: bool = True) -> None:
        self.missed = 0
        self.unknown = 0  # times that messages were missed, and nobody can know how many
        self.epoch: str | None = None
        self.place: int | None = None  # the number up to which everything came or is counted
        self._whole = whole
        self._before: int | None = None  # that number when the connection was lost, where there is no epoch to trust
        self._streams: set[tuple[str, str | None]] = set()

    def reconnected(self) -> None:
        """Begin a new connection."""
        if self.epoch is not None:
            return  # the feed goes on from our place, or names another epoch
        self._before = self.place if self.place is not None else self._before
        self.unknown += not self._whole and self.place is not None
        self.place = None

    def note(self, message: Message) -> None:
        """Take one message into account."""
        seq = message["seq"]
        if message["type"] == "snapshot":
            return
        self._note_epoch(epoch_of(message))
        if message["type"] in ("hello", "heartbeat", "why"):
            self._note_mark(message, seq)
        elif message["type"] in ("dropped", "missed"):
            self._note_hole(message["first"])
            self.missed += message["count"] or 0
            self.unknown += message["count"] is None
        else:
            self._note_hole(seq)
        self.place = seq

    def _note_epoch(self, epoch: str | None) -> None:
        if epoch is None or epoch == self.epoch:
            return
        if self.epoch is not None:  # another run: its numbers have nothing to do with ours
            self.unknown += 1
            self.place = None
        self.epoch = epoch

    def _note_mark(self, message: Message, seq: int) -> None:
        """Take a message without a number of its own, which says how far the feed has got."""
        if self.place is not None:
            self.missed += max(0, seq - self.place) if self._whole else 0
            self.unknown += seq < self.place
        if message["type"] == "hello":
            key = (message["stream"], message["anchor"])
            # Only the same stream at a later number is the same feed: one that was restarted counts from 0 again.
            if self.place is None and self.epoch is None and key in self._streams and self._before is not None:
                self.missed += max(0, seq - self._before) if self._whole else 0
            self._streams.add(key)

    def _note_hole(self, first: int) -> None:
        if self._whole and self.place is not None:
            self.missed += max(0, first - self.place - 1)


class FeedReader:
    """Iterate to get the messages of the feed at ``url``; made by ``subscribe``."""

    def __init__(
        self, url: str, retry_s: float | None, filters: SubscriptionFilter, token: str | None, told: Told
    ) -> None:
        self._url = url
        self._told = told
        self._retry_s = retry_s
        self._filters = filters
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._counts = FeedCounts(filters.whole)
        self._counts.place, self._counts.epoch = filters.last_seq, filters.epoch
        self.connections = 0

    @property
    def missed(self) -> int:
        """How many messages were published while this reader listened or was cut off, and never came."""
        return self._counts.missed

    @property
    def unknown(self) -> int:
        """How many times messages were missed besides, and nobody can know how many: the feed began anew, say."""
        return self._counts.unknown

    @property
    def place(self) -> tuple[int, str] | None:
        """``last_seq`` and ``epoch`` with which to go on in another process; None where the feed has no history."""
        place, epoch = self._counts.place, self._counts.epoch
        return None if place is None or epoch is None else (place, epoch)

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield messages; raise FeedError where there is no feed or it stays away."""
        # A proxy for the outside world does not lead back to this machine.
        proxy: Literal[True] | None = None if is_loopback(_host(self._url)) else True
        loop = asyncio.get_running_loop()
        lost_at = loop.time()
        delay = FIRST_DELAY_S
        while True:
            try:
                async with connect(
                    self._address(),
                    compression=None,
                    proxy=proxy,
                    additional_headers=self._headers,
                    open_timeout=5,
                    close_timeout=1,
                ) as connection:
                    self.connections += 1
                    self._counts.reconnected()
                    self._told(None)
                    with contextlib.suppress(ConnectionClosed):
                        async for text in connection:
                            delay = FIRST_DELAY_S
                            message = self._read(text)
                            self._counts.note(message)
                            yield message
                lost_at = loop.time()
                self._told("the feed has ended" if connection.close_code == 1001 else "the connection was lost")
            except (OSError, TimeoutError, WebSocketException) as error:
                self._give_up_on(error)
                self._told(_reason(error))
            if self._retry_s is not None and loop.time() + delay - lost_at > self._retry_s:
                raise FeedError(
                    f"the feed at {self._url} has been away for {loop.time() - lost_at:.0f} s",
                    fix="see whether the monitor that serves it still runs",
                )
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_S)

    def _address(self) -> str:
        """The address with the filters, from where on included."""
        filters, place = self._filters, self.place
        wanted: dict[str, str | int | float | None] = {"call": filters.call, "stream": filters.stream, "hz": filters.hz}
        wanted["snapshot"], wanted["why"] = 1 if filters.snapshot else None, filters.why
        wanted["last_seq"], wanted["epoch"] = place or (None, None)
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        return f"{self._url}{'&' if '?' in self._url else '?'}{query}" if query else self._url

    def _read(self, text: str | bytes) -> Message:
        try:
            message = json.loads(text)
            kind, schema = message["type"], message.get("schema", SCHEMA_VERSION)
            if not isinstance(message["seq"], int):
                raise TypeError("seq")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FeedError(
                f"{self._url} sends something that is no message of a feed: {text[:60]!r}",
                fix="check the address",
            ) from error
        if kind == "hello" and schema != SCHEMA_VERSION:
            raise FeedError(
                f"the feed at {self._url} speaks schema {schema}, and this program knows {SCHEMA_VERSION}",
                fix="use the same version of stream-ser at both ends",
            )
        return cast(Message, message)

    def _give_up_on(self, error: Exception) -> None:
        """Raise FeedError where trying again does not help: never connected yet, or refused for good."""
        if isinstance(error, InvalidStatus):
            response = error.response
            if self.connections and response.status_code >= 500:
                return
            said = bytes(response.body or b"").decode("utf-8", "replace").strip().rstrip(".")
            fix = "use an address like ws://127.0.0.1:8765/v1/feed, or try again when others have left"
            if response.status_code in REFUSES_TOKENS:
                fix = "show a viewer's token that is good; stream-ser token makes one where the feed is served"
            raise FeedError(f"{self._url} refused with HTTP {response.status_code}: {said[:200]}", fix=fix) from error
        if not self.connections and isinstance(error, ssl.SSLError):
            raise FeedError(
                f"{self._url} is not trusted: {_reason(error)}",
                fix="name the authority that signed its certificate, as SSL_CERT_FILE=ca.pem, or check the address",
            ) from error
        if not self.connections:
            raise FeedError(
                f"there is no feed at {self._url}: {_reason(error)}",
                fix="start one there (stream-ser demo, live, replay or serve), or check the address",
            ) from error


def subscribe(
    url: str,
    *,
    retry_s: float | None = 30.0,
    filters: SubscriptionFilter | None = None,
    token: str | None = None,
    told: Told = lambda _: None,
) -> FeedReader:
    """Read the feed at ``url``, with ``async for`` over what is returned; everything, or what ``filters`` says.

    A connection that is lost is made again, at growing intervals, until the feed has been away for ``retry_s`` seconds
    (None: for ever). What was published meanwhile comes then, if the feed keeps a history, and is counted in ``missed`` if
    it does not. ``token`` is shown to a feed that asks who reads it. ``told`` is called in the event loop with None whenever
    a connection is made, and with the reason whenever one is lost or cannot be made again.
    """
    return FeedReader(url, retry_s, filters or SubscriptionFilter(), token, told)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _host(url: str) -> str:
    """Take the host from the address of a feed; FeedError where it is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0:
            return parts.hostname
        why = "it does not look like ws://HOST:PORT/v1/feed"
    except ValueError as error:
        why = str(error)
    raise FeedError(f"{url!r} is not the address of a feed: {why}", fix="give one like ws://127.0.0.1:8765/v1/feed")
