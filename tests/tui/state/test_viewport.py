from __future__ import annotations

import itertools

import pytest

from stream_ser.tui.state.viewport import ZOOMS_S, ColumnScale, Viewport


@pytest.mark.parametrize(
    "grid",
    [ColumnScale(40, 68), ColumnScale(100, 68), ColumnScale(68, 68), ColumnScale(1200, 70), ColumnScale(7, 100, 30)],
)
def test_columns_share_out_all_slots_in_order(grid: ColumnScale) -> None:
    seen: list[int] = []
    for column in range(3 * grid.width):
        first, last = grid.slots(column)
        assert first <= last
        seen += [slot for slot in range(first, last + 1) if not seen or slot > seen[-1]]
        assert grid.column(last) >= column
    assert seen == list(range(grid.origin + 1, grid.origin + 3 * grid.span + 1))
    for slot in range(grid.origin + 1, grid.origin + 200):
        first, last = grid.slots(grid.column(slot))
        assert first <= slot <= last
        assert grid.slots(grid.column(slot) + 1)[0] > slot


@pytest.mark.parametrize("zoom", range(4))
def test_a_zoom_shows_just_its_seconds(zoom: int) -> None:
    window = Viewport()
    window.zoom = zoom
    seconds = ZOOMS_S[zoom]
    assert seconds is not None
    grid = window.grid(70, 0.25, 1, 5000, None)
    right = window.right(grid, 5000)
    oldest, newest = grid.slots(right - 69)[0], grid.slots(right)[1]
    assert abs((newest - oldest + 1) * 0.25 - seconds) <= seconds / 70 + 0.25


@pytest.mark.parametrize(
    ("oldest", "newest", "length"), [(1, 10, None), (900, 1000, None), (1, 50, 160), (1, 9999, None)]
)
def test_the_whole_stream_is_there_at_once(oldest: int, newest: int, length: int | None) -> None:
    window = Viewport()
    window.zoom_by(99)
    grid = window.grid(70, 0.25, oldest, newest, length)
    assert window.right(grid, newest) == 69
    assert 0 <= grid.column(oldest) < 70
    assert 0 <= grid.column(newest) < 70
    if length is not None:
        assert grid.column(length) == 69


def test_the_grid_of_the_whole_seldom_changes() -> None:
    window = Viewport()
    window.zoom_by(99)
    grids = [window.grid(70, 0.1, 1, newest, None) for newest in range(1, 7001)]
    assert sum(a != b for a, b in itertools.pairwise(grids)) == 99


def test_live_follows_and_a_cursor_stays_where_it_is() -> None:
    window = Viewport()
    grid = window.grid(120, 0.25, 1, 1000, None)
    assert window.right(grid, 1000) == grid.column(1000)
    window.move_to(990, 1, 1000)
    right = window.right(grid, 1000)
    assert window.right(grid, 1400) == right, "the picture stands still while live goes on"
    window.move_to(600, 1, 1400)
    assert window.right(grid, 1400) - grid.column(600) == 119, "and moves when the cursor would leave it"
    window.move_to(1300, 1, 1400)
    assert window.right(grid, 1400) == grid.column(1300)
    window.live()
    assert window.right(grid, 1400) == grid.column(1400)


def test_a_zoom_keeps_the_cursor_in_sight() -> None:
    window = Viewport()
    window.move_to(200, 1, 5000)
    for steps in (-1, 1, 1, 1, 1, -1, -1, -1):
        window.zoom_by(steps)
        grid = window.grid(70, 0.25, 1, 5000, None)
        assert 0 <= window.right(grid, 5000) - grid.column(200) < 70


def test_the_cursor_stays_within_the_stream_and_its_end_is_live() -> None:
    window = Viewport()
    window.move_to(-5, 3, 100)
    assert window.at == 3
    window.move_to(100, 3, 100)
    assert window.at is None
