"""Notices stand as long as they hold."""

from __future__ import annotations

import pytest

from stream_ser.tui.state.notices import STANDS_S, Notices
from tests.tui.state.test_stream_state import state_after
from tests.tui.wire import hello, notice, point

MUTED = "headset gives nothing but digital zeros: it is muted, or the terminal may not use it"


def standing(notices: Notices, now: float) -> str | None:
    newest = notices.newest(now)
    return None if newest is None else newest.text


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_a_notice_stands_for_its_time_and_uncovers_one_that_stands_longer(level: str) -> None:
    notices = Notices()
    notices.add("error", "the disk is full", 0.0)
    notices.add(level, "told", 0.0)  # type: ignore[arg-type]
    lasts = STANDS_S[level]  # type: ignore[index]
    assert standing(notices, min(lasts, 1e9)) == "told"
    assert standing(notices, lasts + 0.1) == ("the disk is full" if level != "error" else "told")


def test_muted_stands_until_there_is_sound() -> None:
    state = state_after(hello(), notice(MUTED, "warning"), point(8, "silence", peak_dbfs=-120.0))
    assert standing(state.notices, 3600.0) == MUTED
    state.consume(point(9, "silence", peak_dbfs=-70.0), 3600.0)
    assert standing(state.notices, 3600.0) is None


def test_a_device_that_is_away_is_told_until_it_is_back() -> None:
    away, lost = "no sound from headset for 0.5 s; trying to open it again", "headset cannot be opened; trying again"
    state = state_after(hello(), notice(away, "warning"), notice(lost, "warning"))
    assert standing(state.notices, 1.0) == lost
    state.consume(notice("headset is back after 3.0 s"), 2.0)
    assert [each.text for each in state.notices] == ["headset is back after 3.0 s"]


def test_fall_backs_that_nobody_asked_for_are_told_under_health_alone() -> None:
    refused, broke = "engine cuda is not used: no driver", "the engine cuda broke (out of memory); going on with onnx"
    state = state_after(hello(), notice(refused, "warning"))
    assert standing(state.notices, 0.0) is None
    assert list(state.health.changes) == [refused]
    state.consume(notice(broke, "warning"), 0.0)
    assert standing(state.notices, 0.0) == broke
