"""What happens on the way keeps length and place, and does what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from stream_ser_training.corpora import SAMPLE_RATE, Samples
from stream_ser_training.streaming.benchmark import _plain
from stream_ser_training.streaming.conditions import conditions

NOISES = [np.random.default_rng(k).standard_normal(SAMPLE_RATE).astype(np.float32) * 0.1 for k in range(3)]
ALL = conditions(NOISES)


def sound() -> Samples:
    t = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    spoken = 0.2 * np.sin(2.0 * np.pi * 700.0 * t) * ((t % 1.0) < 0.7)
    return spoken.astype(np.float32)


@pytest.mark.parametrize("name", [name for name, change in ALL.items() if change is not None])
def test_length_and_place_stay(name: str) -> None:
    change = ALL[name]
    assert change is not None
    heard = change(sound(), np.random.default_rng(1))
    assert (heard.shape, heard.dtype) == (sound().shape, np.float32)
    assert np.isfinite(heard).all()
    assert not np.array_equal(heard, sound())
    envelope = np.abs(heard - heard.mean()).reshape(-1, SAMPLE_RATE // 20).mean(axis=1)
    loud = np.abs(sound()).reshape(-1, SAMPLE_RATE // 20).mean(axis=1) > 0.05
    assert envelope[loud].mean() > envelope[~loud].mean()


def test_a_noise_is_as_loud_as_it_says() -> None:
    change = ALL["noise, 10 dB"]
    assert change is not None
    added = change(sound(), np.random.default_rng(1)) - sound()
    speech = float(np.square(sound()[np.abs(sound()) > 0.003]).mean())
    assert 10.0 * np.log10(speech / np.square(added).mean()) == pytest.approx(10.0, abs=0.1)


def test_packets_are_lost_whole() -> None:
    change = ALL["packets lost, 5%"]
    assert change is not None
    flat = np.full(10 * SAMPLE_RATE, 0.1, dtype=np.float32)
    lost = change(flat, np.random.default_rng(1)) == 0.0
    packets = lost.reshape(-1, SAMPLE_RATE // 50)
    assert (packets.all(axis=1) | ~packets.any(axis=1)).all()
    assert packets.all(axis=1).mean() == pytest.approx(0.05, abs=0.03)


def test_every_condition_is_kept_apart() -> None:
    assert len({_plain(name) for name in ALL}) == len(ALL)


def test_without_background_sounds_there_are_no_noise_conditions() -> None:
    assert not any(name.startswith("noise") for name in conditions([]))
