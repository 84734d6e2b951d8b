from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.audio.vad import (
    CONFIRM,
    CONTEXT,
    FRAME,
    HANG_OVER,
    ONSET,
    VoiceActivityDetector,
    advance_together,
)

RATE = 16_000
rng = np.random.default_rng(14)


class Scripted:
    """A detector whose answer is written in the frame itself, as :func:`frames` does."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun = 0  # frames before which nothing is remembered
        self.heard: list[np.ndarray] = []

    def encode(self, sound: np.ndarray) -> np.ndarray:
        assert sound.shape[1] == CONTEXT + FRAME
        self.heard.append(sound)
        pair = sound[:, CONTEXT : CONTEXT + 2]
        return pair.min(axis=1, keepdims=True) / pair.max(axis=1, keepdims=True)  # however loud it hears them

    def step(self, encoded: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.asked += len(encoded)
        self.begun += int((memory[:, 0] == 0).sum())
        return encoded[:, 0], memory + 1


def frames(*probabilities: float) -> np.ndarray:
    """One frame for each probability, which every other sample says of the one before it; loud enough to be no silence."""
    sound = np.full((len(probabilities), FRAME), 0.1, dtype=np.float32)
    sound[:, 1::2] *= np.array(probabilities, dtype=np.float32)[:, None]
    return sound.reshape(-1)


def states(vad: VoiceActivityDetector, count: int, start: int = 0) -> list[bool]:
    return [vad.is_speech(start + (frame + 1) * FRAME) for frame in range(count)]


def scripted(start: int = 0, history: int = 960_000) -> tuple[VoiceActivityDetector, Scripted]:
    detector = Scripted()
    return VoiceActivityDetector(start, history=history, detector=lambda: detector), detector


def pushed(probabilities: list[float], start: int = 0) -> VoiceActivityDetector:
    vad, _ = scripted(start)
    vad.push(start, frames(*probabilities))
    return vad


def test_it_opens_after_frames_in_a_row_and_hangs_over() -> None:
    says = [0.6, 0.0, 0.6, 0.6, *[0.0] * (HANG_OVER + 3)]
    vad = pushed(says)
    expected = [False] * 3 + [True] * HANG_OVER + [False] * 4
    assert CONFIRM == 2
    assert states(vad, len(says)) == expected[: len(says)]


def test_the_frames_before_an_onset_count_once_it_is_known() -> None:
    vad = pushed([0.0] * 10 + [0.6] * 4 + [0.0] * (HANG_OVER + 3) + [0.6] * 3)
    opens = 11
    assert states(vad, 14) == [False] * opens + [True] * 3
    assert vad.speech_samples(0, opens * FRAME + 511) == 0
    assert vad.speech_samples(0, (opens + 1) * FRAME) == (1 + ONSET) * FRAME
    assert vad.speech_samples((opens - 2) * FRAME + 12, (opens + 1) * FRAME) == 3 * FRAME - 12
    shut = 13 + HANG_OVER
    assert not vad.is_speech((shut + 1) * FRAME)
    again = shut + 5
    assert states(vad, again + 1)[shut:] == [False] * 5 + [True]
    assert vad.speech_samples(shut * FRAME, (again + 1) * FRAME) == (1 + ONSET) * FRAME


def test_an_onset_is_counted_no_further_back_than_the_speech_before_it() -> None:
    vad = pushed([0.6] * 3 + [0.0] * HANG_OVER + [0.6] * 3)
    closes, opens = 2 + HANG_OVER, 4 + HANG_OVER
    assert states(vad, opens + 1)[closes - 1 :] == [True, False, False, True]
    assert vad.speech_samples(0, (opens + 1) * FRAME) == (opens + 1) * FRAME


def test_between_the_thresholds_nothing_changes() -> None:
    assert not any(states(pushed([0.4] * 40), 40))
    vad = pushed([0.6, 0.6, *[0.4] * 60])
    assert states(vad, 62) == [False] + [True] * 61


def test_speech_is_counted_to_the_sample() -> None:
    vad, _ = scripted()
    vad.push(0, np.concatenate([np.zeros(FRAME, dtype=np.float32), frames(*[0.6] * 12)]))
    end = 13 * FRAME
    assert states(vad, 13) == [False] * 2 + [True] * 11
    assert vad.speech_samples(0, end) == 12 * FRAME  # of silence nothing is an onset
    assert vad.speech_samples(2 * FRAME + 100, 5 * FRAME) == 3 * FRAME - 100
    assert vad.speech_samples(0, 4 * FRAME + 7) == 3 * FRAME + 7  # the frame that is cut counts as the one before it
    assert vad.speech_samples(4 * FRAME + 3, 4 * FRAME + 7) == 4
    assert vad.speech_samples(0, 2 * FRAME + 300) == 0  # that frame 1 was speech is not known yet
    assert vad.speech_samples(0, 3 * FRAME) == 2 * FRAME
    assert vad.speech_samples(77, 77) == 0


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 6_000), min_size=1, max_size=12),
    start=st.sampled_from([0, 1, 511, 512, 2**31 - 1_000, 2**40 + 77]),
)
def test_answers_do_not_depend_on_the_blocks(cuts: list[int], start: int) -> None:
    samples = frames(*np.random.default_rng(15).choice([0.0, 0.4, 0.6], 60, p=[0.5, 0.1, 0.4]))
    whole, _ = scripted(start)
    whole.push(start, samples)
    piecewise, _ = scripted(start)
    at = 0
    for cut in [*cuts, len(samples)]:
        part = samples[at : at + cut]
        piecewise.push(start + at, part)
        at += len(part)
        end = start + at
        assert piecewise.is_speech(end) == whole.is_speech(end)
        assert piecewise.speech_samples(start, end) == whole.speech_samples(start, end)
    assert piecewise.end == whole.end
    assert 0 < whole.speech_samples(start, whole.end) < len(samples)


def test_after_a_gap_it_begins_anew_on_the_same_grid() -> None:
    vad, detector = scripted()
    vad.push(0, frames(*[0.6] * 4))
    assert vad.is_speech(4 * FRAME)
    vad.reset(10 * FRAME + 100)
    vad.push(10 * FRAME + 100, frames(*[0.6] * 3))
    assert vad.end == 13 * FRAME + 100
    assert states(vad, 13) == [False] * 12 + [True]  # frames 11 and 12 are whole and confirm
    assert detector.begun == 2
    assert vad.speech_samples(0, 13 * FRAME) == 2 * FRAME  # the one before, too


def test_what_does_not_continue_the_stream_is_refused() -> None:
    vad, _ = scripted(100, history=10 * FRAME)
    with pytest.raises(ValueError, match="do not continue the stream at 100"):
        vad.push(101, frames(0.1))
    vad.push(100, frames(*[0.1] * 40))
    with pytest.raises(ValueError, match="has reached"):
        vad.reset(50)
    with pytest.raises(ValueError, match="has reached"):
        vad.is_speech(100 + 41 * FRAME)
    with pytest.raises(ValueError, match="has forgotten"):
        vad.speech_samples(5 * FRAME, 30 * FRAME)
    with pytest.raises(ValueError, match="reversed"):
        vad.speech_samples(9, 8)
    assert vad.speech_samples(32 * FRAME, 40 * FRAME) == 0


def test_digital_silence_costs_nothing_and_clears_the_detectors_memory() -> None:
    vad, detector = scripted()

    def asked(*pieces: np.ndarray) -> tuple[int, int]:
        for piece in pieces:
            vad.push(vad.end, piece)
        vad.is_speech(vad.end)
        return detector.asked, detector.begun

    assert asked(np.zeros(20 * FRAME, dtype=np.float32)) == (0, 0)
    assert asked(frames(0.1, 0.1)) == (2, 1)
    assert asked(np.zeros(3 * FRAME, dtype=np.float32), frames(0.1)) == (3, 1)  # a short pause is remembered across
    assert asked(np.zeros(8 * FRAME, dtype=np.float32), frames(0.1)) == (4, 2)


def test_sound_is_heard_when_someone_asks_and_in_time() -> None:
    vad, detector = scripted()
    for _ in range(5):
        vad.push(vad.end, frames(0.6))
    assert detector.asked == 0
    assert vad.is_speech(5 * FRAME)
    assert detector.asked == 5
    for _ in range(200):
        vad.push(vad.end, frames(0.6))
    assert detector.asked > 100, "what nobody asks about piles up"


at = np.arange(10 * RATE) / RATE
NEVER_SPEECH = {
    "digital silence": np.zeros(10 * RATE),
    "white noise at -60 dBFS": rng.normal(0, 1e-3, 10 * RATE),
    "white noise at -20 dBFS": rng.normal(0, 0.1, 10 * RATE),
    "50 Hz hum": 0.1 * np.sin(2 * np.pi * 50 * at),
    "100 Hz hum with overtones": sum(0.05 / n * np.sin(2 * np.pi * 100 * n * at) for n in range(1, 8)),
    "a 1 kHz tone": 0.3 * np.sin(2 * np.pi * 1000 * at),
    "a faint 1 kHz tone": 0.003 * np.sin(2 * np.pi * 1000 * at),
    "a constant": np.full(10 * RATE, 0.5),
    "a loud, clipped busy tone": np.clip(
        0.4 * (np.sin(2 * np.pi * 480 * at) + np.sin(2 * np.pi * 620 * at)) * (at % 1 < 0.5), -1, 1
    ),
    "clicks": np.where(np.arange(10 * RATE) % 8000 == 0, 0.9, 0.0),
    "a full-scale square wave": np.sign(np.sin(2 * np.pi * 200 * at)),
}


@pytest.mark.parametrize("decibels", [0, -20, -40])
@pytest.mark.parametrize("name", NEVER_SPEECH)
def test_what_is_not_speech_never_opens_it(name: str, decibels: int) -> None:
    vad = VoiceActivityDetector()
    vad.push(0, (NEVER_SPEECH[name] * 10 ** (decibels / 20)).astype(np.float32))
    assert vad.speech_samples(0, 10 * RATE) == 0


@pytest.mark.parametrize("dbfs", [-50, -35, -20, -10])
def test_speech_opens_it_at_any_level(dbfs: int) -> None:
    folder = os.environ.get("STREAM_SER_DATA")
    if not folder:
        pytest.skip("STREAM_SER_DATA does not name a folder with corpora")
    for path in sorted(Path(folder, "emodb", "audio").glob("*.flac"))[:40:8]:
        samples, _ = soundfile.read(path, dtype="float32")
        samples = samples * np.float32(10 ** (dbfs / 20) / np.sqrt(np.mean(samples**2)))
        vad = VoiceActivityDetector()
        vad.push(0, samples)
        assert vad.speech_samples(0, len(samples)) > 0.6 * len(samples), path.name


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_detectors_that_advance_together_decide_as_each_alone(data: st.DataObject) -> None:
    sounds = [voice_and_pauses(seed) for seed in range(3)]
    alone = [VoiceActivityDetector() for _ in sounds]
    for vad, sound in zip(alone, sounds, strict=True):
        vad.push(0, sound)
    together = [VoiceActivityDetector() for _ in sounds]
    at = [0] * len(sounds)
    while any(place < len(sound) for place, sound in zip(at, sounds, strict=True)):
        pushes = []
        for number in data.draw(st.permutations(range(len(sounds)))):
            part = sounds[number][at[number] : at[number] + data.draw(st.sampled_from([160, 800, 1_000, 4_000, 9_000]))]
            if len(part):
                pushes.append((number, at[number], part))
                at[number] += len(part)
        advance_together([(together[number], start, part) for number, start, part in pushes])
        for number, start, part in pushes:
            together[number].push(start, part)
            end = start + len(part)
            assert together[number].is_speech(end) == alone[number].is_speech(end)
    for one, other in zip(together, alone, strict=True):
        assert states(one, 80) == states(other, 80)
        assert np.array_equal(one._memory, other._memory), "the same decisions, but not the same bits"
        assert one.end == other.end


def voice_and_pauses(seed: int) -> np.ndarray:
    """Pulses through two resonances, which the detector takes for a voice here and there, with noise and digital silence."""
    noise = np.random.default_rng(seed)
    time = np.arange(80 * FRAME) / RATE
    pulses = np.sin(2 * np.pi * np.cumsum(110 + 30 * np.sin(2 * np.pi * 3 * time)) / RATE) > 0.95
    voice = np.convolve(pulses, np.exp(-np.arange(400) / 60) * np.sin(np.arange(400) * 0.28), mode="same")
    loud = np.repeat(noise.choice([0.0, 0.0, 0.05, 0.2], 20), 4 * FRAME)
    return (loud * voice + loud * noise.normal(0, 0.02, len(voice))).astype(np.float32)


def test_what_was_not_heard_before_cannot_be_heard() -> None:
    first, second = scripted()[0], scripted()[0]
    with pytest.raises(ValueError, match="do not continue what was heard up to 0"):
        advance_together([(first, 0, frames(0.6)), (second, 7, frames(0.6))])
    assert first.end == 0
    first.push(0, frames(0.6))  # nothing was taken


def test_it_needs_no_torch_and_computes_in_the_calling_thread() -> None:
    program = """
import sys, time, numpy
from stream_ser.audio.vad import VoiceActivityDetector
vad = VoiceActivityDetector()
noise = numpy.random.default_rng(0).normal(0, 0.1, 160_000).astype("f4")
vad.push(0, noise)
everybody, ours = time.process_time(), time.thread_time()
vad.push(160_000, noise)
everybody, ours = time.process_time() - everybody, time.thread_time() - ours
assert "torch" not in sys.modules
assert everybody - ours < 0.2 * everybody, f"{everybody - ours} s of {everybody} s were spent in other threads"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
