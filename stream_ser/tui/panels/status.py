"""The lines around the picture: where the sound comes from, how fast the answers are, what went wrong last.

Owned by the Textual event loop.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.feed.message_types import Level, SourceMessage
from stream_ser.tui.canvas import Panel, Row, ink
from stream_ser.tui.state.notices import ScreenNotice
from stream_ser.tui.state.stream_state import ScreenState, clock_text

COLUMN = 20  # where the second thing of a row begins, at least


WAY_BACK = "‹ esc all streams"


@dataclass(frozen=True, slots=True)
class HeaderPicture:
    """The first line: the way back, the stream, its source and the place in it."""

    way_back: bool
    source: str
    name: str
    place: str


class Header(Panel[HeaderPicture]):
    """Title at the left, and the way back where there is one; stream, source and position at the right."""

    framed = False

    def __init__(self, heading: str, *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__(id=id)
        self._heading = heading
        self.way_back = False  # whether there is a screen to go back to

    def look(self, state: ScreenState, now: float) -> HeaderPicture:
        """Say what is heard, and how far."""
        if state.hello is None:
            return HeaderPicture(self.way_back, "", "", "")
        source, moment, stream = state.hello["source"], state.moment(now), state.hello["stream"]
        place = clock_text(moment.t)
        if not moment.live:
            place = f"◀ {place}"
        if source["duration_s"] is not None:
            place += f" / {clock_text(source['duration_s'])}"
        told = f"{source['kind']} {source['name']}"
        name = told if stream in (source["name"], source["kind"]) else f"{stream}  {told}"
        return HeaderPicture(self.way_back, _sound(source), name, place)

    def draw(self, picture: HeaderPicture, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row; a long name is cut, how the sound comes goes first, the position and the way back never do."""
        palette = self.palette
        heading = WAY_BACK if picture.way_back else self._heading
        place = f"   {picture.place}" if picture.name else ""
        fixed = len(heading) + len(place) + 2
        source = f"  {picture.source}" if picture.name else ""
        source = source if fixed + len(source) + min(len(picture.name), width // 3) <= width else ""
        room = max(0, width - fixed - len(source))
        name = picture.name if len(picture.name) <= room else picture.name[: max(0, room - 1)] + "…"
        space = " " * max(0, width - len(heading) - len(source) - len(place) - len(name))
        return [
            [
                (heading, ink(palette.text, bold=True)),
                (space + name, ink(palette.text)),
                (source, ink(palette.muted)),
                (place, ink(palette.text, bold=True)),
            ]
        ]


@dataclass(frozen=True, slots=True)
class StatusPicture:
    """Latency in ms, as text, and what computes it."""

    compute: str
    age: str
    lag: str
    engine: str
    lost: int


class StatusPanel(Panel[StatusPicture]):
    """Latency, lag and engine; in the frame the model and the feed's address."""

    def __init__(self, title: str, feed: str | None, *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__(title, id=id)
        self._heading = title
        self.subtitle = feed or "no feed"

    def look(self, state: ScreenState, now: float) -> StatusPicture:  # noqa: ARG002 - the same at any time
        """Take quantiles over the last minute of points."""
        hello, point = state.hello, state.point
        if hello is not None:
            self.title = f"{self._heading} of {hello['model']['name']}  {hello['model']['digest'][:8]}"
        return StatusPicture(
            compute=_milliseconds(state.compute.at(0.5)),
            age=_milliseconds(state.age.at(0.95)),
            lag=_milliseconds(point["ledger"]["lag_ms"] if point else None),
            engine=hello["engine"] if hello else "–",
            lost=state.lost,
        )

    def draw(self, picture: StatusPicture, width: int, height: int) -> list[Row]:
        """Draw two things a row where rows are few; the rest is told on the page of health."""
        muted, text = ink(self.palette.muted), ink(self.palette.text, bold=True)
        second = max(COLUMN, width // 2)

        def item(name: str, value: str) -> Row:
            return [(f"{name} ", muted), (value, text)]

        def pair(left: Row, right: Row) -> Row:
            used = sum(len(part) for part, _ in left)
            return [*left, (" " * max(2, second - used), muted), *right]

        lag, engine = item("lag", picture.lag), item("engine", picture.engine)
        lost = item("lost", str(picture.lost)) if picture.lost else []
        first = pair(item("compute p50", picture.compute), item("age p95", picture.age))
        if height > 3:
            return [first, pair(lag, lost), engine]
        return [first, pair(lag, lost or [(picture.engine, text)])]


class NoticeLine(Panel[ScreenNotice]):
    """The newest notice, or the alert that stands where no panel shows it (``tells_alerts``)."""

    framed = False

    def __init__(self, *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__(id=id)
        self.tells_alerts = True

    def look(self, state: ScreenState, now: float) -> ScreenNotice:
        """Take the newest that still holds."""
        alert = state.alerts.newest_open if self.tells_alerts else None
        if alert is not None and state.hello is not None:
            since = clock_text(state.origin_s + alert.at / state.hello["sample_rate"])
            level: Level = "error" if alert.severity == "critical" else "warning"
            return ScreenNotice(level, f"▲ {alert.rule} since {since}, at most {alert.peak:.2f}")
        return state.notices.newest(now) or ScreenNotice("info", "")

    def draw(self, picture: ScreenNotice, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row that begins with the level, unless it is only information or an alert."""
        palette = self.palette
        colour = {"info": palette.muted, "warning": palette.warning, "error": palette.error}[picture.level]
        plain = picture.level == "info" or picture.text.startswith("▲")
        text = picture.text if plain else f"{picture.level}: {picture.text}"
        return [[(text if len(text) <= width else text[: width - 1] + "…", ink(colour, bold=picture.level == "error"))]]


def _sound(source: SourceMessage) -> str:
    channels = source["channels"]
    return (
        f"{source['rate'] / 1000:g} kHz, {'mono' if channels == 1 else 'stereo' if channels == 2 else f'{channels} ch'}"
    )


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"
