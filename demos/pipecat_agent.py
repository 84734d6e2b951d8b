"""A Pipecat agent that is told how the caller's voice sounds, and what manner would do.

    pip install 'stream-ser[cpu,pipecat]' soundfile
    python demos/pipecat_agent.py demos/recording/conversation.flac

Here a recording stands in for a transport and a print for the language model: in your agent, ``transport.input()`` comes
before ``EmotionProcessor``, and speech to text, model and voice come behind ``Manner``. The labels say how a voice sounds to
listeners, not what anyone feels.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import soundfile
from pipecat.frames.frames import EndFrame, Frame, InputAudioRawFrame, LLMMessagesAppendFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

import stream_ser
from stream_ser.integrations.pipecat import EmotionFrame, EmotionProcessor

MANNERS = {
    "angry": "The caller sounds angry. Be brief, say what you will do, and offer a person.",
    "sad": "The caller sounds sad. Be slow and kind.",
}
SECONDS = 0.02  # of sound in one frame, as transports send them


class Manner(FrameProcessor):
    """Tells the language model how to speak when the caller's voice changes."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, EmotionFrame):
            print(f"{frame.t:6.2f} s  {frame.label or frame.state:<10} {frame.confidence if frame.label else 0:4.0%}")
            if frame.label in MANNERS:
                message = {"role": "system", "content": MANNERS[frame.label]}
                await self.push_frame(LLMMessagesAppendFrame(messages=[message]))
        await self.push_frame(frame, direction)


class Model(FrameProcessor):
    """Stands in for a language model."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMMessagesAppendFrame):
            print(f"          told the model: {frame.messages[0]['content']}")
        await self.push_frame(frame, direction)


async def main(recording: Path, speed: float = 1.0) -> None:
    with stream_ser.Monitor() as monitor:
        pipeline = Pipeline([EmotionProcessor(monitor, changes_only=True), Manner(), Model()])
        worker = PipelineWorker(pipeline)

        @worker.event_handler("on_pipeline_started")
        async def call(*_: Any) -> None:
            with soundfile.SoundFile(recording) as sound:
                for block in sound.blocks(int(SECONDS * sound.samplerate), dtype="int16"):
                    await worker.queue_frame(InputAudioRawFrame(block.tobytes(), sound.samplerate, sound.channels))
                    await asyncio.sleep(SECONDS / speed)
            await worker.queue_frame(EndFrame())

        runner = WorkerRunner()
        await runner.add_workers(worker)
        await runner.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
