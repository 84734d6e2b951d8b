from __future__ import annotations

import pytest

from stream_ser.feed.message_types import Message
from stream_ser.tui.state.notices import NOTICES
from stream_ser.tui.state.stream_state import LEDGER_POINTS, RecentValues, ScreenState, clock_text
from tests.tui.wire import HOP, RATE, end, gap, hello, notice, point

HOP_S = HOP / RATE


def state_after(*messages: Message, now: float = 0.0) -> ScreenState:
    state = ScreenState()
    for message in messages:
        state.consume(message, now)
    return state


def marks_of(state: ScreenState) -> list[str]:
    history = state.history
    cells = [history.at(slot) for slot in range(history.oldest, history.newest + 1)]
    return [cell.mark for cell in cells if cell is not None and cell.mark != "unheard"]


def test_nothing_is_known_before_the_first_message() -> None:
    state = ScreenState()
    assert state.kind(1e9) == "waiting"
    assert state.labels == ()
    assert state.moment(0.0).vad is None
    assert not state.clipping
    assert state.compute.at(0.5) is None


@pytest.mark.parametrize("kind", ["warming", "silence", "speech", "uncertain", "stale", "paused"])
def test_the_point_says_the_state(kind: str) -> None:
    assert state_after(hello(), point(8, kind)).kind(0.0) == kind


def test_no_point_for_more_than_three_hops_is_stale() -> None:
    state = state_after(hello(), point(8), now=10.0)
    assert state.kind(10.0 + 3 * HOP_S) == "speech"
    assert state.kind(10.0 + 3 * HOP_S + 0.001) == "stale"
    assert state.waited(12.0) == 2.0
    state.consume(point(9), 20.0)
    assert state.kind(20.0) == "speech"


def test_waiting_for_the_first_point_is_not_stale() -> None:
    state = state_after(hello())
    assert state.kind(1000.0) == "waiting"
    assert state.waited(1000.0) == 0.0


def test_a_pause_is_not_stale_and_waiting_starts_anew_after_it() -> None:
    state = state_after(hello(), point(8), now=0.0)
    state.set_paused(True, 0.1)
    assert state.kind(60.0) == "paused"
    state.set_paused(False, 60.0)
    assert state.kind(60.0 + 2 * HOP_S) == "speech"
    assert state.kind(60.0 + 4 * HOP_S) == "stale"


def test_staying_unpaused_does_not_put_off_staleness() -> None:
    state = state_after(hello(), point(8), now=0.0)
    for tenths in range(1, 20):
        state.set_paused(False, tenths / 10)
    assert state.kind(2.0) == "stale"


def test_the_end_goes_before_everything() -> None:
    state = state_after(hello(), point(8), end())
    state.set_paused(True, 0.0)
    assert state.kind(1000.0) == "ended"
    assert state.ended is not None
    assert state.ended["points"] == 160


def test_an_error_at_the_end_is_a_notice() -> None:
    state = state_after(hello(), end("error", "the microphone is gone"))
    assert (state.notices[-1].level, state.notices[-1].text) == ("error", "the microphone is gone")


@pytest.mark.parametrize(
    ("state", "speech_s", "vad"),
    [
        ("speech", 1.6, True),
        ("uncertain", 1.0, True),
        ("silence", 0.2, False),
        ("warming", 0.0, False),
        ("warming", 0.4, True),
        ("stale", 1.6, None),
        ("paused", 1.6, None),
    ],
)
def test_the_lamp_of_the_voice_activity_detector(state: str, speech_s: float, vad: bool | None) -> None:
    assert state_after(hello(), point(8, state, speech_s=speech_s)).moment(0.0).vad is vad


def test_points_and_gaps_fill_the_history() -> None:
    state = state_after(hello(), point(8), gap(33_000, 41_000), point(11, "stale"), point(12, "warming"))
    assert marks_of(state) == ["speech", "gap", "gap", "gap", "warming"]
    assert state.gap is not None
    assert state.notices[-1].text == "gap at 0:02.0: 0.50 s missing, the device delivered too late"


def test_a_gap_between_two_hops_touches_only_its_own() -> None:
    state = state_after(hello(), point(8), point(9), gap(9 * HOP, 10 * HOP), point(10, "stale"), point(11, "warming"))
    assert marks_of(state) == ["speech", "speech", "gap", "warming"]


def test_the_smoothed_probabilities_follow_the_labels_of_hello() -> None:
    message = point(8)
    message["smoothed"] = dict(reversed(message["smoothed"].items()))
    state = state_after(hello(), message)
    cell = state.history.at(8)
    assert cell is not None
    assert cell.smoothed == pytest.approx((0.62, 0.2, 0.1, 0.08), abs=1e-4)


def test_clipping_stays_marked_for_three_seconds_of_stream() -> None:
    state = state_after(hello(), point(8), point(9, peak_dbfs=0.0), point(10))
    assert state.clipping
    state.consume(point(9 + 12), 0.0)
    assert state.clipping
    state.consume(point(9 + 13), 0.0)
    assert not state.clipping


def test_quantiles_are_values_that_were_seen_and_are_bounded() -> None:
    quantiles = RecentValues(capacity=100)
    quantiles.add(None)
    assert quantiles.at(0.5) is None
    for value in range(1, 101):
        quantiles.add(float(value))
    assert (quantiles.at(0.5), quantiles.at(0.95), quantiles.at(1.0)) == (50.0, 95.0, 100.0)
    for _ in range(100):
        quantiles.add(7.0)
    assert (quantiles.at(0.01), quantiles.at(1.0)) == (7.0, 7.0)


def test_the_ledger_forgets_slow_results_of_long_ago() -> None:
    state = state_after(hello(), point(8, ledger=point(8)["ledger"] | {"compute_ms": 900.0, "age_ms": 950.0}))
    assert state.compute.at(1.0) == 900.0
    for slot in range(9, 9 + LEDGER_POINTS):
        state.consume(point(slot), 0.0)
    assert (state.compute.at(1.0), state.age.at(1.0)) == (3.1, 4.0)


def test_steps_that_were_not_taken_do_not_count() -> None:
    state = state_after(hello(), point(8), *(point(slot, "silence") for slot in range(9, 30)))
    assert state.compute.at(0.5) == 3.1
    assert state.age.at(0.5) == 0.5


def test_notices_are_bounded_and_the_newest_wins() -> None:
    state = state_after(*(notice(f"number {i}") for i in range(1000)))
    assert len(state.notices) == NOTICES
    assert state.notices[-1].text == "number 999"


def test_messages_that_the_feed_dropped_are_counted() -> None:
    dropped = {"type": "dropped", "seq": 9, "first": 4, "last": 9, "count": 6}
    state = state_after(hello(), dropped, dropped)
    assert state.lost == 12
    assert "6 messages lost" in state.notices[-1].text


def test_messages_of_a_newer_feed_are_passed_over() -> None:
    state = state_after(hello(), point(8), {"type": "weather", "seq": 9})
    assert state.kind(0.0) == "speech"


def test_a_second_hello_of_the_same_stream_keeps_the_history() -> None:
    state = state_after(hello(), point(8), hello(seq=8))
    assert marks_of(state) == ["speech"]


@pytest.mark.parametrize("change", [{"stream": "other"}, {"hop": 1600}, {"anchor": "2026-01-01T00:00:00.000Z"}])
def test_another_stream_begins_with_an_empty_history(change: Message) -> None:
    state = state_after(hello(), point(800), end(), hello(**change))
    assert state.kind(0.0) == "waiting"
    assert len(state.history) == 0
    state.consume(point(8), 0.0)
    assert state.kind(0.0) == "speech"


def test_sample_indices_beyond_32_bits() -> None:
    slot = 2**33
    microphone = {"kind": "microphone", "name": "headset", "rate": 48000, "channels": 1, "duration_s": None}
    state = state_after(hello(source=microphone), point(slot), point(slot + 2))
    assert state.history.newest == slot + 2
    assert marks_of(state) == ["speech", "missing", "speech"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (0.25, "0:00.2"), (59.96, "0:59.9"), (83.25, "1:23.2"), (3600, "1:00:00.0"), (0.3, "0:00.3")],
)
def test_clock_text(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
