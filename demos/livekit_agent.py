"""A LiveKit agent that is told how the caller's voice sounds, and what manner would do.

    pip install 'stream-ser[cpu,livekit]' soundfile
    python demos/livekit_agent.py demos/recording/conversation.flac

Here a recording stands in for a room, and nothing answers. In your agent, ``session.start(agent, room=ctx.room)`` comes
first, and then ``session.input.audio = EmotionInput(session.input.audio, monitor, agent.on_point)``. The labels say how a
voice sounds to listeners, not what anyone feels.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import soundfile
from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice.io import AudioInput

import stream_ser
from stream_ser.integrations.livekit import EmotionInput

INSTRUCTIONS = "You answer the telephone of a shop."
MANNERS = {
    "angry": "The caller sounds angry. Be brief, say what you will do, and offer a person.",
    "sad": "The caller sounds sad. Be slow and kind.",
}
SECONDS = 0.02  # of sound in one frame


class Considerate(Agent):
    """Speaks to a caller as the caller's voice sounds."""

    def __init__(self) -> None:
        super().__init__(instructions=INSTRUCTIONS)
        self.sounds: str | None = None

    async def on_point(self, point: stream_ser.Point) -> None:
        if point.label is None or point.label == self.sounds:
            return
        self.sounds = point.label
        await self.update_instructions(f"{INSTRUCTIONS} {MANNERS.get(point.label, '')}".strip())
        print(f"{point.t:6.2f} s  {point.label:<8} {point.confidence:4.0%}  {self.instructions}")


class Recording(AudioInput):
    """A recording in the place of a microphone."""

    def __init__(self, path: Path, speed: float) -> None:
        super().__init__(label="recording")
        self._sound, self._pause = soundfile.SoundFile(path), SECONDS / speed
        self.over = asyncio.Event()

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(self._pause)
        block = self._sound.read(int(SECONDS * self._sound.samplerate), dtype="int16")
        if not len(block):
            self._sound.close()
            self.over.set()
            raise StopAsyncIteration
        return rtc.AudioFrame(block.tobytes(), self._sound.samplerate, self._sound.channels, len(block))


async def main(path: Path, speed: float = 1.0) -> None:
    with stream_ser.Monitor() as monitor:
        agent, session, recording = Considerate(), AgentSession[None](), Recording(path, speed)
        session.input.audio = tee = EmotionInput(recording, monitor, agent.on_point)
        await session.start(agent)
        await recording.over.wait()
        await tee.tap.finish()
        await session.aclose()
        await tee.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
