"""CSV: one row a point, with every probability raw and smoothed. Pure; as many rows in memory as one.

Numbers are written with every digit, so a reader gets the feed's values back. An empty cell is a null, or smoothed
probabilities before anything was judged. What took how long is left out: it differs from run to run, and a table of one
trajectory should not.

Whoever publishes a call chooses its name, and a spreadsheet computes a cell that begins as a formula does. So such a cell gets
an apostrophe in front, which spreadsheets take for "this is text".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from stream_ser.feed.message_types import Message, PointMessage

Before = Literal["stream", "start", "end", "t", "state", "label", "confidence"]
Behind = Literal["speech_s", "level_dbfs", "peak_dbfs", "text"]
BEFORE: tuple[Before, ...] = get_args(Before)
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # the wide ones are taken for the same
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BEHIND: tuple[Behind, ...] = get_args(Behind)


def table(messages: Iterable[Message]) -> Iterator[bytes]:
    """The lines of the CSV file of one stream, from its hello on."""
    labels: list[str] = []
    dimensions: list[str] = []
    for message in messages:
        if message["type"] == "hello" and not labels:
            labels, dimensions = message["labels"], message["dimensions"]
            yield _line(columns(labels, dimensions))
        elif message["type"] == "point":
            yield _line(row(message, labels, dimensions))


def excel_table(messages: Iterable[Message]) -> Iterator[bytes]:
    """The same with the mark at the beginning by which Excel knows UTF-8."""
    yield BYTE_ORDER_MARK
    yield from table(messages)


def columns(labels: Sequence[str], dimensions: Sequence[str]) -> list[str]:
    """The names of the columns."""
    raw, smoothed = ([f"{kind}_{label}" for label in labels] for kind in ("raw", "smoothed"))
    return [*BEFORE, *raw, *smoothed, *dimensions, *BEHIND]


def row(point: PointMessage, labels: Sequence[str], dimensions: Sequence[str]) -> list[object]:
    """The cells of one point."""
    cells: list[object] = [point[name] for name in BEFORE]
    cells += [point["raw"][label] for label in labels]
    warming = point["state"] == "warming"  # nothing has been judged, and the prior would look like a result
    cells += [None if warming else point["smoothed"][label] for label in labels]
    cells += [point["dimensions"][name] for name in dimensions]
    return [*cells, *(point[name] for name in BEHIND)]


def _line(cells: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_as_text(cell) for cell in cells])
    return line.getvalue().encode()


def _as_text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
