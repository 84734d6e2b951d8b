from __future__ import annotations

from typing import Any

from stream_ser.cli.glance import CAPACITY, Glance
from tests.tui import wire
from tests.tui.wire import HOP, LABELS

ANGRY, SAD = (0.9, 0.05, 0.03, 0.02), (0.02, 0.03, 0.05, 0.9)


def seen(*messages: Any, **hello: Any) -> Glance:
    glance = Glance(wire.hello(**hello))
    for message in messages:
        glance.take(message)
    return glance


def test_each_label_has_a_row_and_what_has_none_is_told_apart() -> None:
    glance = seen(
        *(wire.point(slot, "warming") for slot in range(1, 5)),
        *(wire.point(slot, smoothed=ANGRY) for slot in range(5, 13)),
        *(wire.point(slot, "silence") for slot in range(13, 17)),
        wire.gap(16 * HOP, 18 * HOP),
        *(wire.point(slot, "uncertain") for slot in range(19, 21)),
    )
    head, *rows = glance.lines({LABELS[0]: 1.0}, 120)
    assert head.split() == ["00:00.0", f"00:{20 * HOP / 16_000:04.1f}"]
    at = 2 + max(map(len, LABELS))
    cells = {row[: at - 2].strip(): row[at : at + 20] for row in rows}
    assert cells[LABELS[0]] == " " * 4 + "▇" * 8 + " " * 8, "a block's height is the confidence: 90 %"
    assert [row.split()[-2:] for row in rows[:4]] == [["100", "%"], *[["0", "%"]] * 3]
    assert rows[4][at:] == "~~~~" + " " * 8 + "····××??"
    assert [word.strip() for word in rows[5].split("  ")][-4:] == ["· silence", "? uncertain", "~ warming", "× missing"]


def test_a_long_stream_takes_no_more_room_and_keeps_what_was_short() -> None:
    hops = 40 * CAPACITY
    glance = seen(*(wire.point(slot, "silence") for slot in range(1, hops)), wire.point(hops, smoothed=SAD))
    assert len(glance._columns) <= CAPACITY
    rows = glance.lines({}, 60)
    assert all(len(row) <= 60 for row in rows)
    (sad,) = (row for row in rows if row.startswith("sad"))
    assert sad.count("▁") == 1, "one point among hundreds of its column still shows"
    assert rows[0].split()[1] == f"{hops * HOP // 16_000 // 60:02}:{hops * HOP / 16_000 % 60:04.1f}"


def test_a_gap_of_hours_is_missing_over_all_of_it() -> None:
    glance = seen(wire.point(1, "silence"), wire.gap(HOP, 100 * CAPACITY * HOP))
    signs = glance.lines({}, 80)[-2].split()[-1]
    assert set(signs) == {"×"}


def test_the_longest_stretch_of_one_label_is_known() -> None:
    assert seen(wire.point(1, "silence")).longest is None
    glance = seen(
        *(wire.point(slot, smoothed=ANGRY) for slot in range(4, 8)),
        wire.point(8, "silence"),
        *(wire.point(slot, smoothed=SAD) for slot in range(9, 15)),
        *(wire.point(slot, smoothed=ANGRY) for slot in (15, 16, 18, 19, 20, 21)),  # not one: a hop is missing within
    )
    assert glance.longest is not None
    assert (glance.longest.label, glance.longest.start, glance.longest.end) == (LABELS[3], 8 * HOP, 14 * HOP)
