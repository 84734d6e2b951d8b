"""What a batch is drawn from: every class as often as every other, big corpora not drowning small ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import LABELS
from training.augment import AugmentConfig
from training.corpora import Clip, CorpusError, read_manifest
from training.data import BalancedSampler, Utterance, batches, load_utterances

QUIET = AugmentConfig(gain_db=0.0, tilt=0.0, noise_share=0.0, floor_db=(-200.0, -200.0), telephone_share=0.0)


def utterance(label: int, corpus: str, index: int = 0) -> Utterance:
    samples = np.full(20_000, 0.1 * (label + 1), np.float32)
    return Utterance(
        Clip(corpus, Path(str(index)), f"{corpus}/s", "", LABELS[label], 1.0, ""), samples, label, (0, 20_000)
    )


def test_every_class_is_drawn_as_often_and_corpora_by_the_root_of_their_size() -> None:
    # Class 0 is rare; class 1 stands in a corpus of 90 and one of 10, whose roots are as 3 to 1.
    held = [
        utterance(0, "small"),
        *(utterance(1, "big", i) for i in range(90)),
        *(utterance(1, "small", i) for i in range(10)),
    ]
    sampler, rng = BalancedSampler(held), np.random.default_rng(0)
    drawn = [sampler.draw(rng) for _ in range(6_000)]
    assert sum(item.label == 0 for item in drawn) / 6_000 == pytest.approx(0.5, abs=0.02)
    ones = [item for item in drawn if item.label == 1]
    assert sum(item.clip.corpus == "big" for item in ones) / len(ones) == pytest.approx(0.75, abs=0.03)
    counts = Counter(item.clip.path for item in ones if item.clip.corpus == "big")
    assert len(counts) == 90
    assert max(counts.values()) < 3 * min(counts.values())


def test_the_same_seed_draws_the_same() -> None:
    sampler = BalancedSampler([utterance(label, corpus, i) for label in (0, 1) for corpus in "ab" for i in range(5)])
    one, two = ([sampler.draw(rng) for _ in range(50)] for rng in (np.random.default_rng(4), np.random.default_rng(4)))
    assert all(a is b for a, b in zip(one, two, strict=True))


def test_the_order_of_the_corpora_does_not_change_what_is_drawn() -> None:
    held = [utterance(label, corpus) for label in (1, 0) for corpus in ("b", "a")]
    one, two = (
        [(item.label, item.clip.corpus) for item in (sampler.draw(rng) for _ in range(30))]
        for sampler, rng in (
            (BalancedSampler(held), np.random.default_rng(1)),
            (BalancedSampler(held[::-1]), np.random.default_rng(1)),
        )
    )
    assert one == two


def test_batches_hold_windows_and_their_labels() -> None:
    sampler = BalancedSampler([utterance(label, "c") for label in range(4)])
    made = list(batches(sampler, [], QUIET, np.random.default_rng(0), draws=11, batch=4, length=16_000))
    assert len(made) == 2  # whole batches only
    for windows, targets in made:
        assert (windows.shape, windows.dtype) == ((4, 16_000), torch.float32)
        assert (targets.shape, targets.dtype) == ((4,), torch.int64)
        # Each utterance has its own level, so a window tells whose it is.
        torch.testing.assert_close(windows.amax(dim=1), 0.1 * (targets + 1).float(), atol=1e-5, rtol=0)
    again = list(batches(sampler, [], QUIET, np.random.default_rng(0), draws=11, batch=4, length=16_000))
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(made, again, strict=True))


def test_windows_follow_the_active_part_through_a_change_of_speed() -> None:
    samples = np.zeros(60_000, np.float32)
    samples[30_000:40_000] = 0.5
    clip = Clip("c", Path("a"), "c/s", "", "angry", 1.0, "")
    sampler = BalancedSampler([Utterance(clip, samples, 0, (30_000, 40_000))])
    for windows, _ in batches(sampler, [], QUIET, np.random.default_rng(0), draws=64, batch=8, length=9_000):
        assert ((windows > 0.1).sum(dim=1) >= 8_900).all()  # least is more than the window: it is active throughout


def test_utterances_are_loaded_with_label_and_active_range(corpora: Path) -> None:
    clips = read_manifest(corpora / "twovoices")
    loaded = load_utterances(clips, list(LABELS))
    assert [item.clip for item in loaded] == clips
    assert [LABELS[item.label] for item in loaded] == [clip.label for clip in clips]
    for item in loaded:
        first, last = item.active
        assert 0 <= first < last <= len(item.samples)
        assert last - first > 0.5 * len(item.samples)


def test_a_label_that_the_recipe_lacks_is_refused(corpora: Path) -> None:
    with pytest.raises(CorpusError, match=r"\.flac is labelled 'sad', the labels are angry, happy, neutral; complete"):
        load_utterances(read_manifest(corpora / "twovoices"), ["angry", "happy", "neutral"])
