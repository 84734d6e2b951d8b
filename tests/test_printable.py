from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis.strategies import text

from stream_ser.printable import printable, printable_json


def orders(shown: str, keep: str = "") -> list[str]:
    """What in a text would still do something to a terminal."""
    return [one for one in shown if one not in keep and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\x1b[2Jb\n", "a␛[2Jb␊"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x00\x7f\x9b31m", "␀␡�31m"),
        ("invoice\u202egpj.exe", "invoice�gpj.exe"),
        ("half \ud83d of a pair", "half � of a pair"),
        ("one\u2028two", "one�two"),
        ("Zoë 通話 🎙 می\u200cخواهم\u3000x\xa0y", "Zoë 通話 🎙 می\u200cخواهم\u3000x\xa0y"),
    ],
)
def test_what_would_do_something_is_a_sign(given: str, shown: str) -> None:
    assert printable(given) == shown


def test_what_is_to_be_kept_is_kept() -> None:
    assert printable("a\n\tb\x1b", keep="\n") == "a\n␉b␛"


@given(text())
def test_nothing_that_does_something_is_left_and_no_place_moves(given: str) -> None:
    shown = printable(given)
    assert len(shown) == len(given)
    assert not orders(shown, keep="\u200c\u200d")
    assert printable(shown) == shown


@given(text())
def test_json_means_the_same(given: str) -> None:
    shown = printable_json(json.dumps({given: given}, ensure_ascii=False))
    assert not orders(shown, keep="\u200c\u200d")
    assert json.loads(shown) == {given: given}
