"""Samples from the bytes of a message, one array for each channel. Pure; every array is its receiver's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from stream_ser.calls.events import Coded, Frames, RefusedError
from stream_ser.calls.protocols.g711 import FULL_SCALE, alaw_decode, mulaw_decode

Encoding = Literal["s16le", "s16be", "f32le", "mulaw", "alaw"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
WIDTH: dict[Encoding, int] = {"s16le": 2, "s16be": 2, "f32le": 4, "mulaw": 1, "alaw": 1}  # bytes of a sample


def _s16(data: bytes, order: str) -> Frames:
    return np.frombuffer(data, f"{order}i2").astype(np.float32) / np.float32(FULL_SCALE)


_DECODE: dict[Encoding, Callable[[bytes], Frames]] = {
    "s16le": lambda data: _s16(data, "<"),
    "s16be": lambda data: _s16(data, ">"),
    "f32le": lambda data: np.frombuffer(data, "<f4").astype(np.float32),  # NaN stays NaN: a gap is made of it later
    "mulaw": mulaw_decode,
    "alaw": alaw_decode,
}


def coded(data: bytes, encoding: Encoding) -> Coded:
    """Samples of one channel, not decoded yet. ``data`` must be a whole number of samples."""
    return Coded(data, WIDTH[encoding], _DECODE[encoding])


def decode(data: bytes, encoding: Encoding, channels: int = 1) -> tuple[Frames, ...]:
    """Decode interleaved samples into ``channels`` arrays of shape (n,), float32.

    Raises RefusedError ``bad-length`` where the bytes are not a whole number of samples of every channel.
    """
    width = WIDTH[encoding] * channels
    if len(data) % width:
        raise RefusedError(
            "bad-length", f"{len(data)} bytes of sound are not a multiple of {width} ({channels} × {encoding})"
        )
    samples = _DECODE[encoding](data)
    return (samples,) if channels == 1 else tuple(samples[channel::channels].copy() for channel in range(channels))
