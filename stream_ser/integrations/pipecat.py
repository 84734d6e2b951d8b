"""A frame processor for Pipecat that hears the user's voice: frames pass through as they came, emotion frames come besides.

    with stream_ser.Monitor() as monitor:
        pipeline = Pipeline([transport.input(), EmotionProcessor(monitor), stt, llm, tts, transport.output()])

Only input audio is heard, never the agent's own. Needs the extra ``[pipecat]``. Belongs to Pipecat's event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InputAudioRawFrame, SystemFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from stream_ser.api import Monitor
from stream_ser.integrations.tap import AudioTap
from stream_ser.types import Point

MOST_VOICES = 32  # of users in one pipeline; further ones pass unheard


@dataclass
class EmotionFrame(SystemFrame):
    """How the user's voice sounds now: ``label`` only where the state is ``speech``.

    It is a system frame, for others are thrown away when the user interrupts, which is when they matter. ``user`` is whose
    voice it is, where the transport says so; ``probabilities`` are smoothed, by label; ``point`` has everything.
    """

    label: str | None
    confidence: float
    state: str
    t: float  # seconds of this voice's sound
    probabilities: dict[str, float]
    user: str
    point: Point


class EmotionProcessor(FrameProcessor):
    """Put it behind the transport's input. ``monitor`` is yours: close it after the pipeline.

    ``name`` is what its streams are called, with the user's id behind where there is one. With ``changes_only`` a frame comes
    where state or label are other than before, else for every point, four times a second. More arguments go to Pipecat.
    """

    def __init__(self, monitor: Monitor, *, name: str = "user", changes_only: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._monitor, self._stream_name, self._changes_only = monitor, name, changes_only
        self._taps: dict[str, AudioTap] = {}
        self._last: dict[str, tuple[str, str | None]] = {}

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Listen to input audio, and pass everything on."""
        await super().process_frame(frame, direction)
        if direction == FrameDirection.DOWNSTREAM:
            if isinstance(frame, InputAudioRawFrame):
                tap = self._tap(str(getattr(frame, "user_id", "")))
                if tap is not None:
                    tap.take(frame.audio, frame.sample_rate, frame.num_channels)
            elif isinstance(frame, EndFrame):
                for tap in self._taps.values():
                    await tap.finish()
            elif isinstance(frame, CancelFrame):
                await self._close()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """See Pipecat."""
        await self._close()
        await super().cleanup()

    def _tap(self, user: str) -> AudioTap | None:
        if user not in self._taps and len(self._taps) < MOST_VOICES:
            name = f"{self._stream_name}-{user}" if user else self._stream_name
            self._taps[user] = AudioTap(self._monitor, name, partial(self._deliver, user))
        return self._taps.get(user)

    async def _deliver(self, user: str, point: Point) -> None:
        now = (point.state, point.label)
        if self._changes_only and self._last.get(user) == now:
            return
        self._last[user] = now
        smoothed = dict(zip(self._monitor.labels, point.smoothed, strict=True))
        frame = EmotionFrame(point.label, point.confidence, point.state, point.t, smoothed, user, point)
        await self.push_frame(frame)

    async def _close(self) -> None:
        for tap in self._taps.values():
            await tap.close()
