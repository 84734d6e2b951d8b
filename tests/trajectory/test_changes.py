from __future__ import annotations

import pytest

from stream_ser.trajectory.changes import Change, Changes
from stream_ser.types import State

HOP = 4000
STATES: dict[str, State] = {"-": "silence", "?": "uncertain", "~": "stale", "w": "warming", "p": "paused"}


def changes_in(story: str) -> list[tuple[int, str, str]]:
    """A letter for each hop of a quarter of a second; returns (hop, before, after)."""
    changes, found = Changes(), []
    for hop, sign in enumerate(story):
        if sign == "x":
            changes.lost()
            continue
        state, label = (STATES[sign], None) if sign in STATES else ("speech", sign)
        change = changes.add(hop * HOP, (hop + 1) * HOP, state, label)
        if change is not None:
            found.append((change.at // HOP, change.before, change.after))
    return found


@pytest.mark.parametrize(
    ("story", "found"),
    [
        ("AAAA", []),
        ("AAAASSSS", [(4, "A", "S")]),
        ("AAAASSS", []),
        ("AAAASASASASA", []),
        ("AAAASSASSSSAAAA", [(7, "A", "S"), (11, "S", "A")]),
        ("AAAAS--S??SS", [(4, "A", "S")]),
        ("AAAA----SSSS", [(8, "A", "S")]),
        ("AAAASNSNNNN", [(7, "A", "N")]),
        ("SSAAAASSSS", [(6, "A", "S")]),
        ("", []),
    ],
)
def test_a_change_is_where_a_label_begins_that_then_holds_for_a_second(
    story: str, found: list[tuple[int, str, str]]
) -> None:
    assert changes_in(story) == found


@pytest.mark.parametrize("sign", "x~wp")
def test_no_change_is_claimed_across_what_is_not_known(sign: str) -> None:
    assert changes_in(f"AAAA{sign}SSSSSSSS") == []
    assert changes_in(f"AAAASS{sign}SS") == []
    assert changes_in(f"AAAA{sign}SSSSNNNN") == [(9, "S", "N")]


def test_a_change_is_told_once_and_late_by_what_it_must_hold() -> None:
    changes = Changes(hold=2 * HOP)
    told = [
        changes.add(hop * HOP, (hop + 1) * HOP, "speech", label) for hop, label in enumerate(["a", "a", "b", "b", "b"])
    ]
    assert told == [None, None, None, Change(2 * HOP, "a", "b"), None]
