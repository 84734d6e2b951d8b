"""Audacity's labels: begin, end and text with tabs between them, one line for each run, alert and mark.

As Audacity's manual, "Importing and Exporting Labels", has them. Pure. Times are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stream_ser.export.segments import AlertInterval, Mark, Segment, outline, seconds
from stream_ser.feed.message_types import Message


def audacity(messages: Iterable[Message]) -> Iterator[bytes]:
    """The lines of the label file of one stream, in the order of their begin."""
    told = outline(messages)
    runs: list[Segment | AlertInterval | Mark] = sorted(
        [*told.segments, *told.alerts, *told.marks], key=lambda run: (run.start, isinstance(run, Mark))
    )
    for run in runs:
        text = " ".join(run.text.split())
        yield f"{seconds(run.start)}\t{seconds(run.end)}\t{text}\n".encode()
