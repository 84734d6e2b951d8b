"""``why`` messages for the screen's tests, the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream_ser.audio.spectrogram import BANDS, COLUMNS, edges
from stream_ser.feed.explanations import picture
from tests.tui.wire import HOP, RATE, WINDOW, Message, Switch


def formants() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A made-up voice: two syllables with a falling and a rising band, over a hum."""
    rows, columns = np.indices((BANDS, COLUMNS)).astype(np.float64)
    syllables = np.exp(-(((columns - 14) / 6) ** 2)) + np.exp(-(((columns - 36) / 7) ** 2))
    bands = np.exp(-(((rows - 7 - columns / 20) / 2) ** 2)) + 0.7 * np.exp(-(((rows - 20 + columns / 8) / 2.5) ** 2))
    hum = 0.45 * (rows < 2)
    return np.rint(255 * np.clip(0.2 + 0.7 * syllables * bands + hum, 0, 1)).astype(np.uint8)


def spot(rows: int, columns: int, row: float, column: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A map that is largest at one cell and falls off around it."""
    y, x = np.indices((rows, columns)).astype(np.float64)
    return np.rint(255 * np.exp(-(((y - row) / (rows / 8)) ** 2) - ((x - column) / (columns / 10)) ** 2)).astype(
        np.uint8
    )


def why(slot: int, state: str = "speech", label: str | None = "sad", kind: str = "two", sound: bool = True) -> Message:
    """What the point of hop ``slot`` rests on. ``kind`` of maps: two, time, none."""
    linear, span = [120.0 * row for row in range(34)], (0.02, 1.98)
    maps: dict[str, list[Message]] = {
        "two": [
            picture("bottom_up", None, spot(33, 49, 5, 14), linear, span, (0.0, 0.125)),
            picture("top_down", "sad", spot(33, 49, 20, 36), linear, span, (-2.0, 3.0)),
        ],
        "time": [picture("attention", None, spot(1, 50, 0, 36), None, (0.0, 2.0), (0.0, 0.25))],
        "none": [],
    }
    end = slot * HOP
    return {
        "type": "why",
        "seq": slot,
        "stream": "demo",
        "start": end - WINDOW,
        "end": end,
        "t": end / RATE,
        "state": state,
        "label": label if state == "speech" else None,
        "confidence": 0.62,
        "maps": maps[kind],
        "spectrogram": picture("spectrogram", None, formants(), edges(), (0.0, 2.0), (-100.0, 0.0)) if sound else None,
    }


class Explaining(Switch):
    """Controls that explain what the test gives them, once somebody asks."""

    def __init__(self, *answers: Message, **options: Any) -> None:
        super().__init__(**options)
        self.answers = list(answers)
        self.asked: list[str | None] = []

    def ask_why(self, stream: str | None) -> None:
        self.asked.append(stream)

    def reasons(self) -> list[Message]:
        if not self.asked or self.asked[-1] is None:
            return []
        taken, self.answers = self.answers, []
        return taken
