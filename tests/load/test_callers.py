from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from stream_ser.load.callers import FRAME, FRAME_MS, GRID_S, Grid, play, telephone


class Timers(asyncio.SelectorEventLoop):
    """A loop whose timers are rung by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.errors: list[object] = []
        self.set_exception_handler(lambda _, context: self.errors.append(context["exception"]))

    def call_at(self, when, callback, *args, **_):  # type: ignore[no-untyped-def, override]
        self.timers.append((when, lambda: callback(*args)))

    def ring(self) -> None:
        self.timers.sort(key=lambda timer: timer[0])
        self.timers.pop(0)[1]()


def test_what_is_due_within_a_grain_shares_a_timer_that_rings_after_it() -> None:
    loop, done = Timers(), list[str]()
    grid = Grid(loop)
    for when, name in ((10.0005, "a"), (10.0031, "c"), (10.0012, "b")):
        grid.at(when, lambda name=name: done.append(name))  # type: ignore[misc]
    assert sorted(round(when, 6) for when, _ in loop.timers) == [10.002, 10.004]
    loop.ring()
    assert done == ["a", "b"]
    grid.at(10.0021, lambda: done.append("d"))
    loop.ring()
    assert done == ["a", "b", "c", "d"]
    assert not loop.timers
    loop.close()


def test_one_that_fails_is_told_and_keeps_nobody_waiting() -> None:
    loop, done = Timers(), list[str]()
    grid, error = Grid(loop), RuntimeError("broken")

    def fail() -> None:
        raise error

    grid.at(1.0, fail)
    grid.at(1.0, lambda: done.append("other"))
    loop.ring()
    assert (loop.errors, done) == ([error], ["other"])
    loop.close()


def test_calls_that_share_a_grid_send_every_frame_in_order_and_when_it_is_due() -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    payloads = telephone(sound)
    assert {len(base64.b64decode(payload)) for payload in payloads} == {FRAME}
    heard: dict[str, list[str]] = {}

    async def listen(socket: ServerConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["event"] == "media":
                heard.setdefault(message["streamSid"], []).append(message["media"]["payload"])
            if message["event"] == "stop":
                break

    async def calls() -> None:
        async with serve(listen, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            loop = asyncio.get_running_loop()
            grid, began = Grid(loop), loop.time()
            sent = await asyncio.gather(
                *(play(url, str(n), payloads, 0.2, offset=n, speed=4.0, grid=grid) for n in range(3))
            )
            assert [(one.frames, one.error) for one in sent] == [(200 // FRAME_MS, None)] * 3
            assert loop.time() - began >= (200 / FRAME_MS - 1) * FRAME_MS / 1000 / 4.0 - GRID_S

    asyncio.run(calls())
    assert heard == {f"MZ{n}": payloads[n : n + 200 // FRAME_MS] for n in range(3)}
