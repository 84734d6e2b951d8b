"""Play a sound file as a stream: WAV, FLAC, Ogg (Vorbis and Opus), MP3 and whatever else libsndfile reads.

The thread that iterates reads, resamples and waits; other threads may pause, resume or close. The blocks do not
depend on the pace: a recording played at ×1, ×10 or unpaced gives the same items. Sound that cannot be trusted ends
the stream with a SourceError after everything before it was yielded, so a file that was cut off never passes for a
short one.
"""

from __future__ import annotations

import io
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from stream_ser.audio.container import cut_off
from stream_ser.audio.pacing import Clock, Pacer, SystemClock
from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.timeline import Conditioner
from stream_ser.errors import SourceError
from stream_ser.types import SAMPLE_RATE, SourceInfo

SHORTEST_MS = 25  # one analysis frame of the models' front ends
_UNKNOWN = 1 << 48  # libsndfile gives 2**63 - 1 frames where a header does not say


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is only read forward.

    Beside each read soundfile seeks to where it already is, and that seek makes libsndfile's MP3 decoder begin anew:
    read in blocks of 20 ms an MP3 then differs by up to 0.13 from the same file read at once.
    """

    def seekable(self) -> bool:
        return False


class Recording:
    """A sound file as a source. Made by :func:`open_recording`."""

    def __init__(
        self,
        file: soundfile.SoundFile,
        path: Path,
        pacer: Pacer,
        clock: Clock,
        frames_per_read: int,
        begin: int,
        content: bytes | None = None,
    ) -> None:
        self._file = file
        self._path = path
        self._content = content
        self._pacer = pacer
        self._clock = clock
        self._frames_per_read = frames_per_read
        self._begin = begin  # the file's frame that is sample 0
        self._iterating = False
        known = file.frames < _UNKNOWN
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
        with self._file:
            if self._pacer.closed:
                return
            if self.info.rate != SAMPLE_RATE:
                yield Notice("info", f"resampling {self.info.rate} Hz to {SAMPLE_RATE} Hz")
            if self.info.channels > 1:
                yield Notice("info", f"mixing {self.info.channels} channels to one")
            conditioner = Conditioner(self.info.rate)
            taken = 0
            broken: soundfile.LibsndfileError | None = None
            while not self._pacer.closed:
                try:
                    frames = self._file.read(self._frames_per_read, dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    broken = error
                    break
                if not len(frames):
                    break
                good, fault = _until_fault(frames)
                if not self._pacer.wait_for(taken + len(good)):
                    return
                yield from conditioner.push(good, self._clock.now_ns())
                if fault is not None:
                    yield from conditioner.finish(self._clock.now_ns())
                    raise self._not_a_number(self._begin + taken + len(good), fault)
                taken += len(good)
            if not self._pacer.closed:
                yield from conditioner.finish(self._clock.now_ns())
                self._check_whole(self._begin + taken, broken)

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

    def _not_a_number(self, frame: int, value: float) -> SourceError:
        return SourceError(
            f"{self._path} holds the value {value} at {frame / self.info.rate:.6f} s, which is not sound",
            fix="write the file again, or cut that place out of it",
        )

    def _check_whole(self, taken: int, broken: Exception | None) -> None:
        try:
            promise = cut_off(self._path if self._content is None else self._content, self._file.format)
        except (OSError, struct.error) as error:
            raise SourceError(
                f"{self._path} changed while it was played ({error})", fix="play it again once nobody writes to it"
            ) from error
        if promise is None and self.info.duration_s is not None and taken < self._file.frames:
            promise = f"its header promises {self.info.duration_s:.3f} s"
        if promise is None and broken is not None and self.info.duration_s is not None:
            promise = f"libsndfile says {str(broken).strip() or 'that it is damaged'}"
        if promise is not None:
            raise SourceError(
                f"{self._path} is cut off: {promise}, but only {taken / self.info.rate:.3f} s can be read",
                fix="get a complete copy; the result covers what could be read",
            )


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
    path = Path(path)
    file = _open(path) if content is None else _open_content(content, path)
    if file.frames * 1000 < SHORTEST_MS * file.samplerate:
        file.close()
        raise _too_short(path, file.frames, file.samplerate)
    begin = _begin(file, path, begin_s) if begin_s else 0
    clock = clock or SystemClock()
    frames_per_read = max(1, block * file.samplerate // SAMPLE_RATE)
    return Recording(file, path, Pacer(clock, file.samplerate, speed), clock, frames_per_read, begin, content)


def _begin(file: soundfile.SoundFile, path: Path, begin_s: float) -> int:
    """Go to a place in a file; the frame it is."""
    last = file.frames - file.samplerate * SHORTEST_MS // 1000
    begin: int = max(0, min(round(begin_s * file.samplerate), last))
    lead = min(begin, file.samplerate if file.format == "MP3" else 0)  # its frames rest on those before them
    try:
        file.seek(begin - lead)
        file.read(lead)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        file.close()
        raise SourceError(
            f"{path} cannot be begun at {begin_s:.1f} s ({error})",
            fix=_convert(path),
        ) from error
    return begin


def _open(path: Path) -> soundfile.SoundFile:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise SourceError(f"{path} is {kind}", fix="name one sound file")
        if status.st_size == 0:
            raise SourceError(f"{path} is empty (0 bytes)", fix="record or copy it again")
        with path.open("rb"):
            return _ForwardFile(path)
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {path}", fix="check the path") from error
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror})", fix="check the path and the file's permissions"
        ) from error
    except UnicodeEncodeError as error:  # libsndfile is given names as text, and so are results
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise SourceError(f"the name of {shown} is not UTF-8", fix="give it another name") from error
    except TypeError as error:  # soundfile's word for a file without a header
        raise SourceError(
            f"{path} holds raw samples that do not say their rate",
            fix=f"pipe it: stream-ser replay - --rate 16000 < {path.name}",
        ) from error
    except soundfile.LibsndfileError as error:
        raise SourceError(
            f"{path} is not a sound file that can be read ({error.error_string.strip().rstrip('.')})",
            fix=_convert(path),
        ) from error


def _open_content(content: bytes, name: Path) -> soundfile.SoundFile:
    if not content:
        raise SourceError(f"{name} is empty (0 bytes)", fix="give all bytes of one sound file")
    try:
        return _ForwardFile(io.BytesIO(content))
    except (soundfile.LibsndfileError, TypeError) as error:
        raise SourceError(
            f"{name} holds {len(content)} bytes that are no sound file that can be read",
            fix="give all bytes of a WAV, FLAC, Ogg or MP3 file; raw samples as an array, as np.frombuffer(data, '<i2')",
        ) from error


def _convert(path: Path) -> str:
    """The command that makes a readable file, beside the one that is not: ffmpeg cannot write over what it reads."""
    return f"convert it first: ffmpeg -i {path.name} {path.stem}-converted.wav"


def _too_short(path: Path, frames: int, rate: int) -> SourceError:
    if frames == 0:
        return SourceError(f"{path} has a header but no samples", fix="record or copy it again")
    count = "1 sample" if frames == 1 else f"{frames} samples"
    return SourceError(
        f"{path} holds {count} ({1000 * frames / rate:.2f} ms at {rate} Hz), too little to hear speech in",
        fix=f"give a recording of at least {SHORTEST_MS} ms",
    )


def _until_fault(frames: Frames) -> tuple[Frames, float | None]:
    """Give the frames before the first value that is not finite, and that value."""
    good = np.isfinite(frames)
    if good.all():
        return frames, None
    first = int(np.flatnonzero(~good.all(axis=1))[0])
    return frames[:first], float(frames[first][~good[first]][0])
