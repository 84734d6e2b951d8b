"""audformat: a segmented table as audEERING's audformat and nkululeko read it, one row for each stretch with a label.

CSV with the columns ``file``, ``start``, ``end`` and ``emotion``; times are written as pandas writes a time delta. What has no
label has no row, as in RTTM: a class named silence would be one that somebody trains. Pure.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from stream_ser.export.segments import outline
from stream_ser.feed.message_types import Message
from stream_ser.types import SAMPLE_RATE

COLUMNS = ("file", "start", "end", "emotion")


def audformat(messages: Iterable[Message]) -> Iterator[bytes]:
    """The lines of the table of one stream. Times are in the file, also where only a part of it was played; they are exact."""
    told = outline(messages)
    name = told.hello["stream"]
    begin = round((told.hello["source"].get("offset_s") or 0.0) * SAMPLE_RATE)
    yield _line(COLUMNS)
    for segment in told.segments:
        if segment.label is not None:
            yield _line((name, time_delta(begin + segment.start), time_delta(begin + segment.end), segment.label))


def time_delta(position: int) -> str:
    """A sample index as ``0 days 00:00:06.250000000``; a sample is 62500 ns long."""
    whole, rest = divmod(position, SAMPLE_RATE)
    days, second = divmod(whole, 86_400)
    nanoseconds = rest * (1_000_000_000 // SAMPLE_RATE)
    return f"{days} days {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{nanoseconds:09}"


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()
