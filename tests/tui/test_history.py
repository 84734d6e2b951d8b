from __future__ import annotations

from stream_ser.tui.history import GAP, MISSING, Cell, History

SPEECH = Cell("speech", "angry", 0.6, (0.6, 0.4))
SILENCE = Cell("silence")


def marks(history: History) -> str:
    return " ".join(cell.mark for cell in history.last(len(history)))


def test_cells_follow_each_other() -> None:
    history = History()
    history.place(8, SILENCE)
    history.place(9, SPEECH)
    assert history.last(10) == [SILENCE, SPEECH]
    assert history.last(1) == [SPEECH]
    assert history.last(0) == []
    assert history.newest == 9


def test_a_hop_that_was_never_reported_keeps_its_column() -> None:
    history = History()
    history.place(8, SPEECH)
    history.place(11, SPEECH)
    assert history.last(10) == [SPEECH, MISSING, MISSING, SPEECH]


def test_a_late_point_takes_its_own_place() -> None:
    history = History()
    history.place(8, SPEECH)
    history.place(10, SPEECH)
    history.place(9, SILENCE)
    assert marks(history) == "speech silence speech"
    assert history.newest == 10


def test_a_point_from_before_the_history_is_ignored() -> None:
    history = History(capacity=3)
    for slot in range(10, 14):
        history.place(slot, SPEECH)
    history.place(10, SILENCE)
    history.place(2, SILENCE)
    assert marks(history) == "speech speech speech"


def test_a_gap_stays_whether_points_come_before_or_after_it() -> None:
    history = History()
    history.place(8, SPEECH)
    history.place(9, SPEECH)
    history.mark_gap(9, 11)
    history.place(10, Cell("stale"))
    history.place(12, Cell("warming"))
    assert marks(history) == "speech gap gap gap warming"


def test_a_gap_may_be_the_first_thing() -> None:
    history = History()
    history.mark_gap(1, 3)
    assert history.last(9) == [GAP, GAP, GAP]


def test_a_gap_of_days_costs_no_more_than_the_capacity() -> None:
    history = History(capacity=50)
    history.place(1, SPEECH)
    history.mark_gap(2, 2**40)
    assert len(history) == 50
    assert set(history.last(50)) == {GAP}
    history.place(2**40 + 1, SPEECH)
    assert history.newest == 2**40 + 1
    assert history.last(2) == [GAP, SPEECH]


def test_the_history_is_bounded() -> None:
    history = History(capacity=4)
    for slot in range(100):
        history.place(slot, Cell("speech", "angry", slot / 100))
    assert [cell.confidence for cell in history.last(10)] == [0.96, 0.97, 0.98, 0.99]
