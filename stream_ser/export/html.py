"""A small picture of a trajectory for notebooks: SVG within HTML, made without any library for drawing.

Pure: the same messages give the same text. Colour never says anything alone: lines differ in their dashes, runs have their
label written in them, and the table below says all of it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from html import escape

from stream_ser.export.curves import Curves, Gatherer, Values
from stream_ser.export.plot import GROUNDS, clock_text, time_ticks
from stream_ser.export.segments import Outline, outline
from stream_ser.feed.message_types import Message
from stream_ser.label_colours import LIGHT
from stream_ser.types import SAMPLE_RATE

WIDTH, HEIGHT = 720, 190  # px
LEFT, RIGHT, TOP = 34, 8, 8
PLOT, STRIP = 110, 20  # heights of the lines and of the labels below them
BELOW = TOP + PLOT + 6  # where the labels begin
COLUMNS = 700  # values of a line at most: one a pixel
DASHES = ("", "8 3", "2 2", "8 3 2 3")


def html(messages: Iterable[Message]) -> str:
    """One stream as a piece of HTML: its heading, a picture, and how long which label held."""
    gatherer = Gatherer()
    told = outline(gatherer(messages))
    picture = "".join(_picture(told, gatherer.curves(COLUMNS)))
    return (
        f'<div style="font: 13px sans-serif"><div>{escape(told.heading)}, '
        f"{clock_text(round(told.length / SAMPLE_RATE, 1))} min</div>{picture}{_table(told)}</div>"
    )


def _picture(told: Outline, curves: Curves) -> Iterator[str]:
    length = max(told.length, 1) / SAMPLE_RATE
    words = escape(f"Probabilities over {length:.1f} s: {', '.join(told.hello['labels'])}")
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{words}" font-family="sans-serif" font-size="11" style="background:#fff">'
    )
    yield from _grounds(told, length)
    colours = LIGHT.of(told.hello["labels"])
    for place, (label, colour) in enumerate(colours.items()):
        look = f'fill="none" stroke="{colour}" stroke-dasharray="{DASHES[place % len(DASHES)]}"'
        yield _line(curves.seconds, curves.smoothed[label], length, f'{look} stroke-width="0.8" opacity="0.4"')
        yield _line(curves.seconds, curves.heard[label], length, f'{look} stroke-width="1.8"')
    yield from _labels(told, length, colours)
    yield from _axes(length)
    yield from _legend(colours)
    yield "</svg>"


def _grounds(told: Outline, length: float) -> Iterator[str]:
    for segment in told.segments:
        if segment.state in GROUNDS:
            colour, _, name = GROUNDS[segment.state]
            x, width = _span(segment.start, segment.end, length)
            yield (
                f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{PLOT}" fill="{colour}">'
                f"<title>{escape(name)}</title></rect>"
            )


def _line(seconds: Values, values: Values, length: float, look: str) -> str:
    """One line, broken where there is no value."""
    path, pen = [], "M"
    for at, value in zip(seconds.tolist(), values.tolist(), strict=True):
        if math.isnan(value):
            pen = "M"
            continue
        path.append(f"{pen}{_x(at, length):.1f} {TOP + PLOT * (1 - value):.1f}")
        if pen == "M":
            path.append("h.1")  # so that a lone value is seen
        pen = "L"
    return f'<path d="{"".join(path)}" {look} stroke-linecap="round"/>'


def _labels(told: Outline, length: float, colours: dict[str, str]) -> Iterator[str]:
    for segment in told.segments:
        if segment.label is None:
            continue
        x, width = _span(segment.start, segment.end, length)
        yield f'<rect x="{x:.1f}" y="{BELOW}" width="{width:.1f}" height="{STRIP}" fill="{colours[segment.label]}"/>'
        name = segment.label if width > 8 * len(segment.label) else segment.label[:1].upper()
        if width > 9:
            yield (
                f'<text x="{x + width / 2:.1f}" y="{BELOW + 14}" text-anchor="middle" stroke="#fff" stroke-width="3" '
                f'paint-order="stroke">{escape(name)}</text>'
            )


def _axes(length: float) -> Iterator[str]:
    for value, word in ((0.0, "0"), (0.5, "0.5"), (1.0, "1")):
        y = TOP + PLOT * (1 - value)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#8a8a8a" stroke-width="0.4"/>'
        yield f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{word}</text>'
    for tick in time_ticks(length):
        yield f'<text x="{_x(tick, length):.1f}" y="{BELOW + STRIP + 13}" text-anchor="middle">{clock_text(tick)}</text>'


def _legend(colours: dict[str, str]) -> Iterator[str]:
    x, y = float(LEFT), HEIGHT - 10
    for place, (label, colour) in enumerate(colours.items()):
        dash = DASHES[place % len(DASHES)]
        yield f'<path d="M{x:.0f} {y - 4}h24" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        yield f'<text x="{x + 28:.0f}" y="{y}">{escape(label)}</text>'
        x += 44 + 7 * len(label)


def _table(told: Outline) -> str:
    """How long each label and each state held, the longest first."""
    held: dict[str, int] = {}
    for segment in told.segments:
        held[segment.text] = held.get(segment.text, 0) + segment.end - segment.start
    rows = sorted(held.items(), key=lambda entry: -entry[1])
    cells = "".join(f"<td>{escape(text)} {samples / SAMPLE_RATE:.1f} s</td>" for text, samples in rows)
    return f"<table><tr>{cells}</tr></table>"


def _x(seconds: float, length: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, seconds / length)


def _span(start: int, end: int, length: float) -> tuple[float, float]:
    x = _x(start / SAMPLE_RATE, length)
    return x, _x(end / SAMPLE_RATE, length) - x
