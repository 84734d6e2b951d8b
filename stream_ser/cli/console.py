"""What a stream looks like where there is no screen: a line a second, and a summary at the end.

A hub sink: called inside ``publish``, so it only formats and prints. When nobody can be told any more (a closed pipe), it
keeps the reason in ``error``, for whoever runs the stream to end it. Wording is "expressed", never "feels".
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

from stream_ser.cli.ending import Ending
from stream_ser.cli.glance import clock
from stream_ser.feed.message_types import HelloMessage, Message, PointMessage
from stream_ser.printable import printable
from stream_ser.types import SAMPLE_RATE

BAR = 20  # characters for a probability of one
LABEL = 8  # columns for a label, or more where one is longer


class LinePrinter:
    """Prints the newest point once for every second of sound, and everything that is not a point at once.

    With ``verbose`` the end also tells what it cost.
    """

    def __init__(self, out: TextIO | None = None, verbose: bool = False) -> None:
        self._out, self._verbose = out or sys.stdout, verbose
        self.ending = Ending()
        self._second = -1
        self._width = LABEL
        self._text: str | None = None  # the words that were printed last
        self.name = ""  # what lines begin with, where there are several streams
        self.error: OSError | None = None

    def __call__(self, message: Message) -> None:
        """Take one message."""
        try:
            if self.error is None:
                self._take(message)
        except OSError as error:
            self.error = error

    def _take(self, message: Message) -> None:
        self.ending(message)
        if message["type"] == "point":
            if int(message["t"]) > self._second:
                self._second = int(message["t"])
                for line in self._point(message):
                    self._print(line)
        elif message["type"] == "hello":
            self._second = -1
            self._width = max(LABEL, *(len(label) for label in message["labels"]))
            self._print(self._hello(message))
        elif message["type"] == "gap":
            seconds = (message["end"] - message["start"]) / SAMPLE_RATE
            self._print(f"{clock(message['t'])}  gap        {seconds:.2f} s of sound are missing: {message['reason']}")
        elif message["type"] == "mark":
            self._print(f"{clock(message['t'])}  mark       {message['text']}")
        elif message["type"] == "notice":
            self._print(f"         {message['level']}: {message['text']}")
        elif message["type"] == "end":
            for line in self.ending.lines(self._verbose):
                self._print(line)

    def _print(self, line: str) -> None:
        print(printable(f"{self.name}: {line}" if self.name else line), file=self._out, flush=True)

    @staticmethod
    def _hello(message: HelloMessage) -> str:
        source, model = message["source"], message["model"]
        words = "" if message["text"] is None else f" · words from {message['text']}"
        length = "" if source["duration_s"] is None else f", {source['duration_s']:.1f} s"
        return (
            f"{source['kind']} {source['name']} ({source['rate']} Hz, {source['channels']} ch{length}) · "
            f"model {model['name']} ({model['digest'][:8]}) on {message['engine']} · "
            f"every {message['hop'] / message['sample_rate']:g} s{words}"
        )

    def _point(self, message: PointMessage) -> Iterator[str]:
        label = message["label"] or ""
        share = f"{100 * message['confidence']:3.0f} %" if label else "     "
        bar = "█" * round(BAR * message["confidence"]) if label else ""
        level = f"{message['level_dbfs']:6.1f} dBFS"
        rated = "".join(
            f"  {name} {'–':>5}" if value is None else f"  {name} {value:+5.2f}"
            for name, value in message["dimensions"].items()
        )
        yield f"{clock(message['t'])}  {message['state']:<10} {label:<{self._width}} {share}  {bar:<{BAR}}  {level}{rated}"
        if message["text"] and message["text"] != self._text:
            yield f"         “{message['text']}”"
        self._text = message["text"]
