"""Say the last words to the other side of a connection, and end it, however it takes that. One event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from websockets.exceptions import ConnectionClosed

SETTLE_S = 1.0  # how long whoever ignored our goodbye gets after the second one


class Peer(Protocol):
    """The other side of a connection: a websocket, or what stands for a TCP connection."""

    async def send(self, message: str | bytes) -> None:
        """Send one message."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection."""


async def tell(peer: Peer, messages: Sequence[str | bytes]) -> None:
    """Send messages, as far as it takes them."""
    with contextlib.suppress(ConnectionClosed, OSError):
        for message in messages:
            await peer.send(message)


async def end(peer: Peer, code: int, reason: str, last: Sequence[str | bytes] = ()) -> None:
    """Send the last messages and close, with a websocket's code and reason."""
    with contextlib.suppress(TimeoutError):  # who reads nothing may not keep it open
        await asyncio.wait_for(tell(peer, last), SETTLE_S)
    with contextlib.suppress(ConnectionClosed, OSError):
        await peer.close(code, reason)
