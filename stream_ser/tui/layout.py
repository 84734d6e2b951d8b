"""Where the panels of a stream's screen lie, for every size.

Pure. In few rows the timeline comes first: a lane for every label, the letters and the times. Where there is more, bars
and meter have their comfort. The plane stands beside the timeline, the reason beside everything or, where there is no
room for both, in its place. In few rows the whole recording has the last one, while there is no notice. A panel that is
hidden leaves its room to the others. Below ``SMALLEST`` nothing but a line that says so is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.geometry import Region, Size

SMALLEST = Size(72, 21)  # cells of a screen, its footer included
TALL = 33  # rows from which panels are drawn with space between their rows
WIDE = 120  # columns from which alerts have a panel of their own beside the others
LEAST_PLANE = 20  # columns
WHY, BESIDE = 60, 140  # columns of the reason's panel, and of a screen that has room for it beside the usual 80
GREAT = Size(200, 58)  # from here on, the footer aside, everything there is to show is shown
GREAT_WHY = 0.32  # of the columns then


@dataclass(frozen=True, slots=True)
class Shape:
    """What there is to show: the number of labels, the panels that are not always there, and those that nobody wants."""

    labels: int
    dimensions: bool
    words: bool
    plane: bool
    alerts: bool
    why: bool
    notice: bool = True  # whether there is one to show
    hidden: frozenset[str] = frozenset()


def too_small(width: int, height: int) -> bool:
    """Whether a board of that size, to which the footer's row comes, has no room for the panels."""
    return width < SMALLEST.width or height + 1 < SMALLEST.height


def places(width: int, height: int, shape: Shape) -> dict[str, Region]:
    """The region of every panel that is shown, by its name, on ``width`` × ``height`` cells."""
    if too_small(width, height):
        return {"small": Region(0, 0, width, height)}
    tall = height >= TALL
    last = "notice" if tall or shape.notice or shape.why or "scrubber" in shape.hidden else "scrubber"
    result = {"header": Region(0, 0, width, 1), last: Region(0, height - 1, width, 1)}
    body = Region(0, 1, width, height - 2)
    if shape.why:
        if width < BESIDE:
            return result | {"why": body}
        why = max(WHY, round(GREAT_WHY * width)) if width >= GREAT.width else WHY
        result["why"] = Region(width - why, body.y, why, body.height)
        body = Region(0, body.y, width - why, body.height)
    return result | _stacked(body, shape, tall=tall)


def _stacked(body: Region, shape: Shape, *, tall: bool) -> dict[str, Region]:
    """The rows of panels, from the top; the middle one takes what the others leave."""
    hidden = shape.hidden
    below = ["meter", "status", "alerts"] if body.width >= WIDE else ["status", "alerts"]
    below = [name for name in (below if shape.alerts else ["meter", "status"]) if name not in hidden]
    lines = {"dimensions": int(shape.dimensions), "scrubber": 2 * tall, "words": int(shape.words)}
    single = {name: rows for name, rows in lines.items() if rows and name not in hidden}
    top, bottom = _heights(body.height - sum(single.values()), shape.labels, tall=tall)
    bottom = bottom if below else 0
    middle = {"timeline", *({"plane"} if shape.plane else ())} - hidden
    rest = body.height - bottom - sum(single.values())
    top = top if middle else rest
    result: dict[str, Region] = {}
    y = body.y

    def add(names: list[str], height: int) -> None:
        nonlocal y
        result.update(_beside(names, y, body.width, height))
        y += height

    add([name for name in ("headline", "bars") if name not in hidden], top)
    if "dimensions" in single:
        add(["dimensions"], single["dimensions"])
    if middle:
        plane = body.width if "timeline" not in middle else min(body.width // 3, max(LEAST_PLANE, 2 * (rest - top)))
        plane = plane if "plane" in middle else 0
        result["timeline"] = Region(0, y, body.width - plane, rest - top)
        result["plane"] = Region(body.width - plane, y, plane, rest - top)
        y += rest - top
    for name in ("scrubber", "words"):
        if name in single:
            add([name], single[name])
    add(below, bottom)
    return {name: region for name, region in result.items() if region.area}


def _heights(rows: int, labels: int, *, tall: bool) -> tuple[int, int]:
    """How high the uppermost and the lowest panels are."""
    labels = max(4, labels)
    if tall:
        return max(7, min(3 + 2 * labels, rows - 13)), 7
    top = max(7, min(labels + (3 if labels == 4 else 2), rows - 11))
    bottom = 6 if rows - top - 6 >= labels + 5 else 5
    return max(1, min(top, rows - bottom - 1)), max(1, min(bottom, rows - 2))


def _beside(names: list[str], y: int, width: int, height: int) -> dict[str, Region]:
    """Share out a row of panels; none for no names."""
    if not names:
        return {}
    edges = [width * index // len(names) for index in range(len(names) + 1)]
    return {
        name: Region(start, y, stop - start, height) for name, start, stop in zip(names, edges, edges[1:], strict=False)
    }
