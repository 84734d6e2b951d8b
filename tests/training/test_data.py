"""What a batch is drawn from: every class as often as every other, big corpora not drowning small ones."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stream_ser_training.augment import AugmentConfig
from stream_ser_training.clips import Clip, CorpusError, read_manifest
from stream_ser_training.data import BalancedSampler, Batches, CellSampler, load_utterances, mask_picture
from stream_ser_training.feature_cache import Staged
from stream_ser_training.splits import LeakError, Split
from tests.training.conftest import LABELS

QUIET = AugmentConfig(frequency_mask=0, time_mask=0)


def clip(label: int, corpus: str, index: int = 0, speaker: str = "s") -> Clip:
    name = f"{corpus}-{label}-{index}-{speaker}"
    return Clip(corpus, Path(name), f"{corpus}/{speaker}", "", LABELS[label], 1.0, name)


def staged(clips: list[Clip], copies: int = 3) -> Staged:
    """Rows that say whose they are: every cell of clip k's rows is k + copy / 10."""
    rows = np.array([[k + copy / 10] for k in range(len(clips)) for copy in range(copies)], dtype=np.float16)
    places = {item.fingerprint: np.arange(k * copies, (k + 1) * copies) for k, item in enumerate(clips)}
    return Staged(np.broadcast_to(rows[:, :, None, None], (len(rows), 1, 4, 6)).copy(), places)


def test_every_class_is_drawn_as_often_and_corpora_by_the_root_of_their_size() -> None:
    # Class 0 is rare; class 1 stands in a corpus of 90 and one of 10, whose roots are as 3 to 1.
    held = [clip(0, "small"), *(clip(1, "big", i) for i in range(90)), *(clip(1, "small", i) for i in range(10))]
    sampler, rng = BalancedSampler(held, LABELS), np.random.default_rng(0)
    drawn = [sampler.draw(rng) for _ in range(6_000)]
    assert sum(label == 0 for _, label in drawn) / 6_000 == pytest.approx(0.5, abs=0.02)
    ones = [item for item, label in drawn if label == 1]
    assert sum(item.corpus == "big" for item in ones) / len(ones) == pytest.approx(0.75, abs=0.03)
    counts = Counter(item.path for item in ones if item.corpus == "big")
    assert len(counts) == 90
    assert max(counts.values()) < 3 * min(counts.values())


def test_the_order_of_the_clips_of_other_corpora_does_not_change_what_is_drawn() -> None:
    held = [clip(label, corpus) for label in (1, 0) for corpus in ("b", "a")]
    one, two = (
        [sampler.draw(rng) for _ in range(30)]
        for sampler, rng in (
            (BalancedSampler(held, LABELS), np.random.default_rng(1)),
            (BalancedSampler(held[::-1], LABELS), np.random.default_rng(1)),
        )
    )
    assert one == two


@pytest.fixture
def split() -> Split:
    train = tuple(clip(label, "c", i) for label in range(4) for i in range(3))
    return Split(train, (clip(0, "c", 0, "v"),), (clip(0, "c", 0, "t"),))


def test_a_batch_depends_on_seed_and_step_alone(split: Split) -> None:
    rows = staged(list(split.train))
    one, two = (Batches(split, rows, LABELS, AugmentConfig(), batch=8, mixup=0.4) for _ in range(2))
    one.at(0, 1)
    for step in (7, 3):
        a, b = one.at(step, 1), two.at(step, 1)
        assert torch.equal(a.features, b.features)
        assert torch.equal(a.targets, b.targets)
    assert not torch.equal(one.at(3, 1).features, one.at(4, 1).features)
    assert not torch.equal(one.at(3, 1).features, one.at(3, 2).features)
    assert not torch.equal(one.at(3, 1).features, one.at(3, 1, rank=1).features)


def test_features_and_targets_belong_together(split: Split) -> None:
    batches = Batches(split, staged(list(split.train)), LABELS, QUIET, batch=16)
    for step in range(5):
        features, targets, ratings = batches.at(step, 1)[:3]
        assert features.shape == (16, 1, 4, 6)
        assert features.dtype == torch.float32
        clips = torch.floor(features[:, 0, 0, 0] + 0.05).long()
        assert torch.equal(clips // 3, targets.argmax(dim=1))
        assert torch.equal(targets.sum(dim=1), torch.ones(16))
        assert torch.isnan(ratings).all()


def test_ratings_come_along_where_they_are_known() -> None:
    known = replace(clip(0, "c"), dimensions=(0.5, math.nan, -0.25))
    split = Split((known, clip(1, "c")), (), ())
    _, targets, ratings = Batches(split, staged(list(split.train)), LABELS, QUIET, batch=32).at(0, 1)[:3]
    mine = targets[:, 0] == 1
    assert torch.isnan(ratings[~mine]).all()
    assert torch.equal(ratings[mine][:, [0, 2]], torch.tensor([0.5, -0.25]).expand(int(mine.sum()), 2))
    assert torch.isnan(ratings[mine][:, 1]).all()


def test_mixed_pairs_mix_features_and_targets_by_the_same_share(split: Split) -> None:
    batches = Batches(split, staged(list(split.train), copies=1), LABELS, QUIET, batch=64, mixup=0.5)
    features, targets, _ = batches.at(0, 3)[:3]
    mixed = (targets > 0).sum(dim=1) == 2
    assert mixed.any()
    assert (targets.max(dim=1).values >= 0.5).all()
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(64))
    # Clip k has the value k and label k // 3, so a mixture of labels a and b lies between their values.
    for row in torch.nonzero(mixed).flatten():
        a, b = torch.nonzero(targets[row]).flatten().tolist()
        value = float(features[row].mean())
        share = float(targets[row, b])
        assert (
            (1 - share) * 3 * a + share * 3 * b - 0.01
            <= value
            <= (1 - share) * (3 * a + 2) + share * (3 * b + 2) + 0.01
        )


def test_a_stretch_of_each_picture(split: Split) -> None:
    batches = Batches(split, staged(list(split.train)), LABELS, QUIET, batch=4)
    assert batches.at(0, 1, columns=3).features.shape == (4, 1, 4, 3)
    assert batches.at(0, 1, columns=60).features.shape == (4, 1, 4, 6)


def test_a_copy_of_a_held_out_sound_is_refused(split: Split) -> None:
    rows = staged(list(split.train))
    leaking = object.__new__(Split)  # a Split that leaks cannot be made; a batch looks for itself
    object.__setattr__(leaking, "train", split.train)
    object.__setattr__(leaking, "validation", ())
    object.__setattr__(leaking, "test", (replace(split.train[2], speaker="c/other"),))
    with pytest.raises(LeakError):
        Batches(leaking, rows, LABELS, QUIET, batch=4)


def test_pairs_are_other_copies_of_the_same_clips() -> None:
    clips = [clip(k % 2, "a", k) for k in range(20)]
    own = Split(tuple(clips), (), ())
    drawn = Batches(own, staged(clips), LABELS, QUIET, batch=16, pairs=True).at(0, 1)
    first, second = (half[:, 0, 0, 0] for half in drawn.features.chunk(2))
    assert (first.floor() == second.floor()).all()
    assert (first != second).all()
    assert torch.equal(*drawn.targets.chunk(2))


def test_a_clip_of_one_copy_is_its_own_pair() -> None:
    clips = [clip(k % 2, "a", k) for k in range(4)]
    own = Split(tuple(clips), (), ())
    drawn = Batches(own, staged(clips, copies=1), LABELS, QUIET, batch=4, pairs=True).at(0, 1)
    assert torch.equal(*drawn.features.chunk(2))


def test_masks_blank_bands_and_a_stretch_with_the_mean() -> None:
    config = AugmentConfig(frequency_mask=3, time_mask=4)
    picture = torch.arange(200.0).reshape(1, 1, 10, 20).repeat(6, 1, 1, 1)
    masked = mask_picture(picture.clone(), config, np.random.default_rng(0))
    assert masked.shape == picture.shape
    blank = masked != picture
    assert (masked[blank] == picture[0].mean()).all()
    assert blank.any()
    assert not blank.flatten(1).all(dim=1).any()
    waveform = torch.randn(2, 100)
    assert mask_picture(waveform, config, np.random.default_rng(0)) is waveform


def test_utterances_are_loaded_with_label_and_active_range(corpora: Path) -> None:
    clips = read_manifest(corpora / "twovoices")
    loaded = load_utterances(clips, list(LABELS))
    assert [item.clip for item in loaded] == clips
    assert [LABELS[item.label] for item in loaded] == [clip.label for clip in clips]
    for item in loaded:
        first, last = item.active
        assert 0 <= first < last <= len(item.samples)
        assert last - first > 0.5 * len(item.samples)


def test_a_label_that_the_protocol_lacks_is_refused(corpora: Path) -> None:
    with pytest.raises(CorpusError, match=r"\.flac is labelled 'sad', the labels are angry, happy, neutral; complete"):
        load_utterances(read_manifest(corpora / "twovoices"), ["angry", "happy", "neutral"])


def test_cells_are_drawn_alike_and_clips_outside_a_corpus_answers_never() -> None:
    held = [*(clip(0, "big", i) for i in range(50)), clip(1, "big"), clip(0, "two"), clip(1, "two"), clip(2, "two")]
    sampler, rng = CellSampler(held, LABELS, {"two": [LABELS[0], LABELS[1]]}), np.random.default_rng(0)
    drawn = Counter((item.corpus, label) for item, label in (sampler.draw(rng) for _ in range(4_000)))
    assert set(drawn) == {("big", 0), ("big", 1), ("two", 0), ("two", 1)}
    assert all(count == pytest.approx(1_000, abs=120) for count in drawn.values())


def test_a_batch_says_what_each_window_decides_between() -> None:
    held = [clip(0, "two"), clip(1, "two"), clip(0, "all"), clip(2, "all", speaker="t")]
    split = Split(tuple(held), (), ())
    plain = Batches(split, staged(held), LABELS, QUIET, batch=16)
    assert plain.at(0, 1).allowed is None
    assert plain.at(0, 1).voice is None
    batches = Batches(split, staged(held), LABELS, QUIET, batch=64, cells=True, answers={"two": list(LABELS[:2])})
    batch = batches.at(0, 1)
    assert batch.allowed is not None
    of_two = batch.features[:, 0, 0, 0] < 1.9  # clips 0 and 1
    assert batch.allowed[of_two].tolist() == [[True, True, False, False]] * int(of_two.sum())
    assert bool(batch.allowed[~of_two].all())
    assert 0 < int(of_two.sum()) < 64
