"""What a recorded call looks like where there is no screen: each party's lines under its name, alerts, and the call in figures.

A hub sink, as :class:`stream_ser.cli.console.LinePrinter` is: it only formats and prints, and keeps in ``error`` why nobody can
be told any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stream_ser.cli.console import LinePrinter
from stream_ser.cli.glance import clock
from stream_ser.feed.message_types import CallMessage, Message
from stream_ser.printable import printable


class CallPrinter:
    """Prints the messages of a call's streams."""

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self._printers: dict[str, LinePrinter] = {}
        self._own: OSError | None = None

    @property
    def error(self) -> OSError | None:
        """Why nobody can be told any more."""
        return self._own or next((one.error for one in self._printers.values() if one.error is not None), None)

    def __call__(self, message: Message) -> None:
        """Take one message."""
        try:
            if message["type"] == "call":
                for line in _call(message):
                    print(printable(line), flush=True)
            elif message["type"] == "alert":
                what = f"{message['rule']} ({message['severity']}) {message['kind']}"
                print(printable(f"{_leg(message['stream'])}: {clock(message['t'])}  alert      {what}"), flush=True)
            elif "stream" in message:
                self._printer(message["stream"])(message)
        except OSError as error:
            self._own = self._own or error

    def _printer(self, stream: str) -> LinePrinter:
        found = self._printers.get(stream)
        if found is None:
            found = self._printers[stream] = LinePrinter(verbose=self._verbose)
            found.name = _leg(stream)
        return found


def _leg(stream: str) -> str:
    return stream.rpartition("/")[2]


def _call(message: CallMessage) -> Iterator[str]:
    if message["kind"] == "opened":
        legs = ", ".join(f"{leg['name']}" + ("" if leg["stream"] else " (not analysed)") for leg in message["legs"])
        yield f"call {message['call']}: {legs}"
        return
    told = message["summary"]
    if told is None:
        return
    yield (
        f"call {message['call']}: {message['reason']}, {told['duration_s']:.1f} s; both speak {told['overlap_s']:.1f} s, "
        f"nobody {told['non_talk_s']:.1f} s, at most {told['longest_non_talk_s']:.1f} s at a time"
    )
    for name, leg in told["legs"].items():
        yield f"  {name}: {_talk(leg)}"
    opened = ", ".join(f"{count} {severity}" for severity, count in told["alerts_opened"].items() if count) or "none"
    yield f"  alerts: {opened}"


def _talk(leg: dict[str, Any]) -> str:
    share = "" if leg["talk_share"] is None else f" ({100 * leg['talk_share']:.0f} % of all talk)"
    talk = f"speaks {leg['talk_s']:.1f} s{share}, {leg['interruptions']} interruptions"
    emotion = leg["emotion"]
    if emotion is None:
        return talk
    found = ", ".join(f"{label} {100 * part:.0f} %" for label, part in emotion["share"].items() if part) or "none"
    return f"{talk}; expressed emotion where labelled: {found}"
