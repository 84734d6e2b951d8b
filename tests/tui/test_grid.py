"""Many streams as tiles: what they show, moving among them, opening one, and letting go of what is over."""

from __future__ import annotations

import re
from typing import Any

from textual.pilot import Pilot

from stream_ser.tui.app import StreamSerApp, make_app
from stream_ser.tui.grid import StreamGrid
from stream_ser.tui.stream_screen import StreamScreen
from tests.tui.wire import HOP, Clock, Message, Source, Switch, end, gap, hello, notice, point, text_of


def stream(name: str, *messages: Message) -> list[Message]:
    return [{**message, "stream": name} for message in (hello(stream=name), *messages)]


def alert(kind: str = "opened", severity: str = "warning") -> Message:
    return {
        "type": "alert", "seq": 0, "call": None, "role": None, "kind": kind, "id": "a", "rule": "anger rising",
        "severity": severity, "start": 0, "end": 8 * HOP, "at": 8 * HOP, "t": 2.0, "peak": 0.9,
        "reason": "below" if kind == "cleared" else None,
    }  # fmt: skip


def many(count: int) -> list[Message]:
    return [m for number in range(count) for m in stream(f"call-{number:02}", point(8, "silence"))]


class Wall:
    """A grid on a screen, its source and its clock."""

    def __init__(self, messages: list[Message], **options: Any) -> None:
        self.clock, self.source = Clock(), Source(messages)
        self.app = make_app(
            self.source, Switch(), title="stream-ser", clock=self.clock, home=lambda app: app.grid(**options)
        )

    async def after(self, pilot: Pilot[None], *messages: Message, seconds: float = 0.0) -> str:
        self.clock.now += seconds
        self.source.waiting += messages
        self.app.frame()
        await pilot.pause()
        return "\n".join(text_of(self.app))


def shown(app: StreamSerApp) -> str | None:
    return app.state.hello["stream"] if isinstance(app.screen, StreamScreen) and app.state.hello else None


async def test_a_tile_says_name_label_confidence_and_alert() -> None:
    wall = Wall([*stream("a", point(8), alert()), *stream("b", point(8, "silence"))])
    async with wall.app.run_test(size=(80, 24)) as pilot:
        text = await wall.after(pilot)
        assert "2 streams, 1 with speech   ▲ 1 with an alert" in text
        assert "ANGRY" in text
        assert "62 %" in text
        assert "▲ anger rising" in text
        assert "SILENCE" in text
        text = await wall.after(pilot, {**alert("cleared"), "stream": "a"})
        assert "▲" not in text
        assert "recording 0:02.0" in text


async def test_a_label_is_shown_with_speech_only() -> None:
    wall = Wall(stream("a", point(8)))
    async with wall.app.run_test() as pilot:
        assert "ANGRY" in await wall.after(pilot)
        stale = await wall.after(pilot, seconds=5.0)
        assert "ANGRY" not in stale
        assert "STALE" in stale
        assert "no result for 5 s" in stale
        held = await wall.after(pilot, {**point(9, "uncertain"), "stream": "a"})
        assert re.search(r"ANGRY +uncertain", held), "for two seconds of the stream"
        uncertain = await wall.after(pilot, {**point(17, "uncertain"), "stream": "a"})
        assert "ANGRY" not in uncertain
        assert "UNCERTAIN" in uncertain


async def test_the_line_shows_hops_silence_and_loss() -> None:
    messages = [point(1), point(2, "silence"), point(3, smoothed=(0.3, 0.3, 0.2, 0.2))]
    wall = Wall(stream("a", *messages, gap(3 * HOP, 5 * HOP)))
    async with wall.app.run_test() as pilot:
        text = await wall.after(pilot)
        assert "▅·▃░░" in text
        assert "gap 0:01.2: the device" in text


async def test_fifty_streams_scroll_at_80_by_24() -> None:
    wall = Wall(many(50))
    async with wall.app.run_test(size=(80, 24)) as pilot:
        text = await wall.after(pilot)
        assert "call-00" in text
        assert "call-11" in text
        assert "call-12" not in text
        assert "38 below" in text
        await pilot.press("pagedown")
        text = await wall.after(pilot)
        assert "call-12" in text
        assert "above" in text
        await pilot.press("end")
        text = await wall.after(pilot)
        assert "call-49" in text
        assert "below" not in text
        await pilot.press("home")
        assert "call-00" in await wall.after(pilot)


MOVES = (
    ("", "call-00"),
    ("right", "call-01"),
    ("right left", "call-00"),
    ("down", "call-03"),
    ("down right up", "call-01"),
    ("up left", "call-00"),
    ("end down", "call-49"),
    ("pagedown pageup", "call-00"),
)


async def test_arrows_move_enter_opens_and_escape_comes_back() -> None:
    wall = Wall(many(50))
    async with wall.app.run_test(size=(80, 24)) as pilot:
        await wall.after(pilot)
        for keys, name in MOVES:
            await pilot.press("home", *keys.split())
            assert isinstance(wall.app.screen, StreamGrid)
            assert wall.app.screen.wall.selected == name, keys
        await pilot.press("right", "enter")
        assert shown(wall.app) == "call-01"
        for _ in range(2):
            await pilot.press("escape")
            assert isinstance(wall.app.screen, StreamGrid)


async def test_a_click_opens_what_it_hits_and_the_wheel_moves_on() -> None:
    wall = Wall(many(50))
    async with wall.app.run_test(size=(80, 24)) as pilot:
        await wall.after(pilot)
        await pilot.click("#wall", offset=(30, 6))
        assert shown(wall.app) == "call-04"
        await pilot.press("escape")
        await pilot._post_mouse_events(  # the pilot has no method for the wheel
            [__import__("textual.events", fromlist=["x"]).MouseScrollDown] * 4, "#wall", button=0
        )
        text = await wall.after(pilot)
        assert "call-16" in text


async def test_a_click_beside_the_tiles_opens_nothing() -> None:
    wall = Wall(many(1))
    async with wall.app.run_test(size=(80, 24)) as pilot:
        await wall.after(pilot)
        await pilot.click("#wall", offset=(60, 2))
        await pilot.click("#wall", offset=(5, 12))
        assert isinstance(wall.app.screen, StreamGrid)


async def test_the_stream_that_is_open_goes_on() -> None:
    wall = Wall(many(3))
    async with wall.app.run_test() as pilot:
        await wall.after(pilot)
        await pilot.press("right", "enter")
        await wall.after(pilot, {**point(9), "stream": "call-01"}, {**point(9, "silence"), "stream": "call-00"})
        assert wall.app.state.kind(wall.clock.now) == "speech"


async def test_what_is_over_leaves_after_a_while_unless_it_is_looked_at() -> None:
    wall = Wall([*stream("a", end()), *stream("b", end()), *stream("c", point(8))], keep_s=60.0)
    async with wall.app.run_test() as pilot:
        text = await wall.after(pilot)
        assert "finished at 0:40.1" in text
        await pilot.press("right", "enter")
        await wall.after(pilot, seconds=59.0)
        assert list(wall.app.streams) == ["a", "b", "c"]
        await wall.after(pilot, seconds=1.0)
        assert list(wall.app.streams) == ["b", "c"]
        await pilot.press("escape")
        await wall.after(pilot, seconds=1.0)
        await wall.after(pilot, seconds=60.0)
        assert list(wall.app.streams) == ["c"]


async def test_a_stream_that_comes_back_stays() -> None:
    wall = Wall([*stream("a", end())], keep_s=60.0)
    async with wall.app.run_test() as pilot:
        await wall.after(pilot)
        await wall.after(pilot, *stream("a", point(8)), seconds=30.0)
        await wall.after(pilot, seconds=31.0)
        assert list(wall.app.streams) == ["a"]


async def test_nothing_to_show_is_said_and_enter_does_nothing() -> None:
    wall = Wall([])
    async with wall.app.run_test() as pilot:
        assert "no stream is open" in await wall.after(pilot)
        await pilot.press("enter", "down", "end")
        assert isinstance(wall.app.screen, StreamGrid)


async def test_a_stream_that_is_alone_is_opened_by_itself_once() -> None:
    wall = Wall(many(1), open_single=True)
    async with wall.app.run_test() as pilot:
        await wall.after(pilot)
        assert isinstance(wall.app.screen, StreamGrid)
        await wall.after(pilot, seconds=0.5)
        await pilot.pause()
        assert shown(wall.app) == "call-00"
        await pilot.press("escape")
        await wall.after(pilot, seconds=5.0)
        await pilot.pause()
        assert isinstance(wall.app.screen, StreamGrid)


async def test_several_are_not() -> None:
    wall = Wall(many(2), open_single=True)
    async with wall.app.run_test() as pilot:
        await wall.after(pilot)
        await wall.after(pilot, seconds=5.0)
        await pilot.pause()
        assert isinstance(wall.app.screen, StreamGrid)


async def test_a_session_that_goes_back_shows_what_there_was(tmp_path: Any) -> None:
    wall = Wall([*stream("a", point(8), notice("x"), end())])
    async with wall.app.run_test() as pilot:
        assert "ended" in (await wall.after(pilot)).lower()
        text = await wall.after(pilot, {"type": "rewind", "seq": 0}, *stream("a", point(3, "silence")))
        assert "SILENCE" in text
        assert "0:00.7" in text


async def test_a_stream_that_was_opened_says_its_name_and_the_way_back() -> None:
    wall = Wall([*stream("call-7/customer", point(8)), *stream("b", point(8))])
    async with wall.app.run_test(size=(80, 24)) as pilot:
        await wall.after(pilot)
        await pilot.press("enter")
        text = await wall.after(pilot)
        assert text.lstrip().startswith("‹ esc all streams")
        assert "call-7/customer  recording clip.flac" in text.split("\n")[0]
        await pilot.press("escape")
        assert "2 streams" in await wall.after(pilot)


async def test_a_grid_without_room_says_so() -> None:
    wall = Wall(many(3))
    async with wall.app.run_test(size=(20, 8)) as pilot:
        text = await wall.after(pilot)
        assert "too small" in text
        assert "call-00" not in text
