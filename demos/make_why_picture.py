"""Draw the picture of docs/why.md: what TF-CNN looked at, at one moment of the bundled recording.

Run: python -m demos.make_why_picture [OUT.svg]. It plays the recording up to that moment in real time.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from demos.make_picture import Played
from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.recording import open_recording
from stream_ser.controls.explanations import Reasons
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.tui.app import make_app

HERE = Path(__file__).parent
RECORDING = bundled_recording()
PICTURE = HERE.parent / "docs" / "why.svg"
MODEL, MOMENT_S, SIZE = "tfcnn-attention", 16.0, (140, 36)
Messages = list[dict[str, Any]]


class Heard(Played):
    """Everything up to the moment, and what the newest point of it rests on."""

    def __init__(self, messages: Messages, reason: dict[str, Any]) -> None:
        super().__init__(messages, reason["t"])
        self.answers, self.asked = [reason], False

    def ask_why(self, stream: str | None) -> None:
        self.asked = stream is not None

    def reasons(self) -> Messages:
        taken, self.answers = (self.answers, []) if self.asked else ([], self.answers)
        return taken


async def draw(heard: Heard) -> str:
    app = make_app(heard, heard, title="stream-ser", clock=lambda: 0.0)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.5)
        await pilot.press("w")
        await pilot.pause(0.5)
        return app.export_screenshot(title=f"stream-ser replay conversation.flac --model {MODEL}")


def main(picture: Path, speed: float = 1.0) -> None:
    messages: Messages = []
    found: Messages = []
    with Runtime(Options(model=MODEL, feed="off")) as runtime:
        runtime.hub.attach(messages.append)
        asking = Reasons(runtime.hub)
        asking.ask_why(RECORDING.name)
        session = runtime.session(open_recording(RECORDING, speed=speed), RECORDING.name)
        session.start()
        while not session.wait(0.01) and (not found or found[-1]["t"] < MOMENT_S):
            found += asking.reasons()
        session.stop()
    picture.write_text(asyncio.run(draw(Heard(messages, found[-1]))), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
