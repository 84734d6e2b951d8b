"""Footer, help and palette: each thing once, and by the same word."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Footer

from stream_ser.tui.app import StreamSerApp
from stream_ser.tui.health import Health
from stream_ser.tui.help import Help
from stream_ser.tui.prompts import ChoosePanels
from tests.tui.explanations import Explaining
from tests.tui.test_scrubber import Player
from tests.tui.wire import screen, story


class Everything(Explaining, Player):
    """Plays, explains, marks and records."""

    recording = recording_sound = None
    has_sound = False
    kinds = frozenset({"model", "device"})

    def position(self, stream: str) -> int | None:  # noqa: ARG002
        return 0

    def mark(self, stream: str, at: int, text: str) -> None: ...

    def record(self, path: Path, sound: Path | None = None) -> None: ...

    def stop_recording(self) -> None: ...

    def choices(self, kind: str) -> None: ...

    def choose(self, kind: str, name: str) -> None: ...


def app() -> StreamSerApp:
    return screen(story(), controls=Everything())


async def test_the_palette_lists_each_thing_once_in_the_words_of_the_help() -> None:
    shown = app()
    async with shown.run_test() as pilot:
        await pilot.pause()
        commands = list(shown.get_system_commands(shown.screen))
        assert len({command.title for command in commands}) == len(commands) > 20
        assert len({command.help for command in commands}) == len(commands)
        words = [key.word for key in shown.keys_here()]
        assert [command.title.lower() for command in commands] == [word for word in words if word != "palette"]
        for key in shown.keys_here():
            assert key.does, key.word
        names = " ".join(key.names for key in shown.keys_here()).split()
        assert len(set(names)) == len(names), "no key stands for two things"


async def test_the_footer_has_the_words_of_the_help_and_room_at_80_columns() -> None:
    shown = app()
    async with shown.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        words = {key.word for key in shown.keys_here()}
        told = [binding.description for _, binding, _, _ in shown.screen.active_bindings.values() if binding.show]
        assert set(told) <= words
        footer = shown.screen.query_one(Footer)
        assert footer.virtual_size.width <= 80
        assert len(told) > 5


@pytest.mark.parametrize(("key", "page"), [("l", Health), ("question_mark", Help), ("p", ChoosePanels)])
async def test_a_page_is_called_what_its_key_is_called(key: str, page: type[Screen[None]]) -> None:
    shown = app()
    async with shown.run_test() as pilot:
        await pilot.pause()
        word = next(binding.description for _, binding, _, _ in bound(shown) if binding.key == key)
        await pilot.press(key)
        assert isinstance(shown.screen, page)
        assert shown.screen.query_one("#page").border_title == word
        assert word in [each.word for each in shown.keys_here()], "also while it is open"


def bound(shown: StreamSerApp) -> list[tuple[object, Binding, bool, str]]:
    return list(shown.screen.active_bindings.values())
