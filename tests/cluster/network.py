"""A bus from which single nodes can be cut off, and joined again: a real nats-server, and one way to it for each node.

``Namespaces``: server and nodes are in network namespaces of their own, with a pair of virtual interfaces for each node. Cut,
packets are lost without a word, and what was on its way comes late, as in a real network. It takes root (or CAP_SYS_ADMIN)
and ``ip``; without them tests skip. ``Relays``: each node has a port of its own, behind which nothing moves while it is cut;
it works everywhere, and never loses a packet.

A node is in the namespace in which its threads are started: make it within ``inside()``.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

from tests.cluster.nats_server import NatsServer

CLONE_NEWNET = 0x40000000
HERE = "/proc/thread-self/ns/net"


class Way(Protocol):
    """A node's way to the bus."""

    url: str

    def inside(self) -> AbstractContextManager[None]:
        """Threads that are started within belong to this node."""

    def cut(self) -> None:
        """Nothing gets through any more, in neither direction, and nobody is told."""

    def join(self) -> None:
        """All gets through again."""


class Network(Protocol):
    """One server, and ways to it. ``restart`` it; ``close`` ends all."""

    server: NatsServer

    def way(self) -> Way:
        """The way of one more node."""

    def restart(self) -> None:
        """Kill the server and start it again."""


class Namespaces:
    """See the module."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack, self._count = stack, 0
        self.namespace = _namespace(stack)
        self.server = NatsServer(folder / "nats", "-a", "0.0.0.0")
        with _inside(self.namespace):
            self.server.start()
        stack.callback(self.server.stop)

    def way(self) -> Way:
        """See ``Network``."""
        self._count += 1
        return _Cable(self, self._count, _namespace(self._stack))

    def restart(self) -> None:
        """See ``Network``."""
        self.server.kill()
        with _inside(self.namespace):
            self.server.start()


class _Cable:
    """A pair of virtual interfaces, one end in the server's namespace and one in the node's."""

    def __init__(self, network: Namespaces, number: int, namespace: int) -> None:
        self._network, self._namespace, self._name = network, namespace, f"node{number}"
        self.url = f"nats://10.77.{number}.1:{network.server.port}"
        there = f"/proc/{os.getpid()}/fd/{namespace}"
        with _inside(network.namespace):
            _ip("link", "add", self._name, "type", "veth", "peer", "name", "bus", "netns", there)
            _ip("address", "add", f"10.77.{number}.1/24", "dev", self._name)
            _ip("link", "set", self._name, "up")
        with _inside(namespace):
            _ip("address", "add", f"10.77.{number}.2/24", "dev", "bus")
            _ip("link", "set", "bus", "up")

    def inside(self) -> AbstractContextManager[None]:
        """See ``Way``."""
        return _inside(self._namespace)

    def cut(self) -> None:
        """See ``Way``."""
        with _inside(self._network.namespace):
            _ip("link", "set", self._name, "down")

    def join(self) -> None:
        """See ``Way``."""
        with _inside(self._network.namespace):
            _ip("link", "set", self._name, "up")


class Relays:
    """See the module."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.server = NatsServer(folder / "nats")
        self.server.start()
        stack.callback(self.server.stop)

    def way(self) -> Way:
        """See ``Network``."""
        relay = _Relay(self.server.port)
        self._stack.callback(relay.close)
        return relay

    def restart(self) -> None:
        """See ``Network``."""
        self.server.kill()
        self.server.start()


class _Relay:
    """Hands on what comes, on a thread of its own, with one loop; made and ended by whoever makes it."""

    def __init__(self, port: int) -> None:
        self._port, self.url = port, ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="relay", daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    def inside(self) -> AbstractContextManager[None]:
        """See ``Way``."""
        return nullcontext()

    def cut(self) -> None:
        """See ``Way``."""
        self._loop.call_soon_threadsafe(self._joined.clear)

    def join(self) -> None:
        """See ``Way``."""
        self._loop.call_soon_threadsafe(self._joined.set)

    def close(self) -> None:
        """End it, with what goes through it."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._ending, self._joined = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._joined.set()
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._ending.wait()
        listening.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._joined.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._hand_on(reader, back), self._hand_on(there, writer))

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self._joined.wait()
                writer.write(data)
                await writer.drain()
        await self._joined.wait()
        writer.close()


def why_no_namespaces() -> str | None:
    """Why network namespaces cannot be made here; None where they can."""
    if shutil.which("ip") is None:
        return "ip (iproute2) is not installed"
    try:
        with ExitStack() as stack:
            number = _namespace(stack)
            with _inside(number):
                _ip("link", "add", "try", "type", "veth", "peer", "name", "again")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces cannot be made here: {error}"
    return None


def _namespace(stack: ExitStack) -> int:
    """A new network namespace, as a file that keeps it; nothing of it stays when the file is closed and nobody is in it."""
    before = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", CLONE_NEWNET)
        try:
            made = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, made)
            _ip("link", "set", "lo", "up")
        finally:
            _call("setns", before, CLONE_NEWNET)
    finally:
        os.close(before)
    return made


@contextmanager
def _inside(namespace: int) -> Iterator[None]:
    """Have this thread, and the threads and processes that it starts, be in a namespace."""
    before = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", namespace, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", before, CLONE_NEWNET)
    finally:
        os.close(before)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _call(name: str, *arguments: int) -> None:
    """One of the system's calls that Python has from 3.12 on only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
