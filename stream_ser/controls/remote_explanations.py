"""Asks a feed elsewhere what points rest on, while somebody looks: by a connection of its own, of one stream at a time.

Thread ownership: ``run`` belongs to an event loop, the remote feed's; ``ask_why`` and ``reasons`` may be called by any
thread and return at once. Only the newest answer is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import get_args

from stream_ser.controls.explanations import REASONS_HZ
from stream_ser.errors import FeedError
from stream_ser.feed.client import subscribe
from stream_ser.feed.explanations import ExplanationDetail
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.message_types import ExplanationMessage

AGAIN_S = 2.0  # after a refusal, until it is tried again


class RemoteReasons:
    """See ``stream_ser.controls.capabilities.Explains``. Where spectrograms are refused, attention alone is asked for."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url, self._token = url, token
        self._stream: str | None = None
        self._newest: deque[ExplanationMessage] = deque(maxlen=1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()  # belongs to the loop

    def ask_why(self, stream: str | None) -> None:
        """Ask about that stream from now on."""
        self._stream = stream
        self._newest.clear()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and everything with it
                self._loop.call_soon_threadsafe(self._changed.set)

    def reasons(self) -> list[ExplanationMessage]:
        """What has come since the last call."""
        with contextlib.suppress(IndexError):
            newest = self._newest.popleft()
            return [newest] if newest["stream"] == self._stream else []
        return []

    async def run(self) -> None:
        """Ask for what is wanted, until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            reading = asyncio.create_task(self._read(self._stream)) if self._stream is not None else None
            try:
                await self._changed.wait()
            finally:
                if reading is not None:
                    reading.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await reading

    async def _read(self, stream: str) -> None:
        while True:
            for asked in reversed(get_args(ExplanationDetail)):  # the spectrogram with the maps, else the maps alone
                filters = SubscriptionFilter(stream=stream, why=asked, hz=REASONS_HZ)
                try:
                    async for message in subscribe(self._url, retry_s=None, filters=filters, token=self._token):
                        if message["type"] == "why":
                            self._newest.append(message)
                except FeedError:
                    continue
            await asyncio.sleep(AGAIN_S)
