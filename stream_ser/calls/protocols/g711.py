"""The two logarithmic codes of telephony, µ-law and A-law, as in ITU-T Recommendation G.711 (11/1988), Tables 1 and 2.

Decoding is one look-up in a table of 256 samples; encoding finds a magnitude among the 128 decision values. The tables
follow from the Recommendation's segments: eight of sixteen steps, each segment's steps twice as wide as those before.
Values are scaled to 16 bits, then to [-1, 1); the tables are made once and never written.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stream_ser.calls.events import Frames

FULL_SCALE = 32_768
_SIGN = 0x80  # set for positive values, in both codes as sent


def _mulaw_steps() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Decision and output values of the 128 magnitudes; G.711 counts in 14 bits, of which a step is four of ours."""
    n = np.arange(128, dtype=np.int64)
    segment = n // 16
    decision = ((16 + n % 16) << (segment + 1)) - 33
    return np.maximum(decision, 0) * 4, (decision + (1 << segment)) * 4


def _alaw_steps() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Decision and output values of the 128 magnitudes; G.711 counts in 13 bits, of which a step is eight of ours."""
    n = np.arange(128, dtype=np.int64)
    segment = np.maximum(n // 16, 1)
    decision = (
        np.where(n < 16, n, 16 + n % 16).astype(np.int64) << segment
    )  # the first two segments have steps of one width
    return decision * 8, (decision + (1 << (segment - 1))) * 8


def _decoding_table(output: npt.NDArray[np.int64], magnitude: npt.NDArray[np.int64]) -> Frames:
    """Samples by code, shape (256,), float32; ``magnitude`` (256,) tells which of the 128 a code means."""
    positive = (np.arange(256) & _SIGN) != 0
    table = np.where(positive, output[magnitude], -output[magnitude]).astype(np.float32) / np.float32(FULL_SCALE)
    table.flags.writeable = False
    return table


_CODES = np.arange(256)
_MULAW_DECISIONS, _MULAW_OUTPUTS = _mulaw_steps()
_ALAW_DECISIONS, _ALAW_OUTPUTS = _alaw_steps()
_MULAW = _decoding_table(_MULAW_OUTPUTS, ~_CODES & 0x7F)  # magnitudes are sent inverted
_ALAW = _decoding_table(_ALAW_OUTPUTS, (_CODES ^ 0x55) & 0x7F)  # every other bit is sent inverted


def mulaw_decode(data: bytes) -> Frames:
    """Samples of µ-law codes: (n,) float32 in [-1, 1)."""
    return _MULAW.take(np.frombuffer(data, np.uint8))  # half the time of an index


def alaw_decode(data: bytes) -> Frames:
    """Samples of A-law codes: (n,) float32 in [-1, 1)."""
    return _ALAW.take(np.frombuffer(data, np.uint8))


def mulaw_encode(samples: Frames) -> bytes:
    """µ-law codes of (n,) samples; what is beyond full scale is clipped. Raises ValueError where one is no number."""
    return _encode(samples, _MULAW_DECISIONS, lambda magnitude: ~magnitude & 0x7F)


def alaw_encode(samples: Frames) -> bytes:
    """A-law codes of (n,) samples; what is beyond full scale is clipped. Raises ValueError where one is no number."""
    return _encode(samples, _ALAW_DECISIONS, lambda magnitude: magnitude ^ 0x55)


def _encode(
    samples: Frames,
    decisions: npt.NDArray[np.int64],
    as_sent: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]],
) -> bytes:
    if not np.isfinite(samples).all():
        raise ValueError("samples that are not numbers have no code")
    linear = np.clip(np.rint(samples.astype(np.float64) * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int64)
    magnitude = np.searchsorted(decisions, np.abs(linear), side="right") - 1
    code = as_sent(magnitude) | np.where(linear < 0, 0, _SIGN)
    return code.astype(np.uint8).tobytes()
