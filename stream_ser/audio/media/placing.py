"""What readers of media share: decoded frames in, a recording that joins without a hole out, with its end looked at.

Belongs to the thread that plays the recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stream_ser.audio.files.opening import SHORTEST_MS, convert
from stream_ser.audio.files.reader import Hole
from stream_ser.audio.media.clock import FileClock
from stream_ser.audio.media.extent import Extent, extent_of
from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Notice
from stream_ser.errors import SourceError

MISSING_S = 0.05  # what a file may promise beyond its sound
NO_SOUND = "the file has no sound here"
LEFT_S = 0.1  # of a recording, where it is to be begun behind its end
LATE_S = 0.1  # of a beginning that is silence rather than a hole: files of browsers have one, as decoders need a start
Decoded = Iterator[tuple[Fraction | None, Frames]]  # each piece with its time on the file's clock


class PlacedReader:
    """A ``Reader`` over what a decoder gives. Whoever derives sets what ``Reader`` names, and calls ``_start``."""

    samplerate: int
    channels: int
    begin: int = 0
    duration_s: float | None = None

    def __init__(self, path: Path, container: str) -> None:
        self._path, self._kind = path, container
        self._codec = ""
        self._end: int | None = None  # the frame at which the sound ends by the file's word
        self._promised_s: float | None = None  # how long its sound is by the file's word, where that is to be trusted
        self._damaged, self._damage, self._ends_damaged = 0, "", False  # packets that could not be decoded
        self._broken = self._stopped = ""
        self._jumps, self._jump = 0, ""
        self._late_s = 0.0
        self._extent: Extent | None = None
        self._queue: deque[Frames | Hole] = deque()
        self._last: Frames | None = None  # what goes beyond the end: the end of it, if nothing follows

    def notices(self) -> Iterator[Notice]:
        """See ``Reader``."""
        if self._late_s:
            text = f"its sound begins at {self._late_s:.3f} s, with silence before"
            yield Notice("info", f"{self._path.name}: {text}")

    def read(self, most: int) -> Frames | Hole:
        """See ``Reader``."""
        got: list[Frames] = []
        room = most
        while room:
            if not self._queue:
                if self._advance():
                    continue
                break
            head = self._queue[0]
            if isinstance(head, Hole):
                if got:
                    break
                return self._of_hole(head, most)
            if len(head) > room:
                self._queue[0] = head[room:]
            else:
                self._queue.popleft()
            got.append(head[:room])
            room -= len(got[-1])
        return np.concatenate(got) if got else np.zeros((0, self.channels), dtype=np.float32)

    def check_whole(self, taken: int) -> Iterator[Notice]:
        """See ``Reader``."""
        at_s = (self.begin + taken) / self.samplerate
        if self._broken:
            raise SourceError(
                f"{self._path} cannot be read on from {at_s:.3f} s ({self._broken})", fix=convert(self._path)
            )
        if self._stopped:
            raise SourceError(
                f"{self._path} is not heard to its end: from {at_s:.3f} s on {self._stopped}", fix=convert(self._path)
            )
        if self._jumps:
            more = f" (and {self._jumps - 1} times more)" if self._jumps > 1 else ""
            yield Notice("warning", f"{self._path.name}: its clock {self._jump}, and is not followed{more}")
        if self._damaged:
            packets = "a packet" if self._damaged == 1 else f"{self._damaged} packets"
            yield Notice("warning", f"{self._path.name}: {packets} could not be decoded ({self._damage})")
        missing = self._missing(at_s)
        if missing is not None:
            raise SourceError(
                f"{self._path} is cut off: {missing}, and its sound ends at {at_s:.3f} s",
                fix="get a complete copy; the result covers what could be read",
            )

    def _look(self, file: BinaryIO) -> None:
        """Compare the file's structure with its bytes. Raises SourceError where nothing of it could be heard."""
        self._extent = extent_of(file, self._kind)
        if self._extent is not None and not self._extent.indexed:
            raise SourceError(
                f"{self._path} is cut off: the index that an {self._kind} file gets at its end is missing",
                fix="get a complete copy; without an index nothing of it can be heard",
            )

    def _missing(self, at_s: float) -> str | None:
        """What shows that the end is missing."""
        extent = self._extent
        if self._promised_s is not None and self._promised_s - at_s > MISSING_S:
            return f"it says that it is {self._promised_s:.3f} s long"
        if self._promised_s is not None and extent is not None and not extent.fragmented:
            return None  # what is cut off is no sound
        if extent is not None and extent.cut_off:
            return f"it should have {extent.declared} bytes and has {extent.there}"
        return "its last packet is not whole" if self._ends_damaged else None

    def _start(self, clock: FileClock, decoded: Decoded) -> None:
        """Begin; looks at the first sound. Raises SourceError where there is too little to hear speech in."""
        self._clock, self._decoded_frames = clock, decoded
        least = self.samplerate * SHORTEST_MS // 1000
        while sum(len(piece) for piece in self._queue if not isinstance(piece, Hole)) < least:
            if not self._advance():
                break
        frames = sum(len(piece) for piece in self._queue if not isinstance(piece, Hole))
        if frames < least and self.begin:
            raise SourceError(
                f"{self._path} cannot be begun at {self.begin / self.samplerate:.1f} s: nothing is to be heard from there",
                fix="begin earlier",
            )
        if frames < least and (missing := self._missing(frames / self.samplerate)) is not None:
            raise SourceError(
                f"{self._path} is cut off: {missing}, too little to hear speech in", fix="get a complete copy"
            )
        if frames < least:
            length = f"{1000 * frames / self.samplerate:.2f} ms at {self.samplerate} Hz"
            raise SourceError(
                f"{self._path} holds {frames} samples ({length}), too little to hear speech in",
                fix=f"give a recording of at least {SHORTEST_MS} ms",
            )

    def _begin_at(self, begin_s: float) -> int:
        """The frame at ``begin_s``, or as near before the end as leaves something to hear."""
        if self.duration_s is not None:
            begin_s = min(begin_s, self.duration_s - LEFT_S)
        return max(0, round(begin_s * self.samplerate))

    def _advance(self) -> bool:
        """Take the decoder's next piece; False where there is none."""
        piece = next(self._decoded_frames, None)
        held, self._last = self._last, None
        if piece is None:
            if held is not None:  # it was the last one
                self._queue.append(held[: len(held) - (self._clock.position - (self._end or 0))])
            return held is not None
        if held is not None:
            self._queue.append(held)
            self._end = None  # the file's word for its end is not to be trusted
        time, frames = piece
        place = self._clock.place(time, len(frames))
        if place.jump_s is not None:
            at = (self._clock.position - len(frames)) / self.samplerate
            self._jumps += 1
            self._jump = self._jump or f"jumps by {place.jump_s:+.3f} s at {at:.3f} s"
        if 0 < place.hole <= LATE_S * self.samplerate and self._clock.position == place.hole + len(frames):
            self._late_s = place.hole / self.samplerate
            self._queue.append(np.zeros((place.hole, self.channels), dtype=np.float32))
        elif place.hole:
            self._queue.append(Hole(place.hole, NO_SOUND))
        frames = frames[place.drop :]
        if not len(frames):
            return True
        beyond = 0 if self._end is None else self._clock.position - self._end
        if 0 < beyond < len(frames) and self._clock.exact:
            self._last = frames
        else:
            self._queue.append(frames)
        return True

    def _of_hole(self, hole: Hole, most: int) -> Hole:
        self._queue.popleft()
        if hole.frames > most:
            self._queue.appendleft(Hole(hole.frames - most, hole.reason))
        return Hole(min(hole.frames, most), hole.reason)

    def _break(self, why: str) -> None:
        self._broken = why

    def _stop(self, why: str) -> None:
        self._stopped = why

    def _refusal(self, why: str) -> SourceError:
        """Why the file cannot be opened at all."""
        return SourceError(f"{self._path} is no {self._kind} file that can be read ({why})", fix=convert(self._path))
