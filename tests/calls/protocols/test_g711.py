from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from stream_ser.calls.events import Frames
from stream_ser.calls.protocols.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode

CODES = bytes(range(256))
EVERY_SAMPLE = np.arange(-32_768, 32_768).astype(np.int16)
BOTH = pytest.mark.parametrize(
    ("subtype", "encode", "decode"),
    [("ULAW", mulaw_encode, mulaw_decode), ("ALAW", alaw_encode, alaw_decode)],
    ids=["mulaw", "alaw"],
)


@BOTH
def test_every_code_decodes_as_libsndfile_does(
    subtype: str, encode: Callable[[Frames], bytes], decode: Callable[[bytes], Frames]
) -> None:
    theirs, _ = soundfile.read(
        io.BytesIO(CODES), format="RAW", subtype=subtype, samplerate=8_000, channels=1, dtype="int16"
    )
    ours = decode(CODES)
    assert ours.dtype == np.float32
    assert (ours * 32_768).tolist() == theirs.tolist()


@BOTH
def test_every_sample_encodes_as_libsndfile_does(
    subtype: str, encode: Callable[[Frames], bytes], decode: Callable[[bytes], Frames]
) -> None:
    theirs = io.BytesIO()
    soundfile.write(theirs, EVERY_SAMPLE, 8_000, format="RAW", subtype=subtype)
    assert encode(EVERY_SAMPLE.astype(np.float32) / 32_768) == theirs.getvalue()


@BOTH
def test_codes_come_back(subtype: str, encode: Callable[[Frames], bytes], decode: Callable[[bytes], Frames]) -> None:
    back = encode(decode(CODES))
    # µ-law has two codes for nothing at all; the negative one comes back as the positive.
    assert [(a, b) for a, b in zip(CODES, back, strict=True) if a != b] == ([(0x7F, 0xFF)] if subtype == "ULAW" else [])


def test_the_values_of_the_recommendation() -> None:
    """Of G.711's tables: the largest outputs, the smallest, and the codes of silence."""
    assert (mulaw_decode(b"\x80\xff\xfe\x7e\x00") * 32_768).tolist() == [32_124, 0, 8, -8, -32_124]
    assert (alaw_decode(b"\xaa\xd5\x55\x2a") * 32_768).tolist() == [32_256, 8, -8, -32_256]


@BOTH
def test_what_is_beyond_full_scale_is_clipped_and_what_is_no_number_refused(
    subtype: str, encode: Callable[[Frames], bytes], decode: Callable[[bytes], Frames]
) -> None:
    loud = decode(encode(np.array([7.0, -7.0], dtype=np.float32)))
    assert loud[0] == -loud[1] > 0.98
    with pytest.raises(ValueError, match="not numbers"):
        encode(np.array([np.nan], dtype=np.float32))


def test_arrays_are_the_receivers_own_and_empty_is_empty() -> None:
    first = mulaw_decode(CODES)
    first[:] = 9
    assert mulaw_decode(CODES).max() < 1
    assert len(mulaw_decode(b"")) == len(alaw_decode(b"")) == 0
    assert mulaw_encode(np.zeros(0, np.float32)) == b""
