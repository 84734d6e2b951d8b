from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.recording import open_recording
from stream_ser.types import Block

from .defects import made, noise, with_length
from .table import hear

REST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0"


def with_junk(data: bytes, size: int) -> bytes:
    """A JUNK chunk in front of the format, as recorders leave it for RF64."""
    return data[:12] + b"JUNK" + struct.pack("<I", size) + bytes(size) + data[12:]


@pytest.mark.parametrize("junk", [28, 4036])
@pytest.mark.parametrize("size", [0, 16_000, 0xFFFF_FFFF])
def test_junk_in_front_hides_nothing(junk: int, size: int) -> None:
    heard, _, failure = hear(with_junk(with_length("WAV", made("WAV"), lambda _: size), junk))
    assert failure is None
    np.testing.assert_array_equal(heard, hear(made("WAV"))[0])


@pytest.mark.parametrize(
    "rest", [REST, b"id3 " + struct.pack("<I", 4) + b"ID3\4", b"xyzw" + struct.pack("<I", 3) + b"abc\0"]
)
def test_chunks_behind_the_sound_are_no_sound(rest: bytes) -> None:
    heard, notices, failure = hear(made("WAV") + rest)
    assert (len(heard), notices, failure) == (32_000, [], None)


def test_an_odd_size_may_lack_its_byte_of_padding() -> None:
    file = io.BytesIO()
    soundfile.write(file, noise(1.0)[:-1], 16_000, format="WAV", subtype="PCM_U8")
    data = file.getvalue()
    assert struct.unpack_from("<I", data, 40) == (15_999,)
    for padding in (b"", b"\0"):
        heard, notices, failure = hear(data[: 44 + 15_999] + padding + REST)
        assert (len(heard), notices, failure) == (15_999, [], None)


def test_a_header_without_sound_stays_one() -> None:
    for data in (
        with_length("WAV", made("WAV"), lambda _: 0)[:44],
        with_length("WAV", made("WAV"), lambda _: 0)[:44] + REST,
    ):
        _, _, failure = hear(data)
        assert failure is not None
        assert "has a header but no samples" in failure.what


def test_a_header_that_promises_sound_behind_which_there_is_none_is_cut_off() -> None:
    _, _, failure = hear(made("WAV")[:44])
    assert failure is not None
    assert "is cut off: its header promises 64000 bytes of sound, and 0 are there" in failure.what


def test_the_error_never_gives_two_equal_numbers() -> None:
    for lacks in (2, 44, 100, 798, 800, 802, 3_200):
        _, notices, failure = hear(made("WAV")[:-lacks])
        if lacks <= 800:  # an analysis frame
            assert failure is None
            assert any(str(64_000 - lacks) in notice.text for notice in notices)
        else:
            assert failure is not None
            assert "promises 2.000 s" in failure.what
            assert f"only {2 - lacks / 32_000:.3f} s" in failure.what


@pytest.mark.parametrize("rest", [b"", REST])
def test_sizes_that_wrapped_at_4_gib(tmp_path: Path, rest: bytes) -> None:
    sound = (1 << 32) + 32_000
    path = tmp_path / "wrapped.wav"
    with path.open("wb") as file:  # a hole of 4 GiB takes no room on the disk
        file.write(with_length("WAV", made("WAV")[:44], lambda _: 32_000))
        file.seek(44 + sound - 32_000)
        file.write((0.5 * 32_767 * np.ones(16_000)).astype("<i2").tobytes())
        file.write(rest)
    recording = open_recording(path, speed=None, begin_s=sound / 32_000 - 1.5)
    assert recording.info.duration_s == sound / 32_000
    heard = np.concatenate([item.samples for item in recording if isinstance(item, Block)])
    assert len(heard) == 24_000
    assert (heard[:8_000] == 0).all()
    np.testing.assert_allclose(heard[8_000:], 0.5, atol=1e-4)


def test_bw64_is_read_as_what_it_is() -> None:
    data = b"BW64" + made("RF64")[4:]
    np.testing.assert_array_equal(hear(data)[0], hear(made("RF64"))[0])


def test_big_endian_sizes_are_understood() -> None:
    file = io.BytesIO()
    soundfile.write(file, noise(1.0), 16_000, format="WAV", subtype="PCM_16", endian="BIG")
    data = file.getvalue()
    assert data[:4] == b"RIFX"
    assert len(hear(data[:40] + bytes(4) + data[44:])[0]) == 16_000
    assert "promises 1.000 s" in str(hear(data[:-4_000])[2])


def test_gsm_ends_where_its_sound_does() -> None:
    for samples in (8_000, 7_841, 7_681):  # 25 blocks, 25 that are not full, and 25 with one sample
        heard, _, failure = hear(made("WAV GSM", noise(1.0, 8_000)[:samples]))
        assert failure is None
        assert len(heard) == 2 * samples
        assert np.abs(heard[-100:]).max() < 0.6
