"""One line that is only there when there is something to say: what comes no more, what is recorded, what is played.

Owned by the Textual event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stream_ser.tui.abilities import Linked, Plays, Records
from stream_ser.tui.canvas import Canvas, Row, ink
from stream_ser.tui.view import Controls, ScreenState, clock_text


@dataclass(frozen=True, slots=True)
class Situation:
    """What the line says; nothing where ``text`` is empty."""

    kind: Literal["plain", "recording", "trouble"] = "plain"
    text: str = ""


class Banner(Canvas[Situation]):
    """The line; its ``controls`` say what there is to say."""

    def __init__(self, controls: Controls) -> None:
        super().__init__(id="banner")
        self._controls = controls

    def look(self, state: ScreenState, now: float) -> Situation:  # noqa: ARG002 - the same for every stream
        """Ask the source."""
        return situation(self._controls)

    def update_from(self, state: ScreenState, now: float) -> None:
        """Be there only with something to say."""
        super().update_from(state, now)
        shown = bool(situation(self._controls).text)
        if self.display != shown:
            self.display = shown

    def draw(self, picture: Situation, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row."""
        palette = self.palette
        text = picture.text if len(picture.text) <= width else f"{picture.text[: width - 1]}…"
        if picture.kind == "trouble":
            return [[(f"{text:<{width}}", ink(palette.ground, palette.error, bold=True))]]
        colour = palette.error if picture.kind == "recording" else palette.muted
        return [[(text, ink(colour, bold=picture.kind == "recording"))]]


def situation(controls: Controls) -> Situation:
    """What there is to say of a source."""
    if isinstance(controls, Linked) and controls.trouble is not None:
        return Situation("trouble", controls.trouble)
    parts = []
    recording = controls.recording if isinstance(controls, Records) else None
    if recording is not None:
        sound = controls.recording_sound if isinstance(controls, Records) else None
        parts.append(f"● recording to {recording.name}" + (f" and the SOUND to {sound.name}" if sound else ""))
    if isinstance(controls, Plays) and controls.speed != 1.0:
        parts.append(f"speed {'max' if controls.speed is None else f'×{controls.speed:g}'}")
    if isinstance(controls, Plays) and controls.whole:
        length = controls.length_s
        of = "" if length is None else f" / {clock_text(length)}"
        held = ", held: space goes on" if controls.paused else ""
        parts.append(f"recorded session {clock_text(controls.place_s)}{of}{held}")
    return Situation("plain" if recording is None else "recording", "   ".join(parts))
