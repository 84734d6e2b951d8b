"""Whatever names and notes are made of, the screen draws signs and never sends an order to the terminal."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from stream_ser.controls.capabilities import Choice
from stream_ser.tui.prompts import Ask, Choose, Confirm
from tests.cli.test_text_from_elsewhere import ODD, spoilt
from tests.export import scene
from tests.test_printable import orders
from tests.tui.wire import alert, screen, story, text_of


@pytest.mark.parametrize("key", ["", "l", "a"])
@pytest.mark.parametrize("messages", [story(), scene.stream(f"a{ODD}")], ids=["story", "scene"])
async def test_no_panel_sends_what_a_name_holds(messages: list[scene.Message], key: str) -> None:
    app = screen([spoilt(message) for message in [*messages, alert()]])
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        if key:
            await pilot.press(key)
        app.frame()
        await pilot.pause()
        drawn = "".join(text_of(app))
    assert "␛" in drawn
    assert orders(drawn) == []


async def test_no_prompt_or_line_does() -> None:
    found: Future[list[Choice]] = Future()
    found.set_result([Choice("a", f"a device{ODD}")])
    app = screen(story())
    async with app.run_test(size=(100, 30)) as pilot:
        for prompt in (Ask(ODD, ODD), Confirm(ODD, f"{ODD}\n{ODD}"), Choose(ODD, ODD, found)):  # type: ignore[arg-type]
            app.push_screen(prompt)
            await pilot.pause()
            assert "␛" in "".join(text_of(app))
            assert orders("".join(text_of(app))) == []
            app.pop_screen()
        app.tell(ODD)
        await pilot.pause()
        assert orders("".join(text_of(app))) == []
