from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.audio.dc_blocker import CORNER_HZ, SPAN, DcBlocker

RATE = 16_000
OFFSET = 10 ** (-23 / 20)  # -23 dBFS, as measured on a cheap microphone
RECORDING = Path(__file__).parents[2] / "demos" / "recording" / "conversation.flac"


def blocked(sound: np.ndarray) -> np.ndarray:
    return DcBlocker().push(sound.astype(np.float32))


def noise(seconds: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


def by_definition(sound: np.ndarray, before: float) -> np.ndarray:
    """Butterworth, second order, bilinear transform, as a difference equation in float64 for a past that was ``before``."""
    k = math.tan(math.pi * CORNER_HZ / RATE)
    whole = 1 + math.sqrt(2) * k + k * k
    back, further = 2 * (k * k - 1) / whole, (1 - math.sqrt(2) * k + k * k) / whole
    x1 = x2 = before
    y1 = y2 = 0.0
    given = np.empty(len(sound))
    for n, x in enumerate(sound.astype(np.float64)):
        y = (x - 2 * x1 + x2) / whole - back * y1 - further * y2
        x2, x1, y2, y1 = x1, x, y1, y
        given[n] = y
    return given


def test_it_is_the_filter_that_its_name_says() -> None:
    sound = noise(1.0) + np.float32(0.3)
    assert np.abs(blocked(sound) - by_definition(sound, float(sound[0]))).max() < 1e-7


def test_its_impulse_response() -> None:
    impulse = np.zeros(2 * SPAN + 10, dtype=np.float32)
    impulse[1] = 1.0  # the first sample says what was before
    given = blocked(impulse)
    assert np.abs(given - by_definition(impulse, 0.0)).max() < 1e-7
    assert given[0] == 0.0
    assert given[1] > 0.99


def test_an_offset_that_begins_is_gone_within_three_tenths_of_a_second() -> None:
    step = np.zeros(RATE)
    step[100:] = OFFSET
    given = blocked(step)
    assert not given[:100].any()
    assert given[100] == pytest.approx(OFFSET, rel=0.01)
    assert np.abs(given[100 + int(0.1 * RATE) :]).max() < OFFSET * 10 ** (-60 / 20)
    assert np.abs(given[100 + int(0.3 * RATE) :]).max() < 1e-6  # -120 dBFS


@pytest.mark.parametrize("offset", [OFFSET, -OFFSET, 0.6])
def test_an_offset_from_the_first_sample_on_makes_no_difference(offset: float) -> None:
    sound = noise(1.0)
    assert np.abs(blocked(sound + np.float32(offset)) - blocked(sound)).max() < 3e-7  # float32 rounds the sum
    assert np.abs(blocked(np.full(RATE, offset))).max() < 1e-9


@pytest.mark.parametrize("hertz", [60, 80, 100, 300, 1_000, 3_400, 7_900])
def test_speech_keeps_its_level(hertz: int) -> None:
    tone = np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE)
    given, wanted = blocked(tone)[RATE:], tone[RATE:]
    assert abs(10 * math.log10(np.mean(given.astype(float) ** 2) / np.mean(wanted**2))) < 0.1


def test_rumble_is_weakened() -> None:
    tone = np.sin(2 * np.pi * 5 * np.arange(2 * RATE) / RATE)
    assert np.abs(blocked(tone)[RATE:]).max() == pytest.approx(1 / math.sqrt(1 + (CORNER_HZ / 5) ** 4), rel=0.01)


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(1, 3 * SPAN), min_size=1, max_size=30), one_by_one=st.booleans())
def test_what_comes_out_does_not_depend_on_the_blocks(cuts: list[int], one_by_one: bool) -> None:
    sound = noise(0.7) + np.float32(0.05)
    blocker = DcBlocker()
    parts, at = [], 0
    for cut in [*([1] * 300 if one_by_one else []), *cuts, len(sound)]:
        parts.append(blocker.push(sound[at : at + cut]))
        at = min(len(sound), at + cut)
    given = np.concatenate(parts)
    assert given.dtype == np.float32
    assert np.array_equal(given, blocked(sound)), "the same sound, but not the same bits"


def test_what_it_was_given_stays_as_it_was() -> None:
    sound = noise(0.1) + np.float32(0.1)
    before = sound.copy()
    assert blocked(sound) is not sound
    assert np.array_equal(sound, before)
    assert len(blocked(np.zeros(0))) == 0


def test_after_a_gap_nothing_is_left_of_before() -> None:
    blocker = DcBlocker()
    blocker.push(noise(0.3) + np.float32(0.5))
    blocker.reset()
    after = noise(0.3, seed=2)
    assert np.array_equal(blocker.push(after), blocked(after))


def test_digital_silence_becomes_so_again_and_stays_so() -> None:
    assert not blocked(np.zeros(RATE)).any()
    given = blocked(np.concatenate([noise(0.5), np.zeros(RATE)]))
    assert given[RATE // 2 :].any()
    assert not given[-RATE // 3 :].any()


def test_an_hour_of_full_scale_stays_exact() -> None:
    blocker = DcBlocker()
    square = np.repeat(np.tile(np.array([1.0, -1.0], dtype=np.float32), 80), 100)
    for _ in range(3_600):
        given = blocker.push(square)
    assert np.isfinite(given).all()
    assert np.abs(given - blocked(np.tile(square, 3))[-len(square) :]).max() < 1e-6


def test_the_bundled_recording_is_the_same_with_and_without_an_offset() -> None:
    sound = soundfile.read(RECORDING, dtype="float32", frames=20 * RATE)[0]
    clean, shifted = blocked(sound), blocked(sound + np.float32(OFFSET))
    assert np.abs(clean - shifted).max() < 3e-7
    level = [10 * math.log10(np.mean(part.astype(float) ** 2)) for part in (sound, clean)]
    assert abs(level[1] - level[0]) < 0.1
