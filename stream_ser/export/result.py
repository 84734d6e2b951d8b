"""A whole trajectory in memory, for programs: its points, its runs, its figures, and every format that there is.

Immutable, so any thread may read it. Messages are kept as the text that a feed would send, a quarter of what they cost as
objects, and decoded when a format is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stream_ser.errors import FeedError, StreamSerError
from stream_ser.export.atomic import write_whole
from stream_ser.export.dataframe import dataframe
from stream_ser.export.formats import FORMATS
from stream_ser.export.html import html
from stream_ser.export.plot import figure
from stream_ser.export.segments import Segment, segments
from stream_ser.feed.message_types import EndMessage, HelloMessage, Message, SummaryMessage
from stream_ser.types import Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

Target = str | os.PathLike[str]


class Trajectory:
    """What ``stream_ser.analyze`` gives. Iterating gives its points; ``len`` says how many there are.

    ``points`` are in order, one every hop; ``error`` is why the sound ended early, where that was asked for as a result
    (``partial=True``). ``texts`` are the stream's messages from its hello to its end, as JSON.

    >>> trajectory = stream_ser.analyze("call.wav")
    >>> [(run.start_s, run.end_s, run.label) for run in trajectory.segments if run.label]
    [(3.25, 4.75, 'happy'), (6.5, 7.5, 'happy')]
    """

    def __init__(self, points: Sequence[Point], texts: Sequence[str], error: StreamSerError | None = None) -> None:
        self.points: tuple[Point, ...] = tuple(points)
        self.error = error
        self._texts = tuple(texts)

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __repr__(self) -> str:
        shares = [(share, label) for label, share in self.summary["share"].items() if share]
        told = ", ".join(f"{label} {100 * share:.0f} %" for share, label in sorted(shares, reverse=True))
        return f"<Trajectory {self.stream!r}: {self.duration_s:.1f} s, {len(self)} points, {told or 'no label'}>"

    @cached_property
    def hello(self) -> HelloMessage:
        """The message that a feed begins the stream with: labels, model with its digest, engine, source, hop."""
        message: HelloMessage = json.loads(self._texts[0])
        return message

    @cached_property
    def _end(self) -> EndMessage:
        message: EndMessage = json.loads(self._texts[-1])
        return message

    @property
    def stream(self) -> str:
        """The name: a file's, or the one that was given."""
        return self.hello["stream"]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model tells apart, in the order of a point's ``raw`` and ``smoothed``."""
        return tuple(self.hello["labels"])

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What the model rates in [-1, 1], in the order of a point's ``dimensions``; empty where it rates nothing."""
        return tuple(self.hello["dimensions"])

    @property
    def duration_s(self) -> float:
        """Seconds of sound."""
        return self._end["duration_s"]

    @property
    def summary(self) -> SummaryMessage:
        """The stream in figures: ``speech_s`` and ``silence_s``; ``share`` of each label among the points that have one.

        ``ledger`` has quantiles of what the points cost, in ms.
        """
        return self._end["summary"]

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Runs of one state and label, in order; missing sound is a run ``gap``.

        ``start`` and ``end`` are samples at 16 kHz, ``start_s`` and ``end_s`` seconds.
        """
        return tuple(segments(self.messages()))

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know: that sound was resampled, that a faster engine is not used."""
        return tuple(message["text"] for message in self.messages() if message["type"] == "notice")

    def messages(self) -> Iterator[Message]:
        """The stream as a feed tells it, message by message (docs/protocol.md)."""
        return map(json.loads, self._texts)

    def to_dataframe(self) -> DataFrame:
        """One row a point, with the columns of ``to_csv``. Raises ConfigError where pandas is not installed."""
        return dataframe(self.messages())

    def to_jsonl(self, path: Target | None = None) -> str:
        """JSON lines: the messages of a feed. Each ``to_`` returns the file's text, and writes it where ``path`` says.

        Raises FeedError where the file cannot be written; then what was there before still is.
        """
        return self._text("jsonl", path)

    def to_csv(self, path: Target | None = None) -> str:
        """CSV: one row a point, every number with all of its digits."""
        return self._text("csv", path)

    def to_rttm(self, path: Target | None = None) -> str:
        """NIST's RTTM: one line for each run with a label, in the place of a speaker's name."""
        return self._text("rttm", path)

    def to_textgrid(self, path: Target | None = None) -> str:
        """Praat's TextGrid: tiers of labels and states, of missing sound, of alerts, of marks."""
        return self._text("textgrid", path)

    def to_webvtt(self, path: Target | None = None) -> str:
        """WebVTT: a cue for each run."""
        return self._text("vtt", path)

    def to_audformat(self, path: Target | None = None) -> str:
        """Audformat's segmented table: file, start, end and emotion of each run with a label."""
        return self._text("audformat", path)

    def to_audacity(self, path: Target | None = None) -> str:
        """Audacity's labels: begin, end and text of each run."""
        return self._text("audacity", path)

    def to_png(self, path: Target | None = None) -> bytes:
        """A picture. Raises ConfigError where matplotlib is not installed."""
        return self._bytes("png", path)

    def to_svg(self, path: Target | None = None) -> str:
        """A picture, its words as text. Raises ConfigError where matplotlib is not installed."""
        return self._text("svg", path)

    def plot(self) -> Figure:
        """The picture of ``to_png`` as a matplotlib figure, to be changed and saved. It belongs to no window.

        Raises ConfigError where matplotlib is not installed.
        """
        return figure(self.messages())

    def _repr_html_(self) -> str:
        """A small picture, for notebooks; needs no library."""
        return html(self.messages())

    def _text(self, name: str, path: Target | None) -> str:
        return self._bytes(name, path).decode()

    def _bytes(self, name: str, path: Target | None) -> bytes:
        content = b"".join(FORMATS[name].write(self.messages()))
        if path is not None:
            try:
                write_whole(Path(path), [content])
            except FeedError as error:
                raise FeedError(
                    error.what, fix="make room, or name a file in a folder that you may write to"
                ) from error
        return content
