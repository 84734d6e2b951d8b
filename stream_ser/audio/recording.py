"""Play a sound file as a stream: WAV, FLAC, Ogg (Vorbis and Opus), MP3 and whatever else libsndfile reads.

The thread that iterates reads, resamples and waits; other threads may pause, resume or close. The blocks do not
depend on the pace: a recording played at ×1, ×10 or unpaced gives the same items. Sound that cannot be trusted ends
the stream with a SourceError after everything before it was yielded, so a file that was cut off never passes for a
short one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import soundfile

from stream_ser.audio.files.address import as_path
from stream_ser.audio.files.opening import SHORTEST_MS, convert, forgiven, no_sound, open_file, until_fault
from stream_ser.audio.files.parted import UNKNOWN, PartedFile
from stream_ser.audio.files.plan import Plan
from stream_ser.audio.pacing import Clock, Pacer, SystemClock
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.timeline import Conditioner
from stream_ser.errors import SourceError
from stream_ser.types import SAMPLE_RATE, SourceInfo


class Recording:
    """A sound file as a source. Made by :func:`open_recording`."""

    def __init__(
        self,
        file: PartedFile,
        plan: Plan,
        path: Path,
        pacer: Pacer,
        clock: Clock,
        frames_per_read: int,
        begin: int,
    ) -> None:
        self._file = file
        self._plan = plan
        self._path = path
        self._pacer = pacer
        self._clock = clock
        self._frames_per_read = frames_per_read
        self._begin = begin  # the file's frame that is sample 0
        self._iterating = False
        known = file.frames < UNKNOWN
        self.info = SourceInfo(
            kind="recording",
            name=path.name,
            rate=file.samplerate,
            channels=file.channels,
            duration_s=file.frames / file.samplerate if known else None,
            live=False,
            offset_s=begin / file.samplerate,
        )

    @property
    def speed(self) -> float | None:
        """Times real time; None for as fast as it is taken."""
        return self._pacer.speed

    def set_speed(self, speed: float) -> None:
        """Go on at another speed; what is heard stays the same."""
        self._pacer.set_speed(speed)

    def __iter__(self) -> Iterator[Item]:
        """Yield the recording's blocks, each when it is due.

        Raises SourceError, after the sound before it, where a sample is not a number or the file breaks off.
        """
        self._iterating = True
        with closing(self._file):
            if self._pacer.closed:
                return
            if self.info.rate != SAMPLE_RATE:
                yield Notice("info", f"resampling {self.info.rate} Hz to {SAMPLE_RATE} Hz")
            if self.info.channels > 1:
                yield Notice("info", f"mixing {self.info.channels} channels to one")
            yield from (Notice("warning", f"{self.info.name}: {text}") for text in self._plan.notices)
            if self._file.parts > 1:
                yield Notice(
                    "info", f"{self.info.name} holds {self._file.parts} recordings; they are played one after the other"
                )
            conditioner = Conditioner(self.info.rate)
            taken = 0
            broken: soundfile.LibsndfileError | None = None
            while not self._pacer.closed:
                try:
                    frames = self._file.read(self._frames_per_read)
                except soundfile.LibsndfileError as error:
                    broken = error
                    break
                if not len(frames):
                    break
                good, fault = until_fault(frames)
                if not self._pacer.wait_for(taken + len(good)):
                    return
                yield from conditioner.push(good, self._clock.now_ns())
                yield from conditioner.notices()
                if fault is not None:
                    yield from conditioner.finish(self._clock.now_ns())
                    raise no_sound(self._path, fault, (self._begin + taken + len(good)) / self.info.rate)
                taken += len(good)
            if not self._pacer.closed:
                yield from conditioner.finish(self._clock.now_ns())
                yield from self._check_whole(self._begin + taken, broken)

    def pause(self) -> None:
        """Hold the stream; what is missed is not lost."""
        self._pacer.pause()

    def resume(self) -> None:
        """Go on where :meth:`pause` held."""
        self._pacer.resume()

    def close(self) -> None:
        """End iteration, also while it waits or is paused."""
        self._pacer.close()
        if not self._iterating:  # else the thread that iterates closes the file
            self._file.close()

    def _check_whole(self, taken: int, broken: Exception | None) -> Iterator[Notice]:
        """Say what is missing of the sound that was promised. Raises SourceError where that is more than a slip."""
        if self._file.error is not None:
            raise SourceError(
                f"{self._path} cannot be read on from {taken / self.info.rate:.3f} s ({self._file.error.strerror})",
                fix="play it again once it is there",
            ) from self._file.error
        missing = self._plan.missing
        if missing is not None and missing.there and forgiven(missing, taken, self.info.rate):
            text = (
                f"its header promises {missing.declared} bytes of sound, and {missing.there} are there; all are heard"
            )
            yield Notice("warning", f"{self.info.name}: {text}")
            return
        lacks = self._file.frames - taken - self._file.short
        if (
            self.info.duration_s is not None
            and 0 < lacks * 1000 <= SHORTEST_MS * self.info.rate
            and not self._plan.cut_off
        ):
            text = f"its header promises {self._file.frames} samples, and {taken} are there; all are heard"
            yield Notice("warning", f"{self.info.name}: {text}")
            return
        promise = self._promise(taken, broken)
        if promise is not None:
            raise SourceError(
                f"{self._path} is cut off: {promise}, but only {taken / self.info.rate:.3f} s can be read",
                fix="get a complete copy; the result covers what could be read",
            )
        left = self._file.stopped or (None if self._plan.more is None else f"it holds {self._plan.more}")
        if left is not None:
            raise SourceError(f"{self._path} is not heard to its end: {left}", fix=convert(self._path))

    def _promise(self, taken: int, broken: Exception | None) -> str | None:
        """What shows that the end is missing."""
        missing = self._plan.missing
        if missing is not None and missing.there:
            frames = missing.frames or taken * missing.declared / missing.there
            return f"its header promises {frames / self.info.rate:.3f} s"
        if self._plan.cut_off is not None:
            return self._plan.cut_off
        if self.info.duration_s is None:
            return None
        if taken + self._file.short < self._file.frames:
            return f"its header promises {self.info.duration_s:.3f} s"
        return None if broken is None else f"libsndfile says {str(broken).strip() or 'that it is damaged'}"


def open_recording(
    path: str | Path,
    *,
    speed: float | None = 1.0,
    block: int = 800,
    clock: Clock | None = None,
    begin_s: float = 0.0,
    content: bytes | None = None,
) -> Recording:
    """Open a sound file to be played at ``speed`` times real time, or as fast as it is taken with ``speed=None``.

    ``block`` is the sound in one item, counted in 16 kHz samples and never zero; the last may be shorter. It begins
    at ``begin_s`` of the recording, or as near before the end as leaves something to hear. ``content`` is all of the file
    where it is in memory and not on the disk; ``path`` is then only what it is called. Raises SourceError when the file
    is missing, is not a sound file, is too short to hold speech, or cannot be begun there; ValueError for a speed that is
    not positive.
    """
    if speed is not None and not 0.0 < speed < float("inf"):
        raise ValueError(f"a speed of {speed} is not positive")
    path = as_path(path)
    file, plan = open_file(path, content)
    begin = _begin(file, path, begin_s) if begin_s else 0
    clock = clock or SystemClock()
    frames_per_read = max(1, block * file.samplerate // SAMPLE_RATE)
    return Recording(file, plan, path, Pacer(clock, file.samplerate, speed), clock, frames_per_read, begin)


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
