"""The keys that act on the source, for the app: mark, record, choose, speed, place; and the palette, which has every key.

Owned by the Textual event loop. A key is there only where the source has the capability
(:mod:`stream_ser.controls.capabilities`), so footer, help and palette never offer what cannot be done. While a prompt is
open its letters are its own: of the keys that take precedence only ctrl+c remains.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.screen import Screen

from stream_ser.controls.capabilities import LONGEST_NOTE, Choice, Chooses, Controls, Kind, Marks, Plays, Records
from stream_ser.controls.place import seconds_of
from stream_ser.printable import printable
from stream_ser.tui.help import Key
from stream_ser.tui.prompts import Ask, Choose, Confirm, Prompt
from stream_ser.tui.state.stream_state import ScreenState, clock_text

SPEEDS = (0.5, 1.0, 2.0, 5.0, 10.0)
SKIP_S = 5.0
WORDS: dict[Kind, str] = {"device": "input", "model": "model"}  # as the keys are called
# Bound by Textual on every screen, and of no use on ours.
TEXTUAL_ACTIONS = frozenset({"app.focus_next", "app.focus_previous", "screen.copy_text", "command_palette"})
PALETTE = Binding("ctrl+p", "command_palette", "palette")
NEEDS: dict[str, type] = {
    "mark": Marks,
    "record": Records,
    "choose": Chooses,
    "slower": Plays,
    "faster": Plays,
    "skip": Plays,
    "go_to": Plays,
}


class SourceApp(App[None]):
    """An app whose ``controls`` may have capabilities; ``state`` is the stream that is looked at."""

    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mark", "mark", show=False, tooltip="mark this moment with a note"),
        Binding("r", "record", "record", show=False, tooltip="record to a file, or stop"),
        Binding("i", "choose('device')", "input", show=False, tooltip="choose another sound input"),
        Binding("n", "choose('model')", "model", show=False, tooltip="choose another model (network)"),
        Binding("left_square_bracket", "slower", "slower", show=False, key_display="[", tooltip="play slower"),
        Binding("right_square_bracket", "faster", "faster", show=False, key_display="]", tooltip="play faster"),
        Binding("shift+left", f"skip(-{SKIP_S})", "skip back", show=False, tooltip=f"play {SKIP_S:g} s before"),
        Binding("shift+right", f"skip({SKIP_S})", "skip on", show=False, tooltip=f"play {SKIP_S:g} s further on"),
        Binding("g", "go_to", "go to", show=False, tooltip="play on from a place"),
    ]
    controls: Controls
    _listing = False  # while the palette asks what keys do on the screen below it

    @property
    def state(self) -> ScreenState:
        """The stream that is looked at."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key is there: not while letters are wanted, and not without the capability."""
        if isinstance(self.screen, Prompt | CommandPalette) and not self._listing:
            return action in ("quit", "command_palette")
        if action == "toggle_pause":
            return getattr(self.controls, "can_pause", True)
        needed = NEEDS.get(action)
        if needed is None:
            return True
        if not isinstance(self.controls, needed):
            return False
        return action != "choose" or (isinstance(self.controls, Chooses) and parameters[0] in self.controls.kinds)

    def keys_here(self) -> list[Key]:
        """Everything that a key does on this screen, each thing once, for help and palette."""
        found: dict[str, Key] = {}
        for _, binding in self._bound():
            word, names = binding.description, self.get_key_display(binding)
            before = found.get(word)
            names = names if before is None else " ".join(dict.fromkeys((before.names + " " + names).split()))
            found[word] = Key(names, word, (before.does if before is not None else "") or binding.tooltip)
        return [
            *found.values(),
            Key(self.get_key_display(PALETTE), "palette", "all of this, to search and to choose from"),
        ]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002 - it is below the palette
        """The same for the palette, which does it."""
        does: dict[str, Callable[[], Any]] = {}
        for node, binding in self._bound():
            does.setdefault(binding.description, partial(self.run_action, binding.action, node))
        for key in self.keys_here():
            if key.word in does:
                yield SystemCommand(key.word.capitalize(), f"{key.does} ({key.names})", does[key.word])

    def _bound(self) -> list[tuple[DOMNode, Binding]]:
        """What is bound on the screen below pages, prompts and the palette, and can be done now."""
        self._listing = True
        screen = next(screen for screen in reversed(self.screen_stack) if not screen.is_modal)
        bindings = list(screen.active_bindings.values())
        self._listing = False
        return [
            (node, binding)
            for node, binding, enabled, _ in bindings
            if enabled and binding.description and binding.action not in TEXTUAL_ACTIONS
        ]

    def action_mark(self) -> None:
        """Ask for a note on the moment at which the key was pressed, or on the one that the person has gone back to."""
        state = self.state
        controls, hello, looked_at = self.controls, state.hello, state.window.at
        if not isinstance(controls, Marks) or hello is None:
            return
        stream = hello["stream"]
        newest = controls.position(stream)
        if newest is None:
            self.tell("the stream is over: nothing can be marked")
            return
        at = newest if looked_at is None else (looked_at - state.record.base) * int(hello["hop"])
        if not 0 <= at <= newest:
            self.tell("that was played before you went on elsewhere: go there (g) to mark it")
            return

        def marked(text: str | None) -> None:
            if text is not None:
                controls.mark(stream, at, text)

        where = clock_text(state.offset_s + at / hello["sample_rate"])
        self.push_screen(Ask("mark", f"A note on {where} of {stream}:", longest=LONGEST_NOTE), marked)

    def action_record(self) -> None:
        """Ask for a file and record to it; or stop."""
        controls, hello = self.controls, self.state.hello
        if not isinstance(controls, Records):
            return
        if controls.recording is not None:
            controls.stop_recording()
            return
        named = re.sub(r"[^\w-]+", "_", Path(hello["stream"]).stem if hello else "").strip("_") or "session"
        value = f"{named[:40]}-{datetime.now():%Y%m%d-%H%M%S}.jsonl"
        hint = "Record the trajectory, from now on, to the file:"
        self.push_screen(Ask("record", hint, value), self._record_to)

    def _record_to(self, name: str | None) -> None:
        controls = self.controls
        if name is None or not isinstance(controls, Records):
            return
        path = Path(name).expanduser()
        path = path if path.suffix else path.with_suffix(".jsonl")
        if path.suffix != ".jsonl":
            self.tell(f"{path.name} is no JSON lines file: let its name end with .jsonl")
            return
        if not controls.has_sound:
            controls.record(path)
            return
        sound = path.with_suffix(".wav")

        def confirmed(yes: bool | None) -> None:
            controls.record(path, sound if yes else None)

        def asked(answer: str | None) -> None:
            if answer == "sound":
                text = (
                    f"The voices of this stream will be stored in {sound.name}, as they are.\n"
                    "Whoever is heard must know. Store the sound?"
                )
                self.push_screen(Confirm("sound", text), confirmed)
            elif answer is not None:
                controls.record(path)

        self.push_screen(_what_to_record(path, sound), asked)

    def action_choose(self, kind: Kind) -> None:
        """Show what there is, and go on with what is chosen."""
        controls = self.controls
        if not isinstance(controls, Chooses):
            return

        def chosen(name: str | None) -> None:
            if name is not None:
                controls.choose(kind, name)

        hint = f"Another {WORDS[kind]} ends this stream and begins another one."
        self.push_screen(Choose(WORDS[kind], hint, controls.choices(kind)), chosen)

    def action_slower(self) -> None:
        """Play at the next lower speed."""
        self._pace([speed for speed in SPEEDS if self._speed() > speed][-1:])

    def action_faster(self) -> None:
        """Play at the next higher speed."""
        self._pace([speed for speed in SPEEDS if self._speed() < speed][:1])

    def _speed(self) -> float:
        speed = self.controls.speed if isinstance(self.controls, Plays) else 1.0
        return float("inf") if speed is None else speed

    def _pace(self, wanted: list[float]) -> None:
        if isinstance(self.controls, Plays) and wanted:
            self.controls.set_speed(wanted[0])

    def action_skip(self, by_s: float) -> None:
        """Go on or back."""
        if isinstance(self.controls, Plays):
            self.controls.skip(by_s)

    def action_go_to(self) -> None:
        """Ask for a place and go there."""
        controls = self.controls
        if not isinstance(controls, Plays):
            return

        def given(text: str | None) -> None:
            seconds = None if text is None else seconds_of(text)
            if seconds is not None:
                controls.seek(seconds)
            elif text is not None:
                self.tell(f"{text!r} is no place: give minutes and seconds, as 1:23, or seconds")

        length = controls.length_s
        hint = "Go to, as 1:23 or 83:" if length is None else f"Go to, as 1:23 or 83, up to {clock_text(length)}:"
        self.push_screen(Ask("go to", hint), given)

    def tell(self, text: str) -> None:
        """Show a line that goes away by itself."""
        self.notify(printable(text), timeout=5.0, markup=False)


def _what_to_record(path: Path, sound: Path) -> Choose:
    ready: Future[Sequence[Choice]] = Future()
    trajectory = Choice("trajectory", f"the trajectory only, to {path.name}")
    ready.set_result([trajectory, Choice("sound", f"the sound as well, to {sound.name}")])
    return Choose("record", "What is to be stored?", ready)
