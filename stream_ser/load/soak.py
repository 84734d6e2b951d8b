"""``python -m stream_ser.load.soak``: days of calls in minutes, through a whole call server in this process, for what it leaks.

Virtual callers hand their sound to the calls directly, as fast as the server takes it: past authentication and rate limits, and
through everything behind them. The model, leg scheduler, hub, feed, store and metrics are the real ones; subscribers are
real sockets. At the end memory must be flat, nothing may be lost, and every object, thread, task and descriptor must be
gone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.request import urlopen

import numpy as np
import soundfile
import soxr

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.calls.backend import CallBackend
from stream_ser.calls.call import Call
from stream_ser.calls.events import Closed, Frames, Lost, Paused, RefusedError, Resumed, Sound
from stream_ser.calls.leg_buffer import LegBuffer
from stream_ser.feed.message_types import Message
from stream_ser.feed.subscription import Subscription
from stream_ser.load import resources
from stream_ser.load.churn import ChurningSubscribers
from stream_ser.load.resources import Held
from stream_ser.load.synthetic_calls import RATE, SCRIPTS, Step, far, opened
from stream_ser.load.time_shift import TimeShiftedBackend
from stream_ser.pipeline.stream import Stream
from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits, ServeConfig
from stream_ser.server.tokens import LOCAL
from stream_ser.types import SAMPLE_RATE

MOST_GROWTH_MB = (
    8.0  # what memory in use may grow by over the second half of ten minutes, which is a thousand calls or more
)
AT_ONCE = 48  # calls
STORE_ROOM = 5_000  # results that may wait for the store before callers wait too
END_S = 20.0  # how long a call may take to end once it is closed
KEEP_S = 60.0  # how long the store keeps a call that has ended
SAMPLE_S = 1.0
TOLD_S = 60.0
MILESTONES = (2**31, 2**32)  # sample indices that a call passes
KINDS = (Call, LegBuffer, Stream, VoiceActivityDetector, Subscription)  # of which none may be left


@dataclass(eq=False, slots=True)
class Played:
    """A call and what it still has to do."""

    call: Call
    buffers: list[LegBuffer]
    steps: Iterator[Step]
    closed_at: float | None = None  # monotonic
    over: bool = False

    @property
    def hungry(self) -> bool:
        """Whether the server has taken what it was given."""
        return not any(buffer.queued and not buffer.over for buffer in self.buffers)


@dataclass(slots=True)
class Found:
    """What a soak comes to."""

    calls: Counter[str] = field(default_factory=Counter)
    sound_s: float = 0.0
    highest: int = 0  # sample index of a point
    points: Counter[str] = field(default_factory=Counter)
    times_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)  # in use
    growth_mb: float = 0.0
    troubles: list[str] = field(default_factory=list)


class Soak:
    """Plays calls into ``server``, which runs and keeps its results in a store."""

    def __init__(self, server: CallServer, voice: Frames, seed: int, tell: Callable[[str], None]) -> None:
        self._server, self._voice, self._chance, self._tell = server, voice, Random(seed), tell
        self._tenant = server.services.tenants.get(LOCAL)
        self._tenant.hub.attach(self._see)
        self._playing: list[Played] = []
        self._number = 0
        self.found = Found()
        self.churning = ChurningSubscribers(server.url, seed)

    def run(self, seconds: float) -> None:
        """Play for so long, then end every call and see that nothing is left of them."""
        began = time.monotonic()
        sampled, told, expired = began, began, began
        self.churning.start()
        for mark in MILESTONES:
            self._begin("far", mark - 4 * SAMPLE_RATE)
        while (now := time.monotonic()) < began + seconds:
            if now - sampled >= SAMPLE_S:
                sampled = now
                self._sample(now - began)
            if now - told >= TOLD_S:
                told = now
                self._report(now - began)
            if now - expired >= KEEP_S / 2:
                expired = now
                self._server.services.tenants.expire(KEEP_S / 86_400)
                self._read_pages()
            while len(self._playing) < AT_ONCE:
                self._begin(self._kind())
            if not self._turn():
                time.sleep(0.002)
        self._sample(time.monotonic() - began)
        for played in tuple(self._playing):
            self._close(played, "the soak is over")
        until = time.monotonic() + END_S
        while self._playing and time.monotonic() < until:
            self._turn()
            time.sleep(0.01)
        self.churning.stop()
        self._report(time.monotonic() - began)

    def _kind(self) -> str:
        names = list(SCRIPTS)
        return self._chance.choices(names, [SCRIPTS[name][0] for name in names])[0]

    def _begin(self, kind: str, begins: int = 0) -> None:
        self._number += 1
        self.found.calls[kind] += 1
        shifted = TimeShiftedBackend(self._tenant, begins)
        backend: CallBackend = shifted
        call = Call(opened(f"soak-{self._number}", kind), backend, self._server.services.policy, self._ended)
        try:
            self._tenant.enter(call)
        except RefusedError as error:
            if kind != "refused":
                self.found.troubles.append(f"a call of kind {kind} was refused: {error.code}: {error.text}")
            return
        script = (
            far(self._voice, self._chance, begins * RATE // SAMPLE_RATE)
            if kind == "far"
            else SCRIPTS[kind][1](self._voice, self._chance)
        )
        self._playing.append(Played(call, shifted.buffers, script))

    def _ended(self, call: Call) -> None:
        self._tenant.leave(call)
        for played in tuple(self._playing):
            if played.call is call:
                played.over = True

    def _turn(self) -> bool:
        """Let every caller do its next thing whose last one was taken; tells whether any did."""
        done = False
        writer = self._server.services.tenants.writer
        assert writer is not None
        for played in tuple(self._playing):
            if played.over:
                self._playing.remove(played)
            elif played.closed_at is not None:
                if time.monotonic() - played.closed_at > END_S:
                    self._playing.remove(played)
                    self.found.troubles.append(f"the call {played.call.name} does not end")
            elif played.hungry and writer.waiting < STORE_ROOM:
                done = True
                step = next(played.steps, None)
                if step is None:
                    self._close(played, "connection lost")
                else:
                    self._do(played, step)
        return done

    def _do(self, played: Played, step: Step) -> None:
        match step:
            case Sound():
                self.found.sound_s += len(step.samples) / RATE
                played.call.sound(step, time.monotonic_ns())
            case Lost():
                played.call.sound(step, time.monotonic_ns())
            case Paused():
                played.call.pause()
            case Resumed():
                played.call.resume()
            case Closed():
                self._close(played, step.reason)
            case _:
                played.closed_at = time.monotonic()
                played.call.stop("cut")
                for late in played.steps:
                    if isinstance(late, Sound):
                        played.call.sound(late, time.monotonic_ns())

    def _close(self, played: Played, reason: str) -> None:
        played.closed_at = played.closed_at or time.monotonic()
        played.call.close(reason)

    def _see(self, message: Message) -> None:
        if message["type"] == "point":
            self.found.highest = max(self.found.highest, message["end"])
            self.found.points[message["state"]] += 1

    def _read_pages(self) -> None:
        with urlopen(self._server.url.replace("ws", "http", 1) + "/metrics", timeout=10) as page:
            page.read()

    def _held(self) -> Held:
        loops = [loop for loop in (self._server.services.subscribers.loop, self.churning.loop) if not loop.is_closed()]
        return resources.held(loops)

    def _sample(self, at_s: float) -> None:
        self.found.times_s.append(at_s)
        now = self._held()
        self.found.memory_mb.append(now.memory_mb - now.free_mb)  # what is free between what is not comes and goes

    def _report(self, at_s: float) -> None:
        now, writer, hub = self._held(), self._server.services.tenants.writer, self._tenant.hub
        assert writer is not None
        held_back, legs = hub.seq - writer.acknowledged(LOCAL), self._server.services.inference.scheduler.leg_count
        self._tell(
            f"{at_s / 60:5.1f} min  {self._number:>6} calls ({len(self._playing)} open)  {self.found.sound_s / 3600:7.1f} h of "
            f"sound  {now.memory_mb:6.1f} MB ({now.free_mb:.0f} free)  {now.threads} threads  {now.tasks} tasks  "
            f"{now.files} files  waiting: store {writer.waiting}, feed {held_back}, legs {legs}, "
            f"subscribers {hub.subscribers}"
        )


def soak(folder: Path, seconds: float, tell: Callable[[str], None], growth_mb: float = MOST_GROWTH_MB) -> Found:
    """Soak a server whose store lies in ``folder``. What was found wrong is in ``troubles``."""
    sound, rate = soundfile.read(bundled_recording(), dtype="float32")
    voice = np.asarray(soxr.resample(sound, rate, RATE), dtype=np.float32)
    config = ServeConfig(
        port=0, store=f"sqlite:///{folder / 'results.db'}", limits=Limits(connections=200, subscribers=200)
    )
    idle = CallServer(config, {})  # what libraries open once and keep is there after this
    idle.start()
    idle.stop()
    before, before_objects = resources.held(), resources.alive(*KINDS)
    server = CallServer(config, {})
    server.start()
    try:
        soaking = Soak(server, voice, 1, tell)
        soaking.run(seconds)
        found = soaking.found
        found.growth_mb = resources.growth_mb(found.times_s, found.memory_mb)
        found.troubles += _judge(soaking, server, growth_mb)
    finally:
        server.stop()
    del soaking
    after = resources.settled(before)
    left = resources.alive(*KINDS) - before_objects
    if left:
        found.troubles.append("left behind: " + ", ".join(f"{count} {name}" for name, count in left.items()))
    if after.threads > before.threads or after.files > before.files:
        found.troubles.append(
            f"{after.threads} threads and {after.files} files where there were {before.threads} and {before.files} before"
        )
    return found


def _judge(soaking: Soak, server: CallServer, most_mb: float) -> Iterator[str]:
    """What is wrong while the server still runs, and every call has ended."""
    services, found, churning = server.services, soaking.found, soaking.churning
    writer, store = services.tenants.writer, services.tenants.store
    assert writer is not None
    assert store is not None
    if found.growth_mb > most_mb:
        yield f"memory in use grew by {found.growth_mb:.1f} MB over the second half, and {most_mb:g} MB is the most it may"
    if found.highest < MILESTONES[-1]:
        yield f"no point passed sample {MILESTONES[-1]}: the last one ended at {found.highest}"
    if not writer.flush(END_S) or writer.lost:
        yield f"{writer.lost} results were lost, and {writer.waiting} wait for the store"
    counts = {"open calls": services.tenants.calls, "legs": services.inference.scheduler.leg_count,
              "open calls in the store": len(store.calls(LOCAL, state="open", limit=1000))}  # fmt: skip
    yield from (f"{count} {name} when all calls had ended" for name, count in counts.items() if count)
    if churning.holes or churning.again:
        yield f"of the feed's numbers {churning.holes} never came, and {churning.again} came twice"
    yield from churning.errors[:5]
    for _ in range(100):
        if not services.subscribers.members:
            return
        time.sleep(0.02)
    yield f"{len(services.subscribers.members)} subscribers when all had left"


def main() -> None:
    """Read the command line, soak, and exit 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.load.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), options.minutes * 60, lambda line: print(line, flush=True))
    print(f"calls: {', '.join(f'{name} {count}' for name, count in found.calls.most_common())}")
    print(f"points: {', '.join(f'{state} {count}' for state, count in found.points.most_common())}")
    print(f"memory in use grew by {found.growth_mb:+.1f} MB over the second half (at most {MOST_GROWTH_MB:g} MB)")
    for trouble in found.troubles:
        print(f"WRONG: {trouble}")
    print("flat, and nothing is left" if not found.troubles else f"{len(found.troubles)} things are wrong")
    sys.exit(bool(found.troubles))


if __name__ == "__main__":
    main()
