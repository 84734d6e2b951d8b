"""Keys, the frame rate, and leaving the screen."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from textual._compositor import LayoutUpdate
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.widgets import Footer

from stream_ser.tui.app import THEMES, StreamSerApp
from stream_ser.tui.health import Health
from stream_ser.tui.help import Help
from stream_ser.tui.palette import CONTRAST, DARK, LIGHT
from stream_ser.tui.stream_screen import StreamScreen
from tests.tui.wire import Clock, Message, Source, Switch, end, hello, point, screen, story, text_of


def whole(app: StreamSerApp) -> str:
    """All that is seen: a page or a prompt, and around it the screen below."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(update, LayoutUpdate)
    return "\n".join("".join(segment.text for segment in strip) for strip in update.strips)


STATES: dict[str, list[Message]] = {
    "waiting": [],
    "warming": [hello(), point(1, "warming")],
    "silence": [hello(), point(8, "silence")],
    "speech": story(),
    "uncertain": [hello(), point(8, "uncertain")],
    "stale": [hello(), point(8, "stale")],
    "paused": [hello(), point(8, "paused")],
    "ended": [*story(), end()],
    "failed": [*story(), end("error", "the model is gone")],
}


def feed_of(app: StreamSerApp) -> list[Message]:
    source = app._source
    assert isinstance(source, Source)
    return source.waiting


async def test_space_pauses_and_goes_on() -> None:
    switch = Switch()
    app = screen(story(), controls=switch)
    async with app.run_test() as pilot:
        await pilot.press("space")
        assert switch.paused
        assert app.state.kind(100.0) == "paused"
        assert "press space to go on" in "\n".join(text_of(app))
        await pilot.press("space")
        assert not switch.paused
        assert app.state.kind(100.0) == "speech"


async def test_a_pause_from_elsewhere_is_shown() -> None:
    switch = Switch(paused=True)
    app = screen(story(), controls=switch)
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.state.kind(100.0) == "paused"
        await pilot.press("space")
        assert not switch.paused


async def test_space_does_nothing_after_the_end() -> None:
    switch = Switch()
    async with screen(STATES["ended"], controls=switch).run_test() as pilot:
        await pilot.pause()
        await pilot.press("space")
        assert not switch.paused


async def test_t_goes_through_the_themes_and_their_colours() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        grounds = []
        for _ in range(4):
            await pilot.pause()
            styles = [style for strip in app.screen._compositor.render_strips() for _, style, _ in strip if style]
            grounds.append(
                {style.bgcolor.name for style in styles if style.bgcolor} & {DARK.ground, LIGHT.ground, CONTRAST.ground}
            )
            await pilot.press("t")
        assert grounds == [{DARK.ground}, {LIGHT.ground}, {CONTRAST.ground}, {DARK.ground}]


async def test_another_stream_opens_on_top_and_both_are_fed() -> None:
    app = screen([*story(), hello(stream="other"), point(8, "silence", stream="other")])
    async with app.run_test() as pilot:
        await pilot.pause()
        app.open_stream("other")
        await pilot.pause()
        app.frame()
        assert app.state is app.streams["other"]
        assert "nobody speaks" in "\n".join(text_of(app))
        feed_of(app).append(point(121, "uncertain"))
        app.frame()
        app.pop_screen()
        await pilot.pause()
        assert "no label is justified" in "\n".join(text_of(app))


async def test_another_first_screen() -> None:
    class Wall(Screen[None]):
        """Counts its frames."""

        frames = 0

        def compose(self) -> ComposeResult:
            yield Footer()

        def draw_frame(self, now: float) -> None:  # noqa: ARG002
            self.frames += 1

    app = screen(story(), home=lambda _: Wall())
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Wall)
        before = app.screen.frames
        app.frame()
        assert app.screen.frames == before + 1
        await pilot.press("question_mark", "end")
        await pilot.pause()
        assert "A angry" in "\n".join(text_of(app))


HELP = ("quit", "A angry", "x gap", "? uncertain", "emotion that the voice expresses", "look back, a column")
HEALTH = ("p50", "p95", "p99", "compute", "in the model", "engine   onnxruntime-cpu")


@pytest.mark.parametrize(("opens", "page", "parts"), [("question_mark", Help, HELP), ("l", Health, HEALTH)])
@pytest.mark.parametrize("by_escape", [False, True])
async def test_pages_open_scroll_and_close_and_leave_the_moment_in_sight(
    opens: str, page: type, parts: tuple[str, ...], by_escape: bool
) -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press(opens)
        await pilot.pause()
        assert isinstance(app.screen, page)
        text = whole(app)
        assert "↓ more below" in text
        assert "↑ more above" not in text
        assert "confidence 69 %" in text, "what is expressed now stays in sight"
        feed_of(app).append(point(121, "silence"))
        app.frame()
        for key in ("pagedown", "end"):
            await pilot.press(key)
            await pilot.pause()
            text += whole(app)
        assert "sad is held from 0:30.0" in text, "and goes on"
        assert "↑ more above" in text
        for part in parts:
            assert part in text
        await pilot.press("escape" if by_escape else opens)
        assert not isinstance(app.screen, page)


async def test_other_keys_work_while_help_is_open() -> None:
    switch = Switch()
    app = screen(story(), controls=switch)
    async with app.run_test() as pilot:
        await pilot.press("question_mark", "space", "t")
        assert switch.paused
        assert app.theme == THEMES[1]
        await pilot.press("q")
    assert switch.stops == 1


async def test_the_stream_goes_on_behind_the_help() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        feed_of(app).append(point(121, "silence"))
        app.frame()
        await pilot.press("escape")
        assert "nobody speaks" in "\n".join(text_of(app))


@pytest.mark.parametrize(
    ("state", "key"), [*((state, "q") for state in STATES), ("speech", "ctrl+c"), ("speech", "ctrl+q")]
)
async def test_quits_at_once_from_every_state(state: str, key: str) -> None:
    switch = Switch(paused=state == "paused")
    app = screen(STATES[state], controls=switch)
    before = set(threading.enumerate())
    async with app.run_test() as pilot:
        await pilot.pause()
        began = time.perf_counter()
        await pilot.press(key)
    assert time.perf_counter() - began < 1.0
    assert switch.stops == 1
    assert not app.is_running
    assert not app.workers
    assert set(threading.enumerate()) <= before


async def test_leaving_does_not_wait_for_the_stream_to_stop() -> None:
    done = threading.Event()

    class SlowStream(Switch):
        """A stream that is told at once, and needs long to stop."""

        def stop(self) -> None:
            super().stop()
            threading.Thread(target=done.wait, args=(30,), daemon=True).start()

    switch = SlowStream()
    began = time.perf_counter()
    async with screen(story(), controls=switch).run_test() as pilot:
        await pilot.press("q")
    assert time.perf_counter() - began < 5.0
    assert switch.stops == 1
    done.set()


async def test_after_the_end_the_screen_stays() -> None:
    app = screen(STATES["ended"])
    async with app.run_test() as pilot:
        await pilot.pause()
        app.frame()
        assert app.is_running
        assert "160 points" in "\n".join(text_of(app))


async def test_after_the_end_the_screen_leaves_if_asked_to() -> None:
    switch = Switch()
    app = screen(STATES["ended"], exit_on_end=True, controls=switch)
    async with app.run_test() as pilot:
        await pilot.pause()
        app.frame()
        await pilot.pause()
        assert not app.is_running
    assert switch.stops == 1


async def test_silence_of_the_source_becomes_stale_by_the_clock() -> None:
    clock = Clock()
    app = screen(story(), clock=clock)
    async with app.run_test() as pilot:
        await pilot.pause()
        clock.now += 4.0
        app.frame()
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "newest sound or result is missing" in text
        assert "last result 4 s ago" in text


async def test_it_draws_at_its_rate_and_not_for_every_message() -> None:
    app = screen([hello()])
    frames: list[int] = []
    original = app.frame

    def counted() -> None:
        frames.append(len(feed_of(app)))
        original()

    app.frame = counted  # type: ignore[method-assign]
    async with app.run_test() as pilot:
        await pilot.pause()
        del frames[:]
        began = time.perf_counter()
        for slot in range(8, 3008):
            feed_of(app).append(point(slot))
            if slot % 60 == 0:
                await asyncio.sleep(0.01)
        passed = time.perf_counter() - began
        app.frame()
        assert app.state.point is not None
        assert app.state.point["end"] == 3007 * 4000
    assert 1 < len(frames) <= passed * 10 + 3
    assert max(frames) > 60


async def test_an_unchanged_state_draws_nothing() -> None:
    app = screen(story())
    async with app.run_test() as pilot:
        await pilot.pause()
        app.frame()
        await pilot.pause()
        asked: list[Region] = []
        view = app.screen
        assert isinstance(view, StreamScreen)
        view.board.refresh = lambda *regions, **_: asked.extend(regions)  # type: ignore[method-assign, assignment]
        app.frame()
        assert asked == []
        feed_of(app).append(point(121))
        app.frame()
        changed = {
            panel.name for panel, place in view.board.places.items() if any(place.overlaps(one) for one in asked)
        }
        assert changed == {"header", "headline", "bars", "timeline"}


async def test_a_change_refreshes_only_the_rows_that_differ() -> None:
    app = screen([hello(), point(8)])
    async with app.run_test() as pilot:
        await pilot.pause()
        app.frame()
        asked: list[Region] = []
        view = app.screen
        assert isinstance(view, StreamScreen)
        view.board.refresh = lambda *regions, **_: asked.extend(regions)  # type: ignore[method-assign, assignment]
        feed_of(app).append(point(9, smoothed=(0.62, 0.2, 0.05, 0.13)))
        app.frame()
        bars = view.board.places[view.bars]
        assert [(one.y - bars.y - 1, one.height) for one in asked if one.x == bars.x] == [(2, 2)]


async def test_a_resize_keeps_what_is_shown() -> None:
    app = screen(story())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.resize_terminal(140, 45)
        await pilot.pause()
        app.frame()
        await pilot.pause()
        wide = text_of(app)
        assert len(wide) == 45
        assert any("raw  " in row for row in wide)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        app.frame()
        await pilot.pause()
        assert any("p panels" in row for row in text_of(app))
