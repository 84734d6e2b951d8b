"""Why: the newest window's spectrogram with the model's attention laid over it.

Owned by the Textual event loop. Two pixels a cell by half blocks; grey is sound, amber is where the model looked. Few fixed
shades, so that it reads with 16 colours too and neighbouring cells make long runs; the strongest place stands in words
below, so that it reads without colour. Drawn when another window is explained, not at the frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rich.style import Style

from stream_ser.tui.canvas import Panel, Row, ink, joined
from stream_ser.tui.palette import Palette, colours_of, mixed
from stream_ser.tui.state.explanation import Picture, Reason
from stream_ser.tui.state.stream_state import ScreenState, clock_text

GUTTER = 7  # columns for frequencies
ROWS_ROUND = 4  # two lines above the picture, two below
TICKS_HZ = (100, 250, 500, 1000, 2000, 4000, 8000)
TICK_COLUMNS = 9  # the least distance between two times
LEVELS = 5  # shades of sound
SOME, MUCH = 0.2, 0.5  # strength from which a cell is lit, and from which it is lit fully
BARS = " ▁▂▃▄▅▆▇█"
SAID = {
    "bottom_up": "bottom-up: where the model looks",
    "top_down": "top-down: what speaks for {of}",
    "attention": "attention: what weighs more",
}
ALONE = "the sound alone"
NONE = "this model has no attention to show: the sound alone"


@dataclass(frozen=True, slots=True)
class WhyPicture:
    """What is explained, which of its maps is shown, and how old it is in whole seconds."""

    reason: Reason | None
    shown: Picture | None
    old_s: int
    past: bool  # whether another moment is looked at, of which nothing is known any more
    labels: tuple[str, ...]
    several: bool  # whether there is another map to go on to


class Why(Panel[WhyPicture]):
    """The picture; ``next_map`` goes on to the next map, and after the last to the sound alone."""

    def __init__(self, title: str = "", *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__(title, id=id)
        self._turns = 0

    def next_map(self) -> None:
        """Show the next map."""
        self._turns += 1

    def look(self, state: ScreenState, now: float) -> WhyPicture:  # noqa: ARG002 - it goes by samples
        """Choose the map."""
        reason = state.reason
        if reason is None or state.hello is None:
            return WhyPicture(None, None, 0, past=False, labels=state.labels, several=False)
        choices: list[Picture | None] = [*reason.maps, *([None] if reason.spectrogram else [])]
        shown = choices[self._turns % len(choices)] if choices else None
        newest = reason.end if state.point is None else state.point["end"]
        old_s = int((newest - reason.end) / state.hello["sample_rate"])
        return WhyPicture(reason, shown, old_s, state.window.at is not None, state.labels, several=len(choices) > 1)

    def draw(self, picture: WhyPicture, width: int, height: int) -> list[Row]:
        """Draw two lines, the picture, its time axis and where the strongest place is."""
        reason, muted = picture.reason, ink(self.palette.muted)
        if reason is None:
            return [[], [("waiting for a window with speech", muted)]]
        columns, rows = max(1, width - GUTTER), max(1, height - ROWS_ROUND)
        return [
            self._headline(picture, reason),
            [(_said(picture), muted if picture.shown is None else ink(_shades(self.palette)[-1]))],
            *self._field(reason, picture.shown, columns, rows),
            [(" " * GUTTER + _axis(reason, columns), muted)],
            [(_below(picture, reason), muted)],
        ]

    def _headline(self, picture: WhyPicture, reason: Reason) -> Row:
        """Say what the window is, and what its point says."""
        span = f"{clock_text(reason.begin_s)}-{clock_text(reason.end_s)}"
        old = f", {picture.old_s} s ago" if picture.old_s else ""
        old = ", the newest: others are not kept" if picture.past else old
        if reason.label is None:
            return [(reason.state, ink(self.palette.text, bold=True)), (f"  {span}{old}", ink(self.palette.muted))]
        colour = colours_of(self.palette, picture.labels).get(reason.label, self.palette.text)
        sure = f" {100 * reason.confidence:.0f} %"
        return [(f"{reason.label}{sure}", ink(colour, bold=True)), (f"  {span}{old}", ink(self.palette.muted))]

    def _field(self, reason: Reason, shown: Picture | None, columns: int, rows: int) -> list[Row]:
        """Draw the pixels; a map of time alone is a row of bars below them."""
        bars = shown is not None and shown.edges_hz is None
        rows = max(1, rows - bars)
        hz, seconds = reason.rows_hz(2 * rows), reason.columns_s(columns)
        codes = _codes(reason, None if bars else shown, hz, seconds)
        shades, muted = _shades(self.palette), ink(self.palette.muted)
        result: list[Row] = []
        for row, name in enumerate(_frequencies(hz, rows)):
            pairs = zip(codes[2 * row].tolist(), codes[2 * row + 1].tolist(), strict=True)
            cells = joined(("▀", _half(shades[above], shades[below])) for above, below in pairs)
            result.append([(f"{name:>{GUTTER - 1}} ", muted), *cells])
        if shown is not None and bars:
            levels = np.ceil(shown.sampled(hz[:1], seconds)[0] * (len(BARS) - 1)).astype(int)
            lit = ink(_shades(self.palette)[-1])
            result.append([(f"{'weight':>{GUTTER - 1}} ", muted), ("".join(BARS[level] for level in levels), lit)])
        return result


def _codes(
    reason: Reason, shown: Picture | None, hz: npt.NDArray[np.float32], seconds: npt.NDArray[np.float32]
) -> npt.NDArray[np.intp]:
    """The shade of each pixel (rows, columns): of sound, plus ``LEVELS`` where it is lit, twice that where fully."""
    strength = np.zeros((len(hz), len(seconds)), np.float32) if shown is None else shown.sampled(hz, seconds)
    if reason.spectrogram is None:  # attention alone: the stronger the brighter
        levels = np.ceil(strength * (LEVELS - 1)).astype(np.intp)
        return np.where(levels > 0, levels + 2 * LEVELS, 0)
    levels = np.rint(reason.spectrogram.sampled(hz, seconds) * (LEVELS - 1)).astype(np.intp)
    return levels + LEVELS * ((strength >= SOME).astype(np.intp) + (strength >= MUCH))


def _said(picture: WhyPicture) -> str:
    """Say what is shown."""
    if picture.shown is None:
        return ALONE if picture.several else NONE
    return SAID[picture.shown.name].format(of=picture.shown.of)


def _below(picture: WhyPicture, reason: Reason) -> str:
    """Say where the strongest place is, and the keys."""
    keys = "W next map" if picture.several else ""
    if picture.shown is None:
        return keys
    if picture.shown.of is not None and float(picture.shown.values.max()) <= 0.0:
        return f"nothing speaks for {picture.shown.of}  {keys}"
    at_s, hz = picture.shown.peak()
    place = "" if hz is None else f", {round(hz, -1):.0f} Hz"
    return f"most at {clock_text(reason.begin_s + at_s)}{place}  {keys}"


def _frequencies(hz: npt.NDArray[np.float32], rows: int) -> list[str]:
    """A name for each row in which a round frequency lies, as far as they do not crowd."""
    names, last = [""] * rows, -2
    for tick in reversed(TICKS_HZ):
        row = int(np.argmin(np.abs(np.log2(np.maximum(hz, 1.0) / tick)))) // 2
        if row >= last + 2:
            names[row], last = (f"{tick // 1000} kHz" if tick >= 1000 else f"{tick} Hz"), row
    return names


def _axis(reason: Reason, columns: int) -> str:
    """Round times under the columns in which they lie."""
    axis, length = [" "] * columns, reason.end_s - reason.begin_s
    step = next((step for step in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0) if step / length * columns >= TICK_COLUMNS), length)
    for number in range(int(np.ceil(reason.begin_s / step - 1e-9)), int(reason.end_s / step + 1e-9) + 1):
        column = int((number * step - reason.begin_s) / length * columns)
        mark = f"╵{clock_text(number * step)}"
        if column + len(mark) <= columns:
            axis[column : column + len(mark)] = mark
    return "".join(axis)


@lru_cache(maxsize=4)
def _shades(palette: Palette) -> tuple[str, ...]:
    """Shades of sound from silent to loud, the same where some attention lies on it, and where much does."""
    grey = [mixed(palette.ground, palette.text, share) for share in (0.0, 0.2, 0.42, 0.68, 1.0)]
    some = [mixed(one, other, 0.6) for one, other in zip(grey, palette.heat, strict=True)]
    return (*grey, *some, *palette.heat)


@lru_cache(maxsize=2 * (3 * LEVELS) ** 2)
def _half(above: str, below: str) -> Style:
    return Style(color=above, bgcolor=below)
