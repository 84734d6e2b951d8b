"""What every server begins with: a port, and a thread that runs an event loop until the server is over.

The caller owns socket and thread. Nothing here is shared.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import Future


def listen(host: str, port: int, backlog: int, shared: bool = False) -> socket.socket:
    """A socket that listens on the address, of either version; port 0 takes any. Raises OSError, OverflowError.

    ``shared``: other processes of the same user may listen there too, and the system deals connections out.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog, reuse_port=shared)


def run(
    server: Coroutine[None, None, None],
    ready: Future[None],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a server in this thread. What goes wrong before it has said that it is ``ready`` is told to who waits for that."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(server)
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)
