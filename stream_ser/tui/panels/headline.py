"""The label in large letters, calm enough to glance at, and one or two lines that say what it rests on.

Owned by the Textual event loop. The word is the last label that was given: it is held, dimmed, through pauses shorter than two
seconds, changes at most once a second (:mod:`stream_ser.tui.state.calm`), and all words have one size. Where there is none
to hold, a dash stands in its place. The state is a small badge in the frame, whatever the word.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.feed.message_types import EndMessage
from stream_ser.tui.canvas import Panel, Row, ink
from stream_ser.tui.glyphs import DOUBLE_ROWS, ROWS, large
from stream_ser.tui.palette import STATE_LETTERS, Inked, colours_of, dimmed
from stream_ser.tui.state.moment import Kind, Moment
from stream_ser.tui.state.stream_state import ScreenState, clock_text

DASH = "-"
SIGNS: dict[str, str] = {
    "speech": "●",
    "ended": "■",
    "waiting": "…",
    "unheard": "·",
}  # by kind; of others, their letters


@dataclass(frozen=True, slots=True)
class HeadlinePicture:
    """What the headline says. ``label`` is what it shows, ``fresh`` that it is said now; ``failed`` is an end by error."""

    kind: Kind
    label: str | None
    fresh: bool
    labels: tuple[str, ...]
    failed: bool
    first: str
    second: str


class Headline(Panel[HeadlinePicture]):
    """The label, large; below it the confidence and the reason."""

    def look(self, state: ScreenState, now: float) -> HeadlinePicture:
        """Choose the word and the lines, and the badge."""
        moment = state.moment(now)
        first, second = _lines(state, moment, now)
        failed = bool(moment.kind == "ended" and state.ended and state.ended["reason"] == "error")
        picture = HeadlinePicture(moment.kind, moment.shown, moment.fresh, state.labels, failed, first, second)
        self.badge = (f"{SIGNS.get(moment.kind) or _letter(moment.kind)} {moment.kind}", _inked(picture))
        return picture

    def draw(self, picture: HeadlinePicture, width: int, height: int) -> list[Row]:
        """Draw the word with letters of the size that every label fits in, otherwise in capitals."""
        palette, word = self.palette, picture.label or DASH
        colour = colours_of(palette, picture.labels).get(picture.label or "", palette.text)
        style = ink(colour if picture.fresh else dimmed(palette, colour), bold=True)
        words = (*picture.labels, word)
        double = height >= DOUBLE_ROWS + 3 and all(large(each, width, double=True) for each in words)
        single = all(large(each, width) for each in words)
        letters = (large(word, width, double=double) if double or single else None) or ["", word.upper(), ""]
        rows: list[Row] = [[(line, style)] for line in letters]
        rows += [[]] if len(letters) > ROWS else []
        rows.append([(picture.first, ink(palette.text, bold=True))])
        rows.append([(picture.second, ink(palette.muted))])
        above = max(0, (height - len(rows)) // 2)
        return [[] for _ in range(above)] + rows


def _letter(kind: str) -> str:
    return next(letter for mark, letter in STATE_LETTERS.items() if mark == kind)


def _inked(picture: HeadlinePicture) -> Inked:
    """How the badge is drawn."""
    if picture.failed:
        return "error"
    if picture.kind == "speech":
        return "good"
    return "warning" if picture.kind in ("stale", "paused", "gap", "missing") else "text"


def _lines(state: ScreenState, moment: Moment, now: float) -> tuple[str, str]:
    """Say what the word rests on, in two lines of at most 36 characters where the values allow it."""
    if moment.back_s is not None:
        where = f"{abs(moment.back_s):.1f} s {'back' if moment.back_s >= 0 else 'ahead'}"
        return _reason(state, moment), f"{where}; end returns to live"
    kind = moment.kind
    if kind == "ended" and state.ended is not None:
        return _summary(state.ended, state.offset_s)
    if kind == "paused":
        return "press space to go on", ""
    if kind == "waiting":
        return "no result yet", "the source or the model is starting"
    heard = f"{moment.speech_s:.1f} s of speech in the last {_window_s(state):g} s"
    if kind == "warming":
        return _reason(state, moment), _gap(state)
    if kind in ("speech", "uncertain", "silence"):
        held = moment.shown is not None and not moment.fresh
        return _reason(state, moment), f"{moment.shown} is held from {clock_text(moment.given_s)}" if held else heard
    waited = state.waited(now)
    return _reason(state, moment), f"last result {waited:.0f} s ago" if waited >= 1 else _gap(state)


def _reason(state: ScreenState, moment: Moment) -> str:
    """Say in a line why the word is what it is."""
    percent = f"{100 * moment.confidence:.0f} %"
    match moment.kind:
        case "speech" if moment.fresh:
            return f"confidence {percent}"
        case "speech":
            return f"now {moment.label}, {percent}"
        case "uncertain":
            return f"at most {percent}: no label is justified"
        case "silence":
            return "nobody speaks, so no label is given"
        case "warming":
            return f"a label needs {_window_s(state):g} s of unbroken sound"
        case "gap":
            return "sound is missing here"
        case "missing":
            return "no result came for this moment"
        case "paused":
            return "listening was paused"
        case "unheard":
            return "not played yet"
    return "newest sound or result is missing"


def _window_s(state: ScreenState) -> float:
    return float(state.hello["window"] / state.hello["sample_rate"]) if state.hello else 0.0


def _gap(state: ScreenState) -> str:
    """Say why sound is missing, if a gap reaches into the newest window."""
    if state.gap is None or state.point is None or state.hello is None:
        return ""
    recent = state.gap["end"] > state.point["end"] - state.hello["window"]
    return f"gap: {state.gap['reason']}" if recent else ""


def _summary(end: EndMessage, offset_s: float) -> tuple[str, str]:
    """Sum up a stream that ended and began at ``offset_s`` of its recording."""
    summary = end["summary"]
    first = f"{end['reason']} at {clock_text(offset_s + end['duration_s'])}, {end['points']} points"
    if end["dropped"]:
        first += f", {end['dropped']} dropped"
    return first, f"speech {summary['speech_s']:.1f} s, silence {summary['silence_s']:.1f} s"
