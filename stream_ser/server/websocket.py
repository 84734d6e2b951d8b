"""Handshakes that come to nothing, counted: what never was a websocket is refused by the library before authentication.

Runs in the server's event loop.
"""

from __future__ import annotations

from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus

from stream_ser.server.batched_websocket import SoundConnection
from stream_ser.server.rejection import Refusal


class CountingConnection(SoundConnection):
    """A connection whose handshake is counted where it is wrong (``bad-handshake``), or unfinished after ``open_s`` seconds.

    The second is ``no-handshake``. Who connects and leaves again, as load balancers do to see whether we live, is refused
    nothing.
    """

    def __init__(
        self,
        refuse: Callable[[Refusal], object],
        open_s: float,
        known: set[ServerConnection],
        *args: object,
        **kwargs: object,
    ) -> None:
        super().__init__(known, *args, **kwargs)
        self._refuse, self._open_s = refuse, open_s
        self._began = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        refusal = self._refusal()
        if refusal is not None:
            self._refuse(refusal)
        super().connection_lost(exc)

    def _refusal(self) -> Refusal | None:
        why = self.protocol.handshake_exc
        if isinstance(why, InvalidMessage) and isinstance(why.__cause__, EOFError):
            why = None  # the other side went away in the middle
        if isinstance(why, InvalidHandshake) and not isinstance(why, InvalidStatus):  # that one is ours, and counted
            return Refusal("bad-handshake", str(why))
        late = self.request is None and self.loop.time() - self._began >= self._open_s
        return Refusal("no-handshake", "the handshake was not finished in time") if late else None
