#!/bin/sh
# Up to Python 3.11, asyncio leaves every closed TCP connection's transport behind, with its socket object: the transport keeps
# its own bound method (_read_ready_cb) and does not let it go when the connection is lost, so only the cyclic garbage
# collector finds it. A server that opens and closes many connections piles up seven objects for each side of a connection until the
# next full collection, which then holds up the event loop; one that has switched the collector off, or frozen, leaks. Nothing that the
# program does at closing changes it, and the same program on uvloop leaves nothing. Python 3.12 mended it.
# Needs python3.11. Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet uvloop==0.22.1
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import gc
import sys

import uvloop

CONNECTIONS = 100


async def left():
    """Objects and transports that are left of connections which both sides have closed and waited for."""

    async def serve(reader, writer):
        await reader.read(1)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        gc.collect()
        gc.disable()
        before = len(gc.get_objects())
        for _ in range(CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x")
            await reader.read()
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0.2)
        del reader, writer
        found = gc.get_objects()
        gc.enable()
        return len(found) - before, sum(type(each).__name__ == "_SelectorSocketTransport" for each in found)


own = asyncio.run(left())
uvloop.install()
other = asyncio.run(left())
print("Python", sys.version.split()[0], "uvloop", uvloop.__version__)
print(f"{CONNECTIONS} connections opened and closed, garbage collector off:")
print(f"asyncio leaves {own[0]} objects, {own[1]} of them transports; uvloop leaves {other[0]}")
sys.exit(0 if own[1] == 2 * CONNECTIONS and other[0] < CONNECTIONS else 1)
PYTHON
