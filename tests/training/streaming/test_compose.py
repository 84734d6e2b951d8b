"""Composed streams: clips where the plan says, all at one level, with the truth of their active parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.streaming.compose import LEVEL_DB, compose
from stream_ser_training.streaming.plan import Plan, draw_plan

LABELS = ("angry", "sad")
QUIET = SAMPLE_RATE // 2  # before and after the tone of every clip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A corpus of one speaker: half a second of nothing, a second of tone, half a second of nothing; loud and soft."""
    folder = tmp_path / "c" / "takes"
    folder.mkdir(parents=True)
    tone = np.sin(2.0 * np.pi * 440.0 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    for place, label in enumerate(LABELS * 8):
        sound = np.concatenate([np.zeros(QUIET), tone * (0.5 if place % 2 else 0.02), np.zeros(QUIET)])
        soundfile.write(folder / f"{label}{place}.flac", sound.astype(np.float32), SAMPLE_RATE)
    return tmp_path


def plan_of(data: Path) -> Plan:
    clips = [
        Clip("c", path, "c/1", "f", path.stem.rstrip("0123456789"), 2.0, path.stem)
        for path in sorted((data / "c" / "takes").iterdir())
    ]
    return draw_plan(clips, "balanced", 1)


def test_every_clip_lies_where_the_plan_says_at_one_level(data: Path) -> None:
    plan = plan_of(data)
    composed = compose(plan, data, LABELS)
    assert len(composed.samples) == plan.samples
    for piece in plan.pieces:
        tone = composed.samples[piece.start + QUIET : piece.start + QUIET + SAMPLE_RATE]
        level = 10.0 * np.log10(np.square(tone).mean())
        assert level == pytest.approx(LEVEL_DB, abs=0.3)
    assert np.array_equal(composed.samples, compose(plan, data, LABELS).samples)


def test_truth_is_the_active_part(data: Path) -> None:
    plan = plan_of(data)
    truth = compose(plan, data, LABELS).stretches
    spoken = sum(own.end - own.start for own in truth)
    assert spoken == pytest.approx(len(plan.pieces) * SAMPLE_RATE, rel=0.05)
    assert truth[0].start == pytest.approx(plan.pieces[0].start + QUIET, abs=400)
    assert LABELS[truth[0].label] == plan.pieces[0].label
    assert list(truth) == sorted(truth, key=lambda own: own.start)


def test_what_happens_on_the_way_happens_to_all_of_it(data: Path) -> None:
    plan = plan_of(data)
    plain, changed = (compose(plan, data, LABELS, change) for change in (None, lambda samples, _: samples * 0.5))
    assert np.allclose(changed.samples, 0.5 * plain.samples)
    assert changed.stretches == plain.stretches


def test_what_does_not_fit_the_plan_is_refused(data: Path) -> None:
    plan = plan_of(data)
    with pytest.raises(CorpusError, match="the model tells angry, calm; choose another model"):
        compose(plan, data, ("angry", "calm"))
    longer = replace(plan, pieces=(replace(plan.pieces[0], length=3 * SAMPLE_RATE),))
    with pytest.raises(CorpusError, match="has 32000 samples at 16000 Hz"):
        compose(longer, data, LABELS)
    gone = replace(plan, pieces=(replace(plan.pieces[0], file="takes/gone.flac"),))
    with pytest.raises(CorpusError, match=r"cannot read .*gone\.flac"):
        compose(gone, data, LABELS)
