"""Calls that speak Twilio's Media Streams, one sound played again and again, each at real time from a moment of its own.

Everything runs in one event loop, and each frame is a write of its own, as in a real call; but what else a frame costs is
kept small: the generator must cost less than the server.
"""

from __future__ import annotations

import asyncio
import base64
import math
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from stream_ser.calls.protocols.g711 import mulaw_encode
from stream_ser.types import SAMPLE_RATE, Samples

RATE, FRAME_MS = 8_000, 20
FRAME = RATE * FRAME_MS // 1000
GRID_S = 0.002  # calls whose frames are due within this are served together: less than a network's jitter


def telephone(sound: Samples) -> list[str]:
    """A 16 kHz sound as the payloads of one media message after another: 8 kHz, µ-law, base64, 20 ms each."""
    narrow = soxr.resample(sound, SAMPLE_RATE, RATE)
    coded = mulaw_encode(np.asarray(narrow, dtype=np.float32))
    whole = len(coded) // FRAME * FRAME
    return [base64.b64encode(coded[at : at + FRAME]).decode() for at in range(0, whole, FRAME)]


@dataclass(slots=True)
class Sent:
    """What one call did."""

    frames: int = 0
    late_ms: float = 0.0  # the latest that a frame was sent after it was due
    error: str | None = None


def start(
    call: str, token: str | None = None, consent: str = "given", tracks: tuple[str, ...] = ("inbound",)
) -> list[str]:
    """The two messages that open a stream."""
    quoted = "[" + ",".join(f'"{track}"' for track in tracks) + "]"
    secret = "" if token is None else f',"token":"{token}"'
    return [
        '{"event":"connected","protocol":"Call","version":"1.0.0"}',
        f'{{"event":"start","sequenceNumber":"1","streamSid":"MZ{call}","start":{{"accountSid":"AC0","callSid":"{call}",'
        f'"streamSid":"MZ{call}","tracks":{quoted},"customParameters":{{"consent":"{consent}"{secret}}},'
        '"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}',
    ]


def media(call: str, payloads: list[str], count: int, offset: int = 0, track: str = "inbound") -> Iterator[str]:
    """``count`` media messages that begin at payload ``offset`` and go round."""
    for number in range(count):
        payload = payloads[(offset + number) % len(payloads)]
        yield (
            f'{{"event":"media","sequenceNumber":"{number + 2}","streamSid":"MZ{call}","media":{{"track":"{track}",'
            f'"chunk":"{number + 1}","timestamp":"{number * FRAME_MS}","payload":"{payload}"}}}}'
        )


def stop(call: str, sequence: int) -> str:
    """The message that ends a stream."""
    return (
        f'{{"event":"stop","sequenceNumber":"{sequence}","streamSid":"MZ{call}",'
        f'"stop":{{"accountSid":"AC0","callSid":"{call}"}}}}'
    )


class Grid:
    """Does in one turn of the loop what is due within ``GRID_S``: a timer for each frame would cost as much as its bytes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[int, list[Callable[[], None]]] = {}

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do this at the first point of the grid after ``when``, by the loop's clock."""
        slot = math.floor(when / GRID_S + 1)
        due = self._due.get(slot)
        if due is None:
            due = self._due[slot] = []
            self._loop.call_at(slot * GRID_S, self._work, slot)
        due.append(do)

    def _work(self, slot: int) -> None:
        for do in self._due.pop(slot):
            try:
                do()
            except Exception as error:  # the other calls go on
                self._loop.call_exception_handler({"message": "a frame could not be sent", "exception": error})


async def _speak(socket: ClientConnection, messages: Iterator[str], speed: float, sent: Sent, grid: Grid) -> None:
    """Send each message when it is due, ``FRAME_MS`` of the call's time after the one before.

    The library frames and masks; a queue and a task switch for each frame would cost more than the frame. A frame that
    finds an earlier one still in the transport waits for it, and is late.
    """
    loop, transport = asyncio.get_running_loop(), socket.transport
    done: asyncio.Future[None] = loop.create_future()
    began = loop.time()

    def tick() -> None:
        now = loop.time()
        while not done.done():
            due = began + sent.frames * FRAME_MS / 1000 / speed
            if due > now or transport.get_write_buffer_size():
                grid.at(max(due, now), tick)
                return
            message = next(messages, None)
            if message is None or socket.state is not State.OPEN:
                done.set_result(None)
                return
            transport.write(Frame(Opcode.TEXT, message.encode()).serialize(mask=True))
            sent.late_ms = max(sent.late_ms, (now - due) * 1000)
            sent.frames += 1

    tick()
    await done


async def play(
    url: str,
    call: str,
    payloads: list[str],
    seconds: float,
    *,
    offset: int = 0,
    token: str | None = None,
    tls: ssl.SSLContext | None = None,
    speed: float = 1.0,
    source: str | None = None,
    grid: Grid | None = None,
) -> Sent:
    """One call of ``seconds`` at ``speed`` times real time, from the address ``source``; ``Sent.error`` says what broke it.

    Calls that are played together share a ``grid``.
    """
    sent, count = Sent(), int(seconds * 1000 / FRAME_MS)
    try:
        here = None if source is None else (source, 0)
        door = f"{url}/v1/twilio"
        async with connect(door, compression=None, ssl=tls, max_queue=4, open_timeout=30, local_addr=here) as socket:
            for message in start(call, token):
                await socket.send(message)
            await _speak(
                socket, media(call, payloads, count, offset), speed, sent, grid or Grid(asyncio.get_running_loop())
            )
            await socket.send(stop(call, count + 2))
            await socket.wait_closed()
    except Exception as error:  # told in the table; the other calls go on
        sent.error = f"{type(error).__name__}: {error}"
    return sent
