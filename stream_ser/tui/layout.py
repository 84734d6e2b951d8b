"""Where the panels of a stream's screen lie, for every size.

Pure. In few rows the timeline comes first: a lane for every label, the letters and the times. Where there is more, bars
and meter have their comfort. The plane stands beside the timeline, the reason beside everything or, where there is no
room for both, in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.geometry import Region

TALL = 33  # rows from which panels are drawn with space between their rows
WIDE = 120  # columns from which alerts have a panel of their own beside the others
LEAST_PLANE = 20  # columns
WHY, BESIDE = 60, 140  # columns of the reason's panel, and of a screen that has room for it beside the usual 80


@dataclass(frozen=True, slots=True)
class Shape:
    """What there is to show: the number of labels, and the panels that are not always there."""

    labels: int
    dimensions: bool
    words: bool
    plane: bool
    alerts: bool
    why: bool


def places(width: int, height: int, shape: Shape) -> dict[str, Region]:
    """The region of every panel that is shown, by its name, on ``width`` × ``height`` cells."""
    header, notice = Region(0, 0, width, 1), Region(0, height - 1, width, 1)
    result = {"header": header, "notice": notice}
    body = Region(0, 1, width, max(0, height - 2))
    if shape.why:
        if width < BESIDE:
            return result | {"why": body}
        result["why"] = Region(width - WHY, body.y, WHY, body.height)
        body = Region(0, body.y, width - WHY, body.height)
    top, bottom = _heights(body.height - shape.dimensions - shape.words, shape.labels, tall=height >= TALL)
    middle = body.height - top - bottom - shape.dimensions - shape.words
    y = body.y
    result |= _beside(["headline", "bars"], y, body.width, top)
    y += top
    if shape.dimensions:
        result["dimensions"] = Region(0, y, body.width, 1)
        y += 1
    plane = min(body.width // 3, max(LEAST_PLANE, 2 * middle)) if shape.plane else 0
    result["timeline"] = Region(0, y, body.width - plane, middle)
    if shape.plane:
        result["plane"] = Region(body.width - plane, y, plane, middle)
    y += middle
    if shape.words:
        result["words"] = Region(0, y, body.width, 1)
        y += 1
    if not shape.alerts:
        below = ["meter", "status"]
    else:
        below = ["meter", "status", "alerts"] if body.width >= WIDE else ["status", "alerts"]
    return result | _beside(below, y, body.width, bottom)


def _heights(rows: int, labels: int, *, tall: bool) -> tuple[int, int]:
    """How high the uppermost and the lowest panels are."""
    labels = max(4, labels)
    if tall:
        return max(7, min(3 + 2 * labels, rows - 13)), 7
    top = max(7, min(labels + (3 if labels == 4 else 2), rows - 11))
    bottom = 6 if rows - top - 6 >= labels + 5 else 5
    return max(1, min(top, rows - bottom - 1)), max(1, min(bottom, rows - 2))


def _beside(names: list[str], y: int, width: int, height: int) -> dict[str, Region]:
    """Share out a row of panels."""
    edges = [width * index // len(names) for index in range(len(names) + 1)]
    return {
        name: Region(start, y, stop - start, height) for name, start, stop in zip(names, edges, edges[1:], strict=False)
    }
