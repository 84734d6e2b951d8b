"""``make cluster-demo``: three nodes, three nats-servers and a balancer on this machine, and twenty calls through them.

In the middle of it one node and one nats-server are killed. It says what it starts, what came of it, and ends all of it.
HAProxy is the balancer; deploy/haproxy.cfg is what it is on real machines, with TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import soundfile

from stream_ser.audio.bundled import bundled_recording
from stream_ser.errors import ConfigError, StreamSerError
from stream_ser.feed.address import page_url
from stream_ser.feed.client import subscribe
from stream_ser.load.callers import play, telephone
from stream_ser.load.nats_server import clustered, free_port
from stream_ser.load.server import Running, server

BALANCER = """
global
    maxconn 500
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout check 2s
frontend calls
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk
    option redispatch 1
    retries 3
    http-check send meth GET uri /readyz hdr Host localhost
    default-server check inter 500ms fall 1 rise 2
{nodes}
"""
LISTENS_S = 10.0
TAIL_S = 8.0  # until what the dead node had is told of


@contextmanager
def balancer(folder: Path, nodes: list[Running]) -> Iterator[str]:
    """HAProxy in front of nodes; gives its address. Raises ConfigError where there is none."""
    program = shutil.which("haproxy")
    if program is None:
        raise ConfigError("HAProxy is not installed", fix="run apt-get install haproxy")
    port = free_port()
    listed = "\n".join(
        f"    server node{number} 127.0.0.1:{node.url.rpartition(':')[2]}" for number, node in enumerate(nodes, 1)
    )
    (folder / "haproxy.cfg").write_text(BALANCER.format(port=port, nodes=listed))
    with (folder / "haproxy.log").open("w") as log:
        process = subprocess.Popen([program, "-db", "-f", str(folder / "haproxy.cfg")], stdout=log, stderr=log)
    try:
        until = time.monotonic() + LISTENS_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise ConfigError(
                    f"HAProxy does not start: {(folder / 'haproxy.log').read_text()[-300:]}", fix="see there"
                )
            time.sleep(0.05)
        print(f"started HAProxy, process {process.pid}, on port {port}")
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


async def watch(url: str, got: list[dict[str, Any]]) -> None:
    """Read the feed; wherever the connection breaks it comes back with its place."""
    async for message in subscribe(f"{url}/v1/feed", retry_s=60.0):
        got.append(dict(message))  # noqa: PERF401 - others look at it meanwhile


async def calls(
    url: str, count: int, seconds: float, kill: Callable[[], None]
) -> tuple[list[str | None], list[dict[str, Any]]]:
    """``count`` calls over the balancer, each again under its name where its connection breaks; what the feed said."""
    payloads = telephone(soundfile.read(bundled_recording(), dtype="float32")[0])
    got: list[dict[str, Any]] = []
    watching = asyncio.create_task(watch(url, got))
    until = time.monotonic() + seconds

    async def one(number: int) -> str | None:
        await asyncio.sleep(2.0 * number / count)
        error: str | None = None
        while (left := until - time.monotonic()) > 1.0:
            sent = await play(url, f"demo-{number}", payloads, left, offset=(number * 7919) % len(payloads))
            error = sent.error
            await asyncio.sleep(0.2)
        return error

    speaking = [asyncio.create_task(one(number)) for number in range(count)]
    await asyncio.sleep(seconds / 2)
    await asyncio.to_thread(kill)
    errors = await asyncio.gather(*speaking)
    await asyncio.sleep(TAIL_S)
    watching.cancel()
    return list(errors), got


def told(got: list[dict[str, Any]], count: int) -> bool:
    """Say what came of it; whether all is as it should be."""
    came = [(m.get("first", m["seq"]), m["seq"]) for m in got if m["type"] not in ("hello", "heartbeat", "snapshot")]
    once = bool(came) and all(first == before + 1 for (_, before), (first, _) in pairwise(came))
    gone = sum(m["last"] - m["first"] + 1 for m in got if m["type"] in ("dropped", "missed"))
    kinds = Counter(m["kind"] for m in got if m["type"] == "call")
    ended = {m["call"]: m["kind"] for m in got if m["type"] == "call"}
    over = sum(kind != "opened" for kind in ended.values())
    print(f"the feed brought {len(came)} messages, {sum(m['type'] == 'point' for m in got)} of them points")
    print(
        f"numbers {came[0][0] if came else 0} to {came[-1][1] if came else 0}: {'each once' if once else 'NOT each once'}"
    )
    if gone:
        print(f"{gone} of them told of as dropped or missed: this machine was too busy to read them")
    print(f"calls: {kinds['opened']} openings, {kinds['ended']} ends, {kinds['interrupted']} interrupted")
    print(f"{over} of {count} calls have an end" + ("" if over == count else ", which is NOT all"))
    return once and over == count


def demonstrate(count: int, seconds: float) -> bool:
    """Start all, have the calls, end all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-ser-cluster-")))
        buses = stack.enter_context(clustered(folder))
        print(f"started three nats-servers: {', '.join(each.url for each in buses)}, in {folder}")
        more = ["--bus", ",".join(each.url for each in buses), "--cluster-replicas", "3", "--engine", "onnx"]
        nodes = [stack.enter_context(server(folder, more, folder / f"node-{number}.log")) for number in range(3)]
        for node in nodes:
            print(f"started a node, process {node.process.pid}: {node.url}")
        url = stack.enter_context(balancer(folder, nodes))
        print(f"page, from whichever node: {page_url(url)}\n{count} calls for {seconds:.0f} s")

        def kill() -> None:
            print(f"killing the node {nodes[0].url} and the nats-server {buses[0].url}", flush=True)
            os.kill(nodes[0].process.pid, signal.SIGKILL)
            buses[0].kill()

        _, got = asyncio.run(calls(url, count, seconds, kill))
        good = told(got, count)
        print("ending all of it", flush=True)
    return good


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.load.cluster_demo", description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    try:
        good = demonstrate(given.calls, given.seconds)
    except StreamSerError as error:
        print(f"stream-ser: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
