"""Zoom, the cursor, alerts, the plane: by key and by mouse."""

from __future__ import annotations

import pytest
from textual.events import MouseScrollDown

from stream_ser.tui.state.viewport import ZOOMS_S
from stream_ser.tui.stream_screen import StreamScreen
from tests.tui.test_app import feed_of
from tests.tui.wire import HOP, Message, alert, end, gap, hello, point, rated, screen, story, text_of


def shown(app: object) -> StreamScreen:
    view = app.screen  # type: ignore[attr-defined]
    assert isinstance(view, StreamScreen)
    return view


async def test_plus_and_minus_zoom_and_the_frame_says_how_far() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.pause()
        for key, title in [
            ("plus", "trajectory  10 s"),
            ("plus", "trajectory  10 s"),
            ("minus", "trajectory  30 s"),
            ("minus", "trajectory  1 min"),
            ("minus", "trajectory  5 min"),
            ("minus", "trajectory  whole"),
            ("equals_sign", "trajectory  5 min"),
        ]:
            await pilot.press(key)
            await pilot.pause()
            assert f" {title} " in "\n".join(text_of(app))


async def test_left_and_right_look_back_while_live_goes_on() -> None:
    app = screen(story())
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        await pilot.press(*["left"] * 5, "right")
        assert app.state.window.at == 116
        feed_of(app).append(point(121, "silence"))
        app.frame()
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "1.2 s back; end returns to live" in text
        assert "◀ 0:29.0 / 0:40.1" in text
        assert "nobody speaks" not in text
        await pilot.press("end")
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "nobody speaks" in text
        assert "back; end" not in text


async def test_all_panels_show_the_moment_of_the_cursor() -> None:
    messages = [hello(), *(point(slot) for slot in range(8, 40))]
    past = point(40, smoothed=(0.1, 0.7, 0.1, 0.1), raw=(0.05, 0.85, 0.05, 0.05), level_dbfs=-31.5, peak_dbfs=0.0)
    app = screen([*messages, past, *(point(slot, "silence") for slot in range(41, 50))])
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        shown(app)._show(40)
        await pilot.pause()
        text = "\n".join(text_of(app))
        for part in ("confidence 70 %", "70 %  raw  85 %", "-31.5 dBFS", "CLIPPING", "● speech", "2.2 s back"):
            assert part in text


async def test_escape_returns_to_live() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("escape")
        assert app.is_running
        await pilot.press("left", "escape")
        assert app.state.window.at is None
        assert isinstance(app.screen, StreamScreen)


@pytest.mark.parametrize(
    ("slot", "word"),
    [(2, "a label needs 2 s"), (10, "nobody speaks"), (125, "sound is missing here"), (128, "no result came")],
)
async def test_states_of_the_past_are_told_as_they_were(slot: int, word: str) -> None:
    app = screen([*story(), gap(124 * HOP, 126 * HOP), point(129), point(130)])
    async with app.run_test() as pilot:
        await pilot.pause()
        shown(app)._show(slot)
        await pilot.pause()
        assert word in "\n".join(text_of(app))


async def test_home_and_pages() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("home")
        assert app.state.window.at == 1
        await pilot.press("left")
        assert app.state.window.at == 1
        await pilot.press("pagedown")
        assert app.state.window.at == 21
        await pilot.press("pageup", "pageup")
        assert app.state.window.at == 1
        await pilot.press("minus", "minus", "pagedown")
        assert app.state.window.at is None, "ten columns of five minutes reach the newest"


async def test_the_past_can_be_looked_at_after_the_end() -> None:
    app = screen([*story(), end()])
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("left", "left")
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "back; end returns" in text
        assert "share of the points" not in text


async def test_keys_do_no_harm_before_the_first_point() -> None:
    app = screen([])
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("left", "home", "end", "plus", "minus", "a", "pageup")
        await pilot.click("#board", offset=(30, 12))
        assert app.state.window.at is None
        assert "no result yet" in "\n".join(text_of(app))


async def test_the_mouse_chooses_a_moment_and_its_wheel_zooms() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.pause()
        timeline, board = shown(app).timeline, shown(app).board
        picture, place = timeline.picture, board.places[timeline]
        assert picture is not None
        gutter = timeline.size.width - len(picture.columns)

        def over(column: int) -> tuple[int, int]:
            return place.x + 2 + gutter + column, place.y + 3

        await pilot.mouse_down("#board", offset=over(40))
        await pilot.pause()
        assert app.state.window.at == picture.grid.slots(picture.right - len(picture.columns) + 1 + 40)[1]
        await pilot.hover("#board", offset=over(20))
        await pilot.pause()
        second = app.state.window.at
        assert second == picture.grid.slots(picture.right - len(picture.columns) + 1 + 20)[1]
        await pilot.mouse_up("#board", offset=over(20))
        await pilot.hover("#board", offset=over(30))
        await pilot.pause()
        assert app.state.window.at == second, "let go"
        x, y = over(5)
        board.on_mouse_scroll_down(MouseScrollDown(board, x, y, 0, 1, 0, False, False, False))
        await pilot.pause()
        assert ZOOMS_S[app.state.window.zoom] == 60.0


async def test_an_alert_is_told_in_a_line_and_listed_by_key_on_a_small_screen() -> None:
    app = screen([*story(), alert()])
    async with app.run_test() as pilot:
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "▲ customer anger rising since 0:22.0, at most 0.75" in text
        assert "━▲" in text
        await pilot.press("a")
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "▲ 0:22.0 customer anger rising" in text
        assert "since 0:22.0" not in text
        assert "sound ─" not in text
        await pilot.press("a")
        await pilot.pause()
        assert "sound ─" in "\n".join(text_of(app))


async def test_alerts_have_their_panel_on_a_wide_screen_and_a_click_shows_the_moment() -> None:
    cleared = alert("cleared", id="b", rule="tense", severity="critical", at=400_000, end=380_000, reason="below")
    app = screen([*story(), alert(), alert("opened", id="b", rule="tense", at=200_000), cleared])
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        app.frame()
        await pilot.pause()
        rows = text_of(app)
        (row,) = [row for row in rows if "△" in row]
        assert "△ 0:12.5 tense" in row, "the time is that of its opening"
        assert "below" in row
        assert any("▲ 0:22.0 customer anger rising" in row for row in rows)
        place = shown(app).board.places[shown(app).alerts]
        await pilot.click("#board", offset=(place.x + 5, rows.index(row) - shown(app).board.region.y))
        await pilot.pause()
        assert app.state.window.at == 50


async def test_no_panel_without_alerts() -> None:
    app = screen(story())
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        assert "alerts ─" not in "\n".join(text_of(app))


async def test_change_points_and_marks_are_on_the_timeline() -> None:
    mark = {"type": "mark", "seq": 9, "stream": "demo", "at": 320_000, "t": 20.0, "text": "asks for the manager"}
    app = screen([*story(), mark])
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert text.count("◆") == len([slot for slot, _ in app.state.changes]) > 1
        assert "⚑" in text
        assert "marked at 0:20.0: asks for the manager" in text


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_the_plane_is_there_only_where_the_model_rates_both_dimensions(size: tuple[int, int]) -> None:
    async def braille(messages: list[Message]) -> int:
        app = screen(messages)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.frame()
            await pilot.pause()
            return sum("\u2800" < sign <= "\u28ff" for row in text_of(app) for sign in row)

    assert await braille(rated(story())) > 5
    assert await braille(story()) == 0
    assert await braille(rated(story(), names=("activation", "dominance"))) == 0


async def test_the_plane_shows_where_the_voice_is_and_breaks_off_in_silence() -> None:
    names = ["activation", "valence"]
    here = [point(slot, dimensions={"activation": 0.9, "valence": -0.9}) for slot in range(8, 12)]
    app = screen([hello(dimensions=names), *here])
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        app.frame()
        plane = shown(app).plane
        width, height = plane.size
        drawn = ["".join(segment.text for segment in plane.row(y)) for y in range(height)]
        assert [(row.index("●"), y) for y, row in enumerate(drawn) if "●" in row] == [
            (round(0.05 * width), round(0.05 * (4 * height - 1)) // 4)
        ]
        assert drawn[height // 2].startswith("─"), "activation is up, valence to the right"
        feed_of(app).append(point(12, "silence", dimensions=dict.fromkeys(names)))
        app.frame()
        assert "●" not in "".join(segment.text for y in range(height) for segment in plane.row(y))
