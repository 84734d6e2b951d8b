"""What ``live``, ``replay`` and ``analyze`` do: open a source, run it through a runtime, show it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.parties import SidedSource
from stream_ser.audio.pipe import Pipe
from stream_ser.audio.recording import open_recording
from stream_ser.audio.source import Source
from stream_ser.calls.hearing import Hearing, prepare
from stream_ser.cli.call_lines import CallPrinter
from stream_ser.cli.complaint import complain
from stream_ser.cli.console import LinePrinter
from stream_ser.cli.ending import Ending, next_steps
from stream_ser.cli.folder_options import execution_of, is_url, refuse_for_files
from stream_ser.cli.options import FEED, SPARE_PORTS, parse_place, parse_speed
from stream_ser.cli.parties import OF_SPLIT, call_options, heard
from stream_ser.cli.save_as import Kept, ask
from stream_ser.cli.screen import has_terminal, load_screen, show, tell_addresses
from stream_ser.cli.working import Working, running
from stream_ser.controls.local_stream import StreamController
from stream_ser.controls.recording import RecordingController
from stream_ser.errors import ConfigError, StreamSerError, as_person_error
from stream_ser.feed.envelope import stream_of
from stream_ser.feed.hub import Sink
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.runtime import Options, Running, Runtime, run_to_end
from stream_ser.pipeline.session import Session
from stream_ser.printable import printable
from stream_ser.text.choice import TextOptions


def live(options: argparse.Namespace) -> int:
    """Listen to a microphone, or to those of browsers, until someone ends it."""
    if options.browser:
        from stream_ser.cli.browser import listen_in_browsers

        return listen_in_browsers(options, _runtime_options(options))
    from stream_ser.audio.microphone import open_microphone
    from stream_ser.controls.microphone import NAME, MicrophoneController

    with closing(open_microphone(options.device)) as source:
        return _show(source, NAME, options, lambda runtime: MicrophoneController(runtime, source, options.device))


def replay(options: argparse.Namespace) -> int:
    """Play a recording, or raw samples from standard input."""
    speed, begin_s = parse_speed(options.speed), 0.0 if options.place is None else parse_place(options.place)
    if len(options.files) > 1:
        from stream_ser.cli.replay_many import together

        _refuse_together(options)
        on_screen = not options.headless and has_terminal()
        return together(_runtime_options(options), options.files, speed, options.verbose, on_screen)
    (file,) = options.files
    if file == "-":
        if options.place is not None:
            raise ConfigError(f"--from {options.place} was given for a pipe", fix="leave it out, or play a file")
        return _replay_pipe(options)
    if options.rate is not None:
        raise ConfigError(
            f"--rate {options.rate} was given for a file, which says its own rate", fix="leave --rate out"
        )
    with closing(open_recording(file, speed=speed, begin_s=begin_s, **heard(options))) as source:
        path = Path(file)
        return _show(source, path.name, options, lambda runtime: RecordingController(runtime, source, path), file=path)


def demo(options: argparse.Namespace) -> int:
    """Play the bundled recording, with what ``replay`` takes."""
    whole = {"rate": None, "parties": "mix", "track": None, **dict.fromkeys(OF_SPLIT)}
    return replay(argparse.Namespace(**vars(options), files=[str(bundled_recording())], **whole))


def analyze(options: argparse.Namespace) -> int:
    """Work through recordings, or a folder of them, as fast as the machine can; one bad file does not stop the rest."""
    if any(is_url(file) or Path(file).is_dir() for file in options.files):
        return _analyze_folder(options)
    refuse_for_files(options)
    if options.transcript is not None and len(_unique(options.files)) > 1:
        raise ConfigError(
            f"one transcript was given for {len(options.files)} recordings",
            fix="analyse them one by one with their own",
        )
    from stream_ser.cli.replay_many import Totals

    failed, totals, interrupted = 0, Totals(), False
    chosen, call = heard(options), call_options(options)
    with running(_runtime_options(options)) as runtime:
        printer = LinePrinter(verbose=options.verbose) if call is None else CallPrinter(options.verbose)
        runtime.hub.attach(printer)
        runtime.hub.attach(totals)
        for file in _unique(options.files):
            try:
                with closing(open_recording(file, speed=None, **chosen)) as source:
                    session = prepare(runtime, source, _stream_name(file, options.files), call)
                    if interrupted := run_to_end(session, lambda: printer.error):
                        break
            except StreamSerError as error:
                failed += 1
                complain(error)
            except KeyboardInterrupt:  # between two of them
                interrupted = True
                break
    if len(totals.ends) > 1:
        print(printable("\n".join(["", *totals.table()]), keep="\n"))
    if interrupted:
        return 130
    if failed and len(options.files) > 1:  # of one, its own line said it
        told = f"{failed} of {len(options.files)} recordings could not be analysed to their end"
        complain(told)
    return 2 if failed else 0


def export(options: argparse.Namespace) -> int:
    """Write files of other formats from a file of messages."""
    from stream_ser.export.convert import beside, convert
    from stream_ser.export.formats import by_names

    for form, place in beside(options.file, by_names(options.to), options.out):
        with Working(f"writing {place}"):
            written = convert(options.file, [(form, place)])
        for path in written:
            print(printable(str(path)))
    return 0


def bench(options: argparse.Namespace) -> int:
    """Measure this machine."""
    from stream_ser.bench.job import QUICK, Effort
    from stream_ser.bench.report import show
    from stream_ser.bench.run import bench as measure
    from stream_ser.bench.run import count_parts
    from stream_ser.engine.loading import load_backend, load_card

    recording = Path(options.file) if options.file else bundled_recording()
    with closing(open_recording(recording, speed=None)):
        pass  # a file that cannot be read is told of here, not in the child
    effort, long = (QUICK, "half a minute") if options.quick else (Effort(), "two or three minutes")
    with Working(f"measuring for {long}, part", count_parts(options.engine, options.peers)) as working:
        load_backend(*load_card(options.model), options.engine).close()
        result = measure(options.model, options.engine, recording, peers=options.peers, effort=effort, tell=working.now)
    print(json.dumps(result, indent=1) if options.json else show(result))
    return 0


def _analyze_folder(options: argparse.Namespace) -> int:
    from stream_ser.archive.analysis import Job
    from stream_ser.cli.analyze_folder import analyze_folder
    from stream_ser.export.formats import by_names

    if len(options.files) > 1 or options.transcript is not None:
        what = "a transcript" if options.transcript is not None else "other recordings"
        raise ConfigError(f"{what} and a folder were given", fix="analyse the folder alone")
    (folder,) = options.files
    if options.out is None:
        raise ConfigError(f"{folder} is a folder", fix="say where its results go: --out FOLDER")
    execution = execution_of(options)
    running = replace(_runtime_options(options), out=None)
    formats = tuple(form.name for form in by_names(options.to or "jsonl"))
    job = Job(running, folder, str(options.out), formats, Hearing(heard(options), call_options(options)))
    return analyze_folder(job, execution)


def _refuse_together(options: argparse.Namespace) -> None:
    """Raise ConfigError for what belongs to one recording."""
    parties = None if options.parties == "mix" else options.parties
    given = {
        "a transcript": options.transcript,
        "--from": options.place,
        "--parties": parties,
        "--track": options.track,
    }
    what = next((name for name, value in given.items() if value is not None), "standard input")
    if what != "standard input" or "-" in options.files:
        raise ConfigError(f"{what} was given for {len(options.files)} recordings at once", fix="play it alone")


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
    file: Path | None = None,
) -> int:
    """Run one stream with a controller on the screen, or as lines where there is no terminal, or no controller for it.

    ``file`` is the recording that it comes from, None for sound that cannot be heard again.
    """
    talking, call = has_terminal(), call_options(options)
    on_screen = (
        talking and call is None and controller is not None and not options.headless
    )  # it has room for one stream
    meanwhile = load_screen if on_screen else lambda: None
    with running(_runtime_options(options), pages=True, meanwhile=meanwhile) as runtime, ExitStack() as kept:
        tell_addresses(runtime.feed_url, runtime.feed_moved_from)
        unsaved = (
            kept.enter_context(Kept(runtime.hub, stream)) if talking and file is None and options.out is None else None
        )
        try:
            if call is not None:
                ending = _run_call(prepare(runtime, source, stream, call), runtime, options.verbose)
            elif controller is not None and on_screen:
                ending = _run_screen(runtime, controller(runtime), options.verbose)
            else:
                ending = _run_headless(runtime, runtime.session(source, stream), options.verbose)
        finally:  # also where the microphone was pulled out: what it heard until then is as good as ever
            saved = ask(unsaved) if unsaved is not None and unsaved.points else options.out
    steps = next_steps(options, file, ending, saved) if talking and call is None else []
    if steps:
        print(printable("\n".join(steps), keep="\n"))
    return 0


def _run_call(call: Running, runtime: Runtime, verbose: bool) -> Ending:
    printer = CallPrinter(verbose)
    runtime.hub.attach(printer)
    run_to_end(call, lambda: printer.error)
    return Ending()


def _run_headless(runtime: Runtime, session: Session, verbose: bool = False) -> Ending:
    printer = LinePrinter(verbose=verbose)
    runtime.hub.attach(_only(session.name, printer))
    run_to_end(session, lambda: printer.error)
    return printer.ending


def _run_screen(runtime: Runtime, controller: StreamController, verbose: bool = False) -> Ending:
    ending = Ending()
    runtime.hub.attach(_only(controller.name, ending))
    try:
        controller.start()
        show(controller, controller, feed=runtime.feed_url)
    finally:
        controller.close()
    if ending.end is not None:
        print(printable("\n".join(ending.lines(verbose)), keep="\n"))
    if controller.error is not None:
        raise as_person_error(controller.error)
    return ending


def _only(stream: str, sink: Sink) -> Sink:
    """A sink for the messages of one stream: what pages bring besides is shown by them."""

    def take(message: Message) -> None:
        if stream_of(message) == stream:
            sink(message)

    return take


def _runtime_options(options: argparse.Namespace) -> Options:
    text = TextOptions(options.text, getattr(options, "transcript", None), options.show_text)
    feed, spare_ports = (FEED, SPARE_PORTS) if options.feed is None else (options.feed, 0)
    return Options(
        options.model, options.engine, options.hop, feed, options.out, text, options.baseline, spare_ports=spare_ports
    )


def _unique(files: list[str]) -> list[str]:
    return list(dict.fromkeys(files))


def _stream_name(file: str, files: list[str]) -> str:
    """A recording's name, or its path where two recordings have the same name."""
    name = Path(file).name
    return name if sum(Path(other).name == name for other in _unique(files)) == 1 else file
