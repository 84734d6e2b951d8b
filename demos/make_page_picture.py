"""Take the page's picture: one stream at one moment of the bundled recording, as a browser shows it.

Run: python demos/make_page_picture.py [OUT.png]. It takes as long as the recording, for its figures are those of real time,
and needs Chromium and ``pip install playwright``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.recording import open_recording
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end

HERE = Path(__file__).parent
RECORDING = bundled_recording()
PICTURE = HERE.parent / "docs" / "page.png"
MOMENT_S = 25.0  # a label is said, after others


def listen(speed: float | None) -> list[dict[str, Any]]:
    """All messages of the recording up to the moment."""
    messages: list[dict[str, Any]] = []
    with Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(messages.append)
        run_to_end(runtime.session(open_recording(RECORDING, speed=speed), RECORDING.name), lambda: None)
    return [message for message in messages if message.get("t", 0.0) <= MOMENT_S and message["type"] != "end"]


def main(picture: Path, speed: float | None = 1.0) -> None:
    first, *others, last = listen(speed)
    hub = Hub()
    hub.publish(first)
    feed = FeedServer(hub, port=0)
    host, port = feed.start()
    program = shutil.which("chromium")  # None: the one that ``playwright install chromium`` brings
    try:
        with (
            sync_playwright() as driver,
            driver.chromium.launch(executable_path=program, args=["--no-sandbox"]) as browser,
        ):
            page = browser.new_page(viewport={"width": 1100, "height": 800})
            page.goto(f"http://{host}:{port}/#/stream/{RECORDING.name}")
            page.locator("article").wait_for()
            for message in (*others, last):
                hub.publish(message)
            page.get_by_text(f"at 0:{int(last['t']):02}").wait_for()
            page.locator("article:not([data-stale])").wait_for()
            picture.write_bytes(page.screenshot(animations="disabled"))
    finally:
        feed.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
