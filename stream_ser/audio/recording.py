"""Play a sound file as a stream: what libsndfile reads, and what phones record where PyAV or ffmpeg is there.

The thread that iterates reads, resamples and waits; other threads may pause, resume or close. The blocks do not
depend on the pace: a recording played at ×1, ×10 or unpaced gives the same items. Sound that cannot be trusted ends
the stream with a SourceError after everything before it was yielded, so a file that was cut off never passes for a
short one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from stream_ser.audio.files.address import as_path
from stream_ser.audio.files.opening import no_sound, until_fault
from stream_ser.audio.files.reader import Hole, Reader
from stream_ser.audio.media.choice import open_reader
from stream_ser.audio.pacing import Clock, Pacer, SystemClock
from stream_ser.audio.parties import ALONE, Parties, SidedSource, Sides, check_parties
from stream_ser.audio.source import Item
from stream_ser.types import SAMPLE_RATE, SourceInfo

BLOCK = 800  # 16 kHz samples in one item, 50 ms


class Recording(SidedSource):
    """A sound file as a source. Made by :func:`open_recording`."""

    def __init__(
        self,
        reader: Reader,
        path: Path,
        pacer: Pacer,
        clock: Clock,
        frames_per_read: int,
        parties: Parties,
        again: Callable[[float, float | None, int], Recording],
    ) -> None:
        self._reader = reader
        self._path = path
        self._again = again
        self._pacer = pacer
        self._clock = clock
        self._frames_per_read = frames_per_read
        self._parties = parties
        self._lock = threading.Lock()  # decides which thread lets go of the file
        self._iterating = False
        self.info = SourceInfo(
            kind="recording",
            name=path.name,
            rate=reader.samplerate,
            channels=reader.channels,
            duration_s=reader.duration_s,
            live=False,
            offset_s=reader.begin / reader.samplerate,
            channel=ALONE.get(parties),
        )

    @property
    def speed(self) -> float | None:
        """Times real time; None for as fast as it is taken."""
        return self._pacer.speed

    def set_speed(self, speed: float) -> None:
        """Go on at another speed; what is heard stays the same."""
        self._pacer.set_speed(speed)

    def again(self, begin_s: float, speed: float | None, block: int = BLOCK) -> Recording:
        """The same recording, heard the same way, from ``begin_s`` on. Raises SourceError as ``open_recording`` does."""
        return self._again(begin_s, speed, block)

    def sides(self) -> Iterator[tuple[int, Item]]:
        """Yield the recording's blocks, each when it is due, with the timeline that each belongs to.

        Raises SourceError, after the sound before it, where a sample is not a number or the file breaks off.
        """
        with self._lock:
            if self._pacer.closed:  # and close() has let go of the file, or a thread that iterated
                return
            self._iterating = True
        with closing(self._reader):
            sides = Sides(self.info.rate, self.info.channels, self._parties)
            yield from sides.introduce()
            for notice in self._reader.notices():
                yield from sides.tell(notice)
            taken = 0
            while not self._pacer.closed:
                piece = self._reader.read(self._frames_per_read)
                if isinstance(piece, Hole):
                    if not self._pacer.wait_for(taken + piece.frames):
                        return
                    yield from sides.lose(piece.frames, piece.reason, self._clock.now_ns())
                    taken += piece.frames
                    continue
                if not len(piece):
                    break
                good, fault = until_fault(piece)
                if not self._pacer.wait_for(taken + len(good)):
                    return
                yield from sides.push(good, self._clock.now_ns())
                taken += len(good)
                if fault is not None:
                    yield from sides.finish(self._clock.now_ns())
                    raise no_sound(self._path, fault, (self._reader.begin + taken) / self.info.rate)
            if not self._pacer.closed:
                yield from sides.finish(self._clock.now_ns())
                for notice in self._reader.check_whole(taken):
                    yield from sides.tell(notice)

    def pause(self) -> None:
        """Hold the stream; what is missed is not lost."""
        self._pacer.pause()

    def resume(self) -> None:
        """Go on where :meth:`pause` held."""
        self._pacer.resume()

    def close(self) -> None:
        """End iteration, also while it waits or is paused."""
        with self._lock:
            self._pacer.close()
            if not self._iterating:  # else the thread that iterates closes the file
                self._reader.close()


def open_recording(
    path: str | Path,
    *,
    speed: float | None = 1.0,
    block: int = BLOCK,
    clock: Clock | None = None,
    begin_s: float = 0.0,
    content: bytes | None = None,
    parties: str = "mix",
    track: int | None = None,
) -> Recording:
    """Open a sound file to be played at ``speed`` times real time, or as fast as it is taken with ``speed=None``.

    ``block`` is the sound in one item, counted in 16 kHz samples and never zero; the last may be shorter. It begins
    at ``begin_s`` of the recording, or as near before the end as leaves something to hear. ``content`` is all of the file
    where it is in memory and not on the disk; ``path`` is then only what it is called. ``parties`` says which channels are
    heard (:mod:`stream_ser.audio.parties`), ``track`` which sound of a file that has several, from 1 on. Raises SourceError
    when the file is missing, is not a sound file, is too short to hold speech, cannot be begun there, or has no such channel
    or track; ConfigError for parties that are none; ValueError for a speed that is not positive.
    """
    if speed is not None and not 0.0 < speed < float("inf"):
        raise ValueError(f"a speed of {speed} is not positive")
    path = as_path(path)
    reader = open_reader(path, content, begin_s, track)
    try:
        heard = check_parties(parties, reader.channels, str(path))
    except Exception:
        reader.close()
        raise
    clock = clock or SystemClock()
    frames_per_read = max(1, block * reader.samplerate // SAMPLE_RATE)

    def again(begin_s: float, speed: float | None, block: int) -> Recording:
        return open_recording(
            path, speed=speed, block=block, clock=clock, begin_s=begin_s, content=content, parties=parties, track=track
        )

    return Recording(reader, path, Pacer(clock, reader.samplerate, speed), clock, frames_per_read, heard, again)
