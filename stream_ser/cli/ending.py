"""What is told when a stream is over: the trajectory at a glance, its figures, and what can be done next.

A hub sink of one stream. Wording is "expressed", never "feels".
"""

from __future__ import annotations

import shlex
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from stream_ser.cli.glance import Glance
from stream_ser.feed.message_types import EndMessage, HelloMessage, Message
from stream_ser.printable import printable
from stream_ser.types import SAMPLE_RATE
from stream_ser_models.card import DEFAULT


class Ending:
    """Follows one stream; where another begins, that one."""

    def __init__(self) -> None:
        self.glance: Glance | None = None
        self.end: EndMessage | None = None  # of the stream that ended last
        self._hello: HelloMessage | None = None

    def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "hello":
            self._hello, self.glance = message, Glance(message)
        elif message["type"] in ("point", "gap") and self.glance is not None:
            self.glance.take(message)
        elif message["type"] == "end":
            self.end = message

    def lines(self, verbose: bool = False) -> list[str]:
        """What was heard; with ``verbose`` what it cost too. None where nothing has ended."""
        end, hello, glance = self.end, self._hello, self.glance
        if end is None:
            return []
        told = [
            f"{end['reason']}: {end['duration_s']:.1f} s of sound, {end['points']} points, {end['dropped']} windows dropped"
        ]
        if hello is not None and end["points"] == 0:
            every = hello["hop"] / hello["sample_rate"]
            short = f"too short for a point: {end['duration_s']:.2f} s of sound, and a point comes every {every:g} s"
            return [*told, short]
        if glance is not None:
            told += glance.lines(end["summary"]["share"], shutil.get_terminal_size().columns)
        return [*told, _expressed(end), *(_costs(end) if verbose else ())]

    def place_s(self) -> tuple[float, str] | None:
        """Where the longest stretch of one label begins, s of the recording, and which label; None where there is none."""
        if self._hello is None or self.glance is None or self.glance.longest is None:
            return None
        begin = self.glance.longest.start / SAMPLE_RATE + float(self._hello["source"].get("offset_s") or 0.0)
        return begin, self.glance.longest.label


def _expressed(end: EndMessage) -> str:
    told = end["summary"]
    parts = sorted(((part, label) for label, part in told["share"].items() if part > 0), reverse=True)
    share = ", ".join(f"{label} {100 * part:.0f} %" for part, label in parts) or "none"
    return (
        f"expressed emotion where labelled: {share}; speech {told['speech_s']:.1f} s, silence {told['silence_s']:.1f} s"
    )


def _costs(end: EndMessage) -> Iterator[str]:
    compute, age = (end["summary"]["ledger"][stage] for stage in ("compute_ms", "age_ms"))
    if compute is not None:
        yield f"the model took {compute['p50']:.1f} ms a window (p99 {compute['p99']:.1f})"
    if age is not None:
        yield f"a point came {age['p50']:.1f} ms after its sound (p99 {age['p99']:.1f})"


def next_steps(options: Namespace, file: Path | None, ending: Ending, saved: Path | None) -> list[str]:
    """Commands to go on with, each behind what it does; none where there was nothing to hear.

    ``file`` is the recording that was played, None for live sound; ``saved`` is where the trajectory was written.
    """
    if ending.end is None or not ending.end["points"]:
        return []
    steps: list[tuple[str, str]] = []
    place, again = ending.place_s(), _again(options, file)
    if again is not None and place is not None:
        steps.append((f"hear the longest {place[1]} stretch again", f"{again} --from {place[0]:.2f}"))
    if saved is not None:
        shown = shlex.quote(str(saved))
        if saved.suffix == ".jsonl":
            steps.append(("look at it again", f"stream-ser watch {shown}"))
            steps.append(("make other files of it", f"stream-ser export {shown} --to csv,textgrid,vtt"))
        steps.append(("open the folder", f"xdg-open {shlex.quote(str(saved.absolute().parent))}"))
    elif again is not None and file is not None:
        out = f"{file.stem}.csv"
        steps.append(
            ("save as .csv .jsonl .TextGrid .png …", f"{again} --speed max --headless --out {shlex.quote(out)}")
        )
    width = max((len(what) for what, _ in steps), default=0)
    return ["next:", *(printable(f"  {what:<{width}}  {command}") for what, command in steps)] if steps else []


def _again(options: Namespace, file: Path | None) -> str | None:
    """The command that plays the same sound in the same way."""
    if file is None:
        return None
    words = ["stream-ser", options.command] if options.command == "demo" else ["stream-ser", "replay", str(file)]
    if options.model != DEFAULT:
        words += ["--model", options.model]
    if options.hop != 0.25:
        words += ["--hop", f"{options.hop:g}"]
    return shlex.join(words if options.baseline else [*words, "--no-baseline"])
