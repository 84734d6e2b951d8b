"""The terminal screen as a Textual app: takes messages at a fixed rate, has screens draw what changed, passes keys on.

Thread ownership: everything runs on Textual's event loop in the thread that calls ``run``. No worker and no thread is
started, so nothing is left to join: leaving the screen asks the stream to stop and returns. The source and the controls
return at once by contract; the threads behind them have other owners.

Where things hook in:

- ``streams`` has a ``ScreenState`` for each stream of the source, fed once a frame, whichever screen is shown.
- ``home`` makes the first screen; without it that is the ``StreamScreen`` of the first stream. ``open_stream`` puts
  another stream's screen on top.
- A screen with a method ``draw_frame(now)`` (``Framed``) is called once a frame while it is on the stack.
- Keys of everything (theme, help, quit) are bound here, those that act on the source in ``source_keys.py``, keys of a view
  on its screen or widget. The help lists whatever is bound where it is opened, with the binding's ``tooltip``, or its
  description where it has none; keys that have the same stand together. The footer is full at 80 columns: further keys
  are bound with ``show=False``.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from textual.binding import Binding, BindingType
from textual.screen import Screen

from stream_ser.controls.capabilities import Controls, Explains, MessageSource
from stream_ser.tui.grid import EMPTY, StreamGrid
from stream_ser.tui.health import Health
from stream_ser.tui.help import Help
from stream_ser.tui.palette import PALETTES, make_theme
from stream_ser.tui.preferences import Preferences, write_new
from stream_ser.tui.source_keys import SourceApp
from stream_ser.tui.state.stream_state import ScreenState
from stream_ser.tui.state.streams import Streams
from stream_ser.tui.stream_screen import StreamScreen

FRAMES_PER_SECOND = 3.0
STANDS_S = 1.0  # after which a screen has all that it draws with
THEMES = tuple(PALETTES)


@runtime_checkable
class Framed(Protocol):
    """A screen that is drawn at the app's rate."""

    def draw_frame(self, now: float) -> None:
        """Draw what changed; ``now`` in seconds by the app's clock."""
        ...


class StreamSerApp(SourceApp):
    """All streams of one source. Made by :func:`make_app`."""

    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_pause", "pause", priority=True, tooltip="hold, and go on"),
        Binding("l", "health", "health", tooltip="times, losses, engine, feed, and why no faster engine"),
        Binding("t", "next_theme", "theme", priority=True, show=False, tooltip="dark, light, high contrast"),
        Binding("s", "picture", "picture", show=False, tooltip="store the screen as a picture (SVG)"),
        Binding("question_mark", "help", "help", key_display="?", tooltip="keys and signs"),
        Binding("q", "leave", "quit", priority=True, tooltip="leave"),
        Binding("ctrl+c,ctrl+q", "quit", "quit", priority=True, show=False, tooltip="leave"),
    ]

    def __init__(
        self,
        source: MessageSource,
        controls: Controls,
        *,
        title: str,
        clock: Callable[[], float],
        exit_on_end: bool,
        feed: str | None,
        home: Callable[[StreamSerApp], Screen[Any]] | None,
        preferences: Preferences | None,
    ) -> None:
        super().__init__()
        self.preferences = Preferences() if preferences is None else preferences
        self.title = title
        self.streams = Streams()
        self.controls = controls
        self._explains = controls if isinstance(controls, Explains) else None
        self._source = source
        self._clock = clock
        self._exit_on_end = exit_on_end
        self._feed = feed
        self._home = home
        self._left = False
        for name in THEMES:
            self.register_theme(make_theme(name))
        self.theme = self.preferences.theme if self.preferences.theme in THEMES else THEMES[0]

    def get_default_screen(self) -> Screen[Any]:
        """Make the screen that is shown first."""
        return self._home(self) if self._home is not None else self.stream_screen(self.streams.first)

    def stream_screen(self, state: ScreenState) -> StreamScreen:
        """Make the screen of one stream, without showing it."""
        return StreamScreen(state, self.controls, heading=self.title, feed=self._feed, preferences=self.preferences)

    def grid(self, keep_s: float | None = None, *, open_single: bool = False, empty: str = EMPTY) -> StreamGrid:
        """Make the screen of all streams; what has ended stays for ``keep_s`` seconds, or for good.

        With ``open_single`` a stream that is the only one at the beginning is opened at once. ``empty`` is what it says before.
        """
        heading, single = self.title, open_single
        return StreamGrid(self.streams, self.controls, heading=heading, keep_s=keep_s, open_single=single, empty=empty)

    def open_stream(self, stream: str) -> None:
        """Show the screen of the stream with that name on top of the present one. Raises KeyError for no such stream."""
        self.push_screen(self.stream_screen(self.streams[stream]))
        self.call_after_refresh(self.frame)

    @property
    def now(self) -> float:
        """Seconds by the app's clock."""
        return self._clock()

    @property
    def state(self) -> ScreenState:
        """The stream whose screen is shown, or whose tile is selected where a screen shows several."""
        shown = (
            screen.state for screen in reversed(self.screen_stack) if isinstance(screen, StreamScreen | StreamGrid)
        )
        return next(shown, self.streams.first)

    def on_mount(self) -> None:
        """Draw once, then at a fixed rate: never for an event, so a burst costs one frame."""
        self.set_interval(1 / FRAMES_PER_SECOND, self.frame)
        self.call_after_refresh(self.frame)

    def frame(self) -> None:
        """Take what the source has, and draw what changed by it."""
        now = self._clock()
        for message in self._source.drain():
            self.streams.consume(message, now)
        for message in self._explains.reasons() if self._explains is not None else ():
            self.streams.consume(message, now)
        self.streams.set_paused(self.controls.paused and not getattr(self.controls, "holds", False), now)
        for screen in self.screen_stack:
            if isinstance(screen, Framed):
                screen.draw_frame(now)
        if self.streams.ended and self._exit_on_end:
            self._leave()

    def action_toggle_pause(self) -> None:
        """Pause or go on. After the end there is nothing to pause."""
        if self.streams.ended:
            return
        if self.controls.paused:
            self.controls.resume()
        else:
            self.controls.pause()
        self.frame()

    def action_next_theme(self) -> None:
        """Change from dark to light, to high contrast, and back to dark."""
        self.theme = THEMES[(THEMES.index(self.theme) + 1) % len(THEMES)]
        self.keep(self.preferences.choose_theme(self.theme))

    def keep(self, trouble: str | None) -> None:
        """Tell why a choice will not be found again, if that is so."""
        if trouble is not None:
            self.tell(trouble)

    def action_picture(self) -> None:
        """Store what is on the screen as an SVG file in the present folder; nothing there is written over."""
        stem = f"stream-ser-{datetime.now():%Y%m%d-%H%M%S}"
        try:
            path = write_new(Path(), stem, self.export_screenshot(title=self.title))
        except OSError as error:
            self.tell(f"the picture cannot be stored in this folder ({error.strerror})")
        else:
            self.tell(f"stored as {path.resolve()}")

    def action_help(self) -> None:
        """Open the help, with the keys that work here."""
        self.push_screen(Help(self.keys_here(), self.state.labels))

    def action_health(self) -> None:
        """Open the stream's health."""
        self.push_screen(Health(self.state, self.controls, self._feed))

    def action_leave(self) -> None:
        """Quit, by a key that is a letter: where letters are wanted it rests."""
        self._leave()

    async def action_quit(self) -> None:
        """Leave the screen and ask the stream to stop."""
        self._leave()

    def _leave(self) -> None:
        """Leave once, whatever asks for it."""
        if not self._left:
            self._left = True
            self.exit()
            self.controls.stop()


def make_app(
    source: MessageSource,
    controls: Controls,
    *,
    title: str,
    clock: Callable[[], float] = time.monotonic,
    exit_on_end: bool = False,
    feed: str | None = None,
    home: Callable[[StreamSerApp], Screen[Any]] | None = None,
    alone: bool = False,
    preferences: Preferences | None = None,
) -> StreamSerApp:
    """Make the screen without running it; ``run()`` shows it until q is pressed, or the stream ends if ``exit_on_end``.

    ``title`` stands at the top left; ``feed`` is the address where the same messages are published, if they are;
    ``clock`` gives seconds and only serves to see that results have stopped coming; ``home`` makes another first screen.
    With ``alone`` the process is the screen's: what is there once it stands is kept out of Python's garbage collections.
    ``preferences`` has what the person chose before; without it choices last as long as the screen.
    """
    options: dict[str, Any] = {"exit_on_end": exit_on_end, "feed": feed, "home": home, "preferences": preferences}
    app = StreamSerApp(source, controls, title=title, clock=clock, **options)
    if alone:
        app.call_later(app.set_timer, STANDS_S, gc.freeze)
    return app
