"""A picture of a whole trajectory, PNG or SVG: probabilities over time, what they rest on, and dimensions below.

matplotlib is imported when a picture is drawn, so nobody else needs it. No display and no global state of it is used; the
same messages give the same picture. Colour never says anything alone: lines differ in their dashes, states in hatching.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from stream_ser.errors import ConfigError
from stream_ser.export.curves import Curves, Gatherer
from stream_ser.export.segments import GAP, Outline, outline
from stream_ser.feed.message_types import Message
from stream_ser.label_colours import LIGHT
from stream_ser.types import SAMPLE_RATE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ("-", (0, (6, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
# What is behind the lines, by state: ground, hatching, and what the legend calls it.
GROUNDS = {
    "silence": ("#e4e6e8", None, "silence"),
    "warming": ("#f1f1ea", "..", "warming up"),
    "uncertain": ("#fbf3dc", None, "uncertain: no label"),
    "stale": ("#ead9d9", "//", "stale: no result"),
    "paused": ("#dcdcec", "--", "paused"),
    GAP: ("#c9b3b3", "xx", "sound is missing"),
}
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "stream-ser",  # else the names within a drawing differ from run to run
    "svg.fonttype": "none",
    "font.size": 10,
    "text.parse_math": False,  # a name may have dollars in it
    "hatch.linewidth": 0.5,
    "hatch.color": "#8a8a8a",
}


def png(messages: Iterable[Message]) -> Iterator[bytes]:
    """The picture of one stream as PNG, 150 dots an inch. Raises ConfigError where matplotlib is missing."""
    yield _draw(messages, "png", {"Software": "stream-ser"})


def svg(messages: Iterable[Message]) -> Iterator[bytes]:
    """The picture of one stream as SVG, its words as text. Raises ConfigError where matplotlib is missing."""
    yield _draw(messages, "svg", {"Date": None, "Creator": "stream-ser"})


def needed() -> None:
    """Raises ConfigError where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise ConfigError(
            "pictures need matplotlib, which is not installed", fix="pip install 'stream-ser[plot]', or choose CSV"
        )


def figure(messages: Iterable[Message]) -> Figure:
    """The picture of one stream as matplotlib's figure, 12 inches wide. Raises ConfigError where matplotlib is missing."""
    needed()
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        return _compose(messages)


def _draw(messages: Iterable[Message], kind: str, metadata: dict[str, str | None]) -> bytes:
    needed()
    import matplotlib as mpl

    drawn = io.BytesIO()
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the font lacks are drawn as boxes
        _compose(messages).savefig(drawn, format=kind, dpi=150, metadata=metadata)
    return drawn.getvalue()


def _compose(messages: Iterable[Message]) -> Figure:
    from matplotlib.figure import Figure

    gatherer = Gatherer()
    told = outline(gatherer(messages))
    curves = gatherer.curves()
    rows = [6.0, 0.5] + [2.2] * bool(curves.dimensions)
    composed = Figure(figsize=(12, 0.65 * sum(rows) + 0.9), layout="constrained")
    panels: list[Axes] = composed.subplots(len(rows), sharex=True, height_ratios=rows, squeeze=False)[:, 0].tolist()
    _probabilities(panels[0], told, curves)
    _labels(panels[1], told)
    if curves.dimensions:
        _dimensions(panels[2], told, curves)
    length = max(told.length, 1) / SAMPLE_RATE
    panels[-1].set_xlim(0, length)
    panels[-1].set_xticks(time_ticks(length))
    panels[-1].set_xlabel("time, min:s")
    panels[-1].xaxis.set_major_formatter(lambda value, _: clock_text(value))
    return composed


def _probabilities(panel: Axes, told: Outline, curves: Curves) -> None:
    hello = told.hello
    grounds = _grounds(panel, told)
    colours = LIGHT.of(hello["labels"])
    lines = []
    few = "." if len(curves.seconds) <= 400 else ""  # else a lone point between silences would not be seen
    for place, label in enumerate(hello["labels"]):
        style: dict[str, Any] = {"color": colours[label], "linestyle": DASHES[place % len(DASHES)]}
        panel.plot(curves.seconds, curves.smoothed[label], linewidth=0.8, alpha=0.35, **style)
        lines += panel.plot(curves.seconds, curves.heard[label], linewidth=2.0, marker=few, markersize=4, label=label,
                            **style)  # fmt: skip
    lines += panel.plot([], [], color="#8a8a8a", linewidth=0.8, label="thin: model not asked")
    for alert in told.alerts:
        panel.axvline(alert.at / SAMPLE_RATE, color="#b3140f", linewidth=1.2)
        top = (alert.at / SAMPLE_RATE, 1.0)
        panel.annotate(f"▲ {alert.text}", top, (3, -3), textcoords="offset points", va="top", color="#b3140f",
                       fontsize=8)  # fmt: skip
    for mark in told.marks:
        panel.axvline(mark.at / SAMPLE_RATE, color="#3a3a3a", linewidth=1.0, linestyle=(0, (1, 1)))
        panel.annotate(f"◆ {_short(mark.text, 40)}", (mark.at / SAMPLE_RATE, 0.0), (3, 3), textcoords="offset points",
                       color="#3a3a3a", fontsize=8)  # fmt: skip
    mean = f", means of {curves.each} points" if curves.each > 1 else ""
    panel.set_title(_short(f"{hello['stream']}: how it sounds to {hello['model']['name']}{mean}"), loc="left")  # fmt: skip
    panel.set_ylim(0, 1)
    panel.set_ylabel("probability, smoothed")
    panel.grid(axis="y", color="#ffffff", linewidth=0.8)
    panel.legend(handles=[*lines, *grounds], loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _labels(panel: Axes, told: Outline) -> None:
    """A strip with the label that was given at each time; empty where there was none."""
    colours = LIGHT.of(told.hello["labels"])
    _grounds(panel, told)
    for label, colour in colours.items():
        bars = [_span(s.start, s.end) for s in told.segments if s.label == label]
        panel.broken_barh(bars, (0, 1), facecolor=colour, edgecolor="none")
    for segment in told.segments:
        share = (segment.end - segment.start) / max(told.length, 1)
        if segment.label is not None and share > 0.008:
            middle = (segment.start + segment.end) / 2 / SAMPLE_RATE
            name = segment.label if share > 0.008 * len(segment.label) + 0.01 else segment.label[:1].upper()
            panel.text(middle, 0.5, name, ha="center", va="center", fontsize=9,
                       bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"})  # fmt: skip
    panel.set_ylim(0, 1)
    panel.set_yticks([])
    panel.set_ylabel("label", rotation=0, ha="right", va="center")


def _dimensions(panel: Axes, told: Outline, curves: Curves) -> None:
    _grounds(panel, told)
    panel.axhline(0, color="#8a8a8a", linewidth=0.8)
    lines = []
    for place, (name, values) in enumerate(curves.dimensions.items()):
        lines += panel.plot(curves.seconds, values, color=LIGHT.others[place % 4], linestyle=DASHES[place % len(DASHES)],
                            linewidth=1.6, label=name)  # fmt: skip
    panel.set_ylim(-1, 1)
    panel.set_ylabel("rated, −1 to 1")
    panel.legend(handles=lines, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _grounds(panel: Axes, told: Outline) -> list[Any]:
    """Shade what is not labelled speech; gives one sample of each for a legend."""
    found = []
    for state, (colour, hatch, name) in GROUNDS.items():
        spans = [_span(s.start, s.end) for s in told.segments if s.state == state]
        if spans:
            found.append(panel.broken_barh(spans, (-1, 2), facecolor=colour, hatch=hatch, linewidth=0, zorder=0.5,
                                           label=name))  # fmt: skip
    return found


def _span(start: int, end: int) -> tuple[float, float]:
    return start / SAMPLE_RATE, (end - start) / SAMPLE_RATE


def _short(text: str, longest: int = 110) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= longest else f"…{one_line[1 - longest :]}"


def time_ticks(length: float) -> list[float]:
    """Whole seconds, minutes or hours, at most a dozen of them."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600)
    step = next((step for step in steps if length <= 12 * step), 86_400 * max(1, length // (12 * 86_400)))
    return [number * step for number in range(int(length / step) + 1)]


def clock_text(seconds: float) -> str:
    """Minutes and seconds, with tenths where there are any."""
    tenths = round(10 * seconds)
    rest = f".{tenths % 10}" if tenths % 10 else ""
    return f"{tenths // 600}:{tenths // 10 % 60:02}{rest}"
