"""How many streams look, and the pages over them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from stream_ser.controls.session_file import RecordedSession
from stream_ser.tui.app import make_app
from tests.export import scene
from tests.tui.test_grid import Wall, alert
from tests.tui.test_snapshots import SIZES, Compare
from tests.tui.wire import HOP, Clock, Message, end, gap, hello, story


def crowd() -> list[Message]:
    """Fifty customers at different places of one story; some with alerts, one cut off, one over."""
    messages: list[Message] = []
    for number in range(50):
        own = [hello(role="customer"), *story(60 + number)[2:]]
        if number % 7 == 2:
            own.append(alert(severity="critical" if number % 2 else "warning"))
        if number % 9 == 4:
            own.append(gap((59 + number) * HOP, (61 + number) * HOP))
        if number == 6:
            own.append(end())
        messages += [{**message, "stream": f"call-{number:02}/customer"} for message in own]
    return messages


@SIZES
def test_many_streams(snap_compare: Compare, size: tuple[int, int]) -> None:
    wall = Wall(crowd())

    async def settled(pilot: Pilot[None]) -> None:
        await wall.after(pilot)
        await pilot.press("right", "down")
        await wall.after(pilot)

    assert snap_compare(wall.app, terminal_size=size, run_before=settled)


@pytest.mark.parametrize("keys", [("l",), ("g", "1", "colon", "2", "3")], ids=["health", "go-to"])
def test_pages(snap_compare: Compare, keys: tuple[str, ...], tmp_path: Path) -> None:
    clock = Clock()
    session = RecordedSession(scene.write(tmp_path / "session.jsonl", scene.stream("a")), clock=clock)
    session.seek(20.0)
    app = make_app(session, session, title="stream-ser", clock=clock)

    async def settled(pilot: Pilot[None]) -> None:
        app.frame()
        await pilot.press(*keys)
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=settled)
    session.close()
