"""The row of the whole recording: what it shows, and going there."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from stream_ser.tui.app import StreamSerApp
from stream_ser.tui.palette import DARK
from stream_ser.tui.panels.scrubber import BAR, Scrubber
from stream_ser.tui.stream_screen import StreamScreen
from tests.tui.test_app import feed_of
from tests.tui.wire import Message, Switch, end, hello, point, screen, text_of

DURATION_S = 40.0


class Player(Switch):
    """A recording that is loud in its second half; remembers where it was asked to go."""

    speed, whole, length_s = 1.0, False, DURATION_S
    envelope = (-60.0,) * 400 + (-10.0,) * 400
    place_s = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.sought: list[float] = []

    def set_speed(self, speed: float) -> None: ...

    def skip(self, by_s: float) -> None:
        self.sought.append(by_s)

    def seek(self, to_s: float) -> None:
        self.sought.append(to_s)


def at_place(offset_s: float = 0.0) -> Message:
    source: dict[str, Any] = {**hello()["source"], "duration_s": DURATION_S, "offset_s": offset_s}
    return hello(source=source)


def scrubber(app: StreamSerApp) -> Scrubber:
    view = app.screen
    assert isinstance(view, StreamScreen)
    return view.scrubber


async def drawn(app: StreamSerApp, pilot: Pilot[None]) -> str:
    app.frame()
    await pilot.pause()
    row = scrubber(app).row(0)
    return "".join(segment.text for segment in row)[8:]


async def test_it_shows_what_was_heard_what_comes_and_where_one_is() -> None:
    app = screen([at_place(), *(point(slot, level_dbfs=-8.0) for slot in range(1, 41))], controls=Player())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        row = await drawn(app, pilot)
        assert len(row) == 68
        bar = row.index(BAR)
        assert bar == 16, "a quarter of the recording"
        assert set(row[:bar]) == {"█"}
        assert row[17:33].strip() == "", "what is not played yet is known to be quiet"
        assert set(row[34:]) == {"█"}
        colours = {
            segment.style.color.name for segment in scrubber(app).row(0)[1:] if segment.style and segment.style.color
        }
        assert {DARK.labels.known["angry"], DARK.frame} <= colours


async def test_a_seek_moves_the_bar_and_keeps_what_was_heard() -> None:
    app = screen([at_place(), *(point(slot, level_dbfs=-8.0) for slot in range(1, 41))], controls=Player())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("plus")
        zoom = app.state.window.zoom
        feed_of(app).extend([end("stopped"), at_place(5.0), *(point(slot, "warming") for slot in range(1, 5))])
        row = await drawn(app, pilot)
        assert row.index(BAR) == 10
        assert set(row[11:16]) == {"█"}
        assert app.state.window.zoom == zoom
        timeline = "\n".join(text_of(app))
        assert timeline.count("A") > 40, "and so does the timeline"
        assert "0:06.0 / 0:40.0" in timeline


async def test_a_point_behind_the_end_has_the_last_place() -> None:
    app = screen([at_place(), *(point(slot) for slot in range(1, 163))], controls=Player())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert (await drawn(app, pilot)).index(BAR) == 67


async def test_a_press_goes_there() -> None:
    player = Player()
    app = screen([at_place(), point(1)], controls=player)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.frame()
        view = app.screen
        assert isinstance(view, StreamScreen)
        place = view.board.places[view.scrubber]
        await pilot.mouse_down("#board", offset=(place.x + 2 + 8 + 34, place.y))
        await pilot.pause()
    assert player.sought == [pytest.approx(DURATION_S / 2, abs=0.6)]


async def test_of_a_live_stream_a_press_looks_back() -> None:
    microphone = {"kind": "microphone", "name": "headset", "rate": 48000, "channels": 1, "duration_s": None}
    app = screen([hello(source=microphone), *(point(slot) for slot in range(1, 69))])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.frame()
        view = app.screen
        assert isinstance(view, StreamScreen)
        place = view.board.places[view.scrubber]
        await pilot.mouse_down("#board", offset=(place.x + 2 + 8 + 34, place.y))
        await pilot.pause()
        assert app.state.window.at == 35


async def test_where_there_is_room_the_part_in_sight_is_marked() -> None:
    app = screen([at_place(), *(point(slot) for slot in range(1, 161))], controls=Player())
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        await pilot.press("plus")
        await drawn(app, pilot)
        line = "".join(segment.text for segment in scrubber(app).row(1))
        assert line.strip().startswith("╶")
        assert 0.2 <= len(line.strip()) / 128 <= 0.3, "10 of 40 s"
