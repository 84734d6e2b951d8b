"""The sound itself: level and peak in dBFS, clipping, and whether speech is heard.

Owned by the Textual event loop. Levels are those of the newest hop, as the wire gives them.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.tui.canvas import Panel, Row, ink, joined
from stream_ser.tui.state.stream_state import CLIPPING_DBFS, ScreenState

FLOOR_DBFS = -60.0
LOUD_DBFS = -6.0  # from here on the bar warns
NAME = 6  # columns for the rows' names
READOUT = 12
SCALE_COLUMNS = 24  # from here on the scale has four numbers


@dataclass(frozen=True, slots=True)
class MeterPicture:
    """Level and peak in dBFS, None before the first point; ``vad`` None where it is not known."""

    level: float | None
    peak: float | None
    clipping: bool
    vad: bool | None
    speech_s: float
    window_s: float


class Meter(Panel[MeterPicture]):
    """Level meter, peak, clipping mark and the lamp of the voice activity detector."""

    def look(self, state: ScreenState, now: float) -> MeterPicture:
        """Take the moment's levels; an old level is not shown as if it were the present one."""
        moment, hello = state.moment(now), state.hello
        window_s = hello["window"] / hello["sample_rate"] if hello else 0.0
        clipping = state.clipping if moment.live else moment.peak is not None and moment.peak >= CLIPPING_DBFS
        if moment.level is None or moment.peak is None:
            return MeterPicture(None, None, clipping, None, 0.0, window_s)
        level, peak = round(moment.level, 1), round(moment.peak, 1)
        return MeterPicture(level, peak, clipping, moment.vad, moment.speech_s, window_s)

    def draw(self, picture: MeterPicture, width: int, height: int) -> list[Row]:
        """Draw bar, scale, peak and lamp; where there are only three rows, no scale."""
        palette = self.palette
        muted, text = ink(palette.muted), ink(palette.text, bold=True)
        length = max(10, width - NAME - READOUT)
        peak: Row = [("peak  ", muted), (_decibels(picture.peak), text)]
        if picture.clipping:
            peak += [("  ", muted), (" CLIPPING ", ink(palette.ground, palette.error, bold=True))]
        return [
            [("level ", muted), *self._bar(picture, length), (f"{_decibels(picture.level):>{READOUT}}", text)],
            *([[(" " * NAME + _scale(length), muted)]] if height > 3 else []),
            peak,
            [("voice ", muted), *self._lamp(picture)],
        ]

    def _bar(self, picture: MeterPicture, length: int) -> Row:
        palette = self.palette
        filled = 0 if picture.level is None else round(_place(picture.level) * length)
        loud = round(_place(LOUD_DBFS) * length)
        cells = [
            ("█", ink(palette.warning if i >= loud else palette.good)) if i < filled else ("·", ink(palette.frame))
            for i in range(length)
        ]
        if picture.peak is not None and picture.peak > FLOOR_DBFS:
            at = min(length - 1, int(_place(picture.peak) * length))
            cells[at] = ("│", ink(palette.error if picture.clipping else palette.text, bold=True))
        return joined(cells)

    def _lamp(self, picture: MeterPicture) -> Row:
        palette = self.palette
        heard = f"  {picture.speech_s:.1f} of {picture.window_s:g} s"
        if picture.vad is None:
            return [("–", ink(palette.muted))]
        if picture.vad:
            return [("● speech", ink(palette.good, bold=True)), (heard, ink(palette.muted))]
        return [("○ no speech", ink(palette.text)), (heard, ink(palette.muted))]


def _place(dbfs: float) -> float:
    """Where a level lies on the meter, 0 … 1."""
    return min(1.0, max(0.0, 1.0 - dbfs / FLOOR_DBFS))


def _scale(length: int) -> str:
    """Write the decibels under the meter, each number ending where its level is."""
    scale = [" "] * length
    for dbfs in (-60, -40, -20, 0) if length >= SCALE_COLUMNS else (-60, -30, 0):
        text = str(dbfs)
        at = min(length - len(text), max(0, round(_place(dbfs) * length) - (0 if dbfs == FLOOR_DBFS else len(text))))
        scale[at : at + len(text)] = text
    return "".join(scale)


def _decibels(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} dBFS"
