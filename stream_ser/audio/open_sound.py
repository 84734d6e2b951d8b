"""Whatever a program calls sound, as a source: a path, bytes, a binary file, or an array."""

from __future__ import annotations

import os

import numpy as np

from stream_ser.audio.array import ArraySource
from stream_ser.audio.recording import Recording, open_recording
from stream_ser.errors import ConfigError, SourceError


def open_sound(
    sound: object, rate: object = None, name: str | None = None, parties: str = "mix", track: int | None = None
) -> ArraySource | Recording:
    """A source that is as fast as it is taken. ``rate`` (Hz) is an array's; ``name`` is what sound without one is called.

    ``parties`` says which channels are heard (:mod:`stream_ser.audio.parties`), ``track`` which sound of a file with several.

    What a file has left is read at once, into memory and never onto the disk. Raises SourceError for what is no sound, and
    ConfigError for a rate that is missing, is none, or is given for a file.
    """
    if isinstance(sound, np.ndarray):
        return ArraySource(sound, rate, name or "array", parties)
    if rate is not None:
        raise ConfigError(
            f"rate={rate!r} was given for {type(sound).__name__}, and a sound file says its own rate",
            fix="leave rate out",
        )
    if isinstance(sound, (str, os.PathLike)):
        return open_recording(os.fspath(sound), speed=None, parties=parties, track=track)
    if isinstance(sound, (bytes, bytearray, memoryview)):
        return open_recording(name or "sound", speed=None, content=bytes(sound), parties=parties, track=track)
    read = getattr(sound, "read", None)
    if not callable(read):
        raise SourceError(
            f"{type(sound).__name__} is no sound",
            fix="give a path, bytes, a binary file, or a numpy array with its rate",
        )
    content = read()
    if not isinstance(content, bytes):
        raise SourceError(
            f"{type(sound).__name__} gives {type(content).__name__} and not bytes",
            fix="open it as binary: open(path, 'rb')",
        )
    called = getattr(sound, "name", None)
    called = name or (called if isinstance(called, str) else "sound")
    return open_recording(called, speed=None, content=content, parties=parties, track=track)
