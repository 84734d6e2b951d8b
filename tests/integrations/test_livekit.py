"""The tee in a real LiveKit agent session."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("livekit.agents", reason="needs livekit-agents: pip install 'stream-ser[livekit]'")

from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice.io import AudioInput

from stream_ser.api import Monitor
from stream_ser.integrations.livekit import EmotionInput
from stream_ser.types import Point
from tests.integrations.test_tap import blocks, told


class Microphone(AudioInput):
    """Gives a recording as frames of 50 ms, and then no more."""

    def __init__(self, path: Path) -> None:
        super().__init__(label="microphone")
        self._blocks = iter(blocks(path, 800))
        self.attached: list[bool] = []

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(0)
        block = next(self._blocks, None)
        if block is None:
            raise StopAsyncIteration
        return rtc.AudioFrame(block, 16_000, 1, len(block) // 2)

    def on_attached(self) -> None:
        self.attached.append(True)

    def on_detached(self) -> None:
        self.attached.append(False)


async def test_the_agent_hears_what_it_heard_before(talk: Path) -> None:
    heard: list[Point] = []
    with Monitor(model="cnn-bilstm") as monitor:
        tee = EmotionInput(Microphone(talk), monitor, heard.append)
        tee.tap._most_s = 60.0  # the test sends twelve seconds at once
        frames = [bytes(frame.data) async for frame in tee]
        await tee.aclose()
        assert frames == blocks(talk, 800)
        assert told(heard) == told(list(monitor.analyze(talk)))


async def test_it_listens_in_a_session(talk: Path) -> None:
    labels: list[str | None] = []
    over = asyncio.Event()

    async def on_point(point: Point) -> None:
        labels.append(point.label)
        if point.t >= 11.75:
            over.set()

    with Monitor(model="cnn-bilstm") as monitor:
        session: AgentSession[None] = AgentSession()
        microphone = Microphone(talk)
        session.input.audio = tee = EmotionInput(microphone, monitor, on_point, name="caller")
        tee.tap._most_s = 60.0
        await session.start(Agent(instructions="say nothing"))
        await asyncio.wait_for(over.wait(), 30.0)
        await session.aclose()
        await tee.aclose()
    assert microphone.attached[0]
    assert "happy" in labels
