"""RTTM: one SPEAKER line for each stretch with a label, the label where a speaker's name would be.

For tools that compare turns (dscore, pyannote). NIST's evaluation plans (Rich Transcription, RT-09 appendix A) define the
ten fields. What has no label has no line: such tools would count "silence" as somebody. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stream_ser.export.segments import outline, seconds
from stream_ser.feed.message_types import Message


def rttm(messages: Iterable[Message]) -> Iterator[bytes]:
    """The lines of the RTTM file of one stream; the ninth field is the mean confidence. Times are exact."""
    told = outline(messages)
    file = _word(told.hello["stream"])
    channel = told.hello["source"].get("channel", 1)
    for segment in told.segments:
        if segment.label is not None:
            times = f"{seconds(segment.start)} {seconds(segment.end - segment.start)}"
            name = f"{_word(segment.label)} {segment.confidence:.4f}"
            yield f"SPEAKER {file} {channel} {times} <NA> <NA> {name} <NA>\n".encode()


def _word(text: str) -> str:
    """Fields are told apart by spaces, so there must be none in one."""
    return "_".join(text.split()) or "_"
