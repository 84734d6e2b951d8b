"""Pages over the running screen, which stays in sight above them: text that scrolls, and says so.

Owned by the Textual event loop. The stream goes on behind; keys of the screen keep working.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from stream_ser.printable import printable

BELOW, ABOVE = "↓ more below", "↑ more above"


class Page(ModalScreen[None]):
    """A page of ``text`` under a ``title``. Closed by escape; subclasses bind the key that opens them as well."""

    title_of = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close", show=False),
        Binding("down,j", "scroll('down')", show=False),
        Binding("up,k", "scroll('up')", show=False),
        Binding("pagedown", "scroll('page_down')", show=False),
        Binding("pageup", "scroll('page_up')", show=False),
        Binding("home", "scroll('home')", show=False),
        Binding("end", "scroll('end')", show=False),
    ]

    def text(self) -> str:
        """What is on it."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Make the page."""
        page = VerticalScroll(
            Static(printable(self.text(), keep="\n"), markup=False, id="text"), id="page", can_focus=False
        )
        page.border_title = self.title_of
        yield page

    def on_mount(self) -> None:
        """Say how much there is besides what is seen, from now on."""
        page = self._page
        self.watch(page, "scroll_y", self._say, init=False)
        self.watch(page, "virtual_size", self._say, init=False)
        self.call_after_refresh(self._say)

    @property
    def _page(self) -> VerticalScroll:
        return self.query_one("#page", VerticalScroll)

    def action_scroll(self, how: str) -> None:
        """Show what lies below or above."""
        getattr(self._page, f"scroll_{how}")(animate=False)

    def show(self, text: str) -> None:
        """Show another text."""
        self.query_one("#text", Static).update(printable(text, keep="\n"))
        self.call_after_refresh(self._say)

    def _say(self) -> None:
        page = self._page
        more = [BELOW] * (page.scroll_y < page.max_scroll_y) + [ABOVE] * (page.scroll_y > 0)
        page.border_subtitle = "   ".join([*more, "esc closes"])
