"""A real call server and what talks to it over real sockets. Whoever waits waits for a condition, never for a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import soundfile
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from stream_ser.calls.events import Frames
from stream_ser.feed.client import subscribe
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits, ServeConfig
from stream_ser.server.token_file import add
from stream_ser.server.tokens import Role, new_token
from tests.conftest import BUNDLED

PATIENCE_S = 60.0  # until something that must happen has not: a loaded machine is no failure
HOP_S = 0.5
BURST_S = 600.0  # tests have no time for real time
LOUD = """
[[rule]]
name = "someone speaks"
role = "any"
severity = "critical"
when = [{ label = ["angry", "happy", "neutral", "sad"], above = 0.5 }]
for_s = 0.5
"""

Message = dict[str, Any]


@cache
def voices() -> tuple[Frames, Frames]:
    """Five seconds of a customer's voice and five of an agent's, both of them speech, at 8 kHz."""
    samples, rate = soundfile.read(BUNDLED, dtype="float32")
    assert rate == 16_000
    found = tuple(samples[round(at * rate) : round((at + 5) * rate) : 2] for at in (2.5, 10.5))
    return found[0], found[1]


@asynccontextmanager
async def serving(
    folder: Path, environ: Mapping[str, str] | None = None, drain_s: float = 1.0, **given: Any
) -> AsyncIterator[CallServer]:
    """A server of this process with a store and rules in ``folder``. It is drained at the end."""
    rules = folder / "rules.toml"
    rules.write_text(LOUD)
    store = f"sqlite:///{folder / 'results.db'}"
    options = {"port": 0, "engine": "onnx", "store": store, "rules": rules, "limits": Limits(burst_s=BURST_S)} | given
    server = CallServer(ServeConfig(**options), environ or {})
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop, drain_s)


def tokens(folder: Path, *whose: tuple[str, Role], expires: datetime | None = None) -> tuple[Path, list[str]]:
    """Tokens in a file, and their secrets."""
    path, secrets = folder / "tokens.toml", []
    for tenant, role in whose:
        made = new_token(tenant, role, expires)
        add(path, made)
        secrets.append(made.secret)
    return path, secrets


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so that changes on other threads."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return
    raise AssertionError(what)


class Feed:
    """A subscriber, and everything that it has got."""

    def __init__(self, url: str, filters: SubscriptionFilter | None = None, token: str | None = None) -> None:
        self.reader = subscribe(f"{url}/v1/feed", filters=filters, token=token, retry_s=PATIENCE_S)
        self.got: list[Message] = []
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        await self.until(lambda: bool(self.got), "the first message")  # from here on it misses nothing
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading

    def of(self, kind: str, /, **fields: object) -> list[Message]:
        """The messages of a kind whose fields are these."""
        return [
            message
            for message in self.got
            if message["type"] == kind and all(message.get(name) == value for name, value in fields.items())
        ]

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    if self._reading.done():
                        self._reading.result()
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            seen = [(m["type"], m.get("kind"), m.get("stream"), m.get("end")) for m in self.got[-8:]]
            raise AssertionError(f"{what} did not come; the last were {seen}") from None

    async def wait(self, kind: str, count: int = 1, /, **fields: object) -> list[Message]:
        """The messages of a kind, once there are as many."""
        await self.until(lambda: len(self.of(kind, **fields)) >= count, f"{count} × {kind} {fields}")
        return self.of(kind, **fields)

    async def _read(self) -> None:
        try:
            async for message in self.reader:
                self.got.append(message)
                self._came.set()
        finally:
            self._came.set()


def page(
    server: CallServer | str, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """A page for operators. Blocks: for ``asyncio.to_thread``."""
    url = server if isinstance(server, str) else server.url
    request = Request(url.replace("ws", "http", 1) + path, method=method, headers=dict(headers or {}))
    try:
        with urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def figures(server: CallServer | str) -> dict[str, float]:
    """The metrics, by name and, where they have one, label."""
    status, text = await asyncio.to_thread(page, server, "/metrics")
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[" ".join([sample.name.removeprefix("stream_ser_"), *sample.labels.values()])] = sample.value
    return found


async def refusals(server: CallServer | str) -> dict[str, float]:
    """What was refused, by reason, as the metrics say it."""
    named = await figures(server)
    return {name.split()[1]: count for name, count in named.items() if name.startswith("refused_total ")}


async def knock(url: str, **options: Any) -> tuple[int, str]:
    """Be turned away at the handshake: status, and what was said."""
    try:
        async with connect(url, compression=None, open_timeout=PATIENCE_S, **options):
            return 101, ""
    except InvalidStatus as error:
        return error.response.status_code, bytes(error.response.body or b"").decode()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def dial(server: CallServer | str, path: str, **options: Any) -> Any:
    """A connection that brings sound."""
    url = server if isinstance(server, str) else server.url
    return connect(f"{url}{path}", compression=None, open_timeout=PATIENCE_S, ping_interval=None, **options)


async def farewell(socket: ClientConnection) -> tuple[int | None, str]:
    """How the other side ends a connection, whatever it says before."""
    async with asyncio.timeout(PATIENCE_S):
        await socket.wait_closed()
    return socket.close_code, socket.close_reason or ""


async def answer(socket: ClientConnection) -> Message:
    """The next text of the other side."""
    async with asyncio.timeout(PATIENCE_S):
        found: Message = json.loads(await socket.recv())
        return found
