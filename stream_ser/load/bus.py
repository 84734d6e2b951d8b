"""``python -m stream_ser.load.bus``: what one bus carries, and what it adds to the delay of a message.

Publishers write messages of calls as nodes do, through ``BusLog``, each in a process of its own; another one reads the tenant's
stream as a node's reader does. A message says when it was written, by the machine's monotonic clock. What is measured is from
there until the reader has it: the writer's batch, the bus, and the way back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import time
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from typing import Any

import numpy as np
from nats.js import api

from stream_ser.cluster.cluster import Cluster
from stream_ser.cluster.connection import Bus, BusAddress
from stream_ser.cluster.following import Follower, Placed
from stream_ser.cluster.numbering import Keeping, ensure_stream
from stream_ser.cluster.wire import stream_name, subject
from stream_ser.feed import call_messages
from stream_ser.feed.call_messages import LegInfo
from stream_ser.feed.messages import encode
from stream_ser.load.raw_bus import RawPublisher, RawReader
from stream_ser.store.records import OpenCall, Row, Write

TENANT = "bus-load"
FILLING = "x" * 520  # with the rest, as long as a point of the feed
QUIET = 20  # tenths of a second without a message, after which all has come
BATCH_S = 0.005  # less than the call server's writer waits: it is the bus that is measured


def publish(
    servers: tuple[str, ...], number: int, calls: int, rate: float, seconds: float, ready: Any, go: Event
) -> None:
    """``calls`` calls with ``rate`` messages a second each, spread evenly. For a process of its own."""
    cluster = Cluster(BusAddress(servers), Keeping(minutes=5.0), None)
    cluster.open()
    names = [f"{number}-{call}" for call in range(calls)]
    now = datetime.now(UTC).replace(microsecond=0)
    seq = 0
    for begin in range(0, calls, 200):
        opening: list[Write] = []
        for name in names[begin : begin + 200]:
            seq += 1
            legs = [LegInfo("a", "customer", f"{name}/a")]
            text = encode(call_messages.call("opened", name, now, legs, "given"))
            opening += [OpenCall(TENANT, name, now, "given"), Row(TENANT, seq, name, None, "call", None, text)]
        cluster.log.write(opening)
    ready.put(calls)
    go.wait()
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate * calls)
        batch: list[Write] = []
        while sent < due and len(batch) < 500:
            name = names[sent % calls]
            seq, sent = seq + 1, sent + 1
            head = f'{{"type":"point","seq":{seq},"stream":"{name}/a","ns":{time.monotonic_ns()},"x":"{FILLING}"}}'
            batch.append(Row(TENANT, seq, name, f"{name}/a", "point", 4000, head))
        if batch:
            cluster.log.write(batch)
        time.sleep(BATCH_S)
    ready.put((sent, time.process_time(), max(0, int((time.monotonic() - began) * rate * calls) - sent)))
    cluster.close()


def follow(servers: tuple[str, ...], ready: Any, stop: Event, answer: Any) -> None:
    """Read all of it. For a process of its own."""
    cluster = Cluster(BusAddress(servers), Keeping(minutes=5.0), None)
    cluster.open()
    delays, places = [], []

    def take(placed: Placed) -> None:
        now = time.monotonic_ns()
        places.append(placed.place)
        at = placed.data.find(b'"ns":')
        if at > 0:
            delays.append(now - int(placed.data[at + 5 : placed.data.index(b",", at)]))

    async def read() -> None:
        extent = await ensure_stream(cluster.bus, TENANT, Keeping(minutes=5.0))
        following = asyncio.create_task(Follower(cluster.bus, TENANT, extent.last + 1, take).run())
        ready.put(0)
        quiet = 0
        while not stop.is_set() or quiet < QUIET:
            before = len(delays)
            await asyncio.sleep(0.1)
            quiet = quiet + 1 if len(delays) == before else 0
        following.cancel()

    cluster.bus.call(read(), 3600.0)
    answer.put(_figures(delays, places))
    cluster.close()


def publish_raw(
    servers: tuple[str, ...], number: int, calls: int, rate: float, seconds: float, ready: Any, go: Event
) -> None:
    """The same by hand, at less cost: ``raw_bus``."""
    publisher = RawPublisher(servers[0], [subject(TENANT, f"{number}-{n}") for n in range(calls)], str(number), FILLING)
    ready.put(calls)
    go.wait()
    sent = publisher.run(rate, seconds)
    ready.put((sent, time.process_time(), sent - publisher.acknowledged))


def follow_raw(servers: tuple[str, ...], ready: Any, stop: Event, answer: Any) -> None:
    """The same by hand."""
    bus = Bus(BusAddress(servers))
    bus.open()
    inbox = f"_INBOX.raw{os.getpid()}"
    reader = RawReader(servers[0], inbox)

    async def ask() -> None:
        config = api.ConsumerConfig(deliver_subject=inbox, ack_policy=api.AckPolicy.NONE, mem_storage=True)
        config.deliver_policy = api.DeliverPolicy.NEW
        await bus.js.add_consumer(stream_name(TENANT), config)

    bus.call(ask())
    ready.put(0)
    quiet = 0
    while not stop.is_set() or quiet < QUIET:
        before = len(reader.delays_ns)
        reader.hear()
        quiet = quiet + 1 if len(reader.delays_ns) == before else 0
    answer.put(_figures(reader.delays_ns, reader.places))
    bus.close()


def _figures(delays_ns: list[int], places: list[int]) -> tuple[int, list[float], int, float]:
    told = np.asarray(delays_ns, dtype=np.float64) / 1e6
    holes = int(np.count_nonzero(np.diff(places) != 1)) if places else 0
    quantiles = [float(np.percentile(told, each)) for each in (50, 95, 99, 100)] if len(told) else [0.0] * 4
    return len(told), quantiles, holes, time.process_time()


def measure(
    servers: tuple[str, ...], publishers: int, calls: int, rate: float, seconds: float, raw: bool
) -> dict[str, Any]:
    """One run; what came of it, by name."""
    spawning = multiprocessing.get_context("spawn")
    ready, answer, go, stop = spawning.Queue(), spawning.Queue(), spawning.Event(), spawning.Event()
    each = calls // publishers
    prepare(servers)
    target, named = (publish_raw if raw else publish), os.getpid() * 100
    processes = [
        spawning.Process(target=target, args=(servers, named + number, each, rate, seconds, ready, go))
        for number in range(publishers)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get(timeout=600)
    reader = spawning.Process(target=follow_raw if raw else follow, args=(servers, ready, stop, answer))
    reader.start()
    ready.get(timeout=60)
    time.sleep(0.5)
    go.set()
    done = [ready.get(timeout=seconds + 600) for _ in processes]
    stop.set()
    got, (p50, p95, p99, worst), holes, reading_s = answer.get(timeout=300)
    for process in (*processes, reader):
        process.join()
    sent = sum(each[0] for each in done)
    return {
        "calls": each * publishers,
        "wanted_per_s": round(rate * each * publishers),
        "sent_per_s": round(sent / seconds),
        "lost": sent - got,
        "holes": holes,
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "worst_ms": round(worst, 1),
        "publisher_us_per_message": round(1e6 * sum(each[1] for each in done) / max(1, sent)),
        "reader_us_per_message": round(1e6 * reading_s / max(1, got)),
    }


def prepare(servers: tuple[str, ...]) -> None:
    """Make the tenant's stream, for those who do not."""
    bus = Bus(BusAddress(servers))
    bus.open()
    bus.call(ensure_stream(bus, TENANT, Keeping(minutes=5.0)))
    bus.close()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.load.bus", description=__doc__)
    parser.add_argument("bus", help="nats://HOST:4222, a server that may be filled")
    parser.add_argument("--publishers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--calls", type=int, default=10_000, help="in all (default: 10,000)")
    parser.add_argument("--rate", type=float, default=2.0, help="messages a second of each (default: 2)")
    parser.add_argument("--seconds", type=float, default=20.0)
    told = "publish and read by hand, at a tenth of what nodes cost: what the bus itself carries"
    parser.add_argument("--raw", action="store_true", help=told)
    given = parser.parse_args()
    found = measure(tuple(given.bus.split(",")), given.publishers, given.calls, given.rate, given.seconds, given.raw)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
