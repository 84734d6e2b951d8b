"""Take a picture of the supervisor's page: a call server with four calls, all of them the bundled recording from other places.

Run: python -m demos.make_wall_picture [OUT.png]. It takes half a minute, for calls come as they are spoken, and needs
Chromium, ``pip install playwright`` and what ``stream-ser serve`` needs.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

import soundfile
from playwright.async_api import async_playwright
from websockets.asyncio.client import connect

from stream_ser.audio.bundled import bundled_recording
from stream_ser.load.server import server

PICTURE = Path(__file__).parent.parent / "docs" / "wall.png"
PIECE_S = 0.1
PATIENCE_S = 60.0
CALLS = (
    ("A. Ahlers", "billing", 18.5),
    ("B. Brandt", "billing", 20.5),
    ("C. Conti", "returns", 28.0),
    ("D. Diaz", "returns", 17.0),
)
RULE = """[[rule]]
name = "customer sounds sad"
severity = "warning"
when = [{ label = "sad", above = 0.5, clear_at = 0.3 }]
for_s = 2
"""  # milder than the shipped ones: nobody in the recording is angry for long


async def call(url: str, caller: str, queue: str, begin_s: float) -> None:
    """Send the recording from that place on, round and round, until somebody ends it."""
    samples, rate = soundfile.read(bundled_recording(), dtype="int16")
    hello = {"type": "hello", "call": f"call-{caller[0]}", "role": "customer", "rate": rate, "channels": 1}
    hello |= {"encoding": "s16le", "consent": "given", "parameters": {"who": caller, "queue": queue}}
    async with connect(f"{url}/v1/audio", proxy=None) as line:
        await line.send(json.dumps(hello))
        await line.recv()
        piece, clock = round(PIECE_S * rate), asyncio.get_running_loop().time
        began, at, number = clock(), round(begin_s * rate), 0
        while True:
            await asyncio.sleep(began + number * PIECE_S - clock())
            await line.send(samples[at : at + piece].tobytes())
            at, number = (at + piece) % len(samples), number + 1


async def photograph(url: str) -> bytes:
    """The page when the first alert opens."""
    async with async_playwright() as driver, asyncio.TaskGroup() as calling:
        browser = await driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1100, "height": 800})
        await page.goto(url.replace("ws", "http", 1))
        calls = [calling.create_task(call(url, *each)) for each in CALLS]
        await page.locator("li.card[data-alert]").wait_for(timeout=1e3 * PATIENCE_S)
        await page.wait_for_timeout(1000)  # for the order to change, and the charts to be drawn
        taken = await page.screenshot(animations="disabled")
        await browser.close()
        for each in calls:
            each.cancel()
    return taken


def main(picture: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.toml").write_text(RULE, encoding="utf-8")
        more = ["--rules", str(folder / "rules.toml"), "--about-caller", "who", "--about-queue", "queue"]
        with server(folder, more) as running:
            picture.write_bytes(asyncio.run(photograph(running.url)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
