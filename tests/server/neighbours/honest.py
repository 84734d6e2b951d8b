"""Honest calls, the feed that tells what became of them, and a probe of ``/healthz``: what an attack may not change."""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import soundfile
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from stream_ser.load.callers import play, telephone
from tests.conftest import BUNDLED

RATE, FRAME_MS = 8_000, 20
PROBE_S = 0.1
SOURCE = (
    "127.0.0.2"  # of honest calls, their subscriber and the probe: who shares an attacker's address shares its limit
)
BEGIN_S = 1.0  # over which calls begin


@dataclass(slots=True)
class Suffered:
    """What honest calls and the probe saw."""

    calls: int
    expected: int  # points of each call, at least
    ages_ms: list[float] = field(default_factory=list)
    points: Counter[str] = field(default_factory=Counter)
    missing_s: float = 0.0
    dropped: int = 0  # windows that newer ones replaced
    reasons: Counter[str] = field(default_factory=Counter)  # why calls ended
    broken: list[str] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    holes: int = 0  # points that are missing between others

    @property
    def lost(self) -> int:
        """Points that never came, or say nothing because their window was replaced."""
        short = sum(max(0, self.expected - count) for count in self.points.values())
        return short + self.expected * (self.calls - len(self.points)) + self.holes + self.dropped

    @property
    def p99_ms(self) -> float:
        """Of the age of points."""
        return float(np.quantile(self.ages_ms, 0.99)) if self.ages_ms else math.inf

    @property
    def slowest_health_s(self) -> float:
        """The longest that ``/healthz`` took."""
        return max(self.health_s, default=math.inf)


async def suffer(url: str, calls: int, seconds: float, hop_s: float, publisher: str, viewer: str) -> Suffered:
    """``calls`` honest calls of ``seconds``, half of them telephony's, and the last one begins half-way."""
    found = Suffered(calls, int(seconds / 2 / hop_s) - 1)
    sound = soundfile.read(BUNDLED, dtype="float32")[0]
    payloads = telephone(sound)
    reading = asyncio.create_task(_read(url, viewer, found, hop_s))
    probing = asyncio.create_task(_probe(url, found))

    async def one(number: int) -> None:
        name, late = f"good-{time.monotonic_ns()}-{number}", number == calls - 1 and calls > 1
        await asyncio.sleep(seconds / 2 if late else BEGIN_S * number / calls)
        lasts = seconds / 2 if late else seconds - BEGIN_S
        try:
            if number % 2:
                offset = number * 7919 % len(payloads)
                sent = await play(
                    url, name, payloads, lasts, offset=offset, token=publisher, tls=trust(url), source=SOURCE
                )
                if sent.error is not None:
                    found.broken.append(sent.error)
            else:
                await _plain(url, name, sound[number * 7919 :: 2], lasts, publisher)
        except Exception as error:  # told in the table; the others go on
            found.broken.append(f"{type(error).__name__}: {error}")

    try:
        async with asyncio.timeout(seconds + 60.0):
            await asyncio.gather(*map(one, range(calls)))
        async with asyncio.timeout(30.0):
            while sum(found.reasons.values()) < calls - len(found.broken):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        found.broken.append(f"only {sum(found.reasons.values())} of {calls} calls were told to have ended")
    finally:
        for task in (reading, probing):
            task.cancel()
        await asyncio.gather(reading, probing, return_exceptions=True)
    return found


def trust(url: str) -> ssl.SSLContext | None:
    """What to shake hands with, where there is TLS: ``SSL_CERT_FILE`` names who is trusted."""
    return ssl.create_default_context() if url.startswith("wss") else None


async def _plain(url: str, call: str, sound: np.ndarray, seconds: float, token: str) -> None:  # type: ignore[type-arg]
    frame = RATE * FRAME_MS // 1000
    coded = (sound * 32_767).astype("<i2").tobytes()
    said = {"type": "hello", "call": call, "role": "customer", "rate": RATE, "channels": 1, "encoding": "s16le"}
    loop = asyncio.get_running_loop()
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(
        f"{url}/v1/audio",
        compression=None,
        additional_headers=headers,
        open_timeout=30,
        ping_interval=None,
        local_addr=(SOURCE, 0),
    ) as socket:
        await socket.send(json.dumps(said | {"consent": "given"}))
        began = loop.time()
        for number in range(int(seconds * 1000 / FRAME_MS)):
            at = number * 2 * frame % (len(coded) - 2 * frame)
            await socket.send(coded[at - at % 2 :][: 2 * frame])
            await asyncio.sleep(max(0.0, began + number * FRAME_MS / 1000 - loop.time()))
        await socket.send('{"type":"close"}')
        await socket.wait_closed()


async def _read(url: str, token: str, found: Suffered, hop_s: float) -> None:
    ends: dict[str, int] = defaultdict(int)
    hop = round(hop_s * 16_000)
    try:
        async with connect(
            f"{url}/v1/feed",
            additional_headers={"Authorization": f"Bearer {token}"},
            open_timeout=30,
            ping_interval=None,
            local_addr=(SOURCE, 0),
        ) as feed:
            async for text in feed:
                message = json.loads(text)
                match message["type"]:
                    case "point":
                        stream = message["stream"]
                        found.points[stream] += 1
                        found.holes += (message["end"] - ends[stream]) // hop - 1
                        ends[stream] = message["end"]
                        found.ages_ms.append(message["ledger"]["age_ms"])
                    case "gap":
                        found.missing_s += (message["end"] - message["start"]) / 16_000
                    case "end":
                        found.dropped += message["dropped"]
                    case "call" if message["kind"] == "ended":
                        found.reasons[message["reason"]] += 1
        found.broken.append("the subscriber was sent away")
    except (OSError, WebSocketException) as error:
        found.broken.append(f"the subscriber: {type(error).__name__}: {error}")


async def _probe(url: str, found: Suffered) -> None:
    parts = urlsplit(url)
    loop, context = asyncio.get_running_loop(), trust(url)
    while True:
        began = loop.time()
        try:
            async with asyncio.timeout(10.0):
                given = {"ssl": context, "local_addr": (SOURCE, 0)}
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port, **given)
                try:
                    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    answer = await reader.read()
                finally:
                    writer.close()
            found.health_s.append(loop.time() - began if b" 200 " in answer[:20] else math.inf)
        except (OSError, TimeoutError):
            found.health_s.append(math.inf)
        await asyncio.sleep(PROBE_S)
