"""Show a source on the terminal until somebody leaves: what ``live``, ``replay`` and ``watch`` have in common.

Runs on the caller's thread. C libraries' complaints are kept off the screen and shown after it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stream_ser.cli.opening import present
from stream_ser.controls.capabilities import Controls, MessageSource
from stream_ser.errors import ConfigError

if TYPE_CHECKING:
    from textual.screen import Screen

    from stream_ser.tui.app import StreamSerApp

HELD_BACK = 4096  # bytes of what C libraries said during a screen that are shown after it


def has_terminal() -> bool:
    """Whether there is a terminal to draw on and to take keys from: without keys nobody could end a screen."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def follow_terminal() -> None:
    """Have the terminal say how large it is, also when that changes: ``COLUMNS`` and ``LINES`` would fix the screen's size.

    Whoever has GNU readline (a Python or SQL prompt, say) passes them on to all that it starts, and nobody has asked for it.
    They stay where the terminal does not know its size.
    """
    size = os.get_terminal_size(sys.stdout.fileno())
    if size.columns > 0 and size.lines > 0:
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)


def tell_addresses(feed: str | None, moved_from: int | None = None) -> None:
    """Print where the feed and its page are, where there is a feed, and on stderr if that is not where they usually are."""
    from stream_ser.feed.address import page_url

    if feed is None:
        return
    with present().aside():
        if moved_from is not None:
            told = "the feed is at the next free one (--feed HOST:PORT fixes it, --feed off goes without)"
            print(f"stream-ser: port {moved_from} is in use; {told}", file=sys.stderr, flush=True)
        print(f"feed: {feed}\npage: {page_url(feed)}", flush=True)


def load_screen() -> None:
    """Import what ``show`` needs: a quarter of a program's start, which may as well pass while the model is loaded."""
    import stream_ser.tui.app
    import stream_ser.tui.stream_screen  # noqa: F401


def show(
    source: MessageSource,
    controls: Controls,
    *,
    feed: str | None,
    clock: Callable[[], float] = time.monotonic,
    home: Callable[[StreamSerApp], Screen[Any]] | None = None,
) -> None:
    """Open the screen; returns when somebody has left it. ``clock`` gives seconds. Raises ConfigError where it breaks down."""
    from stream_ser.cli.config import config_path
    from stream_ser.tui.app import make_app
    from stream_ser.tui.preferences import Preferences

    follow_terminal()
    with _stderr_held_back():
        choices = Preferences(config_path().with_name("screen.json"))
        options: dict[str, Any] = {"feed": feed, "clock": clock, "home": home, "preferences": choices}
        app = make_app(source, controls, title="stream-ser", alone=True, **options)
        present().hand_over()
        app.run()
    if app.return_code:
        raise ConfigError("the screen broke down", fix="use --headless, and please report what was printed above")


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Keep what C libraries write to the terminal off the screen, and show it afterwards.

    Textual draws through ``sys.__stderr__``, so that goes on to the terminal while file descriptor 2 does not.
    """
    terminal, python_stderr = os.dup(2), sys.__stderr__
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(terminal), "w", encoding="utf-8") as screen:
        os.dup2(held.fileno(), 2)
        sys.__stderr__ = screen  # type: ignore[misc]
        try:
            yield
        finally:
            sys.__stderr__ = python_stderr  # type: ignore[misc]
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            sys.stderr.write(held.read(HELD_BACK).decode(errors="replace"))
