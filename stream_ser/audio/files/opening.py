"""Open a sound file, on the disk or in memory, with a plan to hear all of it."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from stream_ser.audio.files.parted import PartedFile
from stream_ser.audio.files.plan import Missing, Plan
from stream_ser.audio.files.plans import plan_of, plan_of_mpeg, surely_mpeg
from stream_ser.audio.resample import Frames
from stream_ser.audio.timeline import LOUDEST
from stream_ser.errors import SourceError

SHORTEST_MS = 25  # one analysis frame of the models' front ends
SLOWEST, FASTEST = 4_000, 384_000  # Hz
LOOK_S = 10.0  # of a float file, before anything is heard of it
HEADER_SLIP = 64  # bytes: some recorders count the header's own into the sound's


def open_file(path: Path, content: bytes | None = None) -> tuple[PartedFile, Plan]:
    """Open what is at ``path``, or ``content``, which is called so; and what there is to tell of it.

    Raises SourceError for what is no sound file that can be read, or is too short to hold speech.
    """
    file = open_bytes(path, content)
    place = path if content is None else None
    plan = Plan()
    try:
        sure = surely_mpeg(file)
        plan = _counted(path, file) if sure else plan_of(file)
        opened = PartedFile(place, file, plan)
        if opened.format == "MP3" and not sure and plan.parts[0].pieces is None:
            plan = _counted(path, file)
            if plan != Plan():
                opened.close_sound()
                opened = PartedFile(place, file, plan)
    except (OSError, TypeError, soundfile.LibsndfileError) as error:
        file.close()
        raise _cut(path, plan) or _refusal(path, content, error) from error
    except SourceError:
        file.close()
        raise
    if not SLOWEST <= opened.samplerate <= FASTEST:
        opened.close()
        raise SourceError(
            f"{path} says that it has {opened.samplerate} Hz, which is no sample rate of sound",
            fix=f"write its header again: ffmpeg -f s16le -ar RATE -i SAMPLES {path.stem}-again.wav",
        )
    if opened.subtype in ("FLOAT", "DOUBLE"):
        _check_level(path, opened)
    if opened.frames * 1000 < SHORTEST_MS * opened.samplerate:
        opened.close()
        raise _cut(path, plan) or _too_short(path, opened.frames, opened.samplerate)
    return opened, plan


def open_bytes(path: Path, content: bytes | None = None) -> BinaryIO:
    """The bytes of what is at ``path``, or ``content``, which is called so. Raises SourceError where there are none."""
    return _on_disk(path) if content is None else _in_memory(content, path)


def convert(path: Path) -> str:
    """The command that makes a readable file, beside the one that is not: ffmpeg cannot write over what it reads."""
    return f"convert it first: ffmpeg -i {path.name} {path.stem}-converted.wav"


def until_fault(frames: Frames) -> tuple[Frames, float | None]:
    """Give the frames before the first value that is no sound, and that value: not finite, or far above full scale."""
    good = np.abs(frames) <= LOUDEST
    if good.all():
        return frames, None
    first = int(np.flatnonzero(~good.all(axis=1))[0])
    return frames[:first], float(frames[first][~good[first]][0])


def no_sound(path: Path, value: float, at_s: float) -> SourceError:
    """The error for such a value."""
    if not np.isfinite(value):
        return SourceError(
            f"{path} holds the value {value} at {at_s:.6f} s, which is not sound",
            fix="write the file again, or cut that place out of it",
        )
    return SourceError(
        f"{path} holds the float {value:g} at {at_s:.6f} s, and full scale is 1",
        fix=f"divide by full scale, for 16 bits: ffmpeg -i {path.name} -af volume=1/32768 {path.stem}-scaled.wav",
    )


def _check_level(path: Path, opened: PartedFile) -> None:
    """Look at the first seconds before anything is heard of them; what comes later is looked at as it comes."""
    taken = 0
    while taken < LOOK_S * opened.samplerate and len(frames := opened.read(opened.samplerate)):
        good, value = until_fault(frames)
        if value is not None and np.isfinite(value):
            opened.close()
            raise no_sound(path, value, (taken + len(good)) / opened.samplerate)
        if value is not None:
            break
        taken += len(frames)
    opened.seek(0)


def forgiven(missing: Missing, frames: int, rate: int) -> bool:
    """Whether what a header promises beyond ``frames`` is too little to matter: its own size, or an analysis frame."""
    lacks = missing.declared - missing.there
    return lacks <= HEADER_SLIP or lacks * frames * 1000 <= missing.there * rate * SHORTEST_MS


def _counted(path: Path, file: BinaryIO) -> Plan:
    plan = plan_of_mpeg(file)
    if plan is None:
        raise SourceError(
            f"{path} is MPEG audio in free format, whose frames do not say their size, so nobody can count them",
            fix=convert(path),
        )
    return plan


def _on_disk(path: Path) -> BinaryIO:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise SourceError(f"{path} is {kind}", fix="name one sound file")
        if status.st_size == 0:
            raise SourceError(f"{path} is empty (0 bytes)", fix="record or copy it again")
        str(path).encode()
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {path}", fix="check the path") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeEncodeError as error:  # libsndfile is given names as text, and so are results
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise SourceError(f"the name of {shown} is not UTF-8", fix="give it another name") from error


def _in_memory(content: bytes, name: Path) -> BinaryIO:
    if not content:
        raise SourceError(f"{name} is empty (0 bytes)", fix="give all bytes of one sound file")
    return io.BytesIO(content)


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{path} cannot be read ({error.strerror})", fix="check the path and the file's permissions")


def _refusal(path: Path, content: bytes | None, error: Exception) -> SourceError:
    if content is not None:
        return SourceError(
            f"{path} holds {len(content)} bytes that are no sound file that can be read",
            fix="give all bytes of a WAV, FLAC, Ogg or MP3 file; raw samples as an array, as np.frombuffer(data, '<i2')",
        )
    if isinstance(error, OSError):
        return _unreadable(path, error)
    if isinstance(error, soundfile.LibsndfileError):
        return SourceError(
            f"{path} is not a sound file that can be read ({error.error_string.strip().rstrip('.')})", fix=convert(path)
        )
    return SourceError(  # a TypeError is soundfile's word for a file without a header
        f"{path} holds raw samples that do not say their rate",
        fix=f"pipe it: stream-ser replay - --rate 16000 < {path.name}",
    )


def _cut(path: Path, plan: Plan) -> SourceError | None:
    """What to say of a file that was cut off so early that nothing can be heard."""
    if plan.missing is not None:
        what = f"its header promises {plan.missing.declared} bytes of sound, and {plan.missing.there} are there"
    elif plan.cut_off is not None:
        what = plan.cut_off
    else:
        return None
    return SourceError(f"{path} is cut off: {what}, too little to hear speech in", fix="get a complete copy")


def _too_short(path: Path, frames: int, rate: int) -> SourceError:
    if frames == 0:
        return SourceError(f"{path} has a header but no samples", fix="record or copy it again")
    count = "1 sample" if frames == 1 else f"{frames} samples"
    return SourceError(
        f"{path} holds {count} ({1000 * frames / rate:.2f} ms at {rate} Hz), too little to hear speech in",
        fix=f"give a recording of at least {SHORTEST_MS} ms",
    )
