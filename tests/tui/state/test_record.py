"""One clock: the recording's. What is kept over a seek, and what begins anew."""

from __future__ import annotations

from typing import Any

import pytest

from stream_ser.tui.state.stream_state import ScreenState
from tests.tui.state.test_stream_state import state_after
from tests.tui.wire import HOP, RATE, Message, alert, end, hello, point

SAD = (0.1, 0.1, 0.1, 0.7)


def mark(slot: int, text: str = "here") -> Message:
    return {"type": "mark", "seq": 0, "stream": "demo", "at": slot * HOP, "t": slot * HOP / RATE, "text": text}


def at_place(offset_s: float, **changes: Any) -> Message:
    return hello(source={**hello()["source"], "offset_s": offset_s}, **changes)


def played(*before: Message, to_s: float = 20.0, hops: int = 12) -> ScreenState:
    """Played for ten seconds, then sought, then played on."""
    first = [point(slot) for slot in range(1, 41)]
    after = [point(slot, "warming" if slot < 8 else "speech", SAD) for slot in range(1, hops + 1)]
    return state_after(at_place(0.0), *first, *before, end("stopped"), at_place(to_s), *after)


def marks(state: ScreenState, first: int, last: int) -> list[str]:
    cells = [state.history.at(slot) for slot in range(first, last + 1)]
    return [cell.mark for cell in cells if cell is not None]


def test_a_seek_keeps_what_was_heard_and_what_was_skipped_is_no_loss() -> None:
    state = played()
    assert marks(state, 1, 40) == ["speech"] * 40
    assert marks(state, 41, 80) == ["unheard"] * 40
    assert marks(state, 81, 92) == ["warming"] * 7 + ["speech"] * 5
    assert (state.here, state.history.newest) == (92, 92)
    assert state.moment(0.0).t == pytest.approx(23.0)
    assert state.ended is None


def test_a_seek_back_goes_on_within_what_is_known() -> None:
    state = played(to_s=2.5)
    assert (state.here, state.history.newest) == (22, 40)
    assert marks(state, 1, 40) == ["speech"] * 40, "warming takes no result away"
    assert [state.history.at(slot).label for slot in (10, 17, 18, 22, 23)] == [0, 0, 3, 3, 0]  # type: ignore[union-attr]


def test_marks_alerts_and_zoom_stay_and_have_their_place() -> None:
    state = state_after(at_place(0.0), *(point(slot) for slot in range(1, 41)), mark(30), alert(at=20 * HOP))
    state.window.zoom_by(2)
    zoom = state.window.zoom
    state.window.move_to(12, 1, 40)
    for message in (end("stopped"), at_place(20.0), mark(3, "there"), alert(id="b", rule="tense", at=4 * HOP)):
        state.consume(message, 0.0)
    assert state.marks == {30: "here", 83: "there"}
    assert [(each.rule, each.at // HOP, each.open) for each in state.alerts] == [
        ("customer anger rising", 20, False),
        ("tense", 84, True),
    ]
    assert (state.window.zoom, state.window.at) == (zoom, None)


def test_an_alert_that_is_raised_again_at_the_same_place_is_one() -> None:
    before = alert(at=20 * HOP, id="x@20")
    state = state_after(at_place(0.0), *(point(slot) for slot in range(1, 41)), before, end(), at_place(2.5))
    state.consume(alert(at=11 * HOP, id="x@11"), 0.0)
    assert [each.at // HOP for each in state.alerts] == [21]


def test_change_points_are_found_once_however_often_they_are_played() -> None:
    first = [point(slot, "speech", (0.7, 0.1, 0.1, 0.1) if slot < 20 else SAD) for slot in range(1, 41)]
    state = state_after(at_place(0.0), *first)
    assert state.changes == [(20, 3)]
    again = [{**message, "end": message["end"] - 10 * HOP} for message in first[10:]]
    for message in (end("stopped"), at_place(2.5), *again):
        state.consume(message, 0.0)
    assert state.changes == [(20, 3)]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"name": "other", "digest": "0"}},
        {"labels": ["a", "b"]},
        {"source": {**hello()["source"], "name": "b"}},
    ],
)
def test_another_model_or_recording_begins_anew(changes: Message) -> None:
    state = state_after(at_place(0.0), *(point(slot) for slot in range(1, 41)), end(), hello(**changes))
    assert len(state.history) == 0


def test_going_back_in_a_recorded_session_keeps_what_is_known_and_counts_anew() -> None:
    state = state_after(at_place(0.0), *(point(slot) for slot in range(1, 41)), mark(30))
    state.rewind()
    assert state.kind(0.0) == "waiting"
    for message in (at_place(0.0), *(point(slot) for slot in range(1, 11))):
        state.consume(message, 0.0)
    assert (state.here, state.history.newest, state.health.points) == (10, 40, 10)
    assert state.marks == {30: "here"}


def test_one_who_comes_late_to_a_recording_sees_what_came_before_as_unheard() -> None:
    state = state_after(at_place(0.0), point(21))
    assert marks(state, 1, 21) == ["unheard"] * 20 + ["speech"]
