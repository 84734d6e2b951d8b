"""What the screen asks of a person: a line of text, one of a list, or yes. The stream goes on behind it.

Owned by the Textual event loop. While a prompt is open, letters are its own: the app's keys rest, but for ctrl+c.
Each gives None (or False) where escape was pressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stream_ser.controls.capabilities import Choice
from stream_ser.printable import printable

Answer = TypeVar("Answer")
LOOK_S = 0.1  # between two looks whether what is asked elsewhere has been answered


class Prompt(ModalScreen[Answer]):
    """A question. Escape answers with nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

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
        box = Vertical(
            Static(printable(self._hint), markup=False),
            line,
            Static("enter: do it   escape: leave it", classes="keys", markup=False),
            id="page",
        )
        box.border_title = printable(self._title)
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
            Static("↑ ↓ enter: choose   escape: leave it", classes="keys", markup=False),
            id="page",
        )
        box.border_title = printable(self._title)
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
        options.add_options(Option(f"{'●' if choice.current else ' '} {printable(choice.text)}") for choice in found)
        options.highlighted = next((place for place, choice in enumerate(found) if choice.current), 0)
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the choice; the one that is in use already is none."""
        chosen = self._choices.result()[event.option_index]
        self.dismiss(None if chosen.current else chosen.name)


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
            Static("y: yes   n, escape: no", classes="keys", markup=False),
            id="page",
        )
        box.border_title = printable(self._title)
        yield box

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Do not."""
        self.dismiss(False)
