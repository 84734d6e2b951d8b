"""What decodes one recording, whichever library does it: frames in order, holes that its clock shows, and what is to be told.

Belongs to the thread that plays the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from stream_ser.audio.files.opening import SHORTEST_MS, convert, forgiven, open_file
from stream_ser.audio.files.parted import UNKNOWN, PartedFile
from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Notice
from stream_ser.errors import SourceError


@dataclass(frozen=True, slots=True)
class Hole:
    """``frames`` native frames of which the file has no sound, though its clock goes on."""

    frames: int
    reason: str


class Reader(Protocol):
    """A recording that is being decoded."""

    samplerate: int
    channels: int
    begin: int  # the file's frame that comes first
    duration_s: float | None  # of all of it, by the file's own word

    def notices(self) -> Iterator[Notice]:
        """What a person should know before the sound."""

    def read(self, most: int) -> Frames | Hole:
        """Up to ``most`` frames (n, channels), or a hole no longer than that; no frames at the end."""

    def check_whole(self, taken: int) -> Iterator[Notice]:
        """Say what is missing after ``taken`` frames. Raises SourceError where that is more than a slip."""

    def close(self) -> None:
        """Let go of the file; safe to call twice."""


class SoundfileReader:
    """What libsndfile reads, by the plan that makes it whole. Raises SourceError where it cannot be opened or begun."""

    def __init__(self, path: Path, content: bytes | None = None, begin_s: float = 0.0) -> None:
        self._path = path
        self._file, self._plan = open_file(path, content)
        self.begin = _begin(self._file, path, begin_s) if begin_s else 0
        self.samplerate, self.channels = self._file.samplerate, self._file.channels
        self.duration_s = self._file.frames / self.samplerate if self._file.frames < UNKNOWN else None
        self._broken: soundfile.LibsndfileError | None = None

    def notices(self) -> Iterator[Notice]:
        """See ``Reader``."""
        yield from (Notice("warning", f"{self._path.name}: {text}") for text in self._plan.notices)
        if self._file.parts > 1:
            text = f"{self._path.name} holds {self._file.parts} recordings; they are played one after the other"
            yield Notice("info", text)

    def read(self, most: int) -> Frames | Hole:
        """See ``Reader``."""
        try:
            return self._file.read(most)
        except soundfile.LibsndfileError as error:
            self._broken = error
            return np.zeros((0, self.channels), dtype=np.float32)

    def close(self) -> None:
        """See ``Reader``."""
        self._file.close()

    def check_whole(self, taken: int) -> Iterator[Notice]:
        """See ``Reader``."""
        taken += self.begin
        if self._file.error is not None:
            raise SourceError(
                f"{self._path} cannot be read on from {taken / self.samplerate:.3f} s ({self._file.error.strerror})",
                fix="play it again once it is there",
            ) from self._file.error
        missing = self._plan.missing
        if missing is not None and missing.there and forgiven(missing, taken, self.samplerate):
            text = (
                f"its header promises {missing.declared} bytes of sound, and {missing.there} are there; all are heard"
            )
            yield Notice("warning", f"{self._path.name}: {text}")
            return
        lacks = self._file.frames - taken - self._file.short
        if self.duration_s is not None and 0 < lacks * 1000 <= SHORTEST_MS * self.samplerate and not self._plan.cut_off:
            text = f"its header promises {self._file.frames} samples, and {taken} are there; all are heard"
            yield Notice("warning", f"{self._path.name}: {text}")
            return
        promise = self._promise(taken)
        if promise is not None:
            raise SourceError(
                f"{self._path} is cut off: {promise}, but only {taken / self.samplerate:.3f} s can be read",
                fix="get a complete copy; the result covers what could be read",
            )
        left = self._file.stopped or (None if self._plan.more is None else f"it holds {self._plan.more}")
        if left is not None:
            raise SourceError(f"{self._path} is not heard to its end: {left}", fix=convert(self._path))

    def _promise(self, taken: int) -> str | None:
        """What shows that the end is missing."""
        missing = self._plan.missing
        if missing is not None and missing.there:
            frames = missing.frames or taken * missing.declared / missing.there
            return f"its header promises {frames / self.samplerate:.3f} s"
        if self._plan.cut_off is not None:
            return self._plan.cut_off
        if self.duration_s is None:
            return None
        if taken + self._file.short < self._file.frames:
            return f"its header promises {self.duration_s:.3f} s"
        return None if self._broken is None else f"libsndfile says {str(self._broken).strip() or 'that it is damaged'}"


def _begin(file: PartedFile, path: Path, begin_s: float) -> int:
    """Go to a place in a file; the frame it is."""
    last = file.frames - file.samplerate * SHORTEST_MS // 1000
    begin: int = max(0, min(round(begin_s * file.samplerate), last))
    lead = min(begin, file.samplerate if file.format == "MP3" else 0)  # its frames rest on those before them
    try:
        file.seek(begin - lead)
        if lead:
            file.read(lead)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        file.close()
        raise SourceError(
            f"{path} cannot be begun at {begin_s:.1f} s ({error})",
            fix=convert(path),
        ) from error
    return begin
