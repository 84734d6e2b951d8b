"""Subscription filter: what one subscriber wants of a feed, and whether a message is due. Pure: no I/O, clock or state.

Whether a message is due depends on the message and the filter alone, never on what came before. So the same messages are due
live, out of history and after a restart, and what is not due is not lost.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import get_args
from urllib.parse import parse_qs

from stream_ser.errors import FeedError
from stream_ser.feed.envelope import call_of, stream_of
from stream_ser.feed.explanations import ExplanationDetail
from stream_ser.feed.message_types import HelloMessage, Message, MessageType
from stream_ser.types import SAMPLE_RATE

LONGEST_NAME = 200
FASTEST_HZ = 1000.0
MOST_PARAMETERS = 32


class PublishedMessage:
    """A published message with its text, encoded once for all, and what decides to whom it is due.

    ``hello`` is that of its stream: None for a message that belongs to no stream, and where it is known no more.
    """

    __slots__ = ("_message", "call", "end", "hello", "kind", "seq", "stream", "text")

    def __init__(self, message: Message, text: str, hello: HelloMessage | None = None) -> None:
        self._message: Message | None = message
        self.text = text
        self.hello = hello
        self.seq: int = message["seq"]
        self.kind: MessageType = message["type"]
        self.stream = stream_of(message)
        self.call = call_of(message) if hello is None else hello["call"]
        self.end = message["end"] if message["type"] == "point" else 0

    @classmethod
    def stored(
        cls,
        seq: int,
        kind: MessageType,
        stream: str | None,
        call: str | None,
        end: int,
        text: str,
        hello: HelloMessage | None,
    ) -> PublishedMessage:
        """One that was published before, of which only the text is there. ``end`` is a point's, else 0."""
        entry = cls.__new__(cls)
        entry._message, entry.text, entry.hello = None, text, hello
        entry.seq, entry.kind, entry.stream, entry.call, entry.end = seq, kind, stream, call, end
        return entry

    @property
    def message(self) -> Message:
        """The message; decoded anew where it was let go."""
        if self._message is None:
            decoded: Message = json.loads(self.text)
            return decoded
        return self._message

    def slim(self) -> PublishedMessage:
        """The same without the message, which costs several times its text."""
        return self.stored(self.seq, self.kind, self.stream, self.call, self.end, self.text, self.hello)


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """What a subscriber asks for: everything, one call or one stream; so many points a second; from where on.

    ``hz`` is the most points a second of each stream (None: all). ``why`` asks what the points of one stream rest on, as they
    come and as often as ``hz`` lets them. ``last_seq`` is the last number it has, and ``epoch`` the
    numbering that this belongs to. Raises FeedError where a value makes no sense.
    """

    call: str | None = None
    stream: str | None = None
    hz: float | None = None
    snapshot: bool = False
    last_seq: int | None = None
    epoch: str | None = None
    why: ExplanationDetail | None = None
    _period: int = field(init=False, default=0)  # samples in which one point is due; 0 for all

    def __post_init__(self) -> None:
        """Check, and turn the rate into samples, so that thinning is exact."""
        if self.hz is not None:
            if not (math.isfinite(self.hz) and 0 < self.hz <= FASTEST_HZ):
                raise FeedError(
                    f"hz={self.hz:g} is no rate", fix=f"give points a second, above 0 and up to {FASTEST_HZ:g}"
                )
            object.__setattr__(self, "_period", math.ceil(SAMPLE_RATE / self.hz))
        for name in ("call", "stream", "epoch"):
            value = getattr(self, name)
            if value is not None and not 0 < len(value) <= LONGEST_NAME:
                raise FeedError(
                    f"{name}= has {len(value)} characters", fix=f"give 1 to {LONGEST_NAME}, or leave {name} out"
                )
        if self.why is not None and self.stream is None:
            raise FeedError(
                f"why={self.why} comes without a stream", fix="ask of one stream: give its name in stream as well"
            )
        if self.last_seq is not None and self.epoch is None:
            raise FeedError(
                f"last_seq={self.last_seq} comes without the numbering it belongs to",
                fix="give epoch as well, as the hello had it, or leave last_seq out",
            )

    @property
    def whole(self) -> bool:
        """Whether everything is due, so that the numbers have no holes."""
        return self.call is None and self.stream is None and self.hz is None

    @property
    def key(self) -> tuple[str, str] | None:
        """Where the hub files such subscriptions: by stream, else by call, else with those who want everything."""
        if self.stream is not None:
            return ("stream", self.stream)
        return None if self.call is None else ("call", self.call)

    def concerns(self, stream: str | None, call: str | None) -> bool:
        """Whether messages of this stream of this call can be due."""
        return (self.stream is None or self.stream == stream) and (self.call is None or self.call == call)

    def due(self, entry: PublishedMessage) -> bool:
        """Whether an entry is due. Of the points of one period the newest is: the last one on the stream's grid of hops."""
        if not self.concerns(entry.stream, entry.call):
            return False
        if not self._period or entry.kind != "point" or entry.hello is None:
            return True
        following = entry.end + int(entry.hello["hop"])
        return -(-entry.end // self._period) != -(-following // self._period)


def parse(query: str) -> SubscriptionFilter:
    """Read a filter from the query of a URL; what it does not know is passed over. Raises FeedError for what makes no sense."""
    try:
        given = {name: values[-1] for name, values in parse_qs(query, True, max_num_fields=MOST_PARAMETERS).items()}
    except ValueError as error:
        raise FeedError(f"the address has more than {MOST_PARAMETERS} parameters", fix="leave some out") from error
    return SubscriptionFilter(
        call=given.get("call"),
        stream=given.get("stream"),
        hz=_rate(given["hz"]) if "hz" in given else None,
        snapshot=_switch(given.get("snapshot", "0")),
        last_seq=_count(given["last_seq"]) if "last_seq" in given else None,
        epoch=given.get("epoch"),
        why=_asked(given["why"]) if "why" in given else None,
    )


def _rate(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise FeedError(f"hz={text[:40]!r} is no number", fix="give points a second, as 2 or 0.5")
    return float(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise FeedError(f"last_seq={text[:40]!r} is no number of a message", fix="give the last one you have, as 1234")
    return int(text)


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise FeedError(f"snapshot={text[:40]!r} is neither 0 nor 1", fix="give snapshot=1 for a snapshot")
    return text == "1"


def _asked(text: str) -> ExplanationDetail:
    for asked in get_args(ExplanationDetail):
        if text == asked:
            found: ExplanationDetail = asked
            return found
    raise FeedError(f"why={text[:40]!r} is unknown", fix=f"give one of {', '.join(get_args(ExplanationDetail))}")
