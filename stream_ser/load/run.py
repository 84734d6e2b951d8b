"""200 telephone calls, then 1000 subscribers, against a real server, as a table.

The server runs in a process of its own, and so do calls and subscribers; all share this machine, whose cores are named.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import soundfile

from stream_ser.bench import machine
from stream_ser.feed.message_types import Message
from stream_ser.latency import Histogram, LatencyStats, quantile
from stream_ser.load.callers import Grid, Sent, play, telephone
from stream_ser.load.resources import Used
from stream_ser.load.server import Running, server
from stream_ser.load.subscribers import Reading, subscribe
from stream_ser.types import SAMPLE_RATE

HOP_S = 0.5


def calls(url: str, recording: str, count: int, seconds: float) -> list[Sent]:
    """``count`` calls at once, begun over two seconds. For a process of its own."""

    async def everybody() -> list[Sent]:
        payloads = telephone(soundfile.read(recording, dtype="float32")[0])
        grid = Grid(asyncio.get_running_loop())

        async def one(number: int) -> Sent:
            await asyncio.sleep(2.0 * number / count)
            offset = (number * 7919) % len(payloads)
            return await play(url, f"load-{number}", payloads, seconds, offset=offset, grid=grid)

        return list(await asyncio.gather(*(one(number) for number in range(count))))

    return asyncio.run(everybody())


def readers(url: str, count: int, seconds: float, stalled: bool) -> Reading:
    """Subscribers, for a process of its own."""
    allow_sockets()
    return asyncio.run(subscribe(url, count, seconds, stalled))


class Received:
    """What a feed says of all calls."""

    def __init__(self) -> None:
        self.points = self.missing = self.dropped = 0
        self.ledger = LatencyStats()
        self.seen = Histogram()  # ms from the end of a window, by the wall clock, until its point is here
        self.ages_ms: dict[str, list[float]] = {}  # of each stream's points, when they were published
        self.call_of: dict[str, str] = {}  # by stream
        self._began: dict[str, datetime] = {}  # by stream

    def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "hello":
            self.call_of[message["stream"]] = message["call"] or ""
            if message["anchor"] is not None:
                self._began[message["stream"]] = datetime.fromisoformat(message["anchor"])
        elif message["type"] == "point":
            self.points += 1
            self.ages_ms.setdefault(message["stream"], []).append(message["ledger"]["age_ms"])
            self.ledger.add(message["ledger"])
            began = self._began.get(message["stream"])
            if began is not None:
                now_s = (datetime.now(UTC) - began).total_seconds()
                self.seen.add(max(0.0, 1e3 * (now_s - message["end"] / SAMPLE_RATE)))
        elif message["type"] == "gap":
            self.missing += message["end"] - message["start"]
        elif message["type"] == "end":
            self.dropped += message["dropped"]

    def whole(self, expected: int) -> list[str]:
        """The streams of which as many points have come as there should be."""
        return [stream for stream, ages in self.ages_ms.items() if len(ages) >= expected]

    def carried(self, expected: int) -> int:
        """How many of these have a p99 of age below the hop."""
        return sum(quantile(self.ages_ms[stream], 0.99) < 1e3 * HOP_S for stream in self.whole(expected))


def _withheld_s() -> float:
    """Processor seconds, over all cores, that the host gave to others since the machine started; 0 where nothing says so."""
    try:
        ticks = int(Path("/proc/stat").read_text().split(maxsplit=9)[8])
    except (OSError, ValueError, IndexError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")


async def _read_feed(url: str, received: Received, done: asyncio.Event) -> int:
    """Read the feed until ``done``; gives the numbers that were missed."""
    from stream_ser.feed.client import subscribe as feed

    reader = feed(f"{url}/v1/feed")

    async def go() -> None:
        async for message in reader:
            received(message)

    reading = asyncio.create_task(go())
    await done.wait()
    reading.cancel()
    return reader.missed


async def measure_calls(
    running: Running,
    recording: Path,
    count: int,
    seconds: float,
    used: Callable[[], Used] | None = None,
    received: Received | None = None,
) -> dict[str, Any]:
    """Phase one. ``used`` looks at whom it costs, where that is not one server alone; ``received`` takes what the feed says."""
    used, received, done = used or running.used, received or Received(), asyncio.Event()
    reading_feed = asyncio.create_task(_read_feed(running.url, received, done))
    await asyncio.sleep(0.5)
    before, withheld_s = used(), _withheld_s()
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        sent = await loop.run_in_executor(pool, calls, running.url, str(recording), count, seconds)
    await asyncio.sleep(2.0)
    after = used()
    done.set()
    missed = await reading_feed
    cpu = after.cpu_s - before.cpu_s
    expected = int(seconds / HOP_S)
    return {
        "calls": count,
        "seconds": seconds,
        "calls_broken": sum(one.error is not None for one in sent),
        "why": sorted({one.error for one in sent if one.error})[:3],
        "generator_late_ms": round(max(one.late_ms for one in sent), 1),
        "points_expected": expected * count,
        "points": received.points,
        "calls_short": count - len(received.whole(expected)),
        "calls_carried": received.carried(expected),
        "sound_missing_s": received.missing / SAMPLE_RATE,
        "windows_dropped": received.dropped,
        "messages_missed": missed,
        **{stage: quantiles for stage, quantiles in received.ledger.summary().items() if stage != "capture_ms"},
        "seen_ms": received.seen.quantiles(),
        "cores_withheld_by_host": round((_withheld_s() - withheld_s) / (seconds + 4.0), 2),
        "cpu_share": round(cpu / (seconds + 2.0), 3),
        "cpu_ms_a_call_second": round(1e3 * cpu / (count * seconds), 2),
        "memory_mb": round(after.memory_mb, 1),
        "memory_kb_a_call": round(1e3 * (after.memory_mb - before.memory_mb) / count, 1),
    }


async def measure_subscribers(running: Running, recording: Path, count: int, seconds: float) -> dict[str, Any]:
    """Phase two: five calls make ten points a second."""
    loop = asyncio.get_running_loop()
    before = running.figures()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        reading = loop.run_in_executor(pool, readers, running.url, count, seconds + 25.0, True)
        await asyncio.sleep(count / 250 + 3.0)
        mid = running.figures()
        talking = loop.run_in_executor(pool, calls, running.url, str(recording), 5, seconds)
        await talking
        after = running.figures()
        found = await reading
    got = [one.messages for one in found.reads]
    cpu = after["process_cpu_seconds_total"] - mid["process_cpu_seconds_total"]
    return {
        "subscribers": count,
        "seconds": seconds,
        "messages_each": [min(got), max(got)],
        "dropped": sum(one.dropped for one in found.reads),
        "holes": sum(one.holes for one in found.reads),
        "broken": [one.error for one in found.reads if one.error][:3],
        "stalled_one_was_cut": found.stalled_cut,
        "cpu_share": round(cpu / (seconds + 2.0), 3),
        "memory_mb": [round(one["process_resident_memory_bytes"] / 1e6, 1) for one in (before, mid, after)],
    }


async def load(recording: Path, calls_: int, subscribers_: int, seconds: float) -> dict[str, Any]:
    """Both phases, each with a server of its own."""
    allow_sockets()
    found: dict[str, Any] = {"machine": machine.describe()}
    with tempfile.TemporaryDirectory() as folder:
        if calls_:
            with server(Path(folder)) as running:
                found["calls"] = await measure_calls(running, recording, calls_, seconds)
        if subscribers_:
            more = ["--limits-subscribers", str(subscribers_ + 10)]
            with server(Path(folder), more) as running:
                found["subscribers"] = await measure_subscribers(running, recording, subscribers_, seconds)
    return found


def show(found: dict[str, Any]) -> str:
    """The figures as lines for a person."""
    lines = [f"{found['machine']['processor']}, {found['machine']['cores']} cores, shared by server and generators"]
    for part in ("calls", "subscribers"):
        if part in found:
            lines += ["", part]
            lines += [f"  {name.replace('_', ' '):<24} {_text(value)}" for name, value in found[part].items()]
    return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def allow_sockets() -> None:
    """Let this process have as many sockets as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
