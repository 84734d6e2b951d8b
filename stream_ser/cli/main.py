"""The command line: ``stream-ser COMMAND``, from the words that are typed to the exit code.

Expected failures are one line on stderr and exit code 2. Imports that cost time wait until a command needs them.
"""

from __future__ import annotations

import argparse
import gc
import io
import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import stream_ser
from stream_ser.cli.commands import parser
from stream_ser.cli.complaint import complain
from stream_ser.cli.grammar import Parser
from stream_ser.cli.opening import opening
from stream_ser.errors import StreamSerError

# New objects before Python looks for garbage among them. A start makes a hundred thousand, and all of them stay: at Python's
# own 700 it would look 150 times, which is a tenth of the start.
YOUNG = 20_000
SHORT = f"""stream-ser {stream_ser.__version__}: hear, live, how speech sounds emotionally

  stream-ser demo             watch the recording that comes with it
  stream-ser live             listen to the microphone
  stream-ser replay FILE      watch a recording
  stream-ser analyze FILE…    every point of recordings or a folder, as fast as the machine can
  stream-ser serve            take telephone calls
  stream-ser models           what there is to judge with
  stream-ser doctor           is everything here, and if not, what to do

all commands: stream-ser --help; one of them: stream-ser COMMAND --help
"""


def _run(top: Parser, arguments: Sequence[str] | None) -> int:
    """Parse and carry out a command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["config"]:  # it says what is wrong with the file, and where to find it, so it must not need it
        from stream_ser.cli.config import config

        return config(top.parse_args(given), top)
    if given[:1] == ["completion"]:
        from stream_ser.cli.completion import completion

        return completion(top.parse_args(given), top)

    def with_own_defaults(command: Parser) -> None:
        from stream_ser.cli.config import apply

        apply(command, top)

    for command in top.commands.values():
        command.before = with_own_defaults
    options = top.parse_args(given)
    with opening(options):
        return run(options)


def run(options: argparse.Namespace) -> int:
    """Carry out a parsed command and return the exit code."""
    if options.command is None:
        print(SHORT, end="")
        return 0
    if options.command == "devices":
        from stream_ser.cli.listing import print_devices

        return print_devices()
    if options.command == "models":
        from stream_ser.cli.listing import print_models

        return print_models(options.name)
    if options.command == "doctor":
        from stream_ser.cli.doctor import report

        return 0 if report(options.model, options.engine, options.feed) else 2
    if options.command in ("serve", "token", "calls"):
        from stream_ser.cli import calls
        from stream_ser.cli import serve as server

        return {"serve": server.serve, "token": server.token, "calls": calls.calls}[options.command](options)
    if options.command == "watch":
        from stream_ser.cli.watch import watch

        return watch(options)
    from stream_ser.cli import monitor

    return {
        "live": monitor.live,
        "demo": monitor.demo,
        "replay": monitor.replay,
        "analyze": monitor.analyze,
        "export": monitor.export,
        "bench": monitor.bench,
    }[options.command](options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a console without bars must still show the words
    try:
        return _run(parser(), arguments)
    except StreamSerError as error:
        complain(error)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our lines has gone: nothing is left to say, and to nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def entry() -> NoReturn:
    """End the process with what ``main`` returns."""
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    leave(main())


def leave(code: int) -> NoReturn:
    """End the process, and at once where tearing Python down would do harm: nothing is left by then that needs it.

    A thread that nobody needs any more, but that is in native code, would abort the process, whatever it has done before.
    After a screen, taking down its hundreds of modules would take as long as everything else in leaving it.
    """
    logging.shutdown()
    busy = any(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    if busy or "textual" in sys.modules:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    entry()
