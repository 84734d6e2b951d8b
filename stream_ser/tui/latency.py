"""Where the time of this stream's points went, over the running screen: p50, p95 and p99 of every stage.

Owned by the Textual event loop. The stream goes on behind it; keys of the screen keep working.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from stream_ser.ledger import table
from stream_ser.tui.view import ScreenState

STAGES = """\
capture  from the sample in the air to its arrival here
wait     from the complete window until the engine takes it
compute  in the model
smooth   until the trajectory has it, after earlier points
publish  until it is on the feed
age      from the complete window to the feed"""


class Latency(ModalScreen[None]):
    """One page of figures, drawn anew every second. Closed by the key that opens it, or escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "close"), ("l", "dismiss", "close")]

    def __init__(self, state: ScreenState) -> None:
        super().__init__()
        self._state = state

    def compose(self) -> ComposeResult:
        """Make the page."""
        page = Static(self._text(), markup=False, id="page")
        page.border_title = "latency"
        yield page

    def on_mount(self) -> None:
        """Keep it fresh."""
        self.set_interval(1.0, lambda: self.query_one("#page", Static).update(self._text()))

    def _text(self) -> str:
        hello = self._state.hello
        lines = table(self._state.ledger.summary())
        engine = [] if hello is None else ["", f"engine {hello['engine']}"]
        passed = [] if hello is None else [f"not {step['engine']}: {step['reason']}" for step in hello["passed_over"]]
        return "\n".join([*lines, "", STAGES, *engine, *passed])
