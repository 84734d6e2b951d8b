"""Many panels on one widget: their frames, their rows, and what of them has to be sent to the terminal.

Owned by the Textual event loop. Every widget costs Textual time in every frame in which it changes; a screen of ten that
follows a voice would cost three times what it costs as one. So the panels are drawn here, and Textual is told which cells
changed. The mouse goes to the panel under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.events import MouseDown, MouseEvent, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from stream_ser.printable import printable
from stream_ser.tui.canvas import MARGIN, Panel, ink
from stream_ser.tui.palette import DARK, Inked, palette_of
from stream_ser.tui.state.stream_state import ScreenState


class Board(Widget):
    """Draws ``panels`` where ``place`` puts them; a panel without a place is not shown."""

    ALLOW_SELECT = False

    class Resized(Message):
        """There is another room for the panels."""

    def __init__(self, panels: Sequence[Panel[Any]], *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.panels = tuple(panels)
        self.palette = DARK
        self.places: dict[Panel[Any], Region] = {}
        self._headings: dict[Panel[Any], tuple[str, str, tuple[str, Inked]]] = {}  # as they are drawn
        self._lines: dict[int, Strip] = {}  # rows that are put together
        self._width = 0
        self._held: Panel[Any] | None = None  # the panel that follows the mouse

    def place(self, places: dict[str, Region]) -> None:
        """Show the panels with these names in these regions, and no others."""
        self._width = self.size.width
        self.places = {panel: places[panel.name] for panel in self.panels if panel.name in places}
        for panel, region in self.places.items():
            height = region.height - (2 if panel.framed else 0)
            panel.resize(Size(max(0, region.width - 2 * MARGIN), max(0, height)))
        self._lines.clear()
        self.refresh()

    def update_from(self, state: ScreenState, now: float) -> None:
        """Let every panel look at the state, and ask for a refresh of the cells that differ."""
        changed: list[Region] = []
        for panel, region in self.places.items():
            rows = panel.update_from(state, now)
            first = region.y + panel.framed
            spans = [(first + start, first + stop) for start, stop in rows]
            heading = (panel.title, panel.subtitle, panel.badge)
            if panel.framed and self._headings.get(panel) != heading:
                self._headings[panel] = heading
                spans += [(region.y, region.y + 1), (region.bottom - 1, region.bottom)]
            for start, stop in spans:
                changed.append(Region(region.x, start, region.width, stop - start))
                for y in range(start, stop):
                    self._lines.pop(y, None)
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        """Tell the screen, which knows where panels go."""
        self.post_message(self.Resized())

    def on_mount(self) -> None:
        """Take the theme's colours, now and whenever the theme changes."""
        self._repaint(self.app.current_theme)
        self.app.theme_changed_signal.subscribe(self, self._repaint)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows of ``crop``.

        As Textual's own way to a widget's rows does it, less what this one does not have: border, padding and colours by
        name. That is half of what a frame costs.
        """
        filters = [each for each in self.get_line_filters() if not isinstance(each, ANSIToTruecolor)]
        ground = Color.parse(self.palette.ground)
        rows = []
        for y in crop.line_range:
            line = self._lines.get(y)
            if line is None:
                line = self._lines[y] = self._put_together(y)
            for each in filters:
                line = line.apply_filter(each, ground)
            rows.append(line.crop(crop.x, crop.right))
        return rows

    def on_mouse_down(self, event: MouseDown) -> None:
        """Tell the panel; one that follows the mouse does so until the button is let go."""
        panel = self._panel_at(event)
        if panel is None:
            return
        self._tell(panel.pressed(*self._inside(panel, event)))
        if panel.follows:
            self._held = panel
            self.capture_mouse()

    def on_mouse_move(self, event: MouseMove) -> None:
        """Let a panel follow."""
        if self._held is not None:
            self._tell(self._held.pressed(*self._inside(self._held, event)))

    def on_mouse_up(self, event: MouseUp) -> None:  # noqa: ARG002 - wherever it is let go
        """Let go."""
        self._held = None
        self.release_mouse()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Tell the panel."""
        self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Tell the panel."""
        self._wheel(event, 1)

    def _wheel(self, event: MouseEvent, steps: int) -> None:
        panel = self._panel_at(event)
        if panel is not None:
            self._tell(panel.wheeled(steps))

    def _tell(self, message: Message | None) -> None:
        if message is not None:
            self.post_message(message)

    def _panel_at(self, event: MouseEvent) -> Panel[Any] | None:
        found = (panel for panel, region in self.places.items() if region.contains(int(event.x), int(event.y)))
        return next(found, None)

    def _inside(self, panel: Panel[Any], event: MouseEvent) -> tuple[int, int]:
        """The cell of the mouse, counted from the first that the panel draws; it may lie outside."""
        region = self.places.get(panel, Region())
        return int(event.x) - region.x - MARGIN, int(event.y) - region.y - panel.framed

    def _repaint(self, theme: Theme) -> None:
        self.palette = palette_of(theme)
        for panel in self.panels:
            panel.repaint(self.palette)
        self._lines.clear()
        self.refresh()

    def _put_together(self, y: int) -> Strip:
        """Join what the panels have in row ``y``, from left to right."""
        ground = ink(self.palette.text, self.palette.ground)
        here = [(region, panel) for panel, region in self.places.items() if region.y <= y < region.bottom]
        segments: list[Segment] = []
        x = 0
        for region, panel in sorted(here, key=lambda place: place[0].x):
            if region.x > x:
                segments.append(Segment(" " * (region.x - x), ground))
            segments += self._row(panel, region, y - region.y, ground)
            x = region.right
        if x < self._width:
            segments.append(Segment(" " * (self._width - x), ground))
        return Strip(segments, max(x, self._width))

    def _row(self, panel: Panel[Any], region: Region, row: int, ground: Style) -> list[Segment]:
        """One row of a panel, with its frame."""
        width = region.width
        if width <= 2 * MARGIN:
            return [Segment(" " * width, ground)]
        if not panel.framed:
            return [Segment("  ", ground), *panel.row(row), Segment("  ", ground)]
        line, muted = ground + ink(self.palette.frame), ground + ink(self.palette.muted)
        if row == 0:
            word, inked = panel.badge
            badge = f" {word} " if word else ""
            title = _cut(panel.title, width - 6 - (len(badge) + 1 if badge else 0))
            rest = width - 3 - (len(title) + 2 if title else 1) - len(badge)
            return [
                Segment("╭─" if title else "╭──", line),
                Segment(f" {title} " if title else "", muted),
                Segment("─" * (rest - 1 if badge else rest), line),
                *([Segment(badge, ground + ink(getattr(self.palette, inked), bold=True))] if badge else []),
                Segment("─╮" if badge else "╮", line),
            ]
        if row == region.height - 1:
            subtitle = _cut(panel.subtitle, width - 6)
            return [
                Segment("╰" + "─" * (width - 3 - (len(subtitle) + 2 if subtitle else 1)), line),
                Segment(f" {subtitle} " if subtitle else "", muted),
                Segment("─╯" if subtitle else "──╯", line),
            ]
        return [
            Segment("│", line),
            Segment(" ", ground),
            *panel.row(row - 1),
            Segment(" ", ground),
            Segment("│", line),
        ]


def _cut(text: str, room: int) -> str:
    return printable(text if len(text) <= room else f"{text[: max(0, room - 1)]}…")
