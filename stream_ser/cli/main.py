"""The command line: ``stream-ser COMMAND``; ``parser`` has them all.

Expected failures are one line on stderr and exit code 2. Imports that cost time wait until a command needs them.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import stream_ser
from stream_ser.cli.complaint import complain
from stream_ser.cli.grammar import Parser, Subcommands
from stream_ser.cli.opening import opening
from stream_ser.cli.options import FEED, TOKEN
from stream_ser.cli.parties import add_options
from stream_ser.cli.serve import add_parsers
from stream_ser.errors import StreamSerError
from stream_ser_models.card import DEFAULT

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
EPILOG = """examples:
  stream-ser demo                                watch the recording that comes with it
  stream-ser replay talk.flac                    watch a recording at the speed it was spoken
  stream-ser replay talk.flac --speed max        the same trajectory, as fast as the machine can
  stream-ser live --device "USB"                 listen to the microphone whose name contains USB
  stream-ser live --browser                      listen to a browser's microphone, also from another machine
  stream-ser analyze *.wav --out all.jsonl       no screen, no feed: every point as a line of JSON
  stream-ser analyze ARCHIVE --out RESULTS --to csv,svg   a whole folder; started again, it goes on
  stream-ser export all.jsonl --to textgrid,png  the same for other programs and for people
  stream-ser watch https://calls.example.org     any feed on the same screen; many streams as a grid
  stream-ser watch all.jsonl                     a session that --out has recorded, played again
  arecord -t raw -f S16_LE -r 16000 | stream-ser replay - --rate 16000

While a stream runs, its trajectory is also at ws://127.0.0.1:8765/v1/feed (docs/protocol.md).
The labels say how speech sounds to listeners, not what anyone feels (docs/responsible-use.md).
"""


def parser() -> Parser:
    """The command line's grammar and help."""
    raw = argparse.RawDescriptionHelpFormatter
    top = Parser(
        prog="stream-ser",
        description="Hear, live, how speech sounds emotionally: a calibrated trajectory on screen and over a websocket.",
        epilog=EPILOG,
        formatter_class=raw,
    )
    top.add_argument("--version", action="version", version=f"stream-ser {stream_ser.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    model = Parser(add_help=False)
    model.add_argument(
        "--model", default=DEFAULT, metavar="NAME", help=f"shipped model or a checkpoint's folder (default: {DEFAULT})"
    )
    model.add_argument(
        "--engine", default="auto", metavar="NAME", help="auto, cuda-graph, cuda, onnx-cuda, onnx or torch"
    )
    common = Parser(add_help=False, parents=[model])
    common.add_argument(
        "--hop", type=float, default=0.25, metavar="S", help="seconds between two points (default: 0.25)"
    )
    common.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write all to a .jsonl, .csv, .rttm, .TextGrid, .vtt, .txt, .png or .svg",
    )
    common.add_argument(
        "--text",
        default="auto",
        metavar="NAME",
        help="words for models that read them: pocketsphinx, transcript or none",
    )
    common.add_argument(
        "--no-baseline",
        dest="baseline",
        action="store_false",
        help="judge every window by itself, whatever this voice said before",
    )
    common.add_argument("--show-text", action="store_true", help="show words on screen, feed and files; else nowhere")
    transcript = Parser(add_help=False)
    transcript.add_argument("--transcript", type=Path, metavar="FILE", help="words in jsonl, csv, tsv, vtt or srt")
    paced = Parser(add_help=False)
    paced.add_argument("--speed", default="1", metavar="N", help="times real time, or max (default: 1)")
    paced.add_argument("--from", dest="place", metavar="M:SS", help="begin at this place of the recording")
    common.add_argument("-v", "--verbose", action="store_true", help="tell at the end how long everything took")
    common.add_argument("--headless", action="store_true", help="print a line a second instead of opening the screen")
    feed, no_feed = (
        _feed_option(None, f"{FEED} or, where that is taken, the next free port"),
        _feed_option("off", "off"),
    )

    live = commands.add_parser("live", parents=[common, feed], help="listen to a microphone")
    live.add_argument("--device", metavar="D", help="number, name, or part of a name (default: the system's)")
    live.add_argument("--browser", action="store_true", help="listen to the microphones of browsers that open the page")
    commands.add_parser("demo", parents=[common, feed, paced, transcript], help="play the recording that comes with it")
    replay = commands.add_parser(
        "replay", parents=[common, feed, paced, transcript], help="play a recording, or raw samples from a pipe (-)"
    )
    replay.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="wav, flac, ogg, mp3, m4a, webm, a video …, several at once; or - for raw samples on standard input",
    )
    add_options(replay)
    replay.add_argument("--rate", type=int, metavar="HZ", help="rate of raw samples (only with -)")
    replay.add_argument("--channels", type=int, default=1, metavar="N", help="channels of raw samples (only with -)")
    replay.add_argument("--format", default="s16le", choices=["s16le", "f32le"], help="raw samples (default: s16le)")
    analyze = commands.add_parser(
        "analyze", parents=[common, no_feed, transcript], help="work through recordings without pacing"
    )
    analyze.add_argument("files", metavar="FILE", nargs="+", help="as for replay; or a folder, with --out FOLDER")
    add_options(analyze)
    told = "jsonl, csv, csv-excel, rttm, textgrid, vtt, audformat, audacity, png, svg"
    analyze.add_argument("--to", metavar="A,B", help=f"for a folder: {told} (default: jsonl)")
    _add_watch(commands)
    export = commands.add_parser("export", help="write files of other formats from a file of messages")
    export.add_argument("file", type=Path, metavar="FILE.jsonl", help="what --out wrote")
    export.add_argument("--to", required=True, metavar="A,B", help=told)
    export.add_argument("--out", type=Path, metavar="FOLDER", help="where to (default: beside the file)")
    bench = commands.add_parser(
        "bench", parents=[model], help="measure cost, speed, streams carried, start and memory on one thread"
    )
    bench.add_argument("file", nargs="?", metavar="FILE", help="recording to run through (default: the bundled one)")
    bench.add_argument("--quick", action="store_true", help="half a minute instead of two or three; rough figures")
    bench.add_argument("--json", action="store_true", help="print the figures as JSON")
    bench.add_argument("--peers", action="store_true", help="time what else one could use, where it is installed")
    commands.add_parser("devices", help="list the sound inputs")
    commands.add_parser("doctor", parents=[model, feed], help="check engine, sound, feed; say what to do")
    add_parsers(commands)
    models = commands.add_parser("models", help="list the models with cost, figures and licence")
    models.add_argument(
        "name", nargs="?", metavar="NAME", help="everything about this one, or about a checkpoint's folder"
    )
    config = commands.add_parser("config", help="show your own defaults, or begin a file of them")
    config.add_argument("verb", nargs="?", choices=["show", "init", "path"], default="show", help="(default: show)")
    completion = commands.add_parser("completion", help="print what makes a shell complete commands and options")
    completion.add_argument("shell", nargs="?", metavar="SHELL", help="bash, zsh, fish or tcsh (default: SHELL's)")
    return top


def _add_watch(commands: Subcommands[Parser]) -> None:
    watch = commands.add_parser(
        "watch",
        help="show any feed, or a session that was recorded",
        description="Show a feed of another process or machine, or what --out FILE.jsonl has written, on the same screen.",
    )
    watch.add_argument("target", metavar="URL|FILE", help="ws://HOST:PORT, https://HOST, HOST:PORT, or a .jsonl file")
    watch.add_argument("--token", help=f"a viewer's token, where the feed wants one; better in {TOKEN}")
    watch.add_argument("--call", metavar="ID", help="only what belongs to this call")
    watch.add_argument("--stream", metavar="NAME", help="only this stream")
    watch.add_argument("--hz", type=float, metavar="N", help="at most N points a second of each stream")
    watch.add_argument("--speed", default="1", metavar="N", help="of a file: times real time, or max for all at once")
    watch.add_argument("-v", "--verbose", action="store_true", help="tell at the end how long everything took")
    watch.add_argument("--headless", action="store_true", help="print a line a second instead of opening the screen")


def _feed_option(default: str | None, shown: str) -> Parser:
    parent = Parser(add_help=False)
    told = f"where to serve the feed, or off (default: {shown})"
    parent.add_argument("--feed", default=default, metavar="HOST:PORT", help=told)
    return parent


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
