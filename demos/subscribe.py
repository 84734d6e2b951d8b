"""Print one line for each point of a running feed.

Start a monitor with a feed, then, anywhere that can reach it:

    python demos/subscribe.py ws://127.0.0.1:8765/v1/feed

It needs the ``websockets`` package and nothing of stream-ser: copy it into your own program.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


def line(message: dict[str, Any]) -> str | None:
    match message["type"]:
        case "hello":
            return f"# {message['stream']}: {message['source']['name']}, heard by {message['model']['name']}"
        case "point":
            shown = message["label"] or message["state"]
            return f"{message['t']:8.2f} s  {shown:<10} {message['confidence']:4.0%}  {message['level_dbfs']:6.1f} dBFS"
        case "gap" | "notice":
            return f"# {message.get('reason') or message.get('text')}"
        case "dropped":
            return f"# {message['count']} messages were dropped: this program reads too slowly"
        case "end":
            return f"# {message['stream']} {message['reason']} after {message['duration_s']:.1f} s"
        case _:
            return None  # a type from a later version


async def main(url: str) -> None:
    try:
        # Names of this machine are never behind a proxy; remove proxy=None to reach a feed through one.
        async with connect(url, proxy=None) as feed:
            async for text in feed:
                if (shown := line(json.loads(text))) is not None:
                    print(shown, flush=True)
    except ConnectionClosed as closed:
        sys.exit(f"the connection was lost: {closed}")
    except OSError as error:
        sys.exit(f"there is no feed at {url}: {error}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/v1/feed"))
