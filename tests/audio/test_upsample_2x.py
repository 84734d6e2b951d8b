from __future__ import annotations

import numpy as np
import pytest
import soxr

from stream_ser.audio.resample import QUALITY, worst_delay_s
from stream_ser.audio.upsample_2x import AHEAD, Upsampler2x
from stream_ser.types import Samples


def doubled(frames: Samples, *cuts: int) -> Samples:
    upsampler = Upsampler2x()
    parts = [upsampler.resample_chunk(part) for part in np.split(frames, cuts)]
    return np.concatenate([*parts, upsampler.resample_chunk(frames[:0], last=True)])


def tone(hertz: float, rate: int, seconds: float = 0.5) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize("hertz", [60, 440, 1_000, 3_400, 3_500])
def test_what_telephony_carries_keeps_its_level_and_its_place(hertz: float) -> None:
    inner = slice(4 * AHEAD, -4 * AHEAD)
    np.testing.assert_allclose(doubled(tone(hertz, 8_000))[inner], tone(hertz, 16_000)[inner], atol=2e-3)


@pytest.mark.parametrize("hertz", [100, 1_000, 3_400])
def test_nothing_is_heard_above_4_khz_that_was_not_there(hertz: float) -> None:
    spectrum = np.abs(np.fft.rfft(doubled(tone(hertz, 8_000)) * np.hanning(8_000)))
    images = spectrum[4_500 // 2 :]  # 2 Hz a bin
    assert 20 * np.log10(images.max() / spectrum.max()) < -60


def test_every_second_sample_is_the_sound_as_it_came() -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 999).astype(np.float32)
    np.testing.assert_array_equal(doubled(noise)[::2], noise)


def test_a_constant_stays_what_it_is() -> None:
    inner = doubled(np.full(400, 0.25, dtype=np.float32))[2 * AHEAD : -2 * AHEAD]
    np.testing.assert_allclose(inner, 0.25, rtol=1e-6)


def test_cuts_change_no_bit_and_the_length_is_exact() -> None:
    chance = np.random.default_rng(2)
    noise = chance.normal(0, 0.2, 5_000).astype(np.float32)
    whole = doubled(noise)
    assert len(whole) == 2 * len(noise)
    for _ in range(50):
        cuts = np.sort(chance.integers(0, len(noise), chance.integers(0, 300)))
        np.testing.assert_array_equal(doubled(noise, *cuts.tolist()), whole)


def test_it_answers_within_3_ms_where_a_general_resampler_takes_a_tenth_of_a_second() -> None:
    assert worst_delay_s(8_000) <= 0.003
    general, behind = soxr.ResampleStream(8_000, 16_000, 1, quality=QUALITY), 0
    pending = []
    for _ in range(250):  # 16 frames, 2 ms
        behind += 32 - len(general.resample_chunk(np.zeros(16, dtype=np.float32)))
        pending.append(behind / 16_000)
    assert max(pending) > 0.09
