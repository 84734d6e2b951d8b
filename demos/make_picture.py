"""Draw the README's picture: the screen at one moment of the bundled recording.

Run: python demos/make_picture.py [OUT.svg]. It takes as long as the recording, for its figures are those of real time.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.recording import open_recording
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end
from stream_ser.tui.app import make_app

HERE = Path(__file__).parent
RECORDING = bundled_recording()
PICTURE = HERE.parent / "docs" / "screen.svg"
MOMENT_S = 25.0  # a label is said, after others
SIZE = (110, 36)


class Played:
    """Messages up to a moment, as a screen takes them, and controls that control nothing."""

    paused = False

    def __init__(self, messages: list[dict[str, Any]], until_s: float) -> None:
        self.messages = [m for m in messages if m.get("t", 0.0) <= until_s and m["type"] != "end"]

    def drain(self) -> list[dict[str, Any]]:
        taken, self.messages = self.messages, []
        return taken

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def stop(self) -> None:
        self.messages = []


async def draw(messages: list[dict[str, Any]]) -> str:
    played = Played(messages, MOMENT_S)
    app = make_app(played, played, title="stream-ser", clock=lambda: 0.0, feed="ws://127.0.0.1:8765/v1/feed")
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.5)
        return app.export_screenshot(title="stream-ser replay conversation.flac")


def main(picture: Path, speed: float | None = 1.0) -> None:
    messages: list[dict[str, Any]] = []
    with Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(messages.append)
        run_to_end(runtime.session(open_recording(RECORDING, speed=speed), RECORDING.name), lambda: None)
    picture.write_text(asyncio.run(draw(messages)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
