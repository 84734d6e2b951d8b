"""One attack beside honest calls: a real server, honest calls in this process, and the attacker in one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPSConnection
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from stream_ser.load.server import Running, server
from stream_ser.store.records import EndCall, OpenCall, Row
from stream_ser.store.store import Store
from tests.server import certificate
from tests.server.neighbours import attackers, floods
from tests.server.neighbours.attacking import ATTACKERS, Target
from tests.server.neighbours.honest import SOURCE, Suffered, suffer
from tests.server.serving import tokens

KNOWN = (attackers, floods)  # the modules that have attackers
HOP_S, AGE_S, HEALTH_S, TURN_S = 0.5, 0.25, 0.25, 0.02
MEMORY_MB = 80.0  # that an attack may cost while it lasts
LEAVE_S, BEGIN_S, SETTLE_S = 10.0, 60.0, 1.0
NO_ATTACK = "it was no attack"
TOLD = ("refused", "passed_over", "loop_held")  # counts with a label
COUNTS = (  # others that show what an attack did
    *(
        "missing_seconds",
        "calls_opened",
        "feed_messages",
        "feed_dropped",
        "feed_missed",
        "feed_cut",
        "feed_history_reads",
    ),
    *("store_lost", "loop_turns_held", "loop_work_put_off", "loop_stalled_seconds"),
)


@dataclass(slots=True)
class Trial:
    """What became of one attack."""

    attacker: str
    suffered: Suffered
    memory_mb: tuple[float, float]
    longest_turn_s: float
    longest_turn_cpu_s: float
    counted: dict[str, float] = field(default_factory=dict)  # what ``/metrics`` says of it

    @property
    def ended_wrongly(self) -> list[str]:
        """Why honest calls ended that should not have."""
        wrong = [reason for reason in self.suffered.reasons if reason not in ("stopped", "closed by the client")]
        return wrong + self.suffered.broken

    @property
    def bit(self) -> bool:
        """Whether there was an attack at all, by what the server counted."""
        name = ATTACKERS[self.attacker].bites
        return not name or self.counted.get(name, 0.0) > (2 * self.suffered.calls if name == "calls_opened" else 0)

    def failures(self) -> list[str]:
        """What does not hold, in absolute figures."""
        found = [f"calls ended: {reason}" for reason in self.ended_wrongly[:3]]
        if not self.bit:
            found.append(f"{NO_ATTACK}: {ATTACKERS[self.attacker].bites} did not grow")
        if self.memory_mb[1] - self.memory_mb[0] > MEMORY_MB:
            found.append(f"memory grew by {self.memory_mb[1] - self.memory_mb[0]:.0f} MB")
        if ATTACKERS[self.attacker].stalls:
            return found
        seen = self.suffered
        if seen.p99_ms > 1e3 * (HOP_S + AGE_S):
            found.append(f"p99 of age {seen.p99_ms:.0f} ms")
        if seen.lost:
            found.append(f"{seen.lost} points lost")
        if seen.missing_s:
            found.append(f"{seen.missing_s:.2f} s of sound missing")
        if seen.slowest_health_s > HEALTH_S:
            found.append(f"/healthz took {seen.slowest_health_s:.2f} s")
        if self.longest_turn_cpu_s > TURN_S:
            found.append(f"a turn of the loop took {1e3 * self.longest_turn_cpu_s:.0f} ms of CPU")
        return found


@dataclass(frozen=True, slots=True)
class Arena:
    """A running server with two tenants, and the tokens of both."""

    running: Running
    honest: tuple[str, str]  # publisher, viewer
    hostile: tuple[str, str, str]  # publisher, viewer, admin
    epoch: str
    tokens: Path


@contextmanager
def arena(
    folder: Path,
    history: int,
    more: Sequence[str] = (),
    program: Sequence[str] = ("stream_ser.cli",),
    tls: bool = False,
) -> Iterator[Arena]:
    """Start a server whose hostile tenant has ``history`` stored messages."""
    whose = [("honest", "publisher"), ("honest", "viewer")]
    whose += [("hostile", role) for role in ("publisher", "viewer", "admin")]
    path, secrets = tokens(folder, *whose)  # type: ignore[arg-type]
    store = Store.open(f"sqlite:///{folder / 'results.db'}")
    epoch = store.epoch
    _fill(store, history)
    store.close()
    options = ["--tokens", str(path), "--engine", "onnx", *more]
    with ExitStack() as stack:
        if tls:
            cert, key = certificate.make(folder)
            stack.enter_context(certificate.trusted(cert))
            options += ["--tls-cert", str(cert), "--tls-key", str(key)]
        running = stack.enter_context(server(folder, options, program=program))
        yield Arena(running, (secrets[0], secrets[1]), (secrets[2], secrets[3], secrets[4]), epoch, path)


async def trial(arena: Arena, attacker: str, size: float, calls: int, seconds: float) -> Trial:
    """Have ``attacker`` beside honest calls, which begin once it has begun."""
    before = _figures(arena.running.url)
    target = Target(arena.running.url, arena.running.process.pid, *arena.hostile, arena.epoch, arena.tokens, size)
    spawning = multiprocessing.get_context("spawn")
    begun = spawning.Event()
    process = spawning.Process(target=_attack, args=(attacker, target, begun), daemon=True)
    process.start()
    try:
        assert await asyncio.to_thread(begun.wait, BEGIN_S), "the attacker did not begin"
        suffered = await suffer(arena.running.url, calls, seconds, HOP_S, *arena.honest)
        try:
            after = await asyncio.to_thread(_figures, arena.running.url)
        except OSError as error:  # TimeoutError among them: the server is no longer there for anybody
            suffered.broken.append(f"/metrics does not answer: {error}")
            after = before
    finally:
        process.terminate()
        process.join(LEAVE_S)
        process.kill()
        os.kill(target.process, signal.SIGCONT)
    memory = tuple(round(one["process_resident_memory_bytes"] / 1e6, 1) for one in (before, after))
    turns = (after["loop_longest_turn_seconds"], after["loop_longest_turn_cpu_seconds"])
    return Trial(attacker, suffered, memory, *turns, _grown(before, after))  # type: ignore[arg-type]


def _figures(url: str) -> dict[str, float]:
    """The metrics, by name and, where they have one, label."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "wss" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=30, source_address=(SOURCE, 0))
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("stream_ser_").removesuffix("_total")
            found[" ".join([name, *sample.labels.values()])] = sample.value
    return found


def _grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was counted meanwhile, the most first of what has a label."""
    grown = {name: round(value - before.get(name, 0.0), 1) for name, value in after.items()}
    told = {name: value for name, value in grown.items() if value > 0 and name.partition(" ")[0] in (*TOLD, *COUNTS)}
    return dict(sorted(told.items(), key=lambda one: (one[0].partition(" ")[0], -one[1])))


def _attack(name: str, target: Target, begun: Event) -> None:
    """Of a process of its own, which leaves the cores to the others: a real attacker has its own machine."""
    os.nice(10)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # to be cut off is no news here
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))

    async def attack() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
        try:
            asyncio.get_running_loop().call_later(SETTLE_S, begun.set)
            await ATTACKERS[name].run(target)
        except asyncio.CancelledError:
            os._exit(0)  # without a goodbye to thousands

    asyncio.run(attack())


def _fill(store: Store, count: int) -> None:
    now, step = datetime.now(UTC), 5_000
    if not count:
        return
    store.write([OpenCall("hostile", "old", now)])
    for first in range(1, count + 1, step):
        text = '{"type":"notice","seq":%d,"stream":"old/customer","level":"info","text":"' + "x" * 600 + '"}'
        numbers = range(first, min(first + step, count + 1))
        store.write([Row("hostile", seq, "old", "old/customer", "notice", None, text % seq) for seq in numbers])
    store.write([EndCall("hostile", "old", now)])
