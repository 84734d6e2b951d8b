"""Sound that is an array: what counts as one, and an array as a source.

The arrays may be the caller's own and change later: what is handed on is a copy, as float32 frames. ``int16`` becomes what
libsndfile makes of 16 bits in a file, so an array and the file that it was read from give the same samples.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_ser.audio.files.opening import FASTEST, SHORTEST_MS, SLOWEST
from stream_ser.audio.parties import ALONE, SidedSource, Sides, check_parties
from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Item
from stream_ser.audio.timeline import LOUDEST
from stream_ser.errors import ConfigError, SourceError
from stream_ser.types import SourceInfo

MOST_CHANNELS = 64
BLOCK_S = 0.05  # the sound in one item


def check_rate(rate: object, frames: int | None = None) -> int:
    """A rate in Hz, as an int. Raises ConfigError where it is missing, or none of sound."""
    if rate is None:
        held = "sound in arrays" if frames is None else f"an array of {frames} frames"
        raise ConfigError(f"{held} does not say its rate", fix="give it in Hz, for example rate=16000")
    whole = isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool) and rate % 1 == 0
    if not whole or not SLOWEST <= rate <= FASTEST:  # type: ignore[operator]
        raise ConfigError(
            f"rate={rate!r} is no sample rate", fix=f"give a whole number of Hz between {SLOWEST} and {FASTEST}"
        )
    return int(rate)  # type: ignore[call-overload, no-any-return]


def check_array(sound: object) -> npt.NDArray[Any]:
    """An array of sound as ``(frames, channels)``, not copied.

    Takes ``(frames,)`` or ``(frames, channels)``, of any float type (nominally in [-1, 1]) or int16, with no frames too.
    Raises SourceError for anything else, and for values that are not finite or cannot be sound.
    """
    if not isinstance(sound, np.ndarray):
        raise SourceError(
            f"{type(sound).__name__} is no array of sound",
            fix="give a numpy array, as np.asarray(sound, dtype=np.float32)",
        )
    if not (sound.dtype.kind == "f" or (sound.dtype.kind == "i" and sound.dtype.itemsize == 2)):
        raise SourceError(
            f"samples of type {sound.dtype} have no agreed full scale",
            fix="give floats in [-1, 1] or int16, as (sound / full_scale).astype(np.float32)",
        )
    if sound.ndim not in (1, 2) or (sound.ndim == 2 and sound.shape[1] == 0):
        raise SourceError(
            f"an array of shape {sound.shape} is no sound", fix="give one of shape (frames,) or (frames, channels)"
        )
    frames = sound.reshape(-1, 1) if sound.ndim == 1 else sound
    if frames.shape[1] > MOST_CHANNELS:
        raise SourceError(
            f"an array of shape {sound.shape} would have {frames.shape[1]} channels",
            fix=f"give (frames, channels) with at most {MOST_CHANNELS} channels; (channels, frames) is turned by sound.T",
        )
    _check_values(frames)
    return frames


def as_frames(frames: npt.NDArray[Any]) -> Frames:
    """A copy of what ``check_array`` gave, as float32 with full scale at 1."""
    copied = frames.astype(np.float32)
    if frames.dtype.kind == "i":
        copied /= np.float32(32_768)
    return copied


def _check_values(frames: npt.NDArray[Any]) -> None:
    if frames.dtype.kind == "i" or not frames.size:
        return
    good = np.isfinite(frames)
    if not good.all():
        first = int(np.flatnonzero(~good.all(axis=1))[0])
        value = float(frames[first][~good[first]][0])
        raise SourceError(
            f"the array holds the value {value} in frame {first}, which is not sound",
            fix="cut that place out, or put 0 there: np.nan_to_num(sound, posinf=0, neginf=0)",
        )
    largest = max(float(frames.max()), -float(frames.min()))
    if largest > LOUDEST:
        raise SourceError(
            f"the array holds floats up to {largest:g}, and full scale is 1",
            fix="divide by full scale, as sound / 32768 for 16 bits",
        )


class ArraySource(SidedSource):
    """An array as a source, as fast as it is taken. Iterated by one thread, once.

    ``parties`` says which channels are heard (:mod:`stream_ser.audio.parties`). Raises SourceError for what is no sound (see
    ``check_array``) or too short to hold speech, ConfigError for the rate.
    """

    def __init__(self, sound: object, rate: object, name: str = "array", parties: str = "mix") -> None:
        self._frames = check_array(sound)
        count, channels = self._frames.shape
        hertz = check_rate(rate, count)
        if count * 1000 < SHORTEST_MS * hertz:
            raise SourceError(
                f"the array holds {count} frames ({1000 * count / hertz:.2f} ms at {hertz} Hz), too little to hear speech in",
                fix=f"give at least {SHORTEST_MS} ms",
            )
        self._parties = check_parties(parties, channels, "the array")
        self.info = SourceInfo(
            "recording", name, hertz, channels, count / hertz, live=False, channel=ALONE.get(self._parties)
        )
        self._closed = False

    def sides(self) -> Iterator[tuple[int, Item]]:
        """Yield all of it, in blocks, each with the timeline that it belongs to."""
        rate = self.info.rate
        sides = Sides(rate, self.info.channels, self._parties)
        yield from sides.introduce()
        step = max(1, round(BLOCK_S * rate))
        for begin in range(0, len(self._frames), step):
            if self._closed:
                return
            yield from sides.push(as_frames(self._frames[begin : begin + step]), time.monotonic_ns())
        yield from sides.finish(time.monotonic_ns())

    def close(self) -> None:
        """End iteration."""
        self._closed = True
