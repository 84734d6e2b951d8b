"""Praat TextGrid, long text format, UTF-8: a tier of states and labels, of missing sound, of alerts, of marks.

Written after the Praat manual's page "TextGrid file formats". An interval tier covers the whole time, so what nothing
speaks for is an interval without text. Pure. Times are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stream_ser.export.segments import GAP, Outline, Segment, outline, seconds
from stream_ser.feed.message_types import Message

Interval = tuple[int, int, str]


def textgrid(messages: Iterable[Message]) -> Iterator[bytes]:
    """The lines of the TextGrid file of one stream."""
    for line in _lines(outline(messages)):
        yield f"{line}\n".encode()


def _lines(told: Outline) -> Iterator[str]:
    length = max(told.length, 1)  # Praat knows no object of no length
    missing = [segment for segment in told.segments if segment.state == GAP]
    yield 'File type = "ooTextFile"'
    yield 'Object class = "TextGrid"'
    yield ""
    yield "xmin = 0"
    yield f"xmax = {seconds(length)}"
    yield "tiers? <exists>"
    yield "size = 4"
    yield "item []:"
    yield from _intervals(1, "expressed", _filled([(s.start, s.end, s.text) for s in told.segments], length), length)
    yield from _intervals(2, "missing", _filled([(s.start, s.end, _reason(s)) for s in missing], length), length)
    yield from _points(3, "alerts", [(alert.at, alert.text) for alert in told.alerts], length)
    yield from _points(4, "marks", [(mark.at, mark.text) for mark in told.marks], length)


def _reason(segment: Segment) -> str:
    return segment.reason or segment.text


def _filled(intervals: Sequence[Interval], length: int) -> list[Interval]:
    """The intervals, with empty ones between them, so that the whole time is covered."""
    filled: list[Interval] = []
    position = 0
    for start, end, text in [*intervals, (length, length, "")]:
        if start > position:
            filled.append((position, start, ""))
        if end > start:
            filled.append((start, end, text))
        position = end
    return filled


def _intervals(number: int, name: str, intervals: Sequence[Interval], length: int) -> Iterator[str]:
    yield from _head(number, "IntervalTier", name, length)
    yield f"        intervals: size = {len(intervals)}"
    for place, (start, end, text) in enumerate(intervals, 1):
        yield f"        intervals [{place}]:"
        yield f"            xmin = {seconds(start)}"
        yield f"            xmax = {seconds(end)}"
        yield f"            text = {_quoted(text)}"


def _points(number: int, name: str, points: Sequence[tuple[int, str]], length: int) -> Iterator[str]:
    marks: dict[int, list[str]] = {}  # Praat wants no two points of a tier at one time
    for at, text in points:
        marks.setdefault(min(at, length), []).append(text)
    yield from _head(number, "TextTier", name, length)
    yield f"        points: size = {len(marks)}"
    for place, (at, texts) in enumerate(marks.items(), 1):
        yield f"        points [{place}]:"
        yield f"            number = {seconds(at)}"
        yield f"            mark = {_quoted('; '.join(texts))}"


def _head(number: int, kind: str, name: str, length: int) -> Iterator[str]:
    yield f"    item [{number}]:"
    yield f'        class = "{kind}"'
    yield f'        name = "{name}"'
    yield "        xmin = 0"
    yield f"        xmax = {seconds(length)}"


def _quoted(text: str) -> str:
    one_line = " ".join(text.split())
    return '"' + one_line.replace('"', '""') + '"'
