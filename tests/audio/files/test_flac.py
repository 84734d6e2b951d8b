from __future__ import annotations

import pytest

from stream_ser.audio.files.flac import _number


@pytest.mark.parametrize("number", [0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x1_0000, 0x10_FFFF])
def test_numbers_are_coded_as_letters_are(number: int) -> None:
    coded = b"?" + chr(number).encode("utf-8", "surrogatepass")
    assert _number(coded, 1) == (number, len(coded))
    assert _number(coded + b"\xff", 1) == (number, len(coded))
    if number >= 0x80:
        assert _number(coded[:-1], 1) == (None, 1)
        assert _number(coded[:-1] + b"?", 1) == (None, 1)


@pytest.mark.parametrize("head", [b"\x80", b"\xbf\x80", b"\xff" + b"\x80" * 8])
def test_what_is_no_number(head: bytes) -> None:
    assert _number(head, 0) == (None, 0)


def test_numbers_of_samples_are_longer_than_letters_can_be() -> None:
    assert _number(b"\xfe" + b"\xbf" * 6, 0) == ((1 << 36) - 1, 7)
