"""The state or the label in large letters, and one or two lines that say what it rests on.

Owned by the Textual event loop. A label appears only with the state ``speech``; everything else names the state.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.feed.message_types import EndMessage
from stream_ser.tui.canvas import Panel, Row, ink
from stream_ser.tui.glyphs import DOUBLE_ROWS, ROWS, large
from stream_ser.tui.palette import Palette, colours_of
from stream_ser.tui.state.moment import Kind, Moment
from stream_ser.tui.state.stream_state import ScreenState, clock_text


@dataclass(frozen=True, slots=True)
class HeadlinePicture:
    """What the headline says. ``label`` is given with speech only, ``failed`` with an end by error only."""

    kind: Kind
    label: str | None
    labels: tuple[str, ...]
    failed: bool
    first: str
    second: str


class Headline(Panel[HeadlinePicture]):
    """State or label, large; below it the confidence and the reason."""

    def look(self, state: ScreenState, now: float) -> HeadlinePicture:
        """Choose the word and the lines."""
        moment = state.moment(now)
        first, second = _lines(state, moment, now)
        failed = bool(moment.kind == "ended" and state.ended and state.ended["reason"] == "error")
        return HeadlinePicture(moment.kind, moment.label, state.labels, failed, first, second)

    def draw(self, picture: HeadlinePicture, width: int, height: int) -> list[Row]:
        """Draw the word with large letters where they fit, otherwise in capitals."""
        style = ink(_colour(picture, self.palette), bold=True)
        word = picture.label or picture.kind
        letters = large(word, width, double=True) if height >= DOUBLE_ROWS + 3 else None
        letters = letters or large(word, width) or ["", word.upper(), ""]
        rows: list[Row] = [[(line, style)] for line in letters]
        rows += [[]] if len(letters) > ROWS else []
        rows.append([(picture.first, ink(self.palette.text, bold=True))])
        rows.append([(picture.second, ink(self.palette.muted))])
        above = max(0, (height - len(rows)) // 2)
        return [[] for _ in range(above)] + rows


def _colour(picture: HeadlinePicture, palette: Palette) -> str:
    if picture.label is not None:
        return colours_of(palette, picture.labels).get(picture.label, palette.text)
    if picture.failed:
        return palette.error
    return palette.warning if picture.kind in ("stale", "paused", "gap", "missing") else palette.text


def _lines(state: ScreenState, moment: Moment, now: float) -> tuple[str, str]:
    """Say what the word rests on, in two lines of at most 36 characters where the values allow it."""
    if moment.back_s is not None:
        return _reason(state, moment), f"{moment.back_s:.1f} s back; end returns to live"
    kind = moment.kind
    if kind == "ended" and state.ended is not None:
        return _summary(state.ended)
    if kind == "paused":
        return "press space to go on", ""
    if kind == "waiting":
        return "no result yet", "the source or the model is starting"
    heard = f"{moment.speech_s:.1f} s of speech in the last {_window_s(state):g} s"
    if kind in ("speech", "uncertain", "warming"):
        return _reason(state, moment), _gap(state) if kind == "warming" else heard
    if kind == "silence":
        return _reason(state, moment), heard
    waited = state.waited(now)
    return _reason(state, moment), f"last result {waited:.0f} s ago" if waited >= 1 else _gap(state)


def _reason(state: ScreenState, moment: Moment) -> str:
    """Say in a line why the word is what it is."""
    percent = f"{100 * moment.confidence:.0f} %"
    match moment.kind:
        case "speech":
            return f"confidence {percent}"
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
    return "newest sound or result is missing"


def _window_s(state: ScreenState) -> float:
    return float(state.hello["window"] / state.hello["sample_rate"]) if state.hello else 0.0


def _gap(state: ScreenState) -> str:
    """Say why sound is missing, if a gap reaches into the newest window."""
    if state.gap is None or state.point is None or state.hello is None:
        return ""
    recent = state.gap["end"] > state.point["end"] - state.hello["window"]
    return f"gap: {state.gap['reason']}" if recent else ""


def _summary(end: EndMessage) -> tuple[str, str]:
    """Sum up a stream that ended."""
    summary = end["summary"]
    first = f"{end['reason']} at {clock_text(end['duration_s'])}, {end['points']} points"
    if end["dropped"]:
        first += f", {end['dropped']} dropped"
    return first, f"speech {summary['speech_s']:.1f} s, silence {summary['silence_s']:.1f} s"
