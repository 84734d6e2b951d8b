"""The state or the label in large letters, and one or two lines that say what it rests on.

Owned by the Textual event loop. A label appears only with the state ``speech``; everything else names the state.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.tui.canvas import Canvas, Row, ink
from stream_ser.tui.glyphs import ROWS, large
from stream_ser.tui.palette import Palette, colours_of
from stream_ser.tui.view import Kind, Message, ScreenState, clock_text


@dataclass(frozen=True, slots=True)
class HeadlinePicture:
    """What the headline says. ``label`` is given with speech only, ``failed`` with an end by error only."""

    kind: Kind
    label: str | None
    labels: tuple[str, ...]
    failed: bool
    first: str
    second: str


class Headline(Canvas[HeadlinePicture]):
    """State or label, large; below it the confidence and the reason."""

    def look(self, state: ScreenState, now: float) -> HeadlinePicture:
        """Choose the word and the lines."""
        kind = state.kind(now)
        first, second = _lines(state, kind, now)
        label = state.point["label"] if kind == "speech" and state.point else None
        failed = bool(state.ended and state.ended["reason"] == "error")
        return HeadlinePicture(kind, label, state.labels, failed, first, second)

    def draw(self, picture: HeadlinePicture, width: int, height: int) -> list[Row]:
        """Draw the word with large letters where they fit, otherwise in capitals."""
        style = ink(_colour(picture, self.palette), bold=True)
        word = picture.label or picture.kind
        letters = large(word, width) or ["", word.upper(), ""]
        rows: list[Row] = [[(line, style)] for line in letters]
        rows.append([(picture.first, ink(self.palette.text, bold=True))])
        rows.append([(picture.second, ink(self.palette.muted))])
        above = max(0, (height - ROWS - 2) // 2)
        return [[] for _ in range(above)] + rows


def _colour(picture: HeadlinePicture, palette: Palette) -> str:
    if picture.label is not None:
        return colours_of(palette, picture.labels).get(picture.label, palette.text)
    if picture.failed:
        return palette.error
    return palette.warning if picture.kind in ("stale", "paused") else palette.text


def _lines(state: ScreenState, kind: Kind, now: float) -> tuple[str, str]:
    """Say what the word rests on, in two lines of at most 36 characters where the values allow it."""
    point = state.point
    if kind == "ended" and state.ended is not None:
        return _summary(state.ended)
    if kind == "paused":
        return "press space to go on", ""
    if kind == "waiting" or point is None or state.hello is None:
        return "no result yet", "the source or the model is starting"
    window_s = state.hello["window"] / state.hello["sample_rate"]
    heard = f"{point['speech_s']:.1f} s of speech in the last {window_s:g} s"
    percent = f"{100 * point['confidence']:.0f} %"
    match kind:
        case "speech":
            return f"confidence {percent}", heard
        case "uncertain":
            return f"at most {percent}: no label is justified", heard
        case "silence":
            return "nobody speaks, so no label is given", heard
        case "warming":
            return f"a label needs {window_s:g} s of unbroken sound", _gap(state)
    waited = state.waited(now)
    return "newest sound or result is missing", f"last result {waited:.0f} s ago" if waited >= 1 else _gap(state)


def _gap(state: ScreenState) -> str:
    """Say why sound is missing, if a gap reaches into the newest window."""
    if state.gap is None or state.point is None or state.hello is None:
        return ""
    recent = state.gap["end"] > state.point["end"] - state.hello["window"]
    return f"gap: {state.gap['reason']}" if recent else ""


def _summary(end: Message) -> tuple[str, str]:
    """Sum up a stream that ended."""
    summary = end["summary"]
    first = f"{end['reason']} at {clock_text(end['duration_s'])}, {end['points']} points"
    if end["dropped"]:
        first += f", {end['dropped']} dropped"
    return first, f"speech {summary['speech_s']:.1f} s, silence {summary['silence_s']:.1f} s"
