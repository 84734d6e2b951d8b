"""Features of known sounds, and a support vector machine that looks at nothing it should not see."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser_training import baseline
from stream_ser_training.baseline import Baseline, evaluate_fold, vectors
from stream_ser_training.clips import Clip, CorpusError
from stream_ser_training.functionals import features, pitch, runs, slopes, statistics


def tone(hertz: float, seconds: float = 0.6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(int(16_000 * seconds)) / 16_000
    sound = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 8))
    return (0.1 * sound + 0.002 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.mark.parametrize("hertz", [90.0, 220.0, 400.0])
def test_pitch_of_a_tone(hertz: float) -> None:
    semitones, voicing = pitch(tone(hertz))
    assert np.abs(semitones - 12 * np.log2(hertz / 60)).max() < 0.5
    assert voicing.min() > 0.8


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
    assert np.mean(pitch(0.1 * noise)[1]) < 0.4


def test_statistics_of_a_ramp() -> None:
    ramp = np.linspace(0.0, 10.0, 101)[:, None]
    values = statistics(ramp)
    assert values[0] == pytest.approx(5.0)
    assert values[2:9] == pytest.approx([0.1, 1.0, 2.5, 5.0, 7.5, 9.0, 9.9])
    assert values[-1] == pytest.approx(5.0)  # over half the clip
    assert slopes(ramp)[2:-2] == pytest.approx(np.full((97, 1), 0.1))


def test_runs() -> None:
    assert runs(np.array([True, True, False, True])).tolist() == [2, 1]
    assert runs(np.array([False])).tolist() == []


def test_features_have_one_length_and_are_finite() -> None:
    rng = np.random.default_rng(2)
    long = features(tone(200, 3.0))
    for sound in (np.zeros(16_000, np.float32), np.zeros(1, np.float32), tone(200, 0.01), tone(100, 0.05123)):
        assert features(sound).shape == long.shape
        assert np.isfinite(features(sound)).all()
    silence = 1e-5 * rng.standard_normal(8_000).astype(np.float32)
    surrounded = features(np.concatenate([silence, tone(200, 3.0), silence]))
    assert np.abs(surrounded - long).mean() < 0.1 * np.abs(long).mean()  # silence around it tells nothing


def clips(folder: Path, speaker: str, count: int = 4) -> list[Clip]:
    made = []
    for label, low in (("low", 100.0), ("middle", 180.0), ("high", 320.0)):
        for number in range(count):
            path = folder / f"{speaker}_{label}_{number}.wav"
            rise = 1.0 + 0.05 * number
            soundfile.write(path, tone(low * rise, seed=len(made)), 16_000)
            made.append(Clip("made", path, f"made/{speaker}", "", label, 0.6, path.name))
    return made


def test_a_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ["high", "low", "middle"]
    train, validation, test = (clips(tmp_path, name) for name in "abc")
    outcome = evaluate_fold(train, validation, test, labels)
    assert outcome.truth.tolist() == [labels.index(clip.label) for clip in test]
    assert np.mean(outcome.predicted == outcome.truth) == 1.0
    assert outcome.probabilities.sum(axis=1) == pytest.approx(np.ones(12))
    assert (outcome.probabilities.argmax(axis=1) == outcome.predicted).all()
    calls: list[np.ndarray] = []
    monkeypatch.setattr(baseline, "features", calls.append)
    assert len(vectors(test)) == 12
    assert not calls  # each sound once a process
    with pytest.raises(CorpusError, match=re.escape("labelled 'low', the labels are high, middle; add it to them")):
        evaluate_fold(train, validation, [replace(test[0], label="low")], ["high", "middle"])


def test_scaling_and_choice_never_see_the_test_side() -> None:
    rng = np.random.default_rng(3)
    train = rng.standard_normal((60, 5)) * [1, 10, 100, 1, 1] + 7.0
    labels = (train[:, 2] > 7.0).astype(np.int64)
    held, held_labels = train[:20] + 0.1, labels[:20]
    machine = Baseline(2)
    assert machine.fit(train, labels, held, held_labels) > 0.9
    scaler = machine._machine[0]
    np.testing.assert_allclose(scaler.mean_, train.mean(axis=0))
    few = machine.probabilities(train[:3])
    np.testing.assert_allclose(machine.probabilities(np.vstack([train[:3], 1e6 * train]))[:3], few)
    assert machine.choice.startswith("kernel=")


def test_the_choice_follows_the_validation_side() -> None:
    # Two rings: only a curved border tells them apart, so the validation side must prefer the radial kernel.
    rng = np.random.default_rng(4)
    angle, labels = rng.uniform(0, 2 * np.pi, 120), np.arange(120) % 2
    rings = np.column_stack([np.cos(angle), np.sin(angle)]) * (1.0 + labels)[:, None]
    machine = Baseline(2)
    assert machine.fit(rings[:80], labels[:80], rings[80:], labels[80:]) == 1.0
    assert machine.choice.startswith("kernel=rbf")


def test_an_empty_class_is_refused() -> None:
    with pytest.raises(ValueError, match="no training clip of label 1; give every class a clip"):
        Baseline(3).fit(np.zeros((4, 2)), np.array([0, 0, 2, 2]), np.zeros((1, 2)), np.array([0]))
