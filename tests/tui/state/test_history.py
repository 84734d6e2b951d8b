from __future__ import annotations

import pytest

from stream_ser.tui.state.history import MISSING, WHOLE_DAY, Cell, TrajectoryHistory

SPEECH = Cell("speech", 0, (0.6, 0.4), (0.7, 0.3), (0.5,), -23.5, -9.25, 1.5)
SILENCE = Cell("silence", None, (0.5, 0.5), (), (), -60.0, -50.0, 0.0)


def empty(capacity: int = WHOLE_DAY) -> TrajectoryHistory:
    return TrajectoryHistory(2, 1, capacity)


def marks(history: TrajectoryHistory) -> str:
    cells = [history.at(slot) for slot in range(history.oldest, history.newest + 1)]
    return " ".join(cell.mark for cell in cells if cell)


def test_a_cell_comes_back_as_it_was() -> None:
    history = empty()
    history.place(8, SPEECH)
    cell = history.at(8)
    assert cell is not None
    assert (cell.mark, cell.label) == ("speech", 0)
    assert (*cell.smoothed, *cell.raw, *cell.dimensions) == pytest.approx((0.6, 0.4, 0.7, 0.3, 0.5), abs=1e-4)
    assert (cell.level, cell.peak, cell.speech_s) == (-23.5, -9.25, 1.5)
    assert cell.confidence == pytest.approx(0.6, abs=1e-4)


def test_what_is_not_known_stays_unknown() -> None:
    history = empty()
    history.place(8, SILENCE)
    cell = history.at(8)
    assert cell is not None
    assert (cell.label, cell.raw, cell.dimensions, cell.confidence) == (None, (), (), 0.0)
    assert history.at(7) is history.at(9) is empty().at(8) is None


def test_a_hop_that_was_never_reported_keeps_its_place() -> None:
    history = empty()
    history.place(8, SPEECH)
    history.place(11, SPEECH)
    assert marks(history) == "speech missing missing speech"
    assert history.at(9) == MISSING


def test_a_late_point_takes_its_own_place_and_is_told() -> None:
    history = empty()
    history.place(8, SPEECH)
    history.place(10, SPEECH)
    history.place(9, SILENCE)
    assert marks(history) == "speech silence speech"
    assert history.newest == 10
    assert list(history.late) == [(history.version, 9)]


def test_what_nobody_has_played_is_there_as_such_and_played_again_the_newer_result_stands() -> None:
    history = empty()
    history.skip_to(2)
    history.place(3, SPEECH)
    history.skip_to(5)
    history.place(6, SILENCE)
    assert marks(history) == "unheard unheard speech unheard unheard silence"
    history.skip_to(1)
    history.place(2, Cell("warming"))
    history.place(3, Cell("warming"))
    history.place(4, Cell("warming"))
    assert marks(history) == "unheard warming speech warming unheard silence", "no result does not take one away"
    history.place(3, SILENCE)
    assert marks(history) == "unheard warming silence warming unheard silence"


def test_new_points_are_no_revision() -> None:
    history = empty()
    for slot in range(8, 2000):
        history.place(slot, SPEECH)
    history.mark_gap(2000, 2001)
    assert history.revision == 0


def test_a_point_from_before_the_history_is_ignored() -> None:
    history = empty()
    history.place(10, SPEECH)
    history.place(2, SILENCE)
    assert (history.oldest, marks(history)) == (10, "speech")


def test_a_gap_stays_whether_points_come_before_or_after_it() -> None:
    history = empty()
    history.place(8, SPEECH)
    history.place(9, SPEECH)
    history.mark_gap(9, 11)
    history.place(10, Cell("stale"))
    history.place(12, Cell("warming"))
    assert marks(history) == "speech gap gap gap warming"


def test_a_gap_may_be_the_first_thing() -> None:
    history = empty()
    history.mark_gap(1, 3)
    assert marks(history) == "gap gap gap"


@pytest.mark.parametrize("first", [1, 2])
def test_a_stream_that_outgrows_its_cells_keeps_its_whole_length(first: int) -> None:
    history = empty(capacity=8)
    for slot in range(first, 101):
        history.place(slot, SPEECH if slot % 2 else SILENCE)
    assert len(history._cells) == 8
    assert (history.newest, history.per) == (100, 16)
    assert history.oldest <= first
    assert set(marks(history).split()) == {"speech"}, "speech goes before silence"
    kept = history.cells(1, 100)["marks"]
    assert set(kept.tolist()) == {0b110}, "and both are named"


def test_merged_cells_do_not_hide_a_gap_or_a_hop_that_never_came() -> None:
    history = empty(capacity=8)
    for slot in range(1, 65):
        if slot == 20:
            history.mark_gap(20, 20)
        elif slot != 40:
            history.place(slot, SPEECH)
    kept = history.cells(1, 64)["marks"].tolist()
    assert [bool(marks & 1 << 6) for marks in kept].count(True) == 1
    assert [bool(marks & 1 << 7) for marks in kept].count(True) == 1
    assert history.cells(20, 20)["marks"][0] & 1 << 6
    assert history.cells(40, 40)["marks"][0] & 1 << 7


def test_a_gap_of_days_costs_no_more_than_the_capacity() -> None:
    history = empty(capacity=50)
    history.place(1, SPEECH)
    history.mark_gap(2, 2**40)
    history.place(2**40 + history.per, SPEECH)
    assert len(history._cells) == 50
    assert marks_of_ends(history) == ("gap", "speech")


def marks_of_ends(history: TrajectoryHistory) -> tuple[str, str]:
    before, last = history.at(history.newest - history.per), history.at(history.newest)
    assert before is not None
    assert last is not None
    return before.mark, last.mark


def test_memory_grows_with_the_stream_and_a_day_takes_few_megabytes() -> None:
    history = TrajectoryHistory(8, 3)
    history.place(1, Cell("silence"))
    assert history.nbytes < 100_000
    history.place(WHOLE_DAY, Cell("silence"))
    assert history.nbytes < 50e6
    assert history.per == 1
