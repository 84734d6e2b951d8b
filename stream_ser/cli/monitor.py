"""What ``live``, ``replay`` and ``analyze`` do: open a source, run it through a runtime, show it."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.parties import SidedSource
from stream_ser.audio.pipe import Pipe
from stream_ser.audio.recording import open_recording
from stream_ser.audio.source import Source
from stream_ser.cli.call_lines import CallPrinter
from stream_ser.cli.console import LinePrinter, summary
from stream_ser.cli.options import parse_speed
from stream_ser.cli.parties import OF_SPLIT, call_options, heard, prepare
from stream_ser.cli.replay_many import together
from stream_ser.cli.screen import has_terminal, show, tell_addresses
from stream_ser.controls.local_stream import StreamController
from stream_ser.controls.recording import RecordingController
from stream_ser.errors import ConfigError, StreamSerError, as_person_error
from stream_ser.feed.message_types import EndMessage, Message
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end
from stream_ser.text.choice import TextOptions


def live(options: argparse.Namespace) -> int:
    """Listen to a microphone until someone ends it."""
    from stream_ser.audio.microphone import open_microphone
    from stream_ser.controls.microphone import NAME, MicrophoneController

    with closing(open_microphone(options.device)) as source:
        return _show(source, NAME, options, lambda runtime: MicrophoneController(runtime, source, options.device))


def replay(options: argparse.Namespace) -> int:
    """Play a recording, or raw samples from standard input."""
    speed = parse_speed(options.speed)
    if len(options.files) > 1:
        if options.parties != "mix" or options.track is not None:
            what = f"--parties {options.parties}" if options.parties != "mix" else f"--track {options.track}"
            raise ConfigError(
                f"{what} was given for {len(options.files)} recordings at once", fix="play them one by one"
            )
        return together(
            _runtime_options(options, feed=options.feed), options.files, speed, transcript=options.transcript
        )
    (file,) = options.files
    if file == "-":
        return _replay_pipe(options)
    if options.rate is not None:
        raise ConfigError(
            f"--rate {options.rate} was given for a file, which says its own rate", fix="leave --rate out"
        )
    with closing(open_recording(file, speed=speed, **heard(options))) as source:
        return _show(source, Path(file).name, options, lambda runtime: RecordingController(runtime, source, Path(file)))


def demo(options: argparse.Namespace) -> int:
    """Play the bundled recording, with what ``replay`` takes."""
    whole = {"rate": None, "parties": "mix", "track": None, **dict.fromkeys(OF_SPLIT)}
    return replay(argparse.Namespace(**vars(options), files=[str(bundled_recording())], **whole))


def analyze(options: argparse.Namespace) -> int:
    """Work through recordings, or a folder of them, as fast as the machine can; one bad file does not stop the rest."""
    if any(Path(file).is_dir() for file in options.files):
        return _analyze_folder(options)
    if options.to is not None:
        raise ConfigError(
            f"--to {options.to} was given for a file", fix="let the name after --out say the format, as --out a.csv"
        )
    if options.transcript is not None and len(_unique(options.files)) > 1:
        raise ConfigError(
            f"one transcript was given for {len(options.files)} recordings",
            fix="analyse them one by one with their own",
        )
    failed, chosen = 0, heard(options)
    with Runtime(_runtime_options(options, feed=options.feed)) as runtime:
        printer = Printer(runtime, options)
        for file in _unique(options.files):
            try:
                with closing(open_recording(file, speed=None, **chosen)) as source:
                    if printer.run(source, _stream_name(file, options.files)):
                        return 130
            except StreamSerError as error:
                failed += 1
                print(f"stream-ser: {error}", file=sys.stderr)
    if failed and len(options.files) > 1:  # of one, its own line said it
        told = f"{failed} of {len(options.files)} recordings could not be analysed to their end"
        print(f"stream-ser: {told}", file=sys.stderr)
    return 2 if failed else 0


def export(options: argparse.Namespace) -> int:
    """Write files of other formats from a file of messages."""
    from stream_ser.export.convert import beside, convert
    from stream_ser.export.formats import by_names

    for path in convert(options.file, beside(options.file, by_names(options.to), options.out)):
        print(path)
    return 0


def bench(options: argparse.Namespace) -> int:
    """Measure this machine."""
    from stream_ser.bench.job import QUICK, Effort
    from stream_ser.bench.report import show
    from stream_ser.bench.run import bench as measure
    from stream_ser.engine.loading import load_backend, load_card

    recording = Path(options.file) if options.file else bundled_recording()
    with closing(open_recording(recording, speed=None)):
        pass  # a file that cannot be read is told of here, not in the child
    load_backend(*load_card(options.model), options.engine).close()
    effort = QUICK if options.quick else Effort()
    result = measure(options.model, options.engine, recording, peers=options.peers, effort=effort, tell=_tell_measured)
    print(json.dumps(result, indent=1) if options.json else show(result))
    return 0


def _analyze_folder(options: argparse.Namespace) -> int:
    from stream_ser.cli.analyze_folder import Hearing, analyze_folder
    from stream_ser.export.formats import by_names

    if len(options.files) > 1 or options.transcript is not None:
        what = "a transcript" if options.transcript is not None else "other recordings"
        raise ConfigError(f"{what} and a folder were given", fix="analyse the folder alone")
    (folder,) = options.files
    if options.out is None:
        raise ConfigError(f"{folder} is a folder", fix="say where its results go: --out FOLDER")
    running = replace(_runtime_options(options, feed=options.feed), out=None)
    hearing = Hearing(heard(options), call_options(options))
    return analyze_folder(running, Path(folder), options.out, by_names(options.to or "jsonl"), hearing)


def _tell_measured(part: str) -> None:
    """For whoever waits at a terminal: it takes a minute or two."""
    if sys.stderr.isatty():
        print(f"measuring: {part}", file=sys.stderr, flush=True)


def _replay_pipe(options: argparse.Namespace) -> int:
    if options.rate is None:
        raise ConfigError("raw samples do not say their rate", fix="give it, for example: --rate 16000")
    if not 4_000 <= options.rate <= 384_000 or not 1 <= options.channels <= 64:
        raise ConfigError(
            f"raw samples at {options.rate} Hz with {options.channels} channels are not sound",
            fix="give --rate between 4000 and 384000 and --channels between 1 and 64",
        )
    if options.track is not None:
        raise ConfigError(f"--track {options.track} was given for raw samples", fix="leave it out")
    if sys.stdin.isatty():
        raise ConfigError("standard input is a keyboard, not sound", fix="pipe raw samples into stream-ser replay -")
    with closing(
        Pipe(
            sys.stdin.buffer,
            rate=options.rate,
            channels=options.channels,
            encoding=options.format,
            parties=heard(options)["parties"],
        )
    ) as source:
        return _show(source, "pipe", options)


def _show(
    source: Source | SidedSource,
    stream: str,
    options: argparse.Namespace,
    controller: Callable[[Runtime], StreamController] | None = None,
) -> int:
    """Run one stream with a controller on the screen, or as lines where there is no terminal, or no controller for it."""
    with Runtime(_runtime_options(options, feed=options.feed)) as runtime:
        tell_addresses(runtime.feed_url)
        if controller is None or options.headless or not has_terminal() or _is_split(options):
            Printer(runtime, options).run(source, stream)
        else:
            _run_screen(runtime, controller(runtime))
    return 0


def _is_split(options: argparse.Namespace) -> bool:
    return getattr(options, "parties", "mix") == "split"


class Printer:
    """Runs sources without a screen, as lines: each as a stream, or one that is split as a call."""

    def __init__(self, runtime: Runtime, options: argparse.Namespace) -> None:
        self._runtime = runtime
        self._call = call_options(options) if _is_split(options) else None
        self._sink = LinePrinter() if self._call is None else CallPrinter()
        runtime.hub.attach(self._sink)

    def run(self, source: Source | SidedSource, name: str) -> bool:
        """Run one to its end; True when Ctrl-C ended it. Raises what ended it, and OSError where nobody reads any more."""
        return run_to_end(prepare(self._runtime, source, name, self._call), lambda: self._sink.error)


def _run_screen(runtime: Runtime, controller: StreamController) -> None:
    last: deque[EndMessage] = deque(maxlen=1)  # of the stream that ended last

    def note_end(message: Message) -> None:
        if message["type"] == "end":
            last.append(message)

    runtime.hub.attach(note_end)
    try:
        controller.start()
        show(controller, controller, feed=runtime.feed_url)
    finally:
        controller.close()
    for message in last:
        print("\n".join(summary(message)))
    if controller.error is not None:
        raise as_person_error(controller.error)


def _runtime_options(options: argparse.Namespace, feed: str) -> Options:
    text = TextOptions(options.text, getattr(options, "transcript", None), options.show_text)
    return Options(options.model, options.engine, options.hop, feed, options.out, text, options.baseline)


def _unique(files: list[str]) -> list[str]:
    return list(dict.fromkeys(files))


def _stream_name(file: str, files: list[str]) -> str:
    """A recording's name, or its path where two recordings have the same name."""
    name = Path(file).name
    return name if sum(Path(other).name == name for other in _unique(files)) == 1 else file
