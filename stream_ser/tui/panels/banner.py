"""One line that is only there when there is something to say: what comes no more, what is recorded, what is played.

Owned by the Textual event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stream_ser.controls.capabilities import Controls, Linked, Plays, Records
from stream_ser.tui.canvas import Canvas, Row, ink
from stream_ser.tui.state.stream_state import ScreenState, clock_text


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
        # What it can do is found out once: that costs more than what is said.
        self._link = controls if isinstance(controls, Linked) else None
        self._recorder = controls if isinstance(controls, Records) else None
        self._player = controls if isinstance(controls, Plays) else None

    def look(self, state: ScreenState, now: float) -> Situation:  # noqa: ARG002 - the same for every stream
        """Ask the source."""
        return self._situation()

    def update_from(self, state: ScreenState, now: float) -> None:
        """Be there only with something to say."""
        super().update_from(state, now)
        shown = self.picture is not None and bool(self.picture.text)
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

    def _situation(self) -> Situation:
        if self._link is not None and self._link.trouble is not None:
            return Situation("trouble", self._link.trouble)
        parts = []
        recorder, player = self._recorder, self._player
        recording = None if recorder is None else recorder.recording
        if recorder is not None and recording is not None:
            sound = recorder.recording_sound
            parts.append(f"● recording to {recording.name}" + (f" and the SOUND to {sound.name}" if sound else ""))
        if player is not None and player.speed != 1.0:
            parts.append(f"speed {'max' if player.speed is None else f'×{player.speed:g}'}")
        if player is not None and player.whole:
            length = player.length_s
            of = "" if length is None else f" / {clock_text(length)}"
            held = ", held: space goes on" if self._controls.paused else ""
            what = "recorded session" if getattr(self._controls, "holds", False) else "all recordings"
            parts.append(f"{what} {clock_text(player.place_s)}{of}{held}")
        return Situation("plain" if recording is None else "recording", "   ".join(parts))
