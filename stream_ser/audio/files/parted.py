"""The recordings of a file, one after the other, as if they were one sound file.

Belongs to one thread. libsndfile has one recording open at a time.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import soundfile

from stream_ser.audio.files.extents import Extents
from stream_ser.audio.files.plan import Plan
from stream_ser.audio.resample import Frames

DROPPED = 65_536  # frames that are decoded at once on the way to a place
UNKNOWN = 1 << 48  # libsndfile gives 2**63 - 1 frames where a header does not say


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is only read forward.

    Beside each read soundfile seeks to where it already is, and that seek makes libsndfile's MP3 decoder begin anew:
    read in blocks of 20 ms an MP3 then differs by up to 0.13 from the same file read at once.
    """

    def seekable(self) -> bool:
        """It is not to be sought in beside a read."""
        return False


class PartedFile:
    """Frames from all parts of a plan. ``frames`` is their sum by the parts' headers, at least UNKNOWN where one does not say.

    ``stopped`` says why the parts from some place on are left out, if they are: libsndfile cannot read one, or it has another
    rate. Raises LibsndfileError, TypeError or OSError where the first part cannot be opened.
    """

    def __init__(self, path: Path | None, file: BinaryIO, plan: Plan) -> None:
        self._path, self._file, self._parts = path, file, plan.parts
        self._over: Extents | None = None
        self._open = self._opened(0)
        self.samplerate: int = self._open.samplerate
        self.channels: int = self._open.channels
        self.format: str = self._open.format
        self.subtype: str = self._open.subtype
        self.stopped: str | None = None
        lengths = [self._length(0)]
        for index in range(1, len(plan.parts)):
            length = self._look(index, sum(lengths))
            if length is None:
                break
            lengths.append(length)
        self._starts = [0, *accumulate(lengths)]
        self.frames = self._starts[-1]
        self.short = 0  # frames of parts before the last that were promised and not there
        self._index, self._left = 0, lengths[0]
        if len(plan.parts) > 1:
            self._turn_to(0)

    @property
    def parts(self) -> int:
        """How many recordings are played."""
        return len(self._starts) - 1

    @property
    def error(self) -> OSError | None:
        """What reading the file raised beneath libsndfile, which takes it for the end."""
        return None if self._over is None else self._over.error

    def read(self, most: int) -> Frames:
        """Up to ``most`` frames (n, channels); none at the end. Channels may change where a part ends."""
        while True:
            frames: Frames = self._open.read(min(most, self._left), dtype="float32", always_2d=True)
            self._left -= len(frames)
            if len(frames) or self._index + 1 >= self.parts:
                return frames
            self.short += self._left if self._left < UNKNOWN else 0
            self._turn_to(self._index + 1)

    def seek(self, frame: int) -> None:
        """Go to a frame of the whole. Where libsndfile cannot (GSM, most ADPCM), what is before it is decoded and dropped."""
        index = min(max(0, bisect_right(self._starts, frame) - 1), self.parts - 1)
        if index != self._index:
            self._turn_to(index)
        within = frame - self._starts[index]
        try:
            self._open.seek(within)
        except soundfile.LibsndfileError:  # what it says of being able to is wrong of some
            self._turn_to(index)
            self._drop(within)
        self._left = self._starts[index + 1] - frame

    def _drop(self, frames: int) -> None:
        while frames and (dropped := len(self._open.read(min(frames, DROPPED), dtype="float32", always_2d=True))):
            frames -= dropped

    def close(self) -> None:
        """Close it; safe to call twice."""
        self.close_sound()
        self._file.close()

    def close_sound(self) -> None:
        """Close what libsndfile has open, and not the file beneath it."""
        self._open.close()

    def _opened(self, index: int) -> soundfile.SoundFile:
        part = self._parts[index]
        if part.pieces is None and self._path is not None:
            self._over = None
            return ForwardFile(self._path)
        self._over = Extents(self._file, part.pieces or ((0, self._size()),))
        return ForwardFile(self._over)

    def _size(self) -> int:
        return self._file.seek(0, 2)

    def _turn_to(self, index: int) -> None:
        self._open.close()
        self._open = self._opened(index)
        self._index, self._left = index, self._starts[index + 1] - self._starts[index]

    def _length(self, index: int) -> int:
        limit = self._parts[index].limit
        frames: int = self._open.frames
        return frames if limit is None else min(frames, limit)

    def _look(self, index: int, before: int) -> int | None:
        """The frames of a part; None, and why in ``stopped``, where it cannot be played behind the ones before it."""
        place = f"from {before / self.samplerate:.3f} s (byte {self._parts[index].begin}) on it holds"
        try:
            self._open.close()
            self._open = self._opened(index)
        except soundfile.LibsndfileError as error:
            self.stopped = f"{place} a recording that cannot be read ({error.error_string.strip().rstrip('.')})"
            return None
        if self._open.samplerate != self.samplerate:
            self.stopped = f"{place} a recording at {self._open.samplerate} Hz behind one at {self.samplerate} Hz"
            return None
        return self._length(index)
