"""Read a file of messages again: which streams are in it, and the messages of each.

A file of days has more messages than memory should hold, so only where each line begins is kept. A stream that was
opened twice under one name is two. Messages about no stream (calls, heartbeats, losses) belong to none.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from stream_ser.errors import ConfigError
from stream_ser.feed.message_types import (
    AlertMessage,
    EndMessage,
    GapMessage,
    HelloMessage,
    MarkMessage,
    Message,
    NoticeMessage,
    PointMessage,
)
from stream_ser.feed.messages import SCHEMA_VERSION

FIELDS = {
    "hello": ("stream", "labels", "dimensions", "hop", "model", "schema"),
    "point": ("stream", "start", "end", "state", "label", "confidence", "raw", "smoothed", "dimensions"),
    "gap": ("stream", "start", "end", "reason"),
    "alert": ("stream", "id", "rule", "severity", "start", "end", "at", "peak"),
    "notice": ("stream", "level", "text"),
    "mark": ("stream", "at", "text"),
    "end": ("stream", "reason", "duration_s", "points", "summary"),
}
Shared = Literal["labels", "dimensions", "hop", "model", "source", "anchor"]
SAME: tuple[Shared, ...] = get_args(Shared)  # what two hellos of one open stream share
OLDEST = 2  # schema
StreamMessage = HelloMessage | PointMessage | GapMessage | AlertMessage | NoticeMessage | MarkMessage | EndMessage


@dataclass(slots=True)
class Recorded:
    """One stream in a file; iterating gives its messages, from its hello on, as often as wanted."""

    path: Path
    name: str  # the stream's, with a number where it comes again
    hello: HelloMessage
    end: EndMessage | None = None  # None where the file ends before the stream does
    lines: array[int] = field(default_factory=lambda: array("Q"))  # where they begin

    def __iter__(self) -> Iterator[Message]:
        with self.path.open("rb") as file:
            for place in self.lines:
                file.seek(place)
                message: Message = json.loads(file.readline())
                yield message


def read(path: Path) -> list[Recorded]:
    """The streams of a file, in the order in which they open. A last line that was cut off is left out.

    Raises ConfigError where the file cannot be read or a line is no message.
    """
    found: list[Recorded] = []
    for stream, message in walk(path):
        if message is stream.hello:
            found.append(stream)
    return found


def walk(path: Path) -> Iterator[tuple[Recorded, Message]]:
    """The messages of a file in their order, each with its stream, whose last line it is so far. Raises as ``read`` does."""
    try:
        yield from _walk(path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}", fix="check the path") from error


def _walk(path: Path) -> Iterator[tuple[Recorded, Message]]:
    opened: dict[str, Recorded] = {}
    names = Counter[str]()
    place = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            here, place = place, place + len(line)
            try:
                message = _message(line)
            except ValueError as error:
                if not line.endswith(b"\n"):  # whoever wrote it was stopped in the middle
                    break
                raise _no_message(path, number, str(error)) from error
            if message is None:
                continue
            stream = message["stream"]
            held = opened.get(stream)
            if message["type"] == "hello":
                if held is not None and all(held.hello.get(key) == message.get(key) for key in SAME):
                    continue  # a feed repeats it for whoever comes back
                names[stream] += 1
                name = stream if names[stream] == 1 else f"{stream} ({names[stream]})"
                held = opened[stream] = Recorded(path, name, message)
            elif held is None:
                raise _no_message(path, number, f"it belongs to {stream!r}, of which there was no hello")
            held.lines.append(here)
            if message["type"] == "end":
                held.end = message
                del opened[stream]
            yield held, message
    if not names:
        raise ConfigError(
            f"{path} holds no stream", fix="give a file that --out FILE.jsonl of live, replay or analyze has written"
        )


def _message(line: bytes) -> StreamMessage | None:
    """A message about a stream; None for any other. Raises ValueError for what is no message."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ValueError("it is no object with a type")
    needed = FIELDS.get(message["type"])
    if needed is None:
        return None
    lacking = [name for name in needed if name not in message]
    if lacking or not isinstance(message["stream"], str):
        raise ValueError(f"a {message['type']} without {', '.join(lacking) or 'a stream'}")
    if message["type"] == "hello" and not OLDEST <= message["schema"] <= SCHEMA_VERSION:
        known = f"{OLDEST} to {SCHEMA_VERSION}"
        raise ValueError(f"it is of schema {message['schema']}, and this version reads {known}")
    return cast(StreamMessage, message)


def _no_message(path: Path, number: int, why: str) -> ConfigError:
    return ConfigError(
        f"{path}, line {number}, cannot be used: {why}",
        fix="give a file that --out FILE.jsonl of live, replay or analyze has written",
    )
