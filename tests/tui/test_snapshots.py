"""Pictures of the screen. Look at a change before accepting it: ``pytest tests/tui --snapshot-update``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.tui.test_drawing import SITUATIONS
from tests.tui.wire import screen, story

Compare = Callable[..., bool]


async def settled(pilot: Pilot[None]) -> None:
    """The first frame is drawn, and the panels have taken their heights."""
    await pilot.pause()
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=["80x24", "140x45"])
@pytest.mark.parametrize("situation", ["warming", "speech", "silence", "gap", "uncertain", "ended"])
def test_screen(snap_compare: Compare, situation: str, size: tuple[int, int]) -> None:
    assert snap_compare(screen(SITUATIONS[situation]), terminal_size=size, run_before=settled)


def test_light(snap_compare: Compare) -> None:
    assert snap_compare(screen(story()), press=["t"], run_before=settled)


def test_help(snap_compare: Compare) -> None:
    async def opened(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()

    assert snap_compare(screen(story()), run_before=opened)
