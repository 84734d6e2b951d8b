"""The processor in a real Pipecat pipeline."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("pipecat", reason="needs pipecat-ai: pip install 'stream-ser[pipecat]'")

from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    TextFrame,
    UserAudioRawFrame,
)
from pipecat.tests.utils import run_test

from stream_ser.api import Monitor
from stream_ser.integrations.pipecat import EmotionFrame, EmotionProcessor
from tests.integrations.test_tap import blocks, told


async def test_frames_pass_on_and_emotion_frames_come_besides(talk: Path) -> None:
    sent: list[Frame] = [InputAudioRawFrame(block, 16_000, 1) for block in blocks(talk, 1600)]
    others: list[Frame] = [TextFrame("hello"), OutputAudioRawFrame(blocks(talk)[0], 16_000, 1)]
    with Monitor(model="cnn-bilstm") as monitor:
        processor = EmotionProcessor(monitor)
        tap = processor._tap("")
        assert tap is not None
        tap._most_s = 60.0  # the test sends twelve seconds at once
        received, _ = await run_test(processor, frames_to_send=[*sent, *others], start_timeout=20.0)
        whole = list(monitor.analyze(talk))
        labels = monitor.labels
    emotions = [frame for frame in received if isinstance(frame, EmotionFrame)]
    assert told([frame.point for frame in emotions]) == told(whole)
    assert [frame.id for frame in received if isinstance(frame, InputAudioRawFrame)] == [frame.id for frame in sent]
    assert {frame.id for frame in others} <= {frame.id for frame in received}
    happy = next(frame for frame in emotions if frame.label == "happy")
    assert happy.state == "speech"
    assert happy.probabilities == dict(zip(labels, happy.point.smoothed, strict=True))
    assert happy.confidence == max(happy.probabilities.values())


async def test_each_user_is_a_stream_and_only_changes_come_where_they_are_wanted(talk: Path) -> None:
    sent = [UserAudioRawFrame(block, 16_000, 1, user_id=user) for block in blocks(talk, 1600)[:40] for user in "ab"]
    with Monitor(model="cnn-bilstm") as monitor:
        processor = EmotionProcessor(monitor, name="caller", changes_only=True)
        received, _ = await run_test(processor, frames_to_send=sent, start_timeout=20.0)
    for user in "ab":
        mine = [frame for frame in received if isinstance(frame, EmotionFrame) and frame.user == user]
        assert mine[0].point.stream == f"caller-{user}"
        states = [(frame.state, frame.label) for frame in mine]
        assert len(states) > 1
        assert all(one != other for one, other in pairwise(states))
