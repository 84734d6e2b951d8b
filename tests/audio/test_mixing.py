from __future__ import annotations

import numpy as np
import pytest

from stream_ser.audio.mixing import Mixer

RATE = 16_000


def speech(seconds: float = 4.0, seed: int = 1) -> np.ndarray:
    """Bursts of noise between pauses of much weaker noise."""
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(round(seconds * RATE)) // 4_000 % 2, 0.2, 1e-3)
    return (level * rng.normal(0, 0.3, len(level))).astype(np.float32)


def mixed(frames: np.ndarray, block: int = 800, rate: int = RATE) -> tuple[np.ndarray, list[str]]:
    mixer, parts, news = Mixer(rate), [], []
    for at in range(0, len(frames), block):
        parts.append(mixer.mix(frames[at : at + block]))
        news.append(mixer.news())
    return np.concatenate([*parts, mixer.finish()]), [text for text in news if text]


@pytest.mark.parametrize("right", [-1.0, -0.9886, -0.97, -1.02])
def test_of_channels_in_opposite_phase_one_is_heard_and_that_is_told_once(right: float) -> None:
    left = speech()
    heard, news = mixed(np.stack([left, right * left], axis=1).astype(np.float32))
    louder = left if abs(right) <= 1 else np.float32(right) * left
    begin = 2_000  # in the weaker noise, some way into a stretch
    np.testing.assert_array_equal(
        mixed(np.stack([left, right * left], axis=1).astype(np.float32)[begin:])[0], louder[begin:]
    )
    np.testing.assert_array_equal(heard, louder)
    assert len(news) == 1
    assert "only channel" in news[0]


def test_what_waits_for_a_first_judgement_is_given_once_it_is_there_or_at_the_end() -> None:
    left, mixer = speech(), Mixer(RATE)
    frames = np.stack([left, left], axis=1)
    assert [len(mixer.mix(frames[at : at + 100])) for at in range(0, 500, 100)] == [0, 0, 0, 400, 100]
    assert mixer.waiting == 0

    silent, mixer = np.zeros((330, 2), dtype=np.float32), Mixer(RATE)  # of which no stretch says anything
    assert (len(mixer.mix(silent)), mixer.waiting, len(mixer.finish()), mixer.waiting) == (320, 10, 10, 0)
    heard = mixer.mix(np.stack([left, -left], axis=1)[:400])  # what comes after a gap begins a stretch
    np.testing.assert_array_equal(heard, left[:400])


def test_channels_that_become_one_lose_nothing_that_waited() -> None:
    left, mixer = speech(), Mixer(RATE)
    parts = [mixer.mix(np.stack([left, left], axis=1)[:100]), mixer.mix(left[100:200]), mixer.mix(left[200:300])]
    assert [len(part) for part in parts] == [0, 200, 100]
    np.testing.assert_array_equal(np.concatenate(parts), left[:300])


def test_what_is_heard_does_not_depend_on_how_it_was_cut() -> None:
    left = speech()
    turned = np.where(np.arange(len(left)) < 30_000, -1, 1).astype(np.float32) * left
    frames = np.stack([left, turned], axis=1)
    whole, _ = mixed(frames, len(frames))
    assert not np.array_equal(whole, frames.mean(axis=1))
    for block in (1, 7, 319, 320, 321, 16_000):
        np.testing.assert_array_equal(mixed(frames, block)[0], whole)


@pytest.mark.parametrize("channels", [2, 6, 16])
def test_other_channels_are_averaged_also_where_one_alone_is_heard(channels: int) -> None:
    for frames in (
        np.stack([speech(seed=seed) for seed in range(channels)], axis=1),
        np.repeat(speech()[:, None], channels, axis=1),
        np.pad(speech()[:, None], ((0, 0), (0, channels - 1))),
    ):
        heard, news = mixed(frames.astype(np.float32))
        np.testing.assert_allclose(heard, frames.mean(axis=1), atol=1e-6)
        assert news == []


def test_a_cable_that_is_put_right_is_noticed() -> None:
    left = speech(20.0)
    turned = np.where(np.arange(len(left)) < 2 * RATE, -1, 1) * left
    heard, news = mixed(np.stack([left, turned], axis=1).astype(np.float32))
    assert [("only channel 1" in text, "mixed again" in text) for text in news] == [(True, False), (False, True)]
    np.testing.assert_array_equal(heard[-RATE:], left[-RATE:])


def test_values_that_are_no_numbers_and_silence_decide_nothing() -> None:
    left = speech()
    left[:RATE] = 0
    frames = np.stack([left, left], axis=1)
    frames[20_000:20_100, 1] = np.nan
    heard, news = mixed(frames)
    assert news == []
    assert np.isnan(heard[20_000:20_100]).all()
