"""Many recordings at once through one engine: what a machine carries, by its own ledger.

Each recording is a stream of its own, paced or not, and paced ones begin spread over one hop; one that breaks does not stop
the others. Where streams wait for the engine, points become old, and the ledger says so. Runs on the caller's thread.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from stream_ser.audio.recording import open_recording
from stream_ser.calls.monitor_sound import MonitorSound
from stream_ser.cli.screen import tell_addresses
from stream_ser.errors import ConfigError, StreamSerError, as_person_error
from stream_ser.feed.message_types import Message
from stream_ser.latency import LatencyStats, table
from stream_ser.pipeline.multi_stream import Player, play
from stream_ser.pipeline.runtime import Options, Runtime


class Totals:
    """A hub sink that adds up all streams."""

    def __init__(self) -> None:
        self.ledger, self.states = LatencyStats(), Counter[str]()
        self.sound_s, self.dropped, self.ended = 0.0, 0, 0

    def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "point":
            self.ledger.add(message["ledger"])
            self.states[message["state"]] += 1
        elif message["type"] == "end":
            self.ended += 1
            self.sound_s += message["duration_s"]
            self.dropped += message["dropped"]

    def lines(self, hop_s: float, took_s: float, paced: bool) -> Iterator[str]:
        """What to tell a person; whether points came in time has a meaning only where sound came at its own pace."""
        states = ", ".join(f"{state} {count}" for state, count in self.states.most_common())
        yield f"{self.ended} streams, {self.sound_s:.1f} s of sound, {self.dropped} windows dropped; points: {states}"
        told = self.ledger.summary()
        yield from table(told)
        age = told["age_ms"]
        if not paced:
            yield f"in {took_s:.1f} s: {self.sound_s / max(took_s, 1e-9):.1f} × real time, all streams together"
        elif age is not None:
            kept = "kept up" if age["p99"] <= 1e3 * hop_s else "did not keep up"
            old = f"99 % of all points are at most {age['p99']:.1f} ms old, a hop is {1e3 * hop_s:.0f} ms"
            yield f"{kept} with real time: {old}"


def together(options: Options, files: Sequence[str], speed: float | None, transcript: Path | None = None) -> int:
    """Play recordings at the same time; the same one may come several times. Returns the exit code.

    Raises EngineError, ConfigError and FeedError.
    """
    if transcript is not None or "-" in files:
        what = "a transcript" if transcript is not None else "standard input"
        raise ConfigError(f"{what} was given for {len(files)} recordings at once", fix="play it alone")
    failed, totals = 0, Totals()
    with Runtime(options, MonitorSound) as runtime, ExitStack() as sources:
        tell_addresses(runtime.feed_url)
        runtime.hub.attach(totals)
        players: list[Player] = []
        for file, stream in zip(files, stream_names(files), strict=True):
            try:
                source = sources.enter_context(closing(open_recording(file, speed=None, block=runtime.hop)))
                players.append(Player(runtime.stream(source.info, stream, stands_still=True), iter(source)))
            except StreamSerError as error:
                failed += 1
                print(f"stream-ser: {error}", file=sys.stderr)
        began = time.monotonic()
        try:
            for refused in play(players, options.hop_s, speed):
                failed += 1
                print(f"stream-ser: {refused}", file=sys.stderr)
        except KeyboardInterrupt:
            for player in players:
                player.stream.stop()
            return 130
        for broken in filter(None, (player.stream.error for player in players)):
            failed += 1
            print(f"stream-ser: {as_person_error(broken)}", file=sys.stderr)
        print("\n".join(totals.lines(options.hop_s, time.monotonic() - began, speed is not None)))
    return 2 if failed else 0


def stream_names(files: Sequence[str]) -> list[str]:
    """A name for each: the file's, with a number where it comes again."""
    seen, names = Counter[str](), []
    for file in files:
        name = Path(file).name
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names
