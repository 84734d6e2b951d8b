"""At one loudness a gain changes nothing: not the front ends' features, not the networks' scores, not the exported file's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from stream_ser_models.cnn_bilstm import CNNBiLSTM, CNNBiLSTMConfig
from stream_ser_models.cpc import Context, CPCConfig
from stream_ser_models.export import export_onnx
from stream_ser_models.frontend import CompandedSpectrogram, CompandedSpectrogramConfig
from stream_ser_models.levelling import LevelConfig, levelled, loudness_of
from stream_ser_models.logmel import LogMel, LogMelConfig
from stream_ser_models.mfcc import MFCC, MFCCConfig

WINDOW = 32_000
GAINS = (-24.0, -12.0, 12.0, 24.0)  # dB


def windows(count: int = 2) -> torch.Tensor:
    """Bursts of noise over a soft background, the first behind digital silence."""
    rng = np.random.default_rng(5)
    bursts = 0.1 * (np.arange(WINDOW) // 3_200 % 3 == 0) + 1e-3
    sound = (bursts * rng.standard_normal((count, WINDOW))).astype(np.float32)
    sound[0, :8_000] = 0.0
    return torch.from_numpy(sound)


def gain(decibels: float) -> float:
    return float(10.0 ** (decibels / 20.0))


def test_loudness_is_that_of_the_loud_parts() -> None:
    steady = torch.full((1, WINDOW), 0.1)
    assert loudness_of(steady).item() == pytest.approx(0.01)
    half = steady.clone()
    half[:, : WINDOW // 2] = 0.0
    assert loudness_of(half).item() == pytest.approx(0.01)  # a pause makes a voice no softer
    half[:, : WINDOW // 2] = 0.01
    assert loudness_of(half).item() == pytest.approx(0.01, rel=0.02)
    assert loudness_of(torch.full((1, WINDOW + 319), 0.1)).item() == pytest.approx(0.01)


def test_windows_come_to_the_loudness_that_is_asked_for() -> None:
    config = LevelConfig(level="window", loudness=-30.0)
    for decibels in GAINS:
        came = loudness_of(levelled(windows() * gain(decibels), config))
        assert torch.allclose(10.0 * came.log10(), torch.tensor(-30.0), atol=1e-3)


def test_silence_stays_silence_and_what_is_as_soft_is_not_turned_up_without_end() -> None:
    config = LevelConfig(level="window", loudness=-20.0)
    assert torch.equal(levelled(torch.zeros(1, WINDOW), config), torch.zeros(1, WINDOW))
    hiss = windows() * 1e-6
    assert torch.allclose(levelled(hiss, config), hiss * gain(60.0), rtol=1e-4)


def test_by_default_nothing_is_touched() -> None:
    sound = windows()
    assert levelled(sound, LevelConfig()) is sound


@pytest.mark.parametrize("change", [{"level": "loud"}, {"loudness": -61.0}, {"loudness": 1.0}])
def test_what_is_no_level_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        LevelConfig(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "frontend",
    [
        LogMel(LogMelConfig(level="window")),
        MFCC(MFCCConfig(level="window")),
        CompandedSpectrogram(CompandedSpectrogramConfig(level="window")),
        Context(CPCConfig(channels=8, context=12, level="window")).eval(),
    ],
    ids=["logmel", "mfcc", "companded", "cpc"],
)
@torch.inference_mode()
def test_features_are_the_same_at_any_gain(frontend: torch.nn.Module) -> None:
    sound = windows()
    features = frontend(sound)
    assert features.std() > 1e-3
    for decibels in GAINS:
        assert (frontend(sound * gain(decibels)) - features).abs().max() < 1e-3 * features.abs().max()


@torch.inference_mode()
def test_features_differ_without() -> None:
    for frontend in (LogMel(), MFCC(), CompandedSpectrogram()):
        assert (frontend(windows() * gain(12.0)) - frontend(windows())).abs().max() > 0.1


def test_the_exported_file_hears_no_gain_either(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = CNNBiLSTM(
        CNNBiLSTMConfig(
            depth=0,
            channels=(4, 4),
            time_pools=(8, 4),
            frequency_pools=(8, 5),
            frontend=LogMelConfig(mels=40, level="window"),
        )
    ).eval()
    export_onnx(network, WINDOW, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(windows()).logits.numpy()
    for decibels in GAINS:
        logits = session.run(["logits"], {"waveform": windows().numpy() * np.float32(gain(decibels))})[0]
        np.testing.assert_allclose(logits, expected, atol=1e-4)
