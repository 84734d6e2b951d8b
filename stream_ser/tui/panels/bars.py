"""One bar for each label: smoothed as a solid bar, raw as a mark on it. After the end, each label's share.

Owned by the Textual event loop. Bars have colour only while the stream gives or weighs a label; otherwise they are
muted, because they show what was and not what is.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style

from stream_ser.tui.canvas import Panel, Row, ink
from stream_ser.tui.palette import colours_of, letters_of
from stream_ser.tui.state.stream_state import ScreenState

NAME_WIDTH = 10  # longer labels are cut
WIDE = 56  # columns from which the raw probability is also written as a number
EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class BarsPicture:
    """What the bars show, in the labels' order: ``solid`` None where nothing is known, ``raw`` where no model ran."""

    labels: tuple[str, ...]
    solid: tuple[float, ...] | None
    raw: tuple[float, ...] | None
    live: bool
    ended: bool


class Bars(Panel[BarsPicture]):
    """Probabilities as bars."""

    def look(self, state: ScreenState, now: float) -> BarsPicture:
        """Take the moment's probabilities, or the shares of a stream that ended."""
        labels, moment = state.labels, state.moment(now)
        if moment.kind == "ended" and state.ended is not None:
            share = state.ended["summary"]["share"]
            return BarsPicture(labels, tuple(share.get(label, 0.0) for label in labels), None, True, True)
        return BarsPicture(labels, moment.smoothed, moment.raw, moment.spoken, False)

    def draw(self, picture: BarsPicture, width: int, height: int) -> list[Row]:
        """Draw a row for each label, spaced where there is room; without room, count the smallest instead."""
        shown = list(range(len(picture.labels)))
        if len(shown) > height:
            solid = picture.solid or (0.0,) * len(shown)
            shown = sorted(sorted(shown, key=lambda i: -solid[i])[: height - 1])
        rows: list[Row] = []
        spaced = 2 * len(shown) + 1 <= height
        for index in shown:
            rows.append(self._bar(picture, index, width))
            if spaced:
                rows.append([])
        hidden = len(picture.labels) - len(shown)
        muted = ink(self.palette.muted)
        if hidden:
            rows.append([(f"and {hidden} less likely", muted)])
        elif len(rows) < height:
            rows.append([("share of the points with a label" if picture.ended else "█ smoothed   │ raw", muted)])
        return rows

    def _bar(self, picture: BarsPicture, index: int, width: int) -> Row:
        palette = self.palette
        label, value = picture.labels[index], picture.solid[index] if picture.solid is not None else None
        colour = colours_of(palette, picture.labels)[label] if picture.live else palette.muted
        name_width = min(NAME_WIDTH, max(len(name) for name in picture.labels))
        head = f"{letters_of(picture.labels)[label]} {label[:name_width]:<{name_width}} "
        tail = f" {100 * value:3.0f} %" if value is not None else "   –  "
        raw = picture.raw[index] if picture.raw is not None else None
        note = ""
        if width >= WIDE and not picture.ended:
            note = f"  raw {100 * raw:3.0f} %" if raw is not None else " " * 11
        length = max(1, width - len(head) - len(tail) - len(note))
        bar = _bar(value or 0.0, raw, length, ink(colour), palette.frame, palette.ground, palette.text)
        return [(head, ink(colour, bold=True)), *bar, (tail, ink(palette.text, bold=True)), (note, ink(palette.muted))]


def _bar(
    value: float, raw: float | None, length: int, solid: Style, frame: str, ground: str, text: str
) -> list[tuple[str, Style]]:
    """Return runs of ``length`` cells: a solid bar to an eighth of a cell, a dotted rest, and a mark at ``raw``."""
    full, part = divmod(min(length * 8, round(value * length * 8)), 8)
    signs = "█" * full + EIGHTHS[part].strip()
    filled = len(signs)
    signs += "·" * (length - filled)
    dotted = ink(frame)
    if raw is None:
        return [(signs[:filled], solid), (signs[filled:], dotted)]
    at = min(length - 1, int(raw * length))
    mark = ("│", ink(ground, solid.color.name if solid.color else None) if at < full else ink(text))
    if at < filled:
        return [(signs[:at], solid), mark, (signs[at + 1 : filled], solid), (signs[filled:], dotted)]
    return [(signs[:filled], solid), (signs[filled:at], dotted), mark, (signs[at + 1 :], dotted)]
