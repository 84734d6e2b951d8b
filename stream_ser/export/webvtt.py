"""WebVTT: one cue for each stretch of one state and label, one for each alert and each mark; for players and for web pages.

Written after the W3C's WebVTT: times in ms, cues in the order of their begin, a class for styling. Pure. A boundary is
rounded once, so cues that touch go on touching.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from stream_ser.export.segments import AlertInterval, Mark, Segment, outline
from stream_ser.feed.message_types import Message
from stream_ser.types import SAMPLE_RATE

MARK_MS = 2000  # how long a mark, which has no length, is shown


def webvtt(messages: Iterable[Message]) -> Iterator[bytes]:
    """The blocks of the WebVTT file of one stream."""
    told = outline(messages)
    yield f"WEBVTT\n\nNOTE\n{_escaped(told.heading)}\n".encode()
    cues: list[Segment | AlertInterval | Mark] = sorted(
        [*told.segments, *told.alerts, *told.marks], key=lambda cue: (cue.start, isinstance(cue, Mark))
    )
    for cue in cues:
        start = _milliseconds(cue.start)
        shortest = MARK_MS if isinstance(cue, Mark) else 1  # a cue must not end where it begins
        end = max(start + shortest, _milliseconds(cue.end))
        yield f"\n{_clock(start)} --> {_clock(end)}\n{_payload(cue)}\n".encode()


def _payload(cue: Segment | AlertInterval | Mark) -> str:
    text = _escaped(cue.text)
    if isinstance(cue, Mark):
        return f"<c.mark>{text}</c>"
    if isinstance(cue, AlertInterval):
        return f"<c.alert.{_class(cue.severity)}>{text}</c>"
    if cue.label is None or cue.confidence is None:
        return f"<c.{_class(cue.state)}>{text}</c>"
    return f"<c.speech.{_class(cue.label)}>{text}</c> {100 * cue.confidence:.0f} %"


def _class(text: str) -> str:
    """A name that may stand behind a dot in a tag and in a style sheet."""
    return re.sub(r"[^\w-]+", "-", text).strip("-") or "other"


def _escaped(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # so "-->" cannot occur


def _milliseconds(position: int) -> int:
    return (2 * 1000 * position + SAMPLE_RATE) // (2 * SAMPLE_RATE)


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
