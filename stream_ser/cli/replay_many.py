"""Many recordings at once through one engine: what a machine carries, by its own ledger.

Each recording is a stream of its own, paced or not, and paced ones begin spread over one hop; one that breaks does not stop
the others. Where streams wait for the engine, points become old, and the ledger says so. Runs on the caller's thread; on a
terminal that shows them as a grid, and a thread of the controller's plays them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from stream_ser.audio.pacing import Pacer, SystemClock
from stream_ser.audio.recording import Recording, open_recording
from stream_ser.cli.complaint import complain
from stream_ser.cli.opening import present
from stream_ser.cli.screen import load_screen, show, tell_addresses
from stream_ser.cli.working import running
from stream_ser.controls.several_recordings import SeveralRecordings
from stream_ser.errors import StreamSerError, as_person_error
from stream_ser.feed.message_types import EndMessage, Message
from stream_ser.latency import LatencyStats, table
from stream_ser.pipeline.multi_stream import Player, play
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.printable import printable
from stream_ser.types import SAMPLE_RATE

WIDEST = 40  # characters of a recording's name


class Totals:
    """A hub sink that keeps what each stream came to, and adds up what they cost."""

    def __init__(self) -> None:
        self.ledger = LatencyStats()
        self.ends: dict[str, EndMessage] = {}
        self._labels: list[str] = []

    def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "hello":
            self._labels += [label for label in message["labels"] if label not in self._labels]
        elif message["type"] == "point":
            self.ledger.add(message["ledger"])
        elif message["type"] == "end":
            self.ends[message["stream"]] = message

    @property
    def sound_s(self) -> float:
        """Seconds of sound in all streams."""
        return sum(end["duration_s"] for end in self.ends.values())

    def table(self) -> Iterator[str]:
        """A line a stream: the share of each label among its labelled points, its speech and its length."""
        names = {stream: shown(stream) for stream in self.ends}
        width = max((len(name) for name in names.values()), default=0)
        columns = {label: max(len(label), len("100 %")) for label in self._labels}
        heads = [f"{label:>{room}}" for label, room in columns.items()]
        yield "  ".join([f"{'':<{width}}", *heads, "  speech", "   sound"])
        for stream, end in self.ends.items():
            share = end["summary"]["share"]
            cells = [f"{_percent(share.get(label)):>{room}}" for label, room in columns.items()]
            told = "" if end["reason"] == "finished" else f"  {end['reason']}"
            heard = [f"{end['summary']['speech_s']:6.1f} s", f"{end['duration_s']:6.1f} s"]
            yield "  ".join([f"{names[stream]:<{width}}", *cells, *heard]) + told

    def found(self) -> Iterator[str]:
        """What was heard: the table, and how much there was."""
        yield from self.table()
        dropped = sum(end["dropped"] for end in self.ends.values())
        yield f"{len(self.ends)} recordings, {self.sound_s:.1f} s of sound, {dropped} windows dropped"

    def lines(self, hop_s: float, took_s: float, paced: bool, verbose: bool = False) -> Iterator[str]:
        """The same, and what it cost; whether points came in time has a meaning only where sound came at its own pace."""
        yield from self.found()
        costs = self.ledger.summary()
        if verbose:
            yield from table(costs)
        age = costs["age_ms"]
        if not paced:
            yield f"in {took_s:.1f} s: {self.sound_s / max(took_s, 1e-9):.1f} × real time, all together"
        elif age is not None:
            kept = "kept up" if age["p99"] <= 1e3 * hop_s else "did not keep up"
            old = f"99 % of all points are at most {age['p99']:.1f} ms old, a hop is {1e3 * hop_s:.0f} ms"
            yield f"{kept} with real time" + (f": {old}" if verbose or kept != "kept up" else "")


def _percent(share: float | None) -> str:
    return f"{100 * share:.0f} %" if share else "–"


def shown(name: str) -> str:
    """A stream's name for a table: what is left of a long one tells it apart, its end."""
    name = printable(name)
    return name if len(name) <= WIDEST else f"…{name[1 - WIDEST :]}"


def together(
    options: Options, files: Sequence[str], speed: float | None, verbose: bool = False, on_screen: bool = False
) -> int:
    """Play recordings at the same time; the same one may come several times. Returns the exit code.

    ``on_screen`` shows them as a grid. Ctrl-C ends them all, and what was found until then is told. Raises EngineError,
    ConfigError and FeedError.
    """
    totals, complaints = Totals(), _Complaints()
    with running(options, pages=True, meanwhile=load_screen if on_screen else lambda: None) as runtime:
        tell_addresses(runtime.feed_url, runtime.feed_moved_from)
        runtime.hub.attach(totals)
        recordings: dict[str, Recording] = {}
        with ExitStack() as opened:
            for file, stream in zip(files, stream_names(files), strict=True):
                try:
                    source = open_recording(file, speed=None, block=runtime.hop)
                    recordings[stream] = opened.enter_context(closing(source))
                except StreamSerError as error:
                    complaints.add(error)
            if on_screen and recordings:
                _on_screen(runtime, recordings, speed, complaints)
                print(printable("\n".join(totals.found()), keep="\n"))
                return 2 if complaints.count else 0
            began, interrupted = time.monotonic(), _in_lines(runtime, recordings, speed, complaints)
        print("\n".join(totals.lines(options.hop_s, time.monotonic() - began, speed is not None, verbose)))
    return 130 if interrupted else 2 if complaints.count else 0


class _Complaints:
    """Tells what went wrong, off the screen, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, error: StreamSerError) -> None:
        self.count += 1
        with present().aside():
            complain(error)


def _on_screen(runtime: Runtime, recordings: Mapping[str, Recording], speed: float | None, told: _Complaints) -> None:
    controller = SeveralRecordings(runtime, recordings, speed)
    try:
        controller.start()
        show(controller, controller, feed=runtime.feed_url, home=lambda app: app.grid())
    finally:
        controller.close()
    for error in controller.errors.values():
        told.add(error)


def _in_lines(runtime: Runtime, recordings: Mapping[str, Recording], speed: float | None, told: _Complaints) -> bool:
    """Play them to their end; whether Ctrl-C came before."""
    players: list[Player] = []
    for stream, source in recordings.items():
        try:
            players.append(Player(runtime.stream(source.info, stream, stands_still=True), iter(source)))
        except StreamSerError as error:
            told.add(error)
    interrupted = False
    try:
        for refused in play(players, runtime.hop, Pacer(SystemClock(), SAMPLE_RATE, speed)):
            told.add(refused)
    except KeyboardInterrupt:
        interrupted = True
        for player in players:
            player.stream.stop()  # which tells what was found until then
    for broken in filter(None, (player.stream.error for player in players)):
        told.add(as_person_error(broken))
    return interrupted


def stream_names(files: Sequence[str]) -> list[str]:
    """A name for each: the file's, with a number where it comes again."""
    seen, names = Counter[str](), []
    for file in files:
        name = Path(file).name
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names
