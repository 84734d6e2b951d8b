"""How loud the voice activity detector hears a stream: the same at any level, as far as its background allows."""

from __future__ import annotations

import numpy as np
import pytest

from stream_ser.audio.vad import CONTEXT, FRAME, HUSH, LOUDEST, MOST, VoiceActivityDetector
from tests.audio.test_vad import frames, scripted, states, voice_and_pauses


def heard_at(*levels: float) -> float:
    """How loud the detector hears the last of stretches of white noise, of two seconds and of these levels."""
    vad, detector = scripted()
    noise = np.random.default_rng(5)
    for level in levels:
        vad.push(vad.end, noise.normal(0, level, 62 * FRAME).astype(np.float32))
        vad.is_speech(vad.end)
        first = detector.heard[-1][0, CONTEXT:]
    return float(np.sqrt(np.mean(first**2)))


def test_a_voice_is_heard_at_one_level() -> None:
    assert heard_at(0.001, 0.05) == pytest.approx(LOUDEST, rel=0.15)
    assert heard_at(0.0002, 0.01) == pytest.approx(LOUDEST, rel=0.15)
    assert heard_at(0.5) == pytest.approx(LOUDEST, rel=0.15)


def test_loud_sound_is_forgotten_slowly() -> None:
    assert heard_at(0.25, 0.005) == pytest.approx(0.005, rel=0.15), "turned up at once after loud sound"
    assert heard_at(0.25, 0.002, 0.002) == pytest.approx(0.004, rel=0.15)
    assert heard_at(0.25, *[0.002] * 4) == pytest.approx(HUSH, rel=0.15), "not turned up again"


def test_background_alone_is_not_lifted_to_the_level_of_a_voice() -> None:
    assert heard_at(0.12) == pytest.approx(0.12, rel=0.1)
    assert heard_at(0.005) == pytest.approx(HUSH, rel=0.15)
    assert heard_at(0.0005, 0.0005) == pytest.approx(HUSH, rel=0.15)
    assert heard_at(0.00011) == pytest.approx(0.00011 * MOST, rel=0.1), "no louder than that"


def test_the_level_is_forgotten_where_it_begins_anew() -> None:
    vad, detector = scripted()
    vad.push(0, frames(*[0.6] * 9) * 5)
    vad.is_speech(vad.end)
    vad.reset(10 * FRAME)
    vad.push(10 * FRAME, frames(0.6) / 100)
    vad.is_speech(vad.end)
    assert detector.heard[-1][0, -2] * np.sqrt((1 + 0.6**2) / 2) == pytest.approx(HUSH, rel=0.01)


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_the_same_sound_12_db_softer_or_louder_is_decided_alike_to_the_bit(factor: float) -> None:
    for seed in range(3):
        noise = np.random.default_rng(seed + 50).normal(0, 0.001, 80 * FRAME)
        sound = np.concatenate([noise, 0.05 * voice_and_pauses(seed) + noise]).astype(np.float32)
        assert np.abs(4 * sound).max() < 1
        plain, other = VoiceActivityDetector(), VoiceActivityDetector()
        plain.push(0, sound)
        other.push(0, sound * np.float32(factor))
        assert states(other, 160) == states(plain, 160)
        assert np.array_equal(other._memory, plain._memory)
        assert plain.speech_samples(0, len(sound)) > 0


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_what_fades_60_db_below_the_loudest_is_not_heard_at_any_level(factor: float) -> None:
    noise = np.random.default_rng(7)
    for below_db, is_heard in ((55, True), (65, False)):
        vad, detector = scripted()
        for level in (0.2, 0.2 * 10 ** (-below_db / 20)):
            detector.heard.clear()
            vad.push(vad.end, (factor * noise.normal(0, level, 20 * FRAME)).astype(np.float32))
            vad.is_speech(vad.end)
        assert bool(detector.heard) == is_heard, below_db
