"""Staged rows belong to their clip, do not depend on their neighbours, and are never half there."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stream_ser_models.logmel import LogMel, LogMelConfig
from stream_ser_training import feature_cache
from stream_ser_training.augment import AugmentConfig
from stream_ser_training.clips import Clip, CorpusError, read_manifest
from stream_ser_training.corpora import load
from stream_ser_training.feature_cache import NEW, StageConfig, Staged, Stager, _told, _voice_speed
from stream_ser_training.segments import evaluation_windows

SMALL = LogMelConfig(mels=8)


def stager(folder: Path, frontend: nn.Module | None = None, **config: object) -> Stager:
    settings = StageConfig.from_dict({"copies": 3, "noise": "", **config})
    return Stager(frontend or LogMel(SMALL), folder, settings, AugmentConfig())


@pytest.fixture
def clips(corpora: Path) -> list[Clip]:
    return read_manifest(corpora / "twovoices")[:6]


def test_a_row_depends_on_its_clip_alone(clips: list[Clip], tmp_path: Path) -> None:
    every = stager(tmp_path / "a").stage(clips, [], training=True)
    some = stager(tmp_path / "b").stage([clips[4], clips[1]], [], training=True)
    assert every.rows.shape == (18, 1, 8, 79)
    assert every.rows.dtype == np.float16
    for clip in (clips[4], clips[1]):
        np.testing.assert_array_equal(every.rows[every.rows_of(clip)], some.rows[some.rows_of(clip)])
    copies = every.rows[every.rows_of(clips[0])]
    assert not np.array_equal(copies[0], copies[1])
    other = stager(tmp_path / "c", seed=2).stage(clips[:1], [], training=True)
    assert not np.array_equal(copies, other.rows)


def test_every_row_belongs_to_one_clip(clips: list[Clip], tmp_path: Path) -> None:
    staged = stager(tmp_path).stage(clips, [], training=True)
    places = np.concatenate([staged.rows_of(clip) for clip in clips])
    assert sorted(places) == list(range(18))


def test_evaluation_rows_are_the_front_end_of_the_plain_windows(clips: list[Clip], tmp_path: Path) -> None:
    staged = stager(tmp_path).stage(clips, [], training=False)
    for clip in clips:
        windows = torch.from_numpy(evaluation_windows(load(clip)))
        with torch.inference_mode():
            expected = LogMel(SMALL)(windows).numpy()
        np.testing.assert_allclose(staged.rows[staged.rows_of(clip)], expected, atol=5e-3)


def test_equal_sound_is_staged_once(clips: list[Clip], tmp_path: Path) -> None:
    staged = stager(tmp_path).stage([clips[0], clips[0]], [], training=True)
    assert len(staged.rows) == 3


def test_the_next_run_finds_what_was_staged(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stager(tmp_path).stage(clips, [], training=True)
    monkeypatch.setattr(feature_cache, "load", lambda _: pytest.fail("read again"))
    again = stager(tmp_path).stage(clips, [], training=True)
    np.testing.assert_array_equal(first.rows, again.rows)


def test_another_setting_is_staged_anew(clips: list[Clip], tmp_path: Path) -> None:
    for change in ({}, {"copies": 2}, {"seed": 2}, {"vtlp": [0.9, 1.1]}):
        stager(tmp_path, **change).stage(clips[:1], [], training=True)
    stager(tmp_path, LogMel(LogMelConfig(mels=9))).stage(clips[:1], [], training=True)
    assert len(list(tmp_path.glob("*.npy"))) == 5


def test_warped_copies_differ_from_plain_ones_by_the_warp_alone(clips: list[Clip], tmp_path: Path) -> None:
    plain = stager(tmp_path).stage(clips[:1], [], training=True)
    warped = stager(tmp_path, vtlp=[1.2, 1.2]).stage(clips[:1], [], training=True)
    assert not np.allclose(plain.rows, warped.rows, atol=0.05)
    by_hand = Stager(LogMel(LogMelConfig(mels=8, warp=1.2)), tmp_path / "w", plain_config(), AugmentConfig())
    np.testing.assert_array_equal(by_hand.stage(clips[:1], [], training=True).rows, warped.rows)


def plain_config() -> StageConfig:
    return StageConfig(copies=3, noise="")


def test_a_kill_while_staging_leaves_nothing_half(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, count = feature_cache.load, iter(range(100))

    def dying(clip: Clip) -> object:
        if next(count) == 3:
            raise KeyboardInterrupt
        return read(clip)

    monkeypatch.setattr(feature_cache, "load", dying)
    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        stager(tmp_path).stage(clips, [], training=True)
    assert not list(tmp_path.iterdir())
    assert torch.get_num_threads() == threads
    monkeypatch.setattr(feature_cache, "load", read)
    assert isinstance(stager(tmp_path).stage(clips, [], training=True), Staged)


def test_an_unreadable_clip_is_named(clips: list[Clip], tmp_path: Path) -> None:
    (tmp_path / "bad.flac").write_bytes(b"no sound")
    bad = Clip("c", tmp_path / "bad.flac", "c/s", "", "sad", 1.0, "bad")
    with pytest.raises(CorpusError, match=r"cannot read .*bad\.flac"):
        stager(tmp_path / "out").stage([clips[0], bad], [], training=True)


def test_another_pretrained_front_end_is_staged_anew(clips: list[Clip], tmp_path: Path) -> None:
    class Learnt(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(value))

        def forward(self, waveform: torch.Tensor) -> torch.Tensor:
            return waveform * self.gain

    one, two = (stager(tmp_path, Learnt(gain)).stage(clips[:1], [], training=True).rows for gain in (1.0, 2.0))
    np.testing.assert_allclose(2.0 * one.astype(np.float32), two, atol=1e-2)


def test_corpora_apart_are_the_same_rows_in_files_of_their_own(
    corpora: Path, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = [replace(clip, corpus="elsewhere", fingerprint=f"other {clip.fingerprint}") for clip in clips[:2]]
    together = stager(tmp_path / "a").stage([*clips, *other], [], training=True)
    apart = stager(tmp_path / "b", apart=True).stage([*clips, *other], [], training=True)
    assert len(list((tmp_path / "b").glob("*.npy"))) == 2
    for clip in (*clips, *other):
        np.testing.assert_array_equal(together.rows[together.rows_of(clip)], apart.rows[apart.rows_of(clip)])
    assert together.seconds is not None
    assert apart.seconds is not None
    assert len(apart.seconds) == len(together.seconds)
    monkeypatch.setattr(feature_cache, "load", lambda _: pytest.fail("read again"))
    alone = stager(tmp_path / "b", apart=True).stage(other, [], training=True)
    np.testing.assert_array_equal(alone.rows, apart.rows[apart.rows_of(other[0])[0] :])


def test_a_corpus_may_have_copies_of_its_own(clips: list[Clip], tmp_path: Path) -> None:
    other = [replace(clip, corpus="elsewhere", fingerprint=f"other {clip.fingerprint}") for clip in clips[:2]]
    staged = stager(tmp_path, copies_of={"elsewhere": 5}).stage([*clips, *other], [], training=True)
    assert [len(staged.rows_of(clip)) for clip in (clips[0], other[0], other[1])] == [3, 5, 5]


def test_a_voice_keeps_its_speed_in_a_copy_and_changes_it_between_copies(clips: list[Clip], tmp_path: Path) -> None:
    settings, change = StageConfig(copies=3, noise=""), AugmentConfig(voice_speed=0.2)
    mine = [clip for clip in clips if clip.speaker == clips[0].speaker]
    speeds = [[_voice_speed(clip, copy, settings, change) for copy in range(3)] for clip in mine]
    assert len(mine) > 1
    assert all(own == speeds[0] for own in speeds)
    assert len(set(speeds[0])) == 3
    assert all(0.8 <= speed <= 1.2 for speed in speeds[0])
    assert _voice_speed(clips[0], 0, settings, AugmentConfig()) == 1.0


def test_new_settings_that_are_not_in_use_leave_older_files_known(clips: list[Clip], tmp_path: Path) -> None:
    plain = stager(tmp_path)
    assert "copies_of" not in json.dumps(_told(asdict(plain.config), NEW))
    assert plain._key(clips, True, "") != stager(tmp_path, copies_of={"twovoices": 4})._key(clips, True, "")
