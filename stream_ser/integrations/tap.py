"""The sound of one voice, from an event loop to a ``Monitor``, and its points back to that loop.

Thread ownership: everything public belongs to the event loop in which the tap is used, and nothing there waits for the model.
A thread of the tap's own pushes into the monitor, from the first sound to ``finish`` or ``close``; a shared executor would be
starved by whatever else the agent does in it. What waits is bounded: sound that is too much is counted, and the stream is
told that it is missing. The agent goes on whatever happens here: what breaks is logged once, and no points come any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_ser.api import Monitor, PushStream
from stream_ser.errors import StreamSerError
from stream_ser.types import Point

PCM = npt.NDArray[np.int16]  # (frames, channels)
MOST_S = 5.0  # of sound that may wait

_log = logging.getLogger("stream_ser.integrations")
_log.addHandler(logging.NullHandler())


class AudioTap:
    """Listens to one voice. ``deliver`` is awaited with each point, in order, in the event loop.

    ``name`` is the stream's; where rate or channels change, another begins, with a number behind its name.
    """

    def __init__(
        self, monitor: Monitor, name: str, deliver: Callable[[Point], Awaitable[Any]], most_s: float = MOST_S
    ) -> None:
        self._monitor, self._name, self._deliver, self._most_s = monitor, name, deliver, most_s
        self._waiting: deque[tuple[int, PCM | int]] = deque()  # rate, and sound or how many frames of it are missing
        self._waiting_s = 0.0
        self._wake = asyncio.Event()
        self._ending = False
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="emotion")
        self._stream: PushStream | None = None
        self._shape, self._number = (0, 0), 0
        self.lost_s = 0.0  # of sound that was too much
        self.error: Exception | None = None  # why no points come any more

    def take(self, pcm: bytes | memoryview, rate: int, channels: int) -> None:
        """Take interleaved samples of 16 bits; they are copied. Never waits."""
        if self.error is not None or self._ending:
            return
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"emotion of {self._name}")
        samples = np.frombuffer(pcm, dtype=np.int16)
        frames = len(samples) // channels
        seconds = frames / rate
        if self._waiting_s + seconds > self._most_s:
            self.lost_s += seconds
            last = self._waiting[-1] if self._waiting else None
            if last is not None and last[0] == rate and isinstance(last[1], int):
                self._waiting[-1] = (rate, last[1] + frames)
            else:
                self._waiting.append((rate, frames))
        elif frames:
            self._waiting_s += seconds
            self._waiting.append((rate, samples[: frames * channels].reshape(frames, channels).copy()))
        self._wake.set()

    async def finish(self) -> None:
        """The voice is over: deliver the rest of its points."""
        self._ending = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown(wait=False)

    async def close(self) -> None:
        """End here and now. Safe to call twice, and after ``finish``."""
        self._ending = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._stream is not None:
            self._stream.close()
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self._ending or self._waiting:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    rate, sound = self._waiting.popleft()
                    points = await loop.run_in_executor(self._thread, self._push, rate, sound)
                    if not isinstance(sound, int):
                        self._waiting_s -= len(sound) / rate
                    await self._tell(points)
            await self._tell(await loop.run_in_executor(self._thread, self._flush))
        except Exception as error:  # it is the end of this tap, and must not be that of the agent
            self.error = error
            self._waiting.clear()
            known = isinstance(error, StreamSerError)
            _log.error("no more emotion of %s: %s", self._name, error, exc_info=None if known else error)

    async def _tell(self, points: list[Point]) -> None:
        for point in points:
            await self._deliver(point)

    def _push(self, rate: int, sound: PCM | int) -> list[Point]:
        if isinstance(sound, int):
            return [] if self._stream is None else self._stream.lose(sound, "the model was too far behind")
        ended: list[Point] = []
        shape = (rate, sound.shape[1])
        if shape != self._shape:
            ended = self._flush()
            self._shape, self._number = shape, self._number + 1
            name = self._name if self._number == 1 else f"{self._name}-{self._number}"
            self._stream = self._monitor.stream(name, rate=rate)
        assert self._stream is not None
        return [*ended, *self._stream.push(sound, wait=True)]

    def _flush(self) -> list[Point]:
        return [] if self._stream is None else self._stream.flush()
