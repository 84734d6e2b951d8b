"""Hub sinks of one recording: how its streams ended, for the index, and how far it is, for whoever watches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from stream_ser.feed.message_types import EndMessage, Message
from stream_ser.types import SAMPLE_RATE

EVERY_S = 0.1  # between two words on how far it is
Tell = Callable[[str, float, float | None], None]  # a recording's name, s of it that were heard, its length in s


class Ends:
    """How streams ended, and the call whose streams they are, if they are a call's."""

    def __init__(self) -> None:
        self.ends: list[EndMessage] = []
        self.call: dict[str, Any] | None = None
        self._labels = Counter[str]()  # points of all streams

    def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "end":
            self.ends.append(message)
        elif message["type"] == "point" and message["label"] is not None:
            self._labels[message["label"]] += 1
        elif message["type"] == "call" and message["kind"] == "ended":
            self.call = message["summary"]

    def figures(self) -> dict[str, Any]:
        """What the index says of a recording."""
        if not self.ends:
            return {"points": 0, "duration_s": None, "speech_s": None, "silence_s": None, "share": None}
        told = [end["summary"] for end in self.ends]
        figures = {
            "points": sum(end["points"] for end in self.ends),
            "duration_s": max(end["duration_s"] for end in self.ends),
            "speech_s": sum(summary["speech_s"] for summary in told),
            "silence_s": sum(summary["silence_s"] for summary in told),
            "share": {label: count / self._labels.total() for label, count in self._labels.items()},
        }
        return figures if self.call is None else {**figures, "call": self.call}


class Position:
    """How far the recording called ``name`` is, told to ``tell`` now and then."""

    def __init__(self, name: str, tell: Tell) -> None:
        self._name, self._tell = name, tell
        self._length: float | None = None
        self._told = float("-inf")

    def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "hello":
            self._length = message["source"]["duration_s"]
        elif message["type"] in ("point", "gap"):
            now = time.monotonic()
            if now >= self._told + EVERY_S:
                self._told = now
                self._tell(self._name, message["end"] / SAMPLE_RATE, self._length)
