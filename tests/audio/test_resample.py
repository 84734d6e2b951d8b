from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stream_ser.audio.resample import Resampler, position, to_mono, worst_delay_s


def in_blocks(frames: np.ndarray, rate: int, block: int, origin: int = 0) -> np.ndarray:
    resampler = Resampler(rate, origin)
    parts = [resampler.push(frames[at : at + block]) for at in range(0, len(frames), block)]
    return np.concatenate([*parts, resampler.finish()])


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_blocks_of_any_size_give_the_same_bits(rate: int) -> None:
    noise = np.random.default_rng(rate).normal(0, 0.1, (rate // 2 + 77, 2)).astype(np.float32)
    whole = in_blocks(noise, rate, len(noise))
    assert len(whole) == position(len(noise), rate)
    for block in (160, 441, 16_000):
        np.testing.assert_array_equal(in_blocks(noise, rate, block), whole)
    np.testing.assert_array_equal(in_blocks(noise[:3000], rate, 1), in_blocks(noise[:3000], rate, 3000))


@pytest.mark.parametrize("rate", [7_999, 8_000, 16_001, 44_100, 48_000, 96_000, 192_000])
def test_the_number_of_samples_is_exact(rate: int) -> None:
    for frames in (0, 1, 2, 3, 5, 100, rate // 50, rate // 2 + 1, rate + 123):
        given = len(in_blocks(np.full(frames, 0.1, dtype=np.float32), rate, 333))
        assert given == position(frames, rate)
        assert abs(given - frames * 16_000 / rate) <= 0.5


def test_positions_are_exact_far_beyond_what_a_float_holds() -> None:
    frames = 48_000 * 10**15 + 3
    assert position(frames, 48_000) == 16_000 * 10**15 + 1
    assert position(5, 16_000) == 5


def test_stretches_join_to_the_length_of_the_whole() -> None:
    rate, cuts = 44_100, [0, 1, 777, 12_345, 30_000]
    noise = np.random.default_rng(1).normal(0, 0.1, cuts[-1]).astype(np.float32)
    lengths = [len(in_blocks(noise[a:b], rate, 100, origin=a)) for a, b in pairwise(cuts)]
    assert sum(lengths) == position(cuts[-1], rate)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
def test_a_stretch_is_as_long_as_its_place_in_the_stream_asks(rate: int) -> None:
    for origin in range(40):
        for count in (7, 50, 51, 52):
            given = in_blocks(np.full(count, 0.1, dtype=np.float32), rate, 20, origin)
            assert len(given) == position(origin + count, rate) - position(origin, rate)


def test_a_tone_keeps_its_place_in_time_and_its_level() -> None:
    rate = 44_100
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    given = in_blocks(tone, rate, 441)
    np.testing.assert_allclose(given[800:-800], expected[800:-800], atol=2e-4)


def test_what_lies_above_8_khz_does_not_fold_down() -> None:
    tone = np.sin(2 * np.pi * 11_000 * np.arange(48_000) / 48_000).astype(np.float32)
    assert np.abs(in_blocks(tone, 48_000, 480)[800:-800]).max() < 1e-3


def test_16_khz_mono_passes_bit_for_bit_and_at_once() -> None:
    noise = np.random.default_rng(2).normal(0, 0.3, 5000).astype(np.float32)
    resampler = Resampler(16_000)
    np.testing.assert_array_equal(resampler.push(noise[:, None]), noise)
    assert len(resampler.finish()) == 0
    assert worst_delay_s(16_000) == 0.0


def test_channels_are_averaged() -> None:
    frames = np.array([[1.0, 0.0, 0.5], [-1.0, 1.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(to_mono(frames), [0.5, 0.0])
    np.testing.assert_array_equal(frames[0], [1.0, 0.0, 0.5])  # the input is left as it was


@pytest.mark.parametrize(
    ("rate", "least", "most"), [(8_000, 0.001, 0.003), (11_025, 0.05, 0.2), (44_100, 0.03, 0.05), (48_000, 0.02, 0.05)]
)
def test_the_delay_that_is_stated_is_the_delay_that_occurs(rate: int, least: float, most: float) -> None:
    assert least < worst_delay_s(rate) < most
    resampler = Resampler(rate)
    for _ in range(100):
        resampler.push(np.zeros(rate // 50, dtype=np.float32))
        assert resampler.pending / 16_000 <= worst_delay_s(rate) + 0.02


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="0 Hz"):
        Resampler(0)


def test_channels_count_alike_however_many_there_are() -> None:
    frames = np.array([[0.25, 0.5, 0.75, 0.5], [0.0, -1.0, 1.0, 1.0]], dtype=np.float32)
    for channels, expected in ((1, [0.25, 0.0]), (2, [0.375, -0.5]), (3, [0.5, 0.0]), (4, [0.5, 0.25])):
        mono = to_mono(frames[:, :channels])
        assert mono.tolist() == expected
        assert mono.flags.c_contiguous
