"""What the screen asks of a person: a line of text, one of a list, or yes. The stream goes on behind it.

Owned by the Textual event loop. While a prompt is open, letters are its own: the app's keys rest, but for ctrl+c.
Each gives None (or False) where escape was pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Resize
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stream_ser.controls.capabilities import Choice
from stream_ser.printable import printable

Answer = TypeVar("Answer")
SHARE, AROUND = 0.62, 3  # of the screen's rows that a prompt has, as in app.tcss; and those of its frame and its hint
LOOK_S = 0.1  # between two looks whether what is asked elsewhere has been answered


class Prompt(ModalScreen[Answer]):
    """A question over the lower part of the screen. Escape answers with nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

    def on_screen_resume(self) -> None:
        """Let a list have the room that there is, and scroll beyond it."""
        self._fit(self.app.size)

    def on_resize(self, event: Resize) -> None:
        """The same for another size."""
        self._fit(event.size)

    def _fit(self, size: Size) -> None:
        for options in self.query(OptionList):
            options.styles.max_height = max(1, int(SHARE * size.height) - AROUND)

    def action_leave(self) -> None:
        """Answer with nothing."""
        self.dismiss(None)


class Ask(Prompt[str | None]):
    """Asks for one line; ``value`` stands in it already. ``hint`` says what it is for. An empty line is no answer."""

    def __init__(self, title: str, hint: str, value: str = "", longest: int = 0) -> None:
        super().__init__()
        self._title, self._hint, self._value, self._longest = title, hint, value, longest

    def compose(self) -> ComposeResult:
        """Make the page."""
        line = Input(self._value, max_length=self._longest, select_on_focus=False)
        line.cursor_blink = False  # over a slow connection every blink is traffic
        box = Vertical(Static(printable(self._hint), markup=False), line, id="page")
        box.border_title, box.border_subtitle = printable(self._title), "enter: do it   escape: leave it"
        yield box

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the line."""
        self.dismiss(" ".join(event.value.split()) or None)


class Choose(Prompt[str | None]):
    """Asks for one of a list, which may still be looked up; gives the choice's name."""

    def __init__(self, title: str, hint: str, choices: Future[Sequence[Choice]]) -> None:
        super().__init__()
        self._title, self._hint, self._choices = title, hint, choices

    def compose(self) -> ComposeResult:
        """Make the page."""
        box = Vertical(
            Static(printable(self._hint), markup=False),
            Static("looking …", id="looking", markup=False),
            OptionList(markup=False),
            id="page",
        )
        box.border_title, box.border_subtitle = printable(self._title), "↑ ↓ enter: choose   escape: leave it"
        yield box

    def on_mount(self) -> None:
        """Wait for the list without holding anything up."""
        self.query_one(OptionList).display = False
        self._timer = self.set_interval(LOOK_S, self._look)
        self._look()

    def _look(self) -> None:
        if not self._choices.done():
            return
        self._timer.stop()
        looking, options = self.query_one("#looking", Static), self.query_one(OptionList)
        error = self._choices.exception()
        if error is not None or not self._choices.result():
            looking.update("there is nothing to choose from" if error is None else printable(str(error)))
            return
        looking.display = False
        options.display = True
        found = self._choices.result()
        options.add_options(
            Option(f"{'●' if choice.current else ' '} {printable(choice.text)}", disabled=choice.heading)
            for choice in found
        )
        there = [place for place, choice in enumerate(found) if not choice.heading]
        options.highlighted = next((place for place in there if found[place].current), there[0])
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the choice; the one that is in use already is none."""
        chosen = self._choices.result()[event.option_index]
        self.dismiss(None if chosen.current else chosen.name)


PANELS = {  # by name, as their frames call them
    "bars": "probabilities",
    "dimensions": "dimensions: activation, valence …",
    "timeline": "trajectory",
    "plane": "plane of activation and valence",
    "scrubber": "whole recording",
    "words": "words",
    "meter": "sound",
    "status": "speed",
    "alerts": "alerts",
    "why": "why",
}


class ChoosePanels(Prompt[None]):
    """Lets panels be shown and hidden, as often as one likes: ``chosen`` is told of each choice at once."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,p", "leave", "close", show=False)]

    def __init__(self, shown: dict[str, bool], chosen: Callable[[str, bool], None]) -> None:
        super().__init__()
        self._shown, self._chosen = shown, chosen

    def compose(self) -> ComposeResult:
        """Make the page."""
        box = Vertical(
            OptionList(*(self._line(name) for name in self._shown), markup=False),
            id="page",
        )
        box.border_title, box.border_subtitle = "panels", "↑ ↓ enter: show or hide   escape: close"
        yield box

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show or hide one."""
        name = list(self._shown)[event.option_index]
        self._shown[name] = not self._shown[name]
        self._chosen(name, self._shown[name])
        event.option_list.replace_option_prompt_at_index(event.option_index, self._line(name))

    def _line(self, name: str) -> str:
        return f"{'●' if self._shown[name] else '○'} {PANELS[name]}"


class Confirm(Prompt[bool]):
    """Asks whether to do something that must not happen by accident: y, and nothing else, is yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", show=False),
        Binding("n,enter,escape", "leave", "no", show=False),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Make the page."""
        box = Vertical(
            Static(printable(self._text, keep="\n"), markup=False),
            id="page",
        )
        box.border_title, box.border_subtitle = printable(self._title), "y: yes   n, escape: no"
        yield box

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Do not."""
        self.dismiss(False)
