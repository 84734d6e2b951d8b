"""Send a recording to a running call server as one call, and print what the feed says of it.

    stream-ser serve &
    python demos/call.py ws://127.0.0.1:8765 demos/recording/conversation.flac

Sound goes out at the speed at which it was spoken: a server refuses calls that are faster than time. A token, where one is
needed, is taken from the environment variable STREAM_SER_TOKEN. It needs ``websockets`` and ``soundfile``: copy it. Remove
``proxy=None`` to reach a server through a proxy.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from pathlib import Path
from urllib.parse import quote

import soundfile
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

PIECE_S = 0.1


async def talk(server: str, headers: dict[str, str], call: str, recording: Path, speed: float) -> None:
    samples, rate = soundfile.read(recording, dtype="int16", always_2d=True)
    hello = {"type": "hello", "call": call, "role": "customer", "rate": rate, "channels": 1}
    hello |= {"encoding": "s16le", "consent": "given"}  # say so only where it was
    async with connect(f"{server}/v1/audio", additional_headers=headers, proxy=None) as line:
        await line.send(json.dumps(hello))
        answer = json.loads(await line.recv())
        if answer["type"] != "accepted":
            sys.exit(f"refused: {answer['code']}: {answer['text']}")
        piece, began = round(PIECE_S * rate), asyncio.get_running_loop().time()
        for number, at in enumerate(range(0, len(samples), piece)):
            await asyncio.sleep(began + number * PIECE_S / speed - asyncio.get_running_loop().time())
            await line.send(samples[at : at + piece, 0].tobytes())
        await line.send(json.dumps({"type": "close"}))
        await line.wait_closed()


async def show(server: str, headers: dict[str, str], call: str, joined: asyncio.Event) -> None:
    async with connect(f"{server}/v1/feed?call={quote(call)}", additional_headers=headers, proxy=None) as feed:
        async for text in feed:
            joined.set()  # a feed with a history sends a heartbeat to everybody at once
            message = json.loads(text)
            match message["type"]:
                case "point":
                    print(
                        f"{message['t']:8.2f} s  {message['label'] or message['state']:<10} {message['confidence']:4.0%}"
                    )
                case "alert":
                    print(f"{message['t']:8.2f} s  {message['rule']} {message['kind']}")
                case "call" if message["kind"] == "ended":
                    print(json.dumps(message["summary"], indent=1))
                    return


async def main(server: str, recording: Path, speed: float = 1.0) -> None:
    token = os.environ.get("STREAM_SER_TOKEN")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    call, joined = f"demo-{uuid.uuid4().hex[:8]}", asyncio.Event()
    showing = asyncio.create_task(show(server, headers, call, joined))
    joining = asyncio.create_task(joined.wait())
    await asyncio.wait((showing, joining), return_when=asyncio.FIRST_COMPLETED)
    if not showing.done():
        await talk(server, headers, call, recording, speed)
    joining.cancel()
    await showing


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
    except (OSError, ConnectionClosed, WebSocketException, IndexError) as error:
        sys.exit(f"{__doc__}\n{type(error).__name__}: {error}")
