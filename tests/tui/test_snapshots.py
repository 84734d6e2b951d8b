"""Pictures of the screen. Look at a change before accepting it: ``pytest tests/tui --snapshot-update``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from stream_ser.tui.app import StreamSerApp
from tests.tui.test_drawing import SITUATIONS
from tests.tui.wire import Message, alert, gap, hello, rated, screen, story

Compare = Callable[..., bool]


async def settled(pilot: Pilot[None]) -> None:
    """The first frame is drawn, and the panels have taken their heights."""
    await pilot.pause()
    assert isinstance(pilot.app, StreamSerApp)
    pilot.app.frame()
    await pilot.pause()


SIZES = pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=["80x24", "140x45"])
MORE: dict[str, list[Message]] = {
    "alert": [*story(), alert(), alert("cleared", id="b", rule="tense", at=200_000, end=190_000, reason="below")],
    "plane": rated(story()),
    "fall-back": [
        hello(
            passed_over=[
                {"engine": "cuda-graph", "reason": "no CUDA device (no NVIDIA driver)"},
                {"engine": "onnx-cuda", "reason": "onnxruntime has no CUDA provider"},
            ]
        ),
        *story()[1:],
    ],
}


@SIZES
@pytest.mark.parametrize("situation", ["warming", "speech", "silence", "gap", "uncertain", "ended", *MORE])
def test_screen(snap_compare: Compare, situation: str, size: tuple[int, int]) -> None:
    messages = MORE.get(situation) or SITUATIONS[situation]
    assert snap_compare(screen(messages), terminal_size=size, run_before=settled)


@SIZES
def test_scrubbed_back(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def scrubbed(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("pageup", *["left"] * 4)
        await pilot.pause()

    assert snap_compare(screen([*story(), gap(480_000, 495_000)]), terminal_size=size, run_before=scrubbed)


@pytest.mark.parametrize("presses", [1, 2], ids=["light", "contrast"])
def test_themes(snap_compare: Compare, presses: int) -> None:
    messages = rated([*story(), gap(480_000, 488_000), alert()])
    assert snap_compare(screen(messages), press=["t"] * presses, terminal_size=(140, 45), run_before=settled)


def test_help(snap_compare: Compare) -> None:
    async def opened(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()

    assert snap_compare(screen(story()), run_before=opened)
