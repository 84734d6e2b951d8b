"""Draw the picture of several recordings at once, parts of the bundled one, at one moment.

Run: python -m demos.make_grid_picture [OUT.svg]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import soundfile

from demos.make_picture import Played
from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.recording import open_recording
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end
from stream_ser.tui.app import make_app

PICTURE = Path(__file__).parent.parent / "docs" / "grid.svg"
PARTS_S = {"monday.wav": (3, 36), "tuesday.wav": (13, 38), "wednesday.wav": (12, 32), "thursday.wav": (20, 34)}
MOMENT_S = 12.5
SIZE = (110, 9)


class AllPlayed(Played):
    """Played as ``replay`` of several plays."""

    speed, whole, length_s, place_s = 2.0, True, 33.0, MOMENT_S

    def set_speed(self, speed: float) -> None:
        self.speed = speed

    def seek(self, to_s: float) -> None:
        self.place_s = to_s

    def skip(self, by_s: float) -> None:
        self.place_s += by_s


async def draw(messages: list[dict[str, Any]]) -> str:
    played = AllPlayed(messages, MOMENT_S)
    app = make_app(played, played, title="stream-ser", clock=lambda: 0.0, home=lambda app: app.grid())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.5)
        return app.export_screenshot(title="stream-ser replay *.wav --speed 2")


def main(picture: Path) -> None:
    messages: list[dict[str, Any]] = []
    sound, rate = soundfile.read(bundled_recording(), dtype="int16")
    with tempfile.TemporaryDirectory() as folder, Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(messages.append)
        for name, (begin, end) in PARTS_S.items():
            soundfile.write(Path(folder, name), sound[begin * rate : end * rate], rate)
            run_to_end(runtime.session(open_recording(Path(folder, name), speed=None), name), lambda: None)
    picture.write_text(asyncio.run(draw(messages)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
