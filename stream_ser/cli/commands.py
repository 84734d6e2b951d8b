"""All commands of the command line, what each takes, and what its help says.

A command's help begins with what it does and ends with examples; options stand under what they are about, and what is used
most comes first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stream_ser
from stream_ser.cli.folder_options import add_folder_options, parse_out
from stream_ser.cli.grammar import Parser, Subcommands
from stream_ser.cli.options import FEED, TOKEN
from stream_ser.cli.parties import add_options
from stream_ser.cli.serve import add_parsers
from stream_ser_models.card import DEFAULT

FORMATS = "jsonl, csv, csv-excel, rttm, textgrid, vtt, audformat, audacity, png, svg"
EPILOG = """examples:
  stream-ser demo                                watch the recording that comes with it
  stream-ser replay talk.flac                    watch a recording at the speed it was spoken
  stream-ser live                                listen to the microphone
  stream-ser live --browser                      listen to a browser's microphone, also from another machine
  stream-ser analyze *.wav --out all.jsonl       no screen: every point as a line of JSON
  stream-ser export all.jsonl --to csv,png       the same as a table and as a picture
  stream-ser watch all.jsonl                     look at it again

words:
  point   what is found every quarter of a second: a state (silence, speech …), how likely each emotion is, and with
          speech a label where one is justified
  feed    while a stream runs, its points are also at ws://127.0.0.1:8765/v1/feed for other programs, and as a page in
          a browser at http://127.0.0.1:8765/
  model   the network that judges; stream-ser models lists them

What a command takes: stream-ser COMMAND --help. Labels say how speech sounds to listeners, not what anyone feels.
"""


def parser() -> Parser:
    """The command line's grammar and help."""
    top = Parser(
        prog="stream-ser",
        usage="%(prog)s COMMAND [options]",
        description="Hear, live, how speech sounds emotionally: angry, happy, neutral or sad, or none that can be told.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"stream-ser {stream_ser.__version__}")
    commands = top.add_subparsers(
        title="commands", prog="stream-ser", dest="command", metavar="COMMAND", parser_class=Parser
    )
    feed = _feed(None, f"{FEED} or, where that is taken, the next free port")
    shown, judged, words, paced = _shown(), _judged(), _words(), _paced()
    model = _model()

    _add(commands, "demo", "play the recording that comes with it", [paced, shown, feed, judged, words], "[options]")
    replay = _add(
        commands,
        "replay",
        "play a recording, or several at once, and watch what is found",
        [paced, shown, feed, judged, words],
        "[options] FILE [FILE ...]",
        "stream-ser replay talk.flac                 as it was spoken",
        "stream-ser replay talk.flac --speed max     the same, as fast as the machine can",
        "stream-ser replay talk.flac --out talk.csv  and keep what is found as a table",
        "stream-ser replay call.wav --parties split  the two sides of a telephone call",
        "arecord -t raw -f S16_LE -r 16000 | stream-ser replay - --rate 16000",
    )
    replay.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="wav, flac, ogg, mp3, m4a, webm, a video …; or - for raw samples on standard input",
    )
    add_options(replay)
    raw = replay.add_argument_group("raw samples (FILE is -)")
    raw.add_argument("--rate", type=int, metavar="HZ", help="how many a second")
    raw.add_argument("--channels", type=int, default=1, metavar="N", help="how many channels (default: 1)")
    raw.add_argument(
        "--format", default="s16le", choices=["s16le", "f32le"], help="how each is written (default: s16le)"
    )
    live = _add(
        commands,
        "live",
        "listen to a microphone",
        [shown, feed, judged, words],
        "[options]",
        "stream-ser live                 the system's default microphone",
        "stream-ser live --device USB    the one whose name contains USB; stream-ser devices lists them",
        "stream-ser live --browser       a browser's, on this machine or another",
    )
    live.add_argument("--device", metavar="D", help="number, name, or part of a name (default: the system's)")
    live.add_argument("--browser", action="store_true", help="listen to the microphones of browsers that open the page")
    analyze = _add(
        commands,
        "analyze",
        "work through recordings or a folder, as fast as the machine can",
        [_shown(parse_out), _feed("off", "off"), judged, words],
        "[options] FILE [FILE ...]",
        "stream-ser analyze *.wav --out all.jsonl                every point as a line of JSON",
        "stream-ser analyze ARCHIVE --out RESULTS --to csv,svg   a whole folder; started again, it goes on",
        "stream-ser analyze s3://calls/2026 --out s3://found/2026 --on ray   object storage, by a cluster's machines",
    )
    analyze.add_argument(
        "files", metavar="FILE", nargs="+", help="as for replay; or a folder, with --out FOLDER (a path or s3://… each)"
    )
    add_options(analyze)
    add_folder_options(analyze, FORMATS)
    _add_watch(commands)
    export = _add(
        commands,
        "export",
        "make tables, pictures and other files of what --out FILE.jsonl has written",
        [],
        "[options] FILE.jsonl",
        "stream-ser export all.jsonl --to csv,textgrid,png",
    )
    export.add_argument("file", type=Path, metavar="FILE.jsonl", help="what --out wrote")
    export.add_argument("--to", required=True, metavar="A,B", help=FORMATS)
    export.add_argument("--out", type=Path, metavar="FOLDER", help="where to (default: beside the file)")
    models = _add(commands, "models", "list the models with cost, figures and licence", [], "[NAME]")
    models.add_argument("name", nargs="?", metavar="NAME", help="all about this one, or about a checkpoint's folder")
    _add(commands, "devices", "list the microphones", [], "")
    _add(commands, "doctor", "check that everything is here, and say what to do if not", [model, feed], "[options]")
    add_parsers(commands)
    bench = _add(
        commands, "bench", "measure what it costs on this machine: time, streams, memory", [model], "[options] [FILE]"
    )
    bench.add_argument("file", nargs="?", metavar="FILE", help="recording to run through (default: the bundled one)")
    bench.add_argument("--quick", action="store_true", help="half a minute instead of two or three; rough figures")
    bench.add_argument("--json", action="store_true", help="print the figures as JSON")
    bench.add_argument("--peers", action="store_true", help="time what else one could use, where it is installed")
    config = _add(commands, "config", "show your own defaults, or begin a file of them", [], "[show|init|path]")
    told = "what holds, begin the file, or where it is (default: show)"
    config.add_argument("verb", nargs="?", choices=["show", "init", "path"], default="show", help=told)
    completion = _add(
        commands, "completion", "have the Tab key complete commands and options in a shell", [], "[SHELL]",
        "stream-ser completion bash > ~/.local/share/bash-completion/completions/stream-ser",
    )  # fmt: skip
    completion.add_argument("shell", nargs="?", metavar="SHELL", help="bash, zsh, fish or tcsh (default: SHELL's)")
    return top


def _add(
    commands: Subcommands[Parser], name: str, does: str, parents: list[Parser], takes: str, *examples: str
) -> Parser:
    """A command; ``takes`` is what its usage shows, for a list of all options is read by nobody."""
    made: Any = commands.add_parser(
        name,
        parents=parents,
        help=does,
        usage=f"stream-ser {name} {takes}".rstrip(),
        description=f"{does[0].upper()}{does[1:]}.",
        epilog="\n  ".join(["examples:", *examples]) if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made  # type: ignore[no-any-return]


def _add_watch(commands: Subcommands[Parser]) -> None:
    watch = _add(
        commands,
        "watch",
        "look at a session that --out FILE.jsonl has kept, or at the feed of another program or machine",
        [],
        "[options] FILE.jsonl|URL",
        "stream-ser watch all.jsonl                   what was kept, played again",
        "stream-ser watch 127.0.0.1:8765              what another stream-ser on this machine hears",
        "stream-ser watch https://calls.example.org   a call server; many streams as a grid",
    )
    watch.add_argument("target", metavar="FILE.jsonl|URL", help="a file, or HOST:PORT, ws://HOST:PORT, https://HOST")
    watch.add_argument("--speed", default="1", metavar="N", help="of a file: times real time, or max for all at once")
    watch.add_argument("--headless", action="store_true", help="print a line a second instead of opening the screen")
    watch.add_argument("-v", "--verbose", action="store_true", help="tell at the end how long everything took")
    feed = watch.add_argument_group("of a feed")
    feed.add_argument("--token", help=f"a viewer's token, where the feed wants one; better in {TOKEN}")
    feed.add_argument("--call", metavar="ID", help="only what belongs to this call")
    feed.add_argument("--stream", metavar="NAME", help="only this stream")
    feed.add_argument("--hz", type=float, metavar="N", help="at most N points a second of each stream")


def _paced() -> Parser:
    parent = Parser(add_help=False)
    parent.add_argument("--speed", default="1", metavar="N", help="times real time, or max (default: 1)")
    parent.add_argument("--from", dest="place", metavar="M:SS", help="begin at this place of the recording")
    return parent


def _shown(place: Callable[[str], Path | str] = Path) -> Parser:
    parent = Parser(add_help=False)
    kept = "keep all that is found, as .jsonl (all of it), .csv, .rttm, .TextGrid, .vtt, .txt, .png or .svg"
    parent.add_argument("--out", type=place, metavar="FILE", help=kept)
    parent.add_argument("--headless", action="store_true", help="print a line a second instead of opening the screen")
    parent.add_argument("-v", "--verbose", action="store_true", help="tell at the end how long everything took")
    return parent


def _feed(default: str | None, shown: str) -> Parser:
    parent = Parser(add_help=False)
    told = f"where other programs and browsers can read along, or off (default: {shown})"
    parent.add_argument("--feed", default=default, metavar="HOST:PORT", help=told)
    return parent


def _model() -> Parser:
    parent = Parser(add_help=False)
    judged = parent.add_argument_group("how it is judged")
    judged.add_argument(
        "--model", default=DEFAULT, metavar="NAME", help=f"one of stream-ser models (default: {DEFAULT})"
    )
    engines = "what computes: cuda-graph, cuda, onnx-cuda, onnx or torch (default: auto, the fastest that is here)"
    judged.add_argument("--engine", default="auto", metavar="NAME", help=engines)
    return parent


def _judged() -> Parser:
    parent = Parser(add_help=False, parents=[_model()])
    judged = next(group for group in parent._action_groups if group.title == "how it is judged")
    judged.add_argument(
        "--hop", type=float, default=0.25, metavar="S", help="seconds between two points (default: 0.25)"
    )
    alone = "judge every two seconds by themselves, whatever this voice said before"
    judged.add_argument("--no-baseline", dest="baseline", action="store_false", help=alone)
    return parent


def _words() -> Parser:
    parent = Parser(add_help=False)
    words = parent.add_argument_group("what is said (for models that read words)")
    where = "where words come from: pocketsphinx, transcript or none (default: auto, what the model needs)"
    words.add_argument("--text", default="auto", metavar="NAME", help=where)
    words.add_argument("--transcript", type=Path, metavar="FILE", help="words in jsonl, csv, tsv, vtt or srt")
    words.add_argument("--show-text", action="store_true", help="show words on screen, feed and files; else nowhere")
    return parent
