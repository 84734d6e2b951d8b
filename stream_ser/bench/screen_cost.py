"""What the screen costs: CPU time and bytes to the terminal while points come at a steady rate.

    python -m stream_ser.bench.screen_cost [--points 10] [--seconds 20] [--size 140x45] [--streams 1] [--why]

The real screen runs in a process of its own on a pseudo-terminal of that size, with points made up for it, of several
streams on the grid; the first seconds, in which it starts, do not count. Nothing else is in that process: no sound, no
model. With ``--why`` what TF-CNN could have looked at is shown, from a made-up voice and maps. Needs Unix.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import numpy as np

from stream_ser.controls.explanations import REASONS_HZ
from stream_ser.feed import messages
from stream_ser.feed.message_types import ExplanationMessage, HelloMessage, PointMessage
from stream_ser.feed.messages import StreamInfo
from stream_ser.pipeline.explanation import Explanation
from stream_ser.tui.app import make_app
from stream_ser.types import SAMPLE_RATE, Observation, Point, Samples, SourceInfo, State, Timing
from stream_ser_models.card import find, read_card

LABELS = ("angry", "happy", "neutral", "sad")
DIMENSIONS = ("activation", "valence", "dominance")
START_S = 3.0  # not counted


class MadeUp:
    """A source of ``per_s`` points a second by the clock, from ``past_s`` seconds ago on; and controls of nothing.

    Each of the ``streams`` has as many, and each of them others.
    """

    paused = False

    def __init__(self, per_s: float, past_s: float, seconds: float, streams: int = 1) -> None:
        self._names = [f"made up {number}" for number in range(streams)]
        self._hop = round(SAMPLE_RATE / per_s)
        # Made beforehand: what it costs to make them up is not the screen's.
        last = round((past_s + seconds) * per_s)
        self._points = [[self._made_up(slot, number) for number in range(streams)] for slot in range(last + 1)]
        self._past_s, self._began = past_s, math.inf
        self._slot = self._told = -1
        self._asked = False
        self._card = read_card(find("tfcnn-attention"))
        self._voice = _voice()

    def ask_why(self, stream: str | None) -> None:
        """Answer from now on, or no more."""
        self._asked = stream is not None

    def reasons(self) -> list[ExplanationMessage]:
        """Return what the newest point could rest on."""
        if not self._asked or (self._slot - self._told) * self._hop < SAMPLE_RATE / REASONS_HZ:
            return []
        self._told = self._slot
        end = self._slot * self._hop
        info = _info(self._names[0], self._hop)
        belief = (0.7, 0.1, 0.1, 0.1)
        timing = Timing(0)
        point = Point(
            info.stream, end - 2 * SAMPLE_RATE, end, "speech", LABELS[0], 0.7, belief, belief, 1.6, -20.0, -8.0, timing
        )
        maps = np.stack([_spots(end / SAMPLE_RATE), _spots(end / SAMPLE_RATE + 7.0)])
        seen = Observation(info.stream, point.start, end, belief, maps[0], timing, None, maps[1])
        sound = self._voice[end % (2 * SAMPLE_RATE) :][: 2 * SAMPLE_RATE]
        return [Explanation(info, self._card, point, seen, sound).message(0, "spectrogram")]

    def drain(self) -> list[HelloMessage | PointMessage]:
        """Return the points that are due."""
        return list(self._due())

    def _due(self) -> Iterator[HelloMessage | PointMessage]:
        if self._slot < 0:
            self._slot, self._began = 0, time.monotonic() - self._past_s
            yield from (messages.hello(_info(name, self._hop)) for name in self._names)
        due = int((time.monotonic() - self._began) * SAMPLE_RATE) // self._hop
        while self._slot < min(due, len(self._points) - 1):
            self._slot += 1
            yield from self._points[self._slot]

    def _made_up(self, slot: int, number: int) -> PointMessage:
        own = _point(slot + 37 * number, self._hop)
        place: PointMessage = {
            **own,
            "stream": self._names[number],
            "end": slot * self._hop,
            "t": slot * self._hop / SAMPLE_RATE,
        }
        return place

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


def measure(
    per_s: float, seconds: float, columns: int, rows: int, streams: int = 1, why: bool = False
) -> dict[str, float]:
    """Run the screen; return its CPU in per cent of a core and the bytes a second that it sent to its terminal.

    Raises RuntimeError where the screen ends before that.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    told, tell = os.pipe()
    inside = [sys.executable, "-m", "stream_ser.bench.screen_cost", f"--points={per_s}", f"--seconds={seconds}"]
    inside += [f"--streams={streams}", *["--why"] * why]
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    screen = subprocess.Popen(
        [*inside, f"--inside={tell}"], stdin=theirs, stdout=theirs, stderr=theirs, pass_fds=(tell,), env=environment
    )
    os.close(theirs)
    os.close(tell)
    times: list[tuple[float, int]] = []
    while data := _read(ours):
        times.append((time.monotonic(), len(data)))
    screen.wait()
    os.close(ours)
    with os.fdopen(told) as answer:
        text = answer.read()
    if not text:
        raise RuntimeError(f"the screen ended with exit code {screen.returncode} before it was measured")
    result = json.loads(text)
    sent = sum(size for at, size in times if result["from"] <= at < result["to"])
    passed = result["to"] - result["from"]
    return {"cpu_percent": 100 * result["cpu_s"] / passed, "bytes_per_s": sent / passed}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side has closed
        return b""


def _inside(per_s: float, seconds: float, streams: int, tell: int, why: bool) -> None:
    """Run the screen on the terminal that this process has, and tell what it took."""
    source = MadeUp(per_s, 120.0 if streams == 1 else 10.0, 2 * START_S + seconds, streams)
    home = None if streams == 1 else lambda app: app.grid()
    app = make_app(source, source, title="stream-ser", feed="ws://127.0.0.1:8765/v1/feed", home=home, alone=True)
    marks: list[tuple[float, float]] = []

    def mark() -> None:
        marks.append((time.monotonic(), time.process_time()))

    def timed() -> None:
        if why:
            app.simulate_key("w")
        app.set_timer(START_S, mark)
        app.set_timer(START_S + seconds, mark)
        app.set_timer(START_S + seconds + 0.1, app.exit)

    app.call_later(timed)
    app.run()
    (begun, cpu_before), (ended, cpu_after) = marks
    os.write(tell, json.dumps({"from": begun, "to": ended, "cpu_s": cpu_after - cpu_before}).encode())


def _voice() -> Samples:
    """Four seconds of harmonics that rise and fall, in five syllables a second, over a quiet noise."""
    t = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    phase = 2 * np.pi * (150 * t + 20 * np.sin(2 * np.pi * 0.5 * t))
    tones = sum(np.sin(number * phase) / number for number in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * t) ** 2 - 0.2, 0.0, 1.0) * (t % 2 < 1.4)
    noise = 0.002 * np.random.default_rng(0).standard_normal(len(t))
    return np.asarray(0.1 * syllables * tones + noise, np.float32)


def _spots(at_s: float) -> Samples:
    """A map of TF-CNN's with three places that stand out and move."""
    y, x = np.indices((99, 49))
    places = [((17 * at_s) % 60, (23 * at_s) % 49), ((5 * at_s) % 40, (31 * at_s) % 49), (20.0, (13 * at_s) % 49)]
    return np.asarray(
        sum(np.exp(-(((y - row) / 6) ** 2) - ((x - column) / 3) ** 2) for row, column in places), np.float32
    )


def _info(stream: str, hop: int) -> StreamInfo:
    source = SourceInfo("microphone", "made up", 48_000, 1)
    return StreamInfo(stream, LABELS, 2 * SAMPLE_RATE, hop, "none", "0" * 8, "none", source, dimensions=DIMENSIONS)


def _point(slot: int, hop: int) -> PointMessage:
    """Speech that drifts, a pause now and then, and something new in every hop, as with a real voice."""
    turn = slot * hop / SAMPLE_RATE
    spoken = turn % 20 < 16
    wobble = (slot * 7919 % 101) / 500
    shares = [
        abs((turn / period) % 2 - 1) + 0.05 + wobble * (number % 2) for number, period in enumerate((5, 7, 11, 13))
    ]
    smoothed = dict(zip(LABELS, (share / sum(shares) for share in shares), strict=True))
    best = max(LABELS, key=lambda label: smoothed[label])
    values = [abs((turn / period) % 4 - 2) - 1 if spoken else None for period in (3, 4, 6)]
    state: State = ("speech" if smoothed[best] > 0.4 else "uncertain") if spoken else "silence"
    took = 1.0 + wobble  # ms
    return {
        "type": "point",
        "seq": 0,
        "stream": "made up",
        "start": max(0, slot * hop - 2 * SAMPLE_RATE),
        "end": slot * hop,
        "t": turn,
        "state": state,
        "label": best if spoken and smoothed[best] > 0.4 else None,
        "confidence": smoothed[best] if spoken else 0.0,
        "raw": {label: value if spoken else None for label, value in smoothed.items()},
        "smoothed": smoothed,
        "dimensions": dict(zip(DIMENSIONS, values, strict=True)),
        "text": None,
        "speech_s": 1.6 if spoken else 0.0,
        "level_dbfs": -20.0 - 40 * wobble,
        "peak_dbfs": -8.0 - 20 * wobble,
        "baseline_s": None,
        "concealed_ms": 0.0,
        "ledger": {
            "capture_ms": took,
            "wait_ms": took,
            "compute_ms": took,
            "smooth_ms": took,
            "publish_ms": took,
            "age_ms": took,
            "lag_ms": 5.0,
        },
    }


def main() -> None:
    """Measure, and print a line."""
    about = "Measure what the screen costs."
    parser = argparse.ArgumentParser(prog="python -m stream_ser.bench.screen_cost", description=about)
    parser.add_argument("--points", type=float, default=10.0, help="points a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to measure")
    parser.add_argument("--size", default="140x45", help="of the terminal: COLUMNSxROWS")
    parser.add_argument("--streams", type=int, default=1, help="several are shown as a grid")
    parser.add_argument(
        "--why", action="store_true", help="of one stream, with what each point rests on, as key w shows it"
    )
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside is not None:
        _inside(options.points, options.seconds, options.streams, options.inside, options.why)
        return
    columns, _, rows = options.size.partition("x")
    found = measure(options.points, options.seconds, int(columns), int(rows), options.streams, options.why)
    each = "" if options.streams == 1 else f" of each of {options.streams} streams"
    where = f"{options.points:g} points a second{each} at {options.size}{', with why' * options.why}"
    print(f"{where}: {found['cpu_percent']:.1f} % of a core, {found['bytes_per_s'] / 1000:.1f} kB a second")


if __name__ == "__main__":
    main()
