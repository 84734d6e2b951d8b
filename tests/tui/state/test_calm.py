"""The label that the headline holds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.tui.state.calm import HOLD_S, LEAST_S, CalmLabel

HOP_S = 0.25
LETTERS = {"A": ("speech", "angry"), "S": ("speech", "sad"), "?": ("uncertain", None), "-": ("silence", None)}
MORE = LETTERS | {"w": ("warming", None), "p": ("paused", None), "~": ("stale", None)}


def shown(story: str) -> str:
    """What is shown after each point: a capital for a label that is said, a small letter for one that is held."""
    calm, signs = CalmLabel(), []
    for place, sign in enumerate(story):
        calm.take(place * HOP_S, *MORE[sign])  # type: ignore[arg-type]
        word = (calm.label or "-")[0]
        signs.append(word.upper() if calm.fresh else word)
    return "".join(signs)


@pytest.mark.parametrize(
    ("story", "seen"),
    [
        ("--AA--AA", "--AAaaAA"),
        ("A?-?-?-?-?AAAA", "Aaaaaaaa----AA"),
        ("AAAASAAAA", "AAAASsssA"),
        ("AASSSSSS", "AAaaSSSS"),
        ("ASASASAS", "AaAaASsS"),
        ("AAwAA", "AA-AA"),
        ("AAppAA", "AA--AA"),
        ("AA~~AA", "AAaaAA"),
    ],
)
def test_a_label_is_held_and_changes_at_most_once_a_second(story: str, seen: str) -> None:
    assert shown(story) == seen


@given(st.text(alphabet="".join(LETTERS), min_size=1, max_size=200))
def test_whatever_comes_the_word_changes_at_most_once_a_second_and_is_never_made_up(story: str) -> None:
    seen = shown(story)
    changes = [place for place, (one, other) in enumerate(pairwise(seen), 1) if one.upper() != other.upper()]
    assert all((other - one) * HOP_S >= LEAST_S for one, other in pairwise(changes))
    for place, sign in enumerate(seen):
        if sign.isupper():
            assert story[place] == sign, "only what is said now looks so"
        elif sign != "-":
            assert sign.upper() in story[max(0, place - round((HOLD_S + LEAST_S) / HOP_S)) : place + 1]


def test_going_back_begins_anew() -> None:
    calm = CalmLabel()
    calm.take(30.0, "speech", "angry")
    calm.take(5.0, "silence", None)
    assert calm.label is None
