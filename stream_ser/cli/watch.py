"""``stream-ser watch``: a feed of another process or machine, or a session that was recorded, on the same screen.

Runs on the caller's thread; the reading of a feed has a thread of its own (:mod:`stream_ser.controls.remote_feed`).
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_ser.cli.console import LinePrinter
from stream_ser.cli.options import TOKEN, parse_speed
from stream_ser.cli.screen import has_terminal, show, tell_addresses
from stream_ser.cli.working import Working
from stream_ser.controls.capabilities import ScreenMessage
from stream_ser.controls.remote_feed import RemoteFeed
from stream_ser.controls.session_file import RecordedSession
from stream_ser.errors import ConfigError
from stream_ser.feed.address import feed_url
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.message_types import Message
from stream_ser.printable import printable

if TYPE_CHECKING:
    from textual.screen import Screen

    from stream_ser.tui.app import StreamSerApp

KEPT_S = 60.0  # how long a stream that has ended stays on the screen
TICK_S = 0.1


def watch(options: argparse.Namespace) -> int:
    """Show what there is to see at the target until somebody leaves."""
    headless = options.headless or not has_terminal()
    if _is_file(options.target):
        return _recorded(options, headless)
    if options.speed != "1":
        raise ConfigError(f"--speed {options.speed} was given for a feed, which comes as it comes", fix="leave it out")
    filters = SubscriptionFilter(call=options.call, stream=options.stream, hz=options.hz, snapshot=True)
    token = options.token or os.environ.get(TOKEN) or None
    with closing(RemoteFeed(feed_url(options.target), filters, token)) as remote:
        remote.start()
        if headless:
            tell_addresses(remote.url)
            print_feed(remote, options.verbose)
        else:
            show(remote, remote, feed=remote.url, home=_all_streams)
    return 0


def _is_file(target: str) -> bool:
    path = Path(target)
    return "://" not in target and (path.exists() or path.suffix in (".jsonl", ".ndjson", ".part"))


def _recorded(options: argparse.Namespace, headless: bool) -> int:
    for name in ("token", "call", "stream", "hz"):
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name} was given for a file", fix="leave it out")
    speed = parse_speed(options.speed)
    with Working(f"reading {options.target}") if headless else nullcontext():  # a screen has said it in its first frame
        session = RecordedSession(Path(options.target), speed)
    with closing(session):
        if headless:
            _print_session(session, options.verbose)
        else:
            show(session, session, feed=None, clock=session.now, home=None if session.streams == 1 else _all_recorded)
    return 0


def _all_streams(app: StreamSerApp) -> Screen[Any]:
    return app.grid(keep_s=KEPT_S, open_single=True)


def _all_recorded(app: StreamSerApp) -> Screen[Any]:
    return app.grid()


class Lines:
    """Prints the messages of many streams: where there are several, each line begins with its stream's name."""

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self._printers: dict[str, LinePrinter] = {}

    def __call__(self, message: ScreenMessage) -> None:
        """Take one message. Raises OSError where nobody reads any more."""
        if message["type"] == "rewind":  # lines that are printed stay
            return
        if "stream" in message:
            self._print(message["stream"], message)
        elif message["type"] == "notice":
            print(printable(message["text"]), flush=True)

    def _print(self, stream: str, message: Message) -> None:
        printer = self._printers.setdefault(stream, LinePrinter(verbose=self._verbose))
        printer.name = stream if len(self._printers) > 1 else ""
        printer(message)
        if printer.error is not None:
            raise printer.error
        if message["type"] == "end":
            del self._printers[stream]


def print_feed(remote: RemoteFeed, verbose: bool) -> None:
    """Print a line a second of each stream until the feed is gone for good. Raises ConfigError then."""
    lines, told = Lines(verbose), False
    while remote.alive:
        for message in remote.drain():
            lines(message)
        trouble = remote.trouble
        if (trouble is not None) != told:
            told = trouble is not None
            print(printable(trouble or "connected again"), flush=True)
        time.sleep(TICK_S)
    raise ConfigError(f"the feed is gone for good: {remote.trouble}", fix="start stream-ser watch again")


def _print_session(session: RecordedSession, verbose: bool) -> None:
    lines = Lines(verbose)
    while not session.over:
        for message in session.drain():
            lines(message)
        if not session.over:
            time.sleep(0.0 if session.speed is None else TICK_S)
