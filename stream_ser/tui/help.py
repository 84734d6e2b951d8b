"""What the keys do and what the letters mean, over the running screen.

Owned by the Textual event loop. The stream goes on behind it; keys of the screen keep working.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from stream_ser.tui.palette import letters_of

TEXT = """\
Keys
  space      pause, go on
  l          latency: where the time went
  d          dark or light
  ?, escape  open or close this help
  q          quit

What is shown
  The emotion that the voice expresses, as a model hears it: not
  what the speaker has inside. A label is only given with speech
  that is clear enough; otherwise the state is shown.

  bar        smoothed probability;  │ raw, one window alone
  compute    time in the model;  age: from sound to result
  lag        sound that is captured and has no result yet

Letters of the trajectory, one a hop
{letters}"""
STATES = (
    "· silence     ? uncertain: speech, no label is justified",
    "w warming     ~ stale: newest sound or result is missing",
    "p paused      x gap: sound was lost",
)


class Help(ModalScreen[None]):
    """One page of help. Closed by the keys that open it, or escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "close"), ("question_mark", "dismiss", "close")]

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__()
        letters = [f"{letter} {label}" for label, letter in letters_of(labels).items()]
        rows = ["   ".join(letters[i : i + 4]) for i in range(0, len(letters), 4)]
        self._text = TEXT.format(letters="\n".join(f"  {row}" for row in (*rows, *STATES)))

    def compose(self) -> ComposeResult:
        """Make the page."""
        page = Static(self._text, markup=False, id="page")
        page.border_title = "help"
        yield page
