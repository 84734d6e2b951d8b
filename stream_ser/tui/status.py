"""The lines around the picture: where the sound comes from, how fast the answers are, what went wrong last.

Owned by the Textual event loop.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.tui.canvas import Canvas, Row, ink
from stream_ser.tui.view import Message, Notice, ScreenState, clock_text

COLUMN = 20  # where the second thing of a row begins, at least


@dataclass(frozen=True, slots=True)
class HeaderPicture:
    """The first line: source, its rate and the place in it."""

    source: str
    name: str
    place: str


class Header(Canvas[HeaderPicture]):
    """Title at the left; source and position at the right."""

    def __init__(self, heading: str, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._heading = heading

    def look(self, state: ScreenState, now: float) -> HeaderPicture:  # noqa: ARG002 - the same at any time
        """Say what is heard, and how far."""
        if state.hello is None:
            return HeaderPicture("", "", "")
        source = state.hello["source"]
        place = clock_text(source.get("offset_s", 0.0) + (state.point["t"] if state.point else 0.0))
        if source["duration_s"] is not None:
            place += f" / {clock_text(source['duration_s'])}"
        return HeaderPicture(_sound(source), f"{source['kind']} {source['name']}", place)

    def draw(self, picture: HeaderPicture, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row; a long source name is cut, the position never is."""
        palette = self.palette
        tail = f"  {picture.source}   {picture.place}" if picture.name else ""
        heading = self._heading[: max(0, width - len(tail) - 12)]
        room = max(0, width - len(heading) - len(tail) - 2)
        name = picture.name if len(picture.name) <= room else picture.name[: max(0, room - 1)] + "…"
        space = " " * max(0, width - len(heading) - len(tail) - len(name))
        return [
            [
                (heading, ink(palette.text, bold=True)),
                (space + name, ink(palette.text)),
                (f"  {picture.source}" if picture.name else "", ink(palette.muted)),
                (f"   {picture.place}" if picture.name else "", ink(palette.text, bold=True)),
            ]
        ]


@dataclass(frozen=True, slots=True)
class StatusPicture:
    """Latency in ms, as text, and what computes it."""

    compute: str
    age: str
    lag: str
    engine: str
    model: str
    lost: int


class Status(Canvas[StatusPicture]):
    """Latency, lag, engine, model and feed address."""

    def __init__(self, title: str, feed: str | None, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(title, id=id)
        self._feed = feed

    def look(self, state: ScreenState, now: float) -> StatusPicture:  # noqa: ARG002 - the same at any time
        """Take quantiles over the last minute of points."""
        hello, point = state.hello, state.point
        return StatusPicture(
            compute=_milliseconds(state.compute.at(0.5)),
            age=_milliseconds(state.age.at(0.95)),
            lag=_milliseconds(point["ledger"]["lag_ms"] if point else None),
            engine=hello["engine"] if hello else "–",
            model=f"{hello['model']['name']}  {hello['model']['digest'][:8]}" if hello else "–",
            lost=state.lost,
        )

    def draw(self, picture: StatusPicture, width: int, height: int) -> list[Row]:
        """Draw two things a row where rows are few, engine and model apart where there are five."""
        muted, text = ink(self.palette.muted), ink(self.palette.text, bold=True)
        second = max(COLUMN, width // 2)

        def item(name: str, value: str) -> Row:
            return [(f"{name} ", muted), (value, text)]

        def pair(left: Row, right: Row) -> Row:
            used = sum(len(part) for part, _ in left)
            return [*left, (" " * max(2, second - used), muted), *right]

        lag = item("lag", picture.lag)
        lost = item("lost", str(picture.lost)) if picture.lost else []
        times = pair(item("compute p50", picture.compute), item("age p95", picture.age))
        tail = [item("model", picture.model), item("feed", self._feed or "off")]
        if height > len(tail) + 2:
            return [times, pair(lag, lost), item("engine", picture.engine), *tail]
        return [times, pair(lag, lost or [(picture.engine, text)]), *tail]


class NoticeLine(Canvas[Notice]):
    """The newest notice, if any."""

    def look(self, state: ScreenState, now: float) -> Notice:  # noqa: ARG002 - the same at any time
        """Take the newest."""
        return state.notices[-1] if state.notices else Notice("info", "")

    def draw(self, picture: Notice, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row that begins with the level, unless it is only information."""
        palette = self.palette
        colour = {"info": palette.muted, "warning": palette.warning, "error": palette.error}[picture.level]
        text = picture.text if picture.level == "info" else f"{picture.level}: {picture.text}"
        return [[(text if len(text) <= width else text[: width - 1] + "…", ink(colour, bold=picture.level == "error"))]]


def _sound(source: Message) -> str:
    channels = source["channels"]
    return (
        f"{source['rate'] / 1000:g} kHz, {'mono' if channels == 1 else 'stereo' if channels == 2 else f'{channels} ch'}"
    )


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"
