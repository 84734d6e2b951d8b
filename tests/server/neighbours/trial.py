"""One attack beside honest calls: a real server, honest calls in this process, and the attacker in one of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from stream_ser.load.server import Running, server
from stream_ser.store.records import EndCall, OpenCall, Row
from stream_ser.store.store import Store
from tests.server.neighbours.attackers import ATTACKERS, STALLS, Target
from tests.server.neighbours.honest import Suffered, suffer
from tests.server.serving import tokens

HOP_S, AGE_S, HEALTH_S, TURN_S = 0.5, 0.25, 0.25, 0.02
LEAVE_S = 10.0


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

    def failures(self) -> list[str]:
        """What does not hold, in absolute figures."""
        found = [f"calls ended: {reason}" for reason in self.ended_wrongly[:3]]
        if self.attacker in STALLS:
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


@contextmanager
def arena(folder: Path, history: int, more: tuple[str, ...] = ()) -> Iterator[Arena]:
    """Start a server whose hostile tenant has ``history`` stored messages."""
    whose = [("honest", "publisher"), ("honest", "viewer")]
    whose += [("hostile", role) for role in ("publisher", "viewer", "admin")]
    path, secrets = tokens(folder, *whose)  # type: ignore[arg-type]
    store = Store.open(f"sqlite:///{folder / 'results.db'}")
    epoch = store.epoch
    _fill(store, history)
    store.close()
    with server(folder, ["--tokens", str(path), "--engine", "onnx", *more]) as running:
        yield Arena(running, (secrets[0], secrets[1]), (secrets[2], secrets[3], secrets[4]), epoch)


async def trial(arena: Arena, attacker: str, size: float, calls: int, seconds: float) -> Trial:
    """Have ``attacker`` beside honest calls."""
    before, was = arena.running.figures(), _held_by(arena.running.url)
    target = Target(arena.running.url, arena.running.process.pid, *arena.hostile, arena.epoch, size)
    process = multiprocessing.get_context("spawn").Process(target=_attack, args=(attacker, target), daemon=True)
    process.start()
    try:
        suffered = await suffer(arena.running.url, calls, seconds, HOP_S, *arena.honest)
        after = await asyncio.to_thread(arena.running.figures)
    finally:
        process.terminate()
        process.join(LEAVE_S)
        process.kill()
        os.kill(target.process, signal.SIGCONT)
    memory = tuple(round(one["process_resident_memory_bytes"] / 1e6, 1) for one in (before, after))
    names = (
        "refused_total",
        "loop_turns_held_total",
        "loop_stalled_seconds_total",
        "feed_cut_total",
        "store_lost_total",
    )
    counted = {}
    for name in names:
        grown = after.get(f"stream_ser_{name}", 0.0) - before.get(f"stream_ser_{name}", 0.0)
        if grown:
            counted[name.removesuffix("_total")] = round(grown, 1)
    held = {name: count - was.get(name, 0.0) for name, count in _held_by(arena.running.url).items()}
    counted |= {f"by {name}": count for name, count in sorted(held.items(), key=lambda one: -one[1])[:2] if count}
    turns = (after["stream_ser_loop_longest_turn_seconds"], after["stream_ser_loop_longest_turn_cpu_seconds"])
    return Trial(attacker, suffered, memory, *turns, counted)  # type: ignore[arg-type]


def _held_by(url: str) -> dict[str, float]:
    """How often what held the loop for too long."""
    with urlopen(url.replace("ws", "http", 1) + "/metrics", timeout=30) as response:
        text = response.read().decode()
    found = re.findall(r'^stream_ser_loop_held_total\{by="(.*)"\} (.*)$', text, re.MULTILINE)
    return {name: float(count) for name, count in found}


def _attack(name: str, target: Target) -> None:
    """Of a process of its own, which leaves the cores to the others: a real attacker has its own machine."""
    os.nice(10)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))

    async def attack() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
        try:
            await ATTACKERS[name](target)
        except asyncio.CancelledError:
            os._exit(0)  # without a goodbye to thousands

    asyncio.run(attack())


def _fill(store: Store, count: int) -> None:
    from datetime import UTC, datetime

    now, step = datetime.now(UTC), 5_000
    if not count:
        return
    store.write([OpenCall("hostile", "old", now)])
    for first in range(1, count + 1, step):
        text = '{"type":"notice","seq":%d,"stream":"old/customer","level":"info","text":"' + "x" * 600 + '"}'
        numbers = range(first, min(first + step, count + 1))
        store.write([Row("hostile", seq, "old", "old/customer", "notice", None, text % seq) for seq in numbers])
    store.write([EndCall("hostile", "old", now)])
