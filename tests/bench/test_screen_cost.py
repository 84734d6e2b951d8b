from __future__ import annotations

import pytest

from stream_ser.bench.screen_cost import MadeUp, measure
from stream_ser.tui.state.stream_state import ScreenState


def test_the_real_screen_is_measured_on_a_terminal_of_its_own() -> None:
    found = measure(per_s=10.0, seconds=1.0, columns=80, rows=24)
    assert 0.1 < found["cpu_percent"] < 60.0, "a generous limit: other tests run beside this one"
    assert 1_000 < found["bytes_per_s"] < 200_000


def test_points_are_made_up_at_their_rate_and_are_whole() -> None:
    source, state = MadeUp(per_s=10.0, past_s=60.0, seconds=60.0), ScreenState()
    messages = source.drain()
    for message in messages:
        state.consume(message, 0.0)
    assert len(messages) == pytest.approx(601, abs=3)
    assert {message["state"] for message in messages[1:]} == {"speech", "silence"} | (
        {message["state"] for message in messages[1:]} & {"uncertain"}
    )
    assert len(state.changes) > 0
