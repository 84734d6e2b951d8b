"""CSV: one row a point, with every probability raw and smoothed. Pure; as many rows in memory as one.

Numbers are written with every digit, so a reader gets the feed's values back. An empty cell is a null. What took how
long is left out: it differs from run to run, and a table of one trajectory should not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from stream_ser.feed.message_types import Message

Before = Literal["stream", "start", "end", "t", "state", "label", "confidence"]
Behind = Literal["speech_s", "level_dbfs", "peak_dbfs", "text"]
BEFORE: tuple[Before, ...] = get_args(Before)
BEHIND: tuple[Behind, ...] = get_args(Behind)


def table(messages: Iterable[Message]) -> Iterator[bytes]:
    """The lines of the CSV file of one stream, from its hello on."""
    labels: list[str] = []
    dimensions: list[str] = []
    for message in messages:
        if message["type"] == "hello" and not labels:
            labels, dimensions = message["labels"], message["dimensions"]
            raw, smoothed = ([f"{kind}_{label}" for label in labels] for kind in ("raw", "smoothed"))
            yield _line([*BEFORE, *raw, *smoothed, *dimensions, *BEHIND])
        elif message["type"] == "point":
            cells: list[object] = [message[name] for name in BEFORE]
            cells += [message["raw"][label] for label in labels]
            cells += [message["smoothed"][label] for label in labels]
            cells += [message["dimensions"][name] for name in dimensions]
            yield _line([*cells, *(message[name] for name in BEHIND)])


def _line(cells: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()
