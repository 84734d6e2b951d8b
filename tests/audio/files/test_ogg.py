from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from stream_ser.audio.files.ogg import _checksum

from .defects import made, noise
from .table import hear


def pages(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size = 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        found.append(data[at : at + size])
        at += size
    return found


def signed(page: bytes) -> bytes:
    """With its checksum put right."""
    body = bytearray(page)
    body[22:26] = bytes(4)
    body[22:26] = struct.pack("<I", _checksum(body))
    return bytes(body)


def without_flag(data: bytes) -> bytes:
    *before, last = pages(data)
    return b"".join(before) + signed(last[:5] + bytes([last[5] & ~4]) + last[6:])


@pytest.mark.parametrize("name", ["Ogg Opus", "Ogg Vorbis"])
def test_checksums_are_oggs(name: str) -> None:
    for page in pages(made(name)):
        assert signed(page) == page


@pytest.mark.parametrize("name", ["Ogg Opus", "Ogg Vorbis"])
def test_whole_pages_without_the_flag_of_an_end_are_heard_to_the_end(name: str) -> None:
    data = made(name)
    heard, notices, failure = hear(without_flag(data))
    assert failure is None
    np.testing.assert_array_equal(heard, hear(data)[0])
    assert any("nobody can tell whether more was to come" in notice.text for notice in notices)


@pytest.mark.parametrize("name", ["Ogg Opus", "Ogg Vorbis"])
def test_links_of_any_number_are_heard_in_a_row(name: str) -> None:
    links = [made(name, noise(length, seed=seed)) for seed, length in enumerate((1.0, 0.5, 1.5))]
    heard, notices, failure = hear(links[0] + without_flag(links[1]) + links[2])
    assert failure is None
    assert len(heard) == 48_000
    assert any("holds 3 recordings" in notice.text for notice in notices)
    np.testing.assert_array_equal(heard[24_000:], hear(links[2])[0])


def test_a_link_at_another_rate_is_told_with_its_place() -> None:
    other = io.BytesIO()
    soundfile.write(other, noise(1.0, 48_000), 48_000, format="OGG", subtype="VORBIS")
    heard, _, failure = hear(made("Ogg Vorbis") + other.getvalue())
    assert len(heard) == 32_000
    assert failure is not None
    assert "from 2.000 s" in failure.what
    assert "48000 Hz behind one at 16000 Hz" in failure.what


def test_bytes_behind_the_last_page_are_told_and_no_failure() -> None:
    heard, notices, failure = hear(made("Ogg Opus") + b"x" * 500)
    assert failure is None
    assert len(heard) == 32_000
    assert any("500 of its bytes belong to no Ogg page" in notice.text for notice in notices)


def test_a_missing_page_is_told() -> None:
    parts = pages(made("Ogg Vorbis", noise(8.0)))
    assert len(parts) > 6
    _, notices, _ = hear(b"".join(parts[:4] + parts[5:]))
    assert any("1 of its Ogg pages are missing" in notice.text for notice in notices)


def test_a_byte_between_pages_costs_no_page() -> None:
    parts = pages(made("Ogg Vorbis", noise(8.0)))
    heard, notices, failure = hear(b"".join(parts[:4]) + b"x" + b"".join(parts[4:]))
    assert failure is None
    assert len(heard) == 8 * 16_000
    assert any("1 of its bytes belong to no Ogg page" in notice.text for notice in notices)
    assert not any("are missing" in notice.text for notice in notices)
