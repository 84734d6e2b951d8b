"""What the keys do and what the letters mean, over the running screen.

Owned by the Textual event loop. The stream goes on behind it; keys of the screen keep working.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from stream_ser.printable import printable
from stream_ser.tui.palette import letters_of

TEXT = """\
{keys}

Shown is the emotion that the voice expresses, as a model hears it: not
what the speaker has inside. Without clear speech there is no label.
  compute    time in the model         age   from sound to result
  lag        captured sound that has no result yet

Signs of the trajectory
{letters}"""
STATES = (
    "· silence     ? uncertain: speech, no label is justified",
    "w warming     ~ stale: newest sound or result is missing",
    "p paused      x gap: sound was lost, ░ above it",
    "◆ change      ▲ alert, ━ its evidence     ⚑ mark",
)
KEY = 10  # columns for a key's name
COLUMN = 38  # where the second column of keys begins


class Help(ModalScreen[None]):
    """One page of help. ``keys`` are pairs of a key's name and what it does. Closed by the key that opens it, or escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark", "dismiss", "close", show=False),
        Binding("down,j", "down", show=False),
        Binding("up,k", "up", show=False),
    ]

    def __init__(self, keys: Sequence[tuple[str, str]], labels: tuple[str, ...]) -> None:
        super().__init__()
        letters = [f"{letter} {printable(label)}" for label, letter in letters_of(labels).items()]
        rows = ["   ".join(letters[i : i + 4]) for i in range(0, len(letters), 4)]
        self._text = TEXT.format(
            keys="\n".join(_in_two_columns(keys)), letters="\n".join(f"  {row}" for row in (*rows, *STATES))
        )

    def compose(self) -> ComposeResult:
        """Make the page."""
        page = Static(self._text, markup=False, id="page")
        page.border_title = "help"
        yield page

    def action_down(self) -> None:
        """Show what lies below, on a screen too low for the page."""
        self.query_one("#page").scroll_down(animate=False)

    def action_up(self) -> None:
        """Show what lies above."""
        self.query_one("#page").scroll_up(animate=False)


def _in_two_columns(keys: Sequence[tuple[str, str]]) -> list[str]:
    """Put short entries side by side; a long one has its line alone."""
    lines: list[str] = []
    left = ""
    for key, does in keys:
        entry = f"  {key:<{KEY}} {does}"
        if left and len(entry) <= COLUMN:
            lines.append(f"{left:<{COLUMN}}{entry}")
            left = ""
        elif len(entry) < COLUMN and not left:
            left = entry
        else:
            lines += [left, entry] if left else [entry]
            left = ""
    return lines + ([left] if left else [])
