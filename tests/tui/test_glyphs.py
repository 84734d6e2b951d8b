from __future__ import annotations

import string

import pytest

from stream_ser.tui.glyphs import DOUBLE_ROWS, ROWS, large

WORDS = ["waiting", "warming", "silence", "uncertain", "stale", "paused", "ended", "angry", "happy", "neutral", "sad"]
WORDS += ["fearful", "disgust", "surprised", "calm", "excited"]


@pytest.mark.parametrize("word", WORDS)
def test_every_state_and_the_usual_labels_fit_half_of_80_columns(word: str) -> None:
    rows = large(word, 36)
    assert rows is not None
    assert len(rows) == ROWS
    assert len({len(row) for row in rows}) == 1


def test_letters_differ_from_each_other() -> None:
    drawn = {tuple(large(letter, 9) or ()) for letter in string.ascii_uppercase}
    assert len(drawn) == 26


def test_pixels_become_half_blocks() -> None:
    assert large("I", 3) == ["█", "█", "▀"]
    assert large("lt", 9) == ["█   ▀█▀", "█    █ ", "▀▀▀  ▀ "]


@pytest.mark.parametrize("word", ["", "peur·", "x1", "ärger"])
def test_what_cannot_be_drawn_is_said_to_be_so(word: str) -> None:
    assert large(word, 80) is None


def test_a_word_that_is_too_wide_is_not_cut() -> None:
    assert large("sad", 11) is not None
    assert large("sad", 10) is None


def test_twice_as_large_is_the_same_word() -> None:
    word = large("sad", 60, double=True)
    assert word is not None
    assert [len(row) for row in word] == [2 * len(row) for row in large("sad", 60) or []][:1] * DOUBLE_ROWS
    assert set("".join(word)) == {"█", " "}, "whole cells"
    assert large("uncertain", 60, double=True) is None
