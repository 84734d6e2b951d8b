from __future__ import annotations

import pytest

from stream_ser.tui.state.columns import Column, Columns
from stream_ser.tui.state.history import Cell, TrajectoryHistory
from stream_ser.tui.state.viewport import ColumnScale

ANGRY = Cell("speech", 0, (0.8, 0.2), (0.8, 0.2))
SAD = Cell("speech", 1, (0.4, 0.6), (0.4, 0.6))
UNSURE = Cell("uncertain", None, (0.5, 0.5), (0.5, 0.5))
SILENCE = Cell("silence", None, (0.5, 0.5))
CELLS = {"A": ANGRY, "S": SAD, "?": UNSURE, "-": SILENCE, "~": Cell("stale"), "w": Cell("warming")}


def history_of(story: str) -> TrajectoryHistory:
    history = TrajectoryHistory(2)
    for slot, sign in enumerate(story, 1):
        if sign == "x":
            history.mark_gap(slot, slot)
        elif sign != "_":
            history.place(slot, CELLS[sign])
    return history


def column_of(story: str) -> Column:
    (column,) = Columns().between(history_of(story), ColumnScale(len(story), 1), 0, 0)
    assert column is not None
    return column


@pytest.mark.parametrize(
    ("story", "mark", "label", "first"),
    [
        ("AAAA", "speech", 0, 0.8),
        ("AASSS", "speech", 1, 0.56),
        ("A-", "speech", 0, 0.8),
        ("A---", "silence", None, 0.8),
        ("----", "silence", None, None),
        ("AA??", "speech", 0, 0.65),
        ("ww", "warming", None, None),
    ],
)
def test_a_column_is_what_most_of_its_hops_are(story: str, mark: str, label: int | None, first: float | None) -> None:
    column = column_of(story)
    assert (column.mark, column.label, column.gap, column.lost) == (mark, label, False, False)
    assert column.values == (() if first is None else pytest.approx((first, 1 - first), abs=1e-4))


@pytest.mark.parametrize("story", ["AAAxAAAAAAAAA", "xAAA", "---x"])
def test_a_column_that_holds_a_gap_says_so(story: str) -> None:
    assert column_of(story).gap


@pytest.mark.parametrize("story", ["AA~A", "AA_A"])
def test_a_column_that_lacks_a_result_says_so(story: str) -> None:
    column = column_of(story)
    assert (column.gap, column.lost) == (False, True)


def test_what_was_drawn_only_moves() -> None:
    history, grid, columns = history_of("A-S?" * 50), ColumnScale(30, 10), Columns()
    before = columns.between(history, grid, 0, 65)
    for slot in range(201, 231):
        history.place(slot, SAD)
    after = columns.between(history, grid, 10, 75)
    assert after[:56] == before[10:]


def test_a_late_gap_is_seen_at_once() -> None:
    history, grid, columns = history_of("A" * 40), ColumnScale(4, 1), Columns()
    assert not any(column.gap for column in columns.between(history, grid, 0, 9) if column)
    history.mark_gap(6, 6)
    assert [column.gap for column in columns.between(history, grid, 0, 9) if column] == [i == 1 for i in range(10)]


def test_beyond_the_stream_there_is_nothing() -> None:
    assert Columns().between(history_of("AA"), ColumnScale(1, 1), -2, 3) == (
        None,
        None,
        *[column_of("A")] * 2,
        None,
        None,
    )


def test_only_what_is_new_is_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    history, grid, columns = history_of("A" * 400), ColumnScale(400, 100), Columns()
    columns.between(history, grid, 0, 99)
    asked: list[int] = []
    original = history.cells
    monkeypatch.setattr(history, "cells", lambda first, last: asked.append(first) or original(first, last))
    history.place(401, SAD)
    columns.between(history, grid, 1, 100)
    assert asked == [397, 401]


def test_the_memory_of_columns_is_bounded() -> None:
    history, grid, columns = history_of("A" * 5000), ColumnScale(10, 10), Columns()
    for right in range(10, 5000, 10):
        columns.between(history, grid, right - 9, right)
        assert len(columns._known) <= 4 * grid.width + 10
