"""Panels that are chosen, and found again; sizes; the picture of the screen."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from stream_ser.tui.app import THEMES, StreamSerApp
from stream_ser.tui.layout import SMALLEST
from stream_ser.tui.preferences import Preferences, write_new
from stream_ser.tui.prompts import PANELS, ChoosePanels
from stream_ser.tui.stream_screen import StreamScreen
from tests.tui.explanations import Explaining
from tests.tui.test_app import whole
from tests.tui.wire import alert, rated, screen, story, text_of, text_with


def panels(app: StreamSerApp) -> set[str]:
    view = app.screen_stack[0]
    assert isinstance(view, StreamScreen)
    return {panel.name for panel in view.board.places}


async def test_panels_are_toggled_and_the_choice_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "config" / "screen.json"
    for _ in range(2):
        app = screen(story(), preferences=Preferences(path))
        async with app.run_test() as pilot:
            await pilot.pause()
            before = "meter" in panels(app)
            await pilot.press("p")
            assert isinstance(app.screen, ChoosePanels)
            await pilot.press(*["down"] * 3, "enter")
            assert "expressed emotion" in whole(app), "the moment stays in sight"
            assert ("meter" in panels(app)) != before, "at once"
            await pilot.press("escape", "t")
        assert Preferences(path).panels == {"meter": not before}
    assert Preferences(path).theme == THEMES[2]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", [name for name in PANELS if name not in ("dimensions", "plane", "words", "why")])
@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_each_panel_can_go_and_leaves_its_room(name: str, size: tuple[int, int]) -> None:
    choices = Preferences()
    choices.choose(name, False)
    app = screen([*story(), alert()], preferences=choices)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.frame()
        assert name not in panels(app)
        view = app.screen
        assert isinstance(view, StreamScreen)
        assert sum(place.area for place in view.board.places.values()) == view.board.size.area


@pytest.mark.parametrize("content", ["", "[]", '{"panels": 3}', '{"theme": 5, "panels": {"meter": "no"}}', "\x00"])
def test_a_file_that_holds_something_else_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "screen.json"
    path.write_text(content)
    found = Preferences(path)
    assert (found.panels, found.theme) == ({}, None)


async def test_a_choice_that_cannot_be_kept_is_told_once_and_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a short path, so that the notice has its words in one row
    (tmp_path / "config").write_text("a file where a folder should be")
    app = screen(story(), preferences=Preferences(Path("config", "screen.json")))
    async with app.run_test(notifications=True) as pilot:
        await pilot.pause()
        await pilot.press("a")
        await text_with(pilot, "cannot be written")
        assert "alerts" in panels(app)
        assert app.preferences.choose("alerts", False) is None


@pytest.mark.parametrize("size", [(SMALLEST.width - 1, 40), (100, SMALLEST.height - 1), (20, 5), (1, 1)])
async def test_below_the_smallest_size_it_says_so(size: tuple[int, int]) -> None:
    app = screen(story())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "╭" not in text
        if size[0] >= 20:
            assert "too small" in text
        await pilot.resize_terminal(*SMALLEST)
        await pilot.pause()
        app.frame()
        await pilot.pause()
        text = "\n".join(text_of(app))
        assert "too small" not in text
        assert text.count("╭") == text.count("╯") == 5
        assert re.search(r"[AS?]{20}", text), "the trajectory has its letters"


@pytest.mark.parametrize(("size", "opens"), [((200, 60), True), ((199, 60), False), ((140, 45), False)])
async def test_on_a_great_screen_why_plane_and_alerts_open_by_themselves(size: tuple[int, int], opens: bool) -> None:
    controls = Explaining()
    app = screen(rated(story()), controls=controls)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.frame()
        await pilot.pause()
        assert ({"why", "alerts"} <= panels(app)) == opens
        assert "plane" in panels(app)
        assert (controls.asked[-1:] == ["demo"]) == opens
        if opens:
            await pilot.press("w")
            assert "why" not in panels(app)
            assert app.preferences.panels == {"why": False}


async def test_s_stores_the_screen_as_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = screen(story())
    async with app.run_test(notifications=True) as pilot:
        await pilot.pause()
        await pilot.press("s")
        await text_with(pilot, "stored as")
        (name,) = os.listdir(tmp_path)
        assert re.fullmatch(r"stream-ser-\d{8}-\d{6}\.svg", name)
        drawn = (tmp_path / name).read_text()
        assert drawn.startswith("<svg")
        assert "confidence" in drawn


async def test_a_picture_that_cannot_be_stored_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    app = screen(story())
    async with app.run_test(notifications=True) as pilot:
        await pilot.pause()
        await pilot.press("s")
        await text_with(pilot, "cannot be stored")


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    paths = [write_new(tmp_path, "a", str(number)) for number in range(3)]
    assert [path.name for path in paths] == ["a.svg", "a-2.svg", "a-3.svg"]
    assert [path.read_text() for path in paths] == ["0", "1", "2"]
