"""A recorded session, played: the messages of a file, as a screen takes those of a stream that runs.

Thread ownership: belongs to one thread, the screen's. Nothing waits: ``drain`` reads what is due, at most for ``BUDGET_S``.

Invariants: messages come in the order of the file. Streams that ran together play together, one that began after another
had ended follows it: time is that of the session, s, and a stream's own time begins where its hello stands. Going back is
a ``rewind`` and then everything from the beginning to there, so what a screen shows never depends on the way to it. Only
where each line begins and when it is due are kept.
"""

from __future__ import annotations

import json
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from stream_ser.controls.capabilities import RewindMessage, ScreenMessage, own_notice
from stream_ser.export.reading import Recorded, walk
from stream_ser.feed.message_types import Message
from stream_ser.types import SAMPLE_RATE

PARTS = 800  # of the envelope
SILENCE_DBFS = -120.0
BUDGET_S = 0.04  # for one drain: a screen that is asked to show hours at once must go on taking keys


class RecordedSession:
    """Plays the messages in ``path`` at ``speed`` times real time, or with None all at once. ``clock`` gives seconds.

    Raises ConfigError where the file cannot be read or holds no trajectory.
    """

    can_pause = True
    holds = True  # a pause holds the screen's time; no stream of the session was paused by it
    whole = True

    def __init__(self, path: Path, speed: float | None = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._lines = array("Q")  # where they begin in the file
        self._due = array("d")  # seconds of the session, never falling
        self._names: list[str] = []  # of streams
        self._whose = array("L")  # the place in it, for each line
        self._levels = array("f")  # dBFS, of points; of other lines silence
        self._envelope: tuple[float, ...] | None = None
        self._index()
        self._file = path.open("rb")
        self._next = 0  # the line that comes next
        self._rewound = self._told_end = False
        self._anchor = (clock(), 0.0)  # a moment, and the place then
        self._speed = speed
        self.paused = False
        self._held = 0.0  # seconds that went by in pauses that are over
        if speed is None:
            self.seek(self.length_s)

    @property
    def streams(self) -> int:
        """How many there are in the file."""
        return len(self._names)

    @property
    def over(self) -> bool:
        """Whether everything has been drained."""
        return self._told_end

    @property
    def speed(self) -> float | None:
        """Times real time; None where everything is shown at once."""
        return self._speed

    @property
    def length_s(self) -> float:
        """How long the session is."""
        return self._due[-1]

    @property
    def envelope(self) -> Sequence[float]:
        """How loud the session is, in equal parts; empty of several streams, which have no sound in common."""
        if self._envelope is None:
            self._envelope = ()
            if self.streams == 1 and self.length_s > 0.0:
                parts = np.minimum(np.array(self._due) / self.length_s * PARTS, PARTS - 1).astype(np.intp)
                levels = np.full(PARTS, SILENCE_DBFS)
                np.maximum.at(levels, parts, np.array(self._levels))
                self._envelope = tuple(levels.tolist())
        return self._envelope

    @property
    def place_s(self) -> float:
        """What is played now."""
        at, place = self._anchor
        if not self.paused:
            place += (self._clock() - at) * (self._speed or 0.0)
        return min(place, self.length_s)

    def now(self) -> float:
        """Seconds by a clock that stands still while the session does: nothing becomes old meanwhile."""
        return (self._anchor[0] if self.paused else self._clock()) - self._held

    def set_speed(self, speed: float) -> None:
        """Go on at another speed."""
        self._hold(self.place_s)
        self._speed = speed

    def seek(self, to_s: float) -> None:
        """Go on at another place."""
        to_s = min(max(0.0, to_s), self.length_s)
        if self._next and to_s < self._due[self._next - 1]:
            self._next, self._rewound = 0, True
        self._hold(to_s)

    def skip(self, by_s: float) -> None:
        """Go on so much further, or back."""
        self.seek(self.place_s + by_s)

    def pause(self) -> None:
        """Stand still."""
        if not self.paused:
            self._hold(self.place_s)
            self.paused = True

    def resume(self) -> None:
        """Go on."""
        if self.paused:
            self._hold(self.place_s)
            self.paused = False

    def _hold(self, place: float) -> None:
        """Count from now and ``place`` on."""
        now = self._clock()
        if self.paused:
            self._held += now - self._anchor[0]
        self._anchor = (now, place)

    def stop(self) -> None:
        """Play no more; ``close`` lets go of the file."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def drain(self) -> list[ScreenMessage]:
        """What has become due since the last call, as far as there is time."""
        taken: list[ScreenMessage] = []
        if self._rewound:
            self._rewound = self._told_end = False
            taken.append(RewindMessage(type="rewind", seq=0))
        due = bisect_right(self._due, self.place_s, self._next)
        until = time.perf_counter() + BUDGET_S
        while self._next < due and time.perf_counter() < until:
            self._file.seek(self._lines[self._next])
            message = json.loads(self._file.readline()) | {"stream": self._names[self._whose[self._next]]}
            taken.append(cast(Message, message))
            self._next += 1
        if self._next == len(self._lines) and not self._told_end:
            self._told_end = True
            taken.append(own_notice("info", "the recorded session ends here"))
        return taken

    def _index(self) -> None:
        """Look at every line once. Raises ConfigError."""
        opened: dict[str, float] = {}
        begins: dict[str, float] = {}  # where a stream's own time begins; it may have run long before it was recorded
        places: dict[str, int] = {}
        now = 0.0
        for stream, message in walk(self.path):
            if stream.name not in places:
                places[stream.name] = len(self._names)
                self._names.append(stream.name)
                opened[stream.name] = now
            end_s = _end(stream, message)
            if end_s is not None:
                hop_s = stream.hello["hop"] / _rate(stream)
                begin_s = begins.setdefault(stream.name, opened[stream.name] - max(0.0, end_s - hop_s))
                now = max(now, begin_s + end_s)
            self._lines.append(stream.lines[-1])
            self._due.append(now)
            self._whose.append(places[stream.name])
            self._levels.append(message["level_dbfs"] if message["type"] == "point" else SILENCE_DBFS)


def _end(stream: Recorded, message: Message) -> float | None:
    """Where a message stands in its stream, s; None for one that says nothing of that."""
    if message["type"] == "end":
        return float(message["duration_s"])
    return float(message["end"] / _rate(stream)) if message["type"] in ("point", "gap") else None


def _rate(stream: Recorded) -> int:
    return int(stream.hello.get("sample_rate", SAMPLE_RATE))
