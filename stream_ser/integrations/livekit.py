"""A tee in the audio input of a LiveKit agent: the agent hears what it heard before, and points of the user's voice come.

    await session.start(agent, room=ctx.room)
    session.input.audio = EmotionInput(session.input.audio, monitor, on_point)

Only the input is heard, never the agent's own voice. Needs the extra ``[livekit]``. Belongs to the agent's event loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from livekit import rtc
from livekit.agents.voice.io import AudioInput

from stream_ser.api import Monitor
from stream_ser.integrations.tap import AudioTap
from stream_ser.types import Point


class EmotionInput(AudioInput):
    """``source`` with a listener. ``on_point`` is called with each point in the event loop, and awaited where it wants to be.

    ``monitor`` is yours: close it after the session. ``name`` is what the stream is called.
    """

    def __init__(
        self,
        source: AudioInput,
        monitor: Monitor,
        on_point: Callable[[Point], Awaitable[None] | None],
        *,
        name: str = "user",
    ) -> None:
        super().__init__(label="stream-ser", source=source)
        self._frames, self._on_point = source, on_point
        self.tap = AudioTap(monitor, name, self._deliver)

    async def __anext__(self) -> rtc.AudioFrame:
        """The next frame of the source, as it is."""
        try:
            frame = await self._frames.__anext__()
        except StopAsyncIteration:
            await self.tap.finish()
            raise
        self.tap.take(frame.data, frame.sample_rate, frame.num_channels)
        return frame

    async def aclose(self) -> None:
        """Stop listening, when the session is over."""
        await self.tap.close()

    async def _deliver(self, point: Point) -> None:
        answer = self._on_point(point)
        if inspect.isawaitable(answer):
            await answer
