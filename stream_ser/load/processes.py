"""``python -m stream_ser.load --processes N``: one call server beside N of them on one port with a bus, in turns.

The same calls play against each, on the same cores as their generator. What is counted is what serves: the server's processes
and, where there is a bus, its nats-server; not who calls and not who reads the feed.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from stream_ser.bench import machine
from stream_ser.errors import ConfigError
from stream_ser.latency import quantile
from stream_ser.load.nats_server import NatsServer
from stream_ser.load.resources import Used, family, used
from stream_ser.load.run import Received, measure_calls
from stream_ser.load.server import Running, server

LOOK_S = 1.0  # between two looks at which process has which call
ONE, MANY = "one process", "with a bus"
ROWS = {  # what is shown of both, by the name of a figure
    "calls": "calls",
    "calls_broken": "broken calls",
    "calls_carried": "carried: all points, p99 of age below the hop",
    "points_lost": "points lost",
    "age_p99_ms": "age, p99, ms",
    "seen_p50_ms": "window's end to subscriber, p50, ms",
    "seen_p99_ms": "window's end to subscriber, p99, ms",
    "cpu_ms_a_call_second": "CPU a call-second, ms",
    "bus_cpu_ms_a_call_second": "of it nats-server, ms",
    "memory_mb": "memory, MB",
    "bus_memory_mb": "of it nats-server, MB",
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is measured: a server, maybe of several processes, and its bus."""

    running: Running
    bus: NatsServer | None = None

    def used(self) -> Used:
        """What all of it has used."""
        return used((*family(self.running.process.pid), *self._bus()))

    def bus_used(self) -> Used:
        """What the bus has; nothing where there is none."""
        return used(self._bus())

    def owners(self) -> dict[str, str]:
        """On which process each open call is, as the bus says; empty where there is none. Raises StoreError."""
        if self.bus is None:
            return {}
        from stream_ser.cluster.connection import Bus, BusAddress
        from stream_ser.cluster.numbering import Keeping
        from stream_ser.cluster.open_calls import OpenCalls

        bus = Bus(BusAddress((self.bus.url,)))
        bus.open()
        try:
            return {entry.call: entry.owner for entry in bus.call(OpenCalls(bus, Keeping()).all())}
        finally:
            bus.close()

    def _bus(self) -> Iterable[int]:
        return () if self.bus is None or self.bus.pid is None else (self.bus.pid,)


@contextmanager
def deployed(processes: int, more: Sequence[str] = ()) -> Iterator[Deployment]:
    """Start a server, and a bus where it has several processes; end both. Raises ConfigError where one does not start."""
    with tempfile.TemporaryDirectory(prefix="stream-ser-load-") as folder:
        if processes == 1:
            with server(Path(folder), more) as running:
                yield Deployment(running)
            return
        bus = NatsServer(Path(folder) / "nats")
        try:
            bus.start()
            with server(Path(folder), ["--processes", str(processes), "--bus", bus.url, *more]) as running:
                yield Deployment(running, bus)
        finally:
            bus.stop()


async def measure(
    deployment: Deployment, recording: Path, calls: int, seconds: float, processes: int
) -> dict[str, Any]:
    """One turn of one of them."""
    received, owner_of = Received(), dict[str, str]()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as looking:
        before = deployment.bus_used()

        async def look() -> None:
            while True:  # calls begin one after the other, and are forgotten once they are over
                owner_of.update(await loop.run_in_executor(looking, deployment.owners))
                await asyncio.sleep(LOOK_S)

        owners = asyncio.create_task(look())
        try:
            found = await measure_calls(
                deployment.running, recording, calls, seconds, used=deployment.used, received=received
            )
        finally:
            owners.cancel()
        with suppress(asyncio.CancelledError):
            await owners
    after = deployment.bus_used()
    found["points_lost"] = found["points_expected"] - found["points"]
    for stage in ("age", "seen"):
        told = found[f"{stage}_ms"] or {}
        found |= {f"{stage}_{share}_ms": told.get(share) for share in ("p50", "p99")}
    if deployment.bus is not None:
        found["bus_cpu_ms_a_call_second"] = round(1e3 * (after.cpu_s - before.cpu_s) / (calls * seconds), 3)
        found["bus_memory_mb"] = round(after.memory_mb, 1)
        found |= dealt(received, owner_of, processes)
    return found


def dealt(received: Received, owner_of: dict[str, str], processes: int) -> dict[str, Any]:
    """How many calls each process had, most first, and the p99 of age of the calls of each."""
    ages: dict[str, list[float]] = {owner: [] for owner in owner_of.values()}
    for stream, those in received.ages_ms.items():
        owner = owner_of.get(received.call_of.get(stream, ""))
        if owner is not None:
            ages[owner] += those
    counts = {owner: sum(one == owner for one in owner_of.values()) for owner in ages}
    order = sorted(counts, key=lambda owner: -counts[owner])
    idle = processes - len(order)
    return {
        "dealt": [counts[owner] for owner in order] + [0] * idle,
        "age_p99_ms_of_each": [round(quantile(ages[owner], 0.99), 1) if ages[owner] else None for owner in order]
        + [None] * idle,
    }


async def side_by_side(
    recording: Path, processes: int, calls: int, seconds: float, rounds: int, more: Sequence[str] = ()
) -> dict[str, Any]:
    """``rounds`` turns of both, each begun anew; who comes first changes. ``more`` are options of ``stream-ser serve``.

    Raises ConfigError for fewer than two processes, and where a server or the bus does not start.
    """
    if processes < 2 or rounds < 1 or calls < 1:
        raise ConfigError(
            f"{processes} processes, {calls} calls, {rounds} rounds: nothing to put side by side",
            fix="give --processes 2 or more, and at least one call and one round",
        )
    found: dict[str, Any] = {"machine": machine.describe(), "processes": processes, ONE: [], MANY: []}
    for number in range(rounds):
        for name in (ONE, MANY) if number % 2 == 0 else (MANY, ONE):
            with deployed(1 if name == ONE else processes, more) as deployment:
                found[name].append(await measure(deployment, recording, calls, seconds, processes))
    found["cpu_ratio"] = [
        round(many["cpu_ms_a_call_second"] / one["cpu_ms_a_call_second"], 3)
        for one, many in zip(found[ONE], found[MANY], strict=True)
    ]
    return found


def show(found: dict[str, Any]) -> str:
    """The figures as lines for a person: the median of the rounds, with the least and the most where they differ."""
    head = f"{found['processes']} processes, bus"
    lines = [f"{found['machine']['processor']}, {found['machine']['cores']} cores, shared by servers and generator", ""]
    lines.append(f"{'':<46} {ONE:>22} {head:>22}")
    for name, text in ROWS.items():
        one, many = (_told([turn.get(name) for turn in found[which]]) for which in (ONE, MANY))
        lines.append(f"{text:<46} {one:>22} {many:>22}")
    for turn in found[MANY]:
        ages = ", ".join("–" if age is None else f"{age:.0f}" for age in turn["age_p99_ms_of_each"])
        lines.append(f"{'calls of each process, p99 of age of each, ms':<46} {_listed(turn['dealt']):>22} {ages:>22}")
    lines += ["", f"CPU a call-second, {head} / {ONE}: {_told(found['cpu_ratio'])}"]
    broken = sorted({why for which in (ONE, MANY) for turn in found[which] for why in turn["why"]})
    return "\n".join(lines + [f"broken: {why}" for why in broken])


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))


def _told(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return "–"
    middle, least, most = (_text(value) for value in (median(there), min(there), max(there)))
    return middle if least == most else f"{middle} ({least} to {most})"


def _text(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"
